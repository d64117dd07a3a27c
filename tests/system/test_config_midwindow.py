"""What changes in the middle of a window: each step stands once, under what was in force at its
event time, whenever it arrives.

The moments of change are those that the answers tell. Must never send a step whose place depends on
how fast the machine is.
"""

import time

from config_model import to_ms
from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms, step_json
from points import PointsFile
from processes import Failure, wait_until
from test_config_random import iso

SETTINGS = {"refresh_s": 1, "allowed_lateness_s": 120, "stored_lateness_s": 240, "fuse_ms": 0}
BY_HAND = {"phases": [{"name": "imprint", "direction": "B"}, {"name": "carry-over",
                                                              "direction": "F"}]}


class Class:
    """One member and one group of the same name, and the steps they are expected to have."""

    def __init__(self, scene, name):
        self.scene, self.name, self.seq = scene, name, 0
        self.expected = {}
        self.member()

    def accept(self, kind, document, name=None):
        """The moment at which the document took effect."""
        return to_ms(self.scene.operator.accept(kind, name or self.name, document)["at"])

    def member(self, **values):
        return self.accept("member", {"alias": "One", "consent": "member", "devices": [self.name],
                                      "groups": [self.name], **values})

    def session(self, start, **values):
        return self.accept("session", {"drill": self.name, "start": iso(start), **values})

    def steps(self, times, alias="One", drill="none", phase="none", group=None, stored=False):
        """Steps of these event times, and the tags under which they must be found."""
        for at in times:
            self.seq += 1
            self.scene.client.start_publish(
                self.scene.daemon.topic(f"device/{self.name}/steps"),
                step_json(1, self.seq, t=at, dir="B", step_ms=500,
                          **({"stored": True} if stored else {})))
            key = (self.name, group or self.name, drill, phase, alias, "1" if stored else "")
            self.expected[key] = self.expected.get(key, 0) + 1
        self.scene.client.flush()

    def both(self, times, **tags):
        """The same twice: live, and kept on the device."""
        times = list(times)
        self.steps(times, **tags)
        self.steps([at + 1 for at in times], stored=True, **tags)


class Scene:
    def __init__(self, broker, daemon):
        self.daemon, self.client, self.operator = daemon, broker.client(), Operator(daemon, broker)


def change_alias(scene):
    """Live or stored, the alias is the one in force when the step arrives."""
    c = Class(scene, "alias")
    at = now_ms() - 5000
    c.both(range(at, at + 100, 10), alias="One")
    c.member(alias="Two, =x")
    c.both(range(at + 100, at + 150, 10), alias="Two, =x")
    c.member(alias="One")
    c.both(range(at + 5, at + 35, 10), alias="One")
    return c


def change_group(scene):
    """The first listed without a class; with one, the first by id that has a class on."""
    c = Class(scene, "group")
    at = now_ms() - 9000
    c.steps(range(at, at + 50, 10))
    c.member(groups=["zz-group", "group"])
    c.steps(range(at + 50, at + 80, 10), group="zz-group")
    c.accept("drill", BY_HAND)
    c.session(at + 100, end=iso(at + 200), phase="imprint")
    c.both(range(at + 80, at + 100, 10), group="zz-group")
    c.both(range(at + 100, at + 200, 10), drill="group", phase="imprint")
    c.both(range(at + 200, at + 230, 10), group="zz-group")
    c.accept("session", {"drill": "group", "start": iso(at), "phase": "carry-over"}, "aa-group")
    c.member(groups=["zz-group", "group", "aa-group"])
    c.both([at + 150, at + 1000], group="aa-group", drill="group", phase="carry-over")
    c.member(groups=[])
    c.steps(range(at + 300, at + 330, 10), group="none")
    return c


def change_phase_by_hand(scene):
    """To the millisecond: the document's arrival is the first of the new phase."""
    c = Class(scene, "by-hand")
    start = now_ms() - 3000
    c.accept("drill", BY_HAND)
    c.session(start, phase="imprint")
    c.both(range(start, start + 100, 10), drill="by-hand", phase="imprint")
    c.steps([start - 1], drill="none")
    at = c.session(start, phase="carry-over")
    c.both([at - 2, start + 201], drill="by-hand", phase="imprint")
    c.both([at, at + 3], drill="by-hand", phase="carry-over")
    last = c.session(start)  # no phase, and no timetable either
    c.both([last, last + 5], drill="by-hand", phase="none")
    c.both([last - 2], drill="by-hand", phase="carry-over")
    return c


def follow_timetable(scene):
    """Twice through both phases, then none; computed from the start, whenever it was said."""
    c = Class(scene, "timetable")
    start = now_ms() - 20_000
    phases = [{"name": "imprint", "direction": "B", "duration_s": 2},
              {"name": "carry-over", "direction": "F", "duration_s": 3}]
    c.accept("drill", {"phases": phases, "repeat": 2})
    c.session(start)
    for offset, phase in ((0, "imprint"), (1999, "imprint"), (2000, "carry-over"),
                          (4999, "carry-over"), (5000, "imprint"), (6998, "imprint"),
                          (7000, "carry-over"), (9998, "carry-over"), (10_000, "none"),
                          (15_000, "none")):
        c.steps([start + offset], drill="timetable", phase=phase)
    c.steps([start - 1])
    c.steps([start + 3000], drill="timetable", phase="carry-over", stored=True)
    return c


def end_a_class(scene):
    c = Class(scene, "ending")
    c.accept("drill", BY_HAND)
    start = now_ms() - 8000
    c.session(start, phase="imprint")
    c.steps([start + 10, start + 4000], drill="ending", phase="imprint")
    c.session(start, end=iso(start + 2000), phase="imprint")
    c.both([start + 20, start + 1998], drill="ending", phase="imprint")
    c.both([start + 2000, start + 4001, start + 6000])
    return c


def delete_a_class(scene):
    """What was on when the step was made stays so, though nobody knows the document any more."""
    c = Class(scene, "deleted")
    c.accept("drill", BY_HAND)
    start = now_ms() - 2000
    begun = c.session(start, phase="imprint")
    c.steps([begun], drill="deleted", phase="imprint")
    scene.operator.delete("session", "deleted")
    after = c.accept("group", {"name": "later than the deletion"})
    c.both([begun - 5, start + 11], drill="deleted", phase="imprint")
    c.both([after + 1, start - 10])
    return c


def class_before_its_drill(scene):
    """Not on until the drill is there; then on from its start for all that comes from then on."""
    c = Class(scene, "early")
    start = now_ms() - 5000
    c.session(start, phase="imprint")
    c.steps([start + 10, start + 20])
    c.accept("drill", BY_HAND)
    c.both([start + 30, start + 4000], drill="early", phase="imprint")
    return c


def change_the_drill(scene):
    """A new interval from the drill's arrival; a phase that is not in it any more is none."""
    c = Class(scene, "changing")
    start = now_ms() - 5000
    c.accept("drill", BY_HAND)
    c.session(start, phase="imprint")
    at = c.accept("drill", {"phases": [{"name": "other", "direction": "B"}]})
    c.both([start, at - 2], drill="changing", phase="imprint")
    c.both([at, at + 5], drill="changing", phase="none")
    scene.operator.delete("drill", "changing")
    gone = c.accept("group", {"name": "later than the deletion"})
    c.both([gone + 1])
    c.both([start + 7], drill="changing", phase="imprint")
    return c


def next_class(scene):
    """The one before goes on until the next begins."""
    c = Class(scene, "next")
    c.accept("drill", BY_HAND)
    c.accept("drill", {"phases": [{"name": "free", "direction": "F"}]}, "another")
    start = now_ms() - 3000
    second = start + 4000
    c.session(start, phase="imprint")
    c.session(second, drill="another", phase="free")
    c.both([start, start + 2500, second - 2], drill="next", phase="imprint")
    c.both([second, second + 100], drill="another", phase="free")
    return c


CHANGES = (change_alias, change_group, change_phase_by_hand, follow_timetable, end_a_class,
           delete_a_class, class_before_its_drill, change_the_drill, next_class)


def step_sums(influx):
    found = {}
    for row in influx.rows("SELECT sum(steps) FROM gait_window "
                           'GROUP BY member, "group", drill, phase, alias, stored'):
        key = tuple(row[tag] for tag in ("member", "group", "drill", "phase", "alias", "stored"))
        found[key] = row["sum"]
    return found


def differences(found, expected):
    keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
    return "\n".join(["member, group, drill, phase, alias, stored:"] + [
        f"  {key}: expected {expected.get(key)}, found {found.get(key)}" for key in keys])


def test_changes_in_a_window(case):
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx).start_online(broker)
    scene = Scene(broker, daemon)
    scene.operator.accept("settings", "site", SETTINGS)
    expected = {}
    for change in CHANGES:
        expected.update(change(scene).expected)
    try:
        wait_until(lambda: step_sums(influx) == expected, 15, "sums", pause=0.3)
    except Failure:
        raise Failure(differences(step_sums(influx), expected)) from None
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_counted"], sum(expected.values()), "steps counted, each in one row")


# --- the window itself changes --------------------------------------------------------------------

FUTURE_MS = 100  # the daemon's clock and ours differ by less


def expect_final_stays_final(points):
    """No row that was written as final was written otherwise later."""
    final = {}
    for key, row in points.written("gait_window"):
        if key in final and row != final[key]:
            raise Failure(f"final was {final[key]}, and then came {row}")
        if row["final"]:
            final[key] = row
    expect_true(final, "final rows")
    return final


def size_of_window(row, boundary):
    """A window has the size in force at the times of its steps; it begins at a multiple of it, the
    first of the new ones perhaps before the change."""
    old, new = 10_000, 3000
    if row["time"] % old == 0 and row["time"] + old <= boundary:
        return old
    if row["time"] % new == 0 and row["time"] + new > boundary:
        return new
    raise Failure(f"a window of neither size, with the change at {boundary}: {row}")


def test_changed_window(case):
    """Every 100 ms a step over the change from ten seconds to three, with lateness up and down."""
    broker = case.broker()
    path = case.folder / "points.lp"
    daemon = case.daemon(broker.uri, output={"file": path}).start_online(broker)
    points, seq = PointsFile(path), 0
    settings = {"unknown_devices": "guest", "refresh_s": 1, "allowed_lateness_s": 1,
                "max_future_ms": FUTURE_MS, "window_s": 10}
    with Operator(daemon, broker) as operator:
        operator.accept("settings", "site", settings)
        walker = broker.client()

        def walk(until):
            """Steps of now, and late ones of up to two and a half seconds before."""
            nonlocal seq
            while now_ms() < until:
                for t in (now_ms(), now_ms() - case.random.randrange(2500)):
                    seq += 1
                    walker.start_publish(daemon.topic("device/pod/steps"),
                                         step_json(1, seq, t=t, dir="F"))
                walker.flush()
                time.sleep(0.05)

        walk(now_ms() + 500)
        answer = operator.accept("settings", "site", settings | {"window_s": 3})
        boundary = -(-(to_ms(answer["at"]) + FUTURE_MS) // 10_000) * 10_000
        walk(max(boundary, now_ms()) + 2500)
        operator.accept("settings", "site", settings | {"window_s": 3, "allowed_lateness_s": 3})
        walk(now_ms() + 1500)
        operator.accept("settings", "site", settings | {"window_s": 3, "allowed_lateness_s": 0})
        walk(now_ms() + 1500)
        end = now_ms() // 3000 * 3000 + 3000  # of the window that the last step lies in
        wait_until(lambda: now_ms() > end and
                   all(row["final"] for row in points.rows("gait_window")) and
                   any(row["time"] == end - 3000 for row in points.rows("gait_window")), 15,
                   "the last window's row is written, and all rows are final")
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    final = expect_final_stays_final(points)
    expect({size_of_window(row, boundary) for row in final.values()}, {10_000, 3000},
           "sizes of windows")
    expect(sum(row["steps"] for row in final.values()), books["steps_counted"],
           "steps in final rows")
    expect(books["steps_counted"] + books["steps_rejected"]["too_late"], seq, "steps sent")

"""Consent: withdrawn in the middle of a class it ends a member's rows at that moment, and a group's
rows never give one person away.

Rows are seen as they are written, in the daemon's local file; the names members chose are looked
for wherever they must not be. Must never trust the last state of a row alone.
"""

import statistics

from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms, step_json
from points import PointsFile
from processes import Failure, wait_until

WINDOW_MS = 10_000
ALIAS = "Zebra"


def file_line(case, **settings):
    """(broker, daemon, the file of its rows)"""
    broker = case.broker()
    path = case.folder / "points.lp"
    daemon = case.daemon(broker.uri, output={"file": path}).start_online(broker)
    with Operator(daemon, broker) as operator:
        operator.accept("settings", "site", settings)
    return broker, daemon, PointsFile(path)


def last_window():
    """Where the window that ended last began: what is sent for it lies in it, however long that
    takes, and it is final when its lateness is over."""
    return now_ms() // WINDOW_MS * WINDOW_MS - WINDOW_MS


def lateness_s(window, seconds):
    """So that the window is final in so long, or a little later."""
    return (now_ms() - window - WINDOW_MS) // 1000 + 1 + seconds


class Walk:
    """Steps in one window, each member by a device of the same name."""

    def __init__(self, broker, daemon, window):
        self.client, self.daemon, self.window = broker.client(), daemon, window
        self.seq = 0

    def steps(self, members, count=1, **values):
        for _ in range(count):
            for member in members:
                self.seq += 1
                self.client.start_publish(
                    self.daemon.topic(f"device/{member}/steps"),
                    step_json(1, self.seq, t=self.window + self.seq,
                              **{"dir": "B", "step_ms": 500, **values}))
        self.client.flush()


def member(name, consent="member", group="tue"):
    return {"alias": f"{ALIAS} {name}", "consent": consent, "devices": [name], "groups": [group]}


# --- withdrawn in the middle of a class -----------------------------------------------------------

OTHERS = [f"other-{number}" for number in range(6)]
LEAVERS = {"leaver-none": "none", "leaver-1": "group", "leaver-2": "group", "leaver-3": "group",
           "leaver-killed": "none"}


def writes_of(points, name):
    return [row for _key, row in points.written("gait_window") if row["member"] == name]


def expect_written_once(points, name, steps):
    """Both of its rows came out by the withdrawal alone: no refresh and no window's end was due."""
    wait_until(lambda: len(writes_of(points, name)) >= 2, 10, f"the last rows of {name}")
    found = sorted((row["direction"], row["steps"]) for row in writes_of(points, name))
    expect(found, [("B", steps), ("F", steps)], f"rows of {name}, each written once more")


def withdraw_and_kill(broker, daemon, operator):
    """The document is in the log when its answer is there; nothing more is known to have left."""
    operator.push("member", "leaver-killed", member("leaver-killed", "none"))
    daemon.kill_running()
    daemon.start_online(broker)


def expect_rows_of_leavers(points, steps):
    """Written once more, and not again: neither at the window's end nor when it became final."""
    for name in LEAVERS:
        rows = writes_of(points, name)
        expect({row["direction"]: row["steps"] for row in rows}, {"B": steps, "F": steps},
               f"last rows of {name}")
        times = 2 if name != "leaver-killed" else len(rows)  # a restart may send again what it sent
        expect(len(rows), times, f"how often rows of {name} were written")
        expect({row["final"] for row in rows}, {False}, f"{name}: no row was written as final")


def steps_of_final_groups(points):
    return sum(row["steps"] for row in points.rows("group_window") if row["final"])


def withdraw(walk, operator, points, broker, daemon):
    walk.steps([*OTHERS, *LEAVERS], 3)
    walk.steps([*OTHERS, *LEAVERS], 3, dir="F")
    expect(points.written("gait_window"), [], "nothing is due yet")
    for name, consent in LEAVERS.items():
        if name == "leaver-killed":
            withdraw_and_kill(broker, daemon, operator)
        else:
            operator.accept("member", name, member(name, consent))
            expect_written_once(points, name, 3)
    expect(len([r for n in OTHERS for r in writes_of(points, n)]), 0, "rows of others by then")


def test_withdrawn_in_class(case):
    broker, daemon, points = file_line(case)
    window = last_window()
    overheard = broker.client()
    overheard.subscribe("#")
    with Operator(daemon, broker) as operator:
        operator.accept_all([("member", name, member(name)) for name in [*OTHERS, *LEAVERS]])
        # A bad document of somebody with a name, for the log and the answers.
        operator.push("member", "other-0", member("other-0") | {"alias": ALIAS + "\\"})
        # Every step still waits for its order when a consent is withdrawn.
        operator.accept("settings", "site", {
            "refresh_s": 60, "reorder_ms": 10_000, "fuse_ms": 0,
            "allowed_lateness_s": lateness_s(window, 7)})
        walk = Walk(broker, daemon, window)
        withdraw(walk, operator, points, broker, daemon)
        killed = len(writes_of(points, "leaver-killed"))
        walk.steps(OTHERS, 2)
        walk.steps(LEAVERS, 4)
        # Steps that were counted stay in the group's rows; who left altogether adds nothing more.
        counted = 8 * len(OTHERS) + 6 * len(LEAVERS) + 4 * 3
        wait_until(lambda: steps_of_final_groups(points) == counted, 25,
                   f"final rows of the group with {counted} steps")
    expect_rows_of_leavers(points, 3)
    expect(len(writes_of(points, "leaver-killed")), killed, "rows of leaver-killed after the start")
    for name in OTHERS:
        expect(sum(row["steps"] for row in points.rows("gait_window") if row["member"] == name), 8,
               f"steps of {name}, who went on")
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_rejected"]["no_consent"], 8, "steps rejected as no_consent")
    expect(books["steps_counted"], counted, "steps counted")
    expect_alias_nowhere(daemon, overheard)


def expect_alias_nowhere(daemon, overheard):
    """But in the documents themselves and on the boards."""
    expect_true(ALIAS not in daemon.log_text(), "no alias in the log")
    topics = set()
    while message := overheard.receive(0.3):
        levels = message.topic.split("/")
        topics.add(levels[3])
        if levels[3] not in ("config", "live") and ALIAS.encode() in message.payload:
            raise Failure(f"an alias on {message.topic}: {message.payload[:300]!r}")
    expect_true({"config", "result", "service", "device"} <= topics, f"topics heard: {topics}")


# --- rows of groups -------------------------------------------------------------------------------

# Group → how many members with consent `member` and `group`, and whether it may have rows.
GROUPS = {
    "four": (4, 0, False), "five": (5, 0, True), "one-more": (5, 1, False),
    "two-more": (5, 2, False), "three-more": (5, 3, True), "all-withheld": (0, 5, True),
    "too-few": (1, 3, False), "just-enough": (2, 3, True),
}


ALONE = [f"alone-{number}" for number in range(6)]


def members_of(group):
    own, withheld, _rows = GROUPS[group]
    return [(f"{group}-{number}", "member" if number < own else "group")
            for number in range(own + withheld)]


def gait_of(number):
    """(step time, step length) of a group's member."""
    return 400 + 37 * (number * 5 % 7), 300 + 23 * (number * 3 % 5)


def send_class(walk, group):
    """Two steps backwards and one forwards each; nobody walks like another."""
    for number, (name, _consent) in enumerate(members_of(group)):
        step_ms, step_mm = gait_of(number)
        for direction in "BBF":
            walk.steps([name], dir=direction, step_ms=step_ms, step_mm=step_mm)


def expected_group_row(group):
    gaits = [gait_of(number) for number in range(len(members_of(group)))]
    return {
        "members": len(gaits), "steps": 3 * len(gaits), "backward_pct": 200 / 3,
        "cadence_spm_p50": statistics.median(60_000 / ms for ms, _mm in gaits),
        "step_length_mm_p50": statistics.median(mm for _ms, mm in gaits),
        "walk_ratio_p50": statistics.median(mm / 1000 / (60_000 / ms) for ms, mm in gaits),
    }


def expect_group_row(row, group):
    expected = expected_group_row(group)
    found = {key: row.get(key) for key in expected}
    off = [key for key in expected
           if found[key] is None or abs(found[key] - expected[key]) > 1e-6 * expected[key]]
    if off:
        raise Failure(f"{group}: {off}: expected {expected}, found {found}")
    expect((row["drill"], row["phase"], row["site"]), ("none", "none", "test"), f"tags of {row}")


def test_rows_of_groups(case):
    broker, daemon, points = file_line(case, refresh_s=1, fuse_ms=0)
    with Operator(daemon, broker) as operator:
        operator.accept_all([("member", name, member(name, consent, group))
                             for group in GROUPS for name, consent in members_of(group)])
        operator.accept_all([("member", name, {"consent": "member", "devices": [name]})
                             for name in ALONE])
    walk = Walk(broker, daemon, last_window())
    for group in GROUPS:
        send_class(walk, group)
    walk.steps(ALONE, 3)
    shown = sorted(group for group, (_own, _withheld, rows) in GROUPS.items() if rows)

    def rows():
        return {row["group"]: row for row in points.rows("group_window")}

    wait_until(lambda: sorted(rows()) == shown and
               all(rows()[group]["steps"] == 3 * len(members_of(group)) for group in shown), 15,
               f"rows of {shown}")
    for group in shown:
        expect_group_row(rows()[group], group)
    own = {row["member"] for row in points.rows("gait_window")}
    expect(own, {name for group in GROUPS for name, consent in members_of(group)
                 if consent == "member"} | {*ALONE}, "members with rows of their own")
    daemon.stop()
    expect(sorted(rows()), shown, "groups with rows at the end")

"""The boards: their JSON holds together, and each of their queries gives rows from a database that
the daemon filled: "Group drill" by group, drill and phase from classes of the example gym,
"Operations" from wearables that lose, repeat and tell of themselves.
"""

import json
import re

import boards
from gym import Gym, push, utc
from harness import expect, expect_true, now_ms, step_json, wait_for_totals
from processes import wait_until

NOW = "45s"
# What belongs to the class that is on now, by hand, up the risers.
ON_NOW = ("thu-steps", "step-ups", "one riser")
# What a carry-over and its slips are in.
CARRIED = ("tue-track", "back-twenty", "carry-over")


def test_structure(case):
    for name in boards.names():
        board = boards.read(name)
        boards.expect_whole(board)
        case.notes.append(f"{board['title']}: {len(board['panels'])} panels")
    uids = [boards.read(name)["uid"] for name in boards.names()]
    expect(sorted(set(uids)), sorted(uids), "uids of boards, each once")
    provisioned = (boards.FOLDER / "datasources" / "backstep.yaml").read_text()
    expect(re.findall(r"^ +uid: (\S+)$", provisioned, re.M), [boards.DATASOURCE["uid"]],
           "provisioned uid")


# Group drill.

def walk(case, broker, daemon, gym, group, begin_ms, seconds):
    sender = case.send("simulate", broker, daemon, name=f"class-{group}", gym=gym.folder,
                       group=group, start=begin_ms, duration=seconds, speed=0)
    return gym.sent(sender.wait(), "member")


SLIPPING_WALK = ((30, "F", 640), (60, "B", 430), (40, "F", 560), (20, "F", 700))


def slipping_walk():
    """Forward, backward, forward, half a second a step; after 40 steps of the last the steps are a
    quarter longer than they were."""
    for count, direction, length in SLIPPING_WALK:
        for _ in range(count):
            yield direction, length


def send_slipping_walk(broker, daemon, device, begin_ms):
    rows = [[500, direction, 500, length] for direction, length in slipping_walk()]
    batch = {"v": 1, "boot": 1, "seq": 1, "t": begin_ms,
             "columns": ["dt_ms", "dir", "step_ms", "step_mm"], "rows": rows}
    with broker.client() as client:
        client.publish(daemon.topic(f"device/{device}/steps"), json.dumps(batch))
        client.flush()
    totals = {}
    for direction, _length in slipping_walk():
        totals[direction] = totals.get(direction, 0) + 1
    return totals


def prepare_gym(case, now):
    """The example gym, with a warm-up before the backward phase."""
    gym = Gym().copy(case.folder / "gym")
    phases = [{**phase, "duration_s": 30} for phase in gym.read("drill", "back-twenty")["phases"]]
    warm_up = {"name": "warm-up", "direction": "F", "duration_s": 30}
    gym.change("drill", "back-twenty", phases=[warm_up, *phases])
    gym.change("session", "tue-track", start=utc(now / 1000 - 240), end=utc(now / 1000 - 120))
    gym.change("session", "thu-steps", start=utc(now / 1000 - 100))
    return gym


def fill_database(case):
    """Two classes of the example gym, one after the other: forward, back and forth by the clock 240
    to 120 s ago, and up the risers by hand from 100 s ago until now; in the first one more member,
    whose gait slips. Gives who went back and forth."""
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx).start_online(broker)
    now = now_ms()
    gym = prepare_gym(case, now)
    push(case.build, broker, daemon, gym.folder)
    back_and_forth = walk(case, broker, daemon, gym, "tue-track", now - 240_000, 120)
    daemon.push(broker, "member", "m-13",
                {"consent": "member", "devices": ["belt-13"], "groups": ["tue-track"]})
    back_and_forth["m-13"] = send_slipping_walk(broker, daemon, "belt-13", now - 225_000)
    up = walk(case, broker, daemon, gym, "thu-steps", now - 100_000, 98)
    both = {member: {**back_and_forth.get(member, {}), **up.get(member, {})}
            for member in {*back_and_forth, *up}}
    wait_for_totals(influx, both, 60, daemon)
    wait_until(lambda: {row["group"] for row in influx.rows(
        'SELECT sum(steps) FROM group_window GROUP BY "group"')} == {"tue-track", "thu-steps"},
        30, "rows of both groups", pause=0.5)
    return influx, sorted(back_and_forth)


def shows(panel, value):
    """Whether there is anything to see where a group, drill or phase alone is chosen."""
    queries = " ".join(target["query"] for target in panel["targets"])
    if panel.get("timeFrom") == NOW:
        return value in ON_NOW
    if re.search(r'FROM "(carry_over|slip)"|"retention_pct_p50"', queries):
        return value in CARRIED
    return value not in ON_NOW or '"direction" =' not in queries


def expect_choices(influx, board, name, values):
    """Each value of a variable alone, all else as it was."""
    variable = next(v for v in boards.variables(board) if v["name"] == name)
    found = boards.choices(influx, variable, values)
    expect_true(len(found) >= 2, f"values of {name}")
    for value in found:
        chosen = {**values, name: [value]}
        for each in boards.variables(board):
            expect_true(boards.choices(influx, each, chosen),
                        f"values of {each['name']} where {name} is {value}")
        for panel in (panel for panel in board["panels"] if shows(panel, value)):
            expect_true(boards.rows_of(influx, board, panel, chosen),
                        f"rows of {panel['title']} where {name} is {value}")


def test_group_drill(case):
    influx, back_and_forth = fill_database(case)
    board = boards.read("group-drill")
    values = boards.choose_all(influx, board)
    for panel in board["panels"]:
        boards.expect_rows(influx, board, panel, values)
        for member in back_and_forth if "repeat" in panel else []:
            boards.expect_rows(influx, board, panel, {**values, "member": member})
    for name in ("group", "drill", "phase"):
        expect_choices(influx, board, name, values)
    case.notes.append(f"{sum(len(panel['targets']) for panel in board['panels'])} queries")


# Operations.

def send_with_trouble(broker, daemon, devices):
    """Each tells its battery, sends ten steps of which two get lost, and one of them twice."""
    with broker.client() as client:
        for battery, device in enumerate(devices):
            client.publish(daemon.topic(f"device/{device}/birth"),
                           json.dumps({"kind": "foot", "battery_pct": 15 + battery}))
            for seq in (1, 2, 3, 6, 7, 8, 9, 10, 10):
                client.publish(daemon.topic(f"device/{device}/steps"), step_json(1, seq, dir="F"))
        client.flush()


def wait_for_health(influx, devices, rows):
    wait_until(
        lambda: len(influx.rows('SELECT "received" FROM "device_health"')) == rows * len(devices),
        90, f"{rows} rows of each wearable", pause=1)


def expect_counts(influx, device, expected):
    rows = influx.rows('SELECT last("received") AS "received", "duplicate", "lost", "rejected" '
                       f'FROM "device_health" WHERE "device" = \'{device}\'')
    expect({name: rows[0][name] for name in expected}, expected, device)


def test_operations(case):
    """The wearables' rows come once a minute, and what was lost in one takes two: a long run."""
    broker, influx, daemon = case.line()
    devices = ["pod-1L", "pod-1R", "belt-2"]
    send_with_trouble(broker, daemon, devices)
    wait_for_health(influx, devices, 1)
    if case.long:
        send_with_trouble(broker, daemon, devices)
        wait_for_health(influx, devices, 2)
    times = 2 if case.long else 1
    for device in devices:
        expect_counts(influx, device, {"received": 9 * times, "duplicate": 9 * times - 8, "lost": 2,
                                       "rejected": 0})
    board = boards.read("operations")
    values = boards.choose_all(influx, board)
    panels = [panel for panel in board["panels"]
              if case.long or "difference" not in panel["targets"][0]["query"]]
    for panel in panels:
        # Told from ten minutes on.
        boards.expect_rows(influx, board, panel, values, may_be_empty=["clock_skew_ppm"])
    case.notes.append(f"{len(panels)} of {len(board['panels'])} panels")

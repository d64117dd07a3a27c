"""The intake log alone decides every row: folded live, folded again from its start, and folded
again with a SIGKILL behind each thousandth record, it gives the same rows, byte for byte.

Compared are the rows as they were written last, of everything that the fold says; the daemon's rows
about itself are of another hour. Must never compare rows that time would still change.
"""

import shutil
import signal
import subprocess
import time

import drill
from daemon import Operator, guest_totals
from harness import expect, expect_true, now_ms
from points import PointsFile, parse
from processes import Failure, wait_until

OF_THE_FOLD = ("gait_window", "gait_bout", "carry_over", "slip", "group_window", "session_summary")
EVERY_RECORDS = 1000
LEAVER = "dora"
# A bout is over 3 s behind its last step and 1 s more for the order; a changed row is written after
# 1 s, and is in the file 1 s later.
QUIET_S = 7
LIVE = {"unknown_devices": "guest", "allowed_lateness_s": 3600, "stored_lateness_s": 3600,
        "reorder_ms": 1000}
# What each sends as fast as the broker takes it, all of it of the last two minutes.
SENDERS = {
    "pods": {"devices": 2, "form": "binary", "batch": 7, "loss": 2},
    "kept": {"form": "batch", "stored": True},
    "up": {"up": True, "loss": 1},
}


def totals(truths):
    """What gait_window must have in all, but for the one who left."""
    found = {}
    for truth in truths:
        found |= guest_totals(truth)
    forward = {"F": drill.HABIT + drill.FORWARD, "B": drill.BACK}
    return found | {name: forward for name in drill.MEMBERS if name != LEAVER}


def unsettled(points, expected):
    """What time would still change."""
    found = {member: steps for member, steps in points.step_totals().items() if member != LEAVER}
    if found != expected:
        return f"steps of {len(found)} members, of {len(expected)}"
    rows = [row for name in OF_THE_FOLD for row in points.rows(name)]
    return [row for row in rows if row.get("member") != LEAVER
            and (row.get("open") or not row.get("final", True))][:3]


def settle_for_good(daemon, operator, points, expected):
    """Nothing is accepted any more, and after a while of silence every row is as it will stay."""
    operator.delete("session", "tue")
    operator.accept("settings", "site", {**drill.SETTINGS, **LIVE, "allowed_lateness_s": 0,
                                         "stored_lateness_s": 0})
    written, since = 0, time.monotonic()
    while time.monotonic() < since + QUIET_S:
        daemon.expect_running()
        time.sleep(0.3)
        if len(lines(points)) != written:
            written, since = len(lines(points)), time.monotonic()
    expect(unsettled(points, expected), [], "rows that are not settled")


def send_drill(broker, daemon, begin, operator):
    """With a change of a name in the middle of it, a kill, and a withdrawal of consent."""
    events = drill.events(begin)
    with broker.client() as client:
        for device, birth in drill.births():
            client.publish(daemon.topic(f"device/{device}/birth"), birth, retain=True)
        for number, (_at, device, payload) in enumerate(events):
            if number == len(events) // 3:
                operator.accept("member", "carl", drill.member_document("carl", alias="C"))
                daemon.kill_running()
                daemon.start()
            if number == len(events) * 9 // 10:
                operator.accept("member", LEAVER, drill.member_document(LEAVER, consent="none"))
            client.start_publish(daemon.topic(f"device/{device}/steps"), payload)
        client.flush()


def record(case):
    """A daemon's state behind a class that was sent in all ways there are, and its points."""
    broker, begin = case.broker(), now_ms() - 60_000
    daemon = case.daemon(broker.uri, output={"file": case.folder / "live.lp"}).start_online(broker)
    points = PointsFile(case.folder / "live.lp")
    with Operator(daemon, broker) as operator:
        operator.accept_all(list(drill.documents(begin)))
        operator.accept("settings", "site", {**drill.SETTINGS, **LIVE})
        senders = [case.send(
            "simulate", broker, daemon, *(f"--{key}" for key, value in options.items()
                                          if value is True),
            name=name, prefix=name, members=400 if case.long else 40, duration=120, speed=0,
            duplicates=3, reorder=4, seed=case.random.randrange(1 << 31),
            **{key: value for key, value in options.items() if value is not True})
            for name, options in SENDERS.items()]
        send_drill(broker, daemon, begin, operator)
        settle_for_good(daemon, operator, points, totals([sender.wait() for sender in senders]))
    daemon.stop()
    return daemon, points


def lines(points):
    """All that the fold has said, in that order."""
    return [line for line in points.lines() if line.startswith(OF_THE_FOLD)]


def newest(points):
    """{(measurement, tags, time): the line as it was written last}"""
    return {parse(line)[0]: line for line in lines(points)}


def expect_same(points, live, what):
    found, expected = newest(points), newest(live)
    differing = [key for key in {*found, *expected} if found.get(key) != expected.get(key)]
    if differing:
        shown = [f"  expected {expected.get(key)}\n  found    {found.get(key)}"
                 for key in differing[:5]]
        raise Failure("\n".join([f"{what}: {len(differing)} rows of {len(expected)}:"] + shown))
    expect(len(lines(points)), len(lines(live)), f"{what}: how often a row was written")


def copy_of(case, recorded, name):
    """A daemon, not started, that has the intake log and nothing else."""
    daemon = case.daemon("mqtt://127.0.0.1:1", name=name, site=recorded.site,
                         output={"file": case.folder / f"{name}.lp"})
    for path in recorded.state.glob("intake-*.seg"):
        shutil.copy(path, daemon.state)
    return daemon, PointsFile(case.folder / f"{name}.lp")


def run_through(daemon):
    """Starts it, with no broker anywhere, and stops it when all is folded."""
    daemon.start()
    wait_until(lambda: "counts for site" in daemon.log_text(), 30, "the log is folded")
    daemon.stop()


def fold_and_die(case, daemon, records):
    """False where the log has fewer records."""
    done = subprocess.run([case.build / "tests" / "fold_killed", daemon.state, daemon.site,
                           str(records)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 1 and "the log ends" in done.stderr:
        return False
    expect(done.returncode, -signal.SIGKILL, f"exit status behind {records}: {done.stderr}")
    return True


def test_same_rows(case):
    recorded, live = record(case)
    measurements = {line.partition(",")[0] for line in lines(live)}
    expect_true(measurements >= {*OF_THE_FOLD} - {"session_summary"}, f"rows of {measurements}")
    again, points = copy_of(case, recorded, "again")
    run_through(again)
    expect_same(points, live, "folded again")
    killed, points = copy_of(case, recorded, "killed")
    kills = 0
    while fold_and_die(case, killed, (kills + 1) * EVERY_RECORDS):
        kills += 1
    expect_true(kills >= 10, f"kills: {kills}")
    run_through(killed)
    expect_same(points, live, "killed")
    case.notes.append(f"{len(newest(live))} rows, {len(lines(live))} times written, {kills} kills")

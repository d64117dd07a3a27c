"""What a snapshot costs and saves: how soon a daemon that held ten thousand members counts again, and
how long the loop's longest turn is while snapshots are taken of them. Must never take a restart that
folded the log for one that did not.
"""

import json
import re
import statistics
import subprocess
import time
from pathlib import Path

from harness import Case
from processes import Failure, wait_until

DEVICES = 10_000
STEPS_A_DEVICE = 200
STEPS_PER_S = 1000
PACE = 110
EVERY_S = 2
RESTORED = re.compile(r"took up the snapshot .* in ([\d.]+) s")
COUNTS, ONLINE = "counts for site", "online at"
SETTLE_S = 2  # while answers wait for the broker no snapshot is taken


def start(daemon):
    """Seconds from the program's start to its readiness."""
    starts = daemon.log_text().count(COUNTS) + 1
    began = time.monotonic()
    daemon.start()
    wait_until(lambda: daemon.log_text().count(COUNTS) == starts, 120, "it counts", pause=0.005)
    took = time.monotonic() - began
    wait_until(lambda: daemon.log_text().count(ONLINE) == starts, 60, "it is online")
    time.sleep(SETTLE_S)
    return took


def restart_seconds(daemon, restarts):
    found = []
    for _ in range(restarts):
        daemon.stop()
        seconds = start(daemon)
        restored = RESTORED.findall(daemon.log_text())
        if len(restored) != len(found) + 1:
            raise Failure(f"it went on from no snapshot:\n{daemon.log_text()[-2000:]}")
        found.append((seconds, float(restored[-1])))
    return found


def turns_ms(case, broker, daemon, seconds):
    """The slowest turn of each ten seconds, under load."""
    load = case.send("simulate", broker, daemon, members=round(STEPS_PER_S * 60 / PACE), pace=PACE,
                     duration=seconds + 2)
    found = []
    with broker.client() as client:
        client.subscribe(daemon.topic("service/backstepd"))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = client.receive(1)
            if message:
                found.append(json.loads(message.payload)["slowest_turn_ms"])
    load.wait()
    return found[2:]  # the retained one, and that of the first connections


def snapshot_bytes(daemon):
    return max((path.stat().st_size for path in daemon.state.glob("snapshot-*")), default=0)


def turns_with(build, state, snapshot_s, seconds):
    with Case(build, seed=1) as case:
        broker = case.broker()
        daemon = case.daemon(broker.uri, site="gym", output={"file": "/dev/null"},
                             journal={"directory": state, "snapshot_s": snapshot_s})
        daemon.start_online(broker)
        found = turns_ms(case, broker, daemon, seconds)
        held = daemon.service(broker)["held"]["members"]
        daemon.stop()
    if held < DEVICES:
        raise Failure(f"{held} members were held, {DEVICES} expected")
    return found


def measure(build, seconds, restarts=3):
    with Case(build, seed=1) as case:
        broker = case.broker()
        daemon = case.daemon(broker.uri, site="gym", output={"file": "/dev/null"})
        state = daemon.state
        subprocess.run([Path(build) / "tests" / "bench_record", state,
                        str(DEVICES * STEPS_A_DEVICE), str(DEVICES)], check=True,
                       capture_output=True)
        folded = start(daemon)
        runs = restart_seconds(daemon, restarts)
        daemon.stop()
        size = snapshot_bytes(daemon)
        turns = {every: turns_with(build, state, every, seconds) for every in (86400, EVERY_S)}
    return {"restart_s": statistics.median(run[0] for run in runs),
            "of_it_restoring_s": statistics.median(run[1] for run in runs), "folding_s": folded,
            "snapshot_bytes": size, "longest_turn_ms": max(turns[EVERY_S]),
            "longest_turn_without_ms": max(turns[86400]), "turns_ms": turns[EVERY_S],
            "turns_without_ms": turns[86400], "members": DEVICES, "steps_per_s": STEPS_PER_S}

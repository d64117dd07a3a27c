"""Exactness: whatever is killed, every step is in InfluxDB once.

The class walks faster than life, its event times end now. Must never compare with anything but
what the sender says it sent.
"""

import time

from harness import expect, expect_balance, expect_totals, now_ms, wait_for_totals
from daemon import guest_totals
from processes import Failure

DEVICES = 300
PACE_SPM = 110
STEPS_PER_S = DEVICES * PACE_SPM / 60


def walk(case, broker, daemon, steps, lasting_s, **options):
    """A class whose walk of `steps` steps is sent within about `lasting_s`."""
    walked_s = steps / STEPS_PER_S
    return case.send(
        "simulate", broker, daemon, members=DEVICES, devices=1, pace=PACE_SPM, steps=steps,
        duration=int(walked_s * 2), speed=round(walked_s / lasting_s, 2), back=60, forward=60,
        start=now_ms() - int(walked_s * 1000) - 10_000, seed=case.random.randrange(1 << 31),
        **options)


def settle(broker, influx, daemon, truth, timeout):
    """Waits for equality, then asks the daemon's own books and looks again."""
    expected = guest_totals(truth)
    wait_for_totals(influx, expected, timeout, daemon)
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_counted"], truth["steps"], "steps counted")
    expect_totals(influx.step_totals(), expected)
    return books


def kill_once(case, daemon, sender, number):
    time.sleep(case.random.uniform(0.1, 2.3))
    if not sender.running():
        raise Failure(f"all was sent before kill {number}")
    daemon.kill_running()
    daemon.start()


def kill_for(case, daemon, sender, seconds):
    """How often it was killed."""
    ends, kills = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        kills += 1
        kill_once(case, daemon, sender, kills)
    return kills


def test_daemon_killed(case):
    kills, steps = (100, 800_000) if case.long else (20, 200_000)
    broker, influx, daemon = case.line({"allowed_lateness_s": 3600})
    sender = walk(case, broker, daemon, steps, lasting_s=kills * 1.6)
    for number in range(kills):
        kill_once(case, daemon, sender, number + 1)
    truth = sender.wait()
    expect(truth["steps"], steps, "steps sent")
    books = settle(broker, influx, daemon, truth, timeout=180)
    case.notes.append(f"{kills} kills, {truth['steps']} steps, "
                      f"{books['steps_rejected']['duplicate']} delivered twice")


def test_influxdb_away(case):
    """The database hangs for half a minute and dies once, the daemon meanwhile dies often."""
    steps = 400_000 if case.long else 200_000
    broker, influx, daemon = case.line({"allowed_lateness_s": 3600})
    sender = walk(case, broker, daemon, steps, lasting_s=50 if case.long else 40)
    time.sleep(2)
    influx.freeze()
    kills = kill_for(case, daemon, sender, 30)
    influx.thaw()
    time.sleep(case.random.uniform(0.5, 2))
    influx.kill()
    time.sleep(1)
    influx.start()
    truth = sender.wait()
    expect(truth["steps"], steps, "steps sent")
    settle(broker, influx, daemon, truth, timeout=180)
    case.notes.append(f"{kills} kills, {truth['steps']} steps")

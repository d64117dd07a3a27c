"""A daemon that writes every line into a file of its own too, and how to hold what a database did with
the lines against that file.

Must never wait for a retry of 30 s: an operator who has mended the cause sends SIGHUP.
"""

import json
import signal
import time

from harness import expect, step_json
from points import PointsFile, parse
from processes import wait_until

DAY_MS = 86_400_000


class Written:
    """The daemon's local file at this moment: every line, and the newest row of each key."""

    def __init__(self, daemon):
        self.lines = list(PointsFile(daemon.sections["output"]["file"]).lines())

    def rows(self, measurement):
        return list(dict(map(parse, self.of(measurement))).values())

    def of(self, measurement):
        return [line for line in self.lines if line.startswith(measurement + ",")]

    def has_open_bouts(self):
        return any(row["open"] for row in self.rows("gait_bout"))


def launch(case, broker, target, name="backstepd", **influxdb):
    """A daemon that writes every line into a file of its own too."""
    daemon = case.daemon(broker.uri, target, name=name, site=name,
                         influxdb={"flush_ms": 100, **influxdb},
                         output={"file": case.folder / f"{name}.lp"})
    return daemon.start()


def start_daemon(case, broker, target, name="backstepd", **influxdb):
    daemon = launch(case, broker, target, name, **influxdb)
    welcome(broker, daemon)
    return daemon


def welcome(broker, *daemons):
    """Guests are welcome. Rows come every second, of steps that wait for nothing; of bouts too,
    which end as soon as nobody walks."""
    for daemon in daemons:
        daemon.settings(broker, refresh_s=1, reorder_ms=0, stored_lateness_s=604_800,
                        bout_min_steps=2, bout_gap_ms=500)


def walk(broker, daemon, devices, seconds, every_s=0.25):
    """Each device steps on with the values it has."""
    seq = 0
    with broker.client() as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seq += 1
            for device, values in devices.items():
                client.publish(daemon.topic(f"device/{device}/steps"),
                               step_json(1, seq, dir="B", **values))
            time.sleep(every_s)
    return seq


def fresh_document(broker, daemon):
    """Its document of this moment: it speaks whenever it has read its configuration again."""
    before = daemon.log_text().count("read again")
    daemon.child.signal(signal.SIGHUP)

    def online():
        daemon.expect_running()
        return daemon.log_text().count("read again") > before and daemon.wait_online(broker)

    return wait_until(online, 10, "backstepd is online again")


def settle(broker, daemon):
    """(a document with nothing waiting, the file that it is about): all bouts are over."""
    def settled():
        before = len(Written(daemon).lines)
        document = fresh_document(broker, daemon)
        written = Written(daemon)
        return document["outbox"]["points"] == 0 and before == len(written.lines) \
            and not written.has_open_bouts() and (document, written)

    return wait_until(settled, 20, "all is delivered", pause=0.5)


def expect_outbox(document, written, dead_letters=0, points_expired=0):
    """Every line is delivered, or counted as what became of it."""
    outbox = document["outbox"]
    expect({name: outbox[name] for name in
            ("points", "delivered", "dropped", "dead_letters", "points_expired")},
           {"points": 0, "delivered": len(written.lines) - dead_letters - points_expired,
            "dropped": 0, "dead_letters": dead_letters, "points_expired": points_expired},
           f"the outbox of {len(written.lines)} lines; {document['influxdb']}")


def letters(daemon):
    path = daemon.state / "dead-letters.jsonl"
    if not path.exists():
        return []
    expect(path.stat().st_mode & 0o777, 0o600, "mode of the dead letters")
    return [json.loads(line) for line in path.read_text().splitlines()]


def refused(broker, daemon, words):
    document = daemon.service(broker)
    found = document and document["influxdb"]
    return found and found["state"] == "refused" and words in found["error"]

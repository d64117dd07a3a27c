"""Trouble with the disk while a class walks: the daemon says *stalled* and why, to the broker and to
systemd; the broker keeps what comes; with the trouble over all of it is in InfluxDB, once.

Must never free a disk before it was seen that nothing more is taken.
"""

import errno
import threading
import time

from daemon import write_conf
from disk import Disk, Faults, LoopDisk, Manager
from harness import expect, expect_balance, expect_true, step_json, wait_for_totals
from intake import HEADER_BYTES
from processes import Failure, wait_until

DEVICES = 4
SPACE = "No space left on device"


class Walkers(threading.Thread):
    """A few devices that walk on until they are told to stop; each step is the broker's when it is
    counted here. The payloads are long, so that segments are soon full."""

    def __init__(self, broker, daemon, bytes_each=20_000, every_s=0.01):
        super().__init__(daemon=True)
        self.broker, self.daemon_, self.bytes, self.every_s = broker, daemon, bytes_each, every_s
        self.steps, self.over, self.error = 0, False, None
        self.start()

    def run(self):
        try:
            with self.broker.client() as client:
                while not self.over:
                    self.step(client)
        except Exception as error:  # told by stop()
            self.error = error

    def step(self, client):
        number, device = divmod(self.steps, DEVICES)
        client.publish(self.daemon_.topic(f"device/pod-{device}/steps"),
                       step_json(1, number, dir="B").ljust(self.bytes))
        self.steps += 1
        time.sleep(self.every_s)

    def stop(self):
        self.over = True
        self.join(30)
        if self.error or self.is_alive():
            raise Failure(f"the walkers ended: {self.error}")

    def totals(self):
        return {f"guest-pod-{device}": {"B": (self.steps - device + DEVICES - 1) // DEVICES}
                for device in range(DEVICES)}


class Class:
    """A broker, a database, a daemon whose logs are small and on the disk that is given, if any, and
    who walks."""

    def __init__(self, case, disk=None, **sections):
        self.case = case
        self.broker, self.influx = case.broker(), case.influx()
        sections = {"journal": {"segment_mb": 1, "max_mb": 1024, "sync_ms": 50},
                    "mqtt": {"receive_maximum": 8}, **sections}
        sections["influxdb"] = {"outbox_max_mb": 16, "flush_ms": 100,
                                **sections.get("influxdb", {})}
        self.daemon = case.daemon(self.broker.uri, self.influx, **sections)
        self.disk = disk and disk(self.daemon.state, 24)
        self.faults = Faults(case, self.daemon)
        self.manager = Manager(case, self.daemon)
        self.walkers = None

    def __enter__(self):
        self.daemon.start_online(self.broker)
        self.daemon.settings(self.broker, allowed_lateness_s=3600, refresh_s=1, reorder_ms=0)
        return self

    def __exit__(self, *exception):
        if self.walkers:
            self.walkers.over = True
        if self.daemon.child:
            self.daemon.kill()
        if self.disk:
            self.disk.unmount()

    def walk(self, **options):
        self.walkers = Walkers(self.broker, self.daemon, **options)
        self.wait_for_counted(20)

    def service(self):
        self.daemon.expect_running()
        return self.daemon.service(self.broker) or {}

    def counted(self):
        return self.service().get("books", {}).get("steps_counted", 0)

    def wait_for_counted(self, steps, timeout=25):
        """Its document may be ten seconds old."""
        wait_until(lambda: self.counted() >= steps, timeout, f"{steps} are counted", pause=0.2)

    def expect_stalled(self, *words, timeout=25):
        """In the document and in what systemd is told; every word has to be there."""
        def stalled():
            document = self.service()
            return document.get("state") == "stalled" \
                and all(word in document["reason"] for word in words) and document

        document = wait_until(stalled, timeout, f"stalled, {words}: {self.service()}")
        wait_until(lambda: self.manager.status.startswith("stalled: "), 5,
                   f"systemd is told: {self.manager.status!r}")
        expect_true(all(word in self.manager.status for word in words), self.manager.status)
        return document

    def expect_kept_by_broker(self):
        """Steps go on to come, and none of them is taken: there may be ticks, which are short."""
        before, held = self.walkers.steps, self.intake_bytes()
        wait_until(lambda: self.walkers.steps >= before + 40, 10, "the broker takes steps")
        expect_true(self.intake_bytes() < held + self.walkers.bytes, "no step more in the intake")

    def intake_bytes(self):
        """Up to the last byte of its newest record."""
        paths = sorted(self.daemon.state.glob("intake-*.seg"))
        used = [(path, len(path.read_bytes().rstrip(b"\0"))) for path in paths]
        path, length = [(path, length) for path, length in used if length > HEADER_BYTES][-1]
        return int(path.stem.partition("-")[2], 16) + length

    def expect_recovered(self, timeout=40):
        def online():
            document = self.service()
            return document.get("state") == "online" and document["reason"] == ""

        wait_until(online, timeout, "it comes back by itself")
        wait_until(lambda: "stalled" not in self.manager.status, 5, self.manager.status)
        before = self.walkers.steps
        wait_until(lambda: self.walkers.steps >= before + 20, 10, "a few steps more")

    def expect_all(self, timeout=60):
        """Every step that the broker acknowledged is in the database once."""
        self.walkers.stop()
        wait_for_totals(self.influx, self.walkers.totals(), timeout, self.daemon)
        books = self.daemon.stop_for_books(self.broker)
        expect_balance(books)
        expect(books["steps_counted"], self.walkers.steps, "steps counted")
        self.case.notes.append(f"{self.walkers.steps} steps")
        return books


def test_full_disk(case):
    with Class(case, Disk) as course:
        course.walk()
        for _ in range(3 if case.long else 1):
            course.disk.fill()
            course.expect_stalled("intake", SPACE)
            course.expect_kept_by_broker()
            course.disk.free()
            course.expect_recovered()
        course.expect_all()


IN_TURN = (
    # (what fails, what the reason must name, whether the intake takes on)
    ([("sync", errno.EIO, "intake")], ("intake", "Input/output error")),
    ([("allocate", errno.EIO, "intake.new")], ("intake", "Input/output error")),
    ([("rename", errno.EIO, "intake-")], ("intake", "Input/output error")),
    ([("write", errno.EIO, "intake.new")], ("intake", "Input/output error")),
    ([("create", errno.EROFS, "intake.new")], ("intake", "Read-only file system")),
    ([("any", errno.EROFS, "backstepd-state")], ("intake", "Read-only file system")),
    ([("allocate", errno.EDQUOT, "intake.new")], ("intake", "quota exceeded")),
)


def test_intake_that_fails(case):
    """Each kind of call in turn, for a while; while a sync fails, messages are in flight."""
    with Class(case) as course:
        course.walk()
        for faults, words in IN_TURN:
            course.faults.begin(*faults)
            course.expect_stalled(*words)
            course.expect_kept_by_broker()
            course.faults.end()
            course.expect_recovered()
        course.expect_all()

"""Trouble with the disk while a class walks: the daemon says *stalled* and why, to the broker and to
systemd; the broker keeps what comes; with the trouble over all of it is in InfluxDB, once.

Must never free a disk before it was seen that nothing more is taken.
"""

import errno
import json
import threading
import time
from pathlib import Path

import intake
from disk import Disk, Faults, LoopDisk, Manager
from harness import expect, expect_balance, expect_true, now_ms, step_json, wait_for_totals
from processes import Failure, wait_until

SPACE = "No space left on device"


class Walkers(threading.Thread):
    """A few devices that walk on until they are told to stop; each step is the broker's when it is
    counted here. The payloads are long, so that segments are soon full."""

    def __init__(self, broker, daemon, bytes_each=20_000, every_s=0.01, devices=4,
                 **values):
        super().__init__(daemon=True)
        self.broker, self.target, self.bytes, self.every_s = broker, daemon, bytes_each, every_s
        self.values, self.devices = values, devices
        self.sent, self.steps, self.over, self.error = {}, 0, False, None
        self.start()

    def run(self):
        try:
            with self.broker.client() as client:
                while not self.over:
                    self.step(client)
        except Exception as error:  # told by stop()
            self.error = error

    def step(self, client):
        device = f"pod-{self.steps % self.devices}"
        number = self.sent.get(device, 0)
        client.publish(self.target.topic(f"device/{device}/steps"),
                       step_json(1, number, dir="B", **self.values).ljust(self.bytes))
        self.sent[device] = number + 1
        self.steps += 1
        time.sleep(self.every_s)

    def stop(self):
        self.over = True
        self.join(30)
        if self.error or self.is_alive():
            raise Failure(f"the walkers ended: {self.error}")

    def totals(self):
        return {f"guest-{device}": {"B": steps} for device, steps in self.sent.items()}


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

    def service_of_the_stopped(self):
        return self.daemon.service(self.broker)

    def counted(self):
        return self.service().get("books", {}).get("steps_counted", 0)

    def wait_for_counted(self, steps, timeout=25):
        """Its document may be ten seconds old."""
        wait_until(lambda: self.counted() >= steps, timeout, f"{steps} are counted", pause=0.2)

    def expect_stalled(self, *words, timeout=25):
        """In the document and in what systemd is told; every word has to be there."""
        def stalled():
            document = self.service()
            return document.get("pid") == self.daemon.child.pid \
                and document["state"] == "stalled" \
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

    def expect_taken(self):
        before = self.intake_bytes()
        wait_until(lambda: self.intake_bytes() > before + 10 * self.walkers.bytes, 10,
                   "steps go on to be taken")

    def stands_still(self):
        """The steps in the database, where they are as many as are counted and do not grow."""
        def found():
            totals = self.influx.step_totals().values()
            return sum(sum(member.values()) for member in totals)

        before = found()
        time.sleep(2.5)
        return before == found() and before

    def intake_bytes(self):
        """Up to the last byte of its newest record."""
        paths = sorted(self.daemon.state.glob("intake-*.seg"))
        used = [(path, len(path.read_bytes().rstrip(b"\0"))) for path in paths]
        path, length = [(path, length) for path, length in used if length > intake.HEADER_BYTES][-1]
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


def test_full_disk_at_the_start(case):
    """Killed while it is stalled, started on a disk that is still full, stopped there, and started
    once more: no step is lost, and it needs nobody to come back."""
    with Class(case, Disk) as course:
        course.walk()
        course.disk.fill()
        course.expect_stalled("intake", SPACE)
        course.daemon.kill_running()
        course.disk.fill()
        course.daemon.start()
        course.expect_stalled("intake", SPACE)
        course.expect_kept_by_broker()
        course.daemon.stop()
        expect(course.service_of_the_stopped()["state"], "offline", "state after a stop")
        course.daemon.start()
        course.expect_stalled("intake", SPACE)
        course.disk.free()
        course.expect_recovered()
        course.expect_all()


def test_first_start_on_a_full_disk(case):
    """Not a matter of configuration: systemd tries again (RestartPreventExitStatus=78)."""
    daemon = case.daemon("mqtt://127.0.0.1:1", journal={"segment_mb": 1, "max_mb": 8},
                         mqtt={"receive_maximum": 8},
                         influxdb={"url": "http://127.0.0.1:1", "outbox_max_mb": 16})
    with Disk(daemon.state, 1) as disk:
        disk.fill()
        daemon.start()
        expect(daemon.child.wait(20), 70, "exit status")
        expect_true(SPACE in daemon.log_text(), daemon.log_text())
        disk.unmount()
        disk.size_mb = 24
        disk.mount()
        daemon.start()
        wait_until(lambda: "no broker" in daemon.log_text(), 10, "it has begun")
        daemon.stop()


# (what fails, what the reason must name)
ALWAYS = (
    ([("sync", errno.EIO, "intake")], ("intake", "Input/output error")),
    ([("any", errno.EROFS, "backstepd-state")], ("intake", "Read-only file system")),
)
IN_TURN = (
    ([("allocate", errno.EIO, "intake.new")], ("intake", "Input/output error")),
    ([("rename", errno.EIO, "intake-")], ("intake", "Input/output error")),
    ([("write", errno.EIO, "intake.new")], ("intake", "Input/output error")),
    ([("create", errno.EROFS, "intake.new")], ("intake", "Read-only file system")),
    ([("allocate", errno.EDQUOT, "intake.new")], ("intake", "quota exceeded")),
)


def test_intake_that_fails(case):
    """Kinds of calls in turn, for a while each; while a sync fails, messages are in flight."""
    turns = [*ALWAYS, *(IN_TURN if case.long else case.random.sample(IN_TURN, 1))]
    with Class(case) as course:
        course.walk()
        for faults, words in turns:
            course.faults.begin(*faults)
            course.expect_stalled(*words)
            course.expect_kept_by_broker()
            course.faults.end()
            course.expect_recovered()
        course.expect_all()


# (what fails, what the reason must name, whether the database hangs meanwhile)
OUTBOX_IN_TURN = (
    ([("sync", errno.EIO, "outbox")], ("outbox", "Input/output error"), True),
    ([("allocate", errno.ENOSPC, "outbox.new")], ("outbox", SPACE), True),
    ([("write", errno.EROFS, "outbox.marks")], ("outbox", "Read-only file system"), False),
)


def test_outbox_that_fails(case):
    """The intake goes on, for it is the queue; of the rows none is given up."""
    with Class(case, influxdb={"outbox_max_mb": 3}) as course:
        course.walk(bytes_each=1000, every_s=0.003, devices=200)
        for faults, words, hangs in OUTBOX_IN_TURN:
            if hangs:
                course.influx.freeze()
            course.faults.begin(*faults)
            course.expect_stalled(*words)
            course.expect_taken()
            course.faults.end()
            course.influx.thaw()
            course.expect_recovered()
        expect(course.service()["outbox"]["dropped"], 0, "rows given up")
        course.expect_all()


SNAPSHOT_IN_TURN = (
    ([("write", errno.EIO, "snapshot-")], "Input/output error"),
    ([("sync", errno.EIO, "snapshot-")], "Input/output error"),
    ([("rename", errno.EROFS, "snapshot-")], "Read-only file system"),
    ([("create", errno.ENOSPC, "snapshot-")], SPACE),
)


def test_snapshots_that_fail(case):
    """All goes on without one, and what is killed then folds the whole log."""
    turns = SNAPSHOT_IN_TURN if case.long else [case.random.choice(SNAPSHOT_IN_TURN)]
    journal = {"segment_mb": 1, "max_mb": 1024, "sync_ms": 50, "snapshot_s": 1}
    with Class(case, journal=journal) as course:
        course.walk()
        for faults, words in turns:
            course.faults.begin(*faults)
            course.expect_stalled("snapshot", words)
            course.expect_taken()
            course.daemon.kill_running()
            course.daemon.start()
            course.expect_stalled("snapshot", words)
            course.faults.end()
            course.expect_recovered()
            wait_until(lambda: list(course.daemon.state.glob("snapshot-????????????????")), 15,
                       "a snapshot is there")
        course.expect_all()


def test_dead_letters_that_cannot_be_written(case):
    """A disk of their own, which is full: everything is kept until they are written, and steps are
    counted meanwhile."""
    folder = case.folder / "letters"
    with Disk(folder, 1) as disk, \
            Class(case, influxdb={"dead_letter_file": folder / "dead.jsonl"}) as course:
        course.influx.write(f"gait_window,member=other contact_ms=700i {now_ms()}")
        course.walk(contact_ms=700)
        wait_until(lambda: course.service()["outbox"]["dead_letters"], 20, "dead letters")
        disk.fill()
        document = course.expect_stalled("dead letters: ", SPACE)
        expect(document["mqtt"]["connected"], True, "the broker is not left")
        course.expect_taken()
        written = document["outbox"]["dead_letters"]
        disk.free()
        course.expect_recovered()
        for call in ("write", "sync") if case.long else ():
            course.faults.begin((call, errno.EIO, "dead.jsonl"))
            course.expect_stalled("dead letters: ", "Input/output error")
            course.expect_taken()
            course.faults.end()
            course.expect_recovered()
        course.walkers.stop()
        wait_until(lambda: course.service()["outbox"]["points"] == 0 and
                   course.service()["books"]["steps_counted"] == course.walkers.steps, 30, "delivered")
        outbox = course.service()["outbox"]
        letters = [json.loads(line) for line in (folder / "dead.jsonl").read_text().splitlines()]
        expect(len(letters), outbox["dead_letters"], "letters, each counted once")
        expect_true(len(letters) > written, "more of them than before")
        expect((outbox["dropped"], outbox["points_expired"]), (0, 0), "rows given up")
        expect(course.daemon.stop_for_books(course.broker)["steps_counted"], course.walkers.steps,
               "steps counted")


def stands_still(pid):
    return all(path.read_text().rpartition(")")[2].split()[0] in "Tt"
               for path in Path(f"/proc/{pid}/task").glob("*/stat"))


def freeze(course):
    """A sync that is under way when ext4 is shut down may end well, though what it wrote is lost."""
    course.daemon.freeze()
    wait_until(lambda: stands_still(course.daemon.child.pid), 10, "it stands still", pause=0.001)


def test_disk_that_turns_read_only(case):
    """Stores into mapped segments go on to succeed, only syncs fail: nothing is acknowledged from
    the first of them on. With sync_ms = 0 the repaired disk has every acknowledged step."""
    journal = {"segment_mb": 1, "max_mb": 1024, "sync_ms": 0}
    with Class(case, LoopDisk, journal=journal) as course:
        course.walk(bytes_each=2000)
        freeze(course)
        course.disk.turn_read_only()
        course.daemon.thaw()
        # Of the sync that runs just then the kernel says that it failed, of others why.
        reason = course.expect_stalled("the intake in", "cannot be written safely: ")["reason"]
        expect_true(reason.endswith(("Read-only file system", "Input/output error")), reason)
        course.expect_kept_by_broker()
        course.daemon.stop()
        course.disk.mend()
        course.daemon.start_online(course.broker)
        course.expect_recovered()
        course.expect_all()


def cut_power(course):
    """All of it at one moment, as when a machine loses its power."""
    freeze(course)
    course.disk.cut_power()
    course.daemon.kill_running()
    course.disk.mend()


def test_power_cut(case):
    """With sync_ms = 0 nothing is missing, whenever the power goes: also right after a sync that failed,
    which lost what it should have written."""
    journal = {"segment_mb": 1, "max_mb": 1024, "sync_ms": 0}
    with Class(case, LoopDisk, journal=journal) as course:
        course.walk(bytes_each=2000)
        for number in range(10 if case.long else 2):
            time.sleep(case.random.uniform(0.2, 1.2))
            if number % 2:
                course.faults.begin(("once sync", errno.EIO, "intake-"))
                wait_until(course.faults.are_over, 5, "a sync has failed", pause=0.001)
                time.sleep(case.random.choice([0, 0.01, 0.1]))
            cut_power(course)
            course.daemon.start_online(course.broker)
            course.expect_recovered()
        course.expect_all()


def test_power_cut_between_two_syncs(case):
    """At most sync_ms and one sync of steps are missing; each of them shows as lost of its device,
    and no row of them is in the database."""
    journal = {"segment_mb": 1, "max_mb": 1024, "sync_ms": 500}
    with Class(case, LoopDisk, journal=journal) as course:
        course.walk(bytes_each=2000)
        time.sleep(case.random.uniform(0.2, 1.2))
        cut_power(course)
        course.daemon.start_online(course.broker)
        course.expect_recovered()
        course.walkers.stop()
        sent = course.walkers.steps
        wait_until(lambda: course.service()["intake"]["lag_bytes"] == 0, 20, "all is folded")
        found = wait_until(lambda: course.stands_still(), 30, "all is delivered")
        rows = course.influx.rows("SELECT sum(lost) AS lost FROM gait_window")
        missing = sent - found
        expect(rows[0]["lost"], missing, f"lost of {sent} steps")
        expect_true(missing <= 0.8 / course.walkers.every_s, f"few are missing: {missing}")
        expect(course.daemon.stop_for_books(course.broker)["steps_counted"], found, "steps counted")
        case.notes.append(f"{missing} of {sent} steps missing")

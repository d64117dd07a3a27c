"""Starts and stops with snapshots where something is in the way: none may cost what is in them, nor what
somebody waits for."""

import os
import signal
import struct
import time
import zlib
from pathlib import Path

from daemon import Operator
from harness import expect, expect_true, step_json, wait_for_totals
from processes import wait_until

# The log gives its first segment up, so that nothing but a snapshot knows what was in it.
JOURNAL = {"snapshot_s": 1, "segment_mb": 1, "max_mb": 8}
STEP_BYTES = 20_000
DOCUMENTS = 1000


def snapshots(daemon):
    return {path.name: path.read_bytes() for path in daemon.state.glob("snapshot-*")
            if "." not in path.name}


def walk(broker, daemon, steps):
    with broker.client() as client:
        for seq in steps:
            client.publish(daemon.topic("device/pod-1/steps"),
                           step_json(1, seq, dir="B").ljust(STEP_BYTES))


def is_released(daemon):
    return not (daemon.state / "intake-0000000000000000.seg").exists()


def start_with_state(case):
    """The line; its daemon is dead, and what its first segment held is in its snapshots alone."""
    broker, influx, daemon = case.line(journal=JOURNAL, mqtt={"receive_maximum": 8})
    begun = 0

    def released():
        nonlocal begun
        walk(broker, daemon, range(begun, begun + 40))
        begun += 40
        return is_released(daemon) and len(snapshots(daemon)) == 2

    wait_until(released, 30, "the first segment goes", pause=0.5)
    daemon.kill_running()
    return broker, influx, daemon, begun


def expect_refused(daemon, words):
    before = snapshots(daemon)
    daemon.start()
    wait_until(lambda: not daemon.child.running(), 20, "backstepd ends")
    expect(daemon.child.process.returncode, 78, "exit status")
    expect_true(words in daemon.log_text(), f"'{words}' in {daemon.log_text()}")
    expect(sorted(snapshots(daemon)), sorted(before), "snapshots after a start that was refused")


def expect_whole(broker, influx, daemon, steps):
    """Nothing counts again, and what is new counts on."""
    daemon.start_online(broker)
    walk(broker, daemon, range(steps - 100, steps + 20))
    wait_for_totals(influx, {"guest-pod-1": {"B": steps + 20}}, 30, daemon)
    books = daemon.stop_for_books(broker)
    expect(books["steps_counted"], steps + 20, "steps counted")
    expect_true(books["steps_rejected"]["duplicate"] >= 100, "duplicates")


def test_state_of_another_site(case):
    """A wrong id in the file configuration is mended by the right one, and has cost nothing."""
    broker, influx, daemon, steps = start_with_state(case)
    right = daemon.conf.read_text()
    daemon.conf.write_text(right.replace("id = test", "id = tset"))
    expect_refused(daemon, "it is of another site or topic_root")
    daemon.conf.write_text(right)
    expect_whole(broker, influx, daemon, steps)


def test_state_of_a_newer_version(case):
    """Who goes back to an older version is told, and can go forth again."""
    broker, influx, daemon, steps = start_with_state(case)
    kept = snapshots(daemon)
    for name, content in kept.items():
        newer = content[:6] + struct.pack("<H", 999) + content[8:-4]
        (daemon.state / name).write_bytes(newer + struct.pack("<I", zlib.crc32(newer)))
    expect_refused(daemon, "it is of another version of backstepd")
    for name, content in kept.items():
        (daemon.state / name).write_bytes(content)
    expect_whole(broker, influx, daemon, steps)


def test_outbox_cut_before_both(case):
    """A bit of the outbox flips in rows that are delivered long ago: no snapshot fits to what is left
    of it, and none may be thrown away for that, since the intake does not go back to its begin."""
    broker, influx, daemon, steps = start_with_state(case)
    daemon.start_online(broker)
    wait_for_totals(influx, {"guest-pod-1": {"B": steps}}, 30, daemon)
    daemon.kill_running()
    with open(daemon.state / "outbox-0000000000000000.seg", "r+b") as file:
        file.seek(300)
        flipped = file.read(1)[0] ^ 1
        file.seek(300)
        file.write(bytes([flipped]))
    expect_whole(broker, influx, daemon, steps)


def test_state_that_is_lost(case):
    """Where no snapshot can be read and the log is not whole, nobody may take it for nothing."""
    broker, _influx, daemon, _steps = start_with_state(case)
    for name, content in snapshots(daemon).items():
        flipped = bytes([content[200] ^ 1])
        (daemon.state / name).write_bytes(content[:200] + flipped + content[201:])
    daemon.start_online(broker)
    expect_true("error: no snapshot knows the" in daemon.log_text(), daemon.log_text())
    expect(len(list(daemon.state.glob("snapshot-*.damaged"))), 1, "damaged ones kept")


def push_members(broker, daemon):
    with Operator(daemon, broker) as operator:
        operator.accept_all([("member", f"m{i}", {"consent": "member", "devices": [f"pod-{i}"]})
                             for i in range(DOCUMENTS)])


def delete_members(client, daemon, stop_after):
    marks = [os.urandom(8) for _ in range(DOCUMENTS)]
    for i, mark in enumerate(marks):
        client.start_publish(daemon.topic(f"config/member/m{i}"), b"", retain=True, correlation=mark)
        if i == stop_after:
            daemon.child.signal(signal.SIGTERM)
    return set(marks)


def test_stop_among_documents(case):
    """What is folded when the link has ended is not in a snapshot before it was answered: nobody
    would ever say it again."""
    broker, _influx, daemon = case.line()
    push_members(broker, daemon)
    with broker.client() as client:
        client.subscribe(daemon.topic("result/#"))
        wanted = delete_members(client, daemon, DOCUMENTS // 2)
        expect(daemon.child.process.wait(20), 0, "exit status")
        daemon.start()
        end = time.monotonic() + 20
        while wanted and time.monotonic() < end:
            message = client.receive(1)
            wanted.discard(message and message.correlation)
    expect(len(wanted), 0, f"deletions of {DOCUMENTS} without an answer")


def writers(daemon):
    return [int(pid) for pid in
            Path(f"/proc/{daemon.child.pid}/task/{daemon.child.pid}/children").read_text().split()]


def test_killed_writer(case):
    """The process that writes a snapshot waits for the logs' next sync; it is killed meanwhile."""
    broker, _influx, daemon = case.line(journal={"snapshot_s": 1, "sync_ms": 2000})
    os.kill(wait_until(lambda: writers(daemon), 20, "a snapshot is written")[0], signal.SIGKILL)
    said = wait_until(lambda: daemon.service(broker)["reason"], 20, "a reason")
    expect_true(said.endswith("the process that writes it was killed"), f"reason: {said}")
    daemon.stop()

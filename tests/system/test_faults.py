"""Faults at the start and bad input: said in words, said once, counted.

Must never depend on a message's exact wording, only on what it has to name.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import zlib

from daemon import write_conf
from harness import Skip, expect, expect_balance, expect_true, now_ms, step_json, wait_for_totals
from processes import wait_until
from servers import Broker, Influx, find_program


def lines_with(text, pattern):
    return [line for line in text.splitlines() if re.search(pattern, line, re.I)]


def expect_said_once(daemon, pattern):
    found = lines_with(daemon.log_text(), pattern)
    expect(len(found), 1, f"lines that say {pattern!r}: {found}")


def test_neighbours_come_later(case):
    if not find_program("influxd"):
        raise Skip("influxd is not installed")
    broker, influx = Broker(case), Influx(case)
    daemon = case.daemon(broker.uri, influx).start()
    wait_until(lambda: str(broker.port) in daemon.log_text(), 10, "it says that there is no broker")
    time.sleep(4)
    expect_said_once(daemon, "cannot|failed|refused|no broker|not connected")
    broker.start()
    daemon.wait_online(broker, 60)
    wait_until(lambda: str(influx.port) in daemon.log_text(), 15,
               "it says, before anybody walks, that there is no InfluxDB")
    daemon.settings(broker, refresh_s=1, reorder_ms=0)  # so that its row is soon to be delivered
    with broker.client() as client:
        client.publish(daemon.topic("device/pod-1/steps"), step_json(1, 1, dir="F"))
    time.sleep(4)
    expect_said_once(daemon, str(influx.port))
    influx.start()
    wait_for_totals(influx, {"guest-pod-1": {"F": 1}}, 60, daemon)
    wait_until(lambda: influx.rows("SELECT * FROM backstep_service WHERE steps_counted = 1"), 15,
               "the daemon's own rows are there")


def run_daemon(case, conf, *options):
    """(exit status, stderr) of a daemon that should not stay."""
    done = subprocess.run([case.build / "backstepd", "--config", conf, *options], timeout=20,
                          env={**os.environ, "STATE_DIRECTORY": str(case.folder)},
                          cwd=case.folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


GOOD_CONF = ["[site]", "id = north", "[mqtt]", "uri = mqtt://127.0.0.1:1883"]
# What is appended, and the line that must be named.
BAD_CONF = (
    (["colour = green"], 5),
    (["[weather]", "wind = 3"], 5),
    (["password_file = {folder}/absent"], 5),
    (["ca_file = {folder}/absent"], 5),
    (["uri = mqtt://127.0.0.1:99999"], 5),
    (["uri = mqtt://127.0.0.1:x"], 5),
    (["uri = http://127.0.0.1:1883"], 5),
    (["receive_maximum = many"], 5),
    (["version = 4"], 5),
    (["[journal]", "sync_ms = -1"], 6),
    (["[influxdb]", "url = ftp://127.0.0.1"], 6),
    (["[influxdb]", "url = http://127.0.0.1:70000"], 6),
    (["[log]", "level = loud"], 6),
    (["this is not a setting"], 5),
)


def test_bad_configuration(case):
    conf = case.folder / "bad.conf"
    for added, line in BAD_CONF:
        text = [each.format(folder=case.folder) for each in GOOD_CONF + added]
        conf.write_text("\n".join(text) + "\n")
        for options in ([], ["--check"]):
            status, said = run_daemon(case, conf, *options)
            expect((status, bool(re.search(rf"{conf}:{line}: \S", said))), (78, True),
                   f"{added} {options}: {said!r}: status, names line {line}")
    status, said = run_daemon(case, case.folder / "absent.conf")
    expect((status, "absent.conf" in said), (78, True), f"no such file: {said!r}")
    write_conf(conf, {"site": {}})
    expect(run_daemon(case, conf)[0], 78, "no site")
    write_conf(conf, {"site": {"id": "north"}})
    expect(run_daemon(case, conf, "--check")[0], 0, "a good one")


def test_second_daemon(case):
    broker = case.broker()
    first = case.daemon(broker.uri).start_online(broker)
    status, said = run_daemon(case, first.conf)
    expect((status, str(first.child.pid) in said), (75, True), f"status, names the first: {said!r}")
    expect_true(first.child.running(), "the first one goes on")


def as_nobody(program):
    """How to run it as somebody who may write nothing here."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    if subprocess.run([*prefix, "test", "-x", program], check=False).returncode != 0:
        raise Skip(f"nobody may run {program}")
    return prefix


def test_unwritable_folder(case):
    closed = case.folder / "closed"
    closed.mkdir(mode=0o500)
    daemon = case.daemon("mqtt://127.0.0.1:1", journal={"directory": closed / "state"})
    case.folder.chmod(0o755)
    done = subprocess.run(
        [*as_nobody(daemon.program), daemon.program, "--config", daemon.conf], cwd="/",
        capture_output=True, text=True, timeout=20, check=False)
    expect((done.returncode, str(closed) in done.stderr), (78, True),
           f"status, names the folder: {done.stderr!r}")


def test_stop_with_a_full_intake(case):
    """What the intake had no room for is never acknowledged, also not by a stop: with more room
    every step is counted."""
    steps = 200
    broker = case.broker()
    daemon = case.daemon(broker.uri, mqtt={"receive_maximum": 8},
                         journal={"segment_mb": 1, "max_mb": 3})
    daemon.start_online(broker)
    daemon.settings(broker, allowed_lateness_s=3600)
    with broker.client() as client:
        for number in range(steps):
            client.start_publish(daemon.topic("device/pod/steps"),
                                 step_json(1, number).ljust(60_000))
        client.flush()
    wait_until(lambda: "stalled" in daemon.log_text(), 10, "it says that it is stalled")
    time.sleep(0.5)
    daemon.stop()
    daemon.sections["journal"]["max_mb"] = 64
    write_conf(daemon.conf, daemon.sections)
    daemon.start_online(broker)
    time.sleep(2)
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_counted"], steps, "steps counted")


def test_nothing_to_go_on_with(case):
    """The folder of the rows is gone, for the configuration in force and for the one read again: it
    ends, and says why."""
    broker, folder = case.broker(), case.folder / "rows"
    folder.mkdir()
    daemon = case.daemon(broker.uri, output={"file": folder / "points.lp"}).start_online(broker)
    shutil.rmtree(folder)
    daemon.child.signal(signal.SIGHUP)
    expect(daemon.child.wait(20), 70, "exit status")
    expect_true(re.search(r"rows/points\.lp: No such file", daemon.log_text()), "the log says why")
    expect_true("stopping" in daemon.log_text(), "an end in order")


GARBAGE = {
    "malformed": ["", "x", "{", "[1]", '{"v":1', b"\xff\xfe", b"BS\x01\x01short"],
    "schema": ["{}", '{"v":2,"boot":1,"seq":1,"t":1}', '{"v":1,"seq":1,"t":1}',
               '{"v":1,"boot":1,"seq":1}', '{"v":1,"boot":1,"seq":1,"t":1,"up":1}',
               '{"v":1,"boot":-1,"seq":1,"t":1}', '{"v":1,"boot":1,"seq":"1","t":1}',
               '{"v":1,"boot":1,"seq":1,"seq":2,"t":1}'],
    "too_large": [b" " * 70_000, b"{" + b" " * 65_536 + b"}"],
}


BEAT_S = 10  # how often the daemon looks at its counters


def send_garbage(client, daemon, rounds):
    for _ in range(rounds):
        for payloads in GARBAGE.values():
            for payload in payloads:
                client.start_publish(daemon.topic("device/pod-3/steps"), payload)
        client.start_publish(daemon.topic("device/pod 3/steps"), "{}")
    client.flush()


def test_garbage(case):
    """Counted by reason; the log has one line a minute and reason, however much comes."""
    rounds = 100 if case.long else 10
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    daemon.settings(broker)

    def said():
        return [len(lines_with(daemon.log_text(), rf"\b{r}\b")) for r in (*GARBAGE, "bad_topic")]

    with broker.client() as client:
        send_garbage(client, daemon, rounds)
        wait_until(lambda: all(said()), BEAT_S + 5, "a log line for each reason")
        send_garbage(client, daemon, rounds)
    time.sleep(BEAT_S + 1)
    expect(said(), [1, 1, 1, 1], "log lines for each reason")
    books = daemon.stop_for_books(broker)
    expected = {reason: 2 * rounds * len(payloads) for reason, payloads in GARBAGE.items()}
    expected.update(bad_topic=2 * rounds, retained=0)
    expect_balance(books)
    expect(books["messages_rejected"], expected, "messages rejected")
    expect(books["messages_parsed"], 0, "messages parsed")


def boots_of_one_device(count):
    return [step_json(boot, 1) for boot in range(1, count + 1)]


def holes_and_a_forgotten_one():
    """70 holes of one step; a leap that pushes them out of the exact part and forgets some."""
    walked = [step_json(1, 2 * number) for number in range(71)]
    return walked + [step_json(1, 10_000), step_json(1, 1), step_json(1, 139)]


def binary_batch(boot, seq, base_ms, count, flags=0):
    head = b"BS\x01" + bytes([count]) + boot.to_bytes(4, "little") + seq.to_bytes(4, "little") \
        + flags.to_bytes(2, "little") + b"\0\0" + base_ms.to_bytes(8, "little", signed=True)
    record = b"\0\0" + bytes([2 << 2, 255]) + b"\xff" * 8 + b"\x80\x80\xff\0"
    batch = head + record * count
    return batch + zlib.crc32(batch).to_bytes(4, "little") if flags & 4 else batch


def provoke(client, daemon):
    """What comes, by device, so that each reason of a step is met a known number of times."""
    now = now_ms()
    sent = {
        "twice": [step_json(1, 1), step_json(1, 1), step_json(1, 1)],
        "late": [step_json(1, 1, t=now - 3_600_000), step_json(1, 1, t=now - 3_600_000)],
        "early": [step_json(1, 1, t=now + 60_000), step_json(1, 2, t=now + 90_000)],
        "lost": [step_json(1, 1, up=5000, stored=True)],
        "reborn": boots_of_one_device(18),
        "holed": holes_and_a_forgotten_one(),
        "binary": [binary_batch(1, 0, now, 200, flags=4), binary_batch(1, 100, now, 200)],
        "odd": [step_json(1, 1, step_ms=1, foot="Q", contact_ms="742", colour="green")],
    }
    for device, payloads in sent.items():
        for payload in payloads:
            client.start_publish(daemon.topic(f"device/{device}/steps"), payload)
    client.flush()


def test_every_reason(case):
    broker, influx, daemon = case.line({"max_future_ms": 5000}, influxdb={"flush_ms": 100})
    with broker.client() as client:
        provoke(client, daemon)
        wait_for_totals(influx, {
            "guest-twice": {"X": 1}, "guest-reborn": {"X": 16}, "guest-holed": {"X": 73},
            "guest-binary": {"B": 300}, "guest-odd": {"X": 1}}, 20, daemon)
        daemon.push(broker, "settings", "site", {"unknown_devices": "ignore"})
        client.publish(daemon.topic("device/stranger/steps"), step_json(1, 1))
    time.sleep(0.5)
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_rejected"], {
        "unknown_device": 1, "no_consent": 0, "over_limit": 2, "duplicate": 2 + 1 + 100,
        "stale_seq": 1, "unplaced": 1, "future": 2, "too_late": 1}, "steps rejected")
    expect((books["field_out_of_range"], books["unknown_keys"]), (3, 1), "fields in " +
           json.dumps(books))

"""What every system test stands on: a case with its private line of real programs, and how to
compare.

A test is a function `test_…(case)` in a file test_*.py here; it fails by an exception and is
skipped by Skip. Must never share a process, a port or a folder between two tests.
"""

import json
import os
import random
import time
from pathlib import Path

from daemon import Daemon, Sender
from processes import Failure, Scene, wait_until
from servers import Broker, Influx, find_program

TREE = Path(__file__).resolve().parents[2]
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                   "WARNING: ThreadSanitizer")


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Case(Scene):
    """One test's scene, its programs and its random numbers."""

    def __init__(self, build, long=False, seed=None):
        super().__init__()
        self.build, self.long = Path(build), long
        self.seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.notes = []

    def broker(self):
        return Broker(self).start()

    def influx(self):
        if not find_program("influxd"):
            raise Skip("influxd is not installed")
        return Influx(self).start()

    def daemon(self, uri, influx=None, **options):
        return Daemon(self, self.build, uri, influx and influx.url, **options)

    def line(self, settings=None, **options):
        """(broker, influx, daemon): online, guests welcome."""
        broker, influx = self.broker(), self.influx()
        daemon = self.daemon(broker.uri, influx, **options).start_online(broker)
        daemon.settings(broker, **(settings or {}))
        return broker, influx, daemon

    def send(self, verb, broker, daemon, *arguments, **options):
        return Sender(self, self.build, verb, broker, daemon, *arguments, **options)

    def check_sanitizers(self):
        for path in self.folder.rglob("*.log"):
            text = path.read_text(errors="replace")
            for mark in SANITIZER_MARKS:
                if mark in text:
                    at = text.index(mark)
                    raise Failure(f"{path.name}: {text[max(0, at - 200):at + 3000]}")


def now_ms():
    return time.time_ns() // 1_000_000


def step_json(boot, seq, **values):
    """One step event, now unless `t` or `up` says otherwise."""
    if "up" not in values:
        values.setdefault("t", now_ms())
    return json.dumps({"v": 1, "boot": boot, "seq": seq, **values})


def data_folder():
    """Where the real recordings are; never a part of the tree."""
    folder = Path(os.environ.get("BACKSTEP_DATA") or TREE.parent / "shared" / "data")
    if not folder.is_dir():
        raise Skip(f"no recordings: {folder} is absent (BACKSTEP_DATA names another folder)")
    return folder


def expect(actual, expected, what):
    if actual != expected:
        raise Failure(f"{what}: expected {expected!r}, found {actual!r}")


def expect_true(found, what):
    if not found:
        raise Failure(f"{what}: found {found!r}")


def expect_totals(actual, expected):
    """{member: {direction: steps}} on both sides; shows where they differ."""
    if actual == expected:
        return
    members = sorted(m for m in {*actual, *expected} if actual.get(m) != expected.get(m))
    lines = [f"  {m}: expected {expected.get(m)}, found {actual.get(m)}" for m in members[:10]]
    raise Failure("\n".join([f"totals differ for {len(members)} members:"] + lines))


def wait_for_totals(influx, expected, timeout, daemon):
    def equal():
        daemon.expect_running()
        return influx.step_totals() == expected

    try:
        wait_until(equal, timeout, "totals", pause=0.5)
    except Failure:
        daemon.expect_running()
        expect_totals(influx.step_totals(), expected)


def expect_balance(books):
    """Interface: the two equations that hold at every moment."""
    rejected = sum(books["messages_rejected"].values())
    expect(books["messages_parsed"] + rejected, books["messages_received"],
           f"messages parsed + rejected against received in {json.dumps(books)}")
    rejected = sum(books["steps_rejected"].values())
    expect(books["steps_counted"] + books["steps_fused"] + rejected, books["steps_received"],
           f"steps counted + fused + rejected against received in {json.dumps(books)}")

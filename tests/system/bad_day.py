"""The world of the bad day: five hundred wearables, broker, daemon and database over TLS, and all
that can happen to them.

The test itself speaks with broker and database over ways that no fault touches. Must never mend
what an operator would not.
"""

import functools
import glob
import http.client
import time
import urllib.request
from dataclasses import dataclass
from typing import Callable

from daemon import Daemon, Operator
from harness import Skip
from namespaces import Disk, Wire
from processes import Failure, wait_until
from safe import SERVICES, WEARABLES, SafeBroker, SafeInflux, have_influx
from servers import Server
from wearables import Wearables

SITE, DAEMON, DEVICES, GROUPS = "north", "backstepd.north", 500, 20
SETTINGS = {"refresh_s": 1, "reorder_ms": 1000, "allowed_lateness_s": 180}
FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"
HOUR_S = 3600
# InfluxDB's answer to a write and the ticket of a TLS session; what it greets with is longer.
ANSWER_BYTES_MAX = 600


class DayBroker(SafeBroker):
    """The desk comes by password: the services' listener is the one that is cut."""

    def write_configuration(self):
        super().write_configuration()
        text = self.conf.read_text()  # ten minutes of all would be a hundred megabytes
        self.conf.write_text(text.replace("log_type all", "log_type error\nlog_type warning"))

    def client(self, client_id=""):
        return self.person("desk")


class FromElsewhere(urllib.request.HTTPSHandler):
    """From an address that no rule of the wire names."""

    def https_open(self, request):
        connect = functools.partial(http.client.HTTPSConnection, source_address=("127.0.0.2", 0))
        return self.do_open(connect, request, context=self._context)


class DayInflux(SafeInflux):
    """On a disk of its own."""

    def __init__(self, scene, certificates, disk_mb):
        super().__init__(scene, certificates)
        self.disk = Disk(self.folder / "disk", disk_mb)
        text = self.conf.read_text()
        for name in ("meta", "data", "wal"):
            text = text.replace(f'"{self.folder}/{name}"', f'"{self.disk.folder}/{name}"')
        self.conf.write_text(text)
        self.patience_s = 30
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                  FromElsewhere(context=self.context))

    def torn_files(self):
        return self.child.text().count("File corrupt")

    def start_again(self, wire):
        """With the users it has. Where the last entry of its write-ahead log is torn, as after a
        full disk, 1.6.7 cuts it off and goes on writing behind the cut, and at the next start it
        throws away all that it wrote there: so it is started twice, and nobody writes meanwhile."""
        torn = self.torn_files()
        wire.cut(self.port)
        Server.start(self)
        if self.torn_files() > torn:
            self.stop()
            Server.start(self)
        wire.mend()

    def ask(self, path, form=None, timeout=30):
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", form)
        if self.login:
            request.add_header("Authorization", f"Basic {self.login}")
        return self.opener.open(request, timeout=min(timeout, self.patience_s))

    def steps(self):
        """How many steps all rows have, or None where it does not say so at once."""
        self.patience_s = 1
        try:
            rows = self.rows("SELECT sum(steps) FROM gait_window")
            return rows[0]["sum"] if rows else 0
        except (OSError, http.client.HTTPException, Failure):
            return None
        finally:
            self.patience_s = 30


class Clock:
    """The daemon's wall clock; CLOCK_MONOTONIC and CLOCK_BOOTTIME are left alone."""

    def __init__(self, case, daemon):
        self.file = case.folder / "clock"
        libraries = glob.glob(FAKETIME)
        self.why_not = None if libraries else "libfaketime is not installed"
        if daemon.is_sanitized():
            self.why_not = "a sanitizer lets nothing be loaded before it"
        self.set(0)
        self.environment = {} if self.why_not else {
            "LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_CACHE_DURATION": "1",
            # Else a wait for a condition by the monotonic clock may end at once.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0"}

    def set(self, ahead_s):
        """Whole or not at all: it may be read at any time."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"+{ahead_s}\n")
        fresh.rename(self.file)


@dataclass
class Fault:
    """`felt`: how often it was; what grows before it ends."""
    name: str
    begin: Callable
    end: Callable
    felt: Callable = None


class World:
    def __init__(self, case, plan):
        if not have_influx():
            raise Skip("influxd is not installed")
        self.case, self.wire = case, Wire()
        self.broker = DayBroker(case)
        self.influx = DayInflux(case, self.broker.installed, plan.disk_mb).start()
        self.daemon = self.make_daemon(plan)
        self.clock = Clock(case, self.daemon)
        self.daemon.environment.update(self.clock.environment)
        self.disk = Disk(self.daemon.state, plan.disk_mb)
        self.wearables = self.make_wearables()
        self.saved_at = 0
        self.notes = {}  # what a fault did, by its name

    def make_daemon(self, plan):
        """Small segments, so that a full disk is met soon; a short keepalive, so that a cut is. The
        intake holds less than a long day: snapshots have to let its beginning go."""
        secret = self.case.folder / "influxdb-password"
        secret.write_text("to write\n")
        return Daemon(
            self.case, self.case.build, self.broker.uri, self.influx.url, site=SITE,
            mqtt={**self.broker.keys(DAEMON), "keepalive_s": 5, "receive_maximum": 8},
            journal={"segment_mb": 1, "max_mb": 32, "snapshot_s": plan.snapshot_s},
            influxdb={"ca_file": self.influx.ca_file, "username": "backstepd",
                      "password_file": secret, "timeout_ms": plan.influx_timeout_ms})

    def make_wearables(self):
        known = self.broker.installed
        wearables = Wearables(
            self.broker.ports[WEARABLES], f"backstep/v1/{SITE}", self.case.seed, DEVICES,
            lambda each: known.context("services-ca", each.name, "wearables"))
        known.sign_many([each.name for each in wearables.all], "wearables-ca", "wearables")
        return wearables

    def start(self):
        self.daemon.start_online(self.broker.start())
        with Operator(self.daemon, self.broker) as desk:
            desk.accept_all(self.documents())
        self.wearables.start()
        wait_until(lambda: self.wearables.connected() == DEVICES, 60, "all wearables are connected")
        return self

    def documents(self):
        yield "settings", "site", SETTINGS
        yield "drill", "day", {"phases": [{"name": "all", "direction": "B"}]}
        for number in range(GROUPS):
            yield "session", f"g-{number:02d}", {"drill": "day", "start": "2026-01-01T00:00:00Z"}
        for each in self.wearables.all:
            yield "member", each.member, {"consent": "member", "devices": [each.name],
                                          "groups": [f"g-{each.number % GROUPS:02d}"]}

    # ---- what can happen ----

    def faults(self):
        services, database = self.broker.ports[SERVICES], self.influx.port
        return [
            Fault("broker stopped", self.broker.stop, self.broker.start),
            Fault("broker killed", self.kill_broker, self.revive_broker),
            Fault("daemon cut from broker", lambda: self.wire.cut(services), self.mend_wire,
                  self.wire.lost_packets),
            Fault("acknowledgements lost", lambda: self.wire.lose_data_to(services),
                  lambda: self.mend_broken(services), self.wire.lost_packets),
            Fault("daemon cut from InfluxDB", lambda: self.wire.cut(database), self.mend_wire,
                  self.wire.lost_packets),
            Fault("InfluxDB's answers lost",
                  lambda: self.wire.lose_short_data_from(database, ANSWER_BYTES_MAX),
                  self.mend_wire, self.wire.lost_packets),
            Fault("InfluxDB frozen", self.influx.freeze, self.influx.thaw),
            Fault("InfluxDB's disk full", self.influx.disk.fill, self.free_influx),
            Fault("InfluxDB killed", self.influx.kill, lambda: self.influx.start_again(self.wire)),
            Fault("daemon's disk full", self.disk.fill, self.disk.free, self.count_stalls),
        ]

    def kill_broker(self):
        """What it acknowledged since it last saved dies with it."""
        self.saved_at = time.monotonic()
        self.broker.save()
        time.sleep(0.5)
        self.broker.kill()

    def revive_broker(self):
        self.broker.start()
        self.note("batches sent again", self.wearables.send_again(self.saved_at))

    def mend_wire(self):
        self.note("packets lost", self.wire.mend())

    def mend_broken(self, port):
        self.wire.break_connections(port)
        self.mend_wire()

    def free_influx(self):
        """It stays as it is, room or not, until it is started again."""
        self.influx.disk.free()
        self.influx.stop()
        self.influx.start_again(self.wire)

    def count_stalls(self):
        return self.daemon.log_text().count(" stalled: ")

    def note(self, what, count):
        self.notes[what] = self.notes.get(what, 0) + count

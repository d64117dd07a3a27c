"""What the database refuses, for a while or for good: nothing is lost, all of it is counted, and
what it will never take lies beside it.

The oracle is the daemon's own local file, which gets every line. Must never judge by the daemon's
counters alone.
"""

import re
import socket

from delivery import DAY_MS, Written, expect_outbox, launch, letters, refused, settle, start_daemon, \
    walk, welcome
from harness import Skip, expect, expect_true, now_ms, step_json
from processes import wait_until
from safe import Certificates, SafeInflux, have_influx
from servers import Influx, Victoria, find_program


def influx_with(case, **changes):
    """influxd with these keys added to the sections [data] or [http], `max-…` written `max_…`."""
    if not find_program("influxd"):
        raise Skip("influxd is not installed")
    influx = Influx(case)
    add_keys(influx, **changes)
    return influx.start()


def add_keys(influx, data="", http=""):
    text = influx.conf.read_text()
    influx.conf.write_text(text.replace("[data]", "[data]\n" + data)
                           .replace("[http]", "[http]\n" + http))


GAIT = ("gait_window", "gait_bout")


def by_key(measurement, rows):
    return {(measurement, row["member"], row["direction"], row["time"]): row for row in rows}


def stored_rows(influx, policy=None):
    """Windows and bouts as the database has them, by measurement, member, direction and time."""
    found = {}
    for name in GAIT:
        place = f'"{policy}".{name}' if policy else name
        found |= by_key(name, influx.rows(f"SELECT * FROM {place}"))
    return found


def row_differences(influx, written, wanted=lambda row: True, policy=None):
    """Where the newest rows of the file that are wanted are not what the database has."""
    expected, found = {}, stored_rows(influx, policy)
    for name in GAIT:
        expected |= by_key(name, filter(wanted, written.rows(name)))
    differences = sorted(str(key) for key in found.keys() ^ expected.keys())
    for key, row in expected.items():
        differences += [f"{key}: {name} is {found[key].get(name)}, must be {row[name]}"
                        for name in row.keys() - {"measurement"}
                        if key in found and found[key].get(name) != row[name]]
    return differences


def expect_rows(influx, written, wanted=lambda row: True, policy=None):
    for name in GAIT:
        expect_true(written.rows(name), f"rows of {name} in the file")
    expect(row_differences(influx, written, wanted, policy), [], "rows that differ")


def test_bad_lines(case):
    """A field that somebody wrote with another type: those rows, and no others, become letters."""
    broker, influx = case.broker(), influx_with(case)
    influx.write(f"gait_window,member=other contact_ms=700i {now_ms() - DAY_MS // 2}",
                 f"gait_window,member=other contact_ms=700i {now_ms()}")
    daemon = start_daemon(case, broker, influx)
    devices = {f"plain-{n}": {"step_ms": 550} for n in range(5)}
    devices |= {f"odd-{n}": {"step_ms": 550, "contact_ms": 700} for n in range(3)}
    walk(broker, daemon, devices, 2.2)
    document, written = settle(broker, daemon)
    found = letters(daemon)
    bad = [line for line in written.of("gait_window") if re.search("[ ,]contact_ms=", line)]
    expect_true(len(bad) >= 4, f"rows with the field: {len(bad)}")
    expect(sorted({"contact_ms" in row for row in written.rows("gait_bout")}), [False, True],
           "bouts with the field, and without it")
    expect(sorted(letter["line"] for letter in found), sorted(bad), "dead letters")
    expect([letter for letter in found if set(letter) != {"time", "message", "line"} or
            "field type conflict" not in letter["message"]], [], "letters of another kind")
    expect_outbox(document, written, dead_letters=len(bad))
    expect(document["influxdb"], {"state": "ok", "error": ""}, "what is said of the database")
    influx.statement("DELETE FROM gait_window WHERE member = 'other'")
    expect_rows(influx, written,
                lambda row: row["measurement"] == "gait_bout" or "contact_ms" not in row)
    first_minute = daemon.log_text().partition("read again")[0].splitlines()
    said = [line for line in first_minute if "dead-letters.jsonl" in line]
    expect(len(said), 1, f"lines in the log about letters: {said}")


def test_refusals(case):
    """What an operator can mend keeps everything; what came meanwhile follows, in order."""
    broker = case.broker()
    influx = influx_with(case, data="max-values-per-tag = 2\n")
    influx.write(*[f"gait_window,member=m{n} steps=1i {n}" for n in range(2)])

    def more_values():
        replace_key(influx, "per-tag = 2", "per-tag = 100000")
        influx.stop()
        influx.start()

    policy = 'CREATE RETENTION POLICY "late" ON "backstep" DURATION INF REPLICATION 1'
    rows = {
        "no-database": ("HTTP 404: database not found", {"database": "later"},
                        lambda: influx.statement('CREATE DATABASE "later"')),
        "no-policy": ("HTTP 500: retention policy not found", {"retention_policy": "late"},
                      lambda: influx.statement(policy)),
        "no-value": ("max-values-per-tag", {}, more_values),
    }
    daemons = {name: launch(case, broker, influx, name, **influxdb)
               for name, (_, influxdb, _) in rows.items()}
    welcome(broker, *daemons.values())
    for daemon in daemons.values():
        walk(broker, daemon, {f"pod-{n}": {} for n in range(3)}, 0.6)
    for name, (words, _, _) in rows.items():
        wait_until(lambda: refused(broker, daemons[name], words), 20, f"{name}: refused, {words}")
    for _, _, mend in rows.values():
        mend()
    for name, daemon in daemons.items():
        expect_outbox(*settle(broker, daemon))
        expect(letters(daemon), [], f"{name}: dead letters")
    influx.statement("DELETE FROM gait_window WHERE member =~ /^m/")
    expect_rows(influx, Written(daemons["no-value"]))
    expect_rows(influx, Written(daemons["no-policy"]), policy="late")
    influx.database = "later"
    expect_rows(influx, Written(daemons["no-database"]))


def test_too_many_series(case):
    broker = case.broker()
    influx = influx_with(case, data="max-series-per-database = 2\n")
    daemon = start_daemon(case, broker, influx)
    walk(broker, daemon, {f"pod-{n}": {} for n in range(5)}, 0.6)
    wait_until(lambda: refused(broker, daemon, "max-series-per-database"), 20, "refused")
    replace_key(influx, "max-series-per-database = 2", "max-series-per-database = 100000")
    influx.stop()
    influx.start()
    document, written = settle(broker, daemon)
    expect_outbox(document, written)
    expect(letters(daemon), [], "dead letters")
    expect_rows(influx, written)


def replace_key(influx, before, after):
    text = influx.conf.read_text()
    expect_true(before in text, f"{before} in its configuration")
    influx.conf.write_text(text.replace(before, after))


def retrying(broker, daemon, words):
    document = daemon.service(broker)
    found = document and document["influxdb"]
    return found and found["state"] == "retrying" and words in found["error"]


def test_a_full_cache(case):
    """500, until it is started with more memory: tried again by itself."""
    broker, influx = case.broker(), influx_with(case, data="cache-max-memory-size = 300\n")
    daemon = start_daemon(case, broker, influx)
    walk(broker, daemon, {f"pod-{n}": {} for n in range(5)}, 0.6)
    wait_until(lambda: retrying(broker, daemon, "HTTP 500: engine: cache-max-memory-size exceeded"),
               20, "retrying")
    replace_key(influx, "cache-max-memory-size = 300", "cache-max-memory-size = 100000000")
    influx.stop()
    influx.start()
    wait_until(lambda: not row_differences(influx, Written(daemon)), 30, "delivered by itself")
    document, written = settle(broker, daemon)
    expect_outbox(document, written)


def slow_upload(influx):
    """A write that takes for ever: its head has come, its body does not."""
    upload = socket.create_connection(("127.0.0.1", influx.port), timeout=10)
    upload.sendall(f"POST /write?db={influx.database} HTTP/1.1\r\nHost: influx\r\n"
                   "Content-Length: 1000000\r\n\r\nm f=1".encode())
    return upload


def test_overload(case):
    """503 while others keep it busy."""
    broker = case.broker()
    influx = influx_with(case, http="max-concurrent-write-limit = 1\nmax-enqueued-write-limit = 1\n"
                         'enqueued-write-timeout = "60s"\n')
    daemon = start_daemon(case, broker, influx)
    uploads = [slow_upload(influx) for _ in range(3)]
    walk(broker, daemon, {f"pod-{n}": {} for n in range(5)}, 0.6)
    wait_until(lambda: retrying(broker, daemon, "HTTP 503"), 20, "retrying")
    for upload in uploads:
        upload.close()
    wait_until(lambda: not row_differences(influx, Written(daemon)), 30, "delivered by itself")
    document, written = settle(broker, daemon)
    expect_outbox(document, written)


def test_no_right_to_write(case):
    """403, until somebody grants it."""
    if not have_influx():
        raise Skip("influxd is not installed")
    broker, known = case.broker(), Certificates(case.folder / "certificates")
    influx = SafeInflux(case, known).start()
    for text in ("CREATE USER reader WITH PASSWORD 'to read'",
                 f'GRANT READ ON "{influx.database}" TO reader'):
        influx.statement(text)
    secret = case.folder / "influx-password"
    secret.write_text("to read\n")
    secret.chmod(0o600)
    daemon = start_daemon(case, broker, influx, ca_file=influx.ca_file, username="reader",
                          password_file=secret)
    walk(broker, daemon, {f"pod-{n}": {} for n in range(3)}, 0.6)
    wait_until(lambda: refused(broker, daemon, "HTTP 403"), 20, "refused")
    influx.statement(f'GRANT ALL ON "{influx.database}" TO reader')
    document, written = settle(broker, daemon)
    expect_outbox(document, written)
    expect_rows(influx, written)


def test_older_than_is_kept(case):
    """Rows of stored steps from before what the retention policy keeps are counted, not kept."""
    broker, influx = case.broker(), influx_with(case)
    influx.statement('CREATE RETENTION POLICY "hour" ON "backstep" DURATION 1h REPLICATION 1 '
                     'SHARD DURATION 1h')
    daemon = start_daemon(case, broker, influx, retention_policy="hour")
    with broker.client() as client:
        for n in range(20):
            client.publish(daemon.topic("device/pod-1/steps"), step_json(
                1, n, dir="B", t=now_ms() - 3 * DAY_MS + n * 5000, stored=True))
    walk(broker, daemon, {"pod-2": {}}, 2)
    document, written = settle(broker, daemon)
    expired = [line for line in written.lines if ",stored=1" in line]
    expect_true(len(expired) >= 10, f"rows of stored steps: {len(expired)}")
    expect_outbox(document, written, points_expired=len(expired))
    expect(letters(daemon), [], "dead letters")
    expect_rows(influx, written, lambda row: "stored" not in row, policy="hour")


def test_too_large(case):
    """A server that takes small requests only gets small ones."""
    broker, influx = case.broker(), influx_with(case, http="max-body-size = 4000\n")
    daemon = start_daemon(case, broker, influx, gzip="no")
    walk(broker, daemon, {f"pod-{n}": {"step_ms": 550, "contact_ms": 700} for n in range(40)}, 2)
    document, written = settle(broker, daemon)
    expect_outbox(document, written)
    expect_true("HTTP 413" in daemon.log_text(), "the server said that it was too large")
    expect_rows(influx, written)


def test_no_stale_row(case):
    """A server that applies what timed out after it goes on: the newest rows stand in the end."""
    broker, influx = case.broker(), influx_with(case)
    daemon = start_daemon(case, broker, influx, timeout_ms=300)
    for _ in range(6 if case.long else 2):
        walk(broker, daemon, {f"pod-{n}": {} for n in range(20)}, 0.5)
        influx.freeze()
        walk(broker, daemon, {f"pod-{n}": {"step_ms": 500} for n in range(20)}, 1.2)
        influx.thaw()
    wait_until(lambda: "once more" in daemon.log_text(), 30, "what had no answer goes once more")
    wait_until(lambda: not row_differences(influx, Written(daemon)), 10, "the newest rows stand")
    document, written = settle(broker, daemon)
    expect_outbox(document, written)
    expect_rows(influx, written)


def expect_victoria(victoria, written, site):
    """It keeps every value it was ever sent for a moment: the newest one is the largest."""
    def found():
        totals = {}
        for series in victoria.series(f'gait_window_steps{{site="{site}"}}'):
            for at, value in zip(series["timestamps"], series["values"]):
                key = (series["metric"]["member"], series["metric"]["direction"], at)
                totals[key] = max(totals.get(key, 0), value)
        return totals

    expected = {(row["member"], row["direction"], row["time"]): row["steps"]
                for row in written.rows("gait_window")}
    wait_until(lambda: len(found()) >= len(expected), 10, "VictoriaMetrics shows what it has")
    expect(found(), expected, f"steps by member, direction and window of {site}")


def test_another_reader(case):
    """A second program reads our lines as we mean them, at the addresses of v1 and v2."""
    if not find_program("victoria-metrics"):
        raise Skip("victoria-metrics is not installed (a Debian package of that name)")
    broker, victoria = case.broker(), Victoria(case).start()
    daemons = [launch(case, broker, victoria, "one", api="v1"),
               launch(case, broker, victoria, "two", api="v2", org="club", bucket="steps")]
    welcome(broker, *daemons)
    for daemon in daemons:
        walk(broker, daemon, {f"pod-{n}": {"step_ms": 550} for n in range(10)}, 1.5)
        document, written = settle(broker, daemon)
        expect_outbox(document, written)
        expect_victoria(victoria, written, daemon.site)

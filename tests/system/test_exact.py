"""The delivery table over the interfaces of InfluxDB 2 and 3, against a server of exact bytes: every
line ends as the table has it, to the point, in order.

What is wrong with a line is known from the line (exact.py). Must never judge by the daemon's own
counters alone.
"""

from delivery import DAY_MS, expect_outbox, fresh_document, letters, refused, settle, start_daemon, \
    walk
from exact import NO_CONTENT, Exact, answer, conflict, expired, judge_as_v2, judge_as_v3, \
    parse_failure
from harness import expect, expect_true, now_ms, step_json
from points import parse
from processes import wait_until

APIS = (("v2", judge_as_v2), ("v3", judge_as_v3))


def expect_order(server, written):
    """Lines came to be stored in the order in which they were written, each at least once, but for
    those that came once more."""
    place, at = {}, 0
    for number, line in enumerate(written.lines):
        place.setdefault(line, []).append(number)
    seen = set()
    for line in server.stored:
        new = [number for number in place[line] if number not in seen]
        if not new:
            continue
        seen.add(new[0])
        expect_true(new[0] >= at, f"order kept: {line}")
        at = new[0]
    return {written.lines[number] for number in range(len(written.lines)) if number not in seen}


def expect_newest(server, written):
    """What a database would show, which keeps the newest of each key, is what was written last."""
    found, expected = dict(map(parse, server.stored)), dict(map(parse, written.lines))
    differing = [key for key, row in found.items() if row != expected[key]]
    expect(differing, [], "keys whose newest row is another")


def exact_walk(server, broker, daemon):
    """Who walks, who walks with a field of another type, whose steps are days old; meanwhile the
    server cannot, and does not take much at once."""
    busy = answer(503, {"code": "unavailable", "message": "overloaded"})
    slow = answer(429, {"code": "too many requests"}, **{"Retry-After": "1"})
    server.before = [(busy, 0), (answer(408, {}), 0), (answer(425, {}), 0), (slow, 0)]
    server.max_bytes = 20_000
    with broker.client() as client:
        for n in range(20):
            client.publish(daemon.topic("device/pod-old/steps"), step_json(
                1, n, dir="B", t=now_ms() - 3 * DAY_MS + n * 5000, stored=True))
    devices = {f"plain-{n}": {"step_ms": 550} for n in range(40)}
    devices |= {f"odd-{n}": {"step_ms": 550, "contact_ms": 700} for n in range(3)}
    walk(broker, daemon, devices, 3)
    wait_until(lambda: len(server.requests) > 5, 10, "it has answered some requests")


def expect_pause_of_a_second(server):
    times = [at for at, *_ in server.requests]
    expect_true(times[4] - times[3] >= 0.95, f"Retry-After: 1, found {times[4] - times[3]:.2f} s")


def run(case, judge, is_expired, **influxdb):
    """Through all answers that pass by themselves or are about lines; every line ends as the table
    has it."""
    broker, server = case.broker(), Exact(judge)
    daemon = start_daemon(case, broker, server, gzip="no", **influxdb)
    exact_walk(server, broker, daemon)
    document, written = settle(broker, daemon)
    server.stop()
    bad = [line for line in written.lines if conflict(line) or parse_failure(line)]
    old = [line for line in written.lines if is_expired(line)]
    expect_true(len(bad) >= 9, f"bad lines: {len(bad)}")
    expect_outbox(document, written, dead_letters=len(bad), points_expired=len(old))
    expect(sorted(letter["line"] for letter in letters(daemon)), sorted(bad), "dead letters")
    expect(expect_order(server, written), {*bad, *old}, "lines that are not stored")
    expect_newest(server, written)
    expect_pause_of_a_second(server)
    case.notes.append(f"{len(written.lines)} lines, {len(bad)} bad, {len(old)} expired, "
                      f"{len(server.requests)} requests")
    return server, daemon


def said_at_once(daemon, words):
    """The lines of the log that have the words: one until the configuration is read again, though
    there is reason for many; it is tests that read it so often."""
    found = [[line for line in text.splitlines() if words in line]
             for text in daemon.log_text().split("read again")]
    expect([lines for lines in found if len(lines) > 1], [], f"lines about {words}, too many at once")
    return [line for lines in found for line in lines]


def test_v2(case):
    server, daemon = run(case, judge_as_v2, expired, api="v2", org="club", bucket="steps")
    expect(server.query(), ("/api/v2/write", {"org": "club", "bucket": "steps",
                                              "precision": "ms"}), "the address")
    expect_true(said_at_once(daemon, "dead-letters.jsonl"), "the log tells of dead letters")


def test_v3(case):
    server, daemon = run(case, judge_as_v3, lambda line: False, api="v3")
    path, query = server.query()
    expect((path, query["db"], query["precision"]), ("/api/v3/write_lp", "backstep", "millisecond"),
           "the address")
    named = [letter["message"] for letter in letters(daemon)]
    expect_true(any("invalid column type" in text for text in named), f"their words: {named[:3]}")


def test_unresolved(case):
    """A request that had no answer is applied after newer ones were stored: all of it goes once
    more, and the newest rows stand."""
    broker = case.broker()
    for api, judge in APIS if case.long else [case.random.choice(APIS)]:
        server = Exact(judge)
        daemon = start_daemon(case, broker, server, name=f"exact-{api}", api=api, timeout_ms=300,
                              org="club", bucket="steps")
        walk(broker, daemon, {"plain-1": {}, "plain-2": {}}, 1)
        server.before = [(None, 2.5), (None, 2.0)]
        walk(broker, daemon, {"plain-1": {}, "plain-2": {}}, 1.5)
        wait_until(lambda: "once more" in daemon.log_text(), 30, "it goes once more")
        document, written = settle(broker, daemon)
        server.stop()
        expect_outbox(document, written)
        expect_newest(server, written)
        expect(set(written.lines) - set(server.stored), set(), "lines that are not stored")


def test_refusals(case):
    """What has to be mended keeps everything, over v2 and v3 too; any other 4xx is about lines."""
    broker = case.broker()
    for api, judge in APIS if case.long else [case.random.choice(APIS)]:
        server = Exact(judge)
        daemon = start_daemon(case, broker, server, name=f"refused-{api}", api=api, org="club",
                              bucket="steps")
        for status in (401, 403, 404) if case.long else [case.random.choice([401, 403, 404])]:
            server.before = [(answer(status, {"error": "mend me"}), 0)] * 100
            walk(broker, daemon, {"plain-1": {}}, 0.6)
            wait_until(lambda: refused(broker, daemon, f"HTTP {status}"), 20, f"refused: {status}")
            server.before = []
            fresh_document(broker, daemon)
        teapot = answer(418, {"error": "x" * 5000})
        server.judge = lambda lines: (teapot, []) if any(map(conflict, lines)) else judge(lines)
        walk(broker, daemon, {"odd-1": {}, "plain-1": {}}, 1.5)
        server.judge = lambda lines: (teapot, []) if any(
            conflict(line) or parse_failure(line) for line in lines) else (NO_CONTENT, lines)
        document, written = settle(broker, daemon)
        server.stop()
        bad = [line for line in written.lines if conflict(line) or parse_failure(line)]
        expect_outbox(document, written, dead_letters=len(bad))
        expect(expect_order(server, written), set(bad), "lines that are not stored")
        quoted = said_at_once(daemon, "HTTP 418")
        expect_true(quoted and all(len(line) < 450 for line in quoted),
                    f"the first 200 characters of what the server said: {quoted}")

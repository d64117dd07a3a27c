"""Thousands of retained documents at once, as after each connection: every one is judged, answered
and answered right, and the daemon holds no more for it the tenth time than the first.

What a storm costs is noted, never judged by a clock. Must never look for one document's fate in the
log: there it is one of a number.
"""

import hashlib
import json
import re
import time
from datetime import datetime

from harness import expect, expect_true
from processes import Failure, wait_until

MEMBERS = 5000
IN_FORCE = re.compile(r"^\S+ info: in force: .*members (\d+),.*$", re.M)


def member_document(number):
    return json.dumps({"rev": 1, "alias": f"Walker {number}", "consent": "member",
                       "devices": [f"pod-{number:05d}L", f"pod-{number:05d}R"],
                       "groups": [f"class-{number % 40}"]})


def all_documents():
    return {f"m-{number:05d}": member_document(number) for number in range(MEMBERS)}


def put(daemon, broker, documents):
    with broker.client() as client:
        for name, text in documents.items():
            client.start_publish(daemon.topic(f"config/member/{name}"), text, retain=True)
        client.flush()


def arrival(payload):
    at = json.loads(payload)["at"]
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def read_results(daemon, broker, since=0):
    """{id: payload} of the retained answers, when each member has one to an arrival since then."""
    found, right = {}, set()
    with broker.client() as client:
        client.subscribe(daemon.topic("result/member/#"))
        while len(right) < MEMBERS:
            message = client.receive(20)
            if not message:
                raise Failure(f"{len(found)} answers, {len(right)} of them since {since}, and no "
                              f"more; {MEMBERS} are due")
            name = message.topic.rpartition("/")[2]
            found[name] = message.payload
            if arrival(message.payload) >= since:
                right.add(name)
    return found


def expect_right(results, documents):
    expect(sorted(results), sorted(documents), "who was answered")
    for name, payload in results.items():
        answer = json.loads(payload)
        sha256 = hashlib.sha256(documents[name].encode()).hexdigest()
        expect((answer["ok"], answer["rev"], answer["sha256"]), (True, 1, sha256),
               f"the answer to {name}: {answer}")


def spread_s(results):
    """From the first document's arrival to the last one's."""
    times = [arrival(payload) for payload in results.values()]
    return max(times) - min(times)


def wait_for_summary(daemon, count):
    """The log says, the `count`th time, how many members are in force."""
    wait_until(lambda: len(IN_FORCE.findall(daemon.log_text())) >= count, 60,
               f"summary {count} of what is in force")
    expect(IN_FORCE.findall(daemon.log_text())[-1], str(MEMBERS), "members in force, by the log")


def expect_settled(daemon, broker):
    """What the service document says once all is folded."""
    document = wait_until(lambda: settled(daemon, broker), 30, "a document about a folded storm")
    expect(document["config"], {"not_on_broker": [], "not_on_broker_count": 0}, "all came back")


def settled(daemon, broker):
    document = daemon.service(broker)
    return document["intake"]["lag_bytes"] == 0 and document


def expect_flat(case, daemon, held):
    """Of the anonymous memory after each storm; a second storm may still grow tables."""
    case.notes.append("MB held after each: " + ", ".join(f"{size / 1e6:.1f}" for size in held))
    if not daemon.is_sanitized():
        expect_true(held[-1] <= held[1] * 1.05, f"no more is held than after the second: {held}")


def test_storm_at_every_connection(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri)
    documents = all_documents()
    put(daemon, broker, documents)
    daemon.start_online(broker)
    wait_for_summary(daemon, 1)
    results = read_results(daemon, broker)
    expect_right(results, documents)
    expect_settled(daemon, broker)
    case.notes.append(f"{MEMBERS} came in {spread_s(results):.2f} s")
    broker.save()
    held = [daemon.anonymous_bytes()]
    for storm in range(2, 9 if case.long else 5):
        broker.kill()
        moment = time.time()
        broker.start()
        wait_for_summary(daemon, storm)
        expect_right(read_results(daemon, broker, moment), documents)
        expect_settled(daemon, broker)
        held.append(daemon.anonymous_bytes())
    expect_flat(case, daemon, held)
    again = sum(map(int, re.findall(r"(\d+) came again unchanged", daemon.log_text())))
    # The first connection of a daemon that knows no document hears them twice.
    expect(again, MEMBERS * len(held), "documents that came again unchanged, by the log")
    lines = len(daemon.log_text().splitlines())
    expect_true(lines < 40 + 10 * len(held), f"{lines} lines of log are few")


def test_answers_outlast_broker_and_daemon(case):
    """The broker loses all it had, the daemon dies meanwhile: what it says again is what it said. (One
    that stops in order, all answers acknowledged, has nothing to say again.)"""
    broker = case.broker()
    daemon = case.daemon(broker.uri)
    documents = all_documents()
    put(daemon, broker, documents)
    daemon.start_online(broker)
    wait_for_summary(daemon, 1)
    expect_settled(daemon, broker)
    daemon.kill()
    results = read_results(daemon, broker)
    broker.kill()
    broker.start()
    daemon.start_online(broker)
    expect_same(read_results(daemon, broker), results)
    wait_for_summary(daemon, 2)
    config = daemon.service(broker)["config"]
    expect(config["not_on_broker_count"], MEMBERS, "documents that the broker lacks")
    expect(config["not_on_broker"], [f"member/{name}" for name in sorted(documents)[:100]],
           "names of the first of them")


def expect_same(found, expected):
    differing = sorted(name for name in expected if found.get(name) != expected[name])
    expect([(name, found.get(name), expected[name]) for name in differing[:3]], [],
           f"{len(differing)} answers differ")

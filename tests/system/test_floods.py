"""Floods of everything that an outsider can send any number of: each is counted, the process holds no
more the longer they last, and the log has few lines, short and harmless.

Memory is the process's own: pages of its mapped logs belong to the kernel. Must never judge by the
log's wording.
"""

import json
import re
import time

from harness import expect, expect_balance, expect_true, now_ms, step_json

MEMBERS = 100
PART = 60  # a divisor of both counts below
BEAT_S = 10
UGLY_TOPIC = "\u202egnp\u2028x"  # without what a broker refuses in a topic
UGLY = UGLY_TOPIC + "\u009b2J\u0085"


def batch(boot, seq, size):
    rows = [[0, "B", 500 + n % 7] for n in range(250)]
    return json.dumps({"v": 1, "boot": boot, "seq": seq, "t": now_ms(),
                       "columns": ["dt_ms", "dir", "step_ms"], "rows": rows}).ljust(size)


def documents(number):
    """Documents that are rejected, each for a place that it names itself."""
    ugly = f"{UGLY}-{number}" + "k" * 200
    yield "config/member/m1", {"consent": "member", ugly: 1}
    yield "config/settings/site", {ugly: {ugly: ugly}}
    yield f"config/drill/d{number % 7}", {"phases": [{"name": ugly, "direction": ugly}]}
    yield f"config/weather/{number}", {"wind": number}
    yield f"config/group/{number % 500:08d}", {"name": f"Group {number}"}
    yield f"config/member/flood-{number:08d}", {"consent": "group", "groups": [f"g-{number:08d}"]}


def messages(number):
    """Everything once, each with a name of its own."""
    yield f"device/stranger-{number:08d}/steps", step_json(1, 1, dir="B")
    yield "device/pod/steps", step_json(number, 1, dir="B")
    yield f"device/stranger-{number % 500:08d}/birth", '{"kind":"foot","model":"x"}'
    yield f"device/stranger-{number:08d}/state", "online"
    yield f"device/{UGLY_TOPIC}{number}/steps", "{}"
    yield "device/pod/steps", "{" + UGLY
    yield "device/pod/steps", json.dumps({"v": 1, UGLY * 20: number})
    if number % 20 == 0:
        yield "device/pod/steps", batch(1, number * 250, 65_536)
        yield "device/pod/steps", batch(1, number * 250, 65_537)
        yield "device/pod/steps", "[" * 65_536
        yield "config/member/m1", "[" * 65_536
        yield "config/member/m1", " " * 70_000
    for topic, document in documents(number):
        yield topic, json.dumps(document, ensure_ascii=False)


def flood(client, daemon, first, count):
    sent = 0
    for number in range(first, first + count):
        for topic, payload in messages(number):
            client.start_publish(daemon.topic(topic), payload, retain=topic.startswith("config/"),
                                 correlation=b"c" * 16)
            sent += 1
    client.flush()
    return sent


def expect_flat(case, daemon, held):
    case.notes.append("MB held after each round: " + ", ".join(f"{size / 1e6:.1f}" for size in held))
    if not daemon.is_sanitized():
        # Answers wait for the broker, now more, now fewer.
        expect_true(held[-1] <= max(held[:-2]) + 2_000_000, f"no more the longer it lasts: {held}")


def expect_quiet_log(daemon, began):
    """Twenty lines a minute of each sort of document, one a minute of each reason."""
    lines = daemon.log_text().splitlines()
    minutes = 1 + int((time.monotonic() - began) / 60)
    expect_true(len(lines) <= 30 + minutes * 110, f"{len(lines)} lines in {minutes} minutes")
    expect(sorted(line for line in lines if len(line.encode()) > 1200), [], "long lines")
    harmful = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
    expect([line for line in lines if harmful.search(line)], [], "lines that a terminal obeys")


def test_floods(case):
    rounds, count = (12, 3000) if case.long else (6, 600)
    broker = case.broker()
    daemon = case.daemon(broker.uri, journal={"segment_mb": 16, "max_mb": 4096, "sync_ms": 200})
    daemon.start_online(broker)
    began, held = time.monotonic(), []
    daemon.settings(broker, max_members=MEMBERS, allowed_lateness_s=10, reorder_ms=0)
    daemon.push(broker, "member", "m1", {"consent": "member", "devices": ["pod"]})
    with broker.client() as client:
        for number in range(rounds):
            # In parts: how many answers wait at once is the broker's speed, and not what is held.
            for first in range(number * count, (number + 1) * count, PART):
                flood(client, daemon, first, PART)
                daemon.push(broker, "group", "last", {"rev": first}, timeout=60)  # all is folded
            held.append(daemon.anonymous_bytes())
    time.sleep(BEAT_S)
    expect_flat(case, daemon, held)
    expect_quiet_log(daemon, began)
    expect(daemon.service(broker)["held"]["members"], MEMBERS, "members held")
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    total = rounds * count
    rejected = books["steps_rejected"]
    # 99 strangers are guests, or fewer: members' documents take of the same bound.
    expect_true(rejected["over_limit"] >= 2 * total - MEMBERS - 16 - 1, f"over limit: {rejected}")
    expect(books["messages_rejected"]["too_large"], total // 20, "too large")
    expect(books["messages_rejected"]["bad_topic"], total, "bad topic")
    expect(books["messages_rejected"]["malformed"] + books["messages_rejected"]["schema"],
           2 * total + total // 20, "malformed or schema")
    expect(books["birth_received"], total, "births")
    expect(books["config_unknown_kind"], total, "documents of an unknown kind")

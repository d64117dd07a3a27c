"""Configuration documents: every arrival is answered, and what is answered holds.

Must never read the daemon's mind: what is in force is seen in answers and in what is counted.
"""

import hashlib
import json
import re

from harness import expect, expect_balance, expect_true, step_json
from processes import wait_until


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def push_text(daemon, broker, text):
    """(answer, SHA-256 of the text)"""
    return daemon.push(broker, "settings", "site", text), digest(text)


def test_good_and_bad_documents(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    good = '{"rev":3,"unknown_devices":"guest","window_s":5}'
    answer, sha256 = push_text(daemon, broker, good)
    expect((answer["ok"], answer["rev"], answer["sha256"]), (True, 3, sha256), "a good one")
    expect_true(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["at"]), answer["at"])
    in_force = {"rev": 3, "sha256": sha256}
    for text, pointer, rev in BAD_SETTINGS:
        answer, sha256 = push_text(daemon, broker, text)
        expect((answer["ok"], answer["rev"], answer["sha256"]), (False, rev, sha256), text)
        expect(answer["error"]["pointer"], pointer, f"pointer for {text}")
        expect_true(answer["error"]["message"], f"message for {text}")
        expect(answer["in_force"], in_force, f"in force after {text}")


def test_too_long_documents(case):
    """Rejected, whatever their length, and named by the digest of all of it."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    for size in (65_537, 65_538, 65_539, 3_000_000):
        text = '{"window_s":5' + " " * (size - 14) + "}"
        expect(len(text), size, "length")
        answer, sha256 = push_text(daemon, broker, text)
        expect((answer["ok"], answer["rev"], answer["sha256"]), (False, None, sha256),
               f"the answer to {size} bytes")
        expect(answer["error"], {"pointer": "", "message": "larger than 64 KiB"}, "the reason")
    answer, sha256 = push_text(daemon, broker, '{"window_s":5' + " " * (65_536 - 14) + "}")
    expect((answer["ok"], answer["sha256"]), (True, sha256), "the longest that may be")
    daemon.stop()
    daemon.start_online(broker)
    expect(daemon.stop_for_books(broker)["config_rejected"], 4, "rejected, after a replay")


# Text, the pointer that must name the fault, the document's own rev as far as it can be read.
BAD_SETTINGS = (
    ('{"rev":4,"windows":10}', "/windows", 4),
    ('{"rev":4,"window_s":0}', "/window_s", 4),
    ('{"rev":4,"window_s":301}', "/window_s", 4),
    ('{"rev":4,"window_s":"10"}', "/window_s", 4),
    ('{"rev":4,"window_s":10.5}', "/window_s", 4),
    ('{"rev":4,"unknown_devices":"all"}', "/unknown_devices", 4),
    ('{"rev":4,"feedback":1}', "/feedback", 4),
    ('{"rev":4,"slip":{"drift_pct":0}}', "/slip/drift_pct", 4),
    ('{"rev":4,"slip":{"drift":1}}', "/slip/drift", 4),
    ('{"rev":4,"window_s":5,"window_s":6}', "/window_s", 4),
    ('{"rev":2}', "/rev", 2),
    ('{"rev":-1}', "/rev", None),
    ('[1]', "", None),
    ('{"rev":4', "", None),
)


def test_other_kinds(case):
    """What a document lacks is named; an unknown kind gets no answer."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    for kind, lacking in (("member", "consent"), ("drill", "phases"), ("session", "drill")):
        answer = daemon.push(broker, kind, "tue-track", {"rev": 1})
        expect(answer["ok"], False, f"answer to a {kind}: {answer}")
        expect(answer["error"]["pointer"], f"/{lacking}", f"pointer for a {kind}")
    with broker.client() as client:
        client.subscribe(daemon.topic("result/#"))
        while client.receive(0.5):
            pass
        client.publish(daemon.topic("config/weather/here"), "{}", retain=True)
        expect(client.receive(2), None, "answer to an unknown kind")
    wait_until(lambda: "unknown kind" in daemon.log_text(), 15, "the log says: unknown kind")
    expect_true("config/weather/here" in daemon.log_text(), "and names its topic")


def test_deletion_and_restart(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    daemon.settings(broker, rev=5)
    daemon.stop()
    daemon.start_online(broker)
    answer = daemon.push(broker, "settings", "site", {"rev": 4})
    expect((answer["ok"], answer["in_force"]["rev"]), (False, 5), "an older one after a restart")
    with broker.client() as client:
        client.publish(daemon.topic("config/settings/site"), "", retain=True)

    def deleted():
        with broker.client() as client:
            client.subscribe(daemon.topic("result/settings/site"))
            return client.receive(0.5) is None

    wait_until(deleted, 10, "the answer is deleted with its document")


def test_settings_without_a_broker(case):
    """A document in force stays in force when broker and document are gone."""
    broker, influx, daemon = case.line({"rev": 9})
    daemon.kill()
    broker.kill()  # nothing was saved: the document is gone with it
    daemon.start()
    broker.start()
    daemon.wait_online(broker)
    with broker.client() as client:
        client.publish(daemon.topic("device/pod-1/steps"), step_json(1, 1, dir="B"))
    wait_until(lambda: influx.step_totals() == {"guest-pod-1": {"B": 1}}, 20,
               "a guest's step is counted")
    config = wait_until(lambda: absent_documents(daemon, broker), 20, "what the broker lacks")
    expect(config, {"not_on_broker": ["settings/site"], "not_on_broker_count": 1}, "lacking there")


def absent_documents(daemon, broker):
    """What the service document says of them, once the broker's own have come."""
    config = daemon.service(broker)["config"]
    return config["not_on_broker_count"] and config


def test_retained_step(case):
    """It would come again at each start; it is counted as `retained`, each time."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    daemon.settings(broker)
    daemon.stop()
    with broker.client() as client:
        client.publish(daemon.topic("device/pod-2/steps"), step_json(1, 1), retain=True)
    for _ in range(2):
        daemon.start_online(broker)
        daemon.settings(broker)  # it is answered behind what came before
        books = daemon.stop_for_books(broker)
        expect_balance(books)
    # The publication itself reached the standing session, without the flag, as any message.
    expect(books["messages_rejected"]["retained"], 2, f"retained, in {json.dumps(books)}")
    expect(books["steps_counted"], 1, "steps counted")

"""The broker is killed: acknowledged by the daemon ⊆ counted ⊆ sent, each once; and all is counted
that the broker had saved before.

Identities are read from three witnesses: the publisher, a proxy that sees the daemon's PUBACKs, and
the intake log. Must never ask the daemon itself.
"""

import collections
import json
import threading
import time

import intake
from harness import expect, expect_balance, expect_totals, expect_true, now_ms, step_json
from processes import Failure, wait_until
from proxy import Proxy

DEVICES = 40


def make_steps(daemon, prefix, boot, count):
    """(identity, topic, payload) of one walk, one JSON step a message."""
    begin = now_ms() - 500 * (count // DEVICES) - 2000
    for number in range(count):
        device, seq = f"{prefix}-{number % DEVICES}", number // DEVICES
        step = step_json(boot, seq, t=begin + 500 * seq, step_ms=500, dir="BF"[seq % 2])
        yield (device, boot, seq), daemon.topic(f"device/{device}/steps"), step


class Publisher(threading.Thread):
    """Sends until the broker has acknowledged each step, over every death of the broker."""

    def __init__(self, broker, steps):
        super().__init__(daemon=True)
        self.broker = broker
        self.left = collections.OrderedDict((step[0], step) for step in steps)
        self.sent = set(self.left)
        self.error = None
        self.start()

    def run(self):
        end = time.monotonic() + 60
        while self.left and time.monotonic() < end:
            try:
                self.send_left()
            except OSError as error:
                self.error = error
                time.sleep(0.1)

    def send_left(self):
        with self.broker.client() as client:
            for identity, topic, payload in list(self.left.values()):
                client.start_publish(topic, payload, mark=identity)
                self.forget(client)
            client.flush()
            self.forget(client)

    def forget(self, client):
        for identity in client.acknowledged:
            self.left.pop(identity, None)
        client.acknowledged.clear()

    def finish(self):
        self.join(90)
        if self.left:
            raise Failure(f"{len(self.left)} steps were never acknowledged: {self.error}")


def kill_while_walking(case, broker, daemon):
    """Nothing of this was saved: the session and what it held are gone with the broker."""
    publisher = Publisher(broker, make_steps(daemon, "live", 7, 24_000))
    wait_until(lambda: len(publisher.left) < 20_000, 30, "the walk is under way", pause=0.01)
    time.sleep(case.random.uniform(0, 0.5))
    broker.kill()
    time.sleep(0.5)
    broker.start()
    publisher.finish()
    daemon.wait_online(broker)
    return publisher.sent


def kill_after_save(broker, daemon):
    """All of this lies in the broker's store when it dies."""
    daemon.freeze()
    publisher = Publisher(broker, make_steps(daemon, "saved", 8, 4000))
    publisher.finish()
    broker.save()
    broker.kill()
    broker.start()
    daemon.thaw()
    return publisher.sent


def totals(identities):
    found = {}
    for device, _boot, seq in identities:
        directions = found.setdefault(f"guest-{device}", {})
        directions["BF"[seq % 2]] = directions.get("BF"[seq % 2], 0) + 1
    return found


def identity(topic, payload):
    step = json.loads(payload)
    return topic.split("/")[-2], step["boot"], step["seq"]


def wait_for_saved(influx, saved):
    def of_saved():
        return {m: t for m, t in influx.step_totals().items() if m.startswith("guest-saved-")}

    try:
        wait_until(lambda: of_saved() == totals(saved), 60, "saved steps", pause=0.5)
    except Failure:
        expect_totals(of_saved(), totals(saved))


def test_broker_killed_twice(case):
    broker, influx = case.broker(), case.influx()
    with Proxy(broker.port) as proxy:
        daemon = case.daemon(proxy.uri, influx).start_online(broker)
        daemon.settings(broker, allowed_lateness_s=3600)
        sent = kill_while_walking(case, broker, daemon)
        saved = kill_after_save(broker, daemon)
        wait_for_saved(influx, saved)
        books = daemon.stop_for_books(broker)
    acknowledged = {identity(*each) for each in proxy.acknowledged if each[0].endswith("/steps")}
    counted = set(intake.single_steps(daemon.state))
    expect_balance(books)
    expect_true(acknowledged, "some steps were acknowledged")
    expect(sorted(acknowledged - counted)[:5], [], "acknowledged, but not in the log")
    expect(sorted(counted - sent - saved)[:5], [], "counted, but never sent")
    expect(sorted(saved - counted)[:5], [], "saved by the broker, but not counted")
    expect(books["steps_counted"], len(counted), "steps counted, each once")
    expect_totals(influx.step_totals(), totals(counted))
    case.notes.append(f"{len(sent | saved)} sent, {len(counted)} counted, "
                      f"{len(acknowledged)} seen acknowledged")

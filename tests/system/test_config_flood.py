"""A flood of documents while the broker is held, killed and begun again: the connection breaks
under answers that are being written, again and again, and the daemon goes on.

Must never ask what became of an answer: the broker that took it may be dead.
"""

import json
import threading
import time

import bad_documents
from daemon import Operator
from harness import expect_balance


class Flood(threading.Thread):
    """Documents, good and bad, as fast as the broker takes them, until it is told to stop."""

    def __init__(self, broker, daemon, random):
        super().__init__(daemon=True)
        self.broker, self.daemon, self.random = broker, daemon, random
        self.bad = list(bad_documents.all_bad())
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            try:
                with self.broker.client() as client:
                    while not self.over:
                        kind, name, payload = self.document()
                        client.start_publish(self.daemon.topic(f"config/{kind}/{name}"), payload,
                                             retain=self.random.random() < 0.7,
                                             correlation=b"x" * 8)
            except OSError:  # a timeout, too
                time.sleep(0.05)

    def document(self):
        if self.random.random() < 0.5:
            bad = self.random.choice(self.bad)
            return bad.kind, f"{bad.name}{self.random.randrange(30)}", bad.payload
        alias = f"Zebra {self.random.randrange(99)}"
        return "member", f"m{self.random.randrange(200)}", json.dumps(
            {"consent": "member", "alias": alias})

    def stop(self):
        self.over = True
        self.join(60)


def trouble(random, broker):
    time.sleep(random.uniform(0.05, 0.5))
    what = random.random()
    if what < 0.5:
        broker.freeze()
        time.sleep(random.uniform(0.01, 0.4))
        broker.thaw()
    else:
        broker.kill()
        time.sleep(random.uniform(0, 0.3))
        broker.start()


def test_flood_over_a_dying_broker(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    flood = Flood(broker, daemon, case.random)
    end, times = time.monotonic() + (90 if case.long else 4), 0
    while time.monotonic() < end:
        trouble(case.random, broker)
        daemon.expect_running()
        times += 1
    flood.stop()
    daemon.wait_online(broker, 60)
    with Operator(daemon, broker) as operator:
        operator.accept("member", "last", {"consent": "none"}, timeout=60)
    expect_balance(daemon.stop_for_books(broker))
    case.notes.append(f"{times} times in trouble")

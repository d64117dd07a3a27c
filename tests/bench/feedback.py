"""Time from a step that slips to the notice at the wearable, while a class walks at 5000 steps a
second, and without it.

Forty more devices walk backwards and forwards again, and then slip with every fifth step. One loop
sends their steps and hears their notices, by one clock. Must never take a figure from a run in
which a slip had no notice, or a notice no slip.
"""

import collections
import json
import re
import select
import time

import intake
from daemon import guest_totals
from harness import Case, expect, now_ms, step_json
from processes import Failure

STEPS_PER_S = 5000
PACE = 110
SLIPPERS = 40
STEP_MS = 300
BACK, BLOCK = 8, 10  # steps; the least that make a bout and a block
LENGTH_MM = 600
# A half longer is limited to 20 %, less a drift of 8: the third such step is over 30. The next one
# is back, which ends the rest, and the one behind it begins anew.
PATTERN = (1.5, 1.5, 1.5, 1, 1)
SLIPS_AT = 2
SETTINGS = {"unknown_devices": "guest", "reorder_ms": 0, "max_members": 100_000,
            "carry_over_steps": BLOCK, "bout_min_steps": BACK, "slip": {"hold_off_steps": 1}}
WARM_S = 3  # of the load, before the first slip counts
PATIENCE_S = 5


class Slippers:
    """Their walks, and what they hear."""

    def __init__(self, broker, daemon):
        self.daemon = daemon
        self.walker, self.listener = broker.client(), broker.client()
        self.listener.subscribe(daemon.topic("feedback/#"))
        self.sequence = collections.Counter()
        self.sent = {}  # (device, t) → (when by the monotonic clock, seq) of each slip
        self.heard = {}  # (device, t) → (when by the monotonic clock, by the wall clock in ms)

    def publish(self, device, at, direction, length):
        """Gives when and as which step."""
        seq = self.sequence[device]
        self.sequence[device] += 1
        payload = step_json(1, seq, t=at, dir=direction, foot="LR"[seq % 2], step_mm=round(length))
        moment = time.monotonic()
        self.walker.start_publish(self.daemon.topic(f"device/{device}/steps"), payload)
        return moment, seq

    def prepare(self, prefix):
        """Up to the end of the block, which ends about now; gives who goes on when."""
        begin = now_ms() - (BACK + BLOCK) * STEP_MS
        nexts = []
        for number in range(SLIPPERS):
            device, at = f"{prefix}-{number}", begin + number * STEP_MS // SLIPPERS
            for step in range(BACK + BLOCK):
                self.publish(device, at, "B" if step < BACK else "F", LENGTH_MM)
                at += STEP_MS
            nexts.append((at, device))
        return nexts

    def hear(self, seconds):
        """What comes on either connection, until then."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            clients = (self.listener, self.walker)
            ready = select.select([client.socket for client in clients], [], [], left)[0]
            moment = time.monotonic(), time.time() * 1000
            for client in clients:
                if client.socket in ready:
                    client.pump(0)
            while self.listener.inbox:
                message = self.listener.inbox.popleft()
                device = message.topic.split("/")[-1]
                if device in self.sequence:  # one of the class may slip, too
                    self.heard[device, json.loads(message.payload)["t"]] = moment

    def walk(self, prefix, seconds):
        """All of them, step by step."""
        nexts, end, steps = collections.deque(self.prepare(prefix)), now_ms() + seconds * 1000, 0
        while nexts[0][0] < end:
            at, device = nexts.popleft()
            self.hear((at - now_ms()) / 1000)
            turn = steps // SLIPPERS % len(PATTERN)
            moment = self.publish(device, at, "F", LENGTH_MM * PATTERN[turn])
            if turn == SLIPS_AT:
                self.sent[device, at] = moment
            nexts.append((at + STEP_MS, device))
            steps += 1
        self.walker.flush()
        end = time.monotonic() + PATIENCE_S
        while self.sent.keys() - self.heard.keys() and time.monotonic() < end:
            self.hear(0.1)

    def expect_exact(self):
        if self.sent.keys() != self.heard.keys():
            raise Failure(f"{len(self.sent)} slips, {len(self.heard)} notices, "
                          f"{len(self.sent.keys() & self.heard.keys())} of them the same")


def receipts(daemon):
    """{(device, seq): when it was in the log, by the wall clock in ms}, of the slippers."""
    return {(topic.split("/")[-2], json.loads(payload)["seq"]): at
            for at, topic, payload, _retained in intake.arrivals(daemon.state)
            if re.search("/device/(slip|alone)-", topic)}


def quantiles(values, name):
    ordered = sorted(values)
    return {f"{name}_p50_ms": round(ordered[len(ordered) // 2], 1),
            f"{name}_p99_ms": round(ordered[len(ordered) * 99 // 100], 1)}


def figures(slippers, received, prefix, name):
    """Of one of the two walks: from the publication, and from the daemon's receipt; `received` in
    whole milliseconds."""
    keys = [key for key in slippers.sent if key[0].startswith(prefix + "-")]
    from_sent = [(slippers.heard[key][0] - slippers.sent[key][0]) * 1000 for key in keys]
    from_receipt = [slippers.heard[key][1] - received[key[0], slippers.sent[key][1]]
                    for key in keys]
    return {**quantiles(from_sent, f"{name}_sent"), **quantiles(from_receipt, f"{name}_received"),
            f"{name}_notices": len(keys)}


def measure(build, seconds):
    """Under the load first, then without it."""
    with Case(build, seed=1) as case:
        broker = case.broker()
        daemon = case.daemon(broker.uri).start_online(broker)
        daemon.settings(broker, **SETTINGS)
        slippers = Slippers(broker, daemon)
        load = case.send("simulate", broker, daemon, members=round(STEPS_PER_S * 60 / PACE),
                         pace=PACE, duration=seconds + WARM_S + 2)
        time.sleep(WARM_S)
        slippers.walk("slip", seconds)
        truth = load.wait()
        slippers.walk("alone", seconds)
        slippers.expect_exact()
        books = daemon.stop_for_books(broker)
        sent = sum(sum(steps.values()) for steps in guest_totals(truth).values())
        expect(books["steps_counted"], sent + sum(slippers.sequence.values()), "steps counted")
        received = receipts(daemon)
        return {**figures(slippers, received, "slip", "loaded"),
                **figures(slippers, received, "alone", "alone"),
                "load_per_s": round(sent / (seconds + WARM_S + 2)), "seconds": seconds}

"""Hundreds of wearables, each with a connection and a certificate of its own, in one thread.

Each walks on by the clock, sends its steps in batches and keeps a batch until the broker has
acknowledged it; what was acknowledged it remembers for a while, to send it again when the broker
has lost its memory. Must never count a step that the broker did not acknowledge.
"""

import asyncio
import collections
import json
import random
import ssl
import struct
import threading
import time

import mqtt
from processes import Failure

STEP_MS = 250
BATCH_STEPS = 8
BATCH_S = STEP_MS * BATCH_STEPS / 1000
WINDOW = 20
NO_SUBSCRIBERS = b"\x10"
REMEMBERED_S = 60
COLUMNS = ("dt_ms", "foot", "dir", "step_ms", "contact_ms", "step_mm", "trunk_cdeg", "pitch_cdeg",
           "vo_mm")
DIRECTIONS = {"F": 1, "B": 2}
BATCHES_A_LEG = 8  # so many one way, then as many the other


class Batch:
    """One message, and what has become of it."""

    def __init__(self, payload, steps):
        self.payload, self.steps, self.acknowledged_at = payload, steps, None


class Wearable:
    """One device. Which form its batches have, and which clock, goes by its number."""

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.name, self.member = f"pod-{number:03d}", f"m-{number:03d}"
        self.random = random.Random(f"{world.seed} {number}")
        self.boot = self.random.randrange(1 << 32)
        self.seq = self.random.randrange(1 << 20)
        self.steps = collections.Counter()  # by direction
        self.batches = 0
        self.waiting = collections.deque()
        self.in_flight = {}  # packet id → batch
        self.remembered = collections.deque()
        self.writer, self.last_id = None, 0

    # ---- walking ----

    def walk(self, wall_ms):
        """The steps of the last two seconds, as one more batch."""
        direction = "FB"[self.batches // BATCHES_A_LEG % 2]
        begin = wall_ms - STEP_MS * BATCH_STEPS
        payload = (self.json, self.binary)[self.number % 3 == 0](direction, begin)
        self.waiting.append(Batch(payload, BATCH_STEPS))
        self.batches += 1
        self.seq += BATCH_STEPS
        self.steps[direction] += BATCH_STEPS
        self.send_waiting()

    def clock(self, begin):
        """Every fourth one has a clock that means nothing."""
        return ("up", begin - self.world.wall_ms) if self.number % 4 == 1 else ("t", begin)

    def json(self, direction, begin):
        name, at = self.clock(begin)
        some = self.random.randrange
        rows = [[i and STEP_MS, "LR"[i % 2], direction, STEP_MS, 300 + some(40), 500 + some(80),
                 200 + some(100), some(2000), 30 + some(9)] for i in range(BATCH_STEPS)]
        return json.dumps({"v": 1, "boot": self.boot, "seq": self.seq, name: at,
                           "columns": COLUMNS, "rows": rows}, separators=(",", ":")).encode()

    def binary(self, direction, begin):
        name, at = self.clock(begin)
        head = struct.pack("<2sBBIIHHq", b"BS", 1, BATCH_STEPS, self.boot, self.seq,
                           name == "up", 0, at)
        return head + b"".join(
            struct.pack("<HBBHHHHbbBB", i and STEP_MS, 1 + i % 2 | DIRECTIONS[direction] << 2, 255,
                        STEP_MS, 2 * STEP_MS, 300 + self.random.randrange(40),
                        500 + self.random.randrange(80), 4, 10, 30, 0)
            for i in range(BATCH_STEPS))

    # ---- the link ----

    def send(self, first, body):
        self.writer.write(bytes([first]) + mqtt.varint(len(body)) + body)

    def publish(self, rest, payload, batch, retain=False):
        self.last_id = self.last_id % 65535 + 1
        self.in_flight[self.last_id] = batch
        self.send(mqtt.PUBLISH << 4 | 2 | retain,
                  mqtt.text(f"{self.world.root}/device/{self.name}/{rest}") +
                  struct.pack(">HB", self.last_id, 0) + payload)

    def send_waiting(self):
        while self.writer and self.waiting and len(self.in_flight) < WINDOW:
            batch = self.waiting.popleft()
            self.publish("steps", batch.payload, batch)

    def take(self, packet):
        if packet.type == mqtt.CONNACK:
            if packet.body[1]:
                raise ConnectionRefusedError(f"the broker refuses: reason {packet.body[1]}")
            self.publish("birth", b'{"kind":"foot","battery_pct":80}', None, retain=True)
            self.send_waiting()
        elif packet.type == mqtt.PUBACK:
            self.judge(packet.body[2:3])
            self.acknowledge(self.in_flight.pop(packet.acknowledged_id()))
            self.send_waiting()

    def judge(self, reason):
        if reason == NO_SUBSCRIBERS:
            raise Failure(f"the broker has nobody to give {self.name}'s steps to")
        if reason >= b"\x80":
            raise Failure(f"the broker refused what {self.name} published: reason {reason[0]}")

    def acknowledge(self, batch):
        if not batch:
            return
        if batch.acknowledged_at is None:
            self.world.count(batch.steps)
        batch.acknowledged_at = time.monotonic()
        self.remembered.append(batch)
        while self.remembered[0].acknowledged_at < batch.acknowledged_at - REMEMBERED_S:
            self.remembered.popleft()

    def drop_link(self):
        """What was in flight may have arrived or not."""
        if self.writer:
            self.writer.close()
        self.writer = None
        self.waiting.extendleft(batch for batch in reversed(self.in_flight.values()) if batch)
        self.in_flight = {}

    def send_again(self, since):
        """All that was acknowledged from then on."""
        again = [batch for batch in self.remembered if batch.acknowledged_at >= since]
        self.waiting.extendleft(reversed(again))
        self.remembered = collections.deque(
            batch for batch in self.remembered if batch.acknowledged_at < since)
        self.send_waiting()
        return len(again)

    async def converse(self, reader, writer):
        splitter, self.writer = mqtt.Splitter(), writer
        self.send(mqtt.CONNECT << 4, mqtt.text("MQTT") + bytes([5, 2]) + b"\0\0\0" +
                  mqtt.text(self.name))
        while data := await reader.read(1 << 16):
            for packet in splitter.feed(data):
                self.take(packet)

    async def live(self):
        context = self.world.context(self)
        while True:
            try:
                await self.converse(*await asyncio.wait_for(asyncio.open_connection(
                    "127.0.0.1", self.world.port, ssl=context, server_hostname="localhost"), 20))
            except (OSError, ssl.SSLError, asyncio.TimeoutError):
                pass
            finally:
                self.drop_link()
            await asyncio.sleep(self.random.uniform(0.2, 1))


class Wearables:
    """All of them. Methods may be called from any thread."""

    def __init__(self, port, root, seed, count, context):
        """`context`: gives a device's SSLContext."""
        self.port, self.root, self.seed, self.context = port, root, seed, context
        self.wall_ms = time.time_ns() // 1_000_000
        self.all = [Wearable(self, number) for number in range(count)]
        self.acknowledged = 0  # steps, each once
        self.history = [(time.monotonic(), 0)]  # (when, steps acknowledged by then)
        self.walking = False
        self.error = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def run(self):
        try:
            self.loop.run_until_complete(self.live())
        except BaseException as error:  # it is the other thread's to raise
            self.error = error

    async def live(self):
        self.ended = asyncio.Event()
        tasks = [asyncio.create_task(each.live()) for each in self.all]
        tasks += [asyncio.create_task(self.walk()), asyncio.create_task(self.ended.wait())]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in rest:
            each.cancel()
        await asyncio.wait(rest)
        for each in done:
            each.result()

    async def walk(self):
        """One after the other, so that each has its turn every two seconds."""
        turn = 0
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0, due - time.monotonic()))
            if self.walking:
                self.all[turn].walk(time.time_ns() // 1_000_000)
                turn = (turn + 1) % len(self.all)
            else:
                due = time.monotonic()  # nothing to catch up with later
            due += BATCH_S / len(self.all)

    def count(self, steps):
        self.acknowledged += steps
        now = time.monotonic()
        if now - self.history[-1][0] < 0.05:
            self.history[-1] = (self.history[-1][0], self.acknowledged)
        else:
            self.history.append((now, self.acknowledged))

    def call(self, function):
        """Its result, of the wearables' own thread."""
        async def calling():
            return function()

        self.check()
        return asyncio.run_coroutine_threadsafe(calling(), self.loop).result(30)

    def check(self):
        if self.error:
            raise Failure(f"the wearables: {self.error!r}")

    def connected(self):
        self.check()
        return sum(each.writer is not None for each in self.all)

    def send_again(self, since):
        return self.call(lambda: sum(each.send_again(since) for each in self.all))

    def open_batches(self):
        return self.call(lambda: sum(
            len(each.waiting) + sum(batch is not None for batch in each.in_flight.values())
            for each in self.all))

    def stop(self):
        if self.thread.is_alive() and not self.error:
            self.loop.call_soon_threadsafe(lambda: self.ended.set())
            self.thread.join(20)

    def totals(self):
        """{member: {direction: steps}}"""
        return {each.member: dict(each.steps) for each in self.all if each.steps}

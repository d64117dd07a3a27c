"""The wearables of a random class: what they see of a member's contacts, how they put it into
messages, and what happens to those on their way. Must never know what comes of them.
"""

import json
import struct
import zlib
from dataclasses import dataclass, replace

from random_documents import Message

BATCH_GAP_MAX_MS = 60_000
COARSE_MS = 40  # a clock that gives many events the same time, and as many the same distance
UP_DELAY_MS = 20  # of each message of an `up` clock, so that its offset stays
OF_KIND = {
    "foot": ("step_ms", "stride_ms", "contact_ms", "step_mm", "stride_mm", "pitch_cdeg",
             "impact_g16"),
    "trunk": ("step_ms", "stride_ms", "step_mm", "trunk_cdeg", "vo_mm", "quality"),
    "wrist": ("step_ms", "stride_ms", "quality"),
    "chest": ("step_ms", "step_mm", "trunk_cdeg", "vo_mm")}
KITS = [["trunk"], ["L"], ["L", "R"], ["L", "R", "trunk"], ["L", "R", "trunk", "wrist"],
        ["trunk", "wrist"], ["trunk", "chest"], ["L", "trunk"]]
KITS_WITHOUT_FUSING = [["trunk"], ["L"], ["L", "R"], ["chest"]]


@dataclass
class Wearable:
    name: str
    kind: str
    side: str
    fields: tuple
    has_birth: bool = True
    names_foot: bool = True
    names_direction: bool = True
    error_ms: int = 0  # of its clock
    coarse_ms: int = 1  # what its clock counts in
    uses_up: bool = False
    born: int = 0  # when it was powered up
    form: str = "single"
    batch: int = 1
    boots: int = 1
    floods: bool = False
    bounces: bool = False  # one contact now and then is two events
    odd: bool = False  # now and then it says something strange
    stores: bool = False

    def birth(self, at):
        body = {"kind": self.kind, "battery_pct": 80}
        if self.side != "U":
            body["side"] = self.side
        return Message(at, f"device/{self.name}/birth", json.dumps(body), at)


def draw_wearable(rng, name, kind, side, way, coarse_ms):
    fields = tuple(each for each in OF_KIND[kind] if rng.random() < 0.7)
    w = Wearable(name, kind, side, fields, has_birth=rng.random() < 0.7)
    w.names_foot = kind == "foot" and (not w.has_birth or rng.random() < 0.6)
    w.names_direction = kind != "wrist" and rng.random() < 0.85
    w.form = rng.choice(["single", "single", "batch", "binary"])
    w.batch = 1 if w.form == "single" or way == "shuffled" else rng.randint(1, 12)
    w.stores = way != "shuffled" and rng.random() < 0.15
    if way == "any":
        w.error_ms = rng.choice([0, 0, rng.randint(-30, 30), rng.randint(0, 60)])
        w.coarse_ms = coarse_ms
        w.uses_up = rng.random() < 0.15
        w.stores = w.stores and not w.uses_up
        w.boots = rng.choices([1, 2, 20], [30, 4, 1])[0]
        w.floods, w.odd = rng.random() < 0.015, rng.random() < 0.3
        w.bounces = rng.random() < (0.1 if coarse_ms < COARSE_MS else 0.8)
    return w


def draw_wearables(rng, member, way, coarse_ms):
    """1 to 4 devices. Where order must not matter, none whose events are fused, and pods that name
    their foot."""
    found = []
    for each in rng.choice(KITS if way == "any" else KITS_WITHOUT_FUSING):
        kind, side = ("foot", each) if each in "LR" else (each, "U")
        w = draw_wearable(rng, f"{member}-{each}", kind, side, way, coarse_ms)
        if way != "any":
            w.names_foot = kind == "foot"
        if way == "permuted" and "step_ms" not in w.fields:
            w.fields += ("step_ms",)
        found.append(w)
    return found


class Sender:
    """One wearable's events, packed into messages and sent."""

    def __init__(self, rng, wearable, settings, way):
        self.rng, self.w, self.settings, self.way = rng, wearable, settings, way
        self.seq, self.boot, self.sent = rng.randint(0, 50), rng.randint(1, 2**32 - 1), []

    # Events.

    def event_fields(self, contact):
        rng, names = self.rng, self.w.fields
        fields = {name: contact.fields[name] for name in names
                  if rng.random() < 0.97 or self.way == "permuted"}
        if self.w.odd and names and rng.random() < 0.05:
            fields[rng.choice(names)] = rng.choice([0, -7, 65535, 582.5])
        return fields

    def event(self, contact):
        """(seq, time, keys) of a contact; None: it is lost."""
        rng, w = self.rng, self.w
        self.seq += 1
        if rng.random() < 0.02:
            return None
        keys = self.event_fields(contact)
        if w.names_foot:
            keys["foot"] = contact.foot
        if w.names_direction:
            keys["dir"] = contact.direction
        if w.odd and rng.random() < 0.03:
            keys[rng.choice(["foot", "dir"])] = rng.choice(["Q", "U", 7])
        return self.seq, (contact.time + w.error_ms) // w.coarse_ms * w.coarse_ms, keys

    def seen(self, contacts):
        """What the wearable takes for contacts."""
        for contact in contacts:
            if self.w.side in ("U", contact.foot) and self.rng.random() < 0.985:
                yield contact
                if self.w.bounces and self.rng.random() < 0.3:
                    foot = self.rng.choice([contact.foot, contact.foot, "L", "R"])
                    yield replace(contact, time=contact.time + self.rng.randint(0, 6) * 20,
                                  foot=foot)

    def send(self, contacts):
        rng, w, events = self.rng, self.w, []
        seen = list(self.seen(contacts))
        reboots = set(rng.sample(range(len(seen)), min(w.boots - 1, len(seen))))
        for number, contact in enumerate(seen):
            if number in reboots:
                self.flush(events)
                self.boot, self.seq = rng.randint(1, 2**32 - 1), rng.randint(0, 3)
                w.born += rng.randint(0, 5)
            event = self.event(contact)
            if event is None or \
                    events and not 0 <= event[1] - events[-1][1] <= BATCH_GAP_MAX_MS:
                self.flush(events)
            if event is not None:
                events.append(event)
            if len(events) >= w.batch:
                self.flush(events)
        self.flush(events)
        return self.sent

    # Messages.

    def flush(self, events):
        if not events:
            return
        stored = self.w.stores and self.rng.random() < 0.4
        topic, payload = f"device/{self.w.name}/steps", self.pack(events, stored)
        newest = events[-1][1] - self.w.error_ms
        arrival = newest + self.delay(newest) + (self.rng.choice([0, 5000, 60000]) if stored else 0)
        self.sent.append(Message(arrival, topic, payload, newest))
        if self.rng.random() < 0.03:
            again = arrival + self.rng.randint(0, 4000)
            self.sent.append(Message(again, topic, payload, newest))
        events.clear()

    def delay(self, newest):
        if not self.w.uses_up:
            return self.latency()
        more = self.sent and self.rng.random() < 0.05
        return UP_DELAY_MS + self.w.error_ms + (self.rng.randint(0, 6000) if more else 0)

    def latency(self):
        """What delays a message, ms."""
        rng, reorder = self.rng, self.settings["reorder_ms"]
        lateness = self.settings["allowed_lateness_s"] * 1000
        if self.way == "shuffled":
            return rng.randint(0, reorder - 1)
        if self.way == "permuted":
            return rng.randint(0, 2000 if rng.random() < 0.7 else lateness // 2)
        drawn = rng.random()
        if drawn < 0.06:
            return rng.randint(0, reorder)
        if drawn < 0.09:
            return rng.randint(reorder, reorder + 3000)
        if drawn < 0.10:
            return rng.randint(lateness, lateness + 2000 * self.settings["window_s"])
        return rng.randint(0, 80)

    # Forms.

    def pack(self, events, stored):
        if self.w.uses_up:
            events = [(seq, time - self.w.born, keys) for seq, time, keys in events]
        if self.w.form == "binary":
            return self.pack_binary(events, stored)
        base = "up" if self.w.uses_up else "t"
        top = {"v": 1, "boot": self.boot, "seq": events[0][0], base: events[0][1]}
        if stored:
            top["stored"] = True
        if self.w.odd and self.rng.random() < 0.02:
            return self.spoil(top)
        if len(events) == 1 and self.rng.random() < 0.8:
            return json.dumps({**top, **events[0][2]})
        return pack_batch(top, events)

    def spoil(self, top):
        return self.rng.choice([
            json.dumps({**top, "v": 2}), json.dumps(top)[:-1], json.dumps({**top, "seq": -1}),
            json.dumps({**top, "strange": [1, {"a": None}]})])

    def pack_binary(self, events, stored):
        checked = self.rng.random() < 0.5
        flags = self.w.uses_up + 2 * stored + 4 * checked
        body = struct.pack("<2sBBIIHHq", b"BS", 1, len(events), self.boot, events[0][0], flags, 0,
                           events[0][1])
        for gap, keys in gaps(events):
            body += binary_record(gap, keys)
        if checked:
            body += struct.pack("<I", zlib.crc32(body))
        return "hex:" + body.hex()


def gaps(events):
    """(ms since the event before, keys) of each."""
    before = events[0][1]
    for _seq, time, keys in events:
        yield time - before, keys
        before = time


def pack_batch(top, events):
    names = sorted({name for _seq, _time, keys in events for name in keys})
    table = [[gap, *(keys.get(name) for name in names)] for gap, keys in gaps(events)]
    return json.dumps({**top, "columns": ["dt_ms", *names], "rows": table})


def binary_record(gap, keys):
    def number(name, unknown, unit=1, low=0, high=65535):
        value = keys.get(name)
        return min(max(int(value) // unit, low), high) if value is not None else unknown

    foot = {"L": 1, "R": 2, "Q": 3}.get(keys.get("foot"), 0)
    direction = max("XFBLRUDTN".find(str(keys.get("dir", "X"))), 0)
    code = foot | direction << 2 | (0x40 if keys.get("quality", 99) < 10 else 0)
    return struct.pack(
        "<HBBHHHHbbBB", gap, code, number("impact_g16", 255, high=254), number("step_ms", 65535),
        number("stride_ms", 65535), number("contact_ms", 65535), number("step_mm", 65535),
        number("trunk_cdeg", -128, 50, -127, 127), number("pitch_cdeg", -128, 100, -127, 127),
        number("vo_mm", 255, high=254), 0)


FLOOD_REORDER_MIN_MS = 2000  # with less they do not wait for each other


def flood(rng, wearable, at):
    """More steps than may wait, within two seconds; each message is older than the one before, so
    that the last ones come when some had to pass."""
    for number in range(5):
        rows = [[rng.randint(1, 5), rng.choice("LLR")] for _ in range(130)]
        body = {"v": 1, "boot": 77, "seq": 1 + 130 * number, "t": at - 800 - 200 * number,
                "columns": ["dt_ms", "foot"], "rows": rows}
        yield Message(at + number, f"device/{wearable.name}/steps", json.dumps(body), at)

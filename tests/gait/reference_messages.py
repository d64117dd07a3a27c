"""What the three forms of a step message say, read from the published interface alone, and which
seq of a boot were seen.

Slow and plain. Must never know what becomes of an event, nor share a line with the daemon's code.
"""

import json
import struct
import zlib
from dataclasses import dataclass, field

RANGES = {"step_ms": (140, 2200), "stride_ms": (300, 3000), "contact_ms": (50, 3000),
          "step_mm": (30, 3000), "stride_mm": (100, 5500), "trunk_cdeg": (-4500, 6000),
          "pitch_cdeg": (-6000, 6000), "vo_mm": (0, 300), "impact_g16": (0, 256),
          "quality": (0, 100)}
IDENTITY = {"v": (1, 1), "boot": (0, 2**32 - 1), "seq": (0, 2**32 - 1), "t": (-2**53, 2**53),
            "up": (-2**53, 2**53)}
LETTERS = {"foot": "LRU", "dir": "FBLRUDTNX"}
UNKNOWN = {"foot": "U", "dir": "X"}
BYTES_MAX, EVENTS_MAX, GAP_MAX = 65536, 256, 3_600_000
BINARY_DIRECTIONS = "XFBLRUDTN"


class Rejected(Exception):
    """The whole message is; the text is the reason."""


@dataclass
class Row:
    """One event as its message tells it; time is of the message's own base."""
    seq: int
    time: int
    foot: str = "U"
    direction: str = "X"
    fields: dict = field(default_factory=dict)


@dataclass
class Message:
    boot: int
    uses_up: bool
    stored: bool
    rows: list
    dropped: int = 0  # optional values that were: field_out_of_range
    unknown: bool = False  # it had keys that nobody knows


def is_whole(value, low, high):
    return type(value) is int and low <= value <= high


def decode(payload):
    if len(payload) > BYTES_MAX:
        raise Rejected("too_large")
    if payload[:2] == b"BS":
        return decode_binary(payload)
    try:
        message = json.loads(payload.decode(), object_pairs_hook=take_pairs)
    except ValueError:
        raise Rejected("malformed") from None
    if not isinstance(message, dict):
        raise Rejected("malformed")
    return decode_batch(message) if "columns" in message or "rows" in message \
        else decode_single(message)


def take_pairs(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Rejected("schema")
    return found


# --- JSON ---------------------------------------------------------------------------------------

def identity(message):
    """(boot, seq, time, uses_up)"""
    bases = [key for key in ("t", "up") if key in message]
    for key in ("v", "boot", "seq", *bases):
        if not is_whole(message.get(key), *IDENTITY[key]):
            raise Rejected("schema")
    if len(bases) != 1:
        raise Rejected("schema")
    return message["boot"], message["seq"], message[bases[0]], bases == ["up"]


def read_stored(message, top):
    value = top.get("stored", False)
    if not isinstance(value, bool):
        message.dropped += 1
    message.stored = value is True


def take_value(message, row, key, value):
    """One optional value of a step, or nothing but a count."""
    if key in LETTERS:
        good = isinstance(value, str) and len(value) == 1 and value in LETTERS[key]
        setattr(row, "foot" if key == "foot" else "direction", value if good else UNKNOWN[key])
    else:
        good = is_whole(value, *RANGES[key])
        if good:
            row.fields[key] = value
    message.dropped += not good


def decode_single(top):
    boot, seq, time, uses_up = identity(top)
    row = Row(seq, time)
    message = Message(boot, uses_up, False, [row])
    read_stored(message, top)
    for key, value in top.items():
        if key in RANGES or key in LETTERS:
            take_value(message, row, key, value)
        elif key not in IDENTITY and key != "stored":
            message.unknown = True
    return message


def check_columns(columns):
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise Rejected("schema")
    known = [name for name in columns if name in RANGES or name in LETTERS or name == "dt_ms"]
    if len(set(known)) != len(known) or "dt_ms" not in columns \
            or any(name in IDENTITY or name == "stored" for name in columns):
        raise Rejected("schema")


def decode_batch(top):
    boot, seq, time, uses_up = identity(top)
    columns, rows = top.get("columns"), top.get("rows")
    check_columns(columns)
    if not isinstance(rows, list) or not rows:
        raise Rejected("schema")
    if len(rows) > EVENTS_MAX:
        raise Rejected("too_large")
    message = Message(boot, uses_up, False, [])
    read_stored(message, top)
    known = set(IDENTITY) | {"stored", "columns", "rows"}
    message.unknown = not set(top) <= known or \
        any(name not in RANGES and name not in LETTERS and name != "dt_ms" for name in columns)
    for number, cells in enumerate(rows):
        if not isinstance(cells, list) or len(cells) != len(columns):
            raise Rejected("schema")
        gap = cells[columns.index("dt_ms")]
        if not is_whole(gap, 0, GAP_MAX) or seq + number > 2**32 - 1:
            raise Rejected("schema")
        time += gap
        row = Row(seq + number, time)
        message.rows.append(row)
        for name, value in zip(columns, cells):
            if value is not None and (name in RANGES or name in LETTERS):
                take_value(message, row, name, value)
    return message


# --- binary -------------------------------------------------------------------------------------

HEADER, RECORD = struct.Struct("<2sBBIIHHq"), struct.Struct("<HBBHHHHbbBB")


def decode_binary(payload):
    if len(payload) < HEADER.size:
        raise Rejected("malformed")
    _magic, version, count, boot, seq, flags, reserved, time = HEADER.unpack_from(payload)
    has_sum = bool(flags & 4)
    if len(payload) != HEADER.size + RECORD.size * count + 4 * has_sum or count == 0:
        raise Rejected("malformed")
    if flags & ~7 or reserved:
        raise Rejected("malformed")
    if has_sum and struct.unpack("<I", payload[-4:])[0] != zlib.crc32(payload[:-4]):
        raise Rejected("malformed")
    message = Message(boot, bool(flags & 1), bool(flags & 2), [])
    for number in range(count):
        record = RECORD.unpack_from(payload, HEADER.size + RECORD.size * number)
        time += record[0]
        message.rows.append(read_record(message, Row(seq + number, time), record))
    if version != 1 or seq + count - 1 > 2**32 - 1:
        raise Rejected("schema")
    return message


def read_record(message, row, record):
    _gap, code, impact, step, stride, contact, length, trunk, pitch, vo, reserved = record
    if code & 0x80 or reserved:
        raise Rejected("malformed")
    foot, direction = code & 3, code >> 2 & 15
    take_value(message, row, "foot", "ULR?"[foot])
    take_value(message, row, "dir", (BINARY_DIRECTIONS + "???????")[direction])
    for key, value, unknown in (("impact_g16", impact, 255), ("step_ms", step, 65535),
                                ("stride_ms", stride, 65535), ("contact_ms", contact, 65535),
                                ("step_mm", length, 65535), ("trunk_cdeg", 50 * trunk, -6400),
                                ("pitch_cdeg", 100 * pitch, -12800), ("vo_mm", vo, 255)):
        if value != unknown:
            take_value(message, row, key, value)
    if code & 0x40:
        row.fields["quality"] = 0
    return row


# --- boots --------------------------------------------------------------------------------------

UP_SPAN_MS = 60_000


class UpClock:
    """Where time since power-up lies on the wall clock: the least delay of the last minute."""

    def __init__(self):
        self.heard, self.offset = [], None

    def recent(self, now):
        return [each for each in self.heard if now - each[0] <= UP_SPAN_MS]

    def hear(self, now, offset):
        self.heard = self.recent(now)
        if self.offset is not None and not self.heard:
            self.heard.append((now, self.offset))
        self.heard.append((now, offset))
        self.offset = min(each[1] for each in self.heard)

    def at(self, now):
        """wall − up, or None where nothing was heard yet."""
        return min((each[1] for each in self.recent(now)), default=self.offset)


LOST_MAX = 4096


class Boot:
    def __init__(self):
        self.seen, self.highest, self.clock = set(), None, UpClock()
        self.heard, self.uses_up, self.may_be_forgotten = None, False, False
        self.latest = None  # event time among its accepted events

    def mark(self, seq):
        """How many were lost before it; None: it was seen already."""
        if seq in self.seen:
            return None
        self.seen.add(seq)
        before = self.highest
        self.highest = seq if before is None else max(seq, before)
        lost = 0 if before is None else seq - before - 1
        return lost if 0 < lost <= LOST_MAX else 0

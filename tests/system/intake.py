"""Reads a daemon's intake log from its files: a second reader of the drawn format.

Only for logs that nobody writes. Written from the drawing in edge/log.h and base/record.h and not
from the daemon's code; must never be used to mend one.
"""

import json
import struct
import zlib
from pathlib import Path

HEADER = struct.Struct("<6sHQQ")  # "BSLOG\0", format, first position, segment bytes
HEADER_BYTES = 64
RECORD = struct.Struct("<IIQqBBHI")  # CRC-32, body length, position, tick, type, flags, 0, 0
START, CLOCK, MESSAGE, RETAINED = 1, 3, 4, 1


def records(path):
    """(type, flags, tick, body) of a segment's records up to its clean end; damage is a
    ValueError."""
    data = Path(path).read_bytes()
    magic, _, first, _ = HEADER.unpack_from(data)
    if magic != b"BSLOG\0" or zlib.crc32(data[:60]) != struct.unpack_from("<I", data, 60)[0]:
        raise ValueError(f"{path}: not a segment")
    at = HEADER_BYTES
    while at + RECORD.size <= len(data):
        crc, length, position, tick, kind, flags, _, _ = RECORD.unpack_from(data, at)
        if kind == 0:
            return
        end = at + RECORD.size + length
        if end > len(data) or zlib.crc32(data[at + 4:end]) != crc:
            raise ValueError(f"{path}: bad record at {at}")
        if position != first + at - HEADER_BYTES:
            raise ValueError(f"{path}: record at {at} says position {position}")
        yield kind, flags, tick, data[at + RECORD.size:end]
        at = end + -end % 8


def arrivals(folder):
    """(wall time in ms, topic, payload, retained) of every message in the log, in its order."""
    offset = None
    for path in sorted(Path(folder).glob("intake-*.seg")):
        for kind, flags, tick, body in records(path):
            if kind == CLOCK or kind == START and offset is None:
                offset = struct.unpack_from("<q", body, 8 if kind == START else 0)[0]
            if kind != MESSAGE:
                continue
            topic_bytes, correlation_bytes = struct.unpack_from("<HH", body)
            payload = 4 + topic_bytes + correlation_bytes
            yield tick + offset, body[4:4 + topic_bytes].decode(), body[payload:], \
                bool(flags & RETAINED)


def messages(folder):
    """(topic, payload, retained) of every message in the log, in its order."""
    for _at, topic, payload, retained in arrivals(folder):
        yield topic, payload, retained


def single_steps(folder):
    """(device, boot, seq) of every message that is one JSON step, repeats included."""
    for topic, payload, _retained in messages(folder):
        levels = topic.split("/")
        if levels[-1] == "steps":
            step = json.loads(payload)
            yield levels[-2], step["boot"], step["seq"]

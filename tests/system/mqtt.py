"""MQTT 5 and 3.1.1 as far as the tests need it: packets, and a small synchronous client.

The packets half also serves the proxy, which only listens. Must never grow into a client library:
what a test does not use is not here.
"""

import collections
import select
import socket
import struct
import time
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
CORRELATION_DATA = 0x09

# How the value of each MQTT 5 property is encoded: bytes of a number, or "text" (length + bytes),
# "pair" of such texts, "varint".
PROPERTY_FORMS = {
    0x01: 1, 0x02: 4, 0x03: "text", 0x08: "text", 0x09: "text", 0x0B: "varint", 0x11: 4,
    0x12: "text", 0x13: 2, 0x15: "text", 0x16: "text", 0x17: 1, 0x18: 4, 0x19: 1, 0x1A: "text",
    0x1C: "text", 0x1F: "text", 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: "pair",
    0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}


@dataclass
class Packet:
    type: int
    flags: int
    body: bytes

    def protocol_level(self):
        """Of a CONNECT: 5, or 4 for 3.1.1."""
        return self.body[6]

    def acknowledged_id(self):
        return struct.unpack_from(">H", self.body)[0]


@dataclass
class Message:
    topic: str
    payload: bytes
    retained: bool
    qos: int
    packet_id: int
    correlation: bytes


def varint(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (128 if value else 0))
        if not value:
            return bytes(out)


def read_varint(data, at):
    """(value, place behind it), or None where bytes are missing."""
    value = 0
    for digit in range(4):
        if at + digit >= len(data):
            return None
        byte = data[at + digit]
        value |= (byte & 127) << 7 * digit
        if byte < 128:
            return value, at + digit + 1
    raise ValueError("a length of more than four bytes")


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(value)) + value


class Splitter:
    """Turns a stream's pieces into packets."""

    def __init__(self):
        self.rest = bytearray()

    def feed(self, data):
        self.rest += data
        at = 0
        while length := read_varint(self.rest, at + 1) if at < len(self.rest) else None:
            size, body = length
            if body + size > len(self.rest):
                break
            yield Packet(self.rest[at] >> 4, self.rest[at] & 15, bytes(self.rest[body:body + size]))
            at = body + size
        del self.rest[:at]


def property_end(body, at, form):
    if form == "varint":
        return read_varint(body, at)[1]
    if isinstance(form, int):
        return at + form
    for _ in range(2 if form == "pair" else 1):
        at += 2 + struct.unpack_from(">H", body, at)[0]
    return at


def read_correlation(body, at):
    """(correlation data or None, place behind the properties)."""
    size, at = read_varint(body, at)
    end, found = at + size, None
    while at < end:
        name = body[at]
        value_end = property_end(body, at + 1, PROPERTY_FORMS[name])
        if name == CORRELATION_DATA:
            found = body[at + 3:value_end]
        at = value_end
    return found, end


def read_publish(packet, level):
    body, qos = packet.body, packet.flags >> 1 & 3
    topic_end = 2 + struct.unpack_from(">H", body)[0]
    topic, at, packet_id, correlation = body[2:topic_end].decode(), topic_end, 0, None
    if qos:
        packet_id, at = struct.unpack_from(">H", body, at)[0], at + 2
    if level == 5:
        correlation, at = read_correlation(body, at)
    return Message(topic, body[at:], bool(packet.flags & 1), qos, packet_id, correlation)


class Client:
    """One MQTT 5 connection; QoS 1 both ways. A lost connection is a ConnectionError."""

    WINDOW = 20

    def __init__(self, port, client_id="", tls=None, login=None):
        """`tls`: an SSLContext; `login`: (user, password)."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = self.socket.pending if tls else lambda: 0
        self.splitter = Splitter()
        self.inbox = collections.deque()
        self.unacknowledged = {}  # packet id → what publish() was given as `mark`
        self.acknowledged = []  # those marks, in the order of the PUBACKs
        self.refused = []  # those of them that came with a reason against it
        self.last_id = 0
        self.greeted = self.granted = False
        try:
            self.greet(client_id, login or ())
        except OSError:
            self.socket.close()
            raise

    def greet(self, client_id, login):
        clean_start, with_login = 0x02, 0xC0 if login else 0
        self.send(CONNECT << 4, text("MQTT") + bytes([5, clean_start | with_login]) + b"\0\0\0" +
                  text(client_id) + b"".join(text(each) for each in login))
        self.until(lambda: self.greeted, 10, "CONNACK")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        try:
            self.send(DISCONNECT << 4, b"")
        except OSError:
            pass
        self.socket.close()

    def send(self, first, body):
        self.socket.sendall(bytes([first]) + varint(len(body)) + body)

    def next_id(self):
        self.last_id = self.last_id % 65535 + 1
        return self.last_id

    def until(self, check, timeout, what):
        end = time.monotonic() + timeout
        while not check():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {what} within {timeout} s")
            self.pump(left)

    def pump(self, timeout):
        """Takes what the socket has, waiting at most `timeout` for it."""
        if not self.pending() and not select.select([self.socket], [], [], timeout)[0]:
            return
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the broker closed the connection")
        for packet in self.splitter.feed(data):
            self.take(packet)

    def take(self, packet):
        if packet.type == PUBLISH:
            message = read_publish(packet, 5)
            if message.qos:
                self.send(PUBACK << 4, struct.pack(">H", message.packet_id))
            self.inbox.append(message)
        elif packet.type == PUBACK:
            self.acknowledged.append(self.unacknowledged.pop(packet.acknowledged_id()))
            if packet.body[2:3] >= b"\x80":
                self.refused.append(self.acknowledged[-1])
        elif packet.type == CONNACK:
            if packet.body[1]:
                raise ConnectionRefusedError(f"the broker refuses: reason {packet.body[1]}")
            self.greeted = True
        elif packet.type == SUBACK:
            self.granted = True

    def start_publish(self, topic, payload, mark=None, retain=False, correlation=None):
        """Sends; waits only for room in the window. `mark` joins `acknowledged` in time."""
        self.until(lambda: len(self.unacknowledged) < self.WINDOW, 30, "room in the window")
        number = self.next_id()
        self.unacknowledged[number] = mark
        properties = b"" if correlation is None else bytes([CORRELATION_DATA]) + text(correlation)
        payload = payload.encode() if isinstance(payload, str) else payload
        self.send(PUBLISH << 4 | 2 | retain, text(topic) + struct.pack(">H", number) +
                  varint(len(properties)) + properties + payload)

    def flush(self, timeout=30):
        self.until(lambda: not self.unacknowledged, timeout, "PUBACK")

    def publish(self, topic, payload, **options):
        self.start_publish(topic, payload, **options)
        self.flush()

    def subscribe(self, pattern):
        self.granted = False
        self.send(SUBSCRIBE << 4 | 2, struct.pack(">HB", self.next_id(), 0) + text(pattern) + b"\1")
        self.until(lambda: self.granted, 10, "SUBACK")

    def receive(self, timeout=10):
        """The next message, or None."""
        try:
            self.until(lambda: self.inbox, timeout, "message")
        except TimeoutError:
            return None
        return self.inbox.popleft()

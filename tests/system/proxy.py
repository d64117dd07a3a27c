"""A TCP proxy between daemon and broker that notes which steps the daemon acknowledged.

It changes no byte; where the broker is gone it closes, as the broker would do. An acknowledgement
counts once the daemon has sent it, whether or not the broker gets it. Must never answer for either
side.
"""

import contextlib
import socket
import threading

import mqtt
from processes import free_port


class Link:
    """One connection: what the broker published by packet id, until the daemon acknowledges it."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.level = 5
        self.open = {}
        self.lock = threading.Lock()

    def from_daemon(self, packet):
        if packet.type == mqtt.CONNECT:
            self.level = packet.protocol_level()
        elif packet.type == mqtt.PUBACK:
            with self.lock:
                message = self.open.pop(packet.acknowledged_id(), None)
            if message:
                self.proxy.acknowledged.append((message.topic, message.payload))

    def from_broker(self, packet):
        if packet.type == mqtt.PUBLISH:
            message = mqtt.read_publish(packet, self.level)
            if message.qos:
                with self.lock:
                    self.open[message.packet_id] = message


class Proxy:
    """Listens on a port of its own for as long as it is entered."""

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.port = free_port()
        self.acknowledged = []  # (topic, payload), in the order of the daemon's PUBACKs
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", self.port))

    @property
    def uri(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        for each in [self.listener, *self.sockets]:
            self.shut(each)

    @staticmethod
    def shut(each):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.broker_port))
            except OSError:
                self.shut(near)
                continue
            self.join(near, far)

    def join(self, near, far):
        link = Link(self)
        self.sockets += [near, far]
        for source, target, look in ((near, far, link.from_daemon), (far, near, link.from_broker)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(source, target, look), daemon=True).start()

    def pump(self, source, target, look):
        splitter = mqtt.Splitter()
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                # A PUBACK can come back only after its PUBLISH went out: look before passing on
                # what the broker says, so that the link knows the packet when it is acknowledged.
                for packet in splitter.feed(data):
                    look(packet)
                target.sendall(data)
        self.shut(target)
        self.shut(source)

"""A database of our own that answers as InfluxDB 2 or 3 does, byte for byte, and keeps what such a
server would have stored, in its order.

What is wrong with a line is decided by the line alone, so that a test can say beforehand what must
become of each. Must never store a line that it did not say it stored.
"""

import gzip
import http.server
import json
import sys
import threading
import time
import urllib.parse

NO_CONTENT = (204, {}, b"")


def parse_failure(line):
    """A bout of an odd member: no parser of theirs would take it."""
    return line.startswith("gait_bout,") and "member=guest-odd-" in line


def conflict(line):
    """A window of an odd member: some field has another type there."""
    return line.startswith("gait_window,") and "member=guest-odd-" in line


def expired(line):
    return ",stored=1" in line


def answer(status, document, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


def read_body(handler):
    """Of a known length, or in chunks: a compressed one's is not known before."""
    if "Content-Length" in handler.headers:
        return handler.rfile.read(int(handler.headers["Content-Length"]))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Who was answered may be gone: a daemon that reads its configuration again hangs up."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Exact(threading.Thread):
    """`judge(lines)` gives (answer, the lines that are stored); before it come the answers in
    `before`, one a request, each (answer or None for silence, stored later)."""

    def __init__(self, judge):
        super().__init__(daemon=True)
        self.judge, self.before, self.max_bytes = judge, [], None
        self.stored, self.requests = [], []
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # head and body in one piece

            def do_POST(self):
                outer.take(self)

            def log_message(self, *_arguments):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.start()

    def run(self):
        self.server.serve_forever(poll_interval=0.1)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, handler):
        body = read_body(handler)
        wire = len(body)
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines = body.decode().splitlines()
        with self.lock:
            self.requests.append((time.monotonic(), handler.path, dict(handler.headers), lines))
            said, stored, late = self.decide(lines, wire)
            if not late:
                self.stored += stored
        if late:  # nobody hears of it
            time.sleep(late)
            with self.lock:
                self.stored += stored
            handler.close_connection = True
            return
        self.reply(handler, said)

    def decide(self, lines, wire):
        """(answer, lines stored, seconds until they are, in silence)"""
        if self.before:
            said, late = self.before.pop(0)
            return said, lines if late else [], late
        if self.max_bytes and wire > self.max_bytes:
            return answer(413, {"code": "request too large", "message": "too large"}), [], 0
        said, stored = self.judge(lines)
        return said, stored, 0

    def reply(self, handler, said):
        status, headers, body = said
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def query(self, number=-1):
        """(path, parameters) of a request."""
        path, _, query = self.requests[number][1].partition("?")
        return path, dict(urllib.parse.parse_qsl(query))


def judge_as_v2(lines):
    """400: nothing is stored. 422: all but what is bad, and the message tells of one kind only."""
    if any(map(parse_failure, lines)):
        return answer(400, {"code": "invalid", "message": "unable to parse 'gait_bout,member=': x"}), []
    sound = [line for line in lines if not conflict(line) and not expired(line)]
    dropped = len(lines) - len(sound)
    if not dropped:
        return NO_CONTENT, lines
    reason = "field type conflict: input field \"contact_ms\" is type float, already exists as " \
        "type integer" if any(map(conflict, lines)) else "points beyond retention policy"
    return answer(422, {
        "code": "unprocessable entity",
        "message": f"failure writing points to database: partial write: {reason} "
                   f"dropped={dropped}"}), sound


def judge_as_v3(lines):
    """400 or 422 with a list: the named ones are not stored. With an object: nothing is."""
    bad = [number for number, line in enumerate(lines) if parse_failure(line) or conflict(line)]
    if not bad:
        return NO_CONTENT, lines
    named = [{"original_line": lines[number][:40], "line_number": number + 1,
              "error_message": "invalid column type for column 'contact_ms'"} for number in bad]
    first = lines[bad[0]]
    if "member=guest-odd-2" in first:
        return answer(400, {"error": "parsing failed for write_lp endpoint", "data": named[0]}), []
    status = 400 if parse_failure(first) else 422
    return answer(status, {"error": "partial write of line protocol occurred", "data": named}), \
        [line for number, line in enumerate(lines) if number not in bad]

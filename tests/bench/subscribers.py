"""What a message costs its subscriber: the daemon and a bare Paho client, fed by the same server.

Must never read a clock other than the CPU clock of the process that is measured.
"""

import json
import os
import select
import statistics
import subprocess
import time
from pathlib import Path

from processes import Failure, Scene

SITE = "bench"
DEVICES = 1000
WARM_STEPS = 4 * DEVICES
# Behind the last message: its step passes after 2 s (reorder_ms), its bout is over 3 s later
# (bout_gap_ms), and what was written then reaches the file up to 1 s later (flush_ms). What the
# daemon does meanwhile belongs to the messages.
SETTLE_S = 6.4


def cpu_seconds(pid):
    """The CPU clock of another process: see clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def own_seconds(pid):
    """Of that, what threads other than the MQTT library's used: the loop and the logs."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if not (thread / "comm").read_text().startswith("MQTTAsync"):
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


class Feed:
    """The server; it ends when we do."""

    def __init__(self, build, messages, rate=0, site=SITE):
        command = [Path(build) / "tests" / "bench_feed", "-n", messages, "-r", rate, "-d", DEVICES,
                   site]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.text = b""
        self.port = int(self.expect("port"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()

    def expect(self, word, timeout=120):
        """Waits for the mark `word` and gives what stands behind it."""
        end = time.monotonic() + timeout
        while b"\n" not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"the feed says no {word!r} within {timeout} s")
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                raise Failure("the feed ended")
            self.text += piece
        line, _, self.text = self.text.partition(b"\n")
        found, _, rest = line.decode().partition(" ")
        if found != word:
            raise Failure(f"the feed says {found!r} instead of {word!r}: {rest[:200]}")
        return rest

    def go(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()


def start_drop(scene, build, feed):
    return scene.start("drop", [Path(build) / "tests" / "bench_drop", feed.port, SITE])


def write_daemon_conf(path, folder, port, site=SITE):
    path.write_text(f"[site]\nid = {site}\n[mqtt]\nuri = mqtt://127.0.0.1:{port}\n"
                    f"[journal]\ndirectory = {folder}\n[output]\nfile = /dev/null\n")


def start_daemon(scene, build, feed):
    conf = scene.folder / "backstepd.conf"
    write_daemon_conf(conf, scene.folder / "state", feed.port)
    return scene.start("backstepd", [Path(build) / "backstepd", "--config", conf])


def stop_and_read_books(child, feed):
    """The books of the last document, which the daemon publishes when it is told to stop."""
    child.terminate()
    document = json.loads(feed.expect("service"))
    if document.get("state") != "offline":
        raise Failure(f"no document of an orderly stop: {json.dumps(document)[:300]}")
    return document["books"]


def cpu_per_message(build, start, messages, rate):
    """(µs of CPU per message, µs of it beside the MQTT library's threads, messages a second). A
    daemon that did not count every step fails."""
    with Scene("backstep-bench-") as scene, Feed(build, messages, rate) as feed:
        child = start(scene, build, feed)
        feed.expect("ready")
        time.sleep(SETTLE_S)
        before, own_before = cpu_seconds(child.pid), own_seconds(child.pid)
        feed.go()
        took = float(feed.expect("end"))
        time.sleep(SETTLE_S)
        cpu, own = cpu_seconds(child.pid) - before, own_seconds(child.pid) - own_before
        if start is start_daemon:
            counted = stop_and_read_books(child, feed)["steps_counted"]
            if counted != WARM_STEPS + messages:
                raise Failure(f"{WARM_STEPS + messages} steps were sent, {counted} counted")
        return cpu / messages * 1e6, own / messages * 1e6, messages / took


def compare(build, messages, rate, pairs):
    """Interleaved, so that what else the machine does meets both."""
    runs = []
    for _ in range(pairs):
        drop, _, _ = cpu_per_message(build, start_drop, messages, rate)
        daemon, own, per_s = cpu_per_message(build, start_daemon, messages, rate)
        runs.append({"drop_us": round(drop, 2), "daemon_us": round(daemon, 2),
                     "daemon_own_us": round(own, 2), "ratio": round(daemon / drop, 3),
                     "daemon_per_s": round(per_s)})
    median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {**median, "messages": messages, "pairs": runs}

"""backstepd and backstepctl as the tests drive them.

The daemon's state folder and configuration live in the scene's folder and outlast its process.
Must never look into the daemon other than an operator could: its documents, its log, its exit
status.
"""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from processes import Failure, wait_until


def write_conf(path, sections):
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
    Path(path).write_text("\n".join(lines) + "\n")


class Daemon:
    """One site's daemon: start it, kill it, ask it."""

    def __init__(self, scene, build, mqtt_uri, influx_url=None, site="test", name="backstepd",
                 **sections):
        self.scene, self.site, self.name = scene, site, name
        self.program = Path(build) / "backstepd"
        self.state_reader = Path(build) / "tests" / "journal_state"
        self.state = scene.folder / f"{name}-state"
        self.state.mkdir(mode=0o700)
        self.conf = scene.folder / f"{name}.conf"
        self.sections = {
            "site": {"id": site},
            "mqtt": {"uri": mqtt_uri},
            "journal": {"directory": self.state},
        }
        if influx_url:
            self.sections["influxdb"] = {"url": influx_url, "flush_ms": 200}
        for section, keys in sections.items():
            self.sections.setdefault(section, {}).update(keys)
        write_conf(self.conf, self.sections)
        self.environment = {"STATE_DIRECTORY": str(self.state)}
        self.child = None

    def topic(self, rest):
        return f"backstep/v1/{self.site}/{rest}"

    def start(self):
        self.child = self.scene.start(self.name, [self.program, "--config", self.conf],
                                      env=self.environment, cwd=self.state)
        return self

    def start_online(self, broker, timeout=30):
        self.start()
        self.wait_online(broker, timeout)
        return self

    def kill(self):
        self.child.kill()

    def kill_running(self):
        """A kill that finds it dead already is a failure: it had ended by itself."""
        if not self.child.running():
            raise Failure(f"backstepd had ended by itself with {self.child.process.returncode}")
        self.kill()

    def expect_running(self):
        if not self.child.running():
            raise Failure(f"backstepd ended by itself with {self.child.process.returncode}")

    def stop(self, timeout=20):
        """An orderly end; anything but exit status 0 is a failure."""
        status = self.child.terminate(timeout)
        if status != 0:
            raise Failure(f"backstepd ended with {status} after SIGTERM")

    def freeze(self):
        self.child.signal(signal.SIGSTOP)

    def thaw(self):
        self.child.signal(signal.SIGCONT)

    def anonymous_bytes(self):
        """Memory of the process's own: pages of its mapped logs belong to the kernel."""
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB$", text, re.M)[1]) * 1024

    def is_sanitized(self):
        """A sanitizer keeps what was freed, for a while."""
        program = self.program.read_bytes()
        return b"__asan_init" in program or b"__tsan_init" in program

    def log_text(self):
        return self.child.text() if self.child else ""

    def folded(self):
        """(what is in force, the books) as text: the intake log, folded by the engine itself."""
        done = subprocess.run([self.state_reader, self.state, self.site], timeout=60,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"journal_state ended with {done.returncode}: {done.stderr}")
        lines = done.stdout.splitlines(keepends=True)
        return ("".join(line for line in lines if not line.startswith("books ")),
                {line.split()[1]: int(line.split()[2]) for line in lines
                 if line.startswith("books ")})

    def service(self, broker):
        """The retained document of the daemon about itself, or None."""
        with broker.client() as client:
            client.subscribe(self.topic("service/backstepd"))
            message = client.receive(2)
        return json.loads(message.payload) if message else None

    def wait_online(self, broker, timeout=30):
        def online():
            self.expect_running()
            document = self.service(broker)
            return document and document.get("pid") == self.child.pid \
                and document["state"] == "online" and document

        return wait_until(online, timeout, "backstepd says that it is online")

    def stop_for_books(self, broker):
        """Stops it; its last document has the final numbers."""
        pid = self.child.pid
        self.stop()
        document = self.service(broker)
        if not document or document.get("pid") != pid or document["state"] != "offline":
            raise Failure(f"no document of an orderly stop of {pid}, but {document}")
        return document["books"]

    def push(self, broker, kind, name, document, **options):
        """Pushes a configuration document, retained, and gives the daemon's answer to it."""
        with Operator(self, broker) as operator:
            return operator.push(kind, name, document, **options)

    def settings(self, broker, **values):
        with Operator(self, broker) as operator:
            operator.accept("settings", "site", {"unknown_devices": "guest", **values})


class Operator:
    """One connection that pushes and deletes documents and waits for each answer."""

    def __init__(self, daemon, broker):
        self.daemon = daemon
        self.client = broker.client()
        self.client.subscribe(daemon.topic("result/#"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.close()

    def publish_all(self, documents, retain=True, timeout=20):
        """The payloads of the daemon's answers to (kind, name, payload), in that order."""
        marks = [os.urandom(8) for _ in documents]
        for mark, (kind, name, payload) in zip(marks, documents):
            self.client.start_publish(self.daemon.topic(f"config/{kind}/{name}"), payload,
                                      retain=retain, correlation=mark)
        found, end = {}, time.monotonic() + timeout
        while not found.keys() >= set(marks) and time.monotonic() < end:
            message = self.client.receive(1)
            if message:
                found[message.correlation] = message.payload
        for mark, (kind, name, _payload) in zip(marks, documents):
            if mark not in found:
                raise Failure(f"no answer to config/{kind}/{name} within {timeout} s")
        return [found[mark] for mark in marks]

    def publish(self, kind, name, payload, **options):
        return self.publish_all([(kind, name, payload)], **options)[0]

    def push(self, kind, name, document, **options):
        payload = document if isinstance(document, (bytes, str)) else json.dumps(document)
        return json.loads(self.publish(kind, name, payload, **options))

    def accept_all(self, documents):
        """Pushes (kind, name, document), each of another place; all must be accepted."""
        payloads = [(kind, name, json.dumps(document)) for kind, name, document in documents]
        for (kind, name, _document), answer in zip(documents, self.publish_all(payloads)):
            if not json.loads(answer)["ok"]:
                raise Failure(f"{kind}/{name} was rejected: {answer}")

    def accept(self, kind, name, document, **options):
        """Pushes what must be accepted."""
        answer = self.push(kind, name, document, **options)
        if not answer["ok"]:
            raise Failure(f"{kind}/{name} was rejected: {answer}")
        return answer

    def delete(self, kind, name):
        answer = self.publish(kind, name, b"")
        if answer:
            raise Failure(f"deletion of {kind}/{name} was answered: {answer}")


class Sender:
    """backstepctl simulate or replay in the background, and the truth it leaves."""

    def __init__(self, scene, build, verb, broker, daemon, *arguments, name="sender", **options):
        self.truth_file = scene.folder / f"{name}-truth.json"
        command = [Path(build) / "backstepctl", verb, *arguments, "--uri", broker.uri,
                   "--site", daemon.site, "--truth", self.truth_file, "--quiet"]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), value]
        self.child = scene.start(name, command)

    def running(self):
        return self.child.running()

    def wait(self, timeout=300):
        status = self.child.wait(timeout)
        if status != 0:
            raise Failure(f"{self.child.name} ended with {status}: {self.child.text()[-2000:]}")
        return self.truth()

    def truth(self):
        return json.loads(self.truth_file.read_text())


def guest_totals(truth):
    """What the truth file says was sent, as {member: {direction: steps}} of guests."""
    return {
        f"guest-{device}": {
            direction: sent["steps"] for direction, sent in directions.items() if sent["steps"]
        } for device, directions in truth["sent"].items()
    }

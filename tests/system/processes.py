"""Processes and folders of a test or a demo: all private, all ended by pid, none left behind.

A scene owns one temporary folder and every process started in it, and undoes both when it is left,
however it is left. Must never end a process that it did not start.
"""

import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class Failure(AssertionError):
    """What was found is not what had to be there."""


def wait_until(check, timeout, what, pause=0.05):
    """Calls `check` until it gives something true, and gives that back."""
    end = time.monotonic() + timeout
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"not within {timeout} s: {what}")
        time.sleep(pause)


def free_port():
    """None of those that the kernel lends to connections: one of these might be gone when a server
    that was killed wants it back."""
    lent = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(10_000, lent if lent > 20_000 else 65_536)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def port_answers(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Child:
    """One process; what it says goes to a file of its own."""

    def __init__(self, name, command, log, env=None, cwd=None, outlive=False):
        self.name = name
        self.log = Path(log)
        # A session of its own: Ctrl-C in the terminal is ours to hand on, in the right order. Even
        # if we are killed it must not stay, unless that is what was asked for.
        leash = [] if outlive else ["setpriv", "--pdeathsig", "KILL", "--"]
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                leash + [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd,
                start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def wait(self, timeout):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} ({self.pid}) did not end within {timeout} s") from None

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.process.wait()

    def terminate(self, timeout=15):
        """SIGTERM, waits, and gives the exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def text(self):
        return self.log.read_text(errors="replace")


class Scene(contextlib.AbstractContextManager):
    """A temporary folder and the processes in it. Leaving it ends and removes all, unless kept."""

    def __init__(self, prefix="backstep-"):
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        self.children = []
        self.outlive = False  # processes started from now on survive a killed parent
        self.keep = False  # leaving the scene undoes nothing
        atexit.register(self.close)

    def __exit__(self, *exception):
        self.close()

    def start(self, name, command, **options):
        log = self.folder / f"{name}.log"
        child = Child(name, command, log, outlive=self.outlive, **options)
        self.children.append(child)
        return child

    def end(self, children):
        """The last started goes first: the daemon may still say goodbye to its broker."""
        for child in reversed(children):
            with contextlib.suppress(Failure):
                child.terminate(timeout=5)
            child.kill()

    def close(self):
        atexit.unregister(self.close)
        if self.keep:
            return
        with undisturbed():
            self.end(self.children)
            self.children = []
            shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self, lines=40):
        """The end of what each process said, for a failure's report."""
        for path in sorted(self.folder.rglob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            yield "\n".join([f"--- {path.name}"] + ["    " + line for line in tail])


@contextlib.contextmanager
def undisturbed():
    """A second Ctrl-C must not leave half of it behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def end_by_exception():
    """Being told to stop leaves every scene on the ordinary way out."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    # A shell's background job is started with this one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

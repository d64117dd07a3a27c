"""A network and mounts of a test's own: rules that lose packets, disks of a size that can be full.

The body runs in a forked process that has left the machine's namespaces; all that it made there
vanishes with it, however it ends. Must never change the machine's own network or mounts.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import time
import traceback
from pathlib import Path

from harness import Skip
from processes import Failure
from servers import find_program

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {done.returncode}: {done.stderr}")
    return done.stdout


def leave_the_machine():
    """Also without being root, where the kernel lets anybody have a user namespace."""
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWNET | (CLONE_NEWUSER if uid else 0)
    if LIBC.unshare(flags):
        raise Skip(f"no namespaces here: {os.strerror(ctypes.get_errno())}")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                           ("gid_map", f"0 {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text)
    try:
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "-o", "size=16m", "none", "/dev/shm")
        run("ip", "link", "set", "lo", "up")
    except Failure as error:
        raise Skip(f"no namespaces here: {error}") from None


def outcome_of(case, body):
    """(what to raise, its text, notes)"""
    try:
        leave_the_machine()
        body(case)
        return None, "", case.notes
    except Skip as reason:
        return Skip, str(reason), []
    except Failure as error:
        return Failure, str(error), []
    except Exception:
        return Failure, traceback.format_exc(), []
    finally:
        case.end(case.children)


def in_own_namespaces(case, body):
    """Runs body(case) in a process of its own; its failures and notes become ours."""
    for program in ("ip", "mount", "nft", "ss"):
        if not find_program(program):
            raise Skip(f"{program} is not installed")
    parent, (reading, writing) = os.getpid(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        run_as_child(case, body, parent, writing)
    os.close(writing)
    try:
        with open(reading, "rb") as pipe:
            said = pipe.read()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    kind, text, notes = pickle.loads(said) if said else (Failure, "its process died", [])
    case.notes += notes
    if kind:
        raise kind(text)


def run_as_child(case, body, parent, writing):
    """Never returns: what the parent has opened is the parent's to close."""
    status = 1
    try:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            os.write(writing, pickle.dumps(outcome_of(case, body)))
            status = 0
    finally:
        os._exit(status)


class Disk:
    """A tmpfs of its own. It is full once it is no larger than what it holds."""

    def __init__(self, folder, size_mb):
        self.folder, self.size = Path(folder), f"{size_mb}m"
        self.folder.mkdir(exist_ok=True)
        self.mount(self.size)

    def mount(self, size, how=""):
        """Both named: else the options that stand are given again, and only root may give these."""
        run("mount", "-t", "tmpfs", "-o", f"{how}size={size},mode=0700", "none", self.folder)

    def used_bytes(self):
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def fill(self):
        """Somebody may be writing: it cannot be made smaller than what it holds by then."""
        for _ in range(20):
            with contextlib.suppress(Failure):
                return self.mount(self.used_bytes(), "remount,")
            time.sleep(0.01)
        raise Failure(f"{self.folder} cannot be filled")

    def free(self):
        self.mount(self.size, "remount,")


class Wire:
    """What is lost on its way, between two programs that both call themselves 127.0.0.1."""

    EMPTY_SEGMENT_BYTES = 60  # an acknowledgement of TCP with its options

    def __init__(self):
        run("nft", "add table ip faults")
        run("nft", "add chain ip faults lost { type filter hook input priority 0 ; }")

    def lose(self, match):
        run("nft", "add rule ip faults lost ip saddr 127.0.0.1 ip daddr 127.0.0.1 "
            f"{match} counter drop")

    def cut(self, port):
        self.lose(f"tcp dport {port}")
        self.lose(f"tcp sport {port}")

    def lose_data_to(self, port):
        self.lose(f"tcp dport {port} ip length > {self.EMPTY_SEGMENT_BYTES}")

    def lose_short_data_from(self, port, at_most):
        """Of a server's: its answers, but not the certificates that it greets with."""
        self.lose(f"tcp sport {port} ip length > {self.EMPTY_SEGMENT_BYTES} "
                  f"ip length <= {at_most}")

    def lost_packets(self):
        words = run("nft", "list chain ip faults lost").split()
        return sum(int(after) for word, after in zip(words, words[1:]) if word == "packets")

    def mend(self):
        """How many packets were lost."""
        lost = self.lost_packets()
        run("nft", "flush chain ip faults lost")
        return lost

    def break_connections(self, port):
        """At both ends, with what they have not sent yet."""
        subprocess.run(["ss", "-K", "dst", "127.0.0.1", "dport", "=", str(port)],
                       capture_output=True, check=False)

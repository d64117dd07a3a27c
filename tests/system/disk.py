"""Disks of a test's own that fill, fail and come back, and who listens to what the daemon tells
systemd.

The mounts are in a namespace of this process and of what it starts. Must never touch a file system
that it did not mount.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

from harness import Skip
from processes import Failure

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
EXT4_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
WITHOUT_LOG = 2

libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace():
    """Once a process; its mounts are nobody else's from then on."""
    if getattr(enter_namespace, "done", False):
        return
    if libc.unshare(CLONE_NEWNS) != 0 or \
            libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) != 0:
        raise Skip(f"no mounts of our own: {os.strerror(ctypes.get_errno())}")
    enter_namespace.done = True


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Skip(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")


class Disk(contextlib.AbstractContextManager):
    """A tmpfs of so many MiB."""

    def __init__(self, folder, size_mb):
        enter_namespace()
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.size_mb = size_mb
        self.mount()

    def mount(self):
        run("mount", "-t", "tmpfs", "-o", f"size={self.size_mb}m,mode=0700", "none", self.folder)

    def unmount(self):
        run("umount", "-l", self.folder)

    def __exit__(self, *exception):
        self.unmount()

    @property
    def filler(self):
        return self.folder / "filler"

    def fill(self):
        """To the last block, and what others give back meanwhile."""
        with open(self.filler, "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\xff" * 4096)

    def free(self):
        self.filler.unlink()


class LoopDisk(Disk):
    """ext4 in a file: it can turn read-only under its users, and lose its power."""

    def __init__(self, folder, size_mb):
        self.image = Path(f"{folder}.ext4")
        with open(self.image, "wb") as file:
            file.truncate(size_mb << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        super().__init__(folder, size_mb)

    def mount(self):
        run("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)
        self.folder.chmod(0o700)

    def unmount(self):
        run("umount", self.folder)

    def turn_read_only(self):
        """As ext4 does by itself after an error in its journal: open files stay open."""
        run("mount", "-o", "remount,abort", self.folder)

    def cut_power(self):
        """What was not synced is gone, once it is mounted again."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(fd)

    def mend(self):
        """With nobody on it: as after a repair, or with power again."""
        self.unmount()
        done = subprocess.run(["fsck.ext4", "-p", "-f", self.image], capture_output=True, text=True,
                              check=False)
        if done.returncode > 2:
            raise OSError(errno.EIO, done.stdout)
        self.mount()


class Faults:
    """Errors on command, in a program that is started with libfaults.so (faults.c)."""

    def __init__(self, case, daemon):
        self.path = case.folder / "faults"
        library = case.build / "tests" / "libfaults.so"
        if not library.exists():  # the loader would go on without it
            raise Failure(f"{library} is missing: build the target `faults`")
        daemon.environment.update(LD_PRELOAD=str(library), BACKSTEP_FAULTS=str(self.path))
        daemon.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") \
            + ":verify_asan_link_order=0"

    def begin(self, *lines):
        """Lines of (call, error, a part of the path), or as one text."""
        text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.path)

    def end(self):
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def are_over(self):
        return not self.path.exists()


class Manager(threading.Thread):
    """Systemd's end of the notify socket: keeps the last STATUS, and reads all, so that nobody who
    tells has to wait."""

    def __init__(self, case, daemon):
        super().__init__(daemon=True)
        self.status, self.told = "", []
        path = case.folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        daemon.environment["NOTIFY_SOCKET"] = str(path)
        self.start()

    def run(self):
        while True:
            text = self.socket.recv(65536).decode()
            self.told.append(text)
            found = re.search("^STATUS=(.*)$", text, re.M)
            if found:
                self.status = found[1]

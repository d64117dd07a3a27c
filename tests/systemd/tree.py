"""The container's root: a minimal Debian of the host's release with what a machine that runs the
daemon has, made once and kept in the cache folder."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parents[1] / "packages.txt"
BESIDES = ["systemd", "systemd-sysv", "dbus"]
RECIPE = "1"  # another number makes every tree anew
MIRROR = "http://deb.debian.org/debian"


def release():
    """The code name of this machine's Debian; None where it is none."""
    fields = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines()
                  if "=" in line)
    if fields.get("ID", "").strip('"') != "debian":
        return None
    return fields.get("VERSION_CODENAME", "").strip('"') or None


def packages():
    rows = [line.split() for line in LIST.read_text().splitlines() if line.startswith("run ")]
    return BESIDES + [row[1] for row in rows if "optional" not in row]


def mirror(suite):
    """Where this machine's own packages come from."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"],
                          capture_output=True, text=True)
    for line in done.stdout.splitlines():
        uri, _, codename = line.partition(" ")
        if codename == suite and uri.startswith("http"):
            return uri
    return MIRROR


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/var")) / ".cache"
    return Path(base) / "backstep"


def make(suite, root):
    unfinished = root.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    print(f"making a Debian for the container in {root}, once", flush=True)
    done = subprocess.run(["debootstrap", "--variant=minbase",
                           f"--include={','.join(packages())}", suite, str(unfinished),
                           mirror(suite)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-3000:]}\ndebootstrap ended with status {done.returncode}")
    shutil.rmtree(unfinished / "var/cache/apt", ignore_errors=True)
    unfinished.rename(root)


def ready():
    """The path of the tree, made where it is not there; trees of other recipes are removed."""
    suite = release()
    what = " ".join([RECIPE, suite, *packages()])
    root = cache_folder() / f"{suite}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    cache_folder().mkdir(parents=True, exist_ok=True)
    with open(cache_folder() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for old in cache_folder().glob(f"{suite}-*"):
                shutil.rmtree(old, ignore_errors=True)
            make(suite, root)
    return root

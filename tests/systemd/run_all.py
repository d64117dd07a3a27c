#!/usr/bin/python3
"""Boots real systemd as PID 1 of a small Debian in a container, installs the build there, and lets
inside.py check what systemd makes of it. Must never start systemd outside a container, nor change
the cached tree: the container works on an overlay that is gone with it."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import tree

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "system"))

from safe import Certificates  # noqa: E402

BOOT_TIMEOUT_S = 270


def end(passed, failed, skipped):
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


def skip(reason):
    print(f"skipped: {reason}")
    end(0, 0, 1)


def become_root():
    if os.geteuid() == 0:
        return
    if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
        skip("a container with a PID 1 of its own needs root, or sudo without a password")
    os.execvp("sudo", ["sudo", "-n", sys.executable, *sys.argv])


def nspawn(root, *arguments):
    return ["systemd-nspawn", "-q", "-D", str(root), "--volatile=overlay", "--register=no",
            "--keep-unit", "--private-network", "-M", f"backstep-test-{os.getpid()}",
            "--console=pipe", *arguments]


def check_means():
    for program in ("debootstrap", "systemd-nspawn"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            skip(f"{program} is missing (tests/packages.txt)")
    if tree.release() is None:
        skip("the container is made of this machine's release, and this machine is no Debian")
    # The unit's PrivateUsers needs the user namespace; a chroot may not make one (EPERM).
    done = subprocess.run(["unshare", "-U", "-m", "-p", "-n", "--fork", "true"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"namespaces are not permitted here: {done.stderr.strip()}")


def check_container(root):
    done = subprocess.run(nspawn(root, "/bin/true"), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        skip(f"systemd-nspawn cannot make a container here: {done.stderr.strip()}")


def install(build, stage):
    subprocess.run(["cmake", "--install", build, "--prefix", "/usr"], check=True,
                   env={**os.environ, "DESTDIR": str(stage)}, stdout=subprocess.DEVNULL)


def add_certificates(stage):
    """Made out here: the container has no openssl."""
    made = Certificates(stage / "certificates")
    made.authority("ca")
    made.server("broker", "ca")
    made.sign("daemon", "ca", "backstepd.test")


def stop(container):
    """Twice asked, systemd-nspawn kills what is inside and cleans up after itself."""
    for seconds in (2, 10):
        if container.poll() is None:
            container.terminate()
            try:
                container.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                pass
    container.kill()


def boot(root, stage, results):
    """The console's text. The container is gone when this returns or raises."""
    command = nspawn(root, f"--bind-ro={stage}:/stage", f"--bind={results}:/results",
                     f"--bind-ro={FOLDER}:/checks",
                     f"--bind-ro={FOLDER}/checks.service:/etc/systemd/system/checks.service",
                     f"--bind-ro={FOLDER}/checks.target:/etc/systemd/system/checks.target",
                     "-b", "systemd.unit=checks.target")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as container:
        try:
            return container.communicate(timeout=BOOT_TIMEOUT_S)[0]
        except subprocess.TimeoutExpired:
            return "its time was up"
        finally:
            stop(container)


def text_of(path):
    return path.read_text(errors="replace") if path.exists() else ""


def report(results, console):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for line in text_of(results / "outcomes").splitlines():
        row = json.loads(line)
        counts[row["outcome"]] += 1
        print(f"{row['outcome']:7} {row['seconds']:6.1f} s  {row['name']}: {row['text']}")
    whole = (results / "done").exists()
    if not whole:
        print("failed: the checks did not come to their end")
        counts["failed"] += 1
    if counts["failed"]:
        for name in ("errors", "output", "journal"):
            print(f"--- {name}\n{text_of(results / name)[-6000:]}")
        if not whole:
            print(f"--- console\n{console[-6000:]}")
        print(f"run alone: {sys.argv[0]} --build BUILD")
    end(**counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--build", help="folder of a build, which is installed into the container")
    source.add_argument("--stage", help="a folder that holds an installation already")
    options = parser.parse_args()
    become_root()
    check_means()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    root = tree.ready()
    check_container(root)
    with tempfile.TemporaryDirectory(prefix="backstep-systemd-") as folder:
        stage, results = Path(folder) / "stage", Path(folder) / "results"
        results.mkdir()
        if options.build:
            install(options.build, stage)
        else:
            shutil.copytree(options.stage, stage)
        add_certificates(stage)
        console = boot(root, stage, results)
        report(results, console)


if __name__ == "__main__":
    main()

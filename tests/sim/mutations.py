"""Bugs put into the daemon, one at a time: random worlds must find each within a minute. The sources
are changed in a copy of the tree; a change that does not fit any more is an error."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ["CMakeLists.txt", "CMakePresets.json", "daemon", "include", "tests/CMakeLists.txt"]
SECONDS_MAX = 60
BUILD_SECONDS_MAX = 900

SHELL, CORE = "daemon/shell/", "daemon/core/"

# (what it does, [(file, text that stands there once, text instead)])
MUTATIONS = [
    ("acknowledge without append", [
        (SHELL + "runtime_link.c", "    return append_soon(rt, flags, parts, 4);",
         "    return document ? append_soon(rt, flags, parts, 4) : true;")]),
    ("acknowledge what the intake refused", [
        (SHELL + "runtime_link.c", "        bs_process_sleep(REFUSED_LOOK_NS);\n    }\n    return false;",
         "        bs_process_sleep(REFUSED_LOOK_NS);\n    }\n    return true;")]),
    ("release the intake up to the newest snapshot", [
        (SHELL + "runtime_snapshots.c", "        bs_log_release(rt->intake, positions[count - 1]);",
         "        bs_log_release(rt->intake, positions[0]);")]),
    ("count a duplicate", [
        (CORE + "seen.c", "    return take_bit(s, seq) ? BS_SEEN_DUPLICATE : BS_SEEN_NEW;",
         "    take_bit(s, seq);\n    return BS_SEEN_NEW;")]),
    ("drop on 401, as if delivered", [
        (CORE + "delivery.c", "    case 200:\n    case 204:\n        return JUDGED;",
         "    case 200:\n    case 204:\n    case 401:\n        return JUDGED;"),
        (CORE + "delivery.c", "    case 401:\n    case 402:", "    case 402:"),
        (CORE + "delivery.c", "    if (a->http_status == 200 || a->http_status == 204)\n",
         "    if (a->http_status == 200 || a->http_status == 204 || a->http_status == 401)\n")]),
    ("make dead letters of a 401", [
        (CORE + "delivery.c", "    case 200:\n    case 204:\n        return JUDGED;",
         "    case 200:\n    case 204:\n    case 401:\n        return JUDGED;"),
        (CORE + "delivery.c", "    case 401:\n    case 402:", "    case 402:")]),
    ("forget a window at a snapshot", [
        (CORE + "window_snapshot.c", "    bs_sums_snapshot(s, &bs_row_at(w, index)->sums);\n    code_more",
         "    struct bs_sums forgotten = bs_row_at(w, index)->sums;\n"
         "    bs_sums_snapshot(s, &forgotten);\n    code_more")]),
    ("forget at a snapshot that rows wait to be written", [
        (CORE + "window_snapshot.c", "    if (!s->failed)\n        bs_windows_queue(w, index, since);",
         "    (void)since;")]),
    ("forget a boot's seq at a snapshot", [
        (CORE + "seen_snapshot.c", "    keep_ring(s, seen);\n",
         "    keep_ring(s, seen);\n    if (bs_snapshot_loads(s))\n"
         "        for (unsigned i = 0; i < WORDS; i++)\n            seen->bits[i] = 0;\n")]),
    ("commit a snapshot before the logs are synced", [
        (SHELL + "runtime_snapshots.c",
         "    } else if (!s->committed && is_synced(rt, s->intake, s->outbox)) {",
         "    } else if (!s->committed) {")]),
    ("skip the resend of an unresolved transfer", [
        (CORE + "delivery.c",
         "    if (is_unresolved(answer) && transfer.from < d->unresolved)\n",
         "    if (is_unresolved(answer) && transfer.from < d->unresolved && d->failures > 1000)\n")]),
    ("do not note that a transfer is under way", [
        (SHELL + "outlet_send.c", "    o->in_flight = true;\n    outlet_store_marks(o);\n",
         "    o->in_flight = true;\n")]),
    ("send a row whose intake record is not synced", [
        (SHELL + "outlet_feed.c", "record->origin < bs_log_synced(o->options.intake))",
         "record->origin < bs_log_head(o->options.intake))")]),
    ("keep rows of records that a power cut took", [
        (SHELL + "fold.c", "        if (body.origin >= intake_head)\n",
         "        if (body.origin >= intake_head + 65536)\n")]),
    ("pass over rows behind the last one in the outbox after a start", [
        (SHELL + "fold.c", "    return f->record.position < f->last_origin ||\n",
         "    return f->record.position < f->last_origin + 256 ||\n")]),
]


# The copy -------------------------------------------------------------------------------------


def copy_file(source, target):
    """Only where it differs: what is built of it stays."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def copy_tree(tree):
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                wanted.add(tree / path.relative_to(ROOT))
                copy_file(path, tree / path.relative_to(ROOT))
    for path in tree.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    # Nothing but the simulation is built there.
    (tree / "tests/CMakeLists.txt").write_text("")


def build(tree, folder, jobs):
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "-G", "Ninja", "-S", tree, "-B", folder, "-DBACKSTEP_EDGE=OFF",
                        "-DCMAKE_BUILD_TYPE=Release"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["cmake", "--build", folder, "-j", str(jobs), "--target", "backstep-sim"],
                          capture_output=True, text=True, timeout=BUILD_SECONDS_MAX)
    if done.returncode != 0:
        raise RuntimeError("does not build:\n" + done.stdout[-3000:])
    return folder / "backstep-sim"


def change(tree, changes):
    """The files as they were, by path."""
    before = {}
    for name, old, new in changes:
        path = tree / name
        text = path.read_text()
        before.setdefault(path, text)
        if text.count(old) != 1:
            restore(before)
            raise RuntimeError(f"{name} does not have this once, but {text.count(old)} times:\n{old}")
        path.write_text(text.replace(old, new))
    return before


def restore(before):
    for path, text in before.items():
        path.write_text(text)


# Runs -----------------------------------------------------------------------------------------


def search(program, options):
    """(seconds until a world failed, how); no seconds where none did"""
    began = time.monotonic()
    done = subprocess.run([program, "--quiet", "--stop", "--from", str(options.first), "--seeds",
                           "1000000000", "--for", str(SECONDS_MAX), "--jobs", str(options.jobs)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace")
    took = time.monotonic() - began
    violation = next((line for line in done.stdout.splitlines() if "VIOLATION" in line), None)
    if done.returncode == 0 or not violation:
        last = done.stdout.splitlines()[-1:] or ["nothing said"]
        return None, f"status {done.returncode}, {last[0]}"
    seed = re.match(r"seed (\d+)", violation).group(1)
    sound = subprocess.run([options.folder / "sound", "--quiet", "--seed", seed],
                           capture_output=True, text=True)
    if sound.returncode != 0:
        return None, f"without the change, too: {sound.stdout}"
    return took, violation


def try_one(tree, options, what, changes):
    """True where it was found."""
    try:
        before = change(tree, changes)
    except RuntimeError as error:
        print(f"{what}: the change does not fit any more: {error}", flush=True)
        return False
    try:
        took, how = search(build(tree, options.folder / "core", options.jobs), options)
    except RuntimeError as error:
        print(f"{what}: {error}", flush=True)
        return False
    finally:
        restore(before)
    if took is None:
        print(f"{what}: NOT FOUND within {SECONDS_MAX} s: {how}", flush=True)
        return False
    print(f"{what}: found in {took:.1f} s: {how[:150]}", flush=True)
    return True


def control(tree, options):
    """Without a change nothing is found: else everything would be."""
    program = shutil.copy2(build(tree, options.folder / "core", options.jobs),
                           options.folder / "sound")
    done = subprocess.run([program, "--quiet", "--from", str(options.first), "--seeds", "300",
                           "--jobs", str(options.jobs)], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"without a change: {done.stdout}")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=ROOT / "build/mutations", type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--first", default=1, type=int, help="the first seed")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    tree = options.folder / "tree"
    copy_tree(tree)
    chosen = [m for m in MUTATIONS if options.only in m[0]]
    if not chosen:
        parser.error(f"no mutation has {options.only!r} in its name")
    results = [control(tree, options)] + [try_one(tree, options, *m) for m in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

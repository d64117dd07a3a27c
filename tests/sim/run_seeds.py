"""Random worlds of the simulation: fixed seeds, then fresh ones for some seconds. A fresh one that
fails is shrunk and kept in tests/sim/found, where each run of the scenarios finds it."""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FRESH_FROM = 1_000_000  # the fixed ones are below
FRESH_TO = 2**40


def fixed_seeds():
    """(first, count) of each line"""
    for line in (HERE / "seeds.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            first, _, last = line.partition("..")
            yield int(first), int(last or first) - int(first) + 1


def run(options, *arguments):
    """(seeds that were run, of them failed); prints what the program says"""
    command = [options.program, "--quiet", "--jobs", str(options.jobs), *map(str, arguments)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    done = failed = 0
    for line in program.stdout:
        print("  " + line, end="", flush=True)
        total = re.match(r"(\d+) seeds from \d+ on, (\d+) failed;", line)
        if total:
            done, failed = int(total.group(1)), int(total.group(2))
    status = program.wait()
    if done == 0 or (status != 0) != (failed > 0):
        print(f"  ended with status {status} after {done} seeds")
        return done, max(failed, 1)
    return done, failed


def run_fixed(options):
    done = failed = 0
    for first, count in fixed_seeds():
        print(f"seeds {first}..{first + count - 1}")
        more, bad = run(options, "--from", first, "--seeds", count)
        done, failed = done + more, failed + bad
    return done, failed


def run_fresh(options):
    first = options.first or random.randrange(FRESH_FROM, FRESH_TO)
    limit = ["--for", options.seconds] if options.seconds else []
    least = ["--records", options.records] if options.records else []
    found = HERE / "found"
    found.mkdir(exist_ok=True)
    print(f"fresh seeds from {first} on")
    return run(options, "--from", first, "--seeds", options.seeds, "--keep", found, *limit, *least)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "build/core/backstep-sim", type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--fixed", action="store_true", help="the fixed seeds, too")
    parser.add_argument("--seconds", type=int, help="of fresh seeds; without: all of --seeds")
    parser.add_argument("--seeds", default=10**9, type=int, help="fresh ones at most")
    parser.add_argument("--records", type=int, help="messages of each, at least")
    parser.add_argument("--first", type=int, help="the first fresh seed; without: a random one")
    options = parser.parse_args()
    if not options.program.exists():
        sys.exit(f"{options.program} is missing: cmake --build build/core --target backstep-sim")
    if not options.seconds and options.seeds == 10**9:
        parser.error("--seconds or --seeds must say when it ends")
    done, failed = run_fixed(options) if options.fixed else (0, 0)
    more, bad = run_fresh(options)
    done, failed = done + more, failed + bad
    print(f"{done - min(failed, done)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

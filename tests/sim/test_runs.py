"""backstep-sim by its command line: fixed seeds hold, a run is the same run each time, what is wrong
is found, and a scenario that is not understood is refused with its line.
usage: test_runs.py PROGRAM [--seeds N]"""

import argparse
import subprocess
import sys
import tempfile

BROKEN_DISK = """\
set run.settle_s 45
set intake.segment_bytes 8192
at 0 daemon start
at 1 document member/m1 {"consent":"member","devices":["pod-1"]}
at 2 steps pod-1 boot 7 seq 1..40
at 30 daemon kill
at 31 disk damage intake-0000000000000000
at 32 daemon start
"""


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def run_text(program, text):
    with tempfile.NamedTemporaryFile("w", suffix=".scn") as file:
        file.write(text)
        file.flush()
        return run(program, file.name)


def check(name, holds, *said):
    print(f"{'ok' if holds else 'FAILED'}: {name}")
    if not holds:
        print(*said, sep="\n")
    return holds


def seeds_hold(program, count):
    status, out, err = run(program, "--seeds", str(count), "--quiet")
    return check(f"{count} seeds hold", status == 0 and out == "", out, err)


def same_each_time(program):
    alone = run(program, "--seed", "7", "--trace")
    again = run(program, "--seed", "7", "--trace")
    behind = run(program, "--seeds", "2", "--from", "6", "--trace")
    tail = alone[1].splitlines()
    return check("a seed is the same run each time", alone == again and len(tail) > 100,
                 "two runs differ") and \
        check("whatever ran before it", behind[1].splitlines()[-len(tail):] == tail,
              "run behind another seed it differs")


def printed_is_the_same(program):
    text = run(program, "--seed", "7", "--print")[1]
    with tempfile.NamedTemporaryFile("w", suffix=".scn") as file:
        file.write(text)
        file.flush()
        status, out, _ = run(program, "--seed", "7", file.name)
    wanted = run(program, "--seed", "7")[1].split(":", 1)[1]
    return check("a printed scenario runs as its seed does",
                 status == 0 and out.split(":", 1)[1] == wanted, out, wanted)


def damage_is_found(program):
    status, out, _ = run_text(program, BROKEN_DISK)
    return check("a record that vanishes is found", status == 1 and "VIOLATION" in out, status, out)


def nonsense_is_refused(program):
    good = True
    for text, words in (("at 1 daemon dance\n", ":1: dance is none of start"),
                        ("set nothing 1\n", ":1: nothing cannot be set"),
                        ("# well\nat x daemon start\n", ":2: x are no seconds"),
                        ("at 1 steps pod boot 1 seq 5..2\n", ":1: 5..2 is no range"),
                        ("daemon start\n", ":1: a line begins with")):
        status, out, _ = run_text(program, text)
        good &= check(f"refused: {text.strip()}", status == 2 and words in out, status, out)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=100)
    a = parser.parse_args()
    results = [seeds_hold(a.program, a.seeds), same_each_time(a.program),
               printed_is_the_same(a.program), damage_is_found(a.program),
               nonsense_is_refused(a.program)]
    sys.exit(0 if all(results) else 1)


main()

"""backstep-sim by its command line: a run is the same run each time, what is wrong is found, and a
scenario that is not understood is refused with its line.
usage: test_runs.py PROGRAM"""

import pathlib
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


def check(name, holds, *said):
    print(f"{'ok' if holds else 'FAILED'}: {name}")
    if not holds:
        print(*said, sep="\n")
    return holds


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return str(path)


def same_each_time(program, folder):
    alone = run(program, "--seed", "7", "--trace")
    good = check("a seed is the same run each time",
                 run(program, "--seed", "7", "--trace") == alone and len(alone[1]) > 10000)
    first, second = (write(folder, f"{seed}.scn", run(program, "--seed", str(seed), "--print")[1])
                     for seed in (6, 7))
    printed = run(program, "--seed", "7", "--trace", second)[1].splitlines()[:-1]
    wanted = alone[1].splitlines()[:-1]
    good &= check("a printed scenario is the run of its seed", printed == wanted)
    behind = run(program, "--seed", "7", "--trace", first, second)[1].splitlines()[:-1]
    return check("whatever ran before it", behind[-len(wanted):] == wanted) and good


def damage_is_found(program, folder):
    status, out, _ = run(program, write(folder, "damage.scn", BROKEN_DISK))
    return check("a record that vanishes is found", status == 1 and "VIOLATION" in out, status, out)


def nonsense_is_refused(program, folder):
    good = True
    for text, words in (("at 1 daemon dance\n", "line 1: dance is none of start"),
                        ("set nothing 1\n", "line 1: nothing cannot be set"),
                        ("# well\nat x daemon start\n", "line 2: x are no seconds"),
                        ("at 1 steps pod boot 1 seq 5..2\n", "line 1: 5..2 is no range"),
                        ("daemon start\n", "line 1: a line begins with")):
        status, out, _ = run(program, write(folder, "nonsense.scn", text))
        good &= check(f"refused: {text.strip()}", status == 2 and words in out, status, out)
    return good


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        results = [test(program, folder)
                   for test in (same_each_time, damage_is_found, nonsense_is_refused)]
    sys.exit(0 if all(results) else 1)


main()

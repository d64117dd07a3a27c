"""Scenarios of the simulation, each with what its trace must say, and the shrunk ones that once failed.
With --self-test every expectation is changed, one at a time, and must fail then."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECONDS_MAX = 60


def run(program, path):
    """(status, output)"""
    try:
        done = subprocess.run([program, "--quiet", path], capture_output=True, text=True,
                              errors="replace", timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return -1, f"{path}: not ready after {SECONDS_MAX} s"
    return done.returncode, (done.stdout + done.stderr).strip()


def scenarios():
    return sorted((HERE / "scenarios").glob("*.scn"))


def found():
    return sorted((HERE / "found").glob("*.scn"))


def form_problems(path):
    """A scenario says first what it shows, and expects something."""
    lines = path.read_text().splitlines()
    if not lines or not re.match(r"# \S", lines[0]):
        yield f"{path}: the first line does not say what it shows"
    if "expect" not in lines:
        yield f"{path}: expects nothing"


def run_all(program, jobs):
    paths = scenarios() + found()
    problems = [p for path in scenarios() for p in form_problems(path)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, (status, output) in zip(paths, pool.map(lambda p: run(program, p), paths)):
            if status != 0:
                problems.append(f"{output or f'{path}: ended with {status}'}\n"
                                f"  alone: {program} --trace {path}")
    for problem in problems:
        print(problem)
    failed = min(len(paths), len(problems))
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if problems else 0


# Changed expectations -------------------------------------------------------------------------


def other_text(text):
    """The last number in it is another; without one, its last letter."""
    numbers = list(re.finditer(r"\d+", text))
    if numbers:
        last = numbers[-1]
        return text[:last.start()] + last.group() + "7" + text[last.end():]
    letter = list(re.finditer(r"[a-z]", text))[-1]
    return text[:letter.start()] + "#" + text[letter.end():]


def changes(line):
    """The expectation in ways in which it would be wrong; none where it says what does not come."""
    if re.match(r"\s*(#|$)|without ", line):
        return []
    times = re.match(r"times (\d+) (.*)", line)
    if times:
        return [f"times {int(times.group(1)) + 1} {times.group(2)}"]
    within = re.match(r"within (\S+) (.*)", line)
    if within:
        return [f"within 8000000-9000000 {within.group(2)}",
                f"within {within.group(1)} {other_text(within.group(2))}"]
    return [other_text(line)]


def mutants(path):
    lines = path.read_text().splitlines()
    for i in range(lines.index("expect") + 1, len(lines)):
        for other in changes(lines[i]):
            yield i + 1, "\n".join(lines[:i] + [other] + lines[i + 1:]) + "\n"


def bites(program, path, folder):
    """Lines of the scenario that may be changed and nothing fails."""
    kept = []
    for number, text in mutants(path):
        other = pathlib.Path(folder) / f"{path.stem}-{number}.scn"
        other.write_text(text)
        status, output = run(program, other)
        if status != 1 or "VIOLATION" in output:
            kept.append(f"{path}: line {number} may be another: {text.splitlines()[number - 1]}")
    return kept


def self_test(program, jobs):
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda p: bites(program, p, folder), scenarios()))
    for problem in sum(results, []):
        print(problem)
    failed = sum(1 for r in results if r)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "build/core/backstep-sim", type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if not options.program.exists():
        sys.exit(f"{options.program} is missing: cmake --build build/core --target backstep-sim")
    test = self_test if options.self_test else run_all
    sys.exit(test(options.program, options.jobs))


if __name__ == "__main__":
    main()

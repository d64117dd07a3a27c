"""States as versions before this one wrote them, kept as files: the fold goes on from each as if it had
folded all that was before.

  test_kept_states.py --program FOLD_SCRIPT

states/format-N.state is the state after so many lines (N.lines) of states/format-N.script. A format
that is read must have its file here; when the format changes, the last one's stay. Must never make
such a file anew: then it would be this version's.
"""

import argparse
import sys
from pathlib import Path

from comparison import fold_text

STATES = Path(__file__).with_name("states")
HEADER = Path(__file__).resolve().parents[2] / "include" / "backstep" / "core" / "snapshot.h"


def formats():
    """Those that the program says it reads."""
    found = {name: int(line.split()[2]) for line in HEADER.read_text().splitlines()
             for name in ("BS_SNAPSHOT_FORMAT", "BS_SNAPSHOT_FORMAT_OLDEST")
             if line.startswith(f"#define {name} ")}
    return range(found["BS_SNAPSHOT_FORMAT_OLDEST"], found["BS_SNAPSHOT_FORMAT"] + 1)


def check(program, number):
    """What is wrong, or None."""
    state, script = (STATES / f"format-{number}{end}" for end in (".state", ".script"))
    if not state.exists():
        return f"{state} is missing"
    lines = script.read_text().splitlines()
    done = int((STATES / f"format-{number}.lines").read_text())
    whole = fold_text(program, lines).splitlines()
    rest = fold_text(program, lines[done:], 7, "--from", str(state), "--format",
                     str(number)).splitlines()
    if len(rest) < 100:
        return f"only {len(rest)} lines are said behind the state"
    for expected, found in zip(whole[-len(rest):], rest):
        if expected != found:
            return f"from the state on:\n  expected {expected}\n  found    {found}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    failed = 0
    for number in formats():
        problem = check(options.program, number)
        print(f"format {number}: {problem or 'read, and gone on from'}")
        failed += problem is not None
    print(f"{len(formats()) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

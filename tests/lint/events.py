"""The reference of step events, configs/man/backstep-events.5, against the table of their measured
fields: each with its range, and none that the decoder does not know.

Must never need a build: it reads the header as text."""

import re

import check

PAGE = "configs/man/backstep-events.5"
HEADER = "include/backstep/core/step.h"
BEHIND = "What was measured"


def table(root):
    """{field: (min, max)}"""
    rows = re.findall(r'X\(\w+, "(\w+)", (-?\d+), (-?\d+)\)', (root / HEADER).read_text())
    return {name: (int(low), int(high)) for name, low, high in rows}


def told(root):
    """{field: (min, max)} of the page's list of measured fields; a range not told is None."""
    measured = (root / PAGE).read_text().partition(BEHIND)[2].partition("\n.PP\n")[0]
    found = {}
    for name, text in re.findall(r"^\.TP\n\.B (\w+)\n(.*?)(?=^\.TP$|\Z)", measured, re.M | re.S):
        ranges = re.findall(r"^(-?\d+) to (-?\d+) ", text.replace("\\-", "-"), re.M)
        found[name] = tuple(map(int, ranges[-1])) if ranges else None
    return found


def problems(root):
    known, shown = table(root), told(root)
    return [f"{PAGE}: {name} is {shown.get(name)}, and in {HEADER} {known.get(name)}"
            for name in sorted(known.keys() | shown.keys()) if known.get(name) != shown.get(name)]


TEXT = """.TP
.B seq
0 to 5 of another list.
.PP
What was measured:
.TP
.B step_ms
Time.
140 to 2200 ms.
.TP
.B pitch
\\-60 to 60 degrees.
.PP
"""
GOOD = {HEADER: '    X(STEP_MS, "step_ms", 140, 2200) \\\n    X(PITCH, "pitch", -60, 60)\n', PAGE: TEXT}
BAD = [
    ({PAGE: TEXT.replace("2200", "2000")}, "step_ms is (140, 2000)"),
    ({PAGE: TEXT.replace("\\-60", "60")}, "pitch is (60, 60)"),
    ({PAGE: TEXT.replace("140 to 2200 ms.\n", "")}, "step_ms is None"),
    ({PAGE: TEXT.replace("pitch", "yaw")}, "yaw is (-60, 60)"),
    ({PAGE: TEXT.replace("pitch", "yaw")}, "pitch is None"),
]

if __name__ == "__main__":
    check.main(problems, GOOD, BAD)

"""Fifty children on long walks, each as one forward bout after a backward one; shifts to be found.

A stride stands for one step of half its time. Must never be asked for what the rule makes of it.
"""

import csv
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import data_folder  # noqa: E402

FILE = "long_walk.csv"
STRIDE_RANGE_MS = (300, 3000)
BLOCK_STEPS = 20
SHIFT_STEPS = 100  # so many steps a shift has to be found in


def read_strides():
    """{member: [stride time in ms, as recorded]}, in the file's order. Skip where it is absent."""
    strides = {}
    with open(data_folder() / FILE, newline="") as file:
        for row in csv.DictReader(file):
            strides.setdefault(row["member"], []).append(int(row["stride_ms"]))
    return strides


def step_time(stride_ms):
    """In ms; None where the stride is outside its hard range."""
    low, high = STRIDE_RANGE_MS
    return (stride_ms + 1) // 2 if low <= stride_ms <= high else None


def step_times(strides):
    """The bout's step times. Its first step has none: the one before it was a backward step."""
    return [None] + [step_time(stride) for stride in strides[1:]]


def halves(members):
    """(odd numbers, even numbers): what a rule is chosen on, and what it is judged on. The numbers
    go by age, so both halves have children of every age."""
    return ([m for m in members if int(m[1:]) % 2], [m for m in members if not int(m[1:]) % 2])


def insertion_points(member, steps, count, seed):
    """Indexes of steps from which on a shift holds: after the block, with SHIFT_STEPS left."""
    chance = random.Random(f"{seed} {member}")
    return [chance.randrange(BLOCK_STEPS + 1, steps - SHIFT_STEPS) for _ in range(count)]


def shifted(steps, at, percent):
    """As the steps were, and from index `at` on longer or shorter by so much."""
    factor = 1 + percent / 100
    return steps[:at] + [None if s is None else s * factor for s in steps[at:at + SHIFT_STEPS]]


def count_judged(steps):
    return sum(step is not None for step in steps[BLOCK_STEPS:])


def quantile(values, share):
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]

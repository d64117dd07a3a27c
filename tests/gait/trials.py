"""Trials of a motion capture laid end to end: forward, backward, forward; and the carry-over that
this is.

Formulas are those of the published interface. Must never use a figure that the engine computed.
"""

import statistics

import long_walk
from folding import GAP_MS, Walk
from harness import data_folder
from test_gait import fields_of, read_table

BOUT_MIN_STEPS = 8


def read_members(file):
    """{member: {trial: [row]}}"""
    members = {}
    for row in read_table(data_folder() / file):
        members.setdefault(row["member"], {}).setdefault(row["trial"], []).append(row)
    return members


def append_trial(walk, rows):
    """Step for step as recorded, but for the feet, which go on alternating from trial to trial.
    Nobody knows how long the first step of a trial took."""
    before = None
    for row in rows:
        fields, _outside = fields_of(row)
        after_ms = GAP_MS if before is None else int(row["t_ms"]) - before
        before = int(row["t_ms"])
        walk.step(row["dir"], after_ms, **fields)


def repeated(trials, steps_min):
    """The trials one after the other, again and again, until they are that many steps."""
    rows, found = list(trials), []
    while sum(map(len, found)) < steps_min:
        found.append(rows[len(found) % len(rows)])
    return found


def block_of(trials):
    """(forward, backward) lists of trials: forward ones are too short for a habit, so they are
    repeated; a backward trial would be where it is no bout."""
    forward = [rows for name, rows in trials.items() if name.startswith("walk_")]
    backward = [rows for name, rows in trials.items() if name.startswith("walk-back_")]
    return (repeated(forward, long_walk.BLOCK_STEPS),
            repeated(backward, BOUT_MIN_STEPS) if backward else [])


def walk_block(forward, backward):
    walk = Walk()
    for rows in forward + backward + forward:
        append_trial(walk, rows)
    return walk


def metrics(trials, steps=None):
    """{metric: [value]} of a bout's first steps: step length, and length times time."""
    fields = [fields_of(row)[0] for rows in trials for row in rows][:steps]
    lengths = [each["step_mm"] for each in fields if "step_mm" in each]
    ratios = [each["step_mm"] / 1000 * each["step_ms"] / 60_000 for each in fields
              if {"step_mm", "step_ms"} <= set(each)]
    return {"step_length": lengths, "walk_ratio": ratios}


def retention(habit, back, block):
    """Interface 4.4; None where habit and back are too much alike."""
    habit, back, block = map(statistics.median, (habit, back, block))
    if abs(habit - back) < 0.05 * abs(habit):
        return None
    return min(100.0, max(0.0, 100 * (habit - block) / (habit - back)))


def expected_carry_over(forward, backward):
    habit, back = metrics(forward), metrics(backward)
    block = metrics(forward, long_walk.BLOCK_STEPS)
    parts = {name: retention(habit[name], back[name], block[name]) for name in habit}
    known = {f"{name}_retention_pct": part for name, part in parts.items() if part is not None}
    if known:
        known["retention_pct"] = statistics.mean(known.values())
    return {"back_steps": sum(map(len, backward)), "block_steps": long_walk.BLOCK_STEPS, **known}

#!/usr/bin/python3
"""Real recordings through the real engine: bouts, carry-over, slips.

What is expected comes from the files and from the formulas of the interface. Must never take a
figure from the engine to hold the engine against.
"""

import argparse
import collections
import math
import statistics
import sys
import time
import traceback
from pathlib import Path

import long_walk
import slip_study
import trials
from folding import GAP_MS, Walk, fold
from harness import Skip, expect, expect_balance, expect_true
from processes import Failure
from test_gait import fields_of

SKIPPED = 77  # exit status: there is nothing to test
BACK_STEPS, BACK_STEP_MS = 10, 600
INSERTIONS, SEED = 10, 1
RECOMMENDED = {"slip": vars(slip_study.RECOMMENDED)}


def expect_near(found, expected, what):
    expect_true(math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6),
                f"{what}: expected {expected!r}, found {found!r}")


# Fifty children.

def lay_out(steps, strides=()):
    """A backward bout, then the steps; a step without a time comes so late that it gets none."""
    walk = Walk()
    for _ in range(BACK_STEPS):
        walk.step("B", BACK_STEP_MS, step_ms=BACK_STEP_MS)
    walk.step("F", BACK_STEP_MS, **({"stride_ms": strides[0]} if strides else {}))
    for i, step in enumerate(steps[1:], 1):
        fields = {} if step is None else {"step_ms": round(step)}
        if strides:
            fields["stride_ms"] = strides[i]
        walk.step("F", fields.get("step_ms", GAP_MS), **fields)
    return walk


def found_slips(folded, members):
    """{member: [(number of the step in the bout, sign)]}"""
    rows = folded.of_member("slip")
    expect({row["metric"] for each in rows.values() for row in each} - {"step_time"}, set(),
           "metrics that slip other than step time")
    return {member: [(row["step"], 1 if row["sign"] == "up" else -1)
                     for row in rows.get(member, [])] for member in members}


def expect_slips_of_rule(found, rule, walks):
    for member, steps in walks.items():
        by_rule = [(at + 1, sign) for at, sign in slip_study.slips(rule, steps)]
        expect(found[member], by_rule, f"slips of {member} (step, sign)")


def rate(found, walks):
    return slip_study.rate({member: len(slips) for member, slips in found.items()}, walks)


def read_walks():
    strides = long_walk.read_strides()
    return strides, {member: long_walk.step_times(each) for member, each in strides.items()}


def expect_whole(folded, strides):
    """Every child is one backward and one forward bout, with all that was recorded in them."""
    bouts, carries = folded.of_member("gait_bout"), folded.of_member("carry_over")
    for member, each in strides.items():
        shape = [(row["direction"], row["steps"], row["open"]) for row in bouts.get(member, [])]
        expect(shape, [("B", BACK_STEPS, False), ("F", len(each), False)], f"bouts of {member}")
        inside = [s for s in each if long_walk.step_time(s) is not None]
        expect_near(bouts[member][1]["stride_time_ms"], statistics.mean(inside),
                    f"stride time of {member}")
        shape = [(row["back_steps"], row["block_steps"]) for row in carries.get(member, [])]
        expect(shape, [(BACK_STEPS, long_walk.BLOCK_STEPS)], f"carry-overs of {member}")


def test_false_slips_with_defaults(build):
    strides, walks = read_walks()
    every = [stride for each in strides.values() for stride in each]
    outside = sum(long_walk.step_time(stride) is None for stride in every)
    expect((len(every), outside, statistics.median(every)), (24_148, 15, 967),
           "strides, those outside their range, median")
    folded = fold(build, {m: lay_out(walks[m], strides[m]) for m in walks})
    expect_balance(folded.books)
    expect(folded.books["steps_counted"], len(every) + len(walks) * BACK_STEPS, "steps counted")
    expect(folded.books["field_out_of_range"], outside, "fields out of range")
    expect_whole(folded, strides)
    found = found_slips(folded, walks)
    expect_slips_of_rule(found, slip_study.DEFAULT, walks)
    for member, (row,) in folded.of_member("carry_over").items():
        expect(row["slips"], len(found[member]), f"slips in the carry-over of {member}")
    judged = sum(map(long_walk.count_judged, walks.values()))
    expect_true(judged >= 20_000, f"steps judged: {judged}")
    expect_true(rate(found, walks) <= 1.5, f"false slips per 400: {rate(found, walks):.2f}")
    spread = sorted(collections.Counter(map(len, found.values())).items())
    return f"{judged} steps judged, {rate(found, walks):.2f} slips in 400; slips of a child: " + \
        ", ".join(f"{n} in {count} children" for n, count in spread)


def held_out():
    _strides, walks = read_walks()
    return {member: walks[member] for member in long_walk.halves(walks)[1]}


def test_false_slips_as_recommended(build):
    walks = held_out()
    folded = fold(build, {m: lay_out(steps) for m, steps in walks.items()}, RECOMMENDED)
    found = found_slips(folded, walks)
    expect_slips_of_rule(found, slip_study.RECOMMENDED, walks)
    expect_true(rate(found, walks) <= 0.5, f"false slips per 400: {rate(found, walks):.2f}")
    return f"{rate(found, walks):.2f} slips in 400 of {len(walks)} children"


def shifted_walks(percent):
    """{member: (index of the first shifted step, sign of the shift, step times)}"""
    found = {}
    for child, steps in held_out().items():
        points = long_walk.insertion_points(child, len(steps), INSERTIONS, SEED)
        for number, at in enumerate(points):
            for sign, name in ((1, "up"), (-1, "down")):
                shifted = long_walk.shifted(steps, at, sign * percent)
                found[f"{child}-{number}-{name}"] = at, sign, shifted
    return found


def delays(build, percent):
    walks = shifted_walks(percent)
    folded = fold(build, {m: lay_out(steps) for m, (_at, _sign, steps) in walks.items()},
                  RECOMMENDED)
    found = found_slips(folded, walks)
    return [next((step - at for step, s in found[member] if step > at and s == sign), math.inf)
            for member, (at, sign, _steps) in walks.items()]


def test_shifts_are_found(build):
    notes = []
    for percent, steps_max in ((25, 6), (12, 40)):
        values = delays(build, percent)
        middle, late, missed = slip_study.delay_figures(values)
        expect_true(middle <= steps_max,
                    f"steps until a shift of {percent} % is found, seed {SEED}: {middle}")
        notes.append(f"{len(values)} of {percent} %: median {middle}, p90 {late}, "
                     f"{missed:.1f} % missed")
    return "; ".join(notes) + f"; seed {SEED}"


# Forward, backward, forward, in many styles.

def expect_carry_over(rows, expected, style):
    expect(len(rows), 1, f"carry-overs of {style}")
    compared = {name: value for name, value in rows[0].items()
                if name.endswith(("_steps", "retention_pct"))}
    expect(sorted(compared), sorted(expected), f"fields of the carry-over of {style}")
    for name, value in expected.items():
        expect_near(compared[name], value, f"{name} of {style}")


def expect_bouts(rows, forward, backward, style):
    lengths = [sum(map(len, part)) for part in (forward, backward, forward)]
    shape = [(row["direction"], row["steps"], row["strays"], row["open"]) for row in rows]
    expect(shape, [(d, n, 0, False) for d, n in zip("FBF", lengths)], f"bouts of {style}")
    expect_true(rows[1]["foot_pitch_deg"] < 0,
                f"backward foot pitch of {style}: {rows[1]['foot_pitch_deg']}")


def median_ratio(bouts, field):
    """Of backward to forward, over the styles."""
    return statistics.median(rows[1][field] / rows[0][field] for rows in bouts.values())


def test_backward_walk(build):
    styles = {style: trials.block_of(each)
              for style, each in trials.read_members("backward_walk.csv").items()}
    blocks = {style: parts for style, parts in styles.items() if parts[1]}
    folded = fold(build, {style: trials.walk_block(*parts) for style, parts in blocks.items()})
    expect_balance(folded.books)
    bouts, carries = folded.of_member("gait_bout"), folded.of_member("carry_over")
    expect(sorted(bouts), sorted(blocks), "styles with bouts")
    alike = []
    for style, parts in blocks.items():
        expect_bouts(bouts[style], *parts, style)
        expected = trials.expected_carry_over(*parts)
        expect_carry_over(carries.get(style, []), expected, style)
        alike += [] if "retention_pct" in expected else [style]
    ratio, length = median_ratio(bouts, "walk_ratio"), median_ratio(bouts, "step_length_p50_mm")
    expect_true(abs(ratio - 0.74) <= 0.1, f"walk ratio, backward to forward: {ratio:.3f}")
    expect_true(abs(length - 0.765) <= 0.02, f"step length, backward to forward: {length:.3f}")
    return f"{len(blocks)} of {len(styles)} styles go backward, each long enough for a bout; " \
           f"retention in {len(blocks) - len(alike)}, habit and back too much alike in {alike}; " \
           f"walk ratio {ratio:.3f}, step length {length:.3f} of forward"


# An indoor track.

def expect_means(row, steps, where):
    """A row over all of a member's steps."""
    expect(row["steps"], len(steps), f"steps of {where}")
    for field, key, scale in (("contact_ms", "contact_ms", 1),
                              ("trunk_pitch_deg", "trunk_cdeg", 100)):
        values = [fields_of(step)[0][key] for step in steps if step[key]]
        expect_near(row[field], statistics.mean(values) / scale, f"{field} of {where}")


def test_indoor_track(build):
    members = {member: [row for rows in each.values() for row in rows]
               for member, each in trials.read_members("indoor_track.csv").items()}
    walks = {member: Walk() for member in members}
    for member, walk in walks.items():
        trials.append_trial(walk, members[member])
    folded = fold(build, walks, {"window_s": 300})  # all of a walk in one window
    count = sum(map(len, members.values()))
    expect((count, folded.books["steps_counted"]), (297, 297), "steps, and those counted")
    expect_balance(folded.books)
    for measurement in ("gait_window", "gait_bout"):
        found = folded.of_member(measurement)
        for member, steps in members.items():
            expect(len(found.get(member, [])), 1, f"rows of {member} in {measurement}")
            expect_means(found[member][0], steps, f"{member} in {measurement}")
    return f"{count} steps of {len(members)} members"


# Running them.

def run(name, function, build):
    """("ok" | "FAILED" | "skipped", what there is to say)"""
    try:
        return "ok", function(build)
    except Skip as reason:
        return "skipped", str(reason)
    except Exception as error:
        shown = str(error) if isinstance(error, Failure) else traceback.format_exc()
        return "FAILED", f"{shown}\nrun alone: {__file__} --build {build} --only {name}"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(),
                        help="folder with tests/fold_script")
    parser.add_argument("--only", default="", metavar="NAME", help="tests whose name has NAME")
    return parser.parse_args()


def main():
    options = read_arguments()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    tests = [(name[5:], function) for name, function in globals().items()
             if name.startswith("test_") and options.only in name]
    for name, function in tests:
        begin = time.monotonic()
        outcome, text = run(name, function, options.build)
        counts[outcome] += 1
        print(f"{outcome:7} {time.monotonic() - begin:6.1f} s  {name}: {text}", flush=True)
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    if counts["FAILED"] or not any(counts.values()):
        return 1
    return 0 if counts["ok"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())

"""A class that goes through a drill by script, and what must be told of it: forward as they always
walk, backwards, forward with the feeling they brought along, until first their steps become longer
and bouncier at once, and later the trunk leans back.

Each member wears two pods, which name no foot but in their birth message, and a belt, which sees
every step a little later. Formulas are those of the published interface. Must never use a figure
that the daemon computed.
"""

import collections
import dataclasses
import json
import math
import re
import statistics

from test_config_random import iso
from test_gait import WINDOW_MS, Sum, doubled_length, expected_row

MEMBERS = ("ruth", "adam", "bea", "carl", "dora")
STEP_MS = 500  # from step to step
BELT_MS = 20  # behind the pod
HABIT, BACK, BLOCK, FORWARD = 20, 12, 10, 30  # steps; the block is the first of the way forward
# Numbers of the steps forward from which on they are others. The third of these sets a slip off:
# 3 · (20 − 8) > 30, 3 · (4 − 1.5) > 6.
SLIPS = {"step_length": 13, "vertical_oscillation": 13, "trunk_pitch": 27}
ONSET = 2
DEVIATIONS = {"step_length": 20.0, "vertical_oscillation": 20.0, "trunk_pitch": -4.0}  # limited ones
PHASES = {"free": HABIT, "imprint": BACK, "carry-over": 120}  # steps long
SETTINGS = {"refresh_s": 1, "reorder_ms": 2000, "carry_over_steps": BLOCK,
            "bout_min_steps": BACK}  # the way back is just long enough


@dataclasses.dataclass
class Manner:
    """What a person does in one part of the drill."""
    direction: str
    step_ms: int
    step_mm: int
    contact_ms: int
    trunk_cdeg: int
    vo_mm: int


def manners(number):
    """Everyone walks alike, but not the same."""
    taller = 10 * number
    return (Manner("F", 510, 600 + taller, 640, 300, 40),
            Manner("B", 500, 420 + taller, 700, 800, 30),
            Manner("F", 505, 470 + taller // 2, 650, 600 + taller, 36))


def course(number, begin):
    """A member's steps, with their event times."""
    steps = []
    for part, (manner, count) in enumerate(zip(manners(number), (HABIT, BACK, FORWARD))):
        for n in range(1, count + 1):
            step = {**vars(manner), "part": part, "n": n, "foot": "LR"[len(steps) % 2],
                    "at": begin + 7 * number + STEP_MS * len(steps)}
            step["step_mm"] += (0, 6, -6)[n % 3]
            step["contact_ms"] += n % 5
            steps.append(slipped(step) if part == 2 else step)
    return steps


def slipped(step):
    if step["n"] >= SLIPS["step_length"]:
        step["step_mm"] = step["step_mm"] * 13 // 10
    if step["n"] >= SLIPS["vertical_oscillation"]:
        step["vo_mm"] = step["vo_mm"] * 14 // 10
    if step["n"] >= SLIPS["trunk_pitch"]:
        step["trunk_cdeg"] -= 800
    return step


def slips_of(steps):
    """{metric: the step that sets it off}"""
    return {metric: step for metric, first in SLIPS.items() for step in steps
            if (step["part"], step["n"]) == (2, first + ONSET)}


def devices(name):
    return {f"{name}-L": {"kind": "foot", "side": "L"}, f"{name}-R": {"kind": "foot", "side": "R"},
            f"{name}-belt": {"kind": "trunk"}}


def births():
    """(device, payload)"""
    for name in MEMBERS:
        for device, birth in devices(name).items():
            yield device, json.dumps(birth)


def member_document(name, **values):
    return {"alias": name.title(), "consent": "member", "devices": list(devices(name)),
            "groups": ["tue"], **values}


def documents(begin, group="tue"):
    """(kind, name, document); the class is on from the first step on."""
    phases = [{"name": name, "direction": "B" if name == "imprint" else "F",
               "duration_s": steps * STEP_MS // 1000} for name, steps in PHASES.items()]
    yield "settings", "site", SETTINGS
    yield "drill", "back-twelve", {"phases": phases}
    yield "session", group, {"drill": "back-twelve", "start": iso(begin)}
    for name in MEMBERS:
        yield "member", name, member_document(name, groups=[group])


def events(begin):
    """(event time, device, payload) of the whole class, in that order."""
    sequence, found = collections.Counter(), []

    def add(device, at, **fields):
        found.append((at, device, json.dumps(
            {"v": 1, "boot": 1, "seq": sequence[device], "t": at, **fields})))
        sequence[device] += 1

    for number, member in enumerate(MEMBERS):
        for step in course(number, begin):
            pod = {name: step[name] for name in ("step_ms", "step_mm", "contact_ms")}
            add(f"{member}-{step['foot']}", step["at"], dir=step["direction"], **pod)
            add(f"{member}-belt", step["at"] + BELT_MS,
                **{name: step[name] for name in ("trunk_cdeg", "vo_mm")})
    return sorted(found, key=lambda event: event[0])


# --- what must be told ----------------------------------------------------------------------------

def phase_at(begin, at):
    steps = (at - begin) // STEP_MS
    for name, length in PHASES.items():
        if steps < length:
            return name
        steps -= length
    raise AssertionError(at)


def measured(steps, of_bout):
    """As the formulas of the rows take them: a bout's first step has a time of before it."""
    for number, step in enumerate(steps):
        known = number > 0 or not of_bout
        yield {**step, "time": 2 * step["step_ms"] if known else None, "exact": known, "missed": 0}


def quantiles(values, name, unit):
    ordered = sorted(values)
    return {f"{name}_p{q:02}_{unit}": ordered[q * (len(ordered) - 1) // 100] for q in (5, 50, 95)}


def bout_row(steps):
    row = expected_row(list(measured(steps, True)), steps[0]["direction"])
    row["duration_s"] = (steps[-1]["at"] - steps[0]["at"] + steps[0]["step_ms"]) / 1000
    row |= quantiles([step["step_ms"] for step in steps[1:]], "step_time", "ms")
    row |= quantiles([step["step_mm"] for step in steps], "step_length", "mm")
    row |= quantiles([step["contact_ms"] for step in steps], "contact", "ms")
    return {**row, "strays": 0, "open": False}


def medians(steps):
    """Of step length, walk ratio, trunk pitch; the first step's time is none of the bout's."""
    ratios = [step["step_mm"] / 1000 * step["step_ms"] / 60_000 for step in steps[1:]]
    return (statistics.median(step["step_mm"] for step in steps), statistics.median(ratios),
            statistics.median(step["trunk_cdeg"] for step in steps) / 100)


def retained(habit, back, block):
    return min(100, max(0, 100 * (habit - block) / (habit - back)))


def carry_over_row(steps):
    habit, back, forward = ([s for s in steps if s["part"] == part] for part in range(3))
    (length, ratio, _), then, now = medians(habit), medians(back), medians(forward[:BLOCK])
    kept = retained(length, then[0], now[0]), retained(ratio, then[1], now[1])
    return {"back_steps": len(back), "block_steps": BLOCK, "step_length_retention_pct": kept[0],
            "walk_ratio_retention_pct": kept[1], "retention_pct": sum(kept) / 2,
            "trunk_pitch_delta_deg": now[2] - then[2], "slips": len(SLIPS),
            "steps_to_first_slip": min(SLIPS.values()) + ONSET - BLOCK}


def member_rows(begin, number, member):
    """(measurement, tags, time, fields) but for gait_window."""
    steps = course(number, begin)
    tags = {"group": "tue", "drill": "back-twelve", "member": member, "alias": member.title()}
    for part, phase in enumerate(PHASES):
        bout = [step for step in steps if step["part"] == part]
        own = {**tags, "phase": phase}
        yield ("gait_bout", {**own, "direction": bout[0]["direction"]}, bout[0]["at"],
               bout_row(bout))
    yield "carry_over", own, bout[0]["at"], carry_over_row(steps)
    for metric, step in slips_of(steps).items():
        deviation = DEVIATIONS[metric]
        yield ("slip", {**own, "metric": metric, "sign": "up" if deviation > 0 else "down"},
               step["at"], {"deviation": deviation, "step": step["n"]})


def in_windows(begin):
    """{(phase, window start): {number of a member: [step]}}"""
    found = {}
    for number in range(len(MEMBERS)):
        for step in course(number, begin):
            place = phase_at(begin, step["at"]), step["at"] - step["at"] % WINDOW_MS
            found.setdefault(place, {}).setdefault(number, []).append(step)
    return found


def window_rows(begin):
    for (phase, window), members in in_windows(begin).items():
        for number, steps in members.items():
            name = MEMBERS[number]
            for direction in {step["direction"] for step in steps}:
                own = [step for step in steps if step["direction"] == direction]
                yield ("gait_window", {
                    "group": "tue", "drill": "back-twelve", "phase": phase, "member": name,
                    "alias": name.title(), "direction": direction}, window,
                    {**expected_row(list(measured(own, False)), direction), "lost": 0,
                     "final": False})


def group_row(begin, phase, window, members):
    steps = [step for each in members.values() for step in each]
    cadences = [60_000 / Sum(s["step_ms"] for s in each).mean() for each in members.values()]
    lengths = [Sum(map(doubled_length, each)).mean(2) for each in members.values()]
    row = {"members": len(members), "steps": len(steps), "final": False, "slips": 0,
           "backward_pct": 100 * sum(s["direction"] == "B" for s in steps) / len(steps),
           "cadence_spm_p50": statistics.median(cadences),
           "step_length_mm_p50": statistics.median(lengths),
           "walk_ratio_p50": statistics.median(length / 1000 / cadence for length, cadence
                                               in zip(lengths, cadences))}
    if phase != "carry-over":
        return row
    walks = [course(number, begin) for number in range(len(MEMBERS))]
    row["slips"] = sum(step["at"] - step["at"] % WINDOW_MS == window
                       for walk in walks for step in slips_of(walk).values())
    retentions = [carry_over_row(walk)["retention_pct"] for walk in walks
                  if walk[HABIT + BACK]["at"] // WINDOW_MS * WINDOW_MS == window]
    if retentions:
        row["retention_pct_p50"] = statistics.median(retentions)
    return row


def group_rows(begin):
    for (phase, window), members in in_windows(begin).items():
        yield ("group_window", {"group": "tue", "drill": "back-twelve", "phase": phase}, window,
               group_row(begin, phase, window, members))


def all_rows(begin):
    """{(measurement, time, tags but the site, in their order): fields}"""
    found = [*window_rows(begin), *group_rows(begin)]
    for number, member in enumerate(MEMBERS):
        found += member_rows(begin, number, member)
    return {(name, time, tuple(sorted(tags.items()))): fields
            for name, tags, time, fields in found}


def notices(begin):
    """{device: [what it must be told, in that order]}"""
    return {device: [{"slip": metric, "sign": "up" if DEVIATIONS[metric] > 0 else "down",
                      "deviation": DEVIATIONS[metric], "t": step["at"]}
                     for metric, step in slips_of(course(number, begin)).items()]
            for number, member in enumerate(MEMBERS) for device in devices(member)}


def is_near(name, found, expected):
    """Quantiles of a bout are within 1 %, as the interface promises."""
    bound = 0.01 if re.search(r"_p\d\d_", name) else 1e-6
    return math.isclose(found, expected, rel_tol=bound, abs_tol=1e-9)

#!/usr/bin/python3
"""What the slip rule makes of 50 children's long walks: false slips, and how soon a shift is found.

One table for the default settings and one for those that are recommended where a site wants few
notices; these were chosen on the children with odd ids, so the even ones judge them. Must never use
the engine: it is the rule as the interface words it, once more.
"""

import argparse
import collections
import dataclasses
import math
import statistics
import sys

import long_walk
from harness import Skip

PER_STEPS = 400
SHIFTS_PCT = (25, 12, 10)


@dataclasses.dataclass
class Rule:
    """Site settings, of `slip`."""
    drift_pct: float
    threshold_pct: float
    hold_off_steps: int

    def __str__(self):
        return f"drift {self.drift_pct} %, threshold {self.threshold_pct} %, " \
               f"hold-off {self.hold_off_steps}"


DEFAULT = Rule(8, 30, 20)
RECOMMENDED = Rule(10, 55, 100)


class Watch:
    """A two-sided CUSUM in percent of the reference: limited steps, a rest after each slip."""

    def __init__(self, rule, reference):
        self.rule, self.reference = rule, reference
        self.up = self.down = 0.0
        self.rest = None  # the values since the slip

    def difference(self, value):
        return 100 * (value - self.reference) / self.reference

    def end_rest(self, value):
        hold_off = self.rule.hold_off_steps
        self.rest.append(value)
        if len(self.rest) < hold_off:
            return
        if abs(self.difference(statistics.median(self.rest[-hold_off:]))) <= self.rule.drift_pct:
            self.rest = None
            self.up = self.down = 0.0

    def take(self, value):
        """1 or -1 where the value sets off a slip, else 0."""
        if self.rest is not None:
            self.end_rest(value)
            return 0
        limit = 2 / 3 * self.rule.threshold_pct
        d = max(-limit, min(limit, self.difference(value)))
        self.up = max(0.0, self.up + d - self.rule.drift_pct)
        self.down = max(0.0, self.down - d - self.rule.drift_pct)
        if max(self.up, self.down) <= self.rule.threshold_pct:
            return 0
        self.rest = []
        return 1 if self.up > self.rule.threshold_pct else -1


def slips(rule, steps):
    """[(index of the step, sign)] of a bout whose first steps are the block."""
    block = [step for step in steps[:long_walk.BLOCK_STEPS] if step is not None]
    watch = Watch(rule, statistics.median(block))
    judged = enumerate(steps[long_walk.BLOCK_STEPS:], long_walk.BLOCK_STEPS)
    verdicts = [(at, watch.take(step)) for at, step in judged if step is not None]
    return [(at, sign) for at, sign in verdicts if sign]


def delay(rule, steps, at, percent):
    """Steps until a slip of the shift's sign, the first shifted step being 1; inf where none is."""
    found = slips(rule, long_walk.shifted(steps, at, percent))
    sign = 1 if percent > 0 else -1
    return next((i - at + 1 for i, s in found if i >= at and s == sign), math.inf)


def delays(rule, walks, percent, count, seed):
    return [delay(rule, steps, at, sign * percent)
            for member, steps in walks.items()
            for at in long_walk.insertion_points(member, len(steps), count, seed)
            for sign in (1, -1)]


def rate(found, walks):
    judged = sum(map(long_walk.count_judged, walks.values()))
    return PER_STEPS * sum(found[member] for member in walks) / judged


def delay_figures(values):
    """(median, 90th percentile, percentage that is missed)"""
    return (long_walk.quantile(values, 0.5), long_walk.quantile(values, 0.9),
            100 * values.count(math.inf) / len(values))


def print_rule(rule, parts, options):
    print(f"\n{rule}")
    heads = "".join(f" | {shift} %: median, p90, missed" for shift in SHIFTS_PCT)
    print(f"{'children':10} slips per {PER_STEPS}{heads}")
    everyone = parts["all"]
    found = {member: len(slips(rule, steps)) for member, steps in everyone.items()}
    for name, walks in parts.items():
        figures = (delay_figures(delays(rule, walks, shift, options.insertions, options.seed))
                   for shift in SHIFTS_PCT)
        columns = ["{:6} {:6} {:7.1f} %".format(*each) for each in figures]
        print(f"{name:10} {rate(found, walks):13.2f} | " + " | ".join(columns))
    spread = sorted(collections.Counter(found.values()).items())
    print("slips of a child: " + ", ".join(f"{n} in {count} children" for n, count in spread))


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--insertions", type=int, default=20, metavar="N",
                        help="shifts of each size and sign per child")
    parser.add_argument("--seed", type=int, default=1, help="of where they are")
    rule = parser.add_argument_group("another rule, instead of the default")
    for field in dataclasses.fields(Rule):
        rule.add_argument("--" + field.name.replace("_", "-"), type=field.type,
                          default=getattr(DEFAULT, field.name))
    return parser.parse_args()


def main():
    options = read_arguments()
    try:
        strides = long_walk.read_strides()
    except Skip as reason:
        print(f"skipped: {reason}")
        return
    walks = {member: long_walk.step_times(each) for member, each in strides.items()}
    odd, even = long_walk.halves(walks)
    parts = {"odd ids": {m: walks[m] for m in odd}, "even ids": {m: walks[m] for m in even},
             "all": walks}
    judged = sum(map(long_walk.count_judged, walks.values()))
    print(f"{judged} steps judged, {options.insertions} shifts of each size and sign per child, "
          f"a shift is missed after {long_walk.SHIFT_STEPS} steps, seed {options.seed}")
    print_rule(Rule(options.drift_pct, options.threshold_pct, options.hold_off_steps), parts,
               options)
    print_rule(RECOMMENDED, parts, options)


if __name__ == "__main__":
    sys.exit(main())

"""The engine against the reference over random classes: the same script, the same rows.

  test_reference.py --program FOLD_SCRIPT [--classes N] [--orders N] [--snapshots N] [--seed S]
                    [--way WAY]
  test_reference.py --program FOLD_SCRIPT --self-test [--classes N]
  test_reference.py --script SEED [--way WAY]

`--orders` folds that many classes twice, in two orders of arrival that must give the same rows;
`--snapshots` that many by one engine and by many, each made of a snapshot of the one before.
`--self-test` turns single rules of the reference into wrong ones, which the classes must tell; it
asks the reference alone, never the engine. `--script` prints a class. Must never go on after a
difference, nor pass without having seen each kind of row.
"""

import argparse
import sys
from collections import Counter
from itertools import zip_longest

import mutations
import random_class
from comparison import COUNTS, Comparison, Fold, fold_text, run_script
from reference import Reference

MUST_BE_SEEN = ("gait_window", "gait_bout", "carry_over", "slip", "group_window",
                "session_summary", "retentions", "group retentions", "strays", "notices",
                "steps_counted", "steps_fused")
# What depends on the steps around one, and on when it came.
OF_ARRIVAL = {"late", "lost"}
OF_NEIGHBOURS = {"missed", "duration_s", "distance_m"}


class Difference(Exception):
    """What failed, and how to see it again."""


def again(options, what, seed, way):
    return f"  again: {sys.executable} {sys.argv[0]} --program {options.program} {what} 1 " \
           f"--seed {seed} --way {way}"


def expect_same(options, what, found, seed, way):
    if not found:
        return
    (measurement, tags, timestamp), name, expected, engine = found[0]
    named = ",".join("=".join(map(str, tag)) for tag in tags)
    raise Difference(f"seed {seed} ({way}): {measurement},{named} {timestamp}\n"
                     f"  {name}: expected {expected!r}, found {engine!r}"
                     f" ({len(found)} differences)\n" + again(options, what, seed, way))


# --- one class ------------------------------------------------------------------------------------

def fold(options, what, built):
    try:
        return run_script(options.program, built.script(), built.seed)
    except RuntimeError as error:
        raise Difference(f"seed {built.seed} ({built.way}): {error}\n"
                         + again(options, what, built.seed, built.way)) from None


def compare(options, seed, way, counts):
    """The engine against the reference."""
    built = random_class.build(seed, way)
    result = Reference().run(built.script())
    found = Comparison(fold(options, "--classes", built), result)
    counts.update(found.counts)
    expect_same(options, "--classes", found.differences, seed, way)


def standing(fold, measurements):
    """Its rows; of a group that came to give somebody away only what the moment left stands."""
    return {key: fields for key, fields in fold.rows.items()
            if (measurements is None or key[0] in measurements)
            and (key[0] != "group_window" or fields["final"])}


def differing(one, other, measurements, without):
    """[(key, field, value, other value)]"""
    found, one, other = [], standing(one, measurements), standing(other, measurements)
    for key in sorted(one.keys() | other.keys(), key=lambda key: (key[2], key)):
        if key not in one or key not in other:
            found.append((key, "(the row)", one.get(key), other.get(key)))
            continue
        a, b = one[key], other[key]
        found += [(key, name, a.get(name), b.get(name)) for name in sorted(a.keys() | b.keys())
                  if name not in without and a.get(name) != b.get(name)]
    return found


def compare_orders(options, seed, counts):
    """The engine against itself, the class in another order: shuffled within reorder_ms all rows
    are the same but for what tells of arrival; within the lateness the windows are, but for what
    comes from neighbours."""
    for way, measurements, without in (
            ("shuffled", None, OF_ARRIVAL),
            ("permuted", {"gait_window"}, OF_ARRIVAL | OF_NEIGHBOURS)):
        one = random_class.build(seed, way)
        folds = [fold(options, "--orders", each) for each in (one, one.in_another_order())]
        counts[f"rows in two orders ({way})"] += len(folds[0].rows)
        expect_same(options, "--orders", differing(*folds, measurements, without), seed, way)


def compare_snapshots(options, seed, counts):
    """The same bytes, whether one engine folds it all or it is replaced every few records."""
    built = random_class.build(seed, options.way or "any")
    every = 1 + seed % 17
    texts = [fold_text(options.program, built.script(), built.seed, *more).splitlines()
             for more in ((), ("--snapshot-every", str(every)))]
    counts["lines with snapshots"] += len(texts[0])
    for number, (one, other) in enumerate(zip_longest(*texts)):
        if one != other:
            raise Difference(f"seed {seed}, a snapshot every {every} records, line {number + 1}:\n"
                             f"  expected {one!r}\n  found    {other!r}\n"
                             + again(options, "--snapshots", seed, built.way))


# --- the classes against wrong rules --------------------------------------------------------------

def as_fold(result):
    """What an engine prints that is of one mind with the reference."""
    fold = Fold()
    for key, fields in result.rows.items():
        fold.rows[key] = {name: value if name in COUNTS else float(f"{float(value):.9g}")
                          for name, value in fields.items()}
    fold.books = dict(result.books)
    fold.notices = [(each.topic, each.slip, each.sign, float(each.deviation), each.t)
                    for each in result.notices]
    return fold


def first_told(mutation, scripts, folds):
    """How many classes it takes to tell the wrong rule; None: they do not."""
    with mutations.in_force(mutation):
        for number, lines in enumerate(scripts):
            if Comparison(folds[number], Reference().run(lines)).differences:
                return number + 1
    return None


def self_test(options):
    scripts = [random_class.build(options.seed + number).script()
               for number in range(options.classes)]
    folds = [as_fold(Reference().run(lines)) for lines in scripts]
    failed = sum(bool(Comparison(fold, Reference().run(lines)).differences)
                 for fold, lines in zip(folds, scripts))
    print(f"{len(scripts) - failed} of {len(scripts)} classes agree with the right rules")
    for mutation in mutations.MUTATIONS:
        told = first_told(mutation, scripts, folds)
        failed += told is None
        print(f"  {f'class {told:4}' if told else 'NEVER TOLD'}  {mutation[0]}", flush=True)
    return len(mutations.MUTATIONS) + 1 - failed, failed


# --- all ------------------------------------------------------------------------------------------

def run(options):
    counts, passed = Counter(), 0
    try:
        for number in range(options.classes):
            # Most classes have everything; the calm ones are there for their orders, too.
            calm = random_class.WAYS[1 + number % 2]
            way = options.way or ("any" if number % 10 < 8 else calm)
            compare(options, options.seed + number, way, counts)
            passed += 1
        for number in range(options.orders):
            compare_orders(options, options.seed + number, counts)
            passed += 1
        for number in range(options.snapshots):
            compare_snapshots(options, options.seed + number, counts)
            passed += 1
    except Difference as difference:
        print(difference)
        return passed, 1
    print("compared: " + ", ".join(f"{counts[name]} {name}" for name in sorted(counts)))
    missing = [name for name in MUST_BE_SEEN if not counts[name]]
    if missing and options.classes > 1:
        print(f"from seed {options.seed} on no class showed: {', '.join(missing)}")
        return passed, 1
    return passed, 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", help="fold_script of a build")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--orders", type=int)
    parser.add_argument("--snapshots", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=random_class.WAYS)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--script", type=int)
    options = parser.parse_args()
    if options.script is not None:
        print("\n".join(random_class.build(options.script, options.way or "any").script()))
        return 0
    if options.classes is None:
        options.classes = 0 if options.orders or options.snapshots else 300
    options.orders = options.orders or 0
    options.snapshots = options.snapshots or 0
    if options.self_test:
        passed, failed = self_test(options)
    elif options.program:
        passed, failed = run(options)
    else:
        parser.error("--program is missing")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

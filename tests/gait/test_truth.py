#!/usr/bin/python3
"""Simulated classes with every fault, folded by the real engine, against the simulator's own truth.

`backstepctl simulate --script` writes what arrives, `--truth-rows` what was generated and what
arrived of it. Must never take a figure from the engine to hold the engine against.
"""

import argparse
import collections
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from folding import QUIET_MS, Folded
from harness import expect, expect_balance, expect_true
from processes import Failure

CLASS = {"members": 40, "duration": 1800, "warm_up": 60, "back": 60, "forward": 60,
         "retention": "20..100", "slips": 60, "slip_size": "12,25"}
FAULTS = {"duplicates": 3, "loss": 2, "resets": 10, "late_members": 20, "out_of_reach": 120,
          "late": 600}
SENSORS = {"sensors": "trunk,pods,wrist", "clock_error": 40, "drift": 10}
REORDER_MS = 2000  # of the site's settings, by default
BLOCK_STEPS = 20
RETENTION_WITHIN = 0.1  # points
SLIP_WITHIN = {25: 6, 12: 40}  # steps; of 25 % every one, of 12 % the median
FALSE_SLIPS_MAX = 0.2  # in 400 judged steps
PERCENT_PER_DEGREE = 5
DRIFTED_MS = 10


# Running.

def arguments(options):
    for key, value in options.items():
        yield "--" + key.replace("_", "-")
        if value is not True:
            yield str(value)


class Class:
    """A class as it was simulated: the lines of its script, and the truth by kind of row."""

    def __init__(self, build, **options):
        with tempfile.TemporaryDirectory() as folder:
            script, rows = Path(folder, "script"), Path(folder, "rows")
            command = [build / "backstepctl", "simulate", "--quiet", "--script", script,
                       "--truth-rows", rows, *arguments(options)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Failure(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
            self.lines = script.read_text().splitlines()
            self.truth = collections.defaultdict(list)
            for line in rows.read_text().splitlines():
                row = json.loads(line)
                self.truth[row["row"]].append(row)

    def members(self, consent):
        return {row["member"] for row in self.truth["member"] if row["consent"] == consent}

    def by_bout(self, kind, start="start"):
        """{(member, start of the bout): row}, of those who may have rows of their own."""
        seen = self.members("member")
        return {(row["member"], row[start]): row for row in self.truth[kind]
                if row["member"] in seen and start in row}


def tick_of(line):
    return int(line.partition("\t")[0])


def newest_only(output):
    """What fold_script printed, of each row the last writing alone."""
    last, others = {}, []
    for line in output.splitlines():
        if line.startswith("row\t"):
            key, _fields, at = line.split("\t", 3)[3].rsplit(" ", 2)
            last[key, at] = line
        else:
            others.append(line)
    return "\n".join([*last.values(), *others])


def fold(build, lines):
    text = "\n".join([*lines, str(tick_of(lines[-1]) + QUIET_MS)]) + "\n"
    done = subprocess.run([build / "tests" / "fold_script"], input=text, capture_output=True,
                          text=True)
    if done.returncode:
        raise Failure(f"fold_script: exit status {done.returncode}: {done.stderr[-2000:]}")
    folded = Folded(newest_only(done.stdout))
    expect(folded.refused, [], "documents refused")
    return folded


def found_by_bout(folded, measurement):
    """As Class.by_bout."""
    rows = folded.rows(measurement)
    found = {(row["member"], row["time"]): row for row in rows}
    expect(len(found), len(rows), f"rows of {measurement} with a member and a time of their own")
    return found


def expect_same_keys(found, expected, what):
    for side, keys in (("expected only", expected.keys() - found.keys()),
                       ("found only", found.keys() - expected.keys())):
        expect(sorted(keys)[:5], [], f"{what}, {side} ({len(keys)} in all), the first")


# The truth against the script it came with: what arrived first, and of which sensor.

def readings(line):
    """(device, stored, boot, seq, time) of each step in a message of JSON, single."""
    _tick, topic, payload = line.split("\t")
    level = topic.split("/")
    if level[0] == "device" and level[2] == "steps":
        step = json.loads(payload)
        yield level[1], "stored" in step, step["boot"], step["seq"], step["t"]


def letters_of(walk):
    """{(device, boot): (member, sensor letter)}"""
    found = {}
    for row in walk.truth["device"]:
        for boot in ("boot", "reset_boot"):
            if boot in row:
                found[row["device"], row[boot]] = row["member"], row["sensor"]
    return found


def nearest(times, at):
    """Index of the nearest of ascending times."""
    low, high = 0, len(times) - 1
    while low < high:
        middle = (low + high) // 2
        if times[middle] + times[middle + 1] < 2 * at:
            low = middle + 1
        else:
            high = middle
    return low


def expect_truth_of_script(walk):
    """Every step of the truth arrived as the script says, by sensors whose clocks are a little
    wrong: each reading is of the step whose time is nearest."""
    of_device, steps = letters_of(walk), collections.defaultdict(list)
    for row in walk.truth["step"]:
        steps[row["member"]].append(row)
    times = {member: [row["t"] for row in rows] for member, rows in steps.items()}
    arrived = collections.defaultdict(lambda: [None, set(), set()])
    for line in walk.lines:
        for device, stored, boot, _seq, at in readings(line):
            member, letter = of_device[device, boot]
            trace = arrived[member, nearest(times[member], at)]
            if not stored and not trace[1]:
                trace[0] = at
            trace[1 + stored].add(letter)
    for member, rows in steps.items():
        for i, row in enumerate(rows):
            trace = arrived[member, i]
            expect((row.get("time"), set(row["live"]), set(row["kept"])), tuple(trace),
                   f"time, live and kept of step {i} of {member}")


# The engine against the truth.

def expect_books(folded, walk):
    """What arrived of a contact live is one step, what was kept of it another."""
    books, steps = folded.books, walk.truth["step"]
    expect_balance(books)
    expect(books["steps_counted"], sum(bool(s["live"]) + bool(s["kept"]) for s in steps),
           "steps counted")
    expect(books["steps_fused"],
           sum(max(len(s[way]) - 1, 0) for s in steps for way in ("live", "kept")), "steps fused")
    totals = walk.truth["totals"][0]
    expect({k: v for k, v in books["steps_rejected"].items() if v},
           {"duplicate": totals["duplicates"]} if totals["duplicates"] else {}, "steps rejected")
    expect(books["steps_waiting"], 0, "steps that wait")


def expect_windows(folded, walk):
    seen, found, expected = walk.members("member"), {}, {}
    for row in folded.rows("gait_window"):
        key = row["member"], "stored" in row
        found[key] = found.get(key, 0) + row["steps"]
    for row in walk.truth["step"]:
        for way in ("live", "kept"):
            if row[way] and row["member"] in seen:
                key = row["member"], way == "kept"
                expected[key] = expected.get(key, 0) + 1
    expect(found, expected, "steps in windows of each member, live and stored")


def expect_bouts(folded, walk):
    found, expected = found_by_bout(folded, "gait_bout"), walk.by_bout("bout")
    expect_same_keys(found, expected, "bouts")
    for key, row in expected.items():
        bout = found[key]
        expect((bout["direction"], bout["steps"], bout["open"]), (row["dir"], row["steps"], False),
               f"direction, steps and open of bout {key}")


def expect_retention(found, expected, key):
    for name in ("step_length_retention_pct", "walk_ratio_retention_pct"):
        expect(name in found, name in expected, f"whether {key} has {name}")
        if name in expected:
            expect_true(abs(found[name] - expected[name]) <= RETENTION_WITHIN,
                        f"{name} of {key}: expected {expected[name]}, found {found[name]}")


def expect_carry_overs(folded, walk):
    found, expected = found_by_bout(folded, "carry_over"), walk.by_bout("carry_over")
    expect_same_keys(found, expected, "carry-overs")
    for key, row in expected.items():
        for name in ("back_steps", "block_steps"):
            expect(found[key][name], row[name], f"{name} of carry-over {key}")
        expect_retention(found[key], row, key)


def size_of(slip):
    return round(slip["size_pct"] if "size_pct" in slip else slip["size_deg"] * PERCENT_PER_DEGREE)


class Slips:
    """The engine's slips beside those that were injected."""

    def __init__(self, folded, walk):
        self.bouts, self.carried = walk.by_bout("bout"), walk.by_bout("carry_over")
        self.injected = walk.by_bout("slip", "bout_start")
        self.found = collections.defaultdict(list)
        for row in sorted(folded.rows("slip"), key=lambda row: row["time"]):
            self.found[self.bout_of(row)].append(row)
        self.delays = collections.defaultdict(list)
        self.false = 0

    def bout_of(self, row):
        """The key of the bout that a slip lies in."""
        keys = [key for key, bout in self.bouts.items()
                if key[0] == row["member"] and bout["start"] <= row["time"] <= bout["end"]]
        expect(len(keys), 1, f"bouts that hold the slip {row}")
        return keys[0]

    def judge(self):
        for key in self.carried:
            self.judge_bout(key, self.injected.get(key))

    def judge_bout(self, key, slip):
        rows = list(self.found[key])
        if slip and slip["step"] > BLOCK_STEPS:
            of_it = [row for row in rows if row["metric"] == slip["metric"] and
                     row["sign"] == slip["sign"] and row["step"] >= slip["step"]]
            rows = [row for row in rows if row not in of_it[:1]]
            size = size_of(slip)
            if self.bouts[key]["steps"] - slip["step"] + 1 >= SLIP_WITHIN[size]:
                delay = of_it[0]["step"] - slip["step"] + 1 if of_it else None
                self.delays[size].append((delay, key, slip["metric"], slip["sign"]))
        self.false += len(rows)

    def judged_steps(self):
        return sum(self.bouts[key]["steps"] - BLOCK_STEPS for key in self.carried
                   if self.bouts[key]["steps"] > BLOCK_STEPS)


def expect_slips(folded, walk):
    slips = Slips(folded, walk)
    slips.judge()
    expect_true(len(slips.delays[25]) >= 40 and len(slips.delays[12]) >= 40, "slips to be found")
    slow = [each for each in slips.delays[25] if each[0] is None or each[0] > SLIP_WITHIN[25]]
    expect(slow, [], f"of {len(slips.delays[25])} slips of 25 % those found after {SLIP_WITHIN[25]} "
                     "steps or never (steps, bout, metric, sign)")
    delays = [each[0] or 10_000 for each in slips.delays[12]]
    expect_true(statistics.median(delays) <= SLIP_WITHIN[12],
                f"steps until a slip of 12 % is found: median {statistics.median(delays)}")
    rate = 400 * slips.false / slips.judged_steps()
    expect_true(rate <= FALSE_SLIPS_MAX, f"false slips in 400 steps: {rate:.2f}")
    return f"slips of 25 %: {len(slips.delays[25])} within " \
           f"{max(each[0] for each in slips.delays[25])} steps; of 12 %: {len(delays)}, median " \
           f"{statistics.median(delays)}, {delays.count(10_000)} missed; {slips.false} false"


def expect_consent(folded, walk):
    hidden = walk.members("group")
    expect_true(hidden, "members with consent group")
    shown = {row["member"] for row in folded.newest.values() if "member" in row} & hidden
    expect(shown, set(), "members with consent group who have rows")


def expect_all(folded, walk):
    expect_books(folded, walk)
    expect_windows(folded, walk)
    expect_bouts(folded, walk)
    expect_carry_overs(folded, walk)
    totals = walk.truth["totals"][0]
    return f"{totals['contacts']} contacts, {totals['contacts_lost']} lost of all sensors, " \
           f"{len(walk.by_bout('bout'))} bouts, {len(walk.by_bout('carry_over'))} carry-overs"


# The tests; each is given a seed and says it where it fails.

def test_several_sensors_and_every_fault(build, seed):
    walk = Class(build, seed=seed, **CLASS, **FAULTS, **SENSORS, reorder_ms=1500, group_consent=20)
    expect_truth_of_script(walk)
    folded = fold(build, walk.lines)
    note = expect_all(folded, walk)
    expect_consent(folded, walk)
    return f"{note}; {expect_slips(folded, walk)}"


def test_one_device_in_batches(build, seed):
    walk = Class(build, seed=seed, **CLASS, **FAULTS, form="binary", batch=8, reorder_ms=1500,
                 clock_error=60)
    folded = fold(build, walk.lines)
    return f"{expect_all(folded, walk)}; {expect_slips(folded, walk)}"


def test_pods_alone(build, seed):
    walk = Class(build, seed=seed, **CLASS, duplicates=3, loss=2, resets=10, reorder_ms=1500,
                 devices=2)
    folded = fold(build, walk.lines)
    return f"{expect_all(folded, walk)}; {expect_slips(folded, walk)}"


# Time since power-up: bouts begin where the shortest delay puts them.

def on_true_time(rows, truth, late_ms):
    """The rows under the times of the truth's, each of which must have one near: late by no more
    than messages are, or early by what a clock drifts while an offset is remembered."""
    starts = collections.defaultdict(list)
    for member, start in sorted(truth):
        starts[member].append(start)
    moved = {}
    for (member, start), row in rows.items():
        true = starts[member][nearest(starts[member], start)] if starts[member] else None
        expect_true(true is not None and -DRIFTED_MS <= start - true <= late_ms + DRIFTED_MS,
                    f"{row['measurement']} of {member} at {start}: nearest in the truth {true}")
        moved[member, true] = row
    return moved


def test_clocks_since_power_up(build, seed):
    late_ms = 60
    walk = Class(build, seed=seed, **CLASS, **FAULTS, sensors="trunk,pods", drift=50, up=True,
                 reorder_ms=late_ms)
    folded = fold(build, walk.lines)
    expect_books(folded, walk)
    expect_windows(folded, walk)
    bouts, carried = walk.by_bout("bout"), walk.by_bout("carry_over")
    found = on_true_time(found_by_bout(folded, "gait_bout"), bouts, late_ms)
    expect_same_keys(found, bouts, "bouts")
    for key, row in bouts.items():
        expect((found[key]["direction"], found[key]["steps"]), (row["dir"], row["steps"]),
               f"direction and steps of bout {key}")
    found = on_true_time(found_by_bout(folded, "carry_over"), carried, late_ms)
    expect_same_keys(found, carried, "carry-overs")
    for key, row in carried.items():
        expect_retention(found[key], row, key)
    return f"{len(bouts)} bouts, {len(carried)} carry-overs"


# The order in which messages come changes nothing, as long as each is late by less than the site
# waits for it.

def shuffled(lines, seed, late_ms):
    draw = random.Random(seed)
    documents = [line for line in lines if "/steps\t" not in line]
    steps = []
    for line in lines:
        if "/steps\t" in line:
            tick, _, rest = line.partition("\t")
            steps.append((int(tick) + draw.randrange(late_ms), rest))
    steps.sort(key=lambda each: each[0])
    return documents + [f"{tick}\t{rest}" for tick, rest in steps]


def without_arrival(folded):
    """The rows about gait, without what they say of how the messages came."""
    return {key: {name: value for name, value in row.items() if name not in ("late", "lost")}
            for key, row in folded.newest.items()
            if row["measurement"] not in ("device_health", "backstep_service")}


def expect_order_is_nothing(build, seed, **options):
    walk = Class(build, seed=seed, **CLASS, duplicates=3, loss=2, resets=10, late_members=20,
                 late=600, group_consent=20, **options)
    plain = without_arrival(fold(build, walk.lines))
    other = without_arrival(fold(build, shuffled(walk.lines, seed, REORDER_MS - 200)))
    expect_same_keys(other, plain, "rows")
    for key, row in plain.items():
        expect(other[key], row, f"row {key} of the shuffled script")
    return f"{len(plain)} rows"


def test_order_of_one_device(build, seed):
    return expect_order_is_nothing(build, seed, clock_error=60, drift=20)


def test_order_of_batches(build, seed):
    return expect_order_is_nothing(build, seed, form="batch", batch=10)


# Running them.

def run(name, function, build, seed):
    """("ok" | "FAILED", what there is to say)"""
    try:
        return "ok", f"seed {seed}: {function(build, seed)}"
    except Exception as error:
        shown = str(error) if isinstance(error, Failure) else traceback.format_exc()
        return "FAILED", f"{shown}\nrun alone: {__file__} --build {build} --only {name} " \
                         f"--seed {seed}"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(),
                        help="folder with backstepctl and tests/fold_script")
    parser.add_argument("--only", default="", metavar="NAME", help="tests whose name has NAME")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="runs of each test (2)")
    return parser.parse_args()


def main():
    options = read_arguments()
    counts = {"ok": 0, "FAILED": 0}
    tests = [(name[5:], function) for name, function in globals().items()
             if name.startswith("test_") and options.only in name]
    seeds = [random.SystemRandom().randrange(1 << 32) for _ in range(options.seeds)]
    for name, function in tests:
        for seed in seeds if options.seed is None else [options.seed]:
            begin = time.monotonic()
            outcome, text = run(name, function, options.build, seed)
            counts[outcome] += 1
            print(f"{outcome:7} {time.monotonic() - begin:6.1f} s  {name}: {text}", flush=True)
    print(f"{counts['ok']} passed, {counts['FAILED']} failed")
    return 1 if counts["FAILED"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())

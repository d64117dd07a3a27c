"""Real recordings through the whole line, against a calculation of this file's own.

Formulas are those of the published interface; integers stay integers until the last division. Must
never use a number that the daemon or the sender computed, but for when each trial was started.
"""

import collections
import csv
import math

from harness import data_folder, expect, expect_balance, expect_true, wait_for_totals
from daemon import guest_totals

WINDOW_MS = 10_000
MISSED_MAX_MS = 3000
RANGES = {
    "step_ms": (140, 2200), "stride_ms": (300, 3000), "contact_ms": (50, 3000),
    "step_mm": (30, 3000), "stride_mm": (100, 5500), "trunk_cdeg": (-4500, 6000),
    "pitch_cdeg": (-6000, 6000), "vo_mm": (0, 300),
}


def read_table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def fields_of(row):
    """(fields within their hard ranges, how many were outside)"""
    known = {name: int(row[name]) for name in RANGES if row[name]}
    inside = {n: v for n, v in known.items() if RANGES[n][0] <= v <= RANGES[n][1]}
    return inside, len(known) - len(inside)


class Sum:
    """Mean and sample standard deviation of integers, exactly until the last division."""

    def __init__(self, values):
        values = [value for value in values if value is not None]
        self.n, self.total = len(values), sum(values)
        self.squares = sum(value * value for value in values)

    def mean(self, scale=1):
        return self.total / (scale * self.n) if self.n else None

    def deviation(self, scale=1):
        if self.n < 2:
            return None
        spread = self.n * self.squares - self.total * self.total
        return math.sqrt(spread / (self.n * (self.n - 1))) / scale


def within(value, name):
    low, high = RANGES[name]
    return value if value is not None and low <= value <= high else None


def doubled_times(step, before, same_foot_at):
    """(step time in half milliseconds, whether it is exact): so half of an odd stride time is still
    an integer. `before`: the member's step before; `same_foot_at`: when this foot was last heard."""
    if "step_ms" in step:
        return 2 * step["step_ms"], True
    since = step["at"] - before["at"] if before and before["foot"] != step["foot"] else None
    if within(since, "step_ms"):
        return 2 * since, True
    if "stride_ms" in step:
        return step["stride_ms"], False
    since = step["at"] - same_foot_at if same_foot_at is not None else None
    return within(since, "stride_ms"), False


def measure(steps):
    """Adds to a member's steps, all of one device and all of a known foot, what follows from those
    before: step time and steps that nobody saw."""
    before, heard = None, {}
    for step in sorted(steps, key=lambda step: step["at"]):
        time, exact = doubled_times(step, before, heard.get(step["foot"]))
        step.update(time=time, exact=exact, missed=0)
        if before and before["foot"] == step["foot"]:
            step["missed"] = int(step["at"] - before["at"] <= MISSED_MAX_MS)
        before, heard[step["foot"]] = step, step["at"]


def doubled_length(step):
    return 2 * step["step_mm"] if "step_mm" in step else step.get("stride_mm")


def exact_times(steps, foot="LR"):
    return Sum(step["time"] for step in steps if step["exact"] and step["foot"] in foot)


def symmetry(steps, direction):
    left, right = exact_times(steps, "L"), exact_times(steps, "R")
    if direction not in "FB" or min(left.n, right.n) < 4:
        return None
    return 100 * (right.mean() - left.mean()) / (0.5 * (right.mean() + left.mean()))


def with_unseen(steps, value):
    """The sum of what a step has, twice where it stands for one that nobody saw, too."""
    return Sum(value(step) for step in steps for _ in range(1 + step["missed"]))


def expected_row(steps, direction):
    """The fields of one gait_window row, without those that depend on when the steps arrived."""
    def plain(name):
        return Sum(step.get(name) for step in steps)

    times, lengths = Sum(s["time"] for s in steps), Sum(map(doubled_length, steps))
    both = [(doubled_length(s), s["time"]) for s in steps]
    both = [(length, time) for length, time in both if length is not None and time is not None]
    strides, time_mean, length_mean = plain("stride_ms"), times.mean(2), lengths.mean(2)
    row = {
        "steps": len(steps), "missed": sum(step["missed"] for step in steps),
        "duration_s": with_unseen(steps, lambda s: s["time"]).total / 2000 if times.n else None,
        "distance_m": with_unseen(steps, doubled_length).total / 2000 if lengths.n else None,
        "cadence_spm": 60_000 / time_mean if times.n else None,
        "speed_mps": sum(b[0] for b in both) / sum(b[1] for b in both) if both else None,
        "step_time_ms": time_mean, "step_time_sd_ms": exact_times(steps).deviation(2),
        "step_length_mm": length_mean, "step_length_sd_mm": lengths.deviation(2),
        "stride_time_ms": strides.mean(),
        "stride_time_cv_pct": 100 * strides.deviation() / strides.mean() if strides.n > 1 else None,
        "contact_ms": plain("contact_ms").mean(),
        "foot_pitch_deg": plain("pitch_cdeg").mean(100),
        "trunk_pitch_deg": plain("trunk_cdeg").mean(100),
        "trunk_pitch_sd_deg": plain("trunk_cdeg").deviation(100),
        "vertical_oscillation_mm": plain("vo_mm").mean(),
        "symmetry_pct": symmetry(steps, direction),
    }
    if times.n and lengths.n:
        row["walk_ratio"] = length_mean / 1000 / row["cadence_spm"]
    return {name: value for name, value in row.items() if value is not None}


def trial_starts(truth):
    """{(source, member, trial): (device, Unix time of its t_ms 0)}, all that is taken from the
    sender."""
    return {(walker["source"], walker["member"], trial["trial"]): (device, trial["start"])
            for device, walker in truth["devices"].items() for trial in walker["trials"]}


def expected_rows(table, truth):
    """({(member, direction, window start): row}, fields outside their hard range)"""
    starts, members, outside = trial_starts(truth), collections.defaultdict(list), 0
    for row in table:
        step, dropped = fields_of(row)
        outside += dropped
        device, start_ms = starts[row["source"], row["member"], row["trial"]]
        step.update(foot=row["foot"], dir=row["dir"], at=start_ms + int(row["t_ms"]))
        members[f"guest-{device}"].append(step)
    windows = collections.defaultdict(list)
    for member, steps in members.items():
        measure(steps)
        for step in steps:
            windows[member, step["dir"], step["at"] - step["at"] % WINDOW_MS].append(step)
    return {key: expected_row(steps, key[1]) for key, steps in windows.items()}, outside


def found_rows(influx):
    rows = influx.rows("SELECT * FROM gait_window GROUP BY member, direction")
    return {(row["member"], row["direction"], row["time"]): row for row in rows}


ARRIVAL = {"late", "final", "lost"}
TAGS = {"time", "site", "group", "drill", "phase", "member", "alias", "direction", "stored"}


def expect_row(found, expected, key):
    fields = {n: v for n, v in found.items() if v is not None and n not in TAGS | ARRIVAL}
    expect(sorted(fields), sorted(expected), f"fields of {key}")
    for name, value in expected.items():
        near = math.isclose(fields[name], value, rel_tol=1e-6, abs_tol=1e-9)
        same = fields[name] == value if isinstance(value, int) else near
        expect_true(same, f"{name} of {key}: expected {value!r}, found {fields[name]!r}")


def expect_rows(influx, expected):
    found = found_rows(influx)
    expect(sorted(set(found) ^ set(expected))[:5], [], "rows on one side only")
    for key, row in expected.items():
        expect_row(found[key], row, key)


def replay(case, path):
    """(table, truth, influx, books) of a recording that has gone through the whole line."""
    broker, influx, daemon = case.line({"allowed_lateness_s": 3600})
    truth = case.send("replay", broker, daemon, path, speed=0).wait()
    wait_for_totals(influx, guest_totals(truth), 60, daemon)
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    return read_table(path), truth, influx, books


def check(case, path):
    table, truth, influx, books = replay(case, path)
    expected, outside = expected_rows(table, truth)
    expect_rows(influx, expected)
    expect(books["steps_received"], len(table), "steps in the books")
    expect(books["steps_counted"], len(table), "steps counted")
    expect(books["field_out_of_range"], outside, "fields out of range")
    case.notes.append(f"{len(table)} steps in {len(expected)} rows, {outside} fields out of range")
    return table, influx, books


def test_long_walk(case):
    table, _influx, books = check(case, data_folder() / "long_walk.csv")
    expect(len(table), 24_148, "rows of long_walk.csv")
    expect(books["field_out_of_range"], 15, "strides out of range")


def test_backward_walk(case):
    _table, influx, _books = check(case, data_folder() / "backward_walk.csv")
    by_direction = {row["direction"]: row["mean"] for row in influx.rows(
        "SELECT mean(foot_pitch_deg) FROM gait_window GROUP BY direction")}
    expect_true(by_direction["B"] < 0 < by_direction["F"], f"toe first backwards: {by_direction}")


def without_times(case, path, unseen):
    """The recording of a poorer device: when and which foot is all it knows of time, and some steps
    it does not see at all."""
    table = [row for number, row in enumerate(read_table(path)) if not unseen(number)]
    poorer = case.folder / path.name
    with open(poorer, "w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "step_ms": "", "stride_ms": ""} for row in table)
    return poorer


def test_times_from_differences(case):
    """Alternating feet give each step its time; where one step is unseen, half the stride does."""
    poorer = without_times(case, data_folder() / "backward_walk.csv", lambda n: n % 5 == 3)
    _table, influx, _books = check(case, poorer)
    (row,) = influx.rows("SELECT sum(missed) AS missed, sum(steps) AS steps FROM gait_window")
    expect_true(50 <= row["missed"] < row["steps"] / 4, f"steps, and those missed: {row}")

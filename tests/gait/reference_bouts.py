"""Bouts of a member, what is carried over from backward to forward ones, and when it slips. Read
from the published interface, sections 4.2, 4.4 and 4.5. Exact: integers and fractions.

Must never look at windows, groups or consent, nor share a line with the daemon's code.
"""

from fractions import Fraction
from statistics import median

BOUT_DIRECTIONS = "FBLRUD"
FOREIGN_MAX = 8  # as many steps in a row that are not its own end a bout
VISIT_GAP_MS = 10 * 60_000
HABIT_MIN, MEDIAN_OVER = 15, 512
VALUES_MIN = 5  # of a block, and half of it


def length_mm(_bout, step):
    return None if step.length is None else Fraction(step.length, 2)


def time_ms(bout, step):
    time = bout.time_of(step)
    return None if time is None else Fraction(time, 2)


def walk_ratio(bout, step):
    length, time = length_mm(bout, step), time_ms(bout, step)
    return None if length is None or time is None else length / 1000 * time / 60000


def oscillation_mm(_bout, step):
    return step.values.get("vo_mm")


def trunk_deg(_bout, step):
    pitch = step.values.get("trunk_cdeg")
    return None if pitch is None else Fraction(pitch, 100)


def exact_median(values):
    return median(map(Fraction, values))


def known(metric, bout, steps):
    """The metric's values over those steps that have it."""
    values = (metric(bout, step) for step in steps)
    return [value for value in values if value is not None]


class Bout:
    """Settled steps in one direction. `carry_over_steps` and `candidate` (the backward bout that a
    forward one may be compared with) are as they were when it began."""

    def __init__(self, direction, carry_over_steps, candidate):
        self.direction, self.block_size, self.candidate = direction, carry_over_steps, candidate
        self.steps, self.settled, self.strays = [], set(), 0
        self.is_written = False  # it has reached bout_min_steps
        self.back = self.partner = None  # of a forward bout, of a backward one
        self.carry_over = self.judge = None
        self.slips = []

    @property
    def tags(self):
        return self.steps[0].tags

    def add(self, step):
        self.steps.append(step)
        self.settled.add(step)

    def time_of(self, step):
        """The step's time, where the step before it is one of this bout."""
        return step.step_time if step.previous in self.settled else None


class Habit:
    """How the member walks forward: this visit's steps until its first backward bout, or what an
    earlier visit left."""

    METRICS = {"step_length": length_mm, "walk_ratio": walk_ratio}

    def __init__(self):
        self.steps, self.is_open, self.kept = [], True, {}

    def add(self, bout, step):
        if self.is_open:
            self.steps.append((bout, step))

    def walked(self, name):
        metric = self.METRICS[name]
        values = [metric(bout, step) for bout, step in self.steps[-MEDIAN_OVER:]]
        return [value for value in values if value is not None]

    def values(self, name):
        walked = self.walked(name)
        return walked if len(walked) >= HABIT_MIN else self.kept.get(name, [])

    def end_visit(self):
        self.kept = {name: self.values(name) for name in self.METRICS}
        self.steps, self.is_open = [], True


def has_enough(values, block_steps):
    return len(values) >= VALUES_MIN and 2 * len(values) >= block_steps


class CarryOver:
    """What a forward bout kept of the backward one; `compute` again while its block grows."""

    def __init__(self, bout):
        self.bout, self.back = bout, bout.back
        self.fields, self.block_steps = {}, 0

    @property
    def is_full(self):
        return self.block_steps == self.bout.block_size

    def retention(self, habit, name):
        metric = Habit.METRICS[name]
        before = habit.values(name)
        back = known(metric, self.back, self.back.steps[-MEDIAN_OVER:])
        block = known(metric, self.bout, self.bout.steps[:self.block_steps])
        if not before or not back or not has_enough(block, self.block_steps):
            return None
        before, back, block = map(exact_median, (before, back, block))
        if abs(before - back) * 20 < abs(before):
            return None
        return min(max(100 * (before - block) / (before - back), Fraction(0)), Fraction(100))

    def trunk_delta(self):
        block = known(trunk_deg, self.bout, self.bout.steps[:self.block_steps])
        back = known(trunk_deg, self.back, self.back.steps[-MEDIAN_OVER:])
        return exact_median(block) - exact_median(back) if block and back else None

    def compute(self, habit):
        self.block_steps = min(len(self.bout.steps), self.bout.block_size)
        retentions = [self.retention(habit, name) for name in ("step_length", "walk_ratio")]
        there = [value for value in retentions if value is not None]
        self.fields = {"back_steps": len(self.back.steps), "block_steps": self.block_steps,
                       "step_length_retention_pct": retentions[0],
                       "walk_ratio_retention_pct": retentions[1],
                       "retention_pct": sum(there) / len(there) if there else None,
                       "trunk_pitch_delta_deg": self.trunk_delta()}


class Slip:
    def __init__(self, metric, sign, deviation, step, number):
        self.metric, self.sign, self.deviation = metric, sign, deviation
        self.step, self.number = step, number


class Cusum:
    """One metric of one forward bout against its block's median, both ways."""

    NEAR = Fraction(1, 10**9)  # closer to a limit than this, a double may fall on either side

    def __init__(self, reference, drift_name, threshold_name):
        self.reference = reference
        self.names = drift_name, threshold_name
        self.runs = {"up": [], "down": []}  # limited d since that sum was 0 last
        self.sums = {"up": Fraction(0), "down": Fraction(0)}
        self.resting = None  # values since the slip, while the metric rests
        self.hold_off = None  # hold_off_steps as it was at the slip
        self.near_limit = False  # it was once

    def limits(self, settings):
        drift, threshold = (Fraction(settings["slip"][name]) for name in self.names)
        return drift, threshold

    def deviation(self, value):
        if self.names[0] == "drift_deg":
            return value - self.reference
        return 100 * (value - self.reference) / self.reference

    def note(self, distance):
        self.near_limit = self.near_limit or abs(distance) < self.NEAR

    def rest(self, value, settings):
        drift, _threshold = self.limits(settings)
        count = self.hold_off
        self.resting.append(value)
        if len(self.resting) < count:
            return
        distance = abs(self.deviation(exact_median(self.resting[-count:]))) - drift
        self.note(distance)
        if distance <= 0:
            self.restart()

    def restart(self):
        self.resting = None
        self.runs = {"up": [], "down": []}
        self.sums = {"up": Fraction(0), "down": Fraction(0)}

    def limited(self, value, threshold):
        most = threshold * 2 / 3
        return min(max(self.deviation(value), -most), most)

    def step(self, value, settings):
        """(sign, mean deviation) where the value sets off a slip, or None."""
        if self.resting is not None:
            self.rest(value, settings)
            return None
        drift, threshold = self.limits(settings)
        limited = self.limited(value, threshold)
        for sign, way in (("up", 1), ("down", -1)):
            self.sums[sign] += way * limited - drift
            self.note(self.sums[sign])
            self.note(self.sums[sign] - threshold)
            if self.sums[sign] <= 0:
                self.sums[sign], self.runs[sign] = Fraction(0), []
                continue
            self.runs[sign].append(limited)
            if self.sums[sign] > threshold:
                found = sign, sum(self.runs[sign]) / len(self.runs[sign])
                self.resting, self.hold_off = [], settings["slip"]["hold_off_steps"]
                return found
        return None


class Slips:
    """The metrics of one forward bout that are judged, in their order."""

    METRICS = {"step_length": (length_mm, "pct"), "step_time": (time_ms, "pct"),
               "vertical_oscillation": (oscillation_mm, "pct"), "trunk_pitch": (trunk_deg, "deg")}

    def __init__(self, bout, block):
        self.cusums = {}
        for name, (metric, unit) in self.METRICS.items():
            values = known(metric, bout, block)
            if not has_enough(values, len(block)):
                continue
            reference = exact_median(values)
            if unit == "deg" or reference > 0:
                self.cusums[name] = Cusum(reference, f"drift_{unit}", f"threshold_{unit}")

    def step(self, bout, step, settings):
        found = []
        for name, cusum in self.cusums.items():
            value = self.METRICS[name][0](bout, step)
            slip = None if value is None else cusum.step(Fraction(value), settings)
            if slip:
                found.append(Slip(name, *slip, step, len(bout.steps)))
        return found

    def near_limit(self):
        return any(cusum.near_limit for cusum in self.cusums.values())


class Walk:
    """A member's bouts, step by step in order. Calls `listener` (written, carried, slipped)."""

    def __init__(self, listener):
        self.listener = listener
        self.bout, self.last = None, None
        self.unsettled = []  # since the running bout's last own step, or since a pause
        self.back = None  # the last backward bout that was written
        self.habit = Habit()
        self.is_shown_open = False

    # Time.

    def closing_time(self, settings):
        """The arrival time from which on the running bout shows itself closed, or None."""
        if not self.is_shown_open:
            return None
        return self.last.time + settings["bout_gap_ms"] + settings["reorder_ms"] + 1

    def show_closed(self):
        self.is_shown_open = False
        self.write_partial_block()

    # Steps.

    def take(self, step, settings):
        if self.last is not None:
            if step.time - self.last.time > settings["bout_gap_ms"]:
                self.pause()
            if step.time - self.last.time > VISIT_GAP_MS:
                self.habit.end_visit()
        self.last = step
        if self.bout is not None:
            self.is_shown_open = True
        if self.bout is not None and step.direction == self.bout.direction:
            self.count_strays()
            self.settle(step, settings)
            return
        self.unsettled.append(step)
        confirming = self.confirming(settings)
        if confirming:
            self.begin(confirming, settings)
        elif self.bout is not None and len(self.unsettled) >= FOREIGN_MAX:
            self.end()

    def pause(self):
        self.end()
        self.unsettled = []

    def count_strays(self):
        self.bout.strays += sum(step.direction in BOUT_DIRECTIONS for step in self.unsettled)
        self.unsettled = []

    def confirming(self, settings):
        """The steps that confirm the last one's direction, or none."""
        direction, run = self.unsettled[-1].direction, []
        if direction not in BOUT_DIRECTIONS:
            return run
        for step in reversed(self.unsettled):
            if step.direction == direction:
                run.append(step)
            elif step.direction in BOUT_DIRECTIONS:
                break
        return run[::-1] if len(run) >= settings["direction_confirm_steps"] else []

    def begin(self, steps, settings):
        self.end()
        direction, candidate = steps[0].direction, None
        if direction == "F" and self.back is not None and self.back.partner is None:
            after = steps[0].time - self.back.steps[-1].time
            candidate = self.back if after <= settings["carry_over_gap_s"] * 1000 else None
        self.bout = Bout(direction, settings["carry_over_steps"], candidate)
        self.is_shown_open = True
        self.unsettled = []
        for step in steps:
            self.settle(step, settings)

    def end(self):
        """The running bout is over; a confirmation that is under way goes on."""
        if self.bout is not None:
            self.write_partial_block()
        self.bout = None
        self.is_shown_open = False

    # A settled step.

    def settle(self, step, settings):
        bout = self.bout
        bout.add(step)
        if not bout.is_written and len(bout.steps) >= settings["bout_min_steps"]:
            self.write(bout)
        if bout.direction == "F":
            self.habit.add(bout, step)
            self.follow_carry_over(step, settings)

    def write(self, bout):
        bout.is_written = True
        self.listener.written(bout)
        if bout.direction == "B":
            self.back = bout
            self.habit.is_open = False
        elif bout.candidate is not None:
            bout.back, bout.candidate.partner = bout.candidate, bout
            bout.carry_over = CarryOver(bout)

    def follow_carry_over(self, step, settings):
        bout = self.bout
        if bout.carry_over is None:
            return
        if bout.judge is not None:
            for slip in bout.judge.step(bout, step, settings):
                bout.slips.append(slip)
                self.listener.slipped(bout, slip)
        elif len(bout.steps) >= bout.block_size:
            self.write_block()
            bout.judge = Slips(bout, bout.steps[:bout.block_size])

    def write_block(self):
        self.bout.carry_over.compute(self.habit)
        self.listener.carried(self.bout)

    def write_partial_block(self):
        if self.bout.carry_over is not None and not self.bout.carry_over.is_full:
            self.write_block()

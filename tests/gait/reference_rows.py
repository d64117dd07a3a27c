"""From steps to the fields of rows: gait_window, gait_bout, carry_over, slip, group_window,
session_summary. Read from the published interface, sections 4.1, 4.2 and 4.7.

A field is an int, a bool, a float or (where the daemon promises exact values) a fraction; one
without data is left out. Must never decide which steps belong to a row, nor share a line with the
daemon's code.
"""

from fractions import Fraction
from math import floor, sqrt
from statistics import median

SYMMETRY_MIN = 4
UNNAMED_MIN = 3
QUANTILES = {"p05": Fraction(5, 100), "p50": Fraction(50, 100), "p95": Fraction(95, 100)}


def mean(values, unit=1):
    return sum(values) / (unit * len(values)) if values else None


def deviation(values, unit=1):
    """The sample standard deviation of integers."""
    n = len(values)
    if n < 2:
        return None
    spread = n * sum(value * value for value in values) - sum(values) ** 2
    return sqrt(spread / (n * (n - 1))) / unit


def quantile(values, q):
    return sorted(values)[floor(q * (len(values) - 1))] if values else None


def quotient(a, b):
    return None if a is None or not b else a / b


def present(fields):
    return {name: value for name, value in fields.items() if value is not None}


def having(steps, name):
    return [step.values[name] for step in steps if name in step.values]


# --- what windows and bouts share -----------------------------------------------------------------

def doubled(values_of, steps):
    """Sum over steps that have the value, twice for one that stands for a missed one too."""
    values = [(values_of(step), 2 if step.missed else 1) for step in steps]
    values = [value * times for value, times in values if value is not None]
    return sum(values) if values else None


def symmetry(steps, direction, time_of):
    exact = [(step.side, time_of(step)) for step in steps if step.exact]
    left, right = ([time for side, time in exact if side == foot and time is not None]
                   for foot in "LR")
    if direction not in "FB" or min(len(left), len(right)) < SYMMETRY_MIN:
        return None
    left, right = mean(left), mean(right)
    return 100 * (right - left) / (0.5 * (right + left))


def speed(steps, time_of):
    both = [(step.length, time_of(step)) for step in steps
            if step.length is not None and time_of(step) is not None]
    return quotient(sum(each[0] for each in both), sum(each[1] for each in both))


def pace(steps, time_of):
    """The means that stand for a member in a group row, too."""
    time = mean([time for time in map(time_of, steps) if time is not None], 2)
    length = mean([step.length for step in steps if step.length is not None], 2)
    both = time is not None and length is not None
    return {"step_time_ms": time, "step_length_mm": length, "cadence_spm": quotient(60000, time),
            "walk_ratio": length / 1000 * time / 60000 if both else None}


def whole_length(step):
    return step.length


def gait_fields(steps, direction, time_of):
    """All but duration and what says how the row stands."""
    exact = [time_of(step) for step in steps if step.exact and time_of(step) is not None]
    lengths = [step.length for step in steps if step.length is not None]
    strides, trunk = having(steps, "stride_ms"), having(steps, "trunk_cdeg")
    return {
        **pace(steps, time_of),
        "steps": len(steps), "missed": sum(step.missed for step in steps),
        "distance_m": quotient(doubled(whole_length, steps), 2000),
        "speed_mps": speed(steps, time_of),
        "step_time_sd_ms": deviation(exact, 2), "step_length_sd_mm": deviation(lengths, 2),
        "stride_time_ms": mean(strides),
        "stride_time_cv_pct": quotient(deviation(strides), quotient(mean(strides), 100)),
        "contact_ms": mean(having(steps, "contact_ms")),
        "foot_pitch_deg": mean(having(steps, "pitch_cdeg"), 100),
        "vertical_oscillation_mm": mean(having(steps, "vo_mm")),
        "impact_g": mean(having(steps, "impact_g16"), 16),
        "trunk_pitch_deg": mean(trunk, 100), "trunk_pitch_sd_deg": deviation(trunk, 100),
        "symmetry_pct": symmetry(steps, direction, time_of),
    }


def whole_time(step):
    return step.step_time


def window_fields(steps, direction, final):
    duration = doubled(whole_time, steps)
    return present({**gait_fields(steps, direction, whole_time),
                    "duration_s": quotient(duration, 2000),
                    "lost": sum(step.lost for step in steps),
                    "late": sum(step.late for step in steps), "final": final})


def bout_fields(bout):
    steps = bout.steps
    duration = steps[-1].time - steps[0].time + (steps[0].step_time or 0) / 2
    samples = {"step_time_{}_ms": ([bout.time_of(step) for step in steps], 2),
               "step_length_{}_mm": ([step.length for step in steps], 2),
               "stride_time_{}_ms": (having(steps, "stride_ms"), 1),
               "contact_{}_ms": (having(steps, "contact_ms"), 1)}
    quantiles = {}
    for name, (values, unit) in samples.items():
        values = [value for value in values if value is not None]
        for label, q in QUANTILES.items():
            quantiles[name.format(label)] = quotient(quantile(values, q), unit)
    return present({**gait_fields(steps, bout.direction, bout.time_of), **quantiles,
                    "duration_s": duration / 1000, "strays": bout.strays, "open": False})


def carry_over_fields(bout):
    fields = {**bout.carry_over.fields, "slips": len(bout.slips)}
    if bout.slips:
        fields["steps_to_first_slip"] = bout.slips[0].number - fields["block_steps"]
    return present(fields)


def slip_fields(slip):
    return {"deviation": slip.deviation, "step": slip.number}


# --- groups and sessions --------------------------------------------------------------------------

class GroupRow:
    """The live steps of one window whose tags share group, drill and phase."""

    def __init__(self):
        self.steps = {}  # member → steps
        self.unnamed = set()  # members who made some of them with consent `group`
        self.was_safe = False

    def add(self, step, members_min):
        self.steps.setdefault(step.tags.member, []).append(step)
        if not step.tags.named:
            self.unnamed.add(step.tags.member)
        self.look(members_min)

    def look(self, members_min):
        self.was_safe = self.was_safe or self.is_safe(members_min)

    def is_safe(self, members_min):
        return len(self.steps) >= members_min and \
            (not self.unnamed or len(self.unnamed) >= UNNAMED_MIN)

    def medians(self):
        """Over members, of their value over all directions."""
        paces = [pace(steps, whole_time) for steps in self.steps.values()]
        for name in ("cadence_spm", "step_length_mm", "walk_ratio"):
            values = [each[name] for each in paces if each[name] is not None]
            yield f"{name}_p50", median(values) if values else None

    def fields(self, retentions, slips):
        steps = [step for each in self.steps.values() for step in each]
        backward = sum(step.direction == "B" for step in steps)
        return present({
            "members": len(self.steps), "steps": len(steps),
            "backward_pct": 100 * backward / len(steps), **dict(self.medians()),
            "retention_pct_p50": median(retentions) if retentions else None,
            "slips": slips, "final": True})


class Summary:
    """One member's part of a session."""

    def __init__(self, alias):
        self.alias = alias
        self.steps, self.bouts, self.carried, self.slips = [], 0, [], 0
        self.changed = None  # the arrival time of the last change

    def fields(self):
        steps, carried = self.steps, [bout.carry_over.fields for bout in self.carried]
        retentions = [each["retention_pct"] for each in carried
                      if each["retention_pct"] is not None]
        counts = {f"{name}_steps": sum(step.direction in letters for step in steps)
                  for name, letters in (("backward", "B"), ("forward", "F"), ("side", "LR"),
                                        ("up", "U"))}
        return present({
            "steps": len(steps), **counts, "bouts": self.bouts, "carry_overs": len(self.carried),
            "slips": self.slips,
            "distance_m": quotient(doubled(whole_length, steps), 2000),
            "duration_s": quotient(doubled(whole_time, steps), 2000),
            "retention_pct": mean(retentions)})

"""Single rules of the reference, each turned into a wrong one: what random classes must tell from
the right one. Must never change more than one rule at a time, nor leave it changed.
"""

from contextlib import contextmanager
from fractions import Fraction
from unittest import mock

import reference
import reference_bouts as bouts
import reference_rows as rows
import reference_steps as steps


def with_setting(method, key, more):
    """The method of Walk, under settings whose `key` is `more` larger."""
    def changed(self, *arguments):
        *others, settings = arguments
        return method(self, *others, {**settings, key: settings[key] + more})
    return changed


def rest_longer(self, value, settings):
    """By one value."""
    if len(self.resting) < self.hold_off:
        self.resting.append(value)
    else:
        REST(self, value, settings)


def drift_added(self, settings):
    drift, threshold = (Fraction(settings["slip"][name]) for name in self.names)
    return -drift, threshold


def strides_first(self, step):
    return self.own(step) or MEASURE(self, step)


def first_direction(self):
    SETTLE(self)
    self.direction = self.events[0].direction


def every_time(_self, step):
    return step.step_time


def all_strays(self):
    self.bout.strays += len(self.unsettled)
    self.unsettled = []


def first_of_block(self, step, settings):
    """The step that fills the block is judged, too."""
    was_full = self.bout.judge is not None
    FOLLOW(self, step, settings)
    if not was_full and self.bout.judge is not None:
        FOLLOW(self, step, settings)


def slip_at_once(self, value, _threshold):
    return self.deviation(value)


def always_new_partner(self, steps_, settings):
    if self.back is not None:
        self.back.partner = None
    BEGIN(self, steps_, settings)


def due_later(self, step, reorder_ms):
    return DUE(self, step, reorder_ms) + 1


def by_arrival_alone(_self, step, reorder_ms):
    return max(step.arrival, step.time) + reorder_ms


def newest_alone(self, step, reorder_ms):
    heard = self.newest is not None and self.newest >= step.time + reorder_ms
    return step.arrival if heard else max(step.arrival, step.time) + reorder_ms


def after_or_with(self, step):
    return self.last is not None and step.time <= self.last.time


def same_foot_allowed(_self, duration, _step):
    return 2 * duration if steps.lies_in(duration, steps.TIME_RANGE) else None


def join_for_good(self, event):
    """What joins a passed step is one of its events, too."""
    JOIN(self, event)
    if event not in self.events:
        self.events.append(event)


def known_at_the_end(_self, _window, entries):
    return entries, False


def forget_habit(self):
    """An earlier visit's habit is forgotten."""
    self.steps, self.is_open = [], True


def no_habit_end(self, bout, step):
    self.steps.append((bout, step))


def duration_alone(bout):
    fields = BOUT_FIELDS(bout)
    fields["duration_s"] = (bout.steps[-1].time - bout.steps[0].time) / 1000
    return fields


WALK, CUSUM, ORDER, TIMING, STEP = bouts.Walk, bouts.Cusum, steps.Order, steps.Timing, steps.Step
FOLLOW, BEGIN, REST, DUE, MEASURE = WALK.follow_carry_over, WALK.begin, CUSUM.rest, ORDER.due, \
    TIMING.measure
JOIN, SETTLE, BOUT_FIELDS = STEP.join, STEP.settle_values, rows.bout_fields

# (what is wrong, where, the name there, what stands there instead)
MUTATIONS = [
    ("an event joins the first step within reach, not the nearest", steps.Fusing, "nearness",
     staticmethod(lambda step, event: step.number)),
    ("of two equally near steps the later one is joined", steps.Fusing, "nearness",
     staticmethod(lambda step, event: (abs(step.time - event.time), -step.time, step.number))),
    ("an event joins a step of the other foot", steps.Fusing, "fits",
     staticmethod(lambda step, event: event.device not in step.devices)),
    ("an event joins a step of its own device", steps.Fusing, "fits",
     staticmethod(lambda step, event: "U" in (event.foot, step.foot) or event.foot == step.foot)),
    ("only 8 passed steps may be joined", steps, "PASSED_KEPT", 8),
    ("as many steps wait as there are", steps, "WAITING_MAX", 10**6),
    ("an event that joins a passed step says when that step was", STEP, "join", join_for_good),
    ("a step's direction is its first event's", STEP, "settle_values", first_direction),
    ("fields come from the first event that has them, whatever sensor", steps, "PREFERRED_KIND",
     {}),
    ("a step may pass a millisecond later", ORDER, "due", due_later),
    ("the newest event time counts for nothing", ORDER, "due", by_arrival_alone),
    ("the newest event time counts beyond the arrival time", ORDER, "due", newest_alone),
    ("an event of the last passed time comes after its place", ORDER, "comes_after_its_place",
     after_or_with),
    ("half a stride goes before the time between two steps", TIMING, "measure", strides_first),
    ("two steps of one foot have a time between them", TIMING, "between", same_foot_allowed),
    ("no step time from the same foot's step before", TIMING, "by_same_foot",
     lambda self, step: None),
    ("no step time across devices", TIMING, "across_devices", lambda self, step: None),
    ("a missed step within 1000 ms only", steps, "MISSED_WITHIN_MS", 1000),
    ("a direction is confirmed by one step more", WALK, "confirming",
     with_setting(WALK.confirming, "direction_confirm_steps", 1)),
    ("T, N and X are strays, too", WALK, "count_strays", all_strays),
    ("9 foreign steps end a bout", bouts, "FOREIGN_MAX", 9),
    ("every step time counts in a bout", bouts.Bout, "time_of", every_time),
    ("a bout's duration is without its first step", rows, "bout_fields", duration_alone),
    ("a bout is written one step later", WALK, "settle",
     with_setting(WALK.settle, "bout_min_steps", 1)),
    ("14 steps are a habit", bouts, "HABIT_MIN", 14),
    ("a visit ends after 12 minutes", bouts, "VISIT_GAP_MS", 720_000),
    ("no habit is kept", bouts.Habit, "end_visit", forget_habit),
    ("all forward steps are habit", bouts.Habit, "add", no_habit_end),
    ("a backward bout has many partners", WALK, "begin", always_new_partner),
    ("a block needs 5 values, not half of its steps", bouts, "has_enough",
     lambda values, block_steps: len(values) >= 5),
    ("a block needs half of its steps, not 5 values", bouts, "has_enough",
     lambda values, block_steps: 2 * len(values) >= block_steps),
    ("the drift is added", CUSUM, "limits", drift_added),
    ("one step may slip alone", CUSUM, "limited", slip_at_once),
    ("the rest takes one value more", CUSUM, "rest", rest_longer),
    ("the block's last step is judged", WALK, "follow_carry_over", first_of_block),
    ("symmetry from 3 steps a side", rows, "SYMMETRY_MIN", 3),
    ("2 members without name are enough", rows, "UNNAMED_MIN", 2),
    ("the 95th percentile is the 90th", rows, "QUANTILES",
     {**rows.QUANTILES, "p95": Fraction(90, 100)}),
    ("a group row knows what came after it was final", reference.Ending, "within",
     known_at_the_end),
    ("feedback of 10 seconds ago", reference, "FEEDBACK_MS", 10_000),
]


@contextmanager
def in_force(mutation):
    _wrong, where, name, instead = mutation
    with mock.patch.object(where, name, instead):
        yield

"""From events to steps: which event joins which step, in which order steps pass, what a step's time
and length are. Read from the published interface, section 4.3.

Times of steps and lengths are kept in halves (of ms, of mm), so that half a stride is exact. Must
never look at a member's bouts or rows, nor share a line with the daemon's code.
"""

from bisect import insort
from collections import deque

PASSED_KEPT = 64  # steps that passed and may still be joined, live and stored each
WAITING_MAX = 512
TIMED_MAX = 4  # events of a step whose own times are remembered
TIME_RANGE, STRIDE_RANGE = (140, 2200), (300, 3000)
MISSED_WITHIN_MS = 3000
PREFERRED_KIND = {"contact_ms": "foot", "step_mm": "foot", "stride_mm": "foot",
                  "pitch_cdeg": "foot", "trunk_cdeg": "trunk", "vo_mm": "trunk"}


class Event:
    """One accepted event of a device; `foot` is the device's own where the event named none."""

    __slots__ = ("device", "kind", "time", "foot", "direction", "fields")

    def __init__(self, device, kind, time, foot, direction, fields):
        self.device, self.kind, self.time = device, kind, time
        self.foot, self.direction, self.fields = foot, direction, fields


class Step:
    """What was decided when its first event came, and the events that make it. What they say
    together is worked out once, when it is added (`settle_values`); an event that joins later is
    none of `events`, and shows in `devices` and `foot` alone, which say what else may join."""

    def __init__(self, event, number, arrival):
        self.events, self.devices, self.foot = [event], {event.device}, event.foot
        self.time, self.number, self.arrival = event.time, number, arrival
        self.tags = self.window = self.previous = None
        self.stored, self.late, self.lost, self.is_added = False, False, 0, False
        self.is_lost_certain = True  # its boot was remembered for certain
        self.values, self.side, self.direction = {}, "U", "X"
        self.step_time, self.exact, self.length, self.missed = None, False, None, False

    def __lt__(self, other):
        return (self.time, self.number) < (other.time, other.number)

    def join(self, event):
        if not self.is_added:
            self.events.append(event)
        self.devices.add(event.device)
        if self.foot == "U":
            self.foot = event.foot

    def time_of(self, device):
        """The device's own time of this step, or None."""
        return next((event.time for event in self.timed() if event.device == device), None)

    def timed(self):
        return self.events[:TIMED_MAX]

    def value(self, name):
        having = [event for event in self.events if name in event.fields]
        kind = PREFERRED_KIND.get(name)
        preferred = [event for event in having if kind and event.kind == kind]
        return (preferred or having)[0].fields[name]

    def settle_values(self):
        names = {name for event in self.events for name in event.fields}
        self.values = {name: self.value(name) for name in names}
        self.side, self.is_added = self.foot, True
        told = [event.direction for event in self.events if event.direction != "X"]
        self.direction = told[0] if told else "X"
        if "step_mm" in self.values:
            self.length = 2 * self.values["step_mm"]
        elif "stride_mm" in self.values:
            self.length = self.values["stride_mm"]


class Fusing:
    """Two sensors' events that are one step."""

    @staticmethod
    def fits(step, event):
        return event.device not in step.devices and \
            (event.foot == "U" or step.foot == "U" or event.foot == step.foot)

    @staticmethod
    def nearness(step, event):
        return abs(step.time - event.time), step.time, step.number

    def find(self, steps, event, fuse_ms):
        """The step that the event joins, or None."""
        near = [step for step in steps
                if -fuse_ms <= step.time - event.time <= fuse_ms and self.fits(step, event)]
        return min(near, key=lambda step: self.nearness(step, event), default=None)


def lies_in(value, limits):
    return limits[0] <= value <= limits[1]


def same_known_foot(step, previous):
    return step.side != "U" and step.side == previous.side


class Timing:
    """A step's time: the first rule that applies. `feet`: (device, foot) → the device's own time
    of its last such event in a step that passed in order."""

    def __init__(self):
        self.feet = {}

    def remember(self, step):
        """A step that passed in order."""
        for event in step.timed():
            if event.foot != "U":
                self.feet[event.device, event.foot] = event.time

    def own(self, step):
        """(halves of ms, exact) by the step alone."""
        if "step_ms" in step.values:
            return 2 * step.values["step_ms"], True
        return (step.values["stride_ms"], False) if "stride_ms" in step.values else None

    def between(self, duration, step):
        """The time to the previous step, where it can be one."""
        allowed = lies_in(duration, TIME_RANGE) and not same_known_foot(step, step.previous)
        return 2 * duration if allowed else None

    def witness(self, step):
        """The first event whose device reported the previous step, too."""
        if not step.previous:
            return None
        return next((event for event in step.timed()
                     if step.previous.time_of(event.device) is not None), None)

    def by_one_device(self, step):
        event = self.witness(step)
        return event and self.between(event.time - step.previous.time_of(event.device), step)

    def by_same_foot(self, step):
        """Half the time since that device saw that foot."""
        for event in step.timed():
            earlier = self.feet.get((event.device, event.foot))
            if earlier is not None:
                duration = event.time - earlier
                return duration if lies_in(duration, STRIDE_RANGE) else None
        return None

    def across_devices(self, step):
        if not step.previous or self.witness(step):
            return None
        return self.between(step.time - step.previous.time, step)

    def measure(self, step):
        """(halves of ms or None, exact) of a step that passes in order."""
        own = self.own(step)
        if own and own[1]:
            return own
        by_one_device = self.by_one_device(step)
        if by_one_device is not None:
            return by_one_device, True
        if own:
            return own
        by_same_foot = self.by_same_foot(step)
        return (by_same_foot if by_same_foot is not None else self.across_devices(step)), False

    @staticmethod
    def has_missed(step):
        return step.previous is not None and same_known_foot(step, step.previous) \
            and step.time - step.previous.time <= MISSED_WITHIN_MS


class Order:
    """A member's steps until they pass, and the last ones that did."""

    def __init__(self):
        self.waiting, self.newest, self.last = [], None, None
        self.passed = {False: deque(maxlen=PASSED_KEPT), True: deque(maxlen=PASSED_KEPT)}
        self.fusing, self.timing = Fusing(), Timing()

    def find(self, event, stored, fuse_ms):
        """The step that the event joins, or None."""
        passed = self.passed[stored]
        return self.fusing.find(passed if stored else [*self.waiting, *passed], event, fuse_ms)

    def comes_after_its_place(self, step):
        return self.last is not None and step.time < self.last.time

    def due(self, step, reorder_ms):
        """The arrival time from which on it may pass, as far as is known."""
        heard = self.newest is not None and self.newest >= step.time + reorder_ms
        return (step.time if heard else max(step.arrival, step.time)) + reorder_ms

    def next_due(self, reorder_ms):
        return min((self.due(step, reorder_ms) for step in self.waiting), default=None)

    def hear(self, time):
        self.newest = time if self.newest is None else max(self.newest, time)

    def wait(self, step):
        insort(self.waiting, step)

    def take_ready(self, wall, reorder_ms):
        """Those that pass now, in order: each that may, and what waits before it."""
        count = max((place + 1 for place, step in enumerate(self.waiting)
                     if self.due(step, reorder_ms) <= wall), default=0)
        count = max(count, len(self.waiting) - WAITING_MAX)
        ready, self.waiting = self.waiting[:count], self.waiting[count:]
        return ready

    def take_all(self):
        ready, self.waiting = self.waiting, []
        return ready

    def add_in_order(self, step):
        step.previous = self.last
        step.settle_values()
        step.step_time, step.exact = self.timing.measure(step)
        step.missed = self.timing.has_missed(step)
        self.last = step
        self.timing.remember(step)
        self.passed[False].append(step)

    def add_out_of_order(self, step):
        """Late or stored: by itself alone."""
        step.settle_values()
        step.step_time, step.exact = self.timing.own(step) or (None, False)
        self.passed[step.stored].append(step)

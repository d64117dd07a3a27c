"""The course of a bad day: one thing after the other befalls the world while it walks on, and what
the database has is looked at four times a second.

All times are of CLOCK_MONOTONIC. Must never judge by a time what only has to be right at the end.
"""

import bisect
import datetime
import math
import time
from dataclasses import dataclass

from processes import Failure

LOOK_S = 0.25
ON_THE_WAY_STEPS = 200  # a tenth of a second's
SETTLED_S = 3  # what a step needs in the best of worlds is 2.4 s at most, and a look


@dataclass
class Event:
    name: str
    began: float
    ended: float


@dataclass
class Look:
    at: float
    delivered: int  # steps in the database, or None where it does not say
    lag_s: float  # how long ago the first step was acknowledged that is not there; 0 where none is


@dataclass
class Held:
    """The daemon's own memory, shortly before it dies."""
    at: float
    lived_s: float
    bytes: int


class Course:
    def __init__(self, world, kill_every_s):
        self.world, self.kill_every_s = world, kill_every_s
        self.begin = time.monotonic()
        self.walked_s = 0  # known at the end
        self.next_kill = self.begin + kill_every_s
        self.born = self.begin
        self.present = None  # the fault that there is
        self.looks, self.events, self.held = [], [], []
        self.open_events = []  # that are not got over
        self.agenda = []  # (when, what to call), beside the faults
        self.journal = open(world.case.folder / "course.log", "w", buffering=1)

    # ---- going on ----

    def go_on(self, seconds, enough=lambda: False):
        """Whether it was enough before the time was over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            if enough():
                return True
            time.sleep(max(0, self.looks[-1].at + LOOK_S - time.monotonic()))
        return False

    def turn(self):
        self.world.wearables.check()
        self.world.daemon.expect_running()
        self.look()
        now = time.monotonic()
        if now >= self.next_kill:
            self.next_kill += self.kill_every_s
            self.kill_daemon()
        while self.agenda and now >= self.agenda[0][0]:
            self.agenda.pop(0)[1]()

    def look(self):
        at = time.monotonic()
        delivered = self.world.influx.steps()
        self.looks.append(Look(at, delivered, self.lag(at, delivered)))

    def lag(self, at, delivered):
        if delivered is None:
            return 0
        history = self.world.wearables.history
        place = bisect.bisect_right(history, delivered, key=lambda entry: entry[1])
        return at - history[place][0] if place < len(history) and history[place][0] < at else 0

    def is_settled(self):
        look = self.looks[-1]
        return look.delivered is not None and look.lag_s <= SETTLED_S

    def say(self, text):
        """By the wall clock, as the programs' own logs."""
        now = datetime.datetime.now(datetime.timezone.utc)
        self.journal.write(f"{now:%H:%M:%S.%f} {text}\n")

    def note(self, name, began, ended):
        self.say(f"over: {name}")
        self.events.append(Event(name, began, ended))
        self.open_events.append(self.events[-1])
        self.look()

    def kill_no_more(self):
        self.next_kill = math.inf

    # ---- what befalls ----

    def kill_daemon(self):
        """It is started at once, as a service manager would."""
        self.weigh()
        self.world.daemon.kill_running()
        self.born = time.monotonic()
        self.world.daemon.start()
        self.note("daemon killed meanwhile" if self.present else "daemon killed", self.born,
                  self.born)

    def weigh(self):
        now = time.monotonic()
        self.held.append(Held(now - self.begin, now - self.born,
                              self.world.daemon.anonymous_bytes()))

    def set_clock(self, name, ahead_s):
        self.world.clock.set(ahead_s)
        now = time.monotonic()
        self.note(name, now, now)

    def befall(self, fault, lasting_s, at_most_s, settle_s):
        """One fault for so long, or longer if it has not made itself felt; then, while it is to be
        got over, the time for that."""
        began, before = time.monotonic(), fault.felt and fault.felt()
        self.say(f"begins: {fault.name}")
        self.present = fault
        fault.begin()
        self.go_on(lasting_s)
        if fault.felt and not self.go_on(at_most_s, lambda: fault.felt() > before):
            raise Failure(f"{fault.name}: it made no difference within {at_most_s} s")
        fault.end()
        self.present = None
        self.note(fault.name, began, time.monotonic())
        self.go_on(settle_s, self.is_over)

    def is_over(self):
        """All of it, the deaths of the daemon meanwhile too."""
        self.open_events = [event for event in self.open_events
                            if self.caught_up_s(event.ended) is None]
        return not self.open_events

    # ---- what is seen of it ----

    def acknowledged_by(self, at):
        history = self.world.wearables.history
        return history[bisect.bisect_right(history, at, key=lambda entry: entry[0]) - 1][1]

    def newer_than(self, ended):
        """More steps than this are there only with some of a later time: when a broker died, a few
        acknowledgements may have been on their way to the wearables."""
        return self.acknowledged_by(ended) + ON_THE_WAY_STEPS

    def flowing_s(self, ended):
        """From then until a step is in the database that was acknowledged later."""
        known = self.newer_than(ended)
        return self.first_s(ended, lambda look: look.delivered > known)

    def caught_up_s(self, ended):
        """From then until the database is as far behind as on a good day."""
        known = self.newer_than(ended)
        return self.first_s(ended, lambda look: look.delivered > known and look.lag_s <= SETTLED_S)

    def first_s(self, ended, check):
        start = bisect.bisect_left(self.looks, ended, key=lambda look: look.at)
        return next((look.at - ended for look in self.looks[start:]
                     if look.delivered is not None and check(look)), None)

    def table(self):
        """One line a kind of fault; the median of several, and the largest."""
        heads = ("times", "lasting s", "rows again after s", "caught up after s")
        yield f"{'':26}{heads[0]:>6}{heads[1]:>16}{heads[2]:>20}{heads[3]:>20}"
        for name in dict.fromkeys(event.name for event in self.events):
            events = [event for event in self.events if event.name == name]
            lasting = spread([event.ended - event.began for event in events])
            flowing = spread([self.flowing_s(event.ended) for event in events])
            caught_up = spread([self.caught_up_s(event.ended) for event in events])
            yield f"{name:26}{len(events):6}{lasting:>16}{flowing:>20}{caught_up:>20}"


def spread(values):
    """Those that never came count as the largest, and show as a dash."""
    ordered = sorted(values, key=lambda value: math.inf if value is None else value)
    middle, last = ("-" if value is None else f"{value:.1f}"
                    for value in (ordered[len(ordered) // 2], ordered[-1]))
    return middle if len(ordered) == 1 else f"{middle} .. {last}"

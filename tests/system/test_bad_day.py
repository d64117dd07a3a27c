"""The bad day: all that can fail does, while five hundred people walk, and at the end every step
is in the database once.

Accounting: a step counts as sent when the broker has acknowledged it to the wearable. A broker that
is killed forgets what it acknowledged since it last saved its store, and no daemon can know of it;
so the store is saved shortly before each kill, and what was acknowledged since that moment the
wearables send again. With that all sums are equal, exactly, and what came twice is a counted
duplicate. Must never run outside of namespaces of its own.
"""

import statistics
import time

from bad_day import HOUR_S, SETTINGS, World
from course import Course
from harness import expect, expect_balance, expect_totals, expect_true
from namespaces import in_own_namespaces
from processes import Failure, wait_until

HELD_BYTES_MAX = 64e6  # by 500 members; measured: 11e6


class Plan:
    """How long all of it takes, and each part."""

    def __init__(self, long):
        self.rounds_s = 600 if long else 60  # all that can happen befalls once at least
        self.kill_every_s = 30 if long else 24
        self.lasting_s = (4, 20) if long else (2, 3)
        self.at_most_s = 40 if long else 20  # a fault that does not make itself felt
        self.settle_s = 60 if long else 6
        self.clock_s = (60, 100) if long else (20, 30)  # when it jumps, and for how long
        self.last_life_s = 60 if long else 0
        self.influx_timeout_ms = 10_000 if long else 1500
        self.snapshot_s = 20 if long else 8
        self.disk_mb = 1024 if long else 256


def live_through(case, course, plan):
    world = course.world
    world.wearables.walking = True
    if world.clock.why_not:
        case.notes.append(f"the clock does not jump: {world.clock.why_not}")
    else:
        jump, lasting = plan.clock_s
        course.agenda = [
            (course.begin + jump, lambda: course.set_clock("clock an hour ahead", HOUR_S)),
            (course.begin + jump + lasting, lambda: course.set_clock("clock set right", 0))]
    course.go_on(4, course.is_settled)
    number, faults = 0, []
    while number < len(world.faults()) or time.monotonic() < course.begin + plan.rounds_s:
        number += 1
        faults = faults or case.random.sample(world.faults(), len(world.faults()))
        course.befall(faults.pop(), case.random.uniform(*plan.lasting_s), plan.at_most_s,
                      plan.settle_s)
    course.kill_no_more()
    course.go_on(plan.last_life_s)
    course.weigh()


def settle(course):
    """The books, and what the outbox says, once the database has it all. Less than
    allowed_lateness_s is waited for that: a window's last row would mend what was lost before."""
    world, wearables = course.world, course.world.wearables
    wearables.walking = False
    course.walked_s = time.monotonic() - course.begin
    wait_until(lambda: wearables.open_batches() == 0, 60, "all is acknowledged to the wearables")
    expected = wearables.totals()
    course.go_on(100, lambda: course.looks[-1].delivered == wearables.acknowledged)
    expect_totals(world.influx.step_totals(), expected)
    books = world.daemon.stop_for_books(world.broker)
    outbox = world.daemon.service(world.broker)["outbox"]
    expect_totals(world.influx.step_totals(), expected)
    return books, outbox


def expect_exact(world, books, outbox):
    steps = world.wearables.acknowledged
    expect(steps, sum(sum(each.steps.values()) for each in world.wearables.all), "steps sent")
    expect_balance(books)
    expect(books["steps_counted"], steps, "steps counted")
    twice = books["steps_rejected"]["duplicate"]
    expect(books["steps_received"], steps + twice, "steps received: each, and some twice")
    expect(sum(books["messages_rejected"].values()), 0, "messages rejected")
    lost = ("dropped", "dead_letters", "points_expired")
    expect({name: outbox[name] for name in lost}, dict.fromkeys(lost, 0), "the outbox")


def expect_flat(course):
    """The daemon holds most when all windows are there that may still take steps: after
    allowed_lateness_s. From then on the last third of its lives holds what the first third did."""
    full_s = SETTINGS["allowed_lateness_s"] + 60
    held = [each.bytes for each in course.held if each.at > full_s and each.lived_s > 20]
    third = len(held) // 3
    if third:
        first, last = statistics.median(held[:third]), statistics.median(held[-third:])
        expect_true(last <= first * 1.1 + 1e6, f"memory is flat: {held}")
    expect_true(max(each.bytes for each in course.held) < HELD_BYTES_MAX, f"what it held: {held}")


def the_day(case):
    plan = Plan(case.long)
    world = World(case, plan).start()
    course = Course(world, plan.kill_every_s)
    try:
        live_through(case, course, plan)
        books, outbox = settle(course)
        expect_exact(world, books, outbox)
        if not world.daemon.is_sanitized():
            expect_flat(course)
    except Failure as error:
        raise Failure("\n".join([str(error), *course.table()])) from None
    finally:
        world.wearables.stop()
    case.notes += report(course, books, outbox)


def report(course, books, outbox):
    world = course.world
    steps, twice = world.wearables.acknowledged, books["steps_rejected"]["duplicate"]
    yield f"{steps} steps, {steps / course.walked_s:.0f} a second; {twice} came twice"
    yield from (f"{count} {what}" for what, count in world.notes.items())
    held = (f"{each.bytes / 1e6:.1f} at {each.at:.0f} s" for each in course.held)
    yield "MB held by a daemon before it died: " + ", ".join(held)
    yield "\n".join(["", *course.table()])


def test_bad_day(case):
    in_own_namespaces(case, the_day)

"""Names and rows of those who did not consent: in no row, no topic and no line of the log, over
classes between which consent is given, narrowed and withdrawn.

With each class every member takes another name, so that a name tells which consent it was given
with. Must never look at the last state of a row alone: all that was ever written counts.
"""

import collections
import hashlib
import json
import re
import time

import drill
from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms, step_json
from points import PointsFile, parse
from processes import Failure, wait_until

# Group → member → consent in each class.
PLAN = {
    "tue": {
        "open": ("member", "member", "member"), "down": ("member", "group", "group"),
        "out": ("member", "none", "none"), "up": ("none", "member", "member"),
        "back": ("member", "none", "member"), "half": ("group", "member", "group"),
        "hidden-1": ("group", "group", "group"), "hidden-2": ("group", "group", "group"),
        "hidden-3": ("group", "group", "group"), "never": ("none", "none", "none"),
    },
    "four": {f"four-{n}": ("member", "member", "member") for n in range(4)},
}
MEMBERS = {name: consents for group in PLAN.values() for name, consents in group.items()}
CLASSES = 3
CLASS_MS = 40_000  # from the beginning of one class to the next
STEPS = drill.HABIT + drill.BACK + drill.FORWARD
NAME = "Zebra"


def alias(name, number):
    return f"{NAME} {name}/{number}"


def aliases(*consents):
    """Those that were given with one of these consents."""
    return {alias(name, number) for name, given in MEMBERS.items()
            for number, consent in enumerate(given) if consent in consents}


def documents(number):
    for group, members in PLAN.items():
        for name, consents in members.items():
            yield "member", name, {"alias": alias(name, number), "consent": consents[number],
                                   "devices": [f"pod-{name}"], "groups": [group]}


def silent_in(number):
    return [name for name, consents in MEMBERS.items() if consents[number] != "member"]


class Course:
    """The site: what it is sent, all that it wrote and all that was heard."""

    def __init__(self, case):
        self.broker, path = case.broker(), case.folder / "points.lp"
        self.daemon = case.daemon(self.broker.uri, output={"file": path}, log={"level": "debug"},
                                  influxdb={"flush_ms": 100}).start_online(self.broker)
        self.points, self.begin = PointsFile(path), now_ms() - CLASSES * CLASS_MS
        self.overheard = self.broker.client()
        self.overheard.subscribe("#")
        self.operator = Operator(self.daemon, self.broker)
        self.operator.accept_all([place for place in drill.documents(self.begin)
                                  if place[0] != "member"])

    def settle(self, **settings):
        self.operator.accept("settings", "site", {**drill.SETTINGS, "reorder_ms": 2000, **settings})

    def change(self, number):
        """The consents of a class come into force; gives how many rows were ever written of each
        one who has none, when all that was still to be written is there."""
        self.operator.accept_all(list(documents(number)))
        time.sleep(1)
        return {name: len(self.lines_of(name)) for name in silent_in(number)}

    def walk(self, number):
        """The whole drill, by everyone, a device each."""
        steps = [(step["at"], place, step) for place in range(len(MEMBERS))
                 for step in drill.course(place % 5, self.begin + number * CLASS_MS)]
        names = list(MEMBERS)
        with self.broker.client() as client:
            for seq, (at, place, step) in enumerate(sorted(steps, key=lambda each: each[:2])):
                fields = {key: step[key] for key in ("foot", "step_ms", "step_mm", "contact_ms",
                                                     "trunk_cdeg", "vo_mm")}
                client.start_publish(
                    self.daemon.topic(f"device/pod-{names[place]}/steps"),
                    step_json(number, seq, t=at, dir=step["direction"], **fields))
            client.flush()

    def lines_of(self, name):
        """Of whatever measurement."""
        return [line for line in self.points.lines() if re.search(rf",member={name}[, ]", line)]

    def expect_silence(self, counts, number):
        for name, count in counts.items():
            expect(self.lines_of(name)[count:][:3], [], f"rows of {name} in class {number}")


def rows_by_name(points, measurement, value):
    found = collections.Counter()
    for row in points.rows(measurement):
        found[row["alias"]] += value(row)
    return dict(found)


def expect_own_rows(course):
    """Of each class all of those who consented to them, under the name they had in it."""
    given, points = sorted(aliases("member")), course.points

    def all_windows():
        return rows_by_name(points, "gait_window", lambda row: row["steps"]) == \
            {name: STEPS for name in given}

    wait_until(all_windows, 20, f"{STEPS} steps of each name")
    for measurement, count in (("gait_bout", 3), ("carry_over", 1),
                               ("slip", len(drill.DEVIATIONS))):
        expect(rows_by_name(points, measurement, lambda row: 1), {name: count for name in given},
               f"rows of {measurement}")


def expect_groups(points):
    """Four are no group; of a larger one there are rows, and what slipped is in them."""
    rows = points.rows("group_window")
    expect({row["group"] for row in rows}, {"tue"}, "groups with rows")
    expect_true(any("retention_pct_p50" in row for row in rows), "retention in a group's row")
    expect_true(any(row.get("slips") for row in rows), "slips in a group's row")


def expect_names_written(course):
    lines = list(course.points.lines())
    named = {parse(line)[1].get("alias") for line in lines} - {None}
    expect(sorted(named - aliases("member")), [], "names in rows without that consent")
    never = [name for name, consents in MEMBERS.items() if "member" not in consents]
    expect([line for line in lines if any(name in line for name in never)][:3], [],
           "rows of those who never consented to any")
    expect_true(NAME not in course.daemon.log_text(), "no name in the log")


def names_in(message):
    return set(re.findall(rf"{NAME} [\w-]+/\d", message.payload.decode(errors="replace")))


def ended_by(levels, message, numbers):
    """The names that are not to be heard any more behind this answer."""
    name = levels[2]
    number = numbers[json.loads(message.payload)["sha256"]]
    return set() if MEMBERS[name][number] == "member" else \
        {alias(name, earlier) for earlier in range(number)}


def expect_names_heard(course):
    """On the boards alone, and there as long as the consent holds: an answer comes behind what was
    told before."""
    numbers = {hashlib.sha256(json.dumps(document).encode()).hexdigest(): number
               for number in range(CLASSES) for _kind, _name, document in documents(number)}
    topics, silenced = set(), aliases("group", "none")
    while message := course.overheard.receive(0.3):
        levels = message.topic.split("/")[3:]
        topics.add(levels[0])
        found = names_in(message) if levels[0] != "config" else set()
        if NAME in message.topic or found & silenced or found and levels[0] != "live":
            raise Failure(f"{found} on {message.topic}")
        if levels[:2] == ["result", "member"]:
            silenced |= ended_by(levels, message, numbers)
    expect_true({"config", "result", "service", "device"} <= topics, f"topics heard: {topics}")


def test_consent_from_class_to_class(case):
    course = Course(case)
    course.settle()
    for number in range(CLASSES):
        counts = course.change(number)  # while the last steps of the class before still wait
        course.walk(number)
        time.sleep(3 if number else 0)
        if number:
            course.expect_silence(counts, number)
    expect_own_rows(course)
    course.settle(allowed_lateness_s=0)
    course.operator.delete("session", "tue")
    time.sleep(2)
    course.expect_silence(counts, "the last, when all became final")
    expect_groups(course.points)
    expect_names_written(course)
    books = course.daemon.stop_for_books(course.broker)
    expect_names_heard(course)
    expect_balance(books)
    refused = sum(consents.count("none") for consents in MEMBERS.values())
    expect(books["steps_rejected"]["no_consent"], STEPS * refused, "steps without consent")
    case.notes.append(f"{len(list(course.points.lines()))} lines")

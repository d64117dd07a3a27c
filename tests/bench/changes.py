"""A class walks while its documents change a hundred times a second: what that costs the daemon beside
the same run without changes, and how soon a change is answered.

Steps at 5000 a second through mosquitto, from members and guests alike; members' aliases and groups,
sessions' phases, drills and settings change under them. Must never take a run's figures where a step
or a change was lost, or counted otherwise than it was sent.
"""

import hashlib
import json
import os
import statistics
import time
from datetime import datetime, timezone

from daemon import guest_totals
from harness import Case, expect, expect_totals
from points import PointsFile
from processes import Failure, wait_until
from subscribers import SETTLE_S, cpu_seconds

STEPS_PER_S = 5000
PACE = 110
CHANGES_PER_S = 100
CLASSES = 20
PATIENCE_S = 60


def walkers():
    return round(STEPS_PER_S * 60 / PACE)


def device(number):
    return f"sim-{number:03d}"


def member_document(number, version):
    return {"alias": f"Walker {number}.{version}", "consent": "member", "devices": [device(number)],
            "groups": [f"class-{(number + version) % CLASSES}"]}


def drill_document(version):
    return {"name": f"Back and forth {version}", "repeat": 100,
            "phases": [{"name": "back", "direction": "B", "duration_s": 20 + version % 2},
                       {"name": "forth", "direction": "F", "duration_s": 20}]}


class Documents:
    """All of the site, each in its present version; every call of `change` makes one anew."""

    def __init__(self):
        self.members = walkers() // 2  # the others are guests
        self.start = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.version = 0
        self.sent = {}  # "kind/id" → text, as sent last

    def session(self, version):
        by_hand = {"phase": ("back", "forth")[version % 2]} if version % 3 else {}
        return {"drill": "back-and-forth", "start": self.start, **by_hand}

    def keep(self, name, document):
        """Its revision makes each version differ from the last."""
        self.sent[name] = json.dumps({"rev": self.version, **document})
        return name, self.sent[name]

    def settings(self, version):
        return {"unknown_devices": "guest", "refresh_s": 2 + version % 2, "max_members": 100000}

    def all(self):
        yield self.keep("settings/site", self.settings(0))
        yield self.keep("drill/back-and-forth", drill_document(0))
        for number in range(CLASSES):
            yield self.keep(f"group/class-{number}", {"name": f"Class {number}"})
            yield self.keep(f"session/class-{number}", self.session(0))
        for number in range(1, self.members + 1):
            yield self.keep(f"member/m-{number}", member_document(number, 0))

    def change(self):
        """Half of the changes are members', three in ten a session's."""
        self.version += 1
        turn, version = self.version % 10, self.version
        if turn == 0:
            return self.keep("settings/site", self.settings(version // 10))
        if turn == 1:
            return self.keep("drill/back-and-forth", drill_document(version // 10))
        if turn < 5:
            return self.keep(f"session/class-{version % CLASSES}", self.session(version // 10))
        number = version % self.members + 1
        return self.keep(f"member/m-{number}", member_document(number, version))


class Operator:
    """Pushes documents and takes the answers."""

    def __init__(self, broker, daemon, documents):
        self.client, self.daemon, self.documents = broker.client(), daemon, documents
        self.client.subscribe(daemon.topic("result/#"))
        self.client.subscribe(daemon.topic("service/#"))
        self.slowest_turn_ms = 0
        self.pushed = 0
        self.waiting = {}  # correlation → when it was sent
        self.delays, self.last = [], {}

    def push(self, name, text):
        mark = os.urandom(8)
        self.waiting[mark] = time.monotonic()
        self.client.start_publish(self.daemon.topic("config/" + name), text, retain=True,
                                  correlation=mark)
        self.pushed += 1

    def take_answers(self):
        while self.client.inbox:
            message = self.client.inbox.popleft()
            if "/service/" in message.topic:
                self.look_at_service(json.loads(message.payload))
                continue
            sent = self.waiting.pop(message.correlation, None)
            if sent is not None:
                self.delays.append(time.monotonic() - sent)
            self.last["/".join(message.topic.split("/")[-2:])] = json.loads(message.payload)

    def look_at_service(self, document):
        self.slowest_turn_ms = max(self.slowest_turn_ms, document.get("slowest_turn_ms", 0))

    def push_all(self):
        for name, text in self.documents.all():
            self.push(name, text)
        self.finish()
        self.delays.clear()
        self.slowest_turn_ms = 0

    def push_changes(self, seconds):
        """At the rate, whatever one push takes."""
        begin = time.monotonic()
        for number in range(round(seconds * CHANGES_PER_S)):
            while (left := begin + number / CHANGES_PER_S - time.monotonic()) > 0:
                self.client.pump(left)
            self.push(*self.documents.change())
            self.take_answers()

    def finish(self):
        """The newest answer of a topic is kept, so one that was overtaken may never come."""
        end = time.monotonic() + PATIENCE_S
        while not self.all_answered():
            if time.monotonic() > end:
                raise Failure(f"after {PATIENCE_S} s not every document is answered")
            self.client.pump(0.1)
            self.take_answers()

    def all_answered(self):
        for name, text in self.documents.sent.items():
            answer = self.last.get(name)
            if not answer or answer["sha256"] != hashlib.sha256(text.encode()).hexdigest():
                return False
        return all(answer["ok"] for answer in self.last.values())


def member_totals(truth, documents):
    """What was sent, by who was wearing it."""
    names = {f"guest-{device(number)}": f"m-{number}"
             for number in range(1, documents.members + 1)}
    return {names.get(guest, guest): steps for guest, steps in guest_totals(truth).items()}


def expect_exact(daemon, broker, operator, truth):
    """Rows, books and answers are those of what was sent."""
    points = PointsFile(daemon.state / "points.lp")
    expected = member_totals(truth, operator.documents)
    try:
        wait_until(lambda: points.step_totals() == expected, PATIENCE_S, "totals", pause=1)
    except Failure:
        expect_totals(points.step_totals(), expected)
    books = daemon.stop_for_books(broker)
    steps = sum(sum(directions.values()) for directions in expected.values())
    expect((books["steps_counted"], sum(books["steps_rejected"].values())), (steps, 0),
           "steps counted, rejected")
    expect((books["config_accepted"], books["config_rejected"]), (operator.pushed, 0),
           "documents accepted, rejected")
    return steps


def run(build, seconds, changing):
    """CPU seconds of the daemon while the class walks, and what else was seen."""
    with Case(build, seed=1) as case:
        broker = case.broker()
        daemon = case.daemon(broker.uri).start_online(broker)
        operator = Operator(broker, daemon, Documents())
        operator.push_all()
        before = cpu_seconds(daemon.child.pid)
        load = case.send("simulate", broker, daemon, members=walkers(), pace=PACE,
                         duration=seconds, seed=1)
        if changing:
            operator.push_changes(seconds)
        truth = load.wait()
        operator.finish()
        time.sleep(SETTLE_S)
        cpu = cpu_seconds(daemon.child.pid) - before
        steps = expect_exact(daemon, broker, operator, truth)
        operator.client.pump(5)  # the last document of the service
        operator.take_answers()
        return {"cpu_s": cpu, "steps": steps, "changes": operator.documents.version,
                "slowest_turn_ms": operator.slowest_turn_ms, "answers_s": operator.delays}


def quantile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def measure(build, seconds, pairs):
    """Interleaved, so that what else the machine does meets both."""
    calm, changing = [], []
    for _ in range(pairs):
        calm.append(run(build, seconds, False))
        changing.append(run(build, seconds, True))
    answers = sorted(delay for each in changing for delay in each["answers_s"])

    def share(runs):
        return statistics.median(each["cpu_s"] for each in runs) / seconds

    return {"calm_cpu_share": round(share(calm), 3), "changing_cpu_share": round(share(changing), 3),
            "us_per_change": round((share(changing) - share(calm)) / CHANGES_PER_S * 1e6, 1),
            "answer_p50_ms": round(quantile(answers, 0.5) * 1000, 1),
            "answer_p99_ms": round(quantile(answers, 0.99) * 1000, 1),
            "slowest_turn_ms": max(each["slowest_turn_ms"] for each in changing),
            "steps": changing[0]["steps"], "changes": changing[0]["changes"], "seconds": seconds,
            "answers_seen": len(answers), "pairs": pairs}

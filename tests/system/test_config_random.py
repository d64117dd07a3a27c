"""Random documents and steps, with the daemon killed and the broker away, emptied and filled anew:
what is in force, every answer and every row must be what a plain model says of the same arrivals.

The model gets what the daemon's intake log shows, in its order. Must never send a step whose tags
depend on how the steps are put in order: one step time, no two within a millisecond.
"""

import json
import time
from datetime import datetime, timezone

import bad_documents
import intake
from config_model import HOUR_MS, Model
from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms, step_json
from processes import Failure, wait_until

SETTINGS = {"window_s": 5, "refresh_s": 1, "min_group_size": 3, "allowed_lateness_s": 60,
            "stored_lateness_s": 120, "fuse_ms": 0, "unknown_devices": "guest",
            "max_future_ms": 2000}
MEMBERS = [f"m{n}" for n in range(8)]
GROUPS = [f"g{n}" for n in range(3)]
DRILLS = [f"r{n}" for n in range(3)]
PHASES = ["imprint", "carry-over", "free walk", "höher, =x"]
ALIASES = ["Zebra One", "Zebra, two", "Zebra=3"]
DEVICES = [f"d{n}" for n in range(12)]
STRANGERS = [f"x{n}" for n in range(3)]


def iso(ms):
    moment = datetime.fromtimestamp(ms // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


class Generator:
    """What an operator and a class might send, and what they should not."""

    def __init__(self, random):
        self.random = random
        self.bad = list(bad_documents.all_bad())
        self.steps = []  # (device, payload), for the ones that come twice
        self.seq = {device: 0 for device in DEVICES + STRANGERS}  # few enough to be all remembered
        self.times = set()

    def pick(self, most, *values):
        return self.random.sample(values, self.random.randint(0, most))

    def member(self, name):
        home = DEVICES[MEMBERS.index(name):][:2]
        devices = home if self.random.random() < 0.5 else self.pick(2, *home)
        document = {"consent": self.random.choices(("member", "group", "none"), (7, 4, 1))[0],
                    "devices": list(devices), "groups": self.pick(2, *GROUPS)}
        if self.random.random() < 0.1:
            document["devices"] = list({*document["devices"], self.random.choice(DEVICES)})
        if self.random.random() < 0.7:
            document["alias"] = self.random.choice(ALIASES)
        return document

    def drill(self, _name):
        phases = [{"name": name, "direction": "B"} for name in self.pick(4, *PHASES)] or \
            [{"name": PHASES[0], "direction": "F"}]
        if self.random.random() < 0.7:
            phases = [phase | {"duration_s": self.random.randint(1, 4)} for phase in phases]
        return {"phases": phases, "repeat": self.random.randint(1, 5)}

    def session(self, _name):
        start = now_ms() + self.random.choice((
            -13 * HOUR_MS, self.random.randint(-20_000, 0), self.random.randint(-20_000, 0),
            self.random.randint(0, 4000)))
        document = {"drill": self.random.choice(DRILLS), "start": iso(start)}
        if self.random.random() < 0.5:
            document["end"] = iso(start + self.random.randint(1, 30_000))
        if self.random.random() < 0.4:
            document["phase"] = self.random.choice(PHASES)
        return document

    def group(self, _name):
        return {"name": self.random.choice(ALIASES)}

    def place(self):
        kind = self.random.choices(("member", "drill", "session", "group"), (6, 2, 4, 1))[0]
        names = {"member": MEMBERS, "drill": DRILLS, "session": GROUPS, "group": GROUPS}[kind]
        return kind, self.random.choice(names)

    def document(self):
        """(kind, name, payload)"""
        kind, name = self.place()
        what = self.random.random()
        if what < 0.08:
            return kind, name, b""
        if what < 0.20:
            bad = self.random.choice([each for each in self.bad if each.kind == kind])
            return kind, name, bad.payload
        if what < 0.25:
            guests = self.random.choice(("guest", "ignore"))
            return "settings", "site", json.dumps(SETTINGS | {"unknown_devices": guests})
        document = getattr(self, kind)(name)
        if self.random.random() < 0.3:
            document["rev"] = self.random.randint(1, 6)
        return kind, name, json.dumps(document)

    def time(self):
        """An event time that no step has yet."""
        while True:
            what = self.random.random()
            back = HOUR_MS if what < 0.02 else -HOUR_MS if what < 0.04 else \
                self.random.randint(-1000, 8000)
            found = now_ms() - back
            if found not in self.times:
                self.times.add(found)
                return found

    def step(self):
        """(device, payload)"""
        if self.steps and self.random.random() < 0.05:
            return self.random.choice(self.steps)
        device = self.random.choice(DEVICES + STRANGERS)
        self.seq[device] += 1
        stored = {"stored": True} if self.random.random() < 0.1 else {}
        payload = step_json(1, self.seq[device], t=self.time(), dir=self.random.choice("FB"),
                            step_ms=500, **stored)
        self.steps.append((device, payload))
        return device, payload


class Course:
    """One run: what is sent, and what happens to broker and daemon meanwhile."""

    def __init__(self, case, broker, daemon):
        self.broker, self.daemon, self.random = broker, daemon, case.random
        self.generator = Generator(case.random)
        self.client = broker.client()
        self.broker_began = now_ms()

    def send(self, count):
        for _ in range(count):
            if self.random.random() < 0.15:
                kind, name, payload = self.generator.document()
                retain = self.random.random() > 0.1
                self.client.start_publish(self.daemon.topic(f"config/{kind}/{name}"), payload,
                                          retain=retain)
            else:
                device, payload = self.generator.step()
                self.client.start_publish(self.daemon.topic(f"device/{device}/steps"), payload)
        self.client.flush()

    def kill_daemon(self):
        self.daemon.kill_running()
        self.send(self.random.randint(0, 30))
        self.daemon.start()
        self.send(self.random.randint(0, 30))
        self.daemon.wait_online(self.broker)

    def kill_broker(self):
        """Nothing was saved: it comes back empty, and others have put their documents on it."""
        self.client.close()
        self.broker.kill()
        if self.random.random() < 0.5:
            self.kill_daemon_alone()
        self.broker.start()
        self.broker_began = now_ms()
        self.client = self.broker.client()
        self.send(self.random.randint(0, 60))
        self.daemon.wait_online(self.broker)

    def kill_daemon_alone(self):
        self.daemon.kill_running()
        self.daemon.start()

    def save_and_kill_broker(self):
        self.broker.save()
        self.kill_broker()

    def run(self, rounds, actions):
        trouble = [self.kill_daemon, self.kill_broker, self.save_and_kill_broker]
        for number in range(rounds):
            self.send(actions)
            trouble[number % 3]()
        self.send(actions)


def replay(daemon):
    """The model of all that stands in the log of a daemon that waits."""
    daemon.freeze()
    model = Model(daemon.topic(""))
    for at, topic, payload, retained in intake.arrivals(daemon.state):
        model.arrive(at, topic, payload, retained)
    daemon.thaw()
    return model


def rows_in(influx):
    tags = ("group", "drill", "phase", "member", "alias", "direction", "stored", "time")
    found = influx.rows("SELECT steps FROM gait_window GROUP BY *")
    return {tuple(row.get(tag, "") for tag in tags): row["steps"] for row in found}


def expect_group_rows(influx, model):
    """A row that may be shown now is whole; another shows at most what it could once show."""
    tags = ("group", "drill", "phase", "time")
    rows = influx.rows("SELECT members, steps FROM group_window GROUP BY *")
    found = {tuple(row[tag] for tag in tags): (row["members"], row["steps"]) for row in rows}
    shown = {key: group.shown for key, group in model.groups.items() if group.shown}
    safe = {key: group.shown for key, group in model.groups.items()
            if group.is_safe(SETTINGS["min_group_size"])}
    expect({*found} - {*shown}, set(), "rows of groups that give somebody away")
    expect({key: found.get(key) for key in safe}, safe, "members and steps in rows of groups")
    expect([key for key in found if found[key] > shown[key]], [], "rows that went on too long")
    return len(safe)


def first_differences(found, expected):
    keys = sorted({key for key in {*found, *expected} if found.get(key) != expected.get(key)},
                  key=str)
    return "\n".join([f"{len(keys)} of {len(expected)} differ:"] + [
        f"  {key}: expected {expected.get(key)}, found {found.get(key)}" for key in keys[:20]])


def wait_for_rows(influx, daemon, expected):
    try:
        wait_until(lambda: rows_in(influx) == expected, 15, "rows", pause=0.5)
    except Failure:
        daemon.expect_running()
        raise Failure("rows: " + first_differences(rows_in(influx), expected)) from None


def expect_in_force(daemon, model):
    folded, _books = daemon.folded()
    found = {line.split()[0]: line for line in folded.splitlines() if "/" in line.split()[0]}
    expected = {
        f"{kind}/{name}": f"{kind}/{name} rev {'null' if d.rev is None else d.rev} "
                          f"sha256 {d.sha256} accepted_at {d.at}"
        for (kind, name), d in model.in_force.items()}
    if found != expected:
        raise Failure("in force: " + first_differences(found, expected))
    worn = {line.split()[1]: line.split()[-1] for line in folded.splitlines()
            if line.startswith("device ")}
    expect(worn, {f"{device}:": member for device, member in model.wearers.items() if member},
           "who wears what")


def retained(broker, pattern):
    """{last two levels: payload}"""
    found = {}
    with broker.client() as client:
        client.subscribe(pattern)
        while message := client.receive(0.3):
            found[tuple(message.topic.split("/")[-2:])] = message.payload
    return found


def short(answer):
    return {"ok": answer["ok"], "rev": answer["rev"], "sha256": answer["sha256"],
            "at": answer["at"], "pointer": answer.get("error", answer).get("pointer")}


def expect_answers(broker, daemon, model, broker_began):
    """What lies on the broker is the last answer to each document. What an earlier broker had
    acknowledged may have died with it, and then an older one has come back. Each document there has
    one, but where a deletion came that was not retained: the broker kept the document."""
    found = {place: short(json.loads(payload))
             for place, payload in retained(broker, daemon.topic("result/#")).items()}
    for place, answer in found.items():
        known = [each | {"at": iso(each["at"])} for each in model.earlier_answers[place]]
        last = model.answers.get(place)
        if answer not in known or last and last["at"] > broker_began and answer != known[-1]:
            raise Failure(f"answer to {place}: expected {known[-1:]}, found {answer}")
    documents = retained(broker, daemon.topic("config/#"))
    expect(sorted({*documents} & {*model.answers} - {*found}), [], "documents without an answer")
    expect_true(documents, "some documents are on the broker")


def test_random_documents(case):
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx, journal={"segment_mb": 16}).start_online(broker)
    with Operator(daemon, broker) as operator:
        operator.accept("settings", "site", SETTINGS)
    course = Course(case, broker, daemon)
    begin = time.monotonic()
    course.run(*((60, 400) if case.long else (6, 250)))
    course.client.close()
    with Operator(daemon, broker) as operator:
        operator.accept("group", "last", {})
    model = replay(daemon)
    expect_true(len(model.rows) > 100, "rows that the model expects")
    wait_for_rows(influx, daemon, dict(model.rows))
    groups = expect_group_rows(influx, model)
    expect_answers(broker, daemon, model, course.broker_began)
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect_in_force(daemon, model)
    expect(books["steps_counted"], model.counted, "steps counted")
    expect({reason: n for reason, n in books["steps_rejected"].items() if n},
           dict(model.rejected), "steps rejected")
    case.notes.append(f"{model.counted} steps in {len(model.rows)} rows, {groups} of groups, "
                      f"{len(model.in_force)} documents in force, "
                      f"{time.monotonic() - begin:.1f} s")

"""The example gym of configs/ and the operator's guide beside it: what they say is what happens.

Must never change a command of the guide but for the broker's address.
"""

import json
import os
import re
import subprocess

from gym import Gym, push, steps_of, utc
from harness import TREE, expect, expect_balance, expect_true, now_ms, wait_for_totals
from processes import Failure

GUIDE = TREE / "configs" / "README.md"


def test_push(case):
    """A new daemon takes all of it; one line a document."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    gym = Gym()
    lines = push(case.build, broker, daemon, gym.folder)
    expect(len(lines), len(gym.paths()), f"lines of push: {lines}")
    with broker.client() as client:
        client.subscribe(daemon.topic("result/#"))
        answers = {}
        while message := client.receive(1):
            answers[message.topic.split("/result/")[1]] = json.loads(message.payload)
    names = sorted(f"{path.parent.name}/{path.stem}" for path in gym.paths())
    expect(sorted(answers), names, "documents that were answered")
    expect({name: a for name, a in answers.items() if not a["ok"] or "warning" in a}, {},
           "answers that are not plainly good")
    case.notes.append(f"{len(lines)} documents")


def open_class(case, broker, daemon, group, walked_s, phase_s=None, **session):
    """(a copy of the example gym whose session of that group began walked_s ago, what it sent)"""
    gym = Gym().copy(case.folder / f"gym-{group}")
    began = now_ms() / 1000 - walked_s
    drill = gym.read("session", group)["drill"]
    if phase_s:
        phases = [{**phase, "duration_s": phase_s} for phase in gym.read("drill", drill)["phases"]]
        gym.change("drill", drill, phases=phases)
    gym.change("session", group, start=utc(began), **{"end": None, **session})
    push(case.build, broker, daemon, gym.folder)
    sender = case.send("simulate", broker, daemon, name=f"class-{group}", gym=gym.folder,
                       group=group, start=int(began * 1000), duration=walked_s, speed=0)
    return gym, sender.wait()


def test_class(case):
    """Members have the rows they consented to, under the group, drill and phase of their class."""
    broker, influx, daemon = case.line()
    gym, truth = open_class(case, broker, daemon, "tue-track", 120, phase_s=15)
    sent = gym.sent(truth, "member")
    wait_for_totals(influx, sent, 60, daemon)
    aliases = influx.rows("SELECT count(steps) FROM gait_window GROUP BY member, alias")
    expect({row["member"]: row["alias"] for row in aliases},
           {member: gym.alias(member) for member in sent}, "aliases")
    expect_phases(influx, len(sent))
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_rejected"]["no_consent"], steps_of(gym.sent(truth, "none")), "no_consent")
    expect(books["steps_counted"], steps_of(gym.sent(truth, "member", "group")), "steps counted")
    case.notes.append(f"{books['steps_counted']} steps")


def expect_phases(influx, members):
    rows = influx.rows('SELECT sum(steps) AS steps FROM gait_window '
                       'GROUP BY "group", drill, phase, direction')
    expect({(row["group"], row["drill"]) for row in rows}, {("tue-track", "back-twenty")}, "class")
    by_phase = {(row["phase"], row["direction"]): row["steps"] for row in rows}
    expect({phase for phase, _ in by_phase}, {"imprint", "carry-over"}, "phases")
    # The step during which a phase begins still has the direction of the one before: one a member
    # and turn at most, of which there are four out of the imprint and three into it.
    for phase, own, other, turns in (("imprint", "B", "F", 3), ("carry-over", "F", "B", 4)):
        strays = by_phase.get((phase, other), 0)
        expect_true(strays <= turns * members < by_phase[phase, own],
                    f"steps by phase and direction: {by_phase}")


def blocks(text):
    """The shell commands of the guide, a block each, without those that change the machine."""
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    return [block for block in found if "sudo " not in block]


def runnable(block, uri):
    """The same for this broker; a command that must fail says so in a comment behind it."""
    block = block.replace("--site north", f"--site north --uri {uri}")
    return re.sub(r"^(.*?) +# exit status (\d+).*$", r"{ \1 && false; } || [ $? = \2 ]", block,
                  flags=re.M)


def test_guide(case):
    broker = case.broker()
    case.daemon(broker.uri, site="north").start_online(broker)
    os.symlink(TREE / "configs", case.folder / "configs")
    path = f"{case.build}:{os.environ['PATH']}"
    commands = blocks(GUIDE.read_text())
    for block in commands:
        done = subprocess.run(["bash", "-euc", runnable(block, broker.uri)], cwd=case.folder,
                              env={**os.environ, "PATH": path}, capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise Failure(f"exit status {done.returncode} of\n{block}\n{done.stdout}{done.stderr}")
    count = sum(block.count("backstepctl ") for block in commands)
    expect_true(count >= 10, "commands of backstepctl in the guide")
    case.notes.append(f"{count} commands")

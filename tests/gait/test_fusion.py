#!/usr/bin/python3
"""A belt, two pods and a wrist band on one person: each contact is one step, however wrong their
clocks are; two persons side by side are two.

  test_fusion.py --build FOLDER [--seed S]

What is expected is what was generated. Must never take a figure from the engine to hold the engine
against.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

from folding import BEGIN_MS, QUIET_MS, Folded
from harness import expect, expect_balance
from processes import Failure

CONTACTS = 240
SENSORS = {"belt": {"kind": "trunk"}, "pod-L": {"kind": "foot", "side": "L"},
           "pod-R": {"kind": "foot", "side": "R"}, "wrist": {"kind": "wrist"}}
PACES_SPM = (90, 135, 180)
ERRORS_MS = (0, 20, 40, 60)
DELAY_MS = 400  # of a message, at most


class Person:
    """Contacts at a pace, as each of the sensors reports them on its own clock."""

    def __init__(self, name, draw, pace_spm, error_ms):
        self.name, self.step_ms = name, round(60_000 / pace_spm)
        self.wrong_ms = {sensor: draw.randint(-error_ms, error_ms) for sensor in SENSORS}
        self.seq = dict.fromkeys(SENSORS, 0)

    def device(self, sensor):
        return f"{self.name}-{sensor}"

    def event(self, sensor, contact, at_ms):
        """None where it does not see that foot."""
        foot = "LR"[contact % 2]
        if sensor.startswith("pod") and sensor[-1] != foot:
            return None
        fields = {"belt": {"dir": "F", "step_ms": self.step_ms},
                  "wrist": {"step_ms": self.step_ms + 7}}.get(
                      sensor, {"step_mm": 600, "contact_ms": 500})
        self.seq[sensor] += 1
        return {"v": 1, "boot": 1, "seq": self.seq[sensor],
                "t": at_ms + self.wrong_ms[sensor], **fields}

    def messages(self, draw):
        """(tick, topic, payload), each event in a message of its own."""
        for contact in range(CONTACTS):
            at_ms = BEGIN_MS + 1000 + contact * self.step_ms
            for sensor in SENSORS:
                event = self.event(sensor, contact, at_ms)
                if event:
                    yield (at_ms + 100 + draw.randrange(DELAY_MS),
                           f"device/{self.device(sensor)}/steps", event)

    def documents(self):
        yield f"config/member/{self.name}", {"consent": "member",
                                             "devices": list(map(self.device, SENSORS))}
        for sensor, birth in SENSORS.items():
            yield f"device/{self.device(sensor)}/birth", birth


def fold(build, persons, reorder_ms, draw):
    early = BEGIN_MS - QUIET_MS
    lines = [(early, "config/settings/site", {"reorder_ms": reorder_ms})]
    lines += [(early, *document) for person in persons for document in person.documents()]
    lines += sorted((line for person in persons for line in person.messages(draw)),
                    key=lambda line: line[0])
    text = "".join(f"{tick}\t{topic}\t{json.dumps(payload)}\n" for tick, topic, payload in lines)
    done = subprocess.run([build / "tests" / "fold_script"], capture_output=True, text=True,
                          input=f"{text}{lines[-1][0] + QUIET_MS}\n")
    if done.returncode:
        raise Failure(f"fold_script: {done.stderr[-2000:]}")
    return Folded(done.stdout)


def check(build, seed, pace_spm, error_ms, reorder_ms, count):
    draw = random.Random(f"{seed} {pace_spm} {error_ms} {reorder_ms} {count}")
    persons = [Person(f"m{i}", draw, pace_spm, error_ms) for i in range(count)]
    folded = fold(build, persons, reorder_ms, draw)
    expect_balance(folded.books)
    expect(folded.books["steps_counted"], CONTACTS * count, "steps counted")
    expect(folded.books["steps_fused"], CONTACTS * count * 2, "events that joined one")
    for member, rows in folded.of_member("gait_window").items():
        expect(sum(row["steps"] for row in rows), CONTACTS, f"steps of {member}")
        if reorder_ms:  # else a contact may come after the next one, which then stands for it too
            expect(sum(row["missed"] for row in rows), 0, f"missed of {member}")
    if reorder_ms:  # else the belt often comes when the step has passed
        for member, (bout, *more) in folded.of_member("gait_bout").items():
            expect(more, [], f"more bouts of {member}")
            expect((bout["direction"], bout["steps"]), ("F", CONTACTS), f"bout of {member}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve())
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    passed = failed = 0
    for pace_spm in PACES_SPM:
        for error_ms in ERRORS_MS:
            for reorder_ms in (2000, 0):
                for count in (1, 2):
                    what = f"{pace_spm} spm, clocks {error_ms} ms wrong, reorder_ms " \
                           f"{reorder_ms}, {count} of them"
                    try:
                        check(options.build, options.seed, pace_spm, error_ms, reorder_ms, count)
                        passed += 1
                    except Failure as failure:
                        failed += 1
                        print(f"{what}: {failure}\n  again: {__file__} --build {options.build} "
                              f"--seed {options.seed}")
    print(f"seed {options.seed}\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Members who walk, as a script for fold_script; what the real engine makes of it.

One device a member, of the member's name; steps go out in small batches as they are made. Must
never judge what comes out.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from points import parse  # noqa: E402
from processes import Failure  # noqa: E402

BEGIN_MS = 1_800_000_000_000  # a boundary of every window size
BATCH_ROWS = 10
DELAY_MS = 50  # from a batch's last step to its arrival
QUIET_MS = 700_000  # after the last step: every window is final, every bout over
# Longer than a step can be, and with the step before it longer than a stride, so that no step time
# follows from it; shorter than a pause.
GAP_MS = 2900


@dataclasses.dataclass
class Step:
    """One step event; `fields` are keys of the interface, those that are unknown left out."""
    at_ms: int
    foot: str
    direction: str
    fields: dict


class Walk:
    """A member's steps, one after the other, on alternating feet."""

    def __init__(self, begin_ms=BEGIN_MS):
        self.at_ms, self.foot, self.steps = begin_ms, "R", []

    def step(self, direction, after_ms, **fields):
        self.at_ms += after_ms
        self.foot = "R" if self.foot == "L" else "L"
        self.steps.append(Step(self.at_ms, self.foot, direction, fields))


def batch(first_seq, steps):
    """Interface, section 2.2."""
    names = sorted({name for step in steps for name in step.fields})
    before = [steps[0].at_ms] + [step.at_ms for step in steps]
    rows = [[step.at_ms - at, step.foot, step.direction, *map(step.fields.get, names)]
            for step, at in zip(steps, before)]
    return {"v": 1, "boot": 1, "seq": first_seq, "t": steps[0].at_ms,
            "columns": ["dt_ms", "foot", "dir", *names], "rows": rows}


def messages(member, walk):
    """(tick, topic, payload) of each batch."""
    for at in range(0, len(walk.steps), BATCH_ROWS):
        steps = walk.steps[at:at + BATCH_ROWS]
        yield steps[-1].at_ms + DELAY_MS, f"device/{member}/steps", batch(at, steps)


def write_script(settings, walks):
    """Settings come early enough for a window size of theirs to hold from the first step on."""
    early = BEGIN_MS - QUIET_MS
    lines = [(early, "config/settings/site", settings)] if settings else []
    lines += [(early, f"config/member/{member}", {"consent": "member", "devices": [member]})
              for member in walks]
    lines += sorted((line for member, walk in walks.items() for line in messages(member, walk)),
                    key=lambda line: line[0])
    text = [f"{tick}\t{topic}\t{json.dumps(payload)}\n" for tick, topic, payload in lines]
    return "".join(text) + f"{lines[-1][0] + QUIET_MS}\n"


class Folded:
    """The newest row of each key, as parse() of points gives it, and the books."""

    def __init__(self, output):
        self.newest, self.books, self.refused = {}, None, []
        for line in output.splitlines():
            kind, _, rest = line.partition("\t")
            if kind == "row":
                self.newest.update([parse(rest.split("\t")[2])])
            elif kind == "books":
                self.books = json.loads(rest)
            elif '"ok":false' in rest:
                self.refused.append(rest)

    def rows(self, measurement):
        return [row for row in self.newest.values() if row["measurement"] == measurement]

    def of_member(self, measurement):
        """{member: [row]}, in the order of time."""
        found = {}
        for row in sorted(self.rows(measurement), key=lambda row: row["time"]):
            found.setdefault(row["member"], []).append(row)
        return found


def fold(build, walks, settings=None):
    """What becomes of {member: Walk} under site settings other than the defaults."""
    done = subprocess.run([build / "tests" / "fold_script"], input=write_script(settings, walks),
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"fold_script: exit status {done.returncode}: {done.stderr[-2000:]}")
    folded = Folded(done.stdout)
    if folded.refused:
        raise Failure(f"a document was refused: {folded.refused[0]}")
    return folded

"""The example gym of configs/, as tests and the demo use it: its documents, who may be in which
row, and `backstepctl push`.

Must never hold a document that is not in that folder or was not changed by the caller.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path

from processes import Failure

EXAMPLE = Path(__file__).resolve().parents[2] / "configs" / "example-gym"


def utc(unix_s):
    """As `start` and `end` of a session have it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))
    return f"{whole}.{int(unix_s * 1000) % 1000:03}Z"


class Gym:
    """A folder laid out as kind/id.json."""

    def __init__(self, folder=EXAMPLE):
        self.folder = Path(folder)

    def copy(self, folder):
        """A gym of one's own, to be changed."""
        shutil.copytree(self.folder, folder)
        return Gym(folder)

    def paths(self):
        return sorted(self.folder.glob("*/*.json"))

    def read(self, kind, name):
        return json.loads((self.folder / kind / f"{name}.json").read_text())

    def change(self, kind, name, **values):
        """Writes the document anew with these values (None: without the key) and gives its path."""
        path = self.folder / kind / f"{name}.json"
        document = {**self.read(kind, name), **values}
        document = {key: value for key, value in document.items() if value is not None}
        path.write_text(json.dumps(document, ensure_ascii=False))
        return path

    def members(self):
        return {path.stem: self.read("member", path.stem)
                for path in sorted((self.folder / "member").glob("*.json"))}

    def wearers(self):
        """{device: member}"""
        return {device: member for member, document in self.members().items()
                for device in document.get("devices", [])}

    def alias(self, member):
        return self.read("member", member).get("alias", member)

    def sent(self, truth, *consents):
        """What the truth file says was sent by those of these consents:
        {member: {direction: steps}}."""
        members, wearers, totals = self.members(), self.wearers(), {}
        for device, directions in truth["sent"].items():
            member = wearers[device]
            if members[member]["consent"] in consents:
                steps = {d: sent["steps"] for d, sent in directions.items() if sent["steps"]}
                if steps:
                    totals[member] = steps
        return totals


def steps_of(totals):
    return sum(sum(directions.values()) for directions in totals.values())


def push(build, broker, daemon, *paths):
    """Runs `backstepctl push` and gives its lines; a rejection is a failure."""
    command = [Path(build) / "backstepctl", "push", "--uri", broker.uri, "--site", daemon.site,
               *paths]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=120)
    if done.returncode != 0:
        raise Failure(f"backstepctl push {' '.join(map(str, paths))} ended with "
                      f"{done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()

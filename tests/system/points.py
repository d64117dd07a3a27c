"""Reads line protocol that the daemon wrote into a file, the newest row of each key.

Enough of the format for our own lines. Must never be taken for a database: it reads all of the file
again each time.
"""

import re

# Separators count only where no backslash stands before them.
SPACE, COMMA, EQUALS = (re.compile(rf"(?<!\\){each}") for each in " ,=")


def unescape(text):
    return re.sub(r"\\([ ,=])", r"\1", text)


def pairs(text):
    return {unescape(key): value
            for key, value in (EQUALS.split(each, maxsplit=1) for each in COMMA.split(text))}


def field(text):
    if text.endswith("i"):
        return int(text[:-1])
    if text in ("true", "false"):
        return text == "true"
    return float(text)


def parse(line):
    """(key, row) of one line; a row is its tags, fields and time in one dictionary."""
    key, fields, time = SPACE.split(line)
    measurement, _, tags = key.partition(",")
    row = {name: unescape(value) for name, value in pairs(tags).items()}
    row.update((name, field(value)) for name, value in pairs(fields).items())
    row.update(measurement=measurement, time=int(time))
    return (key, row["time"]), row


class PointsFile:
    """[output] file and its rotated predecessor."""

    def __init__(self, path):
        self.paths = [path.with_name(path.name + ".1"), path]

    def lines(self):
        """All whole lines, in the order in which they were written."""
        for path in self.paths:
            text = path.read_text() if path.exists() else ""
            yield from text[:text.rfind("\n") + 1].splitlines()

    def written(self, measurement):
        """(key, row) of each time that a row was written."""
        return [parse(line) for line in self.lines() if line.startswith(measurement + ",")]

    def rows(self, measurement):
        return list(dict(self.written(measurement)).values())

    def step_totals(self):
        totals = {}
        for row in self.rows("gait_window"):
            member = totals.setdefault(row["member"], {})
            member[row["direction"]] = member.get(row["direction"], 0) + row["steps"]
        return totals

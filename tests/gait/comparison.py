"""What fold_script printed against what the reference says must stand at the end: the same rows,
the same values. Must never compute a value of its own, nor forgive a difference uncounted.
"""

import json
import math
import re
import subprocess
from collections import Counter
from fractions import Fraction

# Those that the reference knows; `device_health` and `backstep_service` tell of the daemon.
MEASUREMENTS = {"gait_window", "gait_bout", "carry_over", "slip", "group_window",
                "session_summary"}
MEAN_TOLERANCE, QUANTILE_TOLERANCE = 1e-6, 0.0100001
QUANTILE = re.compile(r"_p(05|50|95)_")
EXACT = {"carry_over": {"step_length_retention_pct", "walk_ratio_retention_pct", "retention_pct",
                        "trunk_pitch_delta_deg"},
         "slip": {"deviation"}}
OF_SLIPS = {"slips", "steps_to_first_slip"}
COUNTS = {"steps", "missed", "lost", "late", "final", "open", "strays", "back_steps",
          "block_steps", "step", "members", "backward_steps", "forward_steps", "side_steps",
          "up_steps", "bouts", "carry_overs", *OF_SLIPS}
DIGITS, DECIMALS_MAX = 9, 15  # of a number in line protocol


class Fold:
    """The last writing of every row, the notices, the books."""

    def __init__(self):
        self.rows, self.open, self.notices, self.books = {}, set(), [], {}


def fold_text(program, lines, seed=7, *options):
    """What the engine says to a script, as it stands."""
    done = subprocess.run([program, "--seed", str(seed), *options], input="\n".join(lines) + "\n",
                          text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def run_script(program, lines, seed=7):
    return read_fold(fold_text(program, lines, seed))


def read_fold(text):
    fold, last = Fold(), {}
    for line in text.splitlines():
        kind, *rest = line.split("\t", 3)
        if kind == "row":
            series, fields, timestamp = rest[2].rsplit(" ", 2)
            last[series, timestamp] = fields, rest[1] == "open"
        elif kind == "say" and rest[1].startswith("feedback/"):
            fold.notices.append(read_notice(rest[1], rest[2]))
        elif kind == "books":
            fold.books = flat_books(json.loads(rest[0]))
    for (series, timestamp), (fields, is_open) in last.items():
        key = read_key(series, int(timestamp))
        if key[0] not in MEASUREMENTS:
            continue
        fold.rows[key] = read_fields(fields)
        if is_open:
            fold.open.add(key)
    return fold


def read_key(series, timestamp):
    measurement, *tags = re.split(r"(?<!\\),", series)
    pairs = (re.split(r"(?<!\\)=", tag) for tag in tags)
    plain = ((key, re.sub(r"\\([,= ])", r"\1", value)) for key, value in pairs)
    return measurement, tuple(sorted(plain)), timestamp


def read_fields(text):
    return dict(read_field(*field.split("=")) for field in text.split(","))


def read_field(name, value):
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value[:-1]) if value.endswith("i") else float(value)


def read_notice(topic, payload):
    body = json.loads(payload)
    return topic, body["slip"], body["sign"], body["deviation"], body["t"]


def flat_books(books):
    flat = {name: value for name, value in books.items() if not isinstance(value, dict)}
    for group in ("messages_rejected", "steps_rejected"):
        flat.update({f"{group}.{reason}": count for reason, count in books[group].items()})
    return flat


# --- values ---------------------------------------------------------------------------------------

def resolution(value):
    """The step of the last digit that a number of this size is printed with."""
    digits_before = math.floor(math.log10(abs(value))) + 1 if value else 1 - DECIMALS_MAX
    return Fraction(10) ** max(digits_before - DIGITS, -DECIMALS_MAX)


def is_rounded(found, exact):
    """Found is the exact value, rounded to its last printed digit."""
    unit = max(resolution(found), resolution(float(exact)))
    return abs(Fraction(found) - Fraction(exact)) <= unit * Fraction(501, 1000)


def is_same(measurement, name, found, expected):
    if name in COUNTS:
        return type(found) is type(expected) and found == expected
    if not isinstance(found, float):
        return False
    if name in EXACT.get(measurement, ()):
        return is_rounded(found, expected)
    tolerance = QUANTILE_TOLERANCE if QUANTILE.search(name) else MEAN_TOLERANCE
    return abs(found - expected) <= tolerance * abs(expected) + 1e-9


# --- a fold against a result ----------------------------------------------------------------------

class Comparison:
    """`differences`: [(key, field, expected, found)]; `counts`: what was compared, and what was
    left out of it for a reason."""

    def __init__(self, fold, result):
        self.fold, self.result = fold, result
        self.differences, self.counts = [], Counter()
        self.compare_rows()
        self.compare_books()
        self.compare_notices()

    def is_at_limit(self, key, name):
        """A slip, or what counts them, of a bout in which a sum came so close to a limit that
        rounding decides."""
        of_slips = key[0] in ("slip", "feedback") or name in OF_SLIPS
        member = dict(key[1]).get("member")
        return of_slips and any(member in (None, each) for each, _begin in self.result.near_limits)

    def differ(self, key, name, expected, found):
        if self.is_at_limit(key, name):
            self.counts["slips at a limit left out"] += 1
        else:
            self.differences.append((key, name, expected, found))

    def compare_rows(self):
        found, expected = self.fold.rows, self.result.rows
        for key in sorted(found.keys() | expected.keys(), key=lambda key: (key[2], key)):
            if key in self.result.maybe:
                self.counts["rows left out"] += 1
            elif key not in found or key not in expected:
                self.differ(key, "(the row)", expected.get(key), found.get(key))
            else:
                self.compare_row(key, found[key], expected[key])

    def compare_row(self, key, found, expected):
        self.counts[key[0]] += 1
        doubtful = self.result.doubtful.get(key, ())
        for name in sorted(found.keys() | expected.keys()):
            if name in doubtful:
                self.counts["fields left out"] += 1
            elif name not in found or name not in expected or \
                    not is_same(key[0], name, found[name], expected[name]):
                self.differ(key, name, expected.get(name), found.get(name))
        if key in self.fold.open:
            self.differ(key, "(how it was given out last)", "closed", "open")
        self.counts["strays"] += expected.get("strays", 0)
        self.counts["retentions"] += "retention_pct" in expected and key[0] == "carry_over"
        self.counts["group retentions"] += "retention_pct_p50" in expected

    def compare_books(self):
        names = {name for name in self.fold.books | self.result.books
                 if name.startswith(("messages_", "steps_")) or
                 name in ("field_out_of_range", "unknown_keys")}
        for name in sorted(names):
            expected, found = self.result.books.get(name, 0), self.fold.books.get(name, 0)
            if expected != found:
                self.differences.append((("books", (), 0), name, expected, found))
        for name in ("steps_counted", "steps_fused"):
            self.counts[name] += self.fold.books.get(name, 0)

    def compare_notices(self):
        """Each that must be there is, and no other than may be."""
        left = Counter(notice[:3] + notice[4:] for notice in self.fold.notices)
        deviations = {notice[:3] + notice[4:]: notice[3] for notice in self.fold.notices}
        for notice in self.result.notices:
            place = (notice.topic, notice.slip, notice.sign, notice.t)
            found = left.pop(place, 0)
            self.counts["notices"] += found
            if (found != 1 and notice.is_certain) or found > 1:
                self.differ(("feedback", (("place", place),), notice.t), "(how often)", 1, found)
            elif found and not math.isclose(deviations[place], float(notice.deviation),
                                            rel_tol=1e-6, abs_tol=0.051):
                self.differ(("feedback", (("place", place),), notice.t), "deviation",
                            float(notice.deviation), deviations[place])
        for place, count in left.items():
            self.differ(("feedback", (("place", place),), place[3]), "(how often)", 0, count)

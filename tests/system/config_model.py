"""What the published interface says of configuration documents and of each step's tags, once more
and plainly: the other side of the tests, fed with what the daemon's intake log shows.

Slow, complete copies instead of clever state. Must never be taken from the daemon's code, nor know
of order, bouts or InfluxDB.
"""

import collections
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime

DAY_MS = 86_400_000
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
DEPTH_MAX = 32
KINDS = ("settings", "member", "group", "drill", "session")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
EMPTY_SETTINGS = {}
DEFAULTS = {"window_s": 10, "allowed_lateness_s": 300, "stored_lateness_s": 21600,
            "max_future_ms": 5000, "unknown_devices": "ignore", "max_members": 20000,
            "min_group_size": 5}


class Rejected(Exception):
    """The document is not accepted; the text is the pointer."""


# --- one document by itself ---------------------------------------------------------------------

class Twice(dict):
    """An object with a key given twice: `key` is the first that repeats another."""


def take_pairs(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            twice = Twice(found)
            twice.key = key
            return twice
        found[key] = value
    return found


def refuse_word(_word):
    raise Rejected("")


def escaped(key):
    return str(key).replace("~", "~0").replace("/", "~1")


def check_tree(value, at, depth=0):
    """Keys given twice, numbers that no double holds, and what is nested too deep."""
    if isinstance(value, (dict, list)) and depth == DEPTH_MAX:
        raise Rejected("")
    if isinstance(value, Twice):
        raise Rejected(f"{at}/{escaped(value.key)}")
    if isinstance(value, (int, float)) and abs(value) > 1.7976931348623157e308:
        raise Rejected(at)
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            check_tree(each, f"{at}/{escaped(key)}", depth + 1)


def parse(payload):
    if len(payload) > 65536:
        raise Rejected("")
    try:
        text = payload.decode("utf-8")
        document = json.loads(text, object_pairs_hook=take_pairs, parse_constant=refuse_word)
        json.dumps(document, ensure_ascii=False).encode("utf-8")  # half a surrogate pair
    except (ValueError, RecursionError):
        raise Rejected("") from None
    if not isinstance(document, dict) or "\0" in repr_of_texts(document):
        raise Rejected("")
    check_tree(document, "")
    return document


def repr_of_texts(value):
    """All texts of a document in one."""
    if isinstance(value, dict):
        return "".join(str(key) + repr_of_texts(each) for key, each in value.items())
    if isinstance(value, list):
        return "".join(map(repr_of_texts, value))
    return value if isinstance(value, str) else ""


def integer(low, high):
    def check(value, at):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1 != 0 \
                or not low <= value <= high:
            raise Rejected(at)
    return check


def above_zero(value, at):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1e6:
        raise Rejected(at)


def choice(*words):
    def check(value, at):
        if not isinstance(value, str) or value not in words:
            raise Rejected(at)
    return check


def boolean(value, at):
    if not isinstance(value, bool):
        raise Rejected(at)


def text(value, at):
    if not isinstance(value, str) or not 1 <= len(value) <= 32 or value != value.strip(" ") \
            or re.search("[\0-\x1f\x7f-\x9f\u2028\u2029\\\\]", value):
        raise Rejected(at)


def identifier(value, at):
    if not isinstance(value, str) or not ID.match(value):
        raise Rejected(at)


def id_list(value, at):
    if not isinstance(value, list):
        raise Rejected(at)
    for number, each in enumerate(value):
        identifier(each, f"{at}/{number}")
        if each in value[:number]:
            raise Rejected(f"{at}/{number}")


DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)


def to_ms(value):
    """Unix time in ms of an RFC 3339 date-time; ValueError for what is none."""
    found = DATE_TIME.match(value)
    if not found:
        raise ValueError(value)
    date, hour, second, fraction, offset = found.groups()
    zone = "+00:00" if offset == "Z" else offset
    if int(zone[1:3]) > 23 or int(zone[4:]) > 59:
        raise ValueError(value)
    moment = datetime.fromisoformat(f"{date}T{hour}:{second}{zone}")
    return int(moment.timestamp()) * 1000 + int(((fraction or ".")[1:] + "000")[:3])


def date_time(value, at):
    try:
        to_ms(value)
    except (ValueError, TypeError):
        raise Rejected(at) from None


def read_object(value, at, keys, required):
    if not isinstance(value, dict):
        raise Rejected(at)
    for key, each in value.items():
        if key not in keys:
            raise Rejected(f"{at}/{escaped(key)}")
        keys[key](each, f"{at}/{key}")
    for key in required:
        if key not in value:
            raise Rejected(f"{at}/{key}")


def phases(value, at):
    if not isinstance(value, list) or not 1 <= len(value) <= 32:
        raise Rejected(at)
    for number, each in enumerate(value):
        read_object(each, f"{at}/{number}", PHASE, ("name", "direction"))


def slip(value, at):
    read_object(value, at, SLIP, ())


REV = integer(0, 2**32 - 1)
PHASE = {"name": text, "direction": choice(*"FBLRUDTN"), "duration_s": integer(1, 7200),
         "risers": integer(0, 6)}
SLIP = {"drift_pct": above_zero, "threshold_pct": above_zero, "drift_deg": above_zero,
        "threshold_deg": above_zero, "hold_off_steps": integer(1, 512)}
KEYS = {
    "settings": {
        "window_s": integer(1, 300), "refresh_s": integer(1, 60),
        "allowed_lateness_s": integer(0, 3600), "stored_lateness_s": integer(0, 604800),
        "reorder_ms": integer(0, 10000), "max_future_ms": integer(0, 60000),
        "fuse_ms": integer(0, 139), "bout_gap_ms": integer(500, 30000),
        "bout_min_steps": integer(2, 100), "direction_confirm_steps": integer(1, 10),
        "carry_over_steps": integer(10, 200), "carry_over_gap_s": integer(1, 600), "slip": slip,
        "feedback": boolean, "unknown_devices": choice("ignore", "guest"),
        "min_group_size": integer(3, 100), "max_members": integer(1, 1_000_000)},
    "member": {"alias": text, "consent": choice("none", "group", "member"), "devices": id_list,
               "groups": id_list},
    "group": {"name": text},
    "drill": {"name": text, "repeat": integer(1, 100), "phases": phases},
    "session": {"drill": identifier, "start": date_time, "end": date_time, "phase": text},
}
REQUIRED = {"member": ("consent",), "drill": ("phases",), "session": ("drill", "start")}


def read(kind, name, payload):
    """The document, judged by itself; Rejected otherwise."""
    document = parse(payload)
    if kind == "settings" and name != "site" or kind == "member" and name.startswith("guest-"):
        raise Rejected("")
    read_object(document, "", {"rev": REV, **KEYS[kind]}, REQUIRED.get(kind, ()))
    if kind == "session" and "end" in document \
            and to_ms(document["end"]) <= to_ms(document["start"]):
        raise Rejected("/end")
    return document


def rev_of(payload):
    """The `rev` that an answer names, as far as it can be read."""
    try:
        pairs = json.loads(payload.decode(), object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    revs = [value for key, value in pairs if key == "rev"] \
        if isinstance(pairs, list) and payload.lstrip()[:1] == b"{" else []
    try:
        REV(revs[0], "")
    except (Rejected, IndexError):
        return None
    return int(revs[0]) if len(revs) == 1 else None


# --- sessions -----------------------------------------------------------------------------------

@dataclass
class Change:
    """What a session says from a moment on; `drill` None: it is not running."""
    begin: int
    name: str
    drill: dict | None
    phase: str | None


@dataclass
class Session:
    start: int
    end: int | None = None
    changes: list = field(default_factory=list)
    last_step: int | None = None

    def ends(self):
        """The moment it closes at, as far as it is known now."""
        if self.end is not None:
            return self.end
        latest = self.start + 12 * HOUR_MS
        return latest if self.last_step is None else min(latest, self.last_step + 30 * MINUTE_MS)

    def close(self):
        """For want of an end: nothing from then on, until it is opened again."""
        self.changes = [change for change in self.changes if change.begin < self.ends()]
        self.changes.append(Change(self.ends(), "", None, None))

    def change_at(self, time):
        begun = [change for change in self.changes if change.begin <= time]
        return begun[-1] if begun and begun[-1].drill and time < self.ends() else None


def phase_by_timetable(drill, since_start):
    durations = [phase.get("duration_s") for phase in drill["phases"]]
    if None in durations or since_start < 0 \
            or since_start >= sum(durations) * 1000 * drill.get("repeat", 1):
        return None
    left = since_start % (sum(durations) * 1000)
    for phase, duration in zip(drill["phases"], durations):
        if left < duration * 1000:
            return phase["name"]
        left -= duration * 1000
    raise AssertionError(since_start)


def phase_of(session, change, time):
    if change.phase is None:
        return phase_by_timetable(change.drill, time - session.start)
    names = [phase["name"] for phase in change.drill["phases"]]
    return change.phase if change.phase in names else None


# --- group rows ---------------------------------------------------------------------------------

UNNAMED_MIN = 3  # as many members with consent `group`, or none, may be in a group's row


class GroupRow:
    """One group's members in one window; a row of it is written only while it gives nobody away."""

    def __init__(self):
        self.steps = collections.Counter()  # member → live steps
        self.unnamed = set()  # who made some of them with consent `group`
        self.shown = None  # (members, steps) when it was last one to be written

    def add(self, member, consent, members_min):
        self.steps[member] += 1
        if consent == "group":
            self.unnamed.add(member)
        if self.is_safe(members_min):
            self.shown = len(self.steps), self.steps.total()

    def is_safe(self, members_min):
        return len(self.steps) >= members_min and \
            (not self.unnamed or len(self.unnamed) >= UNNAMED_MIN)


# --- the site -----------------------------------------------------------------------------------

@dataclass
class Document:
    body: dict
    rev: int | None
    sha256: str
    at: int


class Model:
    """Everything in force, every answer, every counted step. Feed it arrivals in their order."""

    def __init__(self, root="backstep/v1/test/"):
        self.root = root
        self.in_force = {}  # (kind, name) → Document
        self.deleted = {}  # (kind, name) → (rev, when)
        self.answers = {}  # (kind, name) → what the result document must say
        self.earlier_answers = collections.defaultdict(list)  # (kind, name) → all there were
        self.wearers = {}  # device → member, or None where a document named it once
        self.sessions = collections.defaultdict(list)  # group → sessions in their order
        self.tiling = [(-2**63, DEFAULTS["window_s"] * 1000)]  # (from, window size)
        self.seen = set()
        self.rows = collections.Counter()  # (group, drill, phase, member, alias, direction,
        #                                     stored, window) → steps
        self.groups = collections.defaultdict(GroupRow)  # (group, drill, phase, window) → row
        self.counted, self.rejected = 0, collections.Counter()

    def setting(self, key):
        document = self.in_force.get(("settings", "site"))
        return (document.body if document else EMPTY_SETTINGS).get(key, DEFAULTS[key])

    def arrive(self, at, topic, payload, retained=True):
        levels = topic[len(self.root):].split("/")
        is_document = levels[0] == "config" and len(levels) == 3 and levels[1] in KINDS
        if is_document and ID.match(levels[2]):
            self.take_document(at, levels[1], levels[2], payload)
        elif levels[0] == "device" and levels[-1] == "steps" and not retained:
            self.take_step(at, levels[1], json.loads(payload))

    # Documents.

    def take_document(self, at, kind, name, payload):
        place = (kind, name)
        if not payload:
            self.delete(at, place)
            return
        sha256 = hashlib.sha256(payload).hexdigest()
        answer = {"rev": rev_of(payload), "sha256": sha256, "at": at}
        try:
            document = read(kind, name, payload)
            if not (place in self.in_force and self.in_force[place].sha256 == sha256):
                self.judge(at, place, document)
        except Rejected as pointer:
            self.answer(place, {"ok": False, "pointer": str(pointer), **answer})
            return
        self.answer(place, {"ok": True, "pointer": None, **answer})
        before = self.in_force.get(place)
        self.in_force[place] = Document(document, document.get("rev"), sha256, at)
        self.deleted.pop(place, None)
        self.follow(at, place, before)

    def answer(self, place, answer):
        self.answers[place] = answer
        self.earlier_answers[place].append(answer)

    def judge(self, at, place, document):
        kind, name = place
        known = self.in_force.get(place)
        last = known.rev if known else None
        if not known and place in self.deleted:
            rev, when = self.deleted[place]
            last = rev if at - when < 30 * DAY_MS else None
        if last is not None and document.get("rev", last) < last:
            raise Rejected("/rev")
        for number, device in enumerate(document.get("devices", [])):
            if self.wearers.get(device, name) not in (name, None):
                raise Rejected(f"/devices/{number}")
        drill = self.in_force.get(("drill", document.get("drill")))
        if kind == "session" and "phase" in document and drill:
            if document["phase"] not in [phase["name"] for phase in drill.body["phases"]]:
                raise Rejected("/phase")

    def delete(self, at, place):
        self.answers.pop(place, None)
        before = self.in_force.pop(place, None)
        if before:
            self.deleted[place] = (before.rev, at)
            self.follow(at, place, before)

    def follow(self, at, place, before):
        """What a document's coming or going changes elsewhere."""
        kind, name = place
        if kind == "settings":
            self.follow_window(at, before)
        elif kind == "member":
            self.follow_devices(name, before)
        elif kind == "session":
            self.follow_session(at, name)
        elif kind == "drill":
            for other, document in list(self.in_force.items()):
                if other[0] == "session" and document.body["drill"] == name:
                    self.follow_session(at, other[1], by_drill=True)

    def follow_window(self, at, before):
        size = self.setting("window_s") * 1000
        old = self.tiling[-1][1]
        if size == old:
            return
        future = max(self.setting("max_future_ms"),
                     (before.body if before else {}).get("max_future_ms",
                                                         DEFAULTS["max_future_ms"]))
        larger = max(size, old)
        self.tiling.append((-(-(at + future) // larger) * larger, size))

    def follow_devices(self, name, before):
        for device in before.body.get("devices", []) if before else []:
            self.wearers[device] = None
        document = self.in_force.get(("member", name))
        for device in document.body.get("devices", []) if document else []:
            self.wearers[device] = name

    def follow_session(self, at, group, by_drill=False):
        """A session is known by its start; one with an earlier start takes the place of later ones.
        """
        sessions, document = self.sessions[group], self.in_force.get(("session", group))
        if not document:
            sessions[:] = [session for session in sessions if session.start < at]
            for session in sessions[-1:]:
                session.changes.append(Change(at, "", None, None))
            return
        start = to_ms(document.body["start"])
        sessions[:] = [session for session in sessions if session.start <= start]
        if not sessions or sessions[-1].start != start:
            sessions.append(Session(start))
        session = sessions[-1]
        has_run = any(each.drill for each in session.changes)
        if session.end is None and session.ends() <= at:
            if by_drill and has_run:
                return  # closed is closed, until a new document
            session.close()
        session.end = to_ms(document.body["end"]) if "end" in document.body else None
        found = self.in_force.get(("drill", document.body["drill"]))
        change = Change(max(at, start), document.body["drill"], found and found.body,
                        document.body.get("phase"))
        if found and not has_run:
            session.changes = []  # its first interval begins at its start, whenever it is said
            change.begin = start
        session.changes.append(change)

    # Steps.

    def running(self, group, time):
        """(drill, phase) of the group's session at an event time; None where none is on."""
        begun = [session for session in self.sessions[group] if session.start <= time]
        change = begun[-1].change_at(time) if begun else None
        return change and (change.name, phase_of(begun[-1], change, time) or "none")

    def place(self, groups, time):
        """(group, drill, phase) of a member's step."""
        for group in sorted(groups):
            found = self.running(group, time)
            if found:
                return group, *found
        return (groups[0] if groups else "none"), "none", "none"

    def window(self, time):
        size = [size for begin, size in self.tiling if begin <= time][-1]
        return time // size * size, size

    def wearer(self, device):
        """(member, its document's body), or None."""
        member = self.wearers.get(device)
        if member:
            return member, self.in_force[("member", member)].body
        if device in self.wearers or self.setting("unknown_devices") != "guest":
            return None
        return f"guest-{device}", {"consent": "member"}

    def verdict(self, at, device, step):
        """The reason of a rejection, or None."""
        found = self.wearer(device)
        if not found:
            return "unknown_device"
        if found[1]["consent"] == "none":
            return "no_consent"
        identity = (device, step["boot"], step["seq"])
        if identity in self.seen:
            return "duplicate"
        self.seen.add(identity)
        if step["t"] > at + self.setting("max_future_ms"):
            return "future"
        begin, size = self.window(step["t"])
        lateness = "stored_lateness_s" if step.get("stored") else "allowed_lateness_s"
        return "too_late" if at >= begin + size + self.setting(lateness) * 1000 else None

    def take_step(self, at, device, step):
        reason = self.verdict(at, device, step)
        if reason:
            self.rejected[reason] += 1
            return
        self.counted += 1
        member, document = self.wearer(device)
        group, drill, phase = self.place(document.get("groups", []), step["t"])
        if not step.get("stored") and drill != "none":
            self.note_step(group, step["t"])
        window = self.window(step["t"])[0]
        if document["consent"] == "member":
            self.rows[(group, drill, phase, member, document.get("alias", member),
                       step.get("dir", "X"), "1" if step.get("stored") else "", window)] += 1
        if group != "none" and not step.get("stored"):
            self.groups[group, drill, phase, window].add(member, document["consent"],
                                                         self.setting("min_group_size"))

    def note_step(self, group, time):
        session = [each for each in self.sessions[group] if each.start <= time][-1]
        session.last_step = max(time, session.last_step or time)

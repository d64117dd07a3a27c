"""The documents of a random class: settings, drills, sessions, members, and what a coach changes
while it is on. Must never put a document that is not accepted.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timezone

GROUPS = ("alpha", "beta", "gamma")
DRILLS = {
    "back-ten": {"repeat": 20, "phases": [
        {"name": "imprint", "direction": "B", "duration_s": 15},
        {"name": "carry, over", "direction": "F", "duration_s": 20}]},
    "by-hand": {"phases": [{"name": "one", "direction": "F"}, {"name": "two", "direction": "B"},
                           {"name": "side", "direction": "L"}]},
}
PHASES_BY_HAND = ("one", "two", "side")


@dataclass
class Message:
    """`newest`: the true time of the last thing it tells of."""
    arrival: int
    topic: str
    payload: str
    newest: int = 0


def draw_slip(rng):
    if rng.random() < 0.3:
        return {}
    return {"drift_pct": rng.choice([2, 4, 5.5, 8]), "threshold_pct": rng.choice([12, 21, 30, 45]),
            "drift_deg": rng.choice([0.5, 1.5, 2.25]), "threshold_deg": rng.choice([3, 6, 7.5]),
            "hold_off_steps": rng.choice([1, 2, 5, 5, 8, 13, 20])}


def draw_settings(rng, way):
    settings = {
        "window_s": rng.choice([1, 5, 7, 10, 10, 30, 60, 60]),
        "refresh_s": rng.choice([1, 2, 5, 20]),
        "allowed_lateness_s": rng.choice([0, 5, 30, 120, 300, 300]),
        "stored_lateness_s": rng.choice([0, 60, 1000, 3600]),
        "reorder_ms": rng.choice([0, 200, 1000, 2000, 2000, 5000, 10000]),
        "max_future_ms": rng.choice([0, 100, 5000]),
        "fuse_ms": rng.choice([0, 40, 80, 120, 120, 139]),
        "bout_gap_ms": rng.choice([1000, 2000, 3000, 3000, 10000]),
        "bout_min_steps": rng.choice([2, 4, 8, 8, 8, 10, 16]),
        "direction_confirm_steps": rng.choice([1, 2, 3, 3, 3, 5, 8, 10]),
        "carry_over_steps": rng.choice([10, 10, 11, 13, 15, 20]),
        "carry_over_gap_s": rng.choice([1, 5, 20, 60, 60, 600]),
        "slip": draw_slip(rng), "feedback": rng.random() < 0.9,
        "unknown_devices": rng.choice(["ignore", "guest"]),
        "min_group_size": rng.choice([3, 3, 4, 5])}
    if way != "any":
        settings.update(reorder_ms=rng.choice([1000, 3000]), allowed_lateness_s=300,
                        stored_lateness_s=3600, max_future_ms=5000)
    return settings


def change_settings(rng, settings):
    """What a coach may turn while the class is on. A lateness is not raised: which windows that
    nobody asked for are final then is left open."""
    drawn = draw_settings(rng, "any")
    names = ["window_s", "reorder_ms", "fuse_ms", "bout_gap_ms", "direction_confirm_steps",
             "bout_min_steps", "carry_over_steps", "carry_over_gap_s", "slip", "feedback",
             "min_group_size", "refresh_s"]
    changed = {**settings, **{name: drawn[name] for name in rng.sample(names, rng.randint(1, 4))}}
    if rng.random() < 0.2:
        changed["allowed_lateness_s"] = min(settings["allowed_lateness_s"],
                                            drawn["allowed_lateness_s"])
    return changed


def iso(ms):
    moment = datetime.fromtimestamp(ms // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


class Documents:
    """The class's documents, as they are put and as they are changed while it is on."""

    def __init__(self, rng, begin, settings, way):
        self.rng, self.begin, self.settings = rng, begin, settings
        self.messages, self.members, self.sessions = [], {}, {}
        self.groups = GROUPS[:rng.choice([1, 1, 2, 3])]
        self.put(begin, "settings", "site", settings)
        for name, body in DRILLS.items():
            self.put(begin, "drill", name, body)
        for group in self.groups:
            if rng.random() < 0.85:
                self.draw_session(group, way)

    def put(self, at, kind, name, body):
        self.messages.append(Message(at, f"config/{kind}/{name}", json.dumps(body)))

    def draw_session(self, group, way):
        rng = self.rng
        body = {"drill": rng.choice(list(DRILLS)),
                "start": iso(self.begin + rng.choice([-60000, -1500, 0, 10000, 30000]))}
        if rng.random() < 0.6 or way != "any":
            body["end"] = iso(self.begin + rng.choice([45000, 90000, 3_000_000]))
        if body["drill"] == "by-hand":
            body["phase"] = rng.choice(PHASES_BY_HAND)
        self.sessions[group] = body
        self.put(self.begin, "session", group, body)

    def draw_groups(self):
        count = min(self.rng.choices([0, 1, 2, 3], [1, 8, 2, 1])[0], len(self.groups))
        return self.rng.sample(self.groups, count)

    def add_member(self, number, devices, way):
        rng, name = self.rng, f"m-{number:02}"
        body = {"consent": rng.choices(["member", "group", "none"], [9, 1.5, 0.3])[0],
                "devices": devices, "groups": self.draw_groups()}
        if rng.random() < 0.6:
            body["alias"] = rng.choice(["Ruth", "Ann M.", "a, b=c", "Zoë"]) + f" {number}"
        if way != "any" and body["consent"] == "none":
            body["consent"] = "member"
        self.members[name] = body
        self.put(self.begin, "member", name, body)

    def change(self, at):
        """One change while the class is on, later than those before."""
        kind = self.rng.choice(["settings", "settings", "consent", "consent", "groups", "alias",
                                "session", "birth", "move", "leave"])
        if kind == "settings":
            self.settings = change_settings(self.rng, self.settings)
            self.put(at, "settings", "site", self.settings)
        elif kind == "session":
            self.change_session(at)
        elif len(self.members) > 1:
            name, other = self.rng.sample(list(self.members), 2)
            if kind == "birth":
                self.bear(at, name)
            elif kind == "move":
                self.move(at, name, other)
            elif kind == "leave":
                del self.members[name]
                self.messages.append(Message(at, f"config/member/{name}", ""))
            else:
                self.change_member(at, name, kind)

    def bear(self, at, name):
        """A device is powered up anew, and may be another one now."""
        body = {"kind": self.rng.choice(["foot", "trunk", "wrist"])}
        if self.rng.random() < 0.6:
            body["side"] = self.rng.choice("LR")
        for device in self.members[name]["devices"][:1]:
            self.messages.append(Message(at, f"device/{device}/birth", json.dumps(body)))

    def move(self, at, name, other):
        """One of the member's devices is the other's from now on."""
        giver, taker = self.members[name], self.members[other]
        if not giver["devices"]:
            return
        device = self.rng.choice(giver["devices"])
        rest = [each for each in giver["devices"] if each != device]
        self.members[name] = {**giver, "devices": rest}
        self.members[other] = {**taker, "devices": [*taker["devices"], device]}
        for each in (name, other):
            self.put(at, "member", each, self.members[each])

    def change_member(self, at, name, kind):
        rng, body = self.rng, dict(self.members[name])
        if kind == "consent":
            body["consent"] = rng.choice(["member", "member", "group", "none"])
        elif kind == "groups":
            body["groups"] = self.draw_groups()
        else:
            body["alias"] = f"{rng.choice(['New', 'Other'])} {name}"
        self.members[name] = body
        self.put(at, "member", name, body)

    def change_session(self, at):
        rng = self.rng
        if not self.sessions:
            return
        group = rng.choice(list(self.sessions))
        if rng.random() < 0.2:
            self.messages.append(Message(at, f"config/session/{group}", ""))
            del self.sessions[group]
            return
        body = dict(self.sessions[group])
        body.pop("phase", None)
        body["drill"] = rng.choice([body["drill"], body["drill"], "by-hand"])
        if body["drill"] == "by-hand" and rng.random() < 0.8:
            body["phase"] = rng.choice(PHASES_BY_HAND)
        self.sessions[group] = body
        self.put(at, "session", group, body)

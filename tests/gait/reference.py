"""The gait engine once more, plainly: it takes the same script as fold_script and says what must
stand at the end. Read from the published interface alone.

Documents and sessions are those of tests/system/config_model.py. Must never share a line with the
daemon's code.
"""

import pathlib
import sys
from collections import defaultdict, namedtuple

import reference_rows as rows
from reference_bouts import Habit, Walk
from reference_ending import TICK_MS, Ending
from reference_messages import Boot, Rejected, decode
from reference_steps import Event, Order, Step

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import config_model  # noqa: E402

BOOTS_MAX, BOOT_KEPT_MS, UP_BOOT_KEPT_MS = 16, 600_000, 86_400_000
FEEDBACK_MS = 5000
DEFAULTS = {
    **config_model.DEFAULTS, "refresh_s": 2, "reorder_ms": 2000, "fuse_ms": 120,
    "bout_gap_ms": 3000, "bout_min_steps": 8, "direction_confirm_steps": 3,
    "carry_over_steps": 20, "carry_over_gap_s": 60, "feedback": True}
SLIP_DEFAULTS = {"drift_pct": 8, "threshold_pct": 30, "drift_deg": 1.5, "threshold_deg": 6,
                 "hold_off_steps": 20}

Arrival = namedtuple("Arrival", "device_id member document boot stored offset")
Tags = namedtuple("Tags", "group drill phase member alias named session")
Notice = namedtuple("Notice", "topic slip sign deviation t is_certain")


class Site(config_model.Model):
    """Documents in force and what they say of a step."""

    def follow_window(self, at, before):
        """A size that was to begin later than the new one may never does."""
        old = {**DEFAULTS, **(before.body if before else {})}
        if self.setting("window_s") == old["window_s"]:
            return
        earliest = at + max(self.setting("max_future_ms"), old["max_future_ms"])
        size = self.setting("window_s") * 1000
        self.tiling = [each for each in self.tiling if each[0] < earliest]
        larger = max(size, self.tiling[-1][1])
        if size != self.tiling[-1][1]:
            self.tiling.append((-(-earliest // larger) * larger, size))


class Device:
    def __init__(self):
        self.boots, self.side, self.kind = {}, "U", None


class Member:
    """Also what its bouts call (written, carried, slipped)."""

    def __init__(self, owner, name, consent):
        self.owner, self.name, self.consent = owner, name, consent
        self.consents = [(-1, consent)]  # (arrival, consent from then on)
        self.order, self.walk = Order(), Walk(self)

    def consents_in(self, begin, until):
        """Those in force from then to then. What is due at a change's own time comes before it."""
        before = [consent for at, consent in self.consents if at < begin]
        changes = [consent for at, consent in self.consents if begin <= at <= until]
        return {before[-1], *(changes if until > begin else [])}

    def next_due(self):
        settings = self.owner.settings
        dues = (self.order.next_due(settings["reorder_ms"]), self.walk.closing_time(settings))
        return min((due for due in dues if due is not None), default=None)

    def written(self, bout):
        self.owner.note_bout(bout)

    def carried(self, bout):
        self.owner.note_carry_over(bout)

    def slipped(self, bout, slip):
        self.owner.note_slip(self, bout, slip)


class Reference:
    def __init__(self):
        self.site = Site("")
        self.settings = {**DEFAULTS, "slip": SLIP_DEFAULTS}
        self.history = [(-1, self.settings)]  # (arrival, settings from then on)
        self.wall, self.steps_made = 0, 0
        self.devices, self.members = defaultdict(Device), {}
        self.dues = {}  # member → what is due next, where nothing has happened since it was asked
        self.books = defaultdict(int)
        self.windows = defaultdict(list)  # (tags, direction, stored, window) → steps
        self.groups = defaultdict(rows.GroupRow)  # (group, drill, phase, window) → row
        self.summaries = {}  # (session, member) → Summary
        self.last_passed = {}  # window → when the last live step of it passed
        self.bouts, self.slips = [], []
        self.carried = []  # (arrival, bout, retention)
        self.notices = []

    # Time.

    def advance(self, wall):
        """What is due by then happens, in its order."""
        while True:
            for name, member in self.members.items():
                if name not in self.dues:
                    self.dues[name] = member.next_due()
            due, name = min(((due, name) for name, due in self.dues.items() if due is not None),
                            default=(None, None))
            if due is None or due > wall:
                break
            self.wall = max(self.wall, due)
            self.fire(self.members[name])
        self.wall = wall

    def fire(self, member):
        self.dues.pop(member.name, None)
        ready = member.order.take_ready(self.wall, self.settings["reorder_ms"])
        for step in ready:
            self.add_in_order(member, step)
        closing = member.walk.closing_time(self.settings)
        if not ready and closing is not None and closing <= self.wall:
            member.walk.show_closed()

    def setting_at(self, key, wall):
        return [settings for at, settings in self.history if at <= wall][-1][key]

    def final_at(self, end, stored):
        """When a window that ends then is final, whatever waits."""
        key = "stored_lateness_s" if stored else "allowed_lateness_s"
        for number, (begin, settings) in enumerate(self.history):
            until = self.history[number + 1][0] if number + 1 < len(self.history) else None
            found = max(begin, end + settings[key] * 1000)
            if until is None or found < until:
                return found
        raise AssertionError(end)

    # Messages.

    def run(self, lines):
        for line in lines:
            tick, *message = line.split("\t", 2)
            self.advance(int(tick))
            if message:
                self.take(message[0].split("/"), message[1])
        return Ending(self).result

    def take(self, topic, text):
        payload = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
        if topic[0] == "config":
            self.take_document(topic, payload)
        elif topic[2] == "birth":
            self.take_birth(self.devices[topic[1]], payload)
        elif topic[2] == "steps":
            self.take_message(topic[1], payload)

    def take_birth(self, device, payload):
        birth = config_model.parse(payload)
        device.side, device.kind = birth.get("side", "U"), birth.get("kind")

    def take_document(self, topic, payload):
        _config, kind, name = topic
        if kind == "member" and payload:
            self.follow_consent(name, config_model.read(kind, name, payload)["consent"])
        self.site.arrive(self.wall, "/".join(topic), payload)
        if payload and not self.site.answers[kind, name]["ok"]:
            raise AssertionError(f"a document that is not in force: {topic} {payload}")
        if kind == "settings":
            self.follow_settings()

    def follow_settings(self):
        body = self.site.in_force["settings", "site"].body
        self.settings = {**DEFAULTS, **body, "slip": {**SLIP_DEFAULTS, **body.get("slip", {})}}
        self.history.append((self.wall, self.settings))
        for row in self.groups.values():
            row.look(self.settings["min_group_size"])
        self.dues = {}
        for member in self.members.values():
            self.fire(member)

    def follow_consent(self, name, consent):
        member = self.members.setdefault(name, Member(self, name, "none"))
        if consent == member.consent:
            return
        self.dues.pop(name, None)
        for step in member.order.take_all():
            self.add_in_order(member, step)
        member.walk.end()
        member.walk.unsettled = []
        if consent == "member":  # what was walked under less is in no row of the member's own
            member.walk.habit, member.walk.back = Habit(), None
        member.consent = consent
        member.consents.append((self.wall, consent))

    def take_message(self, device_id, payload):
        self.books["messages_received"] += 1
        try:
            message = decode(payload)
        except Rejected as reason:
            self.books[f"messages_rejected.{reason}"] += 1
            return
        self.books["messages_parsed"] += 1
        self.books["field_out_of_range"] += message.dropped
        self.books["unknown_keys"] += message.unknown
        self.books["steps_received"] += len(message.rows)
        self.take_steps(device_id, message)

    def take_steps(self, device_id, message):
        wearer = self.site.wearer(device_id)
        device = self.devices[device_id]
        reason = None
        if wearer is None:
            reason = "unknown_device"
        elif wearer[1]["consent"] == "none":
            reason = "no_consent"
        elif not self.has_room(device, message.boot):
            reason = "over_limit"
        if reason:
            self.books[f"steps_rejected.{reason}"] += len(message.rows)
            return
        name, document = wearer
        member = self.members.setdefault(name, Member(self, name, document["consent"]))
        self.dues.pop(name, None)
        boot = device.boots.setdefault(message.boot, Boot())
        boot.may_be_forgotten = boot.may_be_forgotten or self.is_over(boot)
        boot.heard, boot.uses_up = self.wall, boot.uses_up or message.uses_up
        arrival = Arrival(device_id, member, document, boot, message.stored,
                          self.offset(boot, message))
        for row in message.rows:
            self.books[self.judge(arrival, row)] += 1

    def has_room(self, device, boot):
        if boot not in device.boots and len(device.boots) == BOOTS_MAX:
            device.boots = {number: each for number, each in device.boots.items()
                            if not self.is_over(each)}
        return boot in device.boots or len(device.boots) < BOOTS_MAX

    def is_over(self, boot):
        """It may be forgotten: nothing that was accepted of it would be again."""
        kept = UP_BOOT_KEPT_MS if boot.uses_up else BOOT_KEPT_MS
        if boot.heard is None or self.wall - boot.heard < kept:
            return False
        return boot.latest is None or all(
            self.wall >= self.final_at(sum(self.site.window(boot.latest)), stored)
            for stored in (False, True))

    def offset(self, boot, message):
        """wall − the message's own time; None: it cannot be placed."""
        if not message.uses_up:
            return 0
        if not message.stored:
            boot.clock.hear(self.wall, self.wall - message.rows[-1].time)
        return boot.clock.at(self.wall)

    def judge(self, arrival, row):
        """The counter of the books that this event belongs to."""
        _device_id, member, _document, boot, stored, offset = arrival
        lost = boot.mark(row.seq)
        if lost is None:
            return "steps_rejected.duplicate"
        if offset is None:
            return "steps_rejected.unplaced"
        time = row.time + offset
        if time > self.wall + self.settings["max_future_ms"]:
            return "steps_rejected.future"
        begin, size = self.site.window(time)
        if self.wall >= self.final_at(begin + size, stored):
            return "steps_rejected.too_late"
        boot.latest = time if boot.latest is None else max(time, boot.latest)
        verdict = self.place(arrival, self.event(arrival, row, time), lost)
        if not stored:
            for step in member.order.take_ready(self.wall, self.settings["reorder_ms"]):
                self.add_in_order(member, step)
        return verdict

    def event(self, arrival, row, time):
        device = self.devices[arrival.device_id]
        foot = device.side if row.foot == "U" else row.foot
        return Event(arrival.device_id, device.kind, time, foot, row.direction, row.fields)

    # Steps.

    def place(self, arrival, event, lost):
        """The event joins a step or becomes one."""
        order, stored = arrival.member.order, arrival.stored
        if not stored:
            order.hear(event.time)
        step = order.find(event, stored, self.settings["fuse_ms"])
        if step is not None:
            step.join(event)
            return "steps_fused"
        step = self.new_step(arrival, event, lost)
        if stored or order.comes_after_its_place(step):
            order.add_out_of_order(step)
            self.count(step)
        else:
            order.wait(step)
        return "steps_counted"

    def new_step(self, arrival, event, lost):
        step = Step(event, self.steps_made, self.wall)
        self.steps_made += 1
        begin, size = self.site.window(event.time)
        step.tags = self.tags(arrival.member, arrival.document, event.time)
        step.window, step.stored = (begin, begin + size), arrival.stored
        step.lost, step.late = lost, self.wall >= begin + size
        step.is_lost_certain = not arrival.boot.may_be_forgotten
        if not step.stored and step.tags.session:
            self.site.note_step(step.tags.group, event.time)
        return step

    def tags(self, member, document, time):
        group, drill, phase = self.site.place(document.get("groups", []), time)
        session = None
        if drill != "none":
            begun = [each.start for each in self.site.sessions[group] if each.start <= time]
            session = group, begun[-1]
        return Tags(group, drill, phase, member.name, document.get("alias", member.name),
                    document["consent"] == "member", session)

    def add_in_order(self, member, step):
        member.order.add_in_order(step)
        self.count(step)
        member.walk.take(step, self.settings)

    def count(self, step):
        """In its windows and its summary."""
        tags = step.tags
        self.windows[tags._replace(session=None), step.direction, step.stored,
                     step.window].append(step)
        if step.stored:
            return
        self.last_passed[step.window] = self.wall
        if tags.group != "none":
            row = self.groups[tags.group, tags.drill, tags.phase, step.window]
            row.add(step, self.settings["min_group_size"])
        summary = self.summary(tags)
        if summary:
            summary.steps.append(step)

    def summary(self, tags):
        """The member's, of the tags' session, about to change; None: it has none."""
        if not tags.named or tags.session is None:
            return None
        summary = self.summaries.setdefault((tags.session, tags.member), rows.Summary(tags.alias))
        summary.changed = self.wall
        return summary

    # Bouts.

    def note_bout(self, bout):
        self.bouts.append(bout)
        summary = self.summary(bout.tags)
        if summary:
            summary.bouts += 1

    def note_carry_over(self, bout):
        self.carried.append((self.wall, bout, bout.carry_over.fields["retention_pct"]))
        summary = self.summary(bout.tags)
        if summary and bout not in summary.carried:
            summary.carried.append(bout)

    def note_slip(self, member, bout, slip):
        self.slips.append((self.wall, bout, slip))
        summary = self.summary(bout.tags)
        if summary:
            summary.slips += 1
        age = self.wall - slip.step.time
        if not self.settings["feedback"] or age > FEEDBACK_MS:
            return
        is_certain = age <= FEEDBACK_MS - TICK_MS and bout.tags.named
        for device in self.worn_by(member):
            self.notices.append(Notice(f"feedback/{device}", slip.metric, slip.sign,
                                       slip.deviation, slip.step.time, is_certain))

    def worn_by(self, member):
        if member.name.startswith("guest-"):
            return [member.name.removeprefix("guest-")]
        document = self.site.in_force.get(("member", member.name))
        return document.body.get("devices", []) if document else []

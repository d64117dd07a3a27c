"""What stands in the last writing of every row when all is final, of a reference that has taken its
script.

Where the interface lets the moment of a record decide (a tick record comes up to 100 ms after its
deadline), a row or field is doubtful, and said to be. Must never change what the reference holds,
nor share a line with the daemon's code.
"""

from collections import defaultdict

import reference_rows as rows

SITE = "gym"
TICK_MS = 200  # two roundings of a tick record: what is closer in time may be in either order


class Result:
    """rows: {(measurement, tags, timestamp): fields}; `doubtful`: {key: names of fields}; `maybe`:
    keys that may be there or not; `near_limits`: (member, time) of slips that a double may judge
    otherwise."""

    def __init__(self):
        self.rows, self.doubtful, self.maybe = {}, defaultdict(set), set()
        self.books, self.notices, self.near_limits = {}, [], set()

    def add(self, key, fields):
        if key in self.rows:
            raise AssertionError(f"two rows with one key: {key}")
        self.rows[key] = fields


def key(measurement, timestamp, **tags):
    """Of a row; `site` is added."""
    return measurement, tuple(sorted({"site": SITE, **tags}.items())), timestamp


def member_key(measurement, timestamp, tags, **more):
    names = {name: getattr(tags, name) for name in ("group", "drill", "phase", "member", "alias")}
    return key(measurement, timestamp, **names, **more)


class Ending:
    """`result` of a reference."""

    def __init__(self, reference):
        self.reference, self.result = reference, Result()
        for (tags, direction, stored, window), steps in reference.windows.items():
            if tags.named:
                self.write_window(tags, direction, stored, window, steps)
        for bout in reference.bouts:
            self.write_bout(bout)
        for _wall, bout, slip in reference.slips:
            self.write_slip(bout, slip)
        for (group, drill, phase, window), row in reference.groups.items():
            self.write_group((group, drill, phase), window, row)
        for (session, member), summary in reference.summaries.items():
            self.write_summary(session, member, summary)
        self.result.books, self.result.notices = dict(reference.books), reference.notices

    def final_span(self, window, stored):
        """When a window is final at the earliest and, for what waited, at the latest."""
        final_at = self.reference.final_at(window[1], stored)
        waited = 0 if stored else self.reference.last_passed.get(window, 0)
        return final_at, max(final_at, waited)

    def write_window(self, tags, direction, stored, window, steps):
        """Its last writing is the final one, but for a member who withdrew before."""
        more = {"stored": "1"} if stored else {}
        its_key = member_key("gait_window", window[0], tags, direction=direction, **more)
        consents = self.reference.members[tags.member].consents_in(*self.final_span(window, stored))
        self.result.add(its_key, rows.window_fields(steps, direction, consents == {"member"}))
        if len(consents) > 1:
            self.result.doubtful[its_key].add("final")
        if not all(step.is_lost_certain for step in steps):
            self.result.doubtful[its_key].add("lost")

    def write_bout(self, bout):
        tags, begin = bout.tags, bout.steps[0].time
        if bout.judge is not None and bout.judge.near_limit():
            self.result.near_limits.add((tags.member, begin))
        if not tags.named:
            return
        self.result.add(member_key("gait_bout", begin, tags, direction=bout.direction),
                        rows.bout_fields(bout))
        if bout.carry_over is not None:
            self.result.add(member_key("carry_over", begin, tags), rows.carry_over_fields(bout))

    def write_slip(self, bout, slip):
        if bout.tags.named:
            self.result.add(member_key("slip", slip.step.time, bout.tags, metric=slip.metric,
                                       sign=slip.sign), rows.slip_fields(slip))

    # Groups and sessions.

    def of_group(self, entries, place, window, time_of):
        """Those whose tags are the group row's and whose time lies in its window."""
        return [entry for entry in entries
                if entry[1].tags[:3] == place and window[0] <= time_of(entry) < window[1]
                and self.reference.site.window(time_of(entry))[0] == window[0]]

    def within(self, window, entries):
        """(those known before the window was final, whether that is in doubt for any)"""
        final_at, at_latest = self.final_span(window, stored=False)
        doubt = any(final_at - TICK_MS <= entry[0] <= at_latest + TICK_MS for entry in entries)
        return [entry for entry in entries if entry[0] < final_at], doubt

    def write_group(self, place, window, row):
        group, drill, phase = place
        its_key = key("group_window", window[0], group=group, drill=drill, phase=phase)
        carried, doubt = self.within(window, self.of_group(
            self.reference.carried, place, window, lambda entry: entry[1].steps[0].time))
        slips, slip_doubt = self.within(window, [
            entry for entry in self.of_group(self.reference.slips, place, window,
                                             lambda entry: entry[2].step.time)
            if entry[1].tags.named or entry[1].tags.member in row.steps])
        sizes = [self.reference.setting_at("min_group_size", at)
                 for at in self.final_span(window, stored=False)]
        if not all(map(row.is_safe, sizes)):
            if row.was_safe:
                self.result.maybe.add(its_key)
            return
        latest = {bout: value for _wall, bout, value in carried}
        retentions = [value for value in latest.values() if value is not None]
        self.result.add(its_key, row.fields(retentions, len(slips)))
        if doubt or slip_doubt:
            self.result.doubtful[its_key] |= {"retention_pct_p50", "slips"}

    def write_summary(self, of_session, member, summary):
        """What changes when its lateness is over may be in it or not."""
        group, start = of_session
        session = next(each for each in self.reference.site.sessions[group]
                       if each.start == start)
        drill = [change.name for change in session.changes if change.begin <= start][-1]
        its_key = key("session_summary", start, group=group, drill=drill, member=member,
                      alias=summary.alias)
        last = session.changes[-1]
        end = session.ends() if last.drill else min(last.begin, session.ends())
        lateness = self.reference.setting_at("allowed_lateness_s", end) * 1000
        self.result.add(its_key, summary.fields())
        if summary.changed > end + lateness - TICK_MS:
            self.result.doubtful[its_key] |= set(self.result.rows[its_key])

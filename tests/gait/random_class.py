"""Random classes, each from its seed: documents and messages of some members' wearables, with all
that goes wrong on their way, as a script for fold_script.

What is random is drawn from one generator, in one order: a seed is a class. Must never say what
comes of it.
"""

import random
from dataclasses import dataclass, field, replace

from random_documents import Documents, draw_settings
from random_walk import Walker
from random_wearables import COARSE_MS, FLOOD_REORDER_MIN_MS, Sender, draw_wearables, flood

BEGIN = 1_795_716_000_000
# `any`: everything. `shuffled`, `permuted`: what must be the same in whatever order the messages
# come, within reorder_ms (messages of one event) or within the lateness (every event has a step
# time of its own); nothing is fused in them, and no document changes.
WAYS = ("any", "shuffled", "permuted")


@dataclass
class RandomClass:
    """`messages` in order of arrival; `settings` as the class begins."""
    seed: int
    way: str
    settings: dict
    messages: list = field(default_factory=list)

    def script(self):
        """Time passes far enough for all to be final."""
        lateness = max(self.settings["allowed_lateness_s"], self.settings["stored_lateness_s"])
        end = self.messages[-1].arrival + 1000 * (lateness + 600) + 3_600_000
        return [f"{each.arrival}\t{each.topic}\t{each.payload}" for each in self.messages] \
            + [str(end)]

    def in_another_order(self):
        """The same class with other delays of its messages, within what its way allows."""
        rng = random.Random(f"order of {self.way} {self.seed}")
        reorder, lateness = (self.settings[key] for key in ("reorder_ms", "allowed_lateness_s"))
        most = reorder - 1 if self.way == "shuffled" else lateness * 500
        moved = [each if each.topic.startswith("config/") or each.topic.endswith("/birth")
                 else replace(each, arrival=each.newest + rng.randint(0, most))
                 for each in self.messages]
        return arrange(self.seed, self.way, self.settings, moved)


def arrange(seed, way, settings, messages):
    """In order of arrival; nothing arrives before the class begins, of equals documents come first.
    """
    def rank(message):
        return 0 if message.topic.startswith("config/") else \
            1 if message.topic.endswith("/birth") else 2

    begin = min(each.arrival for each in messages if rank(each) == 0)
    messages = [replace(each, arrival=max(each.arrival, begin)) for each in messages]
    return RandomClass(seed, way, settings,
                       sorted(messages, key=lambda each: (each.arrival, rank(each))))


def draw_size(rng):
    """(members, events of them all), about."""
    if rng.random() < 0.25:
        return rng.randint(3, 4), 1300
    return min(rng.randint(3, 12), rng.randint(3, 12)), rng.randint(200, 1200)


def build(seed, way="any"):
    rng = random.Random(f"{way} {seed}")
    begin = BEGIN + rng.randint(0, 300_000)
    settings = draw_settings(rng, way)
    documents = Documents(rng, begin, settings, way)
    coarse_ms = rng.choice([1, 1, 1, 20, COARSE_MS]) if way == "any" else 1
    messages, end = [], begin
    count, budget = draw_size(rng)
    for number in range(count):
        wearables = draw_wearables(rng, f"d-{number:02}", way, coarse_ms)
        if rng.random() < 0.95:
            documents.add_member(number, [each.name for each in wearables], way)
        events_a_step = sum(0.5 if each.side != "U" else 1 for each in wearables)
        walker = Walker(rng, begin + rng.randint(0, 3000), int(budget / count / events_a_step),
                        may_drum=way == "any")
        contacts = walker.walk()
        end = max(end, contacts[-1].time)
        for wearable in wearables:
            wearable.born = begin - rng.randint(1000, 10_000_000)
            if wearable.has_birth:
                messages.append(wearable.birth(begin))
            messages += Sender(rng, wearable, settings, way).send(contacts)
            if wearable.floods and settings["reorder_ms"] >= FLOOD_REORDER_MIN_MS:
                messages += flood(rng, wearable, rng.randint(begin, end))
    if way == "any":
        changes = rng.choice([0, 0, 0, 1, 3, 6])
        for at in sorted(rng.randint(begin, end) for _ in range(changes)):
            documents.change(at)
    return arrange(seed, way, settings, documents.messages + messages)

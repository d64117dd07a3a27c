"""How a member of a random class walks: contacts with the ground, through a drill of backward and
forward phases, with side steps, steps up, turns and pauses between, and a gait that now and then
changes within a phase. Noise is correlated, as that of people is. Must never know of wearables.
"""

from dataclasses import dataclass

# Of the direction's own: how its step length and time compare with the forward one, and the pitch
# of the foot in 1/100 °.
RATIOS = {"F": (1.0, 1.0, 2100), "B": (0.75, 0.99, -2600), "L": (0.6, 1.1, 0), "R": (0.6, 1.1, 0),
          "U": (0.5, 1.3, 500), "D": (0.5, 1.2, 500), "T": (0.3, 1.25, 0), "N": (0.05, 1.0, 0),
          "X": (0.9, 1.0, 1500)}
LONG_PAUSE_MS = 595_000, 625_000  # about when a visit is over

NO_SHIFT = {"time": 1.0, "length": 1.0, "trunk": 0, "vo": 1.0}


@dataclass
class Contact:
    time: int
    foot: str
    direction: str
    fields: dict


class Noise:
    """Correlated, of mean 0 and about that deviation."""

    def __init__(self, rng, deviation):
        self.rng, self.deviation, self.last = rng, deviation, 0.0

    def draw(self):
        self.last = 0.5 * self.last + self.rng.gauss(0, self.deviation * 0.87)
        return self.last


class Walker:
    def __init__(self, rng, begin, steps_max, may_drum):
        self.rng, self.time, self.steps_max = rng, begin, max(steps_max, 12)
        self.foot = rng.choice("LR")
        # Who drums with the feet makes steps that lie within fuse_ms of each other's middle.
        drums = rng.random() < 0.15 and may_drum
        self.step_ms = rng.randint(145, 260) if drums else rng.randint(450, 650)
        self.step_mm = rng.randint(500, 800)
        self.trunk, self.vo = rng.randint(-200, 900), rng.randint(25, 60)
        self.noise = {name: Noise(rng, deviation) for name, deviation in
                      (("time", 0.015), ("length", 0.02), ("trunk", 40), ("vo", 1.5))}
        self.shift = dict(NO_SHIFT)
        self.contacts, self.last = [], None  # (step time, step length) of the last step
        self.stray_rate = rng.choice([0, 0.01, 0.03])
        self.missing_rate = rng.choice([0, 0, 0.02])

    def phases(self):
        """(direction, steps) one after another: backwards and forwards, and what lies between."""
        rng = self.rng
        if rng.random() < 0.75:
            yield from self.phase("F", rng.randint(8, 40))
        while True:
            yield from self.phase("B", rng.randint(6, 30))
            if rng.random() < 0.3:
                yield rng.choice("TNLRX"), rng.randint(1, 10)
            yield from self.phase("F", rng.randint(4, rng.choice([9, 30, 70, 120])))
            drawn = rng.random()
            if drawn < 0.2:
                yield rng.choice("LR"), rng.randint(3, 14)
            elif drawn < 0.3:
                yield rng.choice("UD"), rng.randint(3, 12)
            elif drawn < 0.4:
                yield from self.phase("F", rng.randint(15, 30))

    def phase(self, direction, steps):
        """Now and then with some foreign steps in its middle."""
        rng = self.rng
        if rng.random() < 0.15:
            part = rng.randint(1, steps - 1)
            yield direction, part
            yield rng.choice("TNXLB"), rng.choice([1, 2, 2, 3, 7, 8, 8, 9])
            steps -= part
        yield direction, steps

    def walk(self):
        """Contacts of one visit, or of two."""
        self.visit(self.steps_max)
        if self.rng.random() < 0.08:
            self.time += self.rng.randint(*LONG_PAUSE_MS)
            self.visit(2 * self.steps_max)
        return self.contacts

    def visit(self, until):
        for direction, steps in self.phases():
            if self.rng.random() < 0.25:
                self.time += self.rng.randint(500, 12_000)
            self.shift = dict(NO_SHIFT)
            change_at = self.rng.randint(8, 30) if self.rng.random() < 0.7 else None
            for number in range(steps):
                if change_at is not None and (number == change_at or number > change_at
                                              and self.rng.random() < 0.08):
                    self.change_gait()
                self.step(direction)
                if len(self.contacts) >= until:
                    return

    def change_gait(self):
        """The gait slips; or comes back."""
        name = self.rng.choice(["length", "time", "trunk", "vo", "back", "back", "back"])
        if name == "back":
            self.shift = dict(NO_SHIFT)
        elif name == "trunk":
            self.shift["trunk"] = self.rng.choice([-900, -450, 450, 900])
        else:
            self.shift[name] = self.rng.choice([0.7, 0.85, 1.15, 1.3, 1.6])

    def step(self, direction):
        length_ratio, time_ratio, pitch = RATIOS[direction]
        noise = {name: each.draw() for name, each in self.noise.items()}
        step_ms = int(self.step_ms * time_ratio * self.shift["time"] * (1 + noise["time"]))
        step_mm = int(self.step_mm * length_ratio * self.shift["length"] * (1 + noise["length"]))
        self.time += step_ms
        self.foot = "L" if self.foot == "R" else "R"
        last_time, last_length = self.last or (step_ms, step_mm)
        self.last = step_ms, step_mm
        fields = {"step_ms": step_ms, "stride_ms": step_ms + last_time,
                  "contact_ms": int(step_ms * 1.25), "step_mm": step_mm,
                  "stride_mm": step_mm + last_length,
                  "trunk_cdeg": int(self.trunk + self.shift["trunk"] + noise["trunk"]),
                  "pitch_cdeg": pitch + self.rng.randint(-300, 300),
                  "vo_mm": max(int(self.vo * self.shift["vo"] + noise["vo"]), 0),
                  "impact_g16": self.rng.randint(10, 60), "quality": self.rng.randint(0, 100)}
        shown = self.rng.choice("FBLRUDTNX") if self.rng.random() < self.stray_rate else direction
        if self.rng.random() >= self.missing_rate:
            self.contacts.append(Contact(self.time, self.foot, shown, fields))

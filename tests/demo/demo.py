#!/usr/bin/python3
"""One class of the example gym, end to end, before your eyes: broker, daemon, database, wearables.

At the end what the database answers is held against what was sent; only equal totals are a success.
Everything is private and temporary. Must never leave a process or a folder behind, unless told to
keep them.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "system"))

from daemon import Daemon, Sender  # noqa: E402
from gym import Gym, push, steps_of, utc  # noqa: E402
from points import PointsFile  # noqa: E402
from processes import Failure, Scene, end_by_exception, wait_until  # noqa: E402
from servers import Broker, Influx, find_program  # noqa: E402

SITE = "demo"
GROUP = "tue-track"
PHASE_S = 10
WORDS = {"B": "backward", "F": "forward", "L": "left", "R": "right", "U": "up", "D": "down",
         "T": "turn", "N": "on the spot", "X": "unknown"}
COLUMNS = "{:<16} {:<12} {:<10} {:>5} {:>10} {:>11} {:>6}"
PHASES = "{:<16} {:<12} {:>7} {:>10} {:>11}"


class InfluxAnswers:
    """What the tables and the comparison need, asked of InfluxDB in InfluxQL."""

    def __init__(self, influx):
        self.influx = influx

    def totals(self):
        return self.influx.step_totals()

    def newest(self):
        """[a member's newest row]"""
        return self.influx.rows(
            "SELECT last(steps) AS steps, direction, \"group\", drill, phase, cadence_spm, "
            "step_length_mm, walk_ratio FROM gait_window WHERE time > now() - 30s "
            "GROUP BY member, alias")

    def group_rows(self):
        return self.influx.rows("SELECT * FROM group_window")


class FileAnswers:
    """The same from the daemon's file output, where there is no InfluxDB."""

    def __init__(self, path):
        self.points = PointsFile(path)

    def totals(self):
        return self.points.step_totals()

    def newest(self):
        rows = {}
        for row in sorted(self.points.rows("gait_window"), key=lambda row: row["time"]):
            rows[row["member"]] = row
        return list(rows.values())

    def group_rows(self):
        return sorted(self.points.rows("group_window"), key=lambda row: row["time"])


def figure(row, name, form):
    value = row.get(name)
    return form.format(value) if value is not None else "-"


class Table:
    """The class in the terminal: drawn over itself where the terminal can, else plain lines."""

    def __init__(self, output):
        self.output = output
        self.moves = output.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.moves and "NO_COLOR" not in os.environ
        self.drawn = 0
        self.last_plain = 0.0

    def line(self, row, total):
        return COLUMNS.format(row["alias"], row["phase"], WORDS[row["direction"]],
                              figure(row, "cadence_spm", "{:.0f}"),
                              figure(row, "step_length_mm", "{:.0f}"),
                              figure(row, "walk_ratio", "{:.4f}"), total)

    def paint(self, line, row):
        colour = {"B": 34, "F": 33}.get(row["direction"])
        return f"\033[{colour}m{line}\033[0m" if self.colours and colour else line

    def draw(self, answers):
        newest, totals = answers.newest(), answers.totals()
        if not newest or not self.due():
            return
        last = max(newest, key=lambda row: row["time"])
        lines = [f"Group {last['group']}, drill {last['drill']}, phase {last['phase']}",
                 COLUMNS.format("who", "phase", "direction", "spm", "step [mm]", "walk ratio",
                                "steps")]
        lines += [
            self.paint(self.line(row, sum(totals.get(row["member"], {}).values())), row)
            for row in sorted(newest, key=lambda row: row["alias"])]
        over = f"\033[{self.drawn}A\033[J" if self.moves and self.drawn else ""
        end = "\033[K\n" if self.moves else "\n"
        self.output.write(over + "".join(line + end for line in lines))
        self.output.flush()
        self.drawn = len(lines)

    def due(self):
        """Plain lines stay: not more of them than one would read."""
        if not self.moves and time.monotonic() - self.last_plain < 10:
            return False
        self.last_plain = time.monotonic()
        return True


def start_line(scene, build):
    """(broker, daemon, answers, influx or None), online."""
    broker = Broker(scene).start()
    influx = None
    if find_program("influxd"):
        influx = Influx(scene).start()
        daemon = Daemon(scene, build, broker.uri, influx.url, site=SITE)
        answers = InfluxAnswers(influx)
    else:
        print("InfluxDB is not installed: the daemon writes line protocol to a file instead.")
        points = scene.folder / "points.lp"
        daemon = Daemon(scene, build, broker.uri, site=SITE, output={"file": points})
        answers = FileAnswers(points)
    daemon.start_online(broker)
    return broker, daemon, answers, influx


def open_gym(scene, build, broker, daemon):
    """Pushes the example gym as it is."""
    gym = Gym()
    lines = push(build, broker, daemon, gym.folder)
    print(f"Pushed configs/example-gym: {len(lines)} documents accepted.")
    return gym.copy(scene.folder / "gym")


def start_class(build, broker, daemon, gym, seconds, phase_s, **settings):
    """A session that starts now, with phases so short that all are seen."""
    phases = [{**phase, "duration_s": phase_s} for phase in
              gym.read("drill", "back-twenty")["phases"]]
    rounds = 1 + seconds // (phase_s * len(phases))
    push(build, broker, daemon,
         gym.change("settings", "site", rev=None, **settings),
         gym.change("drill", "back-twenty", rev=None, phases=phases, repeat=rounds),
         gym.change("session", GROUP, rev=None, start=utc(time.time()), end=None))
    print(f"Pushed session/{GROUP}: starts now; drill back-twenty in phases of {phase_s} s: "
          + ", ".join(phase["name"] for phase in phases) + ", and again.\n")


def walk(scene, build, broker, daemon, gym, seconds, name="class"):
    return Sender(scene, build, "simulate", broker, daemon, name=name, gym=gym.folder, group=GROUP,
                  duration=seconds, speed=1)


def show(sender, answers):
    table = Table(sys.stdout)
    while sender.running():
        table.draw(answers)
        time.sleep(1)
    return sender.wait(timeout=10)


def compare(gym, truth, answers):
    """Prints what was sent beside what was answered; true where all of it is equal."""
    sent = gym.sent(truth, "member")
    try:
        wait_until(lambda: answers.totals() == sent, 20, "totals", pause=0.5)
    except Failure:
        pass
    found = answers.totals()
    print("\n{:<16} {:<12} {:>8} {:>8}".format("who", "direction", "sent", "found"))
    keys = sorted({(m, d) for totals in (sent, found) for m in totals for d in totals[m]})
    for member, direction in keys:
        who = gym.alias(member)
        pair = [totals.get(member, {}).get(direction, 0) for totals in (sent, found)]
        mark = "" if pair[0] == pair[1] else "  DIFFERENT"
        print("{:<16} {:<12} {:>8} {:>8}{}".format(who, WORDS[direction], *pair, mark))
    print("{:<29} {:>8} {:>8}".format("together", steps_of(sent), steps_of(found)))
    return bool(sent) and found == sent


def compare_withheld(gym, truth, broker, daemon):
    """The same for those who have no rows of their own: the comparison above has shown that."""
    in_group, nowhere = gym.sent(truth, "group"), gym.sent(truth, "none")
    expected = {"steps_counted": steps_of(gym.sent(truth, "member", "group")),
                "no_consent": steps_of(nowhere)}

    def books():
        books = daemon.service(broker)["books"]
        return {"steps_counted": books["steps_counted"],
                "no_consent": books["steps_rejected"]["no_consent"]}

    try:
        wait_until(lambda: books() == expected, 20, "books", pause=0.5)
    except Failure:
        pass
    for consent, totals, where in (("group", in_group, "in the group's rows alone"),
                                   ("none", nowhere, "in no row")):
        print(f"consent {consent} ({len(totals)}): {steps_of(totals)} steps, {where}")
    found = books()
    if found != expected:
        print(f"The daemon's books: {found}, DIFFERENT from {expected}")
    return found == expected


def show_group(answers):
    """What the group did by phase; true where there is something to show."""
    rows = {}
    for row in answers.group_rows():
        rows.setdefault((row["group"], row["phase"]), []).append(row)
    print("\n" + PHASES.format("group", "phase", "steps", "step [mm]", "walk ratio"))
    for (group, phase), all_rows in sorted(rows.items()):
        middle = {name: statistics.median(row[name] for row in all_rows)
                  for name in ("step_length_mm_p50", "walk_ratio_p50")}
        print(PHASES.format(group, phase, sum(row["steps"] for row in all_rows),
                            figure(middle, "step_length_mm_p50", "{:.0f}"),
                            figure(middle, "walk_ratio_p50", "{:.4f}")))
    return bool(rows)


def provision(scene, influx):
    """The provisioning files of the tree, pointed at this database; gives their folder."""
    folder = scene.folder / "grafana"
    shutil.copytree(TREE / "configs" / "grafana", folder)
    for path, old, new in (
            ("datasources/backstep.yaml", "http://127.0.0.1:8086", influx.url),
            ("dashboards/backstep.yaml", "/etc/grafana/provisioning", str(folder))):
        text = (folder / path).read_text()
        (folder / path).write_text(text.replace(old, new))
    return folder


def leave_running(scene, build, broker, daemon, gym, influx):
    start_class(build, broker, daemon, gym, 3600, 20)
    walk(scene, build, broker, daemon, gym, 3600, name="class-kept")
    print(f"It goes on, and the class walks for another hour. Broker: {broker.uri}, site {SITE}")
    if influx:
        print(f"Grafana: data source InfluxDB (InfluxQL), URL {influx.url}, database "
              f"{influx.database};\n  or start it with the provisioning files made for this:\n"
              f"  GF_PATHS_PROVISIONING={provision(scene, influx)} grafana server --homepath "
              "/usr/share/grafana")
    pids = " ".join(str(child.pid) for child in reversed(scene.children) if child.running())
    print(f"End it:\n  kill {pids}; rm -r {scene.folder}")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(),
                        help="folder with backstepd and backstepctl")
    parser.add_argument("--seconds", type=int, default=40, choices=range(20, 1801), metavar="S",
                        help="how long the class walks, 20 to 1800 (40)")
    parser.add_argument("--keep", action="store_true",
                        help="leave all of it running, and say how to look and how to end it")
    return parser.parse_args()


def run(scene, options):
    build = options.build
    broker, daemon, answers, influx = start_line(scene, build)
    gym = open_gym(scene, build, broker, daemon)
    start_class(build, broker, daemon, gym, options.seconds, PHASE_S, window_s=5, refresh_s=1)
    truth = show(walk(scene, build, broker, daemon, gym, options.seconds), answers)
    checks = [compare(gym, truth, answers), compare_withheld(gym, truth, broker, daemon),
              show_group(answers)]
    print("\nEqual, to the step." if all(checks) else "\nNOT equal.")
    if all(checks) and options.keep:
        leave_running(scene, build, broker, daemon, gym, influx)
    return all(checks)


def main():
    options = read_arguments()
    end_by_exception()
    with Scene("backstep-demo-") as scene:
        scene.outlive = options.keep
        try:
            equal = run(scene, options)
        except (Failure, OSError) as error:
            print(f"\nThe demo failed: {error}", *scene.logs(15), sep="\n", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return 130
        scene.keep = equal and options.keep
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())

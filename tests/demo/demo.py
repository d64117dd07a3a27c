#!/usr/bin/python3
"""One class, end to end, before your eyes: broker, daemon, database and a class that walks.

At the end what the database answers is held against what was sent; only equal totals are a success.
Everything is private and temporary. Must never leave a process or a folder behind, unless told to
keep them.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "system"))

from daemon import Daemon, Sender, guest_totals  # noqa: E402
from points import PointsFile  # noqa: E402
from processes import Failure, Scene, end_by_exception, wait_until  # noqa: E402
from servers import Broker, Influx, find_program  # noqa: E402

MEMBERS = 12
SITE = "demo"
WORDS = {"B": "backward", "F": "forward", "L": "left", "R": "right", "U": "up", "D": "down",
         "T": "turn", "N": "on the spot", "X": "unknown"}
COLUMNS = "{:<16} {:<12} {:>7} {:>12} {:>11} {:>7}"


class InfluxAnswers:
    """What the table and the comparison need, asked of InfluxDB in InfluxQL."""

    def __init__(self, influx):
        self.influx = influx

    def totals(self):
        return self.influx.step_totals()

    def newest(self):
        """{member: its newest row}"""
        rows = self.influx.rows(
            "SELECT last(steps) AS steps, direction, cadence_spm, step_length_mm, walk_ratio "
            "FROM gait_window WHERE time > now() - 30s GROUP BY member")
        return {row["member"]: row for row in rows}


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
        return rows


class Table:
    """The class in the terminal: drawn over itself where the terminal can, else plain lines."""

    def __init__(self, output):
        self.output = output
        self.moves = output.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.moves and "NO_COLOR" not in os.environ
        self.drawn = 0
        self.last_plain = 0.0

    def line(self, member, row, total):
        def number(name, form):
            value = row.get(name)
            return form.format(value) if value is not None else "-"

        return COLUMNS.format(member, WORDS[row["direction"]], number("cadence_spm", "{:.0f}"),
                              number("step_length_mm", "{:.0f}"), number("walk_ratio", "{:.4f}"),
                              total)

    def paint(self, line, row):
        colour = {"B": 34, "F": 33}.get(row["direction"])
        return f"\033[{colour}m{line}\033[0m" if self.colours and colour else line

    def draw(self, answers):
        newest, totals = answers.newest(), answers.totals()
        if not newest or not self.due():
            return
        head = COLUMNS.format("who", "direction", "spm", "step [mm]", "walk ratio", "steps")
        lines = [head] + [
            self.paint(self.line(member, row, sum(totals.get(member, {}).values())), row)
            for member, row in sorted(newest.items())]
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
    """(broker, daemon, answers, influx or None), online and with guests welcome."""
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
    daemon.settings(broker, window_s=5, refresh_s=1)
    return broker, daemon, answers, influx


def walk(scene, build, broker, daemon, seconds, name="class"):
    return Sender(scene, build, "simulate", broker, daemon, name=name, members=MEMBERS, devices=1,
                  duration=seconds, back=10, forward=10, speed=1)


def show(sender, answers):
    table = Table(sys.stdout)
    while sender.running():
        table.draw(answers)
        time.sleep(1)
    return sender.wait(timeout=10)


def compare(sent, answers):
    """Prints what was sent beside what was answered; true where all of it is equal."""
    try:
        wait_until(lambda: answers.totals() == sent, 20, "totals", pause=0.5)
    except Failure:
        pass
    found = answers.totals()
    print("\n{:<16} {:<12} {:>8} {:>8}".format("who", "direction", "sent", "found"))
    keys = sorted({(m, d) for totals in (sent, found) for m in totals for d in totals[m]})
    for member, direction in keys:
        pair = [totals.get(member, {}).get(direction, 0) for totals in (sent, found)]
        mark = "" if pair[0] == pair[1] else "  DIFFERENT"
        print("{:<16} {:<12} {:>8} {:>8}{}".format(member, WORDS[direction], *pair, mark))
    sums = [sum(sum(t.values()) for t in totals.values()) for totals in (sent, found)]
    print("{:<29} {:>8} {:>8}".format("together", *sums))
    equal = bool(sent) and found == sent
    print("Equal, to the step." if equal else "NOT equal.")
    return equal


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


def leave_running(scene, build, broker, daemon, influx):
    walker = walk(scene, build, broker, daemon, 3600, name="class-kept")
    print(f"\nIt goes on, and the class walks for another hour. Broker: {broker.uri}, site {SITE}")
    if influx:
        print(f"Grafana: data source InfluxDB (InfluxQL), URL {influx.url}, database "
              f"{influx.database};\n  or start it with the provisioning files made for this:\n"
              f"  GF_PATHS_PROVISIONING={provision(scene, influx)} grafana server --homepath "
              "/usr/share/grafana")
    pids = " ".join(str(child.pid) for child in reversed(scene.children) if child.running())
    print(f"End it:\n  kill {pids}; rm -r {scene.folder}")
    return walker


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(),
                        help="folder with backstepd and backstepctl")
    parser.add_argument("--seconds", type=int, default=40, help="how long the class walks (40)")
    parser.add_argument("--keep", action="store_true",
                        help="leave all of it running, and say how to look and how to end it")
    return parser.parse_args()


def run(scene, options):
    broker, daemon, answers, influx = start_line(scene, options.build)
    print(f"A class of {MEMBERS} walks backward and forward for {options.seconds} s.\n")
    truth = show(walk(scene, options.build, broker, daemon, options.seconds), answers)
    equal = compare(guest_totals(truth), answers)
    if equal and options.keep:
        leave_running(scene, options.build, broker, daemon, influx)
    return equal


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

"""Measures backstep and prints one table and one JSON file: cost of a message, of a step and of a
document, memory, latency of rows and of notices, restart, snapshots.

  bench.py --build FOLDER [--quick] [--only LETTERS]   measure; exits 0 where all could be measured
  bench.py --build FOLDER --check                      hold the counts against baseline.json
  bench.py --build FOLDER --baseline                   record them

Every figure is a median of its own run, ratios are of interleaved pairs. Must never decide anything
by a time: only --check fails, and only on counted instructions.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import changes
import counts
import feedback
import latency
import restart
import snapshots
import subscribers
from harness import Skip
from processes import Failure, end_by_exception  # noqa: E402

TREE = Path(__file__).resolve().parents[2]
# Of everything that a step goes through: order, windows, bouts, and what a class has on top.
FOLD_TARGETS_NS = {"single": 1500, "batch": None, "binary": 500}
MEMORY_TARGET_BYTES = 12_288
FEEDBACK_TARGET_MS = 20
FORM_NAMES = {"single": "JSON, one step", "batch": "JSON, batch of 20",
              "binary": "binary, batch of 20"}


class Table:
    """Rows of figure, measured, target, met."""

    def __init__(self):
        self.rows = []

    def add(self, figure, value, unit, target=None, **details):
        met = None if target is None else value <= target
        self.rows.append({"figure": figure, "measured": value, "unit": unit, "target": target,
                          "met": met, **({"details": details} if details else {})})
        print(self.line(self.rows[-1]), flush=True)

    @staticmethod
    def line(row):
        target = "" if row["target"] is None else f"≤ {row['target']:g}"
        met = {None: "", True: "yes", False: "NO"}[row["met"]]
        measured = f"{row['measured']:g} {row['unit']}"
        return f"{row['figure']:<58} {measured:>12} {target:>8}  {met}"


def program_json(build, *arguments):
    command = [str(Path(build) / "tests" / "bench_fold"), *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def add_messages(table, build, quick):
    """(a): as fast as the subscriber acknowledges, and at a steady rate"""
    pairs = 3 if quick else 5
    for rate, messages, target in ((0, 150000, 1.25), (5000, 40000, 1.5)):
        run = subscribers.compare(build, messages // 4 if quick else messages, rate, pairs)
        name = f"at {rate}/s" if rate else "at saturation"
        table.add(f"a CPU of a message, daemon : bare Paho, {name}", run["ratio"], "", target,
                  **run)
        table.add("a   the bare subscriber's", run["drop_us"], "µs")
        table.add("a   the daemon's", run["daemon_us"], "µs")
        table.add("a   of it fold, rows and logs, beside Paho's threads", run["daemon_own_us"],
                  "µs")


def add_folds(table, build, quick):
    """(b) and (d). A class's members have new tags with each phase, and memory is asked for them: the
    bound of (d) is that of guests, who keep theirs."""
    runs = {(people, form): program_json(build, people, form, 200000 if quick else 1000000)
            for people in counts.PEOPLE for form in FORM_NAMES}
    for (people, form), run in runs.items():
        table.add(f"b fold of a step, {people}, {FORM_NAMES[form]}", run["ns_per_step"], "ns",
                  FOLD_TARGETS_NS[form], **run)
    for name, count in counts.measure(build).items():
        table.add(f"b   its instructions, {name}", count, "")
    for (people, form), run in runs.items():
        table.add(f"d allocations in {run['steps']} steps, {people}, {FORM_NAMES[form]}",
                  run["allocations"], "", run["steps"] // 1000 if people == "guests" else None)
    run = program_json(build, "documents", 5000)
    for key, what in (("new_us", "new"), ("changed_us", "changed"), ("again_us", "the same again")):
        table.add(f"b fold of a member's document, {what}", run[key], "µs", **run)


def add_memory(table, build, quick):
    """(c)"""
    for people in counts.PEOPLE:
        for devices in (1000, 10000) if quick else (1000, 10000, 100000):
            run = program_json(build, people, "memory", devices)
            table.add(f"c memory of an active device, {devices} {people}",
                      run["bytes_per_device"], "B", MEMORY_TARGET_BYTES, **run)
        if people == "members":
            table.add("c   and of the document it is in", run["document_bytes_per_device"], "B")


def add_latency(table, build, quick):
    """(e); the daemon's defaults first, then what a board of a running class would ask for."""
    for refresh_s, reorder_ms, flush_ms in ((2, 2000, 1000), (1, 0, 100)):
        try:
            run = latency.measure(build, 10 if quick else 40, refresh_s, reorder_ms, flush_ms)
        except Skip as why:
            print(f"e skipped: {why}")
            return
        asked = f"refresh {refresh_s} s, reorder {reorder_ms / 1e3:g} s, flush {flush_ms / 1e3:g} s"
        table.add(f"e publish to row, p50, {asked}", run["p50_s"], "s", **run)
        table.add(f"e publish to row, p99, {asked}", run["p99_s"], "s")


def add_restart(table, build, quick):
    """(f)"""
    steps = 500000 if quick else 5000000
    run = restart.measure(build, steps)
    table.add(f"f fold of {steps} steps after a restart", run["restart_s"], "s", 8 * steps / 5e6,
              **run)
    table.add("f   where no row is in the outbox yet", run["rows_too_s"], "s")


def add_snapshots(table, build, quick):
    """(s)"""
    run = snapshots.measure(build, 25 if quick else 65)
    who = f"{run['members']} members"
    table.add(f"s restart with a snapshot of {who}", run["restart_s"], "s", 1, **run)
    table.add("s   of it reading the snapshot", run["of_it_restoring_s"], "s")
    table.add("s   where the log is folded instead", run["folding_s"], "s")
    table.add("s size of the snapshot", run["snapshot_bytes"], "B")
    table.add(f"s longest turn while snapshots are taken, {run['steps_per_s']} steps/s",
              run["longest_turn_ms"], "ms", 5)
    table.add("s   where none is", run["longest_turn_without_ms"], "ms")


def add_changes(table, build, quick):
    """(g)"""
    run = changes.measure(build, 10 if quick else 30, 1 if quick else 3)
    table.add(f"g CPU at {changes.STEPS_PER_S} steps/s, no changes", run["calm_cpu_share"], "s/s")
    table.add(f"g   and {changes.CHANGES_PER_S} changes of documents/s", run["changing_cpu_share"],
              "s/s", **run)
    table.add("g   of it a change, with the rows it opens", run["us_per_change"], "µs")
    table.add("g push to answer, p50", run["answer_p50_ms"], "ms")
    table.add("g push to answer, p99", run["answer_p99_ms"], "ms")


def add_feedback(table, build, quick):
    """(h); as far as the wearable: the broker's part is in it."""
    run = feedback.measure(build, 8 if quick else 30)
    for line, where in (("loaded", f"at {feedback.STEPS_PER_S} steps/s"),
                        ("alone", "alone")):
        target = FEEDBACK_TARGET_MS if line == "loaded" else None
        table.add(f"h arrival of a slip to its notice, p50, {where}",
                  run[f"{line}_received_p50_ms"], "ms", **run)
        table.add("h   p99", run[f"{line}_received_p99_ms"], "ms", target)
        table.add("h   from its publication, p50", run[f"{line}_sent_p50_ms"], "ms")
        table.add("h   p99", run[f"{line}_sent_p99_ms"], "ms")


PARTS = {"a": add_messages, "b": add_folds, "c": add_memory, "e": add_latency, "f": add_restart,
         "g": add_changes, "h": add_feedback, "s": add_snapshots}


def load_average():
    return [round(value, 2) for value in os.getloadavg()]


def run_bench(build, quick, parts):
    began, load = time.time(), load_average()
    print(f"load average at the beginning: {load}, {os.cpu_count()} processors")
    table = Table()
    failures = []
    for letter in parts:
        try:
            PARTS[letter](table, build, quick)
        except (Failure, subprocess.CalledProcessError) as failure:
            failures.append(f"{letter}: {failure}")
            print(f"not measured: {failures[-1]}", flush=True)
    missed = [row["figure"] for row in table.rows if row["met"] is False]
    document = {"fingerprint": counts.fingerprint(build), "quick": quick,
                "load_average": {"before": load, "after": load_average()},
                "processors": os.cpu_count(), "seconds": round(time.time() - began, 1),
                "figures": table.rows, "not_measured": failures}
    path = TREE / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    print(f"load average at the end: {load_average()}; {document['seconds']} s; {path}")
    print(f"missed: {', '.join(missed)}" if missed else "every measured target is met")
    return 1 if failures else 0


def parse_arguments():
    parser = argparse.ArgumentParser(prog="run bench", description="Measures backstep.")
    parser.add_argument("--build", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a short run, rougher figures")
    parser.add_argument("--only", metavar="LETTERS", default="".join(PARTS),
                        help="some parts only: a messages, b fold, c memory, e latency, f restart, "
                             "g changes, h feedback, s snapshots")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true",
                      help="compare instruction counts with the recorded ones, within 5 %%")
    what.add_argument("--baseline", action="store_true", help="record the instruction counts")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()  # the daemon runs in a folder of its own
    if set(arguments.only) - set(PARTS):
        parser.error(f"--only takes letters of {''.join(PARTS)}")
    return arguments


def main():
    arguments = parse_arguments()
    end_by_exception()
    if arguments.baseline:
        counts.write_baseline(arguments.build, counts.measure(arguments.build))
        print(f"wrote {counts.BASELINE}")
        return 0
    if arguments.check:
        said, dearer = counts.check(arguments.build, counts.measure(arguments.build))
        print("\n".join(said))
        return 1 if dearer else 0
    return run_bench(arguments.build, arguments.quick, [p for p in PARTS if p in arguments.only])


if __name__ == "__main__":
    sys.exit(main())

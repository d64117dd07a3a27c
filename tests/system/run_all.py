#!/usr/bin/python3
"""Runs the system tests: the real programs, one line a test, and what they said where one fails.

Must never go on silently: a skipped test prints its reason, a failed one the processes' logs.
"""

import argparse
import functools
import importlib
import multiprocessing
import sys
import time
import traceback
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from harness import Case, Skip  # noqa: E402
from processes import Failure, end_by_exception  # noqa: E402


def find_tests(only):
    """(name, function) of every test, in the files' and the functions' order."""
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in list(vars(module).items()):
            full = f"{path.stem[5:]}.{name[5:]}"
            if name.startswith("test_") and (not only or any(each in full for each in only)):
                yield full, function


def run(name, function, options):
    """("ok" | "FAILED" | "skipped", what there is to say)"""
    with Case(options.build, options.long, options.seed) as case:
        try:
            function(case)
            case.check_sanitizers()
        except Skip as reason:
            return "skipped", str(reason)
        except Exception as error:
            shown = str(error) if isinstance(error, Failure) else traceback.format_exc()
            again = f"run alone: {Path(__file__)} --build {options.build} --only {name} " \
                    f"--seed {case.seed}" + (" --long" if options.long else "")
            return "FAILED", "\n".join([shown, *case.logs(), again])
        return "ok", ", ".join([f"seed {case.seed}", *case.notes])


def run_named(name, options):
    """(name, outcome, what there is to say, seconds)"""
    begin = time.monotonic()
    outcome, text = run(name, dict(find_tests([name]))[name], options)
    return name, outcome, text, time.monotonic() - begin


def run_all(options):
    """As run_named, of every test, as they end."""
    names = [name for name, _function in find_tests(options.only)]
    run_one = functools.partial(run_named, options=options)
    if options.jobs == 1:
        yield from map(run_one, names)
        return
    with multiprocessing.Pool(options.jobs) as pool:  # left early, its processes end as we would
        yield from pool.imap_unordered(run_one, names)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(),
                        help="folder with backstepd and backstepctl")
    parser.add_argument("--only", action="append", metavar="NAME", help="tests whose name has NAME")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="tests at a time: they wait more than they work")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", dest="long", action="store_false", help="the default")
    length.add_argument("--long", action="store_true", help="more kills, longer outages")
    parser.set_defaults(long=False)
    return parser.parse_args()


def main():
    options = read_arguments()
    end_by_exception()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    for name, outcome, text, seconds in run_all(options):
        counts[outcome] += 1
        print(f"{outcome:7} {seconds:6.1f} s  {name}: {text}", flush=True)
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] or not any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

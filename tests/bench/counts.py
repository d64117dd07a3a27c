"""Instructions of the fold per step, by callgrind: the figure that does not depend on the hour, and
so the one that is held. Must never compare what two compilers or two processors made.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

FORMS = ("single", "batch", "binary")
PEOPLE = ("guests", "members")
BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.05
FLAGS = ("CMAKE_BUILD_TYPE", "CMAKE_C_FLAGS", "CMAKE_C_FLAGS_RELEASE", "BACKSTEP_HARDEN",
         "BACKSTEP_SANITIZE")


def cache_entries(build):
    text = (Path(build) / "CMakeCache.txt").read_text()
    return dict(re.findall(r"^(\w+):\w+=(.*)$", text, re.M))


def first_line(*command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[0]


def processor():
    """Model and stepping: the C library chooses its memcpy by them."""
    text = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    found = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.M))
    return " ".join(found[key] for key in ("model name", "cpu family", "model", "stepping")
                    if key in found) or os.uname().machine


def fingerprint(build):
    cache = cache_entries(build)
    return {
        "compiler": first_line(cache["CMAKE_C_COMPILER"], "--version"),
        "flags": " ".join(f"{name}={cache[name]}" for name in FLAGS if cache.get(name)),
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        "cpu": processor(),
    }


def instructions_per_step(build, people, form):
    with tempfile.TemporaryDirectory(prefix="backstep-bench-") as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--toggle-collect=fold*", str(Path(build) / "tests" / "bench_fold"), people, "count",
             form],
            check=True, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    return round(int(collected[1]) / json.loads(done.stdout)["steps"], 1)


def measure(build):
    return {f"{people}, {form}": instructions_per_step(build, people, form)
            for people in PEOPLE for form in FORMS}


def write_baseline(build, counts):
    document = {"fingerprint": fingerprint(build), "instructions_per_step": counts}
    BASELINE.write_text(json.dumps(document, indent=2) + "\n")


def check(build, counts):
    """(sentences, whether something got dearer)"""
    if not BASELINE.exists():
        return [f"{BASELINE.name} is not there: nothing to compare with"], False
    baseline, present = json.loads(BASELINE.read_text()), fingerprint(build)
    differing = [key for key in present if present[key] != baseline["fingerprint"].get(key)]
    if differing:
        said = [f"{key}: {baseline['fingerprint'].get(key)!r} then, {present[key]!r} now"
                for key in differing]
        return ["the fingerprint differs, so nothing is compared:", *said], False
    said, dearer = [], False
    for form, count in counts.items():
        before = baseline["instructions_per_step"].get(form)
        if before is None:
            said.append(f"{form}: {count} instructions a step, none recorded")
            continue
        change = count / before - 1
        verdict = "as before"
        if change > TOLERANCE:
            verdict, dearer = "a regression", True
        elif change < -TOLERANCE:
            verdict = "cheaper: record it with --baseline"
        said.append(f"{form}: {count} instructions a step, {before} recorded, {change:+.1%}: "
                    f"{verdict}")
    return said, dearer

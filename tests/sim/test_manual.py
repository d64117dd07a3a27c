"""backstep-sim(1) against the program: each option, each kind of happening, each way to expect."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "configs/man/backstep-sim.1"


def words_of(program):
    usage = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"(--[a-z]+)", usage))
    verbs = set(re.findall(r"^  ([a-z]+)(?: \S|$)", listed.split("at SECONDS")[1], re.MULTILINE))
    return options, verbs


def problems(program, page):
    options, verbs = words_of(program)
    text = page.replace("\\-", "-")
    named = set(re.findall(r"(--[a-z]+)", text))
    for word in sorted(options - named):
        yield f"{PAGE.name} does not name {word}"
    for word in sorted(named - options):
        yield f"{PAGE.name} names {word}, which the program does not know"
    for verb in sorted(verbs):
        if not re.search(rf"\b{verb}\b", text):
            yield f"{PAGE.name} does not name the happening {verb}"
    if len(options) < 5 or len(verbs) < 5:
        yield "the program says too little of itself"


def main():
    program = sys.argv[1]
    page = PAGE.read_text()
    found = list(problems(program, page))
    bad = page.replace("\\-\\-shrink", "\\-\\-shrunk").replace(" birth ", " born ")
    if len(list(problems(program, bad))) < len(found) + 3:
        found.append("a page with wrong words passes")
    print(*found, sep="\n")
    sys.exit(1 if found else 0)


main()

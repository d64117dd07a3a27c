"""Documents that must agree with the tree: README is one screen whose commands and links exist,
CHANGELOG knows the version, and no file carries what does not belong in a finished tree."""

import os
import pathlib
import re
import subprocess

import check

README_LINES_MAX = 60
README_COMMANDS = ["demo", "test"]
# Written apart, so that this file does not find itself.
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "not " + "implemented"]
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
# Parents of a checkout that say nothing about a machine.
EVERYWHERE = {f"/{name}/" for name in ["build", "home", "mnt", "opt", "root", "run", "src", "srv",
                                       "tmp", "usr", "usr/src", "var", "var/tmp"]} | {"/"}
TEXT = {".c", ".h", ".py", ".md", ".txt", ".conf", ".service", ".cmake", ".json", ".sh", ".in", ""}


def tree_files(root):
    """What belongs to the project: what git knows or would add; everything where there is no git."""
    done = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                          capture_output=True, text=True)
    if done.returncode == 0 and (root / ".git").exists():
        names = done.stdout.splitlines()
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*")
                 if not {"build", ".git"} & set(p.relative_to(root).parts)]
    return sorted(p for p in map(root.joinpath, names) if p.is_file())


def link_problems(root, document):
    text = document.read_text()
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        name = target.split("#")[0]
        if not name or re.match(r"[a-z]+:", name):
            continue
        if not (document.parent / name).exists():
            yield f"{document.relative_to(root)}: link to {name}, which does not exist"


def readme_problems(root):
    readme = root / "README.md"
    if not readme.exists():
        yield "README.md is missing"
        return
    text = readme.read_text()
    lines = text.count("\n")
    if lines > README_LINES_MAX:
        yield f"README.md: {lines} lines, one screen is {README_LINES_MAX}"
    named = set(re.findall(r"\./run ([a-z]+)", text))
    for command in README_COMMANDS:
        if command not in named:
            yield f"README.md: does not name ./run {command}"
    run = root / "run"
    usage = ""
    if run.exists():
        usage = subprocess.run([run, "--help"], capture_output=True, text=True).stdout
    for command in sorted(named):
        if not re.search(rf"^  {command}\b", usage, re.MULTILINE):
            yield f"README.md: ./run --help knows no {command}"


def version_problems(root):
    cmake = (root / "CMakeLists.txt").read_text()
    version = re.search(r"project\(backstep VERSION ([0-9.]+)", cmake)
    if not version:
        yield "CMakeLists.txt: no version"
        return
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text() if changelog.exists() else ""
    if not re.search(rf"^## {re.escape(version.group(1))}\b", text, re.MULTILINE):
        yield f"CHANGELOG.md: no section '## {version.group(1)}'"


def word_problems(root, path):
    if path.suffix not in TEXT:
        return
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    name = path.relative_to(root)
    for word in UNFINISHED:
        if re.search(rf"\b{word}\b", text):
            yield f"{name}: says {word}"
    place = os.path.dirname(root) + "/"
    if place not in EVERYWHERE and re.search(rf"(?<![\w.}}$]){re.escape(place)}", text):
        yield f"{name}: names a folder of the machine it was written on, {place}"


def name_problems(root, path):
    name = path.relative_to(root)
    if VAGUE_NAMES & {pathlib.PurePath(part).stem for part in name.parts}:
        yield f"{name}: the name says nothing of what it holds"
    if path.suffix in (".c", ".h") and not path.read_text().startswith("/*"):
        yield f"{name}: does not begin with a comment that says what it holds"


def problems(root):
    found = list(readme_problems(root)) + list(version_problems(root))
    for path in tree_files(root):
        found += list(word_problems(root, path)) + list(name_problems(root, path))
        if path.suffix == ".md":
            found += list(link_problems(root, path))
    return found


GOOD = {
    "README.md": "# x\n\n`./run demo` `./run test` [more](CONTRIBUTING.md#a) [far](https://a.b)\n",
    "CONTRIBUTING.md": "text\n",
    "CHANGELOG.md": "## 1.2.3\n",
    "CMakeLists.txt": "project(backstep VERSION 1.2.3 LANGUAGES C)\n",
    "daemon/core/step.c": "/* Steps. */\n",
}
README = GOOD["README.md"]
BAD = [
    ({"README.md": README + "line\n" * 60}, "one screen"),
    ({"README.md": "`./run demo`\n"}, "does not name ./run test"),
    ({"README.md": README + "`./run away`\n"}, "knows no away"),
    ({"README.md": README + "[gone](docs/gone.md)\n"}, "docs/gone.md, which does not exist"),
    ({"CHANGELOG.md": "## 1.2.2\n"}, "no section '## 1.2.3'"),
    ({"daemon/core/step.c": f"/* {UNFINISHED[0]}: all of it */\n"}, "says"),
    ({"daemon/core/step.c": "int x;\n"}, "begin with a comment"),
    ({"daemon/core/util.c": "/* Things. */\n"}, "says nothing"),
]


def with_run(problems_of):
    """The fixtures get a ./run of their own, which must be executable."""
    def run_then(root):
        run = root / "run"
        run.write_text("#!/bin/sh\nprintf '  demo  x\\n  test  y\\n'\n")
        run.chmod(0o755)
        return problems_of(root)
    return run_then


if __name__ == "__main__":
    import sys
    check.main(with_run(problems) if "--self-test" in sys.argv else problems, GOOD, BAD)

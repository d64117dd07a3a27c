"""The core does no input or output, reads no clock and no environment, has no threads and no
randomness: nothing but what core-symbols.txt allows may be undefined in its archives.
usage: symbols.py ARCHIVE... | --self-test"""

import fnmatch
import pathlib
import re
import subprocess
import sys
import tempfile

import check

WHITELIST = check.ROOT / "tests/lint/core-symbols.txt"


def read_whitelist(path):
    rules = []
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            rules.append((words[0], words[2] if words[1:2] == ["only"] else None))
    return rules


def symbols(archives, kind):
    """(object, name) pairs. An archive that nm reads nothing from would hide everything: an error."""
    pairs = []
    for archive in archives:
        done = subprocess.run(["nm", "-A", "-P", f"--{kind}-only", archive], check=True,
                              capture_output=True, text=True)
        for line in done.stdout.splitlines():
            match = re.match(r".*\[(.+)\]: (\S+) ", line)
            if match:
                pairs.append((match.group(1), match.group(2)))
    return pairs


def allowed(rules, source, name):
    checked = re.fullmatch(r"__(\w+)_chk", name)  # what _FORTIFY_SOURCE makes of it
    names = [name] + ([checked.group(1)] if checked else [])
    return any(fnmatch.fnmatchcase(n, pattern) and only in (None, source)
               for n in names for pattern, only in rules)


def problems(archives):
    defined = {name for _, name in symbols(archives, "defined")}
    if not any(name.startswith("bs_") for name in defined):
        return ["the archives define nothing of ours: were they built with link-time optimisation?"]
    rules = read_whitelist(WHITELIST)
    return [f"{obj}: {name} is not in {WHITELIST.name}"
            for obj, name in symbols(archives, "undefined")
            if name not in defined and not allowed(rules, obj.removesuffix(".o"), name)]


def archive_of(folder, name, text):
    source = folder / f"{name}.c"
    source.write_text(text)
    subprocess.run(["gcc", "-c", "-O1", source, "-o", folder / f"{name}.c.o"], check=True)
    subprocess.run(["ar", "rcs", folder / f"{name}.a", folder / f"{name}.c.o"], check=True)
    return str(folder / f"{name}.a")


def self_test():
    pure = "#include <string.h>\nunsigned long bs_a(const char *s) { return strlen(s + 1); }\n"
    abort = "#include <stdlib.h>\nvoid bs_b(void) { abort(); }\n"
    clock = "#include <time.h>\nlong bs_c(void) { return (long)time(0); }\n"
    file = "#include <stdio.h>\nvoid *bs_d(void) { return fopen(\"x\", \"r\"); }\n"
    cases = [("pure", pure, None), ("check", abort, None), ("other", abort, "other.c.o: abort"),
             ("clock", clock, "clock.c.o: time"), ("file", file, "file.c.o: fopen"),
             ("empty", "static int x; int other(void) { return x; }\n", "nothing of ours")]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text, word in cases:
            found = problems([archive_of(pathlib.Path(folder), name, text)])
            if (word is None) != (not found) or (word and word not in found[0]):
                print(f"{name}: expected {word!r}, got {found}")
                failures += 1
    print(f"{len(cases) - failures} of {len(cases)} cases as expected")
    return failures


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    lines = problems(sys.argv[1:])
    print("\n".join(lines + [f"{len(lines)} problems"]))
    sys.exit(1 if lines else 0)

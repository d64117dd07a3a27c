"""The reference of rows, configs/man/backstep-rows.5, against the sources that write them: every
measurement and field that stands in one stands in the other, integers and truths marked as such.

What a source writes is told by the C preprocessor, since names are put together by macros. The
row of backstep_service has names that are put together at run time: its own test looks at them.
"""

import os
import re
import subprocess

import check

PAGE = "configs/man/backstep-rows.5"
COMPILER = os.environ.get("CC", "cc")
ITSELF = "backstep_service"
# BS_SLICE of one or more literals behind each other.
SLICE = r'\(\(struct bs_slice\)\{\(((?:\s*"[^"]*")+)\s*\),'
MARKS = {"integer": "i", "boolean": "b", "float": ""}


def writers(root):
    """Sources that end a line of line protocol, but for the one that says how that is done."""
    for path in sorted((root / "daemon").rglob("*.c")):
        if path.name != "line.c" and re.search(r"\bbs_line_end\(", path.read_text()):
            yield path


def preprocessed(root, path):
    """The file's own text, its macros expanded."""
    done = subprocess.run([COMPILER, "-E", f"-I{root / 'include'}", path], capture_output=True,
                          text=True, check=True)
    own, mine = [], False
    for line in done.stdout.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            mine = marker[1] == str(path)
        elif mine:
            own.append(line)
    return " ".join(own)


def joined(literals):
    return "".join(re.findall(r'"([^"]*)"', literals))


def written(root):
    """({name: a source that has it}, {field: its mark where the source tells})"""
    names, marks = {}, {}
    for path in writers(root):
        text = preprocessed(root, path)
        for literals in re.findall(SLICE, text):
            # Tags that follow a measurement or one another are no names of fields.
            name = re.match(r"\w*", joined(literals))[0]
            if name:
                names[name] = path.relative_to(root)
        for kind, literals in re.findall(r"\bbs_line_(\w+)\(\s*\w+,\s*" + SLICE, text):
            if kind in MARKS:
                marks[joined(literals)] = MARKS[kind]
    return names, marks


def sections(page):
    """{measurement: its text}"""
    measurements = page.partition(".SH MEASUREMENTS\n")[2].partition("\n.SH ")[0]
    parts = re.split(r"^\.SS (\w+)\n", measurements, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def bold(line):
    """(the names that a line of requests shows in bold, its mark)"""
    request, _, rest = line.partition(" ")
    if request not in (".B", ".BR"):
        return [], ""
    words = [bare or quoted for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest)]
    mark = words[-1].strip() if len(words) % 2 == 0 and request == ".BR" else ""
    shown = words if request == ".B" else words[::2]
    return [word for word in shown if re.fullmatch(r"[a-z][a-z0-9_]*", word)], mark


def heads(text):
    """[(field, mark)] of a section's list."""
    found = []
    for line in re.findall(r"^\.T[PQ]\n(.*)$", text, re.M):
        names, mark = bold(line)
        found += [(name, mark) for name in names]
    return found


def problems(root):
    page = sections((root / PAGE).read_text())
    names, marks = written(root)
    told = set(page) | {name for text in page.values() for line in text.splitlines()
                        for name in bold(line)[0]}
    found = [f"{PAGE}: no {name}, which {path} writes"
             for name, path in names.items() if name not in told]
    for measurement, text in page.items():
        if measurement == ITSELF or measurement not in names:
            continue
        for field, mark in heads(text):
            if field not in names:
                found.append(f"{PAGE}: {measurement} has {field}, which nobody writes")
            elif marks.get(field, mark) != mark:
                found.append(f"{PAGE}: {field} of {measurement} is marked {mark!r}, and is "
                             f"{marks[field]!r}")
    return found


HEADER = """struct bs_slice { const char *at; unsigned long length; };
#define BS_SLICE(text) ((struct bs_slice){(text), sizeof(text) - 1})
"""
SOURCE = """#include "slice.h"
#define QUANTILE(text, unit) BS_SLICE(text "_p50" unit)
void f(void)
{
    bs_line_begin(line, BS_SLICE("walk,site="));
    bs_line_integer(line, BS_SLICE("steps"), 1);
    add_mean(line, BS_SLICE("speed"));
    bs_line_float(line, QUANTILE("time", "_ms"), 1);
    bs_line_boolean(line, BS_SLICE("final"), 1);
    bs_line_end(line, 1);
}
"""
TEXT = """.SH MEASUREMENTS
.SS walk
.TP
.BR steps " i"
Steps.
.TP
.BR speed ", " time_p50_ms
Speed and time.
.TP
.BR final " b"
The last.
.SS later
.TP
.B soon
A measurement that nobody writes yet.
.SH EXAMPLES
"""
GOOD = {"include/slice.h": HEADER, "daemon/core/walk.c": SOURCE, PAGE: TEXT}
BAD = [
    ({PAGE: TEXT.replace("time_p50_ms", "time_p05_ms")}, "no time_p50_ms, which daemon/core/walk"),
    ({PAGE: TEXT.replace("time_p50_ms", "time_p05_ms")}, "has time_p05_ms, which nobody writes"),
    ({PAGE: TEXT.replace('steps " i"', "steps")}, "steps of walk is marked '', and is 'i'"),
    ({PAGE: TEXT.replace('final " b"', 'final " i"')}, "final of walk is marked 'i', and is 'b'"),
    ({PAGE: TEXT.replace('speed ", " time_p50_ms', 'speed ", " time_p50_ms " i"')}, "is ''"),
    ({PAGE: TEXT.replace(".SS walk", ".SS run")}, "no walk, which"),
    ({"daemon/core/walk.c": SOURCE.replace('"speed"', '"pace"')}, "has speed, which nobody writes"),
]

if __name__ == "__main__":
    check.main(problems, GOOD, BAD)

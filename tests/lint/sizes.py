"""No function over 70 lines, no source file over 600. Functions of C are found by Universal Ctags;
where it is missing, only what needs no ctags is checked, and the check says so."""

import ast
import shutil
import subprocess

import check

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
FOLDERS = ["daemon", "include", "tests"]


def c_functions(paths):
    """(path, name, lines)"""
    if not paths:
        return []
    done = subprocess.run(["ctags", "-x", "--language-force=C", "--c-kinds=f",
                           "--_xformat=%{name}\t%{line}\t%{end}\t%{input}", *paths],
                          check=True, capture_output=True, text=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(path, name, int(end) - int(start) + 1) for name, start, end, path in rows if end]


def python_functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield str(path), node.name, node.end_lineno - node.lineno + 1


def problems(root):
    files = [p for folder in FOLDERS for p in sorted((root / folder).rglob("*.*"))
             if p.suffix in (".c", ".h", ".py")]
    if not files:
        return ["there is no source file"]
    found = []
    for path in files:
        lines = path.read_text().count("\n")
        if lines > FILE_LINES_MAX:
            found.append(f"{path.relative_to(root)}: {lines} lines, {FILE_LINES_MAX} are long")
    functions = [f for p in files if p.suffix == ".py" for f in python_functions(p)]
    if shutil.which("ctags"):
        functions += c_functions([p for p in files if p.suffix == ".c"])
    else:
        print("skipped: functions of C, for universal-ctags is missing")
    for path, name, lines in functions:
        if lines > FUNCTION_LINES_MAX:
            found.append(f"{path.removeprefix(str(root) + '/')}: {name} has {lines} lines, "
                         f"{FUNCTION_LINES_MAX} are long")
    return found


GOOD = {"daemon/core/a.c": "/* a */\nint f(void)\n{\n" + "    ;\n" * 66 + "    return 1;\n}\n",
        "tests/a.py": "def f():\n" + "    pass\n" * 69}
BAD = [({"daemon/core/a.c": "/* a */\n" * 601}, "601 lines"),
       ({"tests/a.py": "def f():\n" + "    pass\n" * 70}, "f has 71 lines")]
if shutil.which("ctags"):
    BAD.append(({"daemon/core/a.c": GOOD["daemon/core/a.c"].replace("    ;\n", "    ;\n    ;\n", 2)},
                "f has 72 lines"))

if __name__ == "__main__":
    check.main(problems, GOOD, BAD)

"""The folder is the layer: who may include whom. Arrows: base <- core <- shell, base <- edge <- shell,
ctl and sim on top; no module of the edge sees another one; base and core see no system header that
does input, output, time or threads."""

import re

import check

SEES = {
    "base": {"base"},
    "core": {"base", "core"},
    "edge": {"base", "edge"},
    "shell": {"base", "core", "edge", "shell"},
    "ctl": {"base", "core", "edge", "ctl"},
    "sim": {"base", "core", "edge", "shell", "sim"},
}
# Whose private headers a layer sees beside its own: the simulation runs the shell.
GUESTS = {"sim": ["shell"]}
PURE = set("assert.h ctype.h endian.h errno.h float.h inttypes.h limits.h math.h stdarg.h stdbool.h "
           "stddef.h stdint.h stdio.h stdlib.h string.h".split())
CORE_LIBRARIES = {"cJSON.h", "cjson/cJSON.h", "jsmn.h", "sha2.h", "sha256.h", "uthash.h", "zlib.h"}
SYSTEM = {"base": PURE, "core": PURE | CORE_LIBRARIES}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)


def edge_module(stem, modules):
    """The module a file of the edge belongs to: its name, or what it begins with before a '_'."""
    fits = [m for m in modules if stem == m or stem.startswith(m + "_")]
    return max(fits, key=len, default=None)


def layer_of(path, root):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "daemon" else parts[2]


def private_problem(path, name, layer):
    if "/" in name:
        return "leaves its folder"
    folders = [path.parent] + [path.parent.parent / guest for guest in GUESTS.get(layer, [])]
    if not any((folder / name).exists() for folder in folders):
        return "is not in the file's own folder"
    return None


def edge_problem(path, name, modules):
    stem = name.rsplit("/", 1)[-1].removesuffix(".h")
    mine, theirs = edge_module(path.stem, modules), edge_module(stem, modules)
    if mine is None:
        return "from a file that belongs to no module with a header in include/backstep/edge"
    return None if mine == theirs else f"of module {theirs} from module {mine}"


def quoted_problem(path, name, layer, modules, root):
    public = re.fullmatch(r"backstep/(\w+)/\w+\.h", name)
    if name.startswith("backstep/") and not public:
        return "is not backstep/LAYER/MODULE.h"
    target = public.group(1) if public else layer
    if target not in SEES[layer]:
        return f"layer {layer} must not see layer {target}"
    if public and not (root / "include" / name).exists():
        return "does not exist"
    problem = None if public else private_problem(path, name, layer)
    if problem is None and layer == "edge" and target == "edge":
        problem = edge_problem(path, name, modules)
    return problem


def file_problems(path, root, modules):
    layer = layer_of(path, root)
    if layer not in SEES:
        yield f"{path.relative_to(root)}: folder {layer} is no layer"
        return
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        system, quoted = match.groups()
        if quoted:
            problem = quoted_problem(path, quoted, layer, modules, root)
        elif system.startswith("backstep/"):
            problem = "is ours: write it with quotes"
        else:
            allowed = SYSTEM.get(layer)
            problem = None if allowed is None or system in allowed else f"not in layer {layer}"
        if problem:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(root)}:{line}: #include {system or quoted}: {problem}"


def problems(root):
    files = sorted(root.glob("daemon/*/*.[ch]")) + sorted(root.glob("include/backstep/*/*.h"))
    modules = {p.stem for p in root.glob("include/backstep/edge/*.h")}
    if not files:
        return ["there is no source file"]
    return [line for path in files for line in file_problems(path, root, modules)]


GOOD = {
    "include/backstep/base/time.h": "#include <stdint.h>\n",
    "include/backstep/core/step.h": '#include "backstep/base/time.h"\n',
    "include/backstep/edge/log.h": '#include "backstep/base/time.h"\n',
    "include/backstep/edge/mqtt.h": '#include "backstep/base/time.h"\n',
    "daemon/core/step.c": '#include "backstep/core/step.h"\n#include "step_inner.h"\n#include <zlib.h>\n',
    "daemon/core/step_inner.h": "",
    "daemon/edge/log_scan.c": '#include "backstep/edge/log.h"\n#include "log_inner.h"\n#include <fcntl.h>\n',
    "daemon/edge/log_inner.h": "",
    "daemon/edge/mqtt.c": '#include "backstep/edge/mqtt.h"\n',
    "daemon/shell/main.c": '#include "backstep/edge/log.h"\n#include "report.h"\n',
    "daemon/shell/report.h": "",
    "daemon/sim/log.c": '#include "backstep/edge/log.h"\n#include "report.h"\n#include <uv.h>\n',
}
BAD = [
    ({"daemon/core/step.c": '#include "backstep/edge/log.h"\n'}, "core must not see layer edge"),
    ({"daemon/edge/mqtt.c": '#include "backstep/core/step.h"\n'}, "edge must not see layer core"),
    ({"daemon/edge/mqtt.c": '#include "backstep/edge/log.h"\n'}, "of module log from module mqtt"),
    ({"daemon/edge/mqtt.c": '#include "log_inner.h"\n'}, "of module log from module mqtt"),
    ({"include/backstep/edge/mqtt.h": '#include "backstep/edge/log.h"\n'}, "of module log"),
    ({"daemon/edge/stray.c": '#include "backstep/edge/log.h"\n'}, "belongs to no module"),
    ({"include/backstep/base/time.h": '#include "backstep/core/step.h"\n'}, "base must not see"),
    ({"daemon/ctl/main.c": '#include "../shell/report.h"\n'}, "leaves its folder"),
    ({"daemon/core/step.c": "#include <time.h>\n"}, "time.h: not in layer core"),
    ({"daemon/core/step.c": "# include <pthread.h>\n"}, "pthread.h: not in layer core"),
    ({"daemon/core/step.c": "#include <backstep/edge/log.h>\n"}, "with quotes"),
    ({"daemon/core/step.c": '#include "backstep/core/gone.h"\n'}, "does not exist"),
    ({"daemon/sim/log.c": '#include "log_inner.h"\n'}, "is not in the file's own folder"),
    ({"daemon/extra/a.c": ""}, "is no layer"),
]

if __name__ == "__main__":
    check.main(problems, GOOD, BAD)

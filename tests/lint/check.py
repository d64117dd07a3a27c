"""What every check of this folder shares: it prints its problems, one a line, and fails on any.
With --self-test it looks at a bad tree made for it instead, and must find what is wrong there."""

import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def self_test(good, bad, problems):
    """good: a tree without problems; bad: per case the changed files and a word of the problem."""
    failures = 0
    for files, word in [({}, None)] + bad:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            write_tree(root, {**good, **files})
            found = problems(root)
            if word is None and found:
                print(f"a good tree must pass, but: {found}")
                failures += 1
            if word is not None and not any(word in line for line in found):
                print(f"expected a problem with {word!r} from {list(files)}, got {found}")
                failures += 1
    print(f"{len(bad) + 1 - failures} of {len(bad) + 1} cases as expected")
    return failures


def main(problems, good, bad):
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test(good, bad, problems) else 0)
    found = problems(ROOT)
    for line in found:
        print(line)
    print(f"{len(found)} problems")
    sys.exit(1 if found else 0)

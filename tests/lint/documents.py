"""The reference of configuration documents, configs/man/backstep-documents.5, against the schemas,
which are generated from the program's own tables: each key with its sentence, range and default.

With --write the reference's lists are written anew."""

import json
import re
import sys

import check

PAGE = "configs/man/backstep-documents.5"
SCHEMAS = "configs/schema"
# What JSON Schema says in patterns and formats, in words. An `x` by itself is any of its kind.
FORMATS = {"date-time": "A date and time as in RFC 3339"}
WORDS = {"string": "A text", "boolean": "true or false", "array": "A list", "object": "An object"}


def escape(text):
    return re.sub(r"`([^`]*)`", r"\\fI\1\\fR", text.replace("\\", r"\e")).replace("-", r"\-")


def number(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown(value):
    """A value as the document has it."""
    return json.dumps(value, ensure_ascii=False)


def many(schema, least, most, what):
    low, high = schema.get(least, 0), schema.get(most)
    if high is None:
        return f"at least {low} {what}" if low else ""
    return f"{low} to {high} {what}"


def kind_of(schema):
    """What a value may be, in words; empty where the sentence says it all."""
    if "enum" in schema:
        *some, last = map(shown, schema["enum"])
        return ", ".join(some) + f" or {last}" if some else last
    kind = schema.get("type")
    if kind in ("integer", "number"):
        if "exclusiveMinimum" in schema:
            return f"Above {number(schema['exclusiveMinimum'])}, at most {schema['maximum']}"
        return f"{number(schema['minimum'])} to {number(schema['maximum'])}"
    if kind == "string":
        if "format" in schema:
            return FORMATS[schema["format"]]
        if "pattern" in schema and "A-Za-z0-9_-" in schema["pattern"]:
            return "An id"
        return f"A text of {many(schema, 'minLength', 'maxLength', 'characters')}"
    if kind == "array":
        one = "objects" if schema["items"].get("type") == "object" else "ids"
        count = many(schema, "minItems", "maxItems", one)
        return f"A list of {count or one}"
    return WORDS[kind]


def sentence(text):
    return text[:1].upper() + text[1:] + "."


def paragraph(name, schema, required):
    lines = [".TP", f".B {escape(name)}", escape(sentence(schema["description"]))]
    lines.append(escape(sentence(kind_of(schema))))
    if required:
        lines += [".br", "Required."]
    elif "default" in schema:
        lines += [".br", f"Default: {escape(shown(schema['default']))}"]
    inner = schema.get("items", schema)
    if inner.get("type") == "object":
        lines += [".RS", *paragraphs(inner), ".RE"]
    return lines


def paragraphs(schema):
    """All of an object's keys."""
    required = schema.get("required", [])
    return [line for name, each in schema["properties"].items()
            for line in paragraph(name, each, name in required)]


def reference(schema):
    return "\n".join(paragraphs(schema)) + "\n"


def schemas(root):
    return {path.stem: json.loads(path.read_text())
            for path in sorted((root / SCHEMAS).glob("*.json"))}


def marks(kind):
    return f'.\\" keys of {kind}\n', f'.\\" end of {kind}\n'


def list_of(page, kind):
    """(where the kind's list begins and ends in the page) or None"""
    begin, end = marks(kind)
    at = page.find(begin)
    to = page.find(end, at)
    return (at + len(begin), to) if at >= 0 and to >= 0 else None


def problems(root):
    page = (root / PAGE).read_text()
    found = []
    for kind, schema in schemas(root).items():
        place = list_of(page, kind)
        if not place:
            found.append(f"{PAGE}: no list of keys of {kind}")
        elif page[slice(*place)] != reference(schema):
            found.append(f"{PAGE}: the keys of {kind} are not those of {SCHEMAS}/{kind}.json; "
                         "tests/lint/documents.py --write mends it")
    for kind in re.findall(r'^\.\\" keys of (\w+)$', page, re.M):
        if kind not in schemas(root):
            found.append(f"{PAGE}: keys of {kind}, which has no schema")
    return found


def write(root):
    page = (root / PAGE).read_text()
    for kind, schema in schemas(root).items():
        place = list_of(page, kind)
        if place:
            page = page[:place[0]] + reference(schema) + page[place[1]:]
    (root / PAGE).write_text(page)


GOOD_SCHEMA = {
    "properties": {
        "rev": {"description": "revision", "type": "integer", "minimum": 0, "maximum": 9},
        "consent": {"description": "what may be kept", "enum": ["none", "member"]},
    },
    "required": ["consent"],
}
BEGIN, END = marks("member")
GOOD = {
    PAGE: BEGIN + reference(GOOD_SCHEMA) + END,
    f"{SCHEMAS}/member.json": json.dumps(GOOD_SCHEMA),
}
WIDER = json.dumps(GOOD_SCHEMA).replace('"maximum": 9', '"maximum": 10')
BAD = [
    ({PAGE: "nothing\n"}, "no list of keys of member"),
    ({PAGE: GOOD[PAGE].replace("0 to 9", "0 to 8")}, "are not those of"),
    ({PAGE: GOOD[PAGE].replace(".br\nRequired.\n", "")}, "are not those of"),
    ({f"{SCHEMAS}/member.json": WIDER}, "are not those of"),
    ({PAGE: GOOD[PAGE] + marks("weather")[0]}, "keys of weather, which has no schema"),
]

if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write(check.ROOT)
    else:
        check.main(problems, GOOD, BAD)

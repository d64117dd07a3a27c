"""Configuration documents that must be rejected, as the published interface says: which value is
wrong, and what the sentence about it must speak of.

A table, no program: the daemon and backstepctl are both held against it. Must never hold a document
that is wrong in two ways, because either could be named.
"""

import json
from dataclasses import dataclass

DOCUMENT_BYTES_MAX = 64 * 1024
PRIVATE = "Zebra"  # is in texts of documents, and must be in no message


@dataclass(frozen=True)
class Bad:
    kind: str
    name: str
    payload: bytes
    pointer: str
    about: str  # regular expression that the message must match
    rev: int | None = None

    def __str__(self):
        return f"{self.kind}/{self.name} {self.payload[:100]!r}"


# What is in force while the bad ones come: one of every kind, and what they may clash with.
IN_FORCE = {
    ("settings", "site"): {"rev": 3, "window_s": 5, "unknown_devices": "guest"},
    ("group", "tue"): {"rev": 3, "name": "Tuesday Zebras"},
    ("drill", "back"): {"rev": 3, "phases": [{"name": "imprint", "direction": "B"},
                                             {"name": "carry-over", "direction": "F"}]},
    ("session", "tue"): {"rev": 3, "drill": "back", "start": "2026-11-24T18:00:00Z",
                         "phase": "imprint"},
    ("member", "ruth"): {"rev": 3, "alias": "Zebra", "consent": "member",
                         "devices": ["pod-1L", "pod-1R"], "groups": ["tue"]},
    ("member", "max"): {"consent": "group", "devices": ["belt-2"]},
}
PLACES = {"settings": "site", "group": "tue", "drill": "back", "session": "tue", "member": "ruth"}

# The least that each kind must have; a bad value is put beside or into it.
LEAST = {
    "settings": {},
    "group": {},
    "drill": {"phases": [{"name": "imprint", "direction": "B"}]},
    "session": {"drill": "back", "start": "2026-11-24T18:00:00Z"},
    "member": {"consent": "member"},
}

INTEGERS = {
    "settings": {
        "window_s": (1, 300), "refresh_s": (1, 60), "allowed_lateness_s": (0, 3600),
        "stored_lateness_s": (0, 604800), "reorder_ms": (0, 10000), "max_future_ms": (0, 60000),
        "fuse_ms": (0, 139), "bout_gap_ms": (500, 30000), "bout_min_steps": (2, 100),
        "direction_confirm_steps": (1, 10), "carry_over_steps": (10, 200),
        "carry_over_gap_s": (1, 600), "min_group_size": (3, 100), "max_members": (1, 1000000)},
    "drill": {"repeat": (1, 100)},
}
PHASE_INTEGERS = {"duration_s": (1, 7200), "risers": (0, 6)}
SLIP_NUMBERS = ("drift_pct", "threshold_pct", "drift_deg", "threshold_deg")
U32_MAX = 2**32 - 1


def text_of(document):
    return json.dumps(document).encode()


def with_value(kind, key, value, rev=4):
    return text_of({"rev": rev, **LEAST[kind], key: value})


def value_of(kind, key, value, about, below=""):
    return Bad(kind, PLACES[kind], with_value(kind, key, value), f"/{key}{below}", about, 4)


def phase_value(key, value, about):
    phase = {"name": "imprint", "direction": "B", key: value}
    return value_of("drill", "phases", [LEAST["drill"]["phases"][0] | {"name": "first"}, phase],
                    about, f"/1/{key}")


# --- not a document at all ----------------------------------------------------------------------

NOT_JSON = (
    b" ", b"\n", b"{", b'{"rev":4', b'{"rev":4}}', b"{'rev':4}", b'{"rev":04}', b'{"rev":+4}',
    b'{"rev":4,}', b'{"rev":.5}', b'{"rev":NaN}', b'{"rev":Infinity}', b'{"rev":True}', b"{rev:4}",
    b'{"rev" 4}', b'{"rev":4 "name":"x"}', b'{"name":"a\nb"}', b'{"name":"\\x41"}',
    b'{"name":"\\ud800"}', b'{"name":"\\u00"}', b'{"rev":4} x', b'{"rev":4}\0', b"/**/{}", b"{]",
    b"[" * 10_000 + b"]" * 10_000, b'{"name":' * 7000 + b"1" + b"}" * 7000,
    b'{"a":' * 40 + b"1" + b"}" * 40, b"\xef\xbb\xbf{}", b'{"name":"\\u0000"}',
)
NOT_UTF8 = (
    b'{"name":"\xff"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xc3"}',
    b'{"name":"\xf4\x90\x80\x80"}', '{"name":"x"}'.encode("utf-16"),
)
NO_OBJECT = (b"[1]", b"[]", b"1", b'"rev"', b"null", b"true", b"-0.5e3")


def no_documents():
    kinds = list(PLACES)
    for number, payload in enumerate(NOT_JSON + NOT_UTF8 + NO_OBJECT):
        kind = kinds[number % len(kinds)]
        about = "UTF-8" if payload in NOT_UTF8 else \
            "object" if payload in NO_OBJECT else "JSON|[Nn]ested|UTF-8"
        yield Bad(kind, PLACES[kind], payload, "", about)
    for kind in kinds:
        large = text_of(LEAST[kind]).ljust(DOCUMENT_BYTES_MAX + 1)
        yield Bad(kind, PLACES[kind], large, "", "64 KiB")


def keys_given_twice():
    about = "twice"
    yield Bad("group", "tue", b'{"rev":4,"name":"a","name":"a"}', "/name", about, 4)
    yield Bad("group", "tue", b'{"rev":4,"rev":4}', "/rev", about)
    yield Bad("settings", "site", b'{"rev":4,"slip":{"drift_pct":1,"drift_pct":1}}',
              "/slip/drift_pct", about, 4)
    yield Bad("settings", "site", b'{"rev":4,"slip":{},"feedback":true,"slip":{}}', "/slip",
              about, 4)
    yield Bad("drill", "back", b'{"rev":4,"phases":[{"name":"a","direction":"B"},'
              b'{"name":"b","direction":"B","name":"c"}]}', "/phases/1/name", about, 4)
    yield Bad("member", "ruth", b'{"rev":4,"consent":"none","devices":[],"consent":"member"}',
              "/consent", about, 4)
    yield Bad("session", "tue", b'{"rev":4,"drill":"back","start":"2026-11-24T18:00:00Z",'
              b'"\\u0070hase":"imprint","phase":"imprint"}', "/phase", about, 4)


def numbers_beyond():
    yield Bad("group", "tue", b'{"rev":1e999}', "/rev", "number")
    yield Bad("settings", "site", b'{"rev":4,"window_s":-1e999}', "/window_s", "number", 4)
    yield Bad("settings", "site", b'{"rev":4,"slip":{"drift_pct":1e400}}', "/slip/drift_pct",
              "number", 4)
    yield Bad("drill", "back", b'{"rev":4,"phases":[{"name":"a","direction":"B","risers":1e999}]}',
              "/phases/0/risers", "number", 4)


# --- keys ---------------------------------------------------------------------------------------

def unknown_keys():
    for kind, key, near in (
            ("settings", "windows_s", "window_s"), ("settings", "", ""), ("group", "nmae", "name"),
            ("group", "Name", "name"), ("drill", "phase", "phases"), ("drill", "duration_s", ""),
            ("session", "group", ""), ("session", "dril", "drill"), ("session", "end ", "end"),
            ("member", "device", "devices"), ("member", "name", ""), ("member", "email", "")):
        yield value_of(kind, key, 1, f"unknown key.*{near}")
    yield Bad("group", "tue", b'{"rev":4,"a/b~c":1}', "/a~1b~0c", "unknown key", 4)
    yield Bad("group", "tue", '{"rev":4,"größe":1}'.encode(), "/größe", "unknown key", 4)
    yield phase_value("duration", 60, "unknown key.*duration_s")
    yield value_of("settings", "slip", {"drift": 1}, "unknown key.*drift", "/drift")


def missing_keys():
    about = "missing|required|must have"
    for kind, document, pointer in (
            ("member", {}, "/consent"), ("drill", {}, "/phases"),
            ("member", {"alias": "Zebra", "devices": []}, "/consent"),
            ("session", {"start": "2026-11-24T18:00:00Z"}, "/drill"),
            ("session", {"drill": "back"}, "/start"),
            ("drill", {"phases": [{}]}, "/phases/0/name"),
            ("drill", {"phases": [{"name": "imprint"}]}, "/phases/0/direction"),
            ("drill", {"phases": [{"name": "a", "direction": "B"}, {"direction": "B"}]},
             "/phases/1/name")):
        yield Bad(kind, PLACES[kind], text_of({"rev": 4, **document}), pointer, about, 4)


# --- types and ranges ---------------------------------------------------------------------------

NO_INTEGERS = ("1", None, True, [1], {"a": 1}, 1.5)
NO_TEXTS = (1, None, False, ["x"], {"a": 1})
NO_LISTS = ("x", None, 1, {"0": "x"}, True)


def beyond(low, high):
    return low - 1, high + 1


def range_words(low, high):
    return f"{low}.*{high}"


def integers():
    for kind, keys in INTEGERS.items():
        for key, ends in keys.items():
            for value in beyond(*ends):
                yield value_of(kind, key, value, range_words(*ends))
    for number, (kind, key) in enumerate((k, key) for k, keys in INTEGERS.items() for key in keys):
        for value in (NO_INTEGERS[number % 6], NO_INTEGERS[(number + 3) % 6]):
            yield value_of(kind, key, value, "integer")
    for key, ends in PHASE_INTEGERS.items():
        for value in beyond(*ends):
            yield phase_value(key, value, range_words(*ends))
        for value in NO_INTEGERS:
            yield phase_value(key, value, "integer")


def other_settings():
    for key in SLIP_NUMBERS:
        for value, about in ((0, "above 0"), (-1, "above 0"), ("8", "number"), (None, "number")):
            yield value_of("settings", "slip", {key: value}, about, f"/{key}")
    for value, about in ((0, "1"), (1.5, "integer"), ("20", "integer")):
        yield value_of("settings", "slip", {"hold_off_steps": value}, about, "/hold_off_steps")
    for value in (1, [], "drift", None):
        yield value_of("settings", "slip", value, "object")
    for value in (0, 1, "true", None, []):
        yield value_of("settings", "feedback", value, "true or false")
    for value in ("all", "Guest", "", 1, None, ["guest"]):
        yield value_of("settings", "unknown_devices", value, "ignore.*guest")


def revisions():
    for kind in PLACES:
        for value in (-1, U32_MAX + 1):
            yield Bad(kind, PLACES[kind], with_value(kind, "rev", value), "/rev",
                      range_words(0, U32_MAX))
        for value in ("4", None, 4.5, True, [4]):
            yield Bad(kind, PLACES[kind], with_value(kind, "rev", value), "/rev", "integer")
        yield Bad(kind, PLACES[kind], with_value(kind, "rev", 2, 2), "/rev", "stale revision.*3", 2)
        yield Bad(kind, PLACES[kind], with_value(kind, "rev", 0, 0), "/rev", "stale revision.*3", 0)


# --- texts, ids, lists --------------------------------------------------------------------------

BAD_TEXTS = (
    ("", "1 to 32|empty"), ("x" * 33, "32"), ("Zebra" * 7, "32"), ("🦓" * 33, "32"),
    ("é" * 33, "32"), (" Zebra", "space"), ("Zebra ", "space"), (" ", "space"),
    ("Ze\\bra", "backslash"), ("Zebra\u0001", "control"), ("Zebra\n", "control"),
    ("\tZebra", "control"), ("Ze\u001fbra", "control"), ("Zebra\u007f", "control"),
    ("Zebra\u0080", "control"), ("Zebra\u009f", "control"), ("Ze\u2028bra", "control|separator"),
    ("Zebra\u2029", "control|separator"),
)


def texts():
    for value, about in BAD_TEXTS:
        yield value_of("member", "alias", value, about)
        yield value_of("group", "name", value, about)
        yield value_of("drill", "name", value, about)
        yield phase_value("name", value, about)
        yield value_of("session", "phase", value, about)
    for value in NO_TEXTS:
        yield value_of("member", "alias", value, "text")
        yield value_of("group", "name", value, "text")
        yield value_of("drill", "name", value, "text")
        yield phase_value("name", value, "text")
        yield value_of("session", "phase", value, "text")


BAD_IDS = ("", "x" * 65, "pod 1", "pod/1", "pöd", "pod+", "#", "$x", "pod.1", "pod\u0001")


def ids():
    about = r"A-Z|id\b"
    for value in BAD_IDS:
        yield value_of("member", "devices", ["pod-9", value], about, "/1")
        yield value_of("member", "groups", [value], about, "/0")
        yield value_of("session", "drill", value, about)
    for value in NO_TEXTS:
        yield value_of("member", "devices", ["pod-9", "pod-8", value], "text|id", "/2")
        yield value_of("member", "groups", [value], "text|id", "/0")
        yield value_of("session", "drill", value, "text|id")


def lists():
    for value in NO_LISTS:
        yield value_of("member", "devices", value, "array|list")
        yield value_of("member", "groups", value, "array|list")
        yield value_of("drill", "phases", value, "array|list")
    for value in NO_TEXTS[:4]:
        yield value_of("drill", "phases", [LEAST["drill"]["phases"][0], value], "object", "/1")
    yield value_of("member", "devices", ["pod-9", "pod-8", "pod-9"], "twice", "/2")
    yield value_of("member", "groups", ["tue", "tue"], "twice", "/1")
    yield value_of("drill", "phases", [], "1 to 32")
    phases = [{"name": f"phase {n}", "direction": "B"} for n in range(33)]
    yield value_of("drill", "phases", phases, "1 to 32")


# --- words, times -------------------------------------------------------------------------------

BAD_TIMES = (
    "", "now", "2026-11-24", "18:00:00Z", "2026-11-24T18:00:00", "2026-11-24T18:00Z",
    "2026-11-24T18:00:00+0100", "2026-11-24T18:00:00+01", "2026-11-24T18:00:00+24:00",
    "2026-11-24T18:00:00+01:60", "2026-11-24T24:00:00Z", "2026-11-24T18:60:00Z",
    "2026-11-24T18:00:61Z", "2026-00-24T18:00:00Z", "2026-13-24T18:00:00Z",
    "2026-11-00T18:00:00Z", "2026-11-31T18:00:00Z", "2026-02-29T18:00:00Z",
    "1900-02-29T18:00:00Z", "26-11-24T18:00:00Z", "2026-11-24T18:00:00.Z",
    "2026-11-24T18:00:00,5Z", "2026-11-24T18:00:00Z ", " 2026-11-24T18:00:00Z",
    "2026-1-24T18:00:00Z", "-026-11-24T18:00:00Z", "2026-11-24T18:00:00ZZ", "2026-11-24T+8:00:00Z",
)


def times():
    about = "RFC 3339|date"
    for value in BAD_TIMES:
        yield value_of("session", "start", value, about)
    for value in BAD_TIMES[:6]:
        yield value_of("session", "end", value, about)
    for value in (1795716000, None, True, ["2026-11-24T18:00:00Z"]):
        yield value_of("session", "start", value, "date")
        yield value_of("session", "end", value, "date")
    for value in ("2026-11-24T18:00:00Z", "2026-11-24T17:59:59Z", "2026-11-24T19:00:00+01:00",
                  "2026-11-24T17:59:59.999Z", "2025-11-24T19:00:00Z"):
        yield value_of("session", "end", value, "after|later|start")


def choices():
    for value in ("", "all", "Member", "yes", 1, None, True, ["member"]):
        yield value_of("member", "consent", value, "none.*group.*member")
    for value in ("", "X", "b", "BF", "backward", 1, None):
        yield phase_value("direction", value, "F.*B.*L.*R.*U.*D.*T.*N")


# --- rules between documents, and places --------------------------------------------------------

def clashes():
    yield value_of("member", "devices", ["pod-9", "belt-2"], r"\bmax\b", "/1")
    yield Bad("member", "eva", with_value("member", "devices", ["pod-1R"]), "/devices/0",
              r"\bruth\b", 4)
    yield value_of("session", "phase", "Zebra", "phase")
    yield value_of("session", "phase", "Imprint", "phase")


def places():
    for name in ("other", "Site", "test"):
        yield Bad("settings", name, text_of({"rev": 1}), "", "site", 1)
    for name in ("guest-", "guest-pod-1", "guest-eva"):
        yield Bad("member", name, with_value("member", "rev", 1, 1), "", "guest-", 1)


PARTS = (no_documents, keys_given_twice, numbers_beyond, unknown_keys, missing_keys, integers,
         other_settings, revisions, texts, ids, lists, times, choices, clashes, places)


def all_bad():
    for part in PARTS:
        yield from part()


# --- good ones, at the very ends ----------------------------------------------------------------

def ends_of_ranges():
    """(kind, document) that must be accepted."""
    for kind, keys in INTEGERS.items():
        for key, ends in keys.items():
            for value in ends:
                yield kind, {**LEAST[kind], key: value}
    for key, ends in PHASE_INTEGERS.items():
        for value in ends:
            yield "drill", {"phases": [{"name": "a", "direction": "T", key: value}]}
    for key in SLIP_NUMBERS:
        yield "settings", {"slip": {key: 0.001}}
    yield "settings", {"slip": {"hold_off_steps": 1}, "window_s": 10.0, "feedback": False}
    for kind in PLACES:
        yield kind, {**LEAST[kind], "rev": 0}
        yield kind, {**LEAST[kind], "rev": U32_MAX}
        yield kind, LEAST[kind]


def good_texts():
    for value in ("x", "x" * 32, "🦓" * 32, "a  b", "\u00a0", "\u202f", '"', "/", "=,",
                  "\u2027\u202a", "Zoë 🦓", "a\u0301"):
        yield "member", {"consent": "none", "alias": value}
        yield "group", {"name": value}
        yield "drill", {"name": value, "phases": [{"name": value, "direction": "N"}]}


def good_lists_and_times():
    yield "member", {"consent": "group", "devices": [], "groups": []}
    yield "member", {"consent": "group", "devices": ["x" * 64, "A-z_0"], "groups": ["no-document"]}
    for letter in "FBLRUDTN":
        yield "drill", {"phases": [{"name": "a", "direction": letter}] * 32}
    for start in ("2026-11-24T18:00:00.1Z", "2026-11-24T18:00:00.123456789Z",
                  "2026-11-24T18:00:00+14:00", "2026-11-24T18:00:00-00:00",
                  "2024-02-29T23:59:59+23:59", "2000-02-29T00:00:00Z", "1970-01-01T00:00:00Z"):
        yield "session", {"drill": "none-yet", "start": start, "phase": "any"}
    yield "session", {"drill": "back", "start": "2026-11-24T18:00:00Z",
                      "end": "2026-11-24T18:00:00.001Z"}


def all_good():
    for part in (ends_of_ranges, good_texts, good_lists_and_times):
        yield from part()

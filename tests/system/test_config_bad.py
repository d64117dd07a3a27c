"""Bad configuration documents, some five hundred: each is answered with the place and the reason,
and none leaves a trace.

What is in force is seen in the answers, and around each batch in what the daemon's own log folds
to. Must never ask how the daemon keeps its documents.
"""

import hashlib
import itertools
import json
import re
import subprocess

import bad_documents
from bad_documents import IN_FORCE, LEAST, PLACES, PRIVATE
from config_model import Model
from daemon import Operator
from harness import expect, expect_balance, expect_true
from processes import Failure, wait_until

SMALL = {"journal": {"segment_mb": 1}, "mqtt": {"receive_maximum": 8}}
EXIT_DATA = 65


def digest(payload):
    return hashlib.sha256(payload).hexdigest()


def put_in_force(operator):
    """{(kind, name): what an answer calls `in_force`}"""
    found = {}
    for (kind, name), document in IN_FORCE.items():
        answer = operator.accept(kind, name, document)
        found[kind, name] = {"rev": document.get("rev"), "sha256": answer["sha256"]}
    return found


def faults_of(bad, answer, in_force):
    """What is wrong with the answer to a bad document."""
    error = answer.get("error") or {}
    found = {"ok": answer["ok"], "rev": answer["rev"], "sha256": answer["sha256"],
             "pointer": error.get("pointer"), "in_force": answer.get("in_force")}
    expected = {"ok": False, "rev": bad.rev, "sha256": digest(bad.payload), "pointer": bad.pointer,
                "in_force": in_force}
    for key, value in expected.items():
        if found[key] != value:
            yield f"{bad}: {key}: expected {value!r}, found {found[key]!r} in {error}"
    yield from faults_of_message(bad, error.get("message", ""))


def faults_of_message(bad, message):
    if not re.search(bad.about, message):
        yield f"{bad}: the message does not speak of {bad.about!r}: {message!r}"
    if PRIVATE in message:
        yield f"{bad}: the message quotes the document: {message!r}"


def expect_no_faults(faults):
    if faults:
        raise Failure("\n".join([f"{len(faults)} faults:", *faults[:40]]))


def rounds():
    """The table in rounds, of each place one: answers on one topic must not overtake."""
    by_place = {}
    for bad in bad_documents.all_bad():
        by_place.setdefault((bad.kind, bad.name), []).append(bad)
    for one_each in itertools.zip_longest(*by_place.values()):
        yield [bad for bad in one_each if bad]


def write_document(folder, kind, name, payload):
    path = folder / kind / f"{name}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(payload)
    return path


def expect_same_from_check(case, judged):
    """backstepctl check says of the same documents, in their order, what the daemon has said."""
    base = case.folder / "documents"
    paths = [write_document(base / f"good-{kind}-{name}", kind, name,
                            bad_documents.text_of(document))
             for (kind, name), document in IN_FORCE.items()]
    expected = []
    for number, (bad, error) in enumerate(judged):
        path = write_document(base / str(number), bad.kind, bad.name, bad.payload)
        paths.append(path)
        expected.append(f"{path}:{error['pointer']}: {error['message']}")
    done = subprocess.run([case.build / "backstepctl", "check", *paths], capture_output=True,
                          timeout=60, check=False)
    said = done.stderr.decode().splitlines()
    expect_no_faults([f"expected {e!r}, found {s!r}" for e, s in zip(expected, said) if e != s])
    expect((len(said), done.returncode), (len(expected), EXIT_DATA), "lines said, exit status")


def test_every_bad_document(case):
    """The daemon's answers; then backstepctl's, which must be the same."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    faults, judged = [], []
    with Operator(daemon, broker) as operator:
        in_force = put_in_force(operator)
        before, _books = daemon.folded()
        for number, bads in enumerate(rounds()):
            payloads = operator.publish_all([(bad.kind, bad.name, bad.payload) for bad in bads])
            for bad, answer in zip(bads, map(json.loads, payloads)):
                faults += faults_of(bad, answer, in_force.get((bad.kind, bad.name)))
                judged.append((bad, answer.get("error")))
            if number % 10 == 0:
                expect(daemon.folded()[0], before, f"in force up to {bads[-1]}")
    expect_no_faults(faults)
    after, books = daemon.folded()
    expect(after, before, "in force after all of them")
    expect((books["config_accepted"], books["config_rejected"]), (len(IN_FORCE), len(judged)),
           "documents accepted, rejected")
    expect_true(len(judged) >= 150, f"{len(judged)} bad documents")
    expect_true(PRIVATE not in daemon.log_text(), "no text of a document in the log")
    expect_balance(daemon.stop_for_books(broker))
    expect_same_from_check(case, judged)
    case.notes.append(f"{len(judged)} bad documents")


def test_model_agrees(case):
    """The model that other tests rely on judges the same table."""
    model, faults = Model(), []
    for (kind, name), document in IN_FORCE.items():
        model.take_document(1000, kind, name, json.dumps(document).encode())
    expect(len(model.in_force), len(IN_FORCE), "the model accepts the good ones")
    for bad in bad_documents.all_bad():
        model.take_document(2000, bad.kind, bad.name, bad.payload)
        answer = model.answers[bad.kind, bad.name]
        found = (answer["ok"], answer.get("pointer"), answer["rev"])
        if found != (False, bad.pointer, bad.rev):
            faults.append(f"{bad}: expected {(False, bad.pointer, bad.rev)}, found {found}")
    expect_no_faults(faults)


def good_rounds():
    """(kind, name, payload), in rounds of one each kind, ending with the plainest."""
    by_kind = {}
    for kind, document in bad_documents.all_good():
        by_kind.setdefault(kind, []).append((kind, PLACES[kind], bad_documents.text_of(document)))
    for one_each in itertools.zip_longest(*by_kind.values()):
        yield [document for document in one_each if document]


def test_ends_of_ranges(case):
    """What is just inside is accepted, and is then in force by its very bytes."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    faults, last = [], {}
    with Operator(daemon, broker) as operator:
        for documents in good_rounds():
            for (kind, name, payload), answer in zip(documents, operator.publish_all(documents)):
                if not json.loads(answer)["ok"]:
                    faults.append(f"{kind}/{name} {payload[:120]}: {answer}")
                last[kind, name] = digest(payload)
        large = json.dumps(LEAST["member"]).ljust(64 * 1024)
        operator.accept("member", "x" * 64, large)
        last["member", "x" * 64] = digest(large.encode())
    expect_no_faults(faults)
    for (kind, name), sha256 in last.items():
        expect_true(re.search(f"^{kind}/{name} rev .* sha256 {sha256} ", daemon.folded()[0], re.M),
                    f"{kind}/{name} {sha256} is in force")


# What comes, and whether it is accepted, or else the pointer and the `rev` that is in force.
COURSE = (
    (5, True), (5, True), (4, ("/rev", 5)), (7, True), (6, ("/rev", 7)), (None, True), (2, True),
    (1, ("/rev", 2)), ("delete", None), (1, ("/rev", None)), (0, ("/rev", None)), (2, True),
    ("delete", None), (None, True), (0, True),
)


def text_of_course(kind, rev):
    if rev == "delete":
        return b""
    return bad_documents.text_of(LEAST[kind] | ({} if rev is None else {"rev": rev}))


def outcome(payload):
    if not payload:
        return None
    answer = json.loads(payload)
    return answer["ok"] or (answer["error"]["pointer"],
                            answer["in_force"] and answer["in_force"]["rev"])


def test_revisions(case):
    """A `rev` below the last one is stale, also below a deleted one; none clears it."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        for rev, expected in COURSE:
            answers = operator.publish_all([(kind, name, text_of_course(kind, rev))
                                            for kind, name in PLACES.items()])
            for place, answer in zip(PLACES, answers):
                expect(outcome(answer), expected, f"{place} with rev {rev}")


def make_crowd(case):
    """(payload, expected outcome) of documents for one place, good, stale and deleted."""
    highest, in_force = 0, None
    for _ in range(500):
        rev = case.random.choice(("delete", 1, 2, 3))
        if rev == "delete":
            expected = in_force = None
        elif rev < highest:
            expected = ("/rev", in_force)
        else:
            expected, highest, in_force = True, rev, rev
        yield text_of_course("group", rev), expected


def test_crowd_at_one_place(case):
    """Faster than answers leave: even so each publisher gets its own, and the last one stays."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    payloads, expected = zip(*make_crowd(case))
    with Operator(daemon, broker) as operator:
        answers = operator.publish_all([("group", "tue", payload) for payload in payloads],
                                       timeout=60)
    expect([outcome(answer) for answer in answers], list(expected), "the outcomes")
    with broker.client() as client:
        client.subscribe(daemon.topic("result/#"))
        left = client.receive(2)
    expect(left.payload if left else b"", answers[-1], "the retained answer")


def test_warnings(case):
    """Accepted, and yet something is to be said."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    session = {"drill": "later", "start": "2026-11-24T18:00:00Z", "phase": "imprint"}
    drill = {"phases": [{"name": "imprint", "direction": "B"}]}
    other = {"phases": [{"name": "Zebra", "direction": "B"}]}
    with Operator(daemon, broker) as operator:
        def warning(kind, name, document, **options):
            answer = operator.accept(kind, name, document, **options)
            found = answer.get("warning")
            if found:
                expect_true(found["message"], f"the warning's message in {answer}")
                expect_true(PRIVATE not in found["message"], f"no text of a document in {answer}")
            return found and found["pointer"]

        expect(warning("session", "tue", session), "/drill", "a session before its drill")
        expect(warning("drill", "later", drill), None, "its drill")
        expect(warning("session", "tue", session), None, "the session, with its drill there")
        expect(warning("drill", "later", other), "/phases", "a drill without the coach's phase")
        expect(warning("session", "tue", session), "/phase", "the same session again")
        answer = operator.push("session", "tue", session | {"rev": 1})
        expect((answer["ok"], answer["error"]["pointer"]), (False, "/phase"), "another session")
        expect(warning("drill", "later", drill), None, "the drill, with that phase again")
        expect(warning("group", "tue", {"rev": 1}, retain=False), "", "a document not retained")


def test_bounds(case):
    """One member too many is refused in words; what was there stays and can be changed."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        operator.accept("settings", "site", {"max_members": 2})
        for name in ("ruth", "max", "ruth"):
            operator.accept("member", name, {"consent": "member"})
        answer = operator.push("member", "eva", {"consent": "member"})
        expect((answer["ok"], answer["error"]["pointer"]), (False, ""), f"a third one: {answer}")
        expect_true(re.search("max_members|2", answer["error"]["message"]), f"message in {answer}")
        operator.delete("member", "max")
        operator.accept("member", "eva", {"consent": "group"})


def test_places_that_are_none(case):
    """An unknown kind, or an id that is none, is counted and said, and gets no answer."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        for place in ("weather/here", "Member/ruth", "member/ru th", "member/rüth",
                      f"member/{'x' * 65}", "member", "member/a/b", "member/"):
            operator.client.publish(daemon.topic(f"config/{place}"), '{"consent":"member"}',
                                    retain=True)
        operator.accept("member", "ruth", {"consent": "member"})
        expect(operator.client.receive(0.5), None, "another answer")
    with broker.client() as client:
        client.subscribe(daemon.topic("result/#"))
        expect(client.receive(2).topic, daemon.topic("result/member/ruth"), "the only answer")
        expect(client.receive(0.3), None, "a second one")
    in_force, books = daemon.folded()
    expect(len(re.findall("^(?!device|class)", in_force.strip(), re.M)), 1, in_force)
    expect((books["config_received"], books["config_accepted"], books["config_unknown_kind"]),
           (9, 1, 8), f"documents received, accepted, of an unknown kind in {books}")
    wait_until(lambda: "unknown kind" in daemon.log_text(), 15, "the log says: unknown kind")

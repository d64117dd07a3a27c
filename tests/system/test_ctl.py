"""backstepctl and configuration documents: judged, published, answered, read and deleted.

That check has the daemon's words for each bad document is held elsewhere. Must never take what the
tool prints for what is: that stands at the broker.
"""

import json
import shutil
import subprocess

from daemon import write_conf
from harness import TREE, expect, expect_true
from processes import wait_until
from servers import Broker
from test_sender import strict_broker

DONE, NO, USAGE, DATA, NO_INPUT, GAVE_UP, REFUSED = 0, 1, 64, 65, 66, 75, 77
GYM = TREE / "configs" / "example-gym"


class Ctl:
    """backstepctl with one broker; every call's stderr stays in the case's folder."""

    def __init__(self, case, broker=None, **mqtt):
        self.case, self.program, self.calls = case, case.build / "backstepctl", 0
        self.options = []
        if broker:
            conf = case.folder / f"ctl-{len(list(case.folder.iterdir()))}.conf"
            write_conf(conf, {"site": {"id": "test"}, "mqtt": {"uri": broker.uri, **mqtt}})
            self.options = ["--config", str(conf)]

    def command(self, verb, *arguments):
        return [str(part) for part in (self.program, verb, *self.options, *arguments)]

    def __call__(self, verb, *arguments, stdin=""):
        """(exit status, lines on stdout, lines on stderr)"""
        self.calls += 1
        log = self.case.folder / f"{verb}-{id(self)}-{self.calls}.log"
        with open(log, "w") as stderr:
            done = subprocess.run(self.command(verb, *arguments), input=stdin, text=True,
                                  stdout=subprocess.PIPE, stderr=stderr, timeout=60,
                                  cwd=self.case.folder)
        return done.returncode, done.stdout.splitlines(), log.read_text().splitlines()

    def start(self, verb, *arguments):
        self.calls += 1
        return self.case.start(f"{verb}-{id(self)}-{self.calls}", self.command(verb, *arguments))


def write_documents(folder, documents):
    """{"kind/id": text or object} as KIND/ID.json below the folder."""
    for name, document in documents.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
    return folder


def many_members(folder, count):
    return write_documents(folder, {
        f"member/m-{i:04}": {"consent": "member", "devices": [f"pod-{i:04}"]}
        for i in range(count)})


def names(folder):
    return sorted(f"{p.parent.name}/{p.stem}" for p in folder.glob("*/*.json"))


def documents_of(broker, what="config"):
    """{"kind/id": text} of what the broker keeps; a marker of ours comes behind all of it."""
    found = {}
    with broker.client() as client:
        client.subscribe(f"backstep/v1/test/{what}/#")
        client.subscribe("marker")
        client.publish("marker", "here")
        while (message := client.receive()).topic != "marker":
            found["/".join(message.topic.split("/")[-2:])] = message.payload.decode()
    return {name: text for name, text in found.items() if text}


MEMBER = {"consent": "member"}

# (files in their order, what is said on stderr, exit status)
CHECKED = (
    ({"member/ruth": MEMBER}, [], DONE),
    ({"member/ruth": {"alias": "Ruth"}}, ["member/ruth.json:/consent: "], DATA),
    ({"member/ruth": {**MEMBER, "devices": ["p", "p"]}}, ["member/ruth.json:/devices/1: "], DATA),
    ({"member/guest-ruth": MEMBER}, ["member/guest-ruth.json:: "], DATA),
    ({"member/ruth": '{"consent":"member"'}, ["member/ruth.json:: "], DATA),
    ({"member/ruth": " "}, ["member/ruth.json:: "], DATA),
    ({"member/ruth": ""}, ["member/ruth.json:: is empty"], DATA),
    ({"member/ruth": '{"consent":"member","alias":"' + "x" * 70000 + '"}'},
     ["member/ruth.json:: "], DATA),
    ({"settings/other": {}}, ["settings/other.json:: "], DATA),
    ({"lesson/one": {}}, ["lesson/one.json:: there is no such kind"], DATA),
    ({"drill/b.2": {"phases": [{"name": "a", "direction": "B"}]}},
     ["drill/b.2.json:: the id does not match"], DATA),
    # Rules between documents, in the order in which they come.
    ({"member/ann": {**MEMBER, "devices": ["p"]}, "member/bob": {**MEMBER, "devices": ["q", "p"]}},
     ["member/bob.json:/devices/1: "], DATA),
    ({"session/tue": {"drill": "back", "start": "2026-11-24T18:00:00Z"}},
     ["session/tue.json:/drill: warning: "], DONE),
    ({"drill/back": {"phases": [{"name": "a", "direction": "B"}]},
      "session/tue": {"drill": "back", "start": "2026-11-24T18:00:00Z", "phase": "b"}},
     ["session/tue.json:/phase: "], DATA),
    # One bad document hides no other's fault.
    ({"member/ann": {}, "group/tue": {"nick": "x"}, "member/bob": MEMBER},
     ["member/ann.json:/consent: ", "group/tue.json:/nick: "], DATA),
)


def test_check(case):
    ctl = Ctl(case)
    for number, (documents, said, status) in enumerate(CHECKED):
        folder = write_documents(case.folder / str(number), documents)
        paths = [folder / f"{name}.json" for name in documents]
        found, out, err = ctl("check", *paths)
        expect((found, out), (status, []), f"check of {documents} said {err}")
        expect([line.removeprefix(f"{folder}/")[:len(start)] for line, start in zip(err, said)],
               said, f"check of {documents}")
        expect(len(err), len(said), f"lines for {documents}: {err}")
        for line in err:
            expect_true("x" * 20 not in line, f"no text of the document in {line[:300]}")


def test_check_of_folders(case):
    """In a folder nothing comes before what it names, and what is no document is an error."""
    ctl = Ctl(case)
    expect(ctl("check", GYM), (DONE, [], []), "the example gym")
    folder = write_documents(case.folder / "gym", {
        "session/tue": {"drill": "back", "start": "2026-11-24T18:00:00Z"},
        "drill/back": {"phases": [{"name": "a", "direction": "B"}]}})
    (folder / "README.md").write_text("not a document\n")
    expect(ctl("check", folder), (DONE, [], []), "a session and its drill")
    status, out, err = ctl("check", "-v", folder / "drill", folder / "session" / "tue.json")
    expect((status, len(out), err), (DONE, 2, []), f"a folder of one kind, and a file: {out}")
    twice = write_documents(case.folder / "twice", {"group/tue": {"rev": 2}})
    older = write_documents(case.folder / "older", {"group/tue": {"rev": 1}})
    status, _, err = ctl("check", twice, older)
    expect((status, err[0].split(": ")[:2]), (DATA, [f"{older}/group/tue.json:/rev",
                                                     "stale revision"]), f"an older one: {err}")
    expect(ctl("check", case.folder / "none")[0], NO_INPUT, "exit status where nothing is there")
    (case.folder / "empty").mkdir()
    expect(ctl("check", case.folder / "empty")[0], NO_INPUT, "exit status of an empty folder")
    expect(ctl("check", "-", "--as", "group/tue", stdin="{}"), (DONE, [], []), "standard input")
    expect([line.split(":")[0] for line in ctl("check", "-", "--as", "group/tue")[2]], ["stdin"],
           "what is said of nothing at all")
    expect(ctl("check", "-")[0], DATA, "exit status without --as")
    expect(ctl("check", "--as", "group/tue", "a", "b")[0], USAGE, "--as for two")


def push_gym(ctl, broker):
    status, out, err = ctl("push", GYM)
    expect((status, err), (DONE, []), "push of the example gym")
    expect(sorted(out), [f"{name}: in force, revision 1" for name in names(GYM)], "lines")
    answers = documents_of(broker, "result")
    expect({name: json.loads(text)["ok"] for name, text in answers.items()},
           {name: True for name in names(GYM)}, "answers")


def delete_gym(ctl, broker):
    expect(ctl("delete", *names(GYM)), (DONE, [f"{name}: deleted" for name in names(GYM)], []),
           "delete of the example gym")
    expect(documents_of(broker), {}, "documents left")
    expect(documents_of(broker, "result"), {}, "answers left")


def test_push_get_delete(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    ctl = Ctl(case, broker)
    push_gym(ctl, broker)
    expect(ctl("get", "--dir", case.folder / "copy"), (DONE, [], []), "get --dir")
    expect(subprocess.run(["diff", "-r", GYM, case.folder / "copy"]).returncode, 0,
           "difference between what was pushed and what was got")
    text = (GYM / "member" / "m-01.json").read_text()
    expect(ctl("get", "member/m-01"), (DONE, text.splitlines(), []), "get of one")
    answer = json.loads(ctl("get", "--result", "member/m-01")[1][0])
    expect((answer["ok"], answer["rev"]), (True, 1), "get --result of one")
    status, out, err = ctl("get", "member/m-98", "member/m-02")
    expect((status, out[0]), (NO, "member/m-02"), f"get of two, one of them not there: {err}")
    expect(err, ["backstepctl: the broker has no config/member/m-98"], "what is not there")
    delete_gym(ctl, broker)
    expect(ctl("delete", "member/m-01"), (DONE, ["member/m-01: there was no such document"], []),
           "delete of a deleted one")
    expect(ctl("get"), (NO, [], ["backstepctl: the broker has no document of this site"]),
           "get of nothing")
    old = Ctl(case, broker, version="3.1.1")
    push_gym(old, broker)
    expect(old("get", "member/m-01"), (DONE, text.splitlines(), []), "get of one with 3.1.1")
    delete_gym(old, broker)
    daemon.expect_running()


def test_push_rejections(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    ctl = Ctl(case, broker)
    folder = write_documents(case.folder / "mixed", {
        "member/ann": {**MEMBER, "rev": 4, "devices": ["p"]},
        "member/bob": {**MEMBER, "devices": ["q", "p"]},
        "session/tue": {"drill": "none", "start": "2026-11-24T18:00:00Z"}})
    status, out, err = ctl("push", folder)
    expect(status, NO, "exit status of a push with one rejection")
    expect(out, ["member/ann: in force, revision 4", "member/bob: rejected; none is in force",
                 "session/tue: in force"], "lines")
    expect([line.split(": ")[0] for line in err],
           [f"{folder}/member/bob.json:/devices/1", f"{folder}/session/tue.json:/drill"],
           "pointers")
    expect_true("ann" in err[0] and "warning" in err[1], f"words in {err}")
    # The device moves from one to the other, who stands before.
    moved = write_documents(case.folder / "moved", {
        "member/aaron": {**MEMBER, "devices": ["p"]}, "member/ann": {**MEMBER, "rev": 5}})
    expect(ctl("push", moved), (DONE, ["member/aaron: in force",
                                       "member/ann: in force, revision 5"], []), "a device moves")
    # And on through three, none of whom can take it before the one behind has let go.
    chain = {f"member/c{i}": {**MEMBER, "devices": [f"q{i}"]} for i in range(4)}
    expect(ctl("push", write_documents(case.folder / "chain", chain))[0], DONE, "four members")
    shifted = {f"member/c{i}": {**MEMBER, "devices": [f"q{i + 1}"]} for i in range(4)}
    found = ctl("push", write_documents(case.folder / "shifted", shifted))
    expect(found, (DONE, [f"{name}: in force" for name in shifted], []), "devices move in a row")
    stale = write_documents(case.folder / "stale", {"member/ann": {**MEMBER, "rev": 1}})
    expect(ctl("push", stale)[1],
           ["member/ann: rejected; what was in force stays, revision 5"], "an older one")
    daemon.expect_running()
    push_nothing(case, ctl, broker)


def push_nothing(case, ctl, broker):
    """One file that is no document, and nothing at all is published."""
    before = documents_of(broker)
    fine = write_documents(case.folder / "fine", {"group/new": {}})
    for name, text, words in (("group/large", '{"name":"' + "x" * 66000 + '"}', "longer than"),
                              ("group/empty", "", "is empty"), ("table/a", "{}", "no such kind"),
                              ("group/new", "{}", "group/new, too")):
        bad = write_documents(case.folder / "bad", {name: text})
        status, out, err = ctl("push", fine, bad)
        expect((status, out), (DATA, []), f"push of {name} said {err}")
        expect_true(words in err[0] and "nothing was published" in err[1], f"{words} in {err}")
        shutil.rmtree(bad)
    status, _, err = ctl("push", fine, case.folder / "away.json")
    expect(status, NO_INPUT, f"exit status with a file that is not there: {err}")
    expect(documents_of(broker), before, "what the broker keeps")


def test_no_daemon(case):
    broker = case.broker()
    ctl = Ctl(case, broker)
    for verb, argument in (("push", GYM / "group" / "tue-track.json"),
                           ("delete", "group/tue-track")):
        status, out, err = ctl(verb, argument, "--timeout", "1")
        expect((status, out), (GAVE_UP, ["group/tue-track: no answer"]), f"{verb} without a daemon")
        expect_true("1 of 1 documents have none; does the daemon run?" in err[0], err)
    broker.stop()
    status, _, err = ctl("status", "--timeout", "1")
    expect(status, GAVE_UP, f"exit status without a broker: {err}")


def test_refused_password(case):
    broker = strict_broker(case)
    for version in ("5", "3.1.1"):
        ctl = Ctl(case, broker, version=version)
        for verb in (("push", GYM), ("get",), ("delete", "group/a"), ("status",)):
            status, _, err = ctl(*verb)
            expect(status, REFUSED, f"exit status of {verb[0]} with version {version}")
            expect_true("not authorized" in err[0].lower(), f"the broker's reason in {err}")


def wait_for_documents(broker, count):
    wait_until(lambda: len(documents_of(broker)) >= count, 20, f"{count} documents are published")


def test_daemon_killed_during_push(case):
    """It takes nothing in while documents are on their way, dies, and comes again."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    folder = many_members(case.folder / "gym", 300)
    daemon.freeze()
    push = Ctl(case, broker).start("push", folder)
    wait_for_documents(broker, 50)
    daemon.kill_running()
    daemon.start()
    expect(push.wait(30), DONE, f"exit status; said {push.text()[-500:]}")
    expect(sorted(push.text().splitlines()), [f"{name}: in force" for name in names(folder)],
           "lines")


def test_broker_killed_during_push(case):
    """It forgets what it had taken: what has no answer is published again."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    folder = many_members(case.folder / "gym", 300)
    daemon.freeze()
    push = Ctl(case, broker).start("push", folder)
    wait_for_documents(broker, 50)
    broker.kill()
    daemon.thaw()
    broker.start()
    expect(push.wait(30), DONE, f"exit status; said {push.text()[-500:]}")
    expect(sorted(push.text().splitlines()), [f"{name}: in force" for name in names(folder)],
           "lines")
    expect(sorted(documents_of(broker)), names(folder), "what the broker keeps")


def test_daemon_of_version_3(case):
    """It does not hear of correlation data: answers are known by what they answer."""
    broker = case.broker()
    daemon = case.daemon(broker.uri, mqtt={"version": "3.1.1"}).start_online(broker)
    ctl = Ctl(case, broker)
    push_gym(ctl, broker)
    push_gym(ctl, broker)  # the same again
    delete_gym(ctl, broker)
    daemon.expect_running()


def test_get_of_many(case):
    """All of them, though no broker tells an end, and this one keeps few waiting."""
    broker = Broker(case)
    broker.conf.write_text(
        broker.conf.read_text().replace("max_queued_messages 0", "max_queued_messages 100"))
    broker.start()
    sent = {f"member/m-{i:05}": json.dumps({"consent": "member", "rev": i}) for i in range(1000)}
    with broker.client() as client:
        for name, text in sent.items():
            client.start_publish(f"backstep/v1/test/config/{name}", text, retain=True)
        client.publish("backstep/v1/test/config/other/..", "{}", retain=True)
    copy = case.folder / "copy"
    status, out, err = Ctl(case, broker)("get", "--dir", copy)
    expect((status, out), (DONE, []), f"get --dir said {err}")
    expect_true(len(err) == 1 and "config/other/.." in err[0], f"what is no document, in {err}")
    expect({name: (copy / f"{name}.json").read_text() for name in names(copy)}, sent, "documents")


def test_status(case):
    broker = case.broker()
    ctl = Ctl(case, broker)
    status, out, err = ctl("status")
    expect((status, out), (NO, []), f"status of nobody: {err}")
    daemon = case.daemon(broker.uri).start_online(broker)
    status, out, err = ctl("status")
    expect((status, out[0], err), (DONE, "backstepd at test: online", []), "status")
    words = {line.split()[0]: line for line in out[1:]}
    expect(list(words), ["process", "broker", "InfluxDB", "messages", "steps", "intake", "outbox",
                         "held", "documents"], "what is told")
    for line in ("messages", "steps"):
        expect_true(words[line].endswith(": balanced"), words[line])
    document = json.loads("".join(ctl("status", "--json")[1]))
    expect((document["state"], document["pid"]), ("online", daemon.child.pid), "--json")
    daemon.kill()  # the broker publishes its last will
    wait_until(lambda: ctl("status")[:2] == (NO, ["backstepd at test: offline"]), 10, "the will")
    with broker.client() as client:
        client.publish(daemon.topic("service/second"), json.dumps(
            {"state": "stalled", "reason": "the intake log is full\x1b[2J"}), retain=True)
    expect(ctl("status", "--instance", "second"),
           (NO, ["second at test: stalled, the intake log is full?[2J"], []), "a stalled one")

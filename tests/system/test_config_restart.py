"""Restarts: documents in force outlast the daemon's end, the broker's loss, and a bad document that
waits on the broker; what is missing there is named.

Steps show what is in force. Must never help the daemon with a document that the test is about.
"""

import json
import re

from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms, step_json
from processes import wait_until
from test_config_random import iso, retained

SMALL = {"journal": {"segment_mb": 1}, "mqtt": {"receive_maximum": 8}}
DRILL = {"rev": 2, "phases": [{"name": "imprint", "direction": "B"}]}
MEMBER = {"rev": 2, "alias": "Zebra", "consent": "member", "devices": ["pod"], "groups": ["tue"]}
PLACES = ["drill/back", "group/tue", "member/ruth", "session/tue", "settings/site"]


def put_in_force(operator, **settings):
    session = {"rev": 2, "drill": "back", "start": iso(now_ms() - 60_000),
               "end": iso(now_ms() + 600_000), "phase": "imprint"}
    operator.accept("settings", "site", {"rev": 2, "refresh_s": 1, **settings})
    operator.accept("group", "tue", {"rev": 2, "name": "Zebras"})
    operator.accept("drill", "back", DRILL)
    operator.accept("session", "tue", session)
    operator.accept("member", "ruth", MEMBER)


def rows_of_ruth(influx):
    """{(alias, group, drill, phase): steps}"""
    found = influx.rows("SELECT sum(steps) FROM gait_window WHERE member = 'ruth' "
                        'GROUP BY alias, "group", drill, phase')
    return {tuple(row[tag] for tag in ("alias", "group", "drill", "phase")): row["sum"]
            for row in found}


def walk(broker, daemon, seq):
    with broker.client() as client:
        client.publish(daemon.topic("device/pod/steps"), step_json(1, seq, dir="B"))


def wait_for_rows(influx, expected):
    wait_until(lambda: rows_of_ruth(influx) == expected, 15, f"{expected} are counted")


IN_CLASS = ("Zebra", "tue", "back", "imprint")
BAD = {
    "member/ruth": ({"rev": 3, "consent": "all", "alias": "Zebra"}, "/consent"),
    "session/tue": ({"rev": 3, "drill": "back", "start": "today"}, "/start"),
    "drill/back": ({"rev": 1, "phases": []}, "/phases"),
}


def expect_refused(broker, daemon):
    """The bad ones, each answered with what stays in force; said in the log by id alone."""
    answers = retained(broker, daemon.topic("result/#"))
    for place, (_document, pointer) in BAD.items():
        answer = json.loads(answers[tuple(place.split("/"))])
        expect((answer["ok"], answer["error"]["pointer"], answer["in_force"]["rev"]),
               (False, pointer, 2), f"answer to {place}: {answer}")
        expect_true(re.search(f"{place} rev . is rejected at {pointer}: ", daemon.log_text()),
                    f"the log says it of {place}")
    expect_true("Zebra" not in daemon.log_text(), "no text of a document in the log")


def test_broker_comes_back_with_bad_ones(case):
    """All of it was lost with the broker; what has come instead is not good."""
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        put_in_force(operator)
    walk(broker, daemon, 1)
    wait_for_rows(influx, {IN_CLASS: 1})
    before, _books = daemon.folded()
    daemon.kill_running()
    broker.kill()
    daemon.start()  # with no broker at all
    broker.start()
    with broker.client() as client:
        for place, (document, _pointer) in BAD.items():
            client.publish(daemon.topic(f"config/{place}"), json.dumps(document), retain=True)
    daemon.wait_online(broker)
    walk(broker, daemon, 2)
    wait_for_rows(influx, {IN_CLASS: 2})
    wait_until(lambda: len(retained(broker, daemon.topic("result/#"))) >= len(BAD), 10, "answers")
    expect_refused(broker, daemon)
    expect(sorted(daemon.service(broker)["config"]["not_on_broker"]), PLACES, "not on the broker")
    expect(daemon.folded()[0], before, "in force, as before the restart")
    with Operator(daemon, broker) as operator:
        operator.accept("member", "ruth", MEMBER | {"alias": "Two"})
    walk(broker, daemon, 3)
    wait_for_rows(influx, {IN_CLASS: 2, ("Two", *IN_CLASS[1:]): 1})
    expect_balance(daemon.stop_for_books(broker))
    expect(daemon.service(broker)["config"]["not_on_broker"],
           [place for place in PLACES if place != "member/ruth"], "not on the broker at the end")


def delete_on_broker(broker, daemon, *places):
    with broker.client() as client:
        for place in places:
            client.publish(daemon.topic(f"config/{place}"), b"", retain=True)


def test_deleted_while_away(case):
    """The broker kept the session: what was deleted meanwhile is told, and gone with its answer."""
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        put_in_force(operator)
    walk(broker, daemon, 1)
    wait_for_rows(influx, {IN_CLASS: 1})
    daemon.kill_running()
    delete_on_broker(broker, daemon, "session/tue", "group/tue")
    daemon.start_online(broker)
    walk(broker, daemon, 2)
    wait_for_rows(influx, {IN_CLASS: 1, ("Zebra", "tue", "none", "none"): 1})
    answers = retained(broker, daemon.topic("result/#"))
    expect(sorted("/".join(place) for place in answers),
           ["drill/back", "member/ruth", "settings/site"], "answers that are left")
    expect(daemon.service(broker)["config"]["not_on_broker"], [], "not on the broker")


def test_deleted_unseen(case):
    """The broker forgot the session: nobody tells of a deletion, so the document stays and is named
    as missing; consent is withdrawn by a document, never by this."""
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx, **SMALL).start_online(broker)
    with Operator(daemon, broker) as operator:
        put_in_force(operator, unknown_devices="guest")
    daemon.stop()
    with broker.client("backstepd-test"):
        pass  # a clean start under the daemon's name ends its session
    delete_on_broker(broker, daemon, "session/tue", "member/ruth")
    daemon.start_online(broker)
    wait_until(lambda: daemon.service(broker)["config"]["not_on_broker"] ==
               ["member/ruth", "session/tue"], 15, "both are named as not on the broker")
    walk(broker, daemon, 1)
    wait_for_rows(influx, {IN_CLASS: 1})
    with Operator(daemon, broker) as operator:
        operator.delete("member", "ruth")
        walk(broker, daemon, 2)
        operator.delete("member", "ruth")
    books = daemon.stop_for_books(broker)
    expect(books["steps_rejected"]["unknown_device"], 1, "a named device is no guest")
    expect((books["steps_counted"], rows_of_ruth(influx)), (1, {IN_CLASS: 1}), "steps counted")

"""A drill through the whole line: bouts, carry-over, slips and the group's rows as they stand in
InfluxDB, and the notices that reach the wearables; for a daemon that runs, and for one that is
killed again and again meanwhile.

Both get the same messages. Must never compare one with the other alone: what must be told follows
from the script of the drill.
"""

import collections
import json
import threading
import time

import drill
from daemon import Operator
from harness import expect, expect_balance, expect_true, now_ms
from processes import Failure, wait_until

MEASUREMENTS = ("gait_window", "gait_bout", "carry_over", "slip", "group_window")
CALM, KILLED = "calm", "killed"
# The drill begins so long ago that most of it is sent at once; the first changed steps, and what
# comes behind, when they are made: a notice is only sent while it is news. Until then a daemon that
# was killed has time to come back, or it would find the steps in its log, and say nothing.
BACK_MS = 4000
# Of what is sent at once: a belt's event must find its step waiting, also over a kill.
CATCH_UP_REORDER_MS = 10_000
BEGAN_MS = (drill.HABIT + drill.BACK + min(drill.SLIPS.values())) * drill.STEP_MS - BACK_MS


class Walk(threading.Thread):
    """Publishes the whole class's events to all sites, each when it is due."""

    def __init__(self, broker, daemons, begin):
        super().__init__(daemon=True)
        self.broker, self.daemons, self.begin = broker, daemons, begin
        self.error = None
        self.start()

    def run(self):
        try:
            with self.broker.client() as client:
                for at, device, payload in drill.events(self.begin):
                    time.sleep(max(0, at - now_ms()) / 1000)
                    for daemon in self.daemons:
                        client.start_publish(daemon.topic(f"device/{device}/steps"), payload)
                client.flush()
        except OSError as error:
            self.error = error

    def finish(self):
        self.join(120)
        if self.error or self.is_alive():
            raise Failure(f"not all was sent: {self.error}")


class Wearables:
    """All that is said to the devices of a site, in its order."""

    def __init__(self, broker):
        self.client = broker.client()
        self.client.subscribe("backstep/v1/+/feedback/#")
        self.heard = collections.defaultdict(dict)  # site → device → [notice]
        self.strange = []  # what was not at QoS 0, or was retained

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.client.receive(left)
            if not message:
                return
            site, _, device = message.topic.split("/")[2:]
            self.heard[site].setdefault(device, []).append(json.loads(message.payload))
            if message.qos or message.retained:
                self.strange.append(message)

    def count(self, site):
        return sum(map(len, self.heard[site].values()))


def settle_order(broker, daemons, reorder_ms):
    for daemon in daemons:
        with Operator(daemon, broker) as operator:
            operator.accept("settings", "site", {**drill.SETTINGS, "reorder_ms": reorder_ms})


def put_in_force(broker, daemons, begin):
    """All documents, and every device is known."""
    for daemon in daemons:
        with Operator(daemon, broker) as operator, broker.client() as client:
            operator.accept_all(list(drill.documents(begin)))
            for device, birth in drill.births():
                client.publish(daemon.topic(f"device/{device}/birth"), birth, retain=True)


def kill(daemon):
    daemon.kill_running()
    daemon.start()


def wait_between_steps(begin):
    """All that tells of the last one has come, and nothing yet of the next."""
    since = (now_ms() - begin) % drill.STEP_MS
    if not 150 <= since <= 350:
        time.sleep((drill.STEP_MS + 150 - since) % drill.STEP_MS / 1000)


def kill_meanwhile(case, broker, daemons, wearables, begin):
    """While it catches up; and when it has told of the first slips, which are fresh enough to be
    told again, before the last one, with steps that wait."""
    time.sleep(case.random.uniform(0, 0.3))
    kill(daemons[KILLED])
    daemons[KILLED].wait_online(broker)
    settle_order(broker, daemons.values(), drill.SETTINGS["reorder_ms"])
    told = 2 * len(drill.notices(0))  # each device is told of two that slip at once
    wait_until(lambda: wearables.listen(0.1) or wearables.count(KILLED) >= told, 15,
               f"{told} notices of the first slips")
    for _ in range(2):
        wearables.listen(case.random.uniform(0, 0.8))
        wait_between_steps(begin)
        kill(daemons[KILLED])


def rows(influx, site):
    """{key as drill.all_rows has it: fields but `late`, which tells when a step arrived}"""
    found = {}
    for name in MEASUREMENTS:
        for series in influx.statement(f"SELECT * FROM {name} WHERE site = '{site}' GROUP BY *"):
            tags = tuple(sorted(tag for tag in series["tags"].items()
                                if tag[1] and tag[0] != "site"))
            for values in series["values"]:
                fields = {field: value for field, value in zip(series["columns"], values)
                          if value is not None and field not in ("time", "late")}
                found[name, values[0], tags] = fields
    return found


def differences(found, expected):
    """Every row and field that is not what it must be, as text."""
    for key in sorted({*found, *expected}, key=str):
        mine, other = found.get(key), expected.get(key)
        if mine is None or other is None:
            yield f"{key}: expected {other}, found {mine}"
            continue
        for name in sorted({*mine, *other}):
            if name not in mine or name not in other or \
                    not drill.is_near(name, mine[name], other[name]):
                yield f"{key}: {name}: expected {other.get(name)!r}, found {mine.get(name)!r}"


def expect_rows(influx, site, expected):
    def wrong():
        return list(differences(rows(influx, site), expected))

    try:
        wait_until(lambda: not wrong(), 15, "rows", pause=0.3)
    except Failure:
        raise Failure(f"rows of {site}:\n" + "\n".join(wrong()[:20])) from None


def expect_books(broker, daemon, begin):
    books = daemon.stop_for_books(broker)
    steps = len(drill.events(begin)) // 2
    expect_balance(books)
    expect((books["steps_counted"], books["steps_fused"]), (steps, steps),
           f"steps, counted once and joined by the belt's, of {daemon.site}")
    return books


def expect_notices(broker, wearables, begin):
    wearables.listen(0.5)
    for site in (CALM, KILLED):
        expect(wearables.heard[site], drill.notices(begin), f"notices of {site} by device")
    expect(wearables.strange, [], "notices at a QoS above 0, or retained")
    late = Wearables(broker)
    late.listen(0.5)
    expect(dict(late.heard), {}, "notices kept by the broker")


def test_drill(case):
    broker, influx = case.broker(), case.influx()
    daemons = {site: case.daemon(broker.uri, influx, name=site, site=site, influxdb={
        "flush_ms": 100}).start_online(broker) for site in (CALM, KILLED)}
    wearables, begin = Wearables(broker), now_ms() - BEGAN_MS
    put_in_force(broker, daemons.values(), begin)
    settle_order(broker, daemons.values(), CATCH_UP_REORDER_MS)
    walk = Walk(broker, daemons.values(), begin)
    kill_meanwhile(case, broker, daemons, wearables, begin)
    walk.finish()
    expected = drill.all_rows(begin)
    for site in (CALM, KILLED):
        expect_rows(influx, site, expected)
    expect_true({name for name, _, _ in expected} == {*MEASUREMENTS}, "rows of every measurement")
    expect_notices(broker, wearables, begin)
    books = {site: expect_books(broker, daemon, begin) for site, daemon in daemons.items()}
    expect_notices(broker, wearables, begin)  # of both runs; a stop says no more
    case.notes.append(f"{len(expected)} rows, {wearables.count(KILLED)} notices, "
                      f"{books[KILLED]['steps_rejected']['duplicate']} steps delivered twice")

"""A broker that does not want the sender: backstepctl says at once, in words, what the broker said.
A class of several sensors, its late uploads and its truth on a real broker.

Must never depend on how often a sender tries.
"""

import collections
import json

from daemon import guest_totals, write_conf
from harness import expect, expect_balance, expect_true, wait_for_totals
from servers import Broker

REFUSED = 77


def strict_broker(case):
    broker = Broker(case)
    broker.conf.write_text(
        broker.conf.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    return broker.start()


def test_refused_connection(case):
    broker = strict_broker(case)
    for version in ("5", "3.1.1"):
        conf = case.folder / f"sender-{version}.conf"
        write_conf(conf, {"site": {"id": "test"}, "mqtt": {"uri": broker.uri, "version": version}})
        child = case.start(f"sender-{version}", [
            case.build / "backstepctl", "simulate", "--config", conf, "--timeout", "60", "--quiet"])
        expect(child.wait(15), REFUSED, f"exit status with version {version}")
        expect_true("not authorized" in child.text().lower(),
                    f"the broker's reason with version {version} in {child.text()!r}")


def births_at(broker, daemon):
    """{device: birth message} of what the broker keeps."""
    found = {}
    with broker.client() as client:
        client.subscribe("end")
        client.subscribe(daemon.topic("device/+/birth"))
        client.publish("end", b"")
        while (message := client.receive()).topic != "end":
            expect(message.retained, True, f"whether {message.topic} is retained")
            found[message.topic.split("/")[-2]] = json.loads(message.payload)
    return found


def test_sensors_of_persons(case):
    """Each device is a guest here: what it sent is counted, at once or late, and nothing twice."""
    broker, influx, daemon = case.line({"allowed_lateness_s": 3600})
    rows_file = case.folder / "rows"
    truth = case.send(
        "simulate", broker, daemon, seed=case.random.randrange(1 << 31), members=6, duration=120,
        sensors="trunk,pods,wrist", clock_error=40, resets=30, late_members=50, out_of_reach=20,
        late=20, reorder_ms=1500, duplicates=10, loss=5, speed=20, truth_rows=rows_file).wait()
    wait_for_totals(influx, guest_totals(truth), 30, daemon)
    rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
    births, devices = births_at(broker, daemon), [r for r in rows if r["row"] == "device"]
    kinds = {"T": ("trunk", None), "L": ("foot", "L"), "R": ("foot", "R"), "W": ("wrist", None)}
    expect({name: (birth["kind"], birth.get("side")) for name, birth in births.items()},
           {row["device"]: kinds[row["sensor"]] for row in devices}, "kind and side in births")
    arrived = collections.Counter(way for row in rows if row["row"] == "step"
                                  for way in ("live", "kept") for _letter in row[way])
    expect(arrived.total(), truth["steps"], "readings in the truth's rows")
    expect_true(arrived["kept"] > 0, "steps that were kept")
    books = daemon.stop_for_books(broker)
    expect_balance(books)
    expect(books["steps_counted"], truth["steps"], "steps counted")
    expect(books["steps_rejected"]["duplicate"], truth["duplicates"], "duplicates")

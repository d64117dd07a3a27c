"""A broker that does not want the sender: backstepctl says at once, in words, what the broker said.

What a sender sends is held against the database elsewhere. Must never depend on how often it tries.
"""

from daemon import write_conf
from harness import expect, expect_true
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

"""The links, with the sample configuration of the broker: who may do what, who is believed to be
whom, and what the daemon says where it is not.

Whether a right is missing is asked by doing what it forbids. Must never relax the samples.
"""

import json
import signal
import ssl
import subprocess

from daemon import Daemon, write_conf
from harness import Skip, expect, expect_balance, expect_totals, expect_true, now_ms, \
    step_json
from processes import Failure, wait_until
from safe import PEOPLE, PASSWORDS, SERVICES, SafeBroker, SafeInflux, have_influx

ROOT = "backstep/v1/north/"
DAEMON = "backstepd.north"


def publish(client, *rests, **options):
    """Which of these topics the broker took."""
    before = len(client.refused)
    for rest in rests:
        client.publish(ROOT + rest, options.get("payload", "{}"), mark=rest, retain=False)
    refused = client.refused[before:]
    return [rest for rest in rests if rest not in refused]


def received(client, last):
    """What comes until the topic `last` does."""
    rests = []
    while last not in rests:
        message = client.receive()
        if not message:
            raise Failure(f"{last} never came, but {rests}")
        rests.append(message.topic.removeprefix(ROOT))
    return rests


def test_a_wearable_speaks_for_itself_alone(case):
    broker = SafeBroker(case).start()
    own = ["device/pod-1/steps", "device/pod-1/birth", "device/pod-1/state"]
    with broker.wearable("pod-1") as pod, broker.service_client(DAEMON) as daemon:
        expect(publish(pod, *own), own, "topics of its own that a wearable may write")
        expect(publish(pod, "device/pod-2/steps", "device/pod-1/other", "config/member/m-1",
                       "config/settings/site", "command/forget/m-1", "result/member/m-1",
                       "feedback/pod-1", "live/g", "service/backstepd"), [],
               "other topics that a wearable may write")
        pod.subscribe("#")
        heard = ["feedback/pod-2", "result/member/m-1", "live/g", "service/backstepd",
                 "feedback/pod-1"]
        expect(publish(daemon, *heard), heard, "topics that the daemon may write")
        expect(received(pod, "feedback/pod-1"), ["feedback/pod-1"], "what a wearable may read")
        expect(publish(daemon, "config/member/m-1", "device/pod-1/steps", "command/forget/m-1"), [],
               "documents and steps that the daemon may write")


def test_a_wearable_takes_no_session_but_its_own(case):
    broker = SafeBroker(case).start()
    with broker.service_client(DAEMON, "backstepd-north") as daemon:
        daemon.subscribe(ROOT + "device/#")
        with broker.wearable("pod-1", "backstepd-north") as pod:
            expect(publish(pod, "device/pod-1/steps"), ["device/pod-1/steps"], "what it may write")
            expect(received(daemon, "device/pod-1/steps"), ["device/pod-1/steps"],
                   "what the daemon's session still gets")


def test_a_coach_has_classes_and_no_more(case):
    broker = SafeBroker(case).start()
    own = ["config/session/tue-track", "config/drill/back-twenty"]
    others = ["config/member/m-1", "config/group/tue-track", "config/settings/site",
              "device/pod-1/steps", "device/coach/steps", "command/forget/m-1",
              "result/session/tue-track", "service/backstepd"]
    with broker.person("coach") as coach, broker.person("desk") as desk:
        expect(publish(coach, *own), own, "documents that a coach may write")
        expect(publish(coach, *others), [], "other topics that a coach may write")
        coach.subscribe("#")
        documents = ["config/member/m-1", "config/settings/site", *own]
        expect(publish(desk, *documents, "command/forget/m-1"),
               [*documents, "command/forget/m-1"], "what the desk may write")
        expect(publish(desk, "device/pod-1/steps", "device/desk/steps", "result/member/m-1"), [],
               "steps and answers that the desk may write")
        expect(received(coach, own[-1]), own, "what a coach may read")
    for name, password in (("coach", "wrong"), (DAEMON, PASSWORDS["coach"])):
        try:
            broker.person(name, password).close()
        except ConnectionRefusedError:
            continue
        raise Failure(f"{name} is let in with the password {password!r}")


def test_the_broker_lets_in_only_whom_it_knows(case):
    """The authority of one listener opens no other one, and a stranger's none."""
    broker = SafeBroker(case).start()
    broker.installed.authority("stranger-ca", "services-ca")
    broker.installed.sign("stranger", "stranger-ca", DAEMON)
    broker.certify_wearable("pod-1")
    for name in ("stranger", "pod-1", None):
        try:
            broker.service_client(name).close()
        except (ssl.SSLError, ConnectionError):
            continue
        raise Failure(f"the services' listener lets {name} in")


# ---- the whole line ----


class Line:
    """Broker, database, daemon, desk and coach; every link by certificate or password."""

    def __init__(self, case):
        if not have_influx():
            raise Skip("influxd is not installed")
        self.case, self.broker = case, SafeBroker(case).start()
        self.influx = SafeInflux(case, self.broker.installed).start()
        self.secret = case.folder / "influxdb-password"
        self.secret.write_text("wrong\n")
        self.daemon = Daemon(
            case, case.build, self.broker.uri, self.influx.url, site="north",
            mqtt=self.broker.keys(DAEMON),
            influxdb={"ca_file": self.influx.ca_file, "username": "backstepd",
                      "password_file": self.secret})
        self.sent = {}
        self.desk = self.tool("desk", uri=self.broker.uri, **self.broker.keys("desk"))
        secret = case.folder / "coach-password"
        secret.write_text(PASSWORDS["coach"])
        self.coach = self.tool("coach", uri=f"mqtts://localhost:{self.broker.ports[PEOPLE]}",
                               ca_file=self.broker.keys("desk")["ca_file"], username="coach",
                               password_file=secret)

    def tool(self, name, **mqtt):
        conf = self.case.folder / f"{name}.conf"
        write_conf(conf, {"site": {"id": "north"}, "mqtt": mqtt})
        return conf

    def ctl(self, conf, verb, *arguments):
        done = subprocess.run([self.case.build / "backstepctl", verb, "--config", conf, *arguments],
                              capture_output=True, text=True, timeout=30)
        log = self.case.folder / f"{conf.stem}-{verb}.log"
        log.write_text(done.stdout + done.stderr)
        return done.returncode, done.stdout, done.stderr

    def walk(self, device, boot, count):
        """The wearable of that name, with its own certificate."""
        begin = now_ms() - 500 * count - 2000
        with self.broker.wearable(device) as pod:
            for seq in range(count):
                pod.start_publish(ROOT + f"device/{device}/steps", step_json(
                    boot, seq, t=begin + 500 * seq, step_ms=500, dir="BF"[seq % 2]))
            pod.flush()
            expect(pod.refused, [], f"steps of {device} that the broker refused")
        for direction in "BF":
            of_member = self.sent.setdefault(device.replace("pod", "m"), {})
            of_member[direction] = of_member.get(direction, 0) + count // 2

    def wait_for_influx(self, state):
        """The database's state in the daemon's own words, once it is this."""
        def found():
            influxdb = self.daemon.service(self.broker)["influxdb"]
            return influxdb["state"] == state and influxdb

        return wait_until(found, 20, f"influxdb is {state}")

    def wait_for_totals(self):
        try:
            wait_until(lambda: self.influx.step_totals() == self.sent, 20, "totals", pause=0.2)
        except Failure:
            expect_totals(self.influx.step_totals(), self.sent)


def push_documents(line):
    folder = line.case.folder / "gym"
    for name, document in {
            "settings/site": {"allowed_lateness_s": 3600, "refresh_s": 1, "reorder_ms": 0},
            "member/m-1": {"consent": "member", "devices": ["pod-1"], "groups": ["g"]},
            "member/m-2": {"consent": "member", "devices": ["pod-2"], "groups": ["g"]},
            "drill/d": {"phases": [{"name": "back", "direction": "B"}]}}.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    status, out, err = line.ctl(line.desk, "push", folder)
    expect((status, err), (0, ""), f"the desk's push, which said {out!r}")


def coach_a_class(line):
    """All that a coach does; and what the coach may not is said, not waited for."""
    session = line.case.folder / "gym" / "session" / "g.json"
    session.parent.mkdir()
    session.write_text(json.dumps({"drill": "d", "start": "2026-01-01T00:00:00Z"}))
    for verb, argument, said in (("push", session, ""), ("get", "session/g", '"drill"'),
                                 ("status", None, "online"), ("delete", "session/g", "")):
        status, out, err = line.ctl(line.coach, verb, *([argument] if argument else []))
        expect((status, err), (0, ""), f"the coach's {verb}, which said {out!r}")
        expect_true(said in out, f"{said!r} in what {verb} says: {out!r}")
    status, _, err = line.ctl(line.coach, "push", line.case.folder / "gym" / "member" / "m-1.json")
    expect_true(status == 77 and "not authorized" in err.lower(),
                f"the broker's refusal in what the coach is told, {status}: {err!r}")


def test_the_whole_line_over_tls(case):
    """With a wrong password for the database first; then a night without the daemon."""
    line = Line(case)
    line.daemon.start_online(line.broker)
    push_documents(line)
    coach_a_class(line)
    line.walk("pod-1", 1, 40)
    refusal = line.wait_for_influx("refused")
    expect_true("401" in refusal["error"], f"the database's 401 in {refusal}")
    line.secret.write_text("to write\n")
    line.daemon.child.signal(signal.SIGHUP)
    line.wait_for_influx("ok")
    line.wait_for_totals()
    line.daemon.stop()
    line.walk("pod-1", 1 << 20, 1200)
    line.walk("pod-2", 2, 1200)
    line.broker.stop()
    line.broker.start()
    line.daemon.start_online(line.broker)
    line.wait_for_totals()
    books = line.daemon.stop_for_books(line.broker)
    expect_balance(books)
    expect(books["steps_counted"], 2440, "steps counted")


# ---- what the daemon believes, and what it says ----


def words(daemon):
    return [text.split("no connection: ")[1].split("; trying")[0]
            for text in daemon.log_text().splitlines() if "no connection: " in text]


def expect_words(daemon, expected):
    wait_until(lambda: any(expected in each for each in words(daemon)), 15,
               f"{expected!r} in what {daemon.name} says of the broker")


def test_the_daemon_believes_no_other_broker(case):
    broker = SafeBroker(case)
    known = broker.installed
    known.authority("rogue-ca", "services-ca")
    known.server("rogue", "rogue-ca")
    known.sign("elsewhere", "services-ca", "elsewhere", "DNS:elsewhere")
    known.server("expired", "services-ca", days=-1)
    daemon = Daemon(case, case.build, broker.uri, site="north", mqtt=broker.keys(DAEMON))
    for name, expected in (("rogue", "is its authority in ca_file?"),
                           ("elsewhere", "matches target host name 'localhost'"),
                           ("expired", "certificate has expired")):
        for suffix in ("pem", "key"):
            known.path(f"broker.{suffix}").write_bytes(known.path(f"{name}.{suffix}").read_bytes())
        broker.start()
        daemon.start()
        expect_words(daemon, "the broker's certificate is not accepted: ")
        expect_words(daemon, expected)
        daemon.kill_running()
        broker.stop()
        expect_true("u'backstepd.north'" not in broker.child.text(), "no CONNECT was sent")


def test_a_refused_certificate_is_tried_again_and_said_once(case):
    broker = SafeBroker(case).start()
    broker.installed.authority("rogue-ca", "services-ca")
    broker.installed.sign("rogue", "rogue-ca", DAEMON)
    keys = {**broker.keys("rogue"), "ca_file": broker.keys(DAEMON)["ca_file"]}
    daemon = Daemon(case, case.build, broker.uri, site="north", mqtt=keys).start()
    tries = f"on port {broker.ports[SERVICES]}"
    wait_until(lambda: broker.child.text().count(tries) >= 6, 30, "some tries to connect")
    found = words(daemon)
    expect_true(found and all("our certificate" in each for each in found),
                f"whose certificate is refused, in {found}")
    expect_true(len(found) <= 3, f"few lines for six connections: {found}")
    daemon.expect_running()


def test_a_renewed_certificate_is_used_at_sighup(case):
    broker = SafeBroker(case)
    known, authorities = broker.installed, broker.installed.path("services-ca.pem")
    old = authorities.read_text()
    known.authority("next-ca")
    known.sign("renewed", "next-ca", DAEMON)
    authorities.write_text(old + known.path("next-ca.pem").read_text())
    keys = {key: case.folder / key for key in ("ca_file", "cert_file", "key_file")}
    for key, path in keys.items():
        path.write_bytes(broker.keys(DAEMON)[key].read_bytes())
    daemon = Daemon(case, case.build, broker.uri, site="north", mqtt=keys)
    daemon.start_online(broker.start())
    renewed = known.keys("renewed", "services-ca")
    keys["cert_file"].write_bytes(renewed["cert_file"].read_bytes())
    daemon.child.signal(signal.SIGHUP)
    wait_until(lambda: "the configuration stays as it was" in daemon.log_text(), 10,
               "a certificate without its key is not taken")
    expect_true("cert_file and key_file cannot be used" in daemon.log_text(), "why not")
    expect(daemon.service(broker)["mqtt"]["connected"], True, "connected as before")
    keys["key_file"].write_bytes(renewed["key_file"].read_bytes())
    daemon.child.signal(signal.SIGHUP)
    wait_until(lambda: "the configuration was read again" in daemon.log_text(), 10, "the new one")
    # From now on the broker knows the new authority alone, for its clients.
    broker.stop()
    authorities.write_text(known.path("next-ca.pem").read_text())
    known.sign("desk", "next-ca", "desk")
    broker.start()
    authorities.write_text(old)
    daemon.wait_online(broker)


def test_a_silent_denial_shows(case):
    """A subscription that the broker denies is granted and brings nothing."""
    broker = SafeBroker(case)
    rights = broker.installed.path("services.acl")
    lines = rights.read_text().replace("topic read backstep/v1/north/device/#\n", "") \
        .replace("topic read backstep/v1/north/config/#\n", "")
    rights.write_text(lines)
    daemon = Daemon(case, case.build, broker.uri, site="north", mqtt=broker.keys(DAEMON))
    daemon.start_online(broker.start())
    with broker.wearable("pod-1") as pod, broker.client() as desk:
        expect(publish(pod, "device/pod-1/steps", payload=step_json(1, 1)), ["device/pod-1/steps"],
               "what the broker took")
        expect(publish(desk, "config/member/m-1"), ["config/member/m-1"], "what the broker took")
    uptime_s = daemon.service(broker)["uptime_s"]
    document = wait_until(
        lambda: (found := daemon.service(broker))["uptime_s"] > uptime_s and found, 15,
        "another word of the daemon's")
    expect(document["mqtt"], {"connected": True, "last_message_age_s": None}, "what it heard")

"""What an operator expects of the service, checked under the container's own systemd, in this order:
each check goes on from where the one before left the machine."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

RESULTS = Path("/results")
UNIT = "backstepd.service"
CONF = Path("/etc/backstep/backstepd.conf")
STATE = Path("/var/lib/backstep")
ROOT = "backstep/v1/test"
WATCHDOG_S = 3
GOOD_CONF = """[site]
id = test
[mqtt]
uri = mqtt://127.0.0.1:1883
receive_maximum = 20
[journal]
segment_mb = 16
max_mb = 128
"""


class Failed(Exception):
    pass


def expect(name, got, wanted):
    if got != wanted:
        raise Failed(f"{name} is {got!r}, expected {wanted!r}")


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
    return done


def show(*properties, unit=UNIT):
    text = run("systemctl", "show", unit, *(f"-p{p}" for p in properties)).stdout
    values = dict(line.split("=", 1) for line in text.splitlines())
    return [values.get(p, "") for p in properties]


def wait_until(what, condition, seconds=30):
    """What condition() gave when it was true; its last value is in the failure's text."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s; {UNIT}: "
                         f"{show('ActiveState', 'Result', 'StatusText', 'NRestarts')}")
        time.sleep(0.1)


def subscribe(topic, seconds=2):
    """The retained message, or None."""
    done = run("mosquitto_sub", "-t", f"{ROOT}/{topic}", "-C", "1", "-W", str(seconds), check=False)
    return json.loads(done.stdout) if done.stdout.strip().startswith("{") else None


def online():
    """The service's message, once it comes from the process that runs now."""
    def now():
        message = subscribe("service/backstepd")
        pid = int(show("MainPID")[0])
        return message if message and message["state"] == "online" and message["pid"] == pid else None
    return wait_until("service/backstepd online", now)


def books(counted):
    """The books, once so many steps are counted."""
    def now():
        message = online()
        return message["books"] if message["books"]["steps_counted"] == counted else None
    return wait_until(f"{counted} steps counted", now)


def of_steps(book):
    """What no restart may change; documents come again with every subscription."""
    return {name: n for name, n in book.items()
            if re.match("messages_|steps_|field_|unknown_keys", name)}


def send_steps(first, count, device="pod-1"):
    begin = int(time.time() * 1000) - count * 600
    lines = [json.dumps({"v": 1, "boot": 7, "seq": first + i, "t": begin + i * 600,
                         "foot": "LR"[i % 2], "dir": "B", "step_ms": 600, "step_mm": 400})
             for i in range(count)]
    run("mosquitto_pub", "-q", "1", "-l", "-t", f"{ROOT}/device/{device}/steps",
        input="\n".join(lines) + "\n")


def check_units():
    for unit in (UNIT, "backstepd@hall.service"):
        expect(f"what systemd-analyze verify says of {unit}",
               run("systemd-analyze", "verify", "--man=no", unit).stderr, "")
    return "no complaint"


def check_confinement():
    done = run("systemd-analyze", "security", "--no-pager", "--threshold=20", UNIT, check=False)
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    if done.returncode != 0 or not exposure:
        raise Failed(f"exposure over 2.0: {done.stdout[-2000:]} {done.stderr}")
    return f"exposure {exposure.group(1)}"


def check_start():
    """No broker yet: it is ready all the same, and its status says what it waits for."""
    begin = time.monotonic()
    run("systemctl", "start", UNIT)
    took = time.monotonic() - begin
    active, sub, status, restarts = show("ActiveState", "SubState", "StatusText", "NRestarts")
    expect("state", (active, sub, restarts), ("active", "running", "0"))
    forked, ready = (int(v) for v in show("ExecMainStartTimestampMonotonic",
                                          "ActiveEnterTimestampMonotonic"))
    if not re.search(r"broker|mqtt", status, re.IGNORECASE):
        raise Failed(f"the status does not say that it waits for the broker: {status!r}")
    return f"READY {(ready - forked) / 1000:.0f} ms after exec, start took {took:.2f} s, " \
           f"status {status!r}"


def check_state_folder():
    stat = STATE.stat()
    expect("mode", oct(stat.st_mode & 0o7777), "0o700")
    if stat.st_uid < 61184:
        raise Failed(f"{STATE} belongs to {stat.st_uid}, which is no dynamic user")
    files = sorted(p.name for p in STATE.rglob("*"))
    if not files:
        raise Failed(f"{STATE} is empty")
    return f"uid {stat.st_uid}, {len(files)} entries"


def check_steps():
    run("systemctl", "start", "mosquitto.service")
    online()
    run("mosquitto_pub", "-r", "-q", "1", "-t", f"{ROOT}/config/settings/site",
        "-m", '{"unknown_devices":"guest"}')
    wait_until("result of the settings", lambda: (subscribe("result/settings/site") or {}).get("ok"))
    send_steps(0, 50)
    got = books(50)
    expect("steps received", got["steps_received"], 50)
    return f"50 counted, status {show('StatusText')[0]!r}"


def check_watchdog():
    before, restarts = show("MainPID", "NRestarts")
    os.kill(int(before), 19)
    begin = time.monotonic()
    send_steps(50, 7)
    wait_until("a new process after the watchdog", lambda: show("NRestarts")[0] != restarts
               and show("MainPID")[0] not in ("0", before) and show("ActiveState")[0] == "active")
    took = time.monotonic() - begin
    journal = run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager").stdout
    if "Watchdog timeout" not in journal:
        raise Failed(f"it was not the watchdog that restarted it: {journal[-2000:]}")
    got = books(57)
    expect("steps received, those sent meanwhile included", got["steps_received"], 57)
    return f"running again after {took:.1f} s (WatchdogSec={WATCHDOG_S}), 57 counted"


def check_restart():
    before = books(57)
    run("systemctl", "restart", UNIT)
    after = books(57)
    expect("books after the restart", of_steps(after), of_steps(before))
    send_steps(50, 17)
    got = books(67)
    expect("duplicates", got["steps_rejected"]["duplicate"],
           before["steps_rejected"]["duplicate"] + 7)
    return "books equal; 10 new steps counted, 7 known ones not"


def check_reload():
    before = show("MainPID", "NRestarts")
    uptime = online()["uptime_s"]
    run("systemctl", "reload", UNIT)
    wait_until("active after the reload", lambda: show("ActiveState") == ["active"])
    expect("process and restarts", show("MainPID", "NRestarts"), before)
    wait_until("a word after the reload", lambda: online()["uptime_s"] > uptime)
    books(67)
    return "same process, online again"


def check_stop():
    begin = time.monotonic()
    run("systemctl", "stop", UNIT)
    took = time.monotonic() - begin
    expect("how it ended", show("ActiveState", "Result", "ExecMainStatus"),
           ["inactive", "success", "0"])
    expect("state", (subscribe("service/backstepd") or {}).get("state"), "offline")
    return f"in {took:.1f} s, status 0"


def check_bad_configuration():
    CONF.write_text(GOOD_CONF + "[mqtt]\ncolour = blue\n")
    if run("systemctl", "start", UNIT, check=False).returncode == 0:
        raise Failed("it starts with an unknown key")
    expect("how it ended", show("ActiveState", "ExecMainStatus"), ["failed", "78"])
    time.sleep(4)
    expect("what systemd did then", show("ActiveState", "NRestarts"), ["failed", "0"])
    journal = run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager", "-n", "20").stdout
    if not re.search(r"backstepd\.conf:\d+: ", journal):
        raise Failed(f"no file:line in {journal!r}")
    CONF.write_text(GOOD_CONF)
    return "status 78, file and line in the journal, no restart"


def check_credential():
    named = GOOD_CONF.replace("[mqtt]\n", "[mqtt]\nusername = box\npassword_file = mqtt-password\n")
    CONF.write_text(named)
    run("systemctl", "start", UNIT, check=False)
    expect("without the secret", show("ActiveState", "ExecMainStatus"), ["failed", "78"])
    store = Path("/etc/credstore")
    store.mkdir(mode=0o700, exist_ok=True)
    (store / "backstepd.mqtt-password").write_text("open sesame\n")
    run("systemctl", "start", UNIT)
    books(67)
    run("systemctl", "stop", UNIT)
    CONF.write_text(GOOD_CONF)
    return "from /etc/credstore; status 78 without it"


def check_certificates():
    """Both sides of the broker's link by certificate; ours come as credentials."""
    made = Path("/certificates")
    for name in made.iterdir():
        name.chmod(0o644)  # mosquitto reads its key as a user of its own
    for name, file in (("ca", "ca.pem"), ("cert", "daemon.pem"), ("key", "daemon.key")):
        shutil.copy(made / file, f"/etc/credstore/backstepd.mqtt-{name}")
    listener = Path("/etc/mosquitto/conf.d/tls.conf")
    listener.write_text(
        f"listener 1883 127.0.0.1\nallow_anonymous true\nlistener 8884 127.0.0.1\n"
        f"cafile {made}/ca.pem\ncertfile {made}/broker.pem\nkeyfile {made}/broker.key\n"
        "require_certificate true\n")
    CONF.write_text(GOOD_CONF.replace(
        "uri = mqtt://127.0.0.1:1883\n", "uri = mqtts://localhost:8884\nca_file = mqtt-ca\n"
        "cert_file = mqtt-cert\nkey_file = mqtt-key\n"))
    run("systemctl", "restart", "mosquitto.service")
    run("systemctl", "start", UNIT)
    books(67)
    run("systemctl", "stop", UNIT)
    CONF.write_text(GOOD_CONF)
    return "online over TLS; authority, certificate and key from /etc/credstore"


def check_instance():
    """A site of its own beside others: configuration and state by the instance's name."""
    run("systemctl", "clean", "--what=state", UNIT)
    (CONF.parent / "hall.conf").write_text(GOOD_CONF.replace("id = test", "id = hall"))
    unit = "backstepd@hall.service"
    run("systemctl", "start", unit)
    expect("state", show("ActiveState", unit=unit), ["active"])
    if not any((STATE / "hall").iterdir()):
        raise Failed(f"{STATE}/hall is empty")
    run("systemctl", "stop", unit)
    return f"state in {STATE}/hall"


CHECKS = [check_units, check_confinement, check_start, check_state_folder, check_steps,
          check_watchdog, check_restart, check_reload, check_stop, check_bad_configuration,
          check_credential, check_certificates, check_instance]


def prepare():
    shutil.copytree("/stage", "/", dirs_exist_ok=True, symlinks=True)
    CONF.write_text(GOOD_CONF)
    Path("/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    drop_in = Path(f"/run/systemd/system/{UNIT}.d/watchdog.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
    run("systemctl", "daemon-reload")


def judge(check):
    try:
        return "passed", check()
    except (Failed, OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as problem:
        return "failed", f"{type(problem).__name__}: {problem}"


def main():
    prepare()
    with open(RESULTS / "outcomes", "w", buffering=1) as outcomes:
        for check in CHECKS:
            begin = time.monotonic()
            outcome, text = judge(check)
            outcomes.write(json.dumps({
                "name": check.__name__.removeprefix("check_"), "outcome": outcome, "text": text,
                "seconds": time.monotonic() - begin}) + "\n")
    journal = run("journalctl", "-o", "short-monotonic", "--no-pager", "-n", "300").stdout
    (RESULTS / "journal").write_text(journal)
    (RESULTS / "done").touch()


if __name__ == "__main__":
    main()

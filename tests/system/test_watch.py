"""backstepctl watch, and the boards it shows: published by hand, and by a daemon whose class walks.

Must never take a terminal's bytes for what a person sees: only texts and their colours are looked
for.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from datetime import datetime, timezone

from daemon import Operator
from harness import expect, expect_true, now_ms, step_json
from processes import Failure, wait_until
from test_ctl import DONE, GAVE_UP, NO, USAGE, Ctl

LIVE = "backstep/v1/test/live/"


def member(name, alias, **values):
    return {"member": name, "alias": alias, "dir": "B", "cadence_spm": 98.2, "step_mm": 402,
            "walk_ratio": 0.00409, "last_step_age_s": 0.6, **values}


def board(group, *members, age_s=0, **values):
    return json.dumps({"t": now_ms() - round(1000 * age_s), "group": group, "drill": "back-twenty",
                       "phase": "imprint", "members": list(members), **values})


def put(broker, group, text):
    with broker.client() as client:
        client.publish(LIVE + group, text, retain=True)


def columns(lines):
    """Each line without its time."""
    return [line.split("\t")[1:] for line in lines]


def row(group, name, alias, *more, way="backward", figures=("98.2", "402", "0.00409")):
    return [group, "back-twenty", "imprint", name, alias, way, *figures, *more]


def without_age(rows):
    return [r[:-1] for r in rows]


def test_once(case):
    broker = case.broker()
    ctl = Ctl(case, broker)
    expect(ctl("watch", "--once")[:2], (NO, []), "no board at all")
    put(broker, "tue", board("tue", member("m-01", "Ruth", retention_pct=71.04,
                                           slip={"metric": "trunk_pitch", "age_s": 2}),
                             member("m-02", "Zoë", dir="N"),
                             member("m-03", "Gone", last_step_age_s=31)))
    put(broker, "mon", board("mon"))
    put(broker, "old", board("old", member("m-04", "Old"), age_s=31))
    tue = [row("tue", "m-01", "Ruth", "71.0", "trunk pitch"),
           row("tue", "m-02", "Zoë", "-", "-", way="on the spot")]
    for version in ("5", "3.1.1"):
        ctl = Ctl(case, broker, version=version)
        status, out, err = ctl("watch", "--once")
        expect((status, err), (DONE, []), "watch --once")
        expect(without_age(columns(out)), [["mon", "back-twenty", "imprint"] + 8 * ["-"], *tue],
               "all boards")
        expect(without_age(columns(ctl("watch", "--once", "tue")[1])), tue, "one board")
    status, out, err = ctl("watch", "--once", "old")
    expect((status, out), (NO, []), "an old board")
    expect_true("no board of old that is younger than 30 s" in err[0], err)
    expect(ctl("watch", "a", "b")[0], USAGE, "exit status for two groups")
    expect(ctl("watch", "a/b")[0], USAGE, "exit status for what is no group")
    broker.stop()
    expect(ctl("watch", "--once", "--timeout", "1")[0], GAVE_UP, "exit status without a broker")
    expect(ctl("watch", "--timeout", "1")[0], GAVE_UP, "exit status of a watch without a broker")


def test_lines(case):
    """Each board that comes, over a broker that goes and comes again, until Ctrl-C."""
    broker = case.broker()
    put(broker, "tue", board("tue", member("m-01", "Ruth")))
    watch = Ctl(case, broker).start("watch", "tue")

    def shown():
        lines = [line for line in watch.text().splitlines() if "\t" in line]
        return without_age(columns(lines))

    expected = [row("tue", "m-01", "Ruth", "-", "-")]
    wait_until(lambda: shown() == expected, 10, "the board that was there")
    put(broker, "wed", board("wed", member("m-01", "Ruth")))
    put(broker, "tue", board("tue", member("m-01", "Ruth", step_mm=410), member("m-02", "Ida")))
    expected += [row("tue", "m-01", "Ruth", "-", "-", figures=("98.2", "410", "0.00409")),
                 row("tue", "m-02", "Ida", "-", "-")]
    wait_until(lambda: shown() == expected, 10, "the next one")
    put(broker, "tue", "no board")
    put(broker, "tue", "")
    broker.kill()
    wait_until(lambda: "is lost; trying again" in watch.text(), 10, "the loss is said")
    broker.start()
    put(broker, "tue", board("tue"))
    expected.append(["tue", "back-twenty", "imprint"] + 8 * ["-"])
    wait_until(lambda: shown() == expected, 20, f"the last of {expected}")
    watch.signal(signal.SIGINT)
    expect(watch.wait(10), DONE, "exit status after Ctrl-C")


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, command, lines=24, **env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**environment, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
        os.close(slave)
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.seen += os.read(self.master, 1 << 16).decode(errors="replace")
            except OSError:  # the other end is closed
                return
        if len(self.seen) > 1 << 20:
            raise Failure("the terminal is written to without end")

    def screen(self):
        """What stands there since it was drawn last."""
        self.read()
        return self.seen.rsplit("\033[H", 1)[-1]

    def wait_for(self, text, timeout=10):
        wait_until(lambda: text in self.screen(), timeout, f"{text!r} on the screen")
        return self.screen()

    def interrupt(self):
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(10)
        self.read()
        return status


def test_terminal(case):
    broker = case.broker()
    ctl = Ctl(case, broker)
    put(broker, "tue", board("tue", member("m-01", "Ruth", slip={"metric": "step_time", "age_s": 3}),
                             member("m-02", "Zoë\x1b[2J", dir="F")))
    with Terminal(ctl.command("watch")) as terminal:
        screen = terminal.wait_for("Zoë")
        for text in ("Ruth", "◀ backward", "▶ forward", "slip: step time, 3 s ago", "back-twenty",
                     "\033[1;31m", "Zoë?[2J"):
            expect_true(text in screen, f"{text!r} in {screen!r}")
        terminal.wait_for("slip: step time, 5 s ago")  # it goes on by itself
        put(broker, "tue", "")
        terminal.wait_for("no board of any group")
        put(broker, "tue", board("tue", *(member(f"m-{i}", f"Walker {i:02}") for i in range(40))))
        screen = terminal.wait_for("Walker 17")
        expect_true(screen.count("\n") <= 23, f"lines on a screen of 24: {screen!r}")
        expect_true("and 22 more" in screen, f"how many are left out in {screen!r}")
        broker.kill()
        terminal.wait_for("no connection to")
        broker.start()
        put(broker, "tue", board("tue", member("m-01", "Back again")))
        expect_true("connection" not in terminal.wait_for("Back again", 20), "all is well")
        expect(terminal.interrupt(), DONE, "exit status after Ctrl-C")
        expect_true(terminal.seen.startswith("\033[?1049h"), "a screen of its own")
        expect_true(terminal.seen.endswith("\033[?7h\033[?25h\033[?1049l"), "and back")
    put(broker, "tue", board("tue", member("m-01", "Ruth")))
    for env, text in (({"NO_COLOR": "1"}, "◀ backward"), ({"LC_ALL": "C"}, "backward")):
        with Terminal(ctl.command("watch", "tue"), **env) as terminal:
            screen = terminal.wait_for("Ruth")
            expect_true(text in screen, f"{text!r} in {screen!r}")
            expect("\033[1" in screen, "NO_COLOR" not in env, f"colours in {screen!r}")
    with Terminal(ctl.command("watch", "--once"), TERM="dumb") as terminal:
        expect(terminal.process.wait(10), DONE, "exit status on a dumb terminal")
        terminal.read()
        expect_true("m-01\tRuth\tbackward" in terminal.seen, f"lines in {terminal.seen!r}")


# --- the boards of a daemon -----------------------------------------------------------------------


class Boards:
    """What the daemon publishes on one group's board, in order."""

    def __init__(self, broker, group):
        self.client = broker.client()
        self.client.subscribe(LIVE + group)
        self.all = []  # None: deleted

    def look(self):
        while message := self.client.receive(0.05):
            expect(message.qos, 0, "QoS of a board")
            self.all.append(json.loads(message.payload) if message.payload else None)
        return self.all

    def wait(self, check, what, timeout=20):
        return wait_until(lambda: self.look() and check(self.all[-1]) and (self.all[-1] or True),
                          timeout, what)

    def wait_for_members(self, *names):
        return self.wait(lambda b: b and [m["member"] for m in b["members"]] == list(names),
                         f"a board of {names}, and not {self.all[-1:]}")

    def wait_for_deletion(self):
        self.wait(lambda b: b is None, "a deletion")


class Walk:
    """Steps of some devices, now."""

    def __init__(self, broker, daemon):
        self.client, self.daemon, self.seq = broker.client(), daemon, 0

    def steps(self, *devices, **values):
        for device in devices:
            self.seq += 1
            self.client.publish(self.daemon.topic(f"device/{device}/steps"), step_json(
                7, self.seq, dir="B", step_ms=600, step_mm=402, **values))


def iso_now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def begin_class(operator):
    operator.accept("settings", "site", {"refresh_s": 1, "reorder_ms": 0})
    operator.accept("drill", "back-twenty", {"phases": [{"name": "imprint", "direction": "B"}]})
    operator.accept("session", "tue", {"drill": "back-twenty", "phase": "imprint",
                                       "start": iso_now()})
    for name, consent in (("m-01", "member"), ("m-02", "member"), ("m-03", "group")):
        operator.accept("member", name, {"alias": f"Alias {name}", "consent": consent,
                                         "devices": [f"pod-{name}"], "groups": ["tue"]})


def test_board_of_a_class(case):
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    boards, walk, ctl = Boards(broker, "tue"), Walk(broker, daemon), Ctl(case, broker)
    with Operator(daemon, broker) as operator:
        begin_class(operator)
        for _ in range(3):
            walk.steps("pod-m-01", "pod-m-02", "pod-m-03")
            time.sleep(0.5)
        found = boards.wait_for_members("m-01", "m-02")
        expect((found["group"], found["drill"], found["phase"]), ("tue", "back-twenty", "imprint"),
               "the class")
        first = found["members"][0]
        expect({key: first[key] for key in ("alias", "dir", "cadence_spm", "step_mm")},
               {"alias": "Alias m-01", "dir": "B", "cadence_spm": 100.0, "step_mm": 402}, "Ruth")
        out = ctl("watch", "--once", "tue")[1]
        expect([line[4] for line in columns(out)], ["Alias m-01", "Alias m-02"], "who is shown")
        operator.accept("member", "m-01", {"consent": "group", "devices": ["pod-m-01"],
                                           "groups": ["tue"]})
        # It is off the board before that is answered: the retained one, too.
        late = Boards(broker, "tue")
        expect([[m["member"] for m in b["members"]] for b in late.look() if b], [["m-02"]],
               "the board that the broker keeps")
        boards.wait_for_members("m-02")
        operator.delete("session", "tue")
        boards.wait_for_deletion()
    expect(Boards(broker, "tue").look(), [], "what the broker keeps")
    expect(ctl("watch", "--once")[0], NO, "exit status without a board")
    times = [b["t"] for b in boards.all if b]
    expect(times, sorted(times), "times of the boards")


def test_boards_over_a_restart(case):
    """Of a class that ended while the daemon was away there is no board, of one that goes on the board
    of now."""
    broker = case.broker()
    daemon = case.daemon(broker.uri).start_online(broker)
    walk = Walk(broker, daemon)
    with Operator(daemon, broker) as operator:
        begin_class(operator)
        operator.accept("session", "wed", {"drill": "back-twenty", "start": iso_now()})
        operator.accept("member", "m-04", {"consent": "member", "devices": ["pod-m-04"],
                                           "groups": ["wed"]})
    walk.steps("pod-m-01", "pod-m-02", "pod-m-04")
    tue, wed = Boards(broker, "tue"), Boards(broker, "wed")
    tue.wait_for_members("m-01", "m-02")
    wed.wait_for_members("m-04")
    daemon.freeze()
    with broker.client() as client:
        client.publish(daemon.topic("config/session/wed"), "", retain=True)
        client.publish(daemon.topic("config/member/m-01"), "", retain=True)
    daemon.kill_running()
    daemon.start_online(broker)
    tue.wait_for_members("m-02")
    wed.wait_for_deletion()
    expect(Boards(broker, "wed").look(), [], "what the broker keeps")

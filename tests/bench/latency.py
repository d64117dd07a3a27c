"""Time from the publication of a step to the row that counts it, as a query of InfluxDB sees it.

A class walks at about 1000 steps a second through mosquitto; ten more devices, the probes, send
single steps at random moments, and the sum of each probe's rows is asked for all the while. Must
never take the load's own steps for a probe's.
"""

import threading
import time

from harness import Case, step_json

PROBES = 10
PROBE_EVERY_S = 0.05
ASK_EVERY_S = 0.01
STEPS_PER_S = 1000
PACE = 110
PATIENCE_S = 20


class Probes:
    """Sends steps and remembers when."""

    def __init__(self, case, broker, daemon):
        self.case, self.broker, self.daemon = case, broker, daemon
        self.sent = [[] for _ in range(PROBES)]  # moments, per probe
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with self.broker.client() as client:
            while not self.stop.wait(self.case.random.expovariate(1 / PROBE_EVERY_S)):
                number = self.case.random.randrange(PROBES)
                moments = self.sent[number]
                topic = self.daemon.topic(f"device/probe-{number}/steps")
                payload = step_json(7, len(moments), foot="L", dir="F")
                moments.append(time.monotonic())
                client.publish(topic, payload)


def ask(influx):
    """{probe: steps that its rows count}"""
    rows = influx.rows("SELECT sum(steps) FROM gait_window WHERE member =~ /^guest-probe-/ "
                       "GROUP BY member")
    return {int(row["member"].rpartition("-")[2]): row["sum"] for row in rows}


def watch(influx, probes, seconds):
    """Delays of all probe steps, in seconds."""
    seen, delays = [0] * PROBES, []
    end = time.monotonic() + seconds
    while time.monotonic() < end + PATIENCE_S:
        if time.monotonic() > end:
            probes.stop.set()
            if seen == [len(moments) for moments in probes.sent]:
                break
        for number, count in ask(influx).items():
            now = time.monotonic()
            delays += [now - moment for moment in probes.sent[number][seen[number]:int(count)]]
            seen[number] = int(count)
        time.sleep(ASK_EVERY_S)
    return delays


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(build, seconds, refresh_s, reorder_ms, flush_ms):
    """{p50_s, p99_s, …} with that refresh, wait for order and flush."""
    with Case(build, seed=1) as case:
        broker, influx = case.broker(), case.influx()
        daemon = case.daemon(broker.uri, influx, influxdb={"flush_ms": flush_ms})
        daemon.start_online(broker)
        daemon.settings(broker, refresh_s=refresh_s, reorder_ms=reorder_ms)
        load = case.send("simulate", broker, daemon, members=round(STEPS_PER_S * 60 / PACE),
                         pace=PACE, duration=seconds + 4)
        time.sleep(3)
        probes = Probes(case, broker, daemon)
        probes.thread.start()
        try:
            delays = watch(influx, probes, seconds)
        finally:
            probes.stop.set()
            probes.thread.join()
        truth = load.wait()
        sent = sum(d["steps"] for steps in truth["sent"].values() for d in steps.values())
        return {"p50_s": round(quantile(delays, 0.5), 3), "p99_s": round(quantile(delays, 0.99), 3),
                "probes": len(delays), "unseen": sum(map(len, probes.sent)) - len(delays),
                "load_per_s": round(sent / (seconds + 4)), "refresh_s": refresh_s,
                "reorder_ms": reorder_ms, "flush_ms": flush_ms}

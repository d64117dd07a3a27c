"""The real neighbours, private: mosquitto, influxd and VictoriaMetrics on free loopback ports.

Each can be stopped, killed and started again on the port and folder it had. Must never use a fixed
port nor a folder outside the scene's.
"""

import json
import os
import shutil
import signal
import urllib.error
import urllib.parse
import urllib.request

from mqtt import Client
from processes import Failure, free_port, port_answers, wait_until


def find_program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Server:
    """What all have in common: a folder, a port, a process that comes and goes."""

    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        self.folder = scene.folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.child = None

    def start(self):
        self.child = self.scene.start(self.name, self.command())
        wait_until(self.ready_or_dead, 15, f"{self.name} answers on port {self.port}")
        return self

    def ready_or_dead(self):
        if not self.child.running():
            raise Failure(f"{self.name} ended at once:\n{self.child.text()[-2000:]}")
        return self.ready()

    def kill(self):
        self.child.kill()

    def stop(self):
        self.child.terminate()

    def freeze(self):
        self.child.signal(signal.SIGSTOP)

    def thaw(self):
        self.child.signal(signal.SIGCONT)


class Broker(Server):
    """mosquitto; its store is saved on demand only, so that a kill really loses."""

    def __init__(self, scene):
        super().__init__(scene, "mosquitto")
        self.store = self.folder / "mosquitto.db"
        self.conf = self.folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true",
            f"persistence_location {self.folder}/", "autosave_interval 86400",
            "max_queued_messages 0", "max_inflight_messages 100", "log_dest stderr",
            "set_tcp_nodelay true",  # else each answer waits 40 ms for an acknowledgement
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        self.conf.write_text("\n".join(lines) + "\n")

    def command(self):
        return [find_program("mosquitto"), "-c", self.conf]

    def ready(self):
        return port_answers(self.port)

    @property
    def uri(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def client(self, client_id=""):
        return Client(self.port, client_id)

    def save(self):
        """Writes sessions and queues to the disk now."""
        def state():
            found = self.store.stat() if self.store.exists() else None
            return found and (found.st_ino, found.st_mtime_ns)

        before = state()
        self.child.signal(signal.SIGUSR1)
        wait_until(lambda: state() not in (before, None), 15, "the broker's store is saved")


INFLUX_CONF = """\
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


class Influx(Server):
    """influxd 1.x with an empty database."""

    def __init__(self, scene, database="backstep"):
        super().__init__(scene, "influxd")
        self.database = database
        self.conf = self.folder / "influxdb.conf"
        self.conf.write_text(
            INFLUX_CONF.format(rpc=free_port(), port=self.port, folder=self.folder))

    def command(self):
        return [find_program("influxd"), "-config", self.conf]

    def start(self):
        super().start()
        self.statement(f'CREATE DATABASE "{self.database}"')
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, form=None, timeout=30):
        return urllib.request.urlopen(self.url + path, form, timeout)

    def ready(self):
        try:
            with self.ask("/ping", timeout=2) as answer:
                return answer.status == 204
        except OSError:
            return False

    def statement(self, text):
        """Runs one statement of InfluxQL; gives its series as InfluxDB has them."""
        form = urllib.parse.urlencode({"db": self.database, "epoch": "ms", "q": text}).encode()
        try:
            with self.ask("/query", form) as answer:
                found = json.load(answer)["results"][0]
        except urllib.error.HTTPError as error:
            raise Failure(f"{text}: {error.code} {error.read()[:300]}") from None
        if "error" in found:
            raise Failure(f"{text}: {found['error']}")
        return found.get("series", [])

    def write(self, *lines):
        """Lines of somebody else's, with timestamps in milliseconds."""
        query = urllib.parse.urlencode({"db": self.database, "precision": "ms"})
        self.ask("/write?" + query, "\n".join(lines).encode(), timeout=10).close()

    def rows(self, text):
        """The same as a list of dictionaries: the tags of GROUP BY and the columns."""
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values))}
            for series in self.statement(text) for values in series["values"]
        ]

    def step_totals(self):
        """{member: {direction: steps}}"""
        totals = {}
        for row in self.rows("SELECT sum(steps) FROM gait_window GROUP BY member, direction"):
            totals.setdefault(row["member"], {})[row["direction"]] = row["sum"]
        return totals


class Victoria(Server):
    """VictoriaMetrics: another reader of our lines, over the write addresses of v1 and v2."""

    def __init__(self, scene):
        super().__init__(scene, "victoria-metrics")

    def command(self):
        return [find_program("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{self.port}",
                f"-storageDataPath={self.folder}/data", "-retentionPeriod=100y",
                "-search.latencyOffset=0s", "-memory.allowedBytes=64MB"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read()

    def ready(self):
        try:
            return self.get("/health") == b"OK"
        except OSError:
            return False

    def series(self, name):
        """Each series of that name as it is exported: its tags, values and timestamps."""
        self.get("/internal/force_flush")
        query = urllib.parse.urlencode({"match[]": name})
        return [json.loads(line) for line in self.get("/api/v1/export?" + query).splitlines()]

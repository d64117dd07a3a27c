"""The neighbours as an operator should run them: mosquitto with the sample configuration, influxd
with HTTPS and users, and the certificates both need.

Of the samples only paths and ports are replaced. Must never keep a key outside the scene's folder.
"""

import base64
import os
import re
import ssl
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import TREE
from mqtt import Client
from processes import free_port, port_answers
from servers import Broker, Influx, find_program

SAMPLE = TREE / "configs" / "mosquitto"
INSTALLED = "/etc/mosquitto/backstep/"
WEARABLES, SERVICES, PEOPLE = "8883", "8884", "8885"
PASSWORDS = {"coach": "carry over", "desk": "in the office"}
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Certificates:
    """Authorities and what they sign, each NAME.pem with NAME.key."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)

    def path(self, name):
        return self.folder / name

    def run(self, *command):
        subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)

    def authority(self, name, subject=None):
        self.run("req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
                 "-subj", f"/CN={subject or name}")

    def sign(self, name, authority, subject, alternative="DNS:none", days=2):
        """Days may be negative: one that has expired."""
        request, extension = self.path(f"{name}.csr"), self.path(f"{name}.ext")
        extension.write_text(f"subjectAltName={alternative}\n")
        self.run("req", *KEY, "-keyout", f"{name}.key", "-out", request, "-subj", f"/CN={subject}")
        self.run("x509", "-req", "-in", request, "-CA", f"{authority}.pem", "-CAkey",
                 f"{authority}.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days),
                 "-extfile", extension)

    def sign_many(self, names, authority, key):
        """One key for all of them: what takes long is to draw one."""
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{key}.key")

        def sign(name):
            self.run("req", "-x509", "-new", "-key", f"{key}.key", "-CA", f"{authority}.pem",
                     "-CAkey", f"{authority}.key", "-subj", f"/CN={name}", "-days", "2",
                     "-out", f"{name}.pem")

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(sign, names))

    def server(self, name, authority, **options):
        self.sign(name, authority, "localhost", "DNS:localhost,IP:127.0.0.1", **options)

    def context(self, authority, name=None, key=None):
        """A client's: whom it trusts, and who it is."""
        context = ssl.create_default_context(cafile=self.path(f"{authority}.pem"))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{key or name}.key"))
        return context

    def keys(self, name, authority="services-ca"):
        """The same as keys of the daemon's configuration."""
        return {"ca_file": self.path(f"{authority}.pem"), "cert_file": self.path(f"{name}.pem"),
                "key_file": self.path(f"{name}.key")}


class SafeBroker(Broker):
    """mosquitto with configs/mosquitto, on ports of its own."""

    def __init__(self, scene):
        super().__init__(scene)
        self.installed = Certificates(self.folder / "backstep")
        self.ports = {name: free_port() for name in (WEARABLES, SERVICES, PEOPLE)}
        self.port = self.ports[PEOPLE]  # the last to be opened
        self.make_certificates()
        for sample in SAMPLE.glob("*.acl"):
            self.installed.path(sample.name).write_text(sample.read_text())
        self.write_passwords()
        self.write_configuration()

    def make_certificates(self):
        for name in ("wearables-ca", "services-ca"):
            self.installed.authority(name)
        self.installed.server("broker", "services-ca")
        for name in ("backstepd.north", "desk"):
            self.installed.sign(name, "services-ca", name)

    def write_passwords(self):
        passwords = self.installed.path("passwords")
        passwords.touch(mode=0o600)
        for user, password in PASSWORDS.items():
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True)

    def write_configuration(self):
        """As Debian has it: a file of its own for what is the machine's, and one of a folder."""
        text = (SAMPLE / "backstep.conf").read_text().replace(INSTALLED, f"{self.installed.folder}/")
        for name, port in self.ports.items():
            text, count = re.subn(rf"(?m)^listener {name}$", f"listener {port} 127.0.0.1", text)
            assert count == 1, name
        folder = self.folder / "conf.d"
        folder.mkdir()
        (folder / "backstep.conf").write_text(text)
        lines = ["persistence true", f"persistence_location {self.folder}/", "log_dest stderr",
                 "log_type all", f"include_dir {folder}"]
        if os.geteuid() == 0:
            lines.append("user root")
        self.conf.write_text("\n".join(lines) + "\n")

    def ready(self):
        return all(port_answers(port) for port in self.ports.values())

    @property
    def uri(self):
        return f"mqtts://localhost:{self.ports[SERVICES]}"

    def wearable(self, name, client_id=""):
        return Client(self.ports[WEARABLES], client_id,
                      self.installed.context("services-ca", self.certify_wearable(name)))

    def certify_wearable(self, name):
        if not self.installed.path(f"{name}.pem").exists():
            self.installed.sign(name, "wearables-ca", name)
        return name

    def service_client(self, name, client_id=""):
        return Client(self.ports[SERVICES], client_id,
                      self.installed.context("services-ca", name))

    def person(self, name, password=None):
        return Client(self.ports[PEOPLE], "", self.installed.context("services-ca"),
                      (name, password or PASSWORDS[name]))

    def client(self, client_id=""):
        return self.service_client("desk", client_id)

    def keys(self, name):
        return self.installed.keys(name)


class SafeInflux(Influx):
    """influxd that speaks HTTPS only and knows its users."""

    def __init__(self, scene, certificates):
        super().__init__(scene)
        certificates.authority("influx-ca")
        certificates.server("influx", "influx-ca")
        self.context = certificates.context("influx-ca")
        self.ca_file = certificates.path("influx-ca.pem")
        with open(self.conf, "a") as conf:
            conf.write(f'  auth-enabled = true\n  https-enabled = true\n'
                       f'  https-certificate = "{certificates.path("influx.pem")}"\n'
                       f'  https-private-key = "{certificates.path("influx.key")}"\n')

    def start(self):
        self.login = None
        super(Influx, self).start()
        # The first user may be made by anybody, and must be an administrator.
        self.statement("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES")
        self.login = base64.b64encode(b"root:root").decode()
        for text in (f'CREATE DATABASE "{self.database}"',
                     "CREATE USER backstepd WITH PASSWORD 'to write'",
                     f'GRANT WRITE ON "{self.database}" TO backstepd'):
            self.statement(text)
        return self

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def ask(self, path, form=None, timeout=30):
        request = urllib.request.Request(self.url + path, form)
        if self.login:
            request.add_header("Authorization", f"Basic {self.login}")
        return urllib.request.urlopen(request, timeout=timeout, context=self.context)


def have_influx():
    return find_program("influxd") is not None

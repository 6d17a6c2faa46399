# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A real DNS server (Knot) with one zone that changes while it runs."""

import os
import shutil
import subprocess

from .places import free_address
from .process import Child, unprivileged
from .waiting import wait_until

ZONE = "db.example"
SERVICE = f"_pg._tcp.{ZONE}"

_CONFIGURATION = """\
server:
    rundir: "{directory}"
    listen: {host}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{directory}/db"
control:
    listen: "{directory}/knot.sock"
log:
  - target: stderr
    any: error
mod-stats:
  - id: counts
    reply-nodata: on
template:
  - id: default
    global-module: mod-stats/counts
    storage: "{directory}"
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: {zone}
    file: zone
  - domain: broken.example
    file: missing
"""


def tool(name):
    return shutil.which(name) or f"/usr/sbin/{name}"


def server_records(addresses, ttl=1):
    """SRV records of SERVICE for servers at these (host, port), called db1, db2 …; None leaves one out."""
    return [line for number, address in enumerate(addresses, 1) if address for line in (
        f"_pg._tcp {ttl} SRV 0 1 {address[1]} db{number}", f"db{number} {ttl} A {address[0]}")]


class NameServer:
    def __init__(self, place, lines=(), port=None):
        host, free = free_address()
        self.address = host, port or free
        self.directory = place.directory(f"knot-{self.address[0]}-{self.address[1]}")
        place.directory(f"{self.directory}/db")
        self.serial = 0
        host, port = self.address
        self.text = f"{host}:{port}"
        with open(os.path.join(self.directory, "knot.conf"), "w") as file:
            file.write(_CONFIGURATION.format(directory=self.directory, host=host, port=port, zone=ZONE))
        self._write(lines)
        self.start()

    def start(self):
        self.child = Child([tool("knotd"), "-c", os.path.join(self.directory, "knot.conf")],
                           os.path.join(self.directory, "output"), user=unprivileged(), cwd="/")
        wait_until(lambda: self._control("zone-status", ZONE), "the DNS server is ready", timeout=20)

    def change(self, lines):
        """Replaces the records of the zone; the server has them when this returns."""
        self._write(lines)
        assert self._control("zone-reload", ZONE), self.child.text()

    def count(self, name):
        """Replies of a kind since the start: `response-code[NXDOMAIN]`, `reply-nodata[other]`."""
        counts = dict(line.split(" = ") for line in self._output("stats", "mod-stats").splitlines() if " = " in line)
        return int(counts.get(f"mod-stats.{name}", 0))

    def refuse(self):
        """Answers SERVFAIL from now on, until it has a zone again."""
        with open(os.path.join(self.directory, "zone"), "w") as file:
            file.write("no zone\n")
        self._control("zone-purge", "-f", ZONE)

    def stop(self):
        self.child.kill()

    def _write(self, lines):
        self.serial += 1
        head = [f"$ORIGIN {ZONE}.", f"@ 1 SOA ns admin {self.serial} 60 60 60 1", "@ 1 NS ns",
                f"ns 1 A {self.address[0]}"]
        path = os.path.join(self.directory, "zone")
        with open(path + ".new", "w") as file:
            file.write("\n".join([*head, *lines]) + "\n")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def _control(self, *arguments):
        return self._run("-b", *arguments).returncode == 0

    def _output(self, *arguments):
        return self._run(*arguments).stdout

    def _run(self, *arguments):
        return subprocess.run([tool("knotc"), "-s", os.path.join(self.directory, "knot.sock"), *arguments],
                              capture_output=True, text=True)

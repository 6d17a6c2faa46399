# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The parties of a benchmark: one PostgreSQL, the poolers in front of it, and what a load costs them."""

import os
import shutil
import ssl
import statistics
import subprocess
import time

from lib import proc, tls
from lib.certificates import Authority
from lib.config import Config, Route
from lib.load import pgbench, transactions
from lib.places import Workplace, free_address
from lib.pooler import Pooler
from lib.postgres import Postgres
from lib.process import Child, unprivileged
from lib.waiting import wait_until
from lib.wire import dial, startup
from scenarios import BIG, ONE, POOL_SIZE

#: Clients before the counting starts, so that what a pooler allocates once is not blamed on the first of them.
FIRST_CLIENTS = 50


class Ground:
    """PostgreSQL with pgbench's tables at scale 10, reachable over TCP and over a Unix socket, and the scripts."""

    def __init__(self, name):
        self.place = Workplace(name)
        sockets = self.place.directory("sockets")
        self.server = Postgres.primary(self.place, settings=f"unix_socket_directories = '{sockets}'\n")
        self.local = sockets, self.server.address[1]
        pgbench(self.server.address, "-i", "-s", 10, "-q")
        self._authority = Authority(self.place.directory("authority"))
        self._scripts = {text: self._write(f"script{n}.sql", text) for n, text in enumerate((BIG, ONE))}

    def _write(self, name, text):
        path = os.path.join(self.place.path, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def certificate(self, host):
        """One that whichever user a pooler runs as can read."""
        own = self._authority.issue(host, "pooler", [host], kind="rsa")
        return own.copied_for(unprivileged(), self.place.directory(f"certificate-{host}"))

    def options(self, load, kind):
        """What pgbench is told for `load` in front of a kind of pooler, apart from its length."""
        options = load.peer_options if kind == "pgbouncer" and load.peer_options else load.options
        return ["-n", "-j", 1, *options, *(["-f", self._scripts[load.script]] if load.script else [])]

    def stop(self):
        self.server.stop()


class Contender:
    """A kind of pooler; Carom may come as several binaries. Poolers are started when a row first needs them."""

    def __init__(self, title, kind, ground, program=None):
        self.title, self.kind, self.ground, self.program = title, kind, ground, program
        self._running = {}

    def start(self, unix=False, workers=1, prefix=(), encrypted=False):
        options = {} if self.kind == "pgbouncer" else {"globals": {"log_session": False, "log_stats": False}}
        if unix:
            options["unix_socket_dir"] = self.ground.place.directory(f"sockets-{self.title.replace(' ', '-')}")
        address = free_address()
        if encrypted:
            own = self.ground.certificate(address[0])
            options["listen"] = {"tls": "require", "tls_cert_file": own.cert, "tls_key_file": own.key}
        config = Config(self.ground.local if unix else self.ground.server.address, workers=workers,
                        routes=[Route(pool="transaction", pool_size=POOL_SIZE)], **options)
        return Pooler(self.ground.place, config, kind=self.kind, program=self.program, prefix=prefix, address=address)

    def pooler(self, unix=False, encrypted=False):
        """The one pooler of this contender with these settings."""
        key = unix, encrypted
        if key not in self._running:
            self._running[key] = self.start(unix, encrypted=encrypted)
        return self._running[key]

    def stop(self):
        for pooler in self._running.values():
            pooler.stop()
        self._running = {}


def entrance(pooler, unix):
    """Where the clients of a load go in, as pgbench wants it."""
    return (pooler.config.unix_socket_dir, pooler.address[1]) if unix else pooler.address


def run_load(ground, pooler, load, *length):
    """Has pgbench's clients come to a pooler as the load says; returns pgbench's output."""
    return pgbench(entrance(pooler, load.unix), *ground.options(load, pooler.kind), *length,
                   sslmode="require" if load.tls else "disable")


class Cost:
    """What one run of a load cost the pooler: microseconds of CPU per transaction, and the share in user mode."""

    def __init__(self, ground, pooler, load, seconds):
        before, split = proc.cpu_time(pooler.pid), proc.cpu_seconds(pooler.pid)
        output = run_load(ground, pooler, load, "-T", seconds)
        spent = proc.cpu_time(pooler.pid) - before
        user, system = (now - then for now, then in zip(proc.cpu_seconds(pooler.pid), split))
        count, self.rate = transactions(output)
        self.microseconds = spent / count * 1e6
        self.user = user / max(user + system, 1e-9)


def secured(pooler, settings=None, session=None):
    """A client over TLS that has asked one query."""
    wire = tls.secured(pooler.address, settings, session=session)
    wire.send(startup({"user": "bench", "database": "bench"}))
    wire.authenticate("bench", None)
    wire.value("select 1")
    return wire


class BareServer(Child):
    """A server that only shakes hands: what nobody over this OpenSSL can go below."""

    kind = "bare"

    def __init__(self, ground):
        program = os.path.join(ground.place.directory("bare-server"), "bare-server")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bare-server.c")
        subprocess.run(["clang", "-O2", "-Wall", "-Werror", source, "-o", program, "-lssl", "-lcrypto"], check=True)
        self.address = free_address()
        own = ground.certificate(self.address[0])
        super().__init__([program, *self.address, own.cert, own.key], program + ".log", user=unprivileged())
        wait_until(self._listens, "the bare server listens")

    def _listens(self):
        try:
            dial(self.address).close()
        except ConnectionRefusedError:
            return False
        return True


class Resumptions:
    """What connections over TLS cost a server, microseconds of CPU each; all but PgBouncer's resume their session."""

    def __init__(self, pooler, version, seconds):
        settings = tls.context(maximum_version=ssl.TLSVersion[version])
        first = secured(pooler, settings)
        session = first.stream.session if pooler.kind != "pgbouncer" else None
        first.close()
        before, count, began = proc.cpu_time(pooler.pid), 0, time.monotonic()
        while time.monotonic() - began < seconds:
            wire = secured(pooler, settings, session)
            assert wire.stream.version().replace(".", "_") == version
            # A row that did not measure what it says is worth nothing.
            assert wire.stream.session_reused == (session is not None), "sessions are resumed otherwise than expected"
            wire.close()
            count += 1
        self.microseconds = (proc.cpu_time(pooler.pid) - before) / count * 1e6


def memory_per_client(contender, clients, encrypted=False):
    """Bytes of resident memory per client that has asked one query and waits."""
    pooler = contender.start(encrypted=encrypted)
    wires = []

    def come(count):
        for _ in range(count):
            if encrypted:
                wires.append(secured(pooler))
                continue
            wires.append(pooler.connect(user="bench", database="bench"))
            wires[-1].value("select 1")
        return proc.resident_bytes(pooler.pid)

    try:
        before = come(FIRST_CLIENTS)
        return (come(clients) - before) / clients
    finally:
        for wire in wires:
            wire.abort()
        pooler.stop()


def interleaved(rounds, measures):
    """`rounds` results of each measure, taken in turns and every second time in reverse, so that drift hits all."""
    columns = [[] for _ in measures]
    for turn in range(rounds):
        order = list(enumerate(measures))
        for n, measure in order if turn % 2 == 0 else reversed(order):
            columns[n].append(measure())
    return columns


def median_ratio(column, against):
    """The median of the rounds' ratios: neighbors in time compare better than medians of whole columns."""
    return statistics.median(a / b for a, b in zip(column, against))


def pgbouncer_program():
    return shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"

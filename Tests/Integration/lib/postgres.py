# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A throwaway PostgreSQL, with streaming replicas where wanted."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess

from .places import free_address
from .process import Child, command_as, unprivileged
from .waiting import wait_until
from .wire import ConnectionLost, ServerError, Wire

#: Login roles and the way each must prove itself; trust is for everybody else.
PASSWORDS = {"clear_user": "clear-S3cret", "md5_user": "md5-S3cret", "scram_user": "scram-S3cret"}

_ACCESS = """\
local all all trust
host all clear_user 127.0.0.0/8 password
host all md5_user 127.0.0.0/8 md5
host all scram_user 127.0.0.0/8 scram-sha-256
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
"""

_SETTINGS = """\
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 256MB
max_connections = 300
max_wal_size = 4GB
wal_keep_size = 256MB
superuser_reserved_connections = 5
unix_socket_directories = ''
log_min_messages = fatal
timezone = 'Europe/Berlin'
"""


def binary(name):
    """A server program: from PostgreSQL's own directory, the newest one."""
    found = shutil.which(name, path=os.pathsep.join(
        sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]), reverse=True)))
    return found or shutil.which(name) or name


class Postgres:
    def __init__(self, place, name="primary", settings="", addresses=1, port=None, environment=None):
        self.place = place
        #: Variables that the server has beside ours.
        self.environment = environment or {}
        self.user = unprivileged()
        self.data = place.directory(name)
        os.chmod(self.data, 0o700)
        self.output = os.path.join(place.path, f"{name}.log")
        self.settings = settings
        host, free = free_address()
        self.address = host, port or free
        #: Where else it listens, on the same port: to a pooler each is a server of its own.
        self.more_addresses = [(free_address()[0], self.address[1]) for _ in range(addresses - 1)]
        self.child = None
        self.replicas = 0

    @classmethod
    def primary(cls, place, settings="", name="primary", access=_ACCESS, addresses=1, environment=None):
        """A server with the roles of PASSWORDS; `settings` and `access` may be functions of it, once its place is known."""
        server = cls(place, name, addresses=addresses, environment=environment)
        server._run("initdb", "-D", server.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync")
        server.settings = settings if isinstance(settings, str) else settings(server)
        server._write("pg_hba.conf", access)
        server._append("postgresql.conf", _SETTINGS + server.settings)
        server.start()
        with server.connect() as admin:
            for role, password in PASSWORDS.items():
                method = "md5" if role == "md5_user" else "scram-sha-256"
                admin.rows(f"set password_encryption = '{method}'")
                admin.rows(f"create role {role} login superuser password '{password}'")
            admin.rows("create role bench login superuser")
            admin.rows("create database bench owner bench")
        return server

    def replica(self, port=None, settings=""):
        """A streaming standby of this server, ready to be read; `settings` win over what it has from this one."""
        self.replicas += 1
        standby = Postgres(self.place, f"replica{self.replicas}", self.settings, port=port)
        host, port = self.address
        self._run("pg_basebackup", "-h", host, "-p", str(port), "-U", "postgres", "-D", standby.data, "-R",
                  "-X", "stream", "-c", "fast", "--no-sync")
        standby._append("postgresql.auto.conf", settings)
        standby.start()
        return standby

    def start(self):
        hosts = ",".join(host for host, _ in [self.address, *self.more_addresses])
        self.child = Child(
            [binary("postgres"), "-D", self.data, "-h", hosts, "-p", str(self.address[1])], self.output, user=self.user,
            stop_signal=signal.SIGINT, death_signal="INT", cwd="/", env={**os.environ, **self.environment})
        try:
            wait_until(self.answers, "PostgreSQL answers a query", timeout=60)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.child.text()[-2000:]}") from None

    def answers(self):
        if not self.child.running:
            raise AssertionError("PostgreSQL ended while starting")
        try:
            with self.connect() as wire:
                return wire.value("select 1") == "1"
        except (OSError, ConnectionLost, ServerError):
            return False

    def stop(self):
        return self.child.stop(timeout=30) if self.child else None

    def restart(self):
        self.stop()
        self.start()

    def add_settings(self, text):
        """Settings that hold at once, or from the next start on."""
        self._append("postgresql.auto.conf", text)
        if self.child.running:
            self.rows("select pg_reload_conf()")

    def promote(self):
        """A standby becomes a primary."""
        self.rows("select pg_promote(true, 30)")
        wait_until(lambda: self.value("select pg_is_in_recovery()") == "f", "it is a primary")

    def follow(self, primary):
        """A standby, or a server that has stopped, follows another one, which had all that it had."""
        host, port = primary.address
        text = f"primary_conninfo = 'host={host} port={port} user=postgres'\n"
        if self.child.running:
            return self.add_settings(text)
        self._append("postgresql.auto.conf", text)
        self._write("standby.signal", "")
        self.start()

    def processes(self):
        """The server's own process and those of its backends, which have process groups of their own."""
        main = self.child.pid
        with open(f"/proc/{main}/task/{main}/children") as children:
            return [main, *map(int, children.read().split())]

    def kill(self):
        """Ends it at once, as the kernel does when memory is short."""
        self._signal(signal.SIGKILL)
        self.child.kill()

    def freeze(self):
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def connect(self, database="postgres", user="postgres", **options):
        return Wire.open(self.address, user=user, database=database, **options)

    def value(self, sql, **options):
        with self.connect(**options) as wire:
            return wire.value(sql)

    def rows(self, sql, **options):
        with self.connect(**options) as wire:
            return wire.rows(sql)

    def backends(self, user):
        """The process ids of this user's server connections."""
        return sorted(int(row[0]) for row in self.rows(
            "select pid from pg_stat_activity where backend_type = 'client backend' "
            f"and usename = '{user}' and pid <> pg_backend_pid()"))

    def _run(self, program, *arguments):
        command = command_as(self.user, [binary(program), *arguments])
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def _write(self, name, text):
        with open(os.path.join(self.data, name), "w") as file:
            file.write(text)

    def _append(self, name, text):
        with open(os.path.join(self.data, name), "a") as file:
            file.write(text)

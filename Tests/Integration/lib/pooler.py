# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The pooler under test: Carom, or with CAROM_POOLER=pgbouncer the peer, to see that a test asks what is right."""

import os
import shutil
import signal
import socket

from .config import Config, Route
from .places import free_address
from .process import Child, unprivileged
from .waiting import wait_until
from .wire import Wire

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PEER = os.environ.get("CAROM_POOLER", "carom") == "pgbouncer"


def carom_binary():
    """CAROM_BINARY, or the release build of this repository."""
    return os.environ.get("CAROM_BINARY") or os.path.join(ROOT, ".build", "release", "carom")


class Pooler:
    """A running pooler. `address` is where its clients connect."""

    def __init__(self, place, config: Config, kind=None, name="pooler", prefix=(), address=None, program=None,
                 pass_fds=(), environment=None):
        self.kind = kind or ("pgbouncer" if PEER else "carom")
        self.config = config
        self.program = program
        self.address = address or free_address()
        self.directory = place.directory(f"{name}-{self.address[0]}-{self.address[1]}")
        self.file = os.path.join(self.directory, f"{self.kind}.{config.extension}")
        output = os.path.join(self.directory, "output")
        command = self._peer() if self.kind == "pgbouncer" else self._carom()
        user = unprivileged() if self.kind == "pgbouncer" else None
        self.child = Child([*prefix, *command], output, user=user, cwd="/", pass_fds=pass_fds,
                           env={**os.environ, **(environment or {})})
        try:
            wait_until(self._accepts, f"{self.kind} accepts on {self.address}", timeout=20)
        except AssertionError as failure:
            self.child.kill()
            raise AssertionError(f"{failure}\n{self.log()}") from None

    def _carom(self):
        with open(self.file, "w") as file:
            file.write(self.config.for_carom(self.address))
        return [self.program or carom_binary(), "serve", self.file]

    def _peer(self):
        accounts = os.path.join(self.directory, "accounts")
        with open(accounts, "w") as file:
            users = {route.user: route.password or "" for route in self.config.routes if route.user != "default"}
            for user, password in {"postgres": "", "bench": "", **users}.items():
                file.write(f'"{user}" "{password}"\n')
        with open(self.file, "w") as file:
            file.write(self.config.for_pgbouncer(self.address, accounts))
        return [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", self.file]

    def _accepts(self):
        if not self.child.running:
            raise AssertionError(f"{self.kind} ended with code {self.child.process.returncode}")
        try:
            socket.create_connection(self.address, 1).close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.child.pid

    @property
    def socket_path(self):
        return os.path.join(self.config.unix_socket_dir, f".s.PGSQL.{self.address[1]}")

    def connect(self, database="postgres", user="postgres", **options):
        return Wire.open(self.address, user=user, database=database, **options)

    def log(self):
        """What the log says by now. Threads of its own write it: as long as one of them works, there is more to come."""
        if self.kind == "carom":
            wait_until(lambda: not self.child.running or self._log_rests(), "the log is written")
        return self.child.text()

    def _log_rests(self):
        """Every thread that writes the log waits for something to write. One that has not run yet has no name."""
        writers = 0
        try:
            for thread in os.scandir(f"/proc/{self.pid}/task"):
                with open(f"{thread.path}/comm") as comm, open(f"{thread.path}/wchan") as place:
                    if comm.read() != "log\n":
                        continue
                    if "futex" not in place.read():
                        return False
                    writers += 1
        except FileNotFoundError:
            return False
        return writers > 0

    def write(self, text=None):
        """Writes its configuration anew: what `config` says by now, or a text."""
        with open(self.file, "w") as file:
            file.write(self.config.for_carom(self.address) if text is None else text)

    def reload(self, text=None):
        """Has it read its configuration again; returns what it says about that in the log."""
        self.write(text)
        ends = ("reload: done", "reload: nothing has changed")
        before = self.child.text()
        known = sum(before.count(end) for end in ends)
        self.child.signal(signal.SIGHUP)
        wait_until(lambda: sum(self.child.text().count(end) for end in ends) > known, "the reload is over")
        return [line for line in self.child.text()[len(before):].splitlines() if "reload: " in line]

    def stop(self):
        """Ends it as an operator would; returns the exit code."""
        return self.child.stop()


class Poolers:
    """Starts poolers and, at the end, stops each and insists that it ran to its orderly end."""

    def __init__(self, place, storage):
        self.place, self.storage, self.started = place, storage, []

    def __call__(self, *routes, storage=None, address=None, prefix=(), environment=None, **options):
        config = Config(storage=storage or self.storage, routes=list(routes) or [Route()], **options)
        self.started.append(Pooler(self.place, config, address=address, prefix=prefix, environment=environment))
        return self.started[-1]

    def finish(self):
        for pooler in self.started:
            crashed = not pooler.child.running and pooler.child.process.returncode < 0
            code = pooler.stop()
            assert not crashed, f"the pooler died of signal {-code}:\n{pooler.log()[-3000:]}"
            assert code == 0 or pooler.kind == "pgbouncer", (
                f"the pooler ended with {code}:\n{pooler.log()[-3000:]}")

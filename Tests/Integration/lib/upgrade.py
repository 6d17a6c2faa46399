# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Poolers of which each takes over from the one before, and clients that look whether they notice."""

import dataclasses
import os
import threading
import time

from .config import Config
from .pooler import Pooler, carom_binary
from .waiting import wait_until
from .wire import SYNC, ServerError, Wire, bind, cstring, describe, execute, message, parse, row_values

STATEMENT = "select $1::int + 1, current_setting('carom.mark')"


class Upgradable(Pooler):
    """A pooler that others can take over from: its configuration names the socket for that."""

    def __init__(self, place, config, **options):
        config.globals.setdefault("upgrade_socket", os.path.join(place.directory("upgrades"), f"{os.urandom(4).hex()}"))
        super().__init__(place, config, **options)
        self.place, self.generation = place, 0

    def upgrade(self, config=None, wait=True, **options):
        """A pooler that takes over from this one."""
        return Successor(self, config or self.config, wait, **options)

    def ended(self, timeout=20):
        """Waits until this process has ended by itself; its exit code."""
        wait_until(lambda: not self.child.running, f"process {self.pid} has ended\n{self.child.text()[-2000:]}", timeout)
        return self.child.process.returncode


class Successor(Upgradable):
    def __init__(self, before, config, wait=True, **options):
        self.wait, self.before = wait, before
        self.generation = before.generation + 1
        Pooler.__init__(self, before.place, dataclasses.replace(config), name=f"upgrade-{self.generation}-{os.urandom(2).hex()}",
                        address=before.address, **options)
        self.place, self.generation = before.place, before.generation + 1

    def _carom(self):
        command = super()._carom()
        return [command[0], "upgrade", command[2]]

    def _accepts(self):
        if not self.wait:
            return True
        if not self.child.running:
            raise AssertionError(f"the new process ended with code {self.child.process.returncode}")
        return "listening on" in self.child.text()


class Idle:
    """A client with settings and prepared statements that does nothing."""

    def __init__(self, pooler, number, **options):
        self.number, self.mark = number, f"mark-{number}"
        self.wire = Wire.open(options.pop("address", pooler.address), application_name=f"idle-{number}",
                              **{"user": "bench", "database": "bench", **options})
        self.key = self.wire.key
        self.wire.rows(f"set carom.mark = '{self.mark}'")
        self.wire.rows(f"set statement_timeout = {100_000 + number}")
        self.wire.exchange(parse("named", STATEMENT) + describe(b"S", "named") + parse("", f"select 'unnamed {number}'") + SYNC)

    def check(self):
        """Everything is as it was; raises otherwise."""
        kinds = self.wire.exchange(
            bind("", "named", [str(self.number).encode()]) + execute() + SYNC)
        rows = [row_values(body) for kind, body in kinds if kind == b"D"]
        assert rows == [[str(self.number + 1).encode(), self.mark.encode()]], kinds
        timeout = "select setting from pg_settings where name = 'statement_timeout'"
        assert self.wire.value(timeout) == f"{100_000 + self.number}"
        assert self.wire.value("show application_name") == f"idle-{self.number}"
        assert self.wire.key == self.key

    def check_unnamed(self):
        """As the first after an upgrade: a simple query ends the unnamed statement."""
        kinds = self.wire.exchange(bind("", "") + execute() + SYNC)
        assert [row_values(body) for kind, body in kinds if kind == b"D"] == [[f"unnamed {self.number}".encode()]], kinds


class Busy:
    """Clients that work all the time, each on a thread: transactions of several statements, and prepared ones."""

    def __init__(self, pooler, count, **options):
        self.over = threading.Event()
        self.errors, self.done, self.stalls = [], [0] * count, [0.0] * count
        self.wires = [pooler.connect(user="bench", database="bench", application_name=f"busy-{n}", **options)
                      for n in range(count)]
        self.threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def _work(self, number):
        wire = self.wires[number]
        try:
            wire.rows(f"set carom.mark = 'busy {number}'")
            wire.exchange(parse("work", "select $1::int * 2") + SYNC)
            turn = 0
            while not self.over.is_set():
                began = time.monotonic()
                turn += 1
                wire.rows("begin")
                assert wire.value("select current_setting('carom.mark')") == f"busy {number}"
                kinds = wire.exchange(bind("", "work", [str(turn).encode()]) + execute() + SYNC)
                assert [row_values(body) for kind, body in kinds if kind == b"D"] == [[str(turn * 2).encode()]], kinds
                wire.rows("commit")
                self.done[number] += 1
                self.stalls[number] = max(self.stalls[number], time.monotonic() - began)
        except Exception as error:
            self.errors.append(f"{number}: {error!r}")

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(20)

    def close(self):
        for wire in self.wires:
            wire.close()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A client whose transactions go from server to server, with its statements."""

import contextlib

import pytest

from .config import Route
from .talk import rows_of, said
from .wire import SYNC, bind, describe, error_fields, execute, parse


class Client:
    """A client, and how its next transactions get another server than its last."""

    def __init__(self, wire, neighbours=()):
        self.wire = wire
        self.neighbours = neighbours
        self.say(parse("where", "select pg_backend_pid()"))

    def say(self, *parts):
        return said(self.wire, *parts, SYNC)

    def server(self):
        """By a statement with a name: a simple query would end the unnamed one."""
        return rows_of(self.say(bind("", "where"), execute()))[0][0]

    def prepare(self, name, text):
        """As drivers do that ask for types before they send values."""
        assert [kind for kind, *_ in self.say(parse(name, text), describe(b"S", name))][:2] == ["1", "t"]

    @contextlib.contextmanager
    def elsewhere(self):
        """The next transactions are on another server than the last, and those of the neighbour that is given, too."""
        if not self.neighbours:
            yield
            return
        here = self.server()
        for neighbour in self.neighbours:
            neighbour.rows("begin")
        held = {neighbour.value("select pg_backend_pid()"): neighbour for neighbour in self.neighbours}
        free = next(neighbour for pid, neighbour in held.items() if pid != here)
        free.rows("rollback")
        assert self.server() != here
        yield free
        held[here].rows("rollback")

    def error(self, *parts):
        """The fields of the one error."""
        [error] = [body for kind, body in self.wire.exchange(b"".join(parts) + SYNC) if kind == b"E"]
        return error_fields(error)


@contextlib.contextmanager
def pooled(start):
    pooler = start(Route(pool_size=2))
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(pooler.connect(user="bench", database="bench")) for _ in range(3)]
        yield Client(wires[0], wires[1:])


@pytest.fixture(params=["directly", "pooled"])
def client(request, postgres, start):
    """The same conversation twice: with PostgreSQL itself, and through a pooler that changes servers between transactions."""
    if request.param == "directly":
        with postgres.connect(user="bench", database="bench") as wire:
            yield Client(wire)
        return
    with pooled(start) as client:
        yield client

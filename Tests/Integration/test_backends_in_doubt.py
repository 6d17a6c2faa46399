# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Servers that refuse, say nothing or let nobody in: they cost clients no time beside others, and are not asked in vain."""

import socket
import threading
import time

import pytest

from lib.config import Route
from lib.fakeserver import GREETING, FakeServer, answer, error
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, cstring, query, send_cancel

pytestmark = pytest.mark.own

ROUTES = 6


def listed(*addresses):
    return ",".join(f"{host}:{port}" for host, port in addresses)


def routes(**options):
    """Several, because each chooses an order of its own."""
    return [Route(user=f"user{number}", storage_user="postgres", **options) for number in range(ROUTES)]


def times(pooler):
    """How long a first client of each route waits, all at the same time."""
    taken = {}

    def visit(number):
        began = time.monotonic()
        with pooler.connect(user=f"user{number}") as wire:
            assert wire.value("select 'served'") == "served"
        taken[number] = time.monotonic() - began

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(ROUTES)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert len(taken) == ROUTES, "not every client was served"
    return taken


@pytest.fixture
def silent():
    """The address of a server that accepts and says nothing."""
    address = free_address()
    with socket.create_server(address, backlog=128):
        yield address


@pytest.mark.parametrize("dead", [1, 2, 4])
def test_dead_servers_beside_a_live_one_cost_nothing(postgres, start, dead):
    storage = {"host": listed(*[free_address() for _ in range(dead)], postgres.address)}
    pooler = start(*routes(pool_size=4, pool_timeout=8000), storage=storage)
    assert max(times(pooler).values()) < 1


@pytest.mark.parametrize("size", [1, 4])
def test_a_silent_server_beside_a_live_one_costs_a_moment(postgres, start, silent, size):
    pooler = start(*routes(pool_size=size, pool_timeout=4000), storage={"host": listed(silent, postgres.address)})
    assert max(times(pooler).values()) < 2
    # From then on it is known.
    assert max(times(pooler).values()) < 1


def test_a_client_is_told_what_is_wrong_with_the_servers(start, silent):
    dead = free_address()
    pooler = start(Route(pool_size=4, pool_timeout=1500), storage={"host": listed(dead, silent)})
    with pytest.raises(ServerError) as refused:
        pooler.connect().close()
    assert refused.value.code == "08006"
    for host, port in (dead, silent):
        assert f"{host}:{port}" in refused.value.fields["D"]
    assert "no answer within" in refused.value.fields["D"]
    assert "refused" in refused.value.fields["D"]


def test_the_minimum_is_opened_at_the_start_and_counts_those_in_use(start):
    minimum = {"min_pool_size": 3}
    named = Route(user="bench", database="bench", more=minimum)
    pooler = start(named, Route(more=minimum))

    def opened():
        return pooler.log().count("new server connection")

    wait_until(lambda: opened() == 3, "the minimum is there without a client")
    wires = [pooler.connect(user="bench", database="bench") for _ in range(3)]
    for wire in wires:
        wire.rows("begin")
    time.sleep(0.5)
    assert opened() == 3
    for wire in wires:
        wire.close()


class Bouncer:
    """A server that lets nobody in until it is told to."""

    def __init__(self):
        self.lets_in = False
        self.server = FakeServer(login=self._login)

    def _login(self, wire):
        if self.lets_in:
            wire.send(GREETING)
        else:
            fields = {"S": "FATAL", "C": "28000", "M": 'role "late" does not exist'}
            wire.send(error(b"".join(key.encode() + cstring(value) for key, value in fields.items()) + b"\0"))
            raise ConnectionLost


def test_a_refused_login_is_not_repeated_unless_somebody_asks(start):
    bouncer = Bouncer()
    with bouncer.server as server:
        pooler = start(Route(pool_timeout=10_000), storage=server.address)
        with pytest.raises(ServerError) as refused:
            pooler.connect().close()
        assert refused.value.code == "08006"
        assert 'role "late" does not exist' in refused.value.fields["D"]
        time.sleep(4)
        assert server.connections == 1
        with pytest.raises(ServerError):
            pooler.connect().close()
        assert server.connections == 2


def test_a_refusal_is_forgotten_as_soon_as_its_cause_is_gone(start):
    bouncer = Bouncer()
    with bouncer.server as server:
        pooler = start(Route(pool_timeout=10_000), storage=server.address)

        def served():
            try:
                with pooler.connect() as wire:
                    return wire.value("select 1") == "fine"
            except ServerError:
                return False

        for _ in range(30):
            assert not served()
            time.sleep(0.1)
        assert server.connections <= 8, "thirty clients in three seconds are not thirty logins"
        bouncer.lets_in = True
        wait_until(served, "a client is served", timeout=1.5)


@pytest.mark.parametrize("how", ["pool_cancel", "pool_rollback"])
def test_clients_that_leave_in_the_middle_do_not_make_the_server_suspect(start, how):
    pooler = start(Route(pool_size=2, more={how: False}))
    honest = pooler.connect()
    left = pooler.connect()
    for _ in range(12):
        if how == "pool_cancel":
            left.send(query("select pg_sleep(0.5)"))
            time.sleep(0.15)
        else:
            left.rows("begin")
        left.abort()
        left = pooler.connect()
    began = time.monotonic()
    assert honest.value("select 'served'") == "served"
    assert time.monotonic() - began < 1
    honest.close()
    left.close()


def test_a_query_that_ignores_its_cancel_has_as_long_as_the_reset_may_take(start):
    slept = threading.Event()

    def reply(sql):
        if sql == "slow":
            time.sleep(4.5)
            slept.set()
        return answer(b"fine")

    with FakeServer(reply) as server:
        pooler = start(Route(pool_size=1, more={"pool_reset_timeout_ms": 20_000}), storage=server.address)
        wire = pooler.connect()
        wire.send(query("slow"))
        time.sleep(0.2)
        wire.abort()
        with pooler.connect() as wire:
            assert wire.value("select 1") == "fine"
        assert slept.is_set()
        assert server.connections - server.cancels == 1, "the server connection is the same"


def test_many_cancels_of_one_client_are_one_connection_to_the_server(start):
    asked, goes_on = threading.Event(), threading.Event()

    def reply(sql):
        if sql == "slow":
            asked.set()
            goes_on.wait(10)
        return answer(b"fine")

    with FakeServer(reply, on_cancel=lambda: goes_on.wait(10)) as server:
        pooler = start(Route(pool_size=2), storage=server.address, globals={"cancel_timeout_ms": 10_000})
        wire = pooler.connect()
        wire.send(query("slow"))
        assert asked.wait(10)
        answers = []
        senders = [threading.Thread(target=lambda: answers.append(send_cancel(pooler.address, wire.key)))
                   for _ in range(40)]
        for sender in senders:
            sender.start()
        wait_until(lambda: server.cancels == 1, "the cancel has come")
        time.sleep(0.5)
        assert server.cancels == 1
        goes_on.set()
        for sender in senders:
            sender.join(10)
        assert answers == [b""] * 40
        assert wire.result() == [["fine"]]
        wire.close()

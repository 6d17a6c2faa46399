# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A hundred servers in the DNS and sixteen connections: all have their turn, and a bad one costs no client much."""

import os
import socket
import time

import psycopg
import pytest
from psycopg.rows import dict_row

from lib import proc
from lib.clients import Account, Crowd
from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.nameserver import SERVICE, NameServer, server_records
from lib.places import free_address
from lib.postgres import Postgres
from lib.waiting import wait_until

pytestmark = pytest.mark.own

SERVERS, SLOTS, CLIENTS = 100, 16, 32
#: How long memory and CPU are looked at, in four parts.
SECONDS = float(os.environ.get("CAROM_HUNDRED_SECONDS", "12"))
EXCHANGE = 50


@pytest.fixture(scope="module")
def addresses(place):
    """Two PostgreSQLs at fifty addresses each: a hundred servers to a pooler."""
    servers = [Postgres.primary(place, name=f"fifty{number}", addresses=SERVERS // 2) for number in range(2)]
    yield [address for server in servers for address in (server.address, *server.more_addresses)]
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def nameserver(place):
    server = NameServer(place)
    yield server
    server.stop()


@pytest.fixture
def found(start, nameserver):
    """Starts a pooler that finds these servers in the DNS."""
    def start_with(addresses, **storage):
        nameserver.change(server_records(addresses, 60))
        return start(
            Route(pool_size=SLOTS, pool_timeout=10_000), console(), storage={"resolver": "dns", **storage},
            resolvers={"dns": {"type": "dns", "srv": SERVICE, "nameserver": nameserver.text}}, workers=2)
    return start_with


def backends(pooler):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user=OPERATOR, password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=dict_row) as operator:
        return operator.execute("SHOW BACKENDS").fetchall()


def turns(pooler):
    """How many connections to each server were opened so far."""
    return {row["addr"]: row["connects"] for row in backends(pooler)}


def reading(pooler):
    return Crowd(pooler.address, CLIENTS, lambda _: ["select 1"])


def test_each_has_its_turn_and_nothing_grows(found, addresses):
    pooler = found(addresses, server_exchange_interval=EXCHANGE)
    with reading(pooler) as crowd:
        wait_until(lambda: all(row["claims"] for row in backends(pooler)), "each has had its turn",
                   timeout=20 + SERVERS * EXCHANGE / 1000)
        memory, cost, before = [], [], turns(pooler)
        for _ in range(4):
            cpu, began = proc.cpu_time(pooler.pid), time.monotonic()
            time.sleep(SECONDS / 4)
            memory.append(proc.resident_bytes(pooler.pid))
            cost.append((proc.cpu_time(pooler.pid) - cpu) / len(Account(crowd, began, time.monotonic()).within))
            now = backends(pooler)
            assert sum(row["sv_active"] + row["sv_idle"] + row["sv_login"] + row["sv_closing"] for row in now) <= SLOTS
        assert not Account(crowd, crowd.began, time.monotonic()).errors()
        had = sorted(count - before[address] for address, count in turns(pooler).items())
    print(f"memory {memory}, CPU a transaction {cost}, turns {had[0]} to {had[-1]}")
    assert had[-1] - had[0] <= 2, f"some have more turns than others: {had}"
    assert memory[-1] - memory[0] < 1 << 20, memory
    assert min(cost[2:]) < 2 * min(cost[:2]), cost


@pytest.mark.parametrize("position", [0, 99])
@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_one_bad_host_costs_no_client_much(found, addresses, kind, position):
    bad = free_address()
    listener = socket.create_server(bad, backlog=64) if kind == "silent" else None
    named = [*addresses[:position], bad, *addresses[position + 1:]]
    tries = []
    try:
        # What else the machine does only adds to a stall: the best of three tells what the host costs.
        while not tries or len(tries) < 3 and tries[-1][1] > tries[-1][0] + 0.2:
            tries.append((longest_stall(found(addresses, server_exchange_interval=EXCHANGE)),
                          longest_stall(found(named, server_exchange_interval=EXCHANGE), avoiding=bad)))
    finally:
        if listener:
            listener.close()
    good, worse = tries[-1]
    print(f"longest stall {good * 1000:.0f} ms, with a {kind} host in place {position} {worse * 1000:.0f} ms")
    assert worse <= good + 0.2, tries


def longest_stall(pooler, avoiding=None):
    """The longest that any of the clients waits in a pooler's first two seconds, the first connects among them."""
    with reading(pooler) as crowd:
        wait_until(lambda: crowd.seen_since(crowd.began) > 0, "somebody is served")
        time.sleep(2)
        account = Account(crowd, crowd.began, time.monotonic())
        assert not account.errors()
    if avoiding:
        row = next(row for row in backends(pooler) if row["addr"] == f"{avoiding[0]}:{avoiding[1]}")
        assert row["claims"] == 0
    return account.longest_stall()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Servers that die: the client in the middle of a query is told, everybody else goes on."""

import os
import signal
import threading

import pytest

from lib.config import Route
from lib.places import Workplace
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, query

LOST = ("08006", "57P01", "57P02")


@pytest.fixture(scope="module")
def mortal():
    """A PostgreSQL of this file's own, because it is stopped and started."""
    place = Workplace("carom-mortal")
    server = Postgres.primary(place)
    yield server
    server.stop()
    place.remove()


@pytest.fixture
def pooler(start, mortal):
    return start(Route(pool_size=4), workers=2, storage=mortal.address)


def bench(pooler):
    return pooler.connect(user="bench", database="bench")


def sleeping(server):
    """The process id of a backend that runs pg_sleep, if there is one."""
    return server.value("select max(pid) from pg_stat_activity where state = 'active' "
                        "and query like 'select pg_sleep%' and pid <> pg_backend_pid()")


def assert_recovers(pooler, within=10):
    """New clients are served again."""
    def served():
        try:
            with bench(pooler) as wire:
                return wire.value("select 'served'") == "served"
        except (ServerError, ConnectionLost):
            return False
    wait_until(served, "a new client is served", timeout=within, every=0.05)


def test_a_server_lost_in_mid_query_is_told_to_its_client_only(mortal, pooler):
    victim, neighbour = bench(pooler), bench(pooler)
    neighbour.rows("begin")
    victim.send(query("select pg_sleep(60)"))
    backend = wait_until(lambda: sleeping(mortal), "the query runs")
    mortal.value(f"select pg_terminate_backend({backend})")
    with pytest.raises(ServerError) as lost:
        victim.result()
    assert lost.value.code in LOST
    assert neighbour.value("select 'undisturbed'") == "undisturbed"
    neighbour.rows("commit")
    assert_recovers(pooler, within=3)
    neighbour.close()
    victim.close()


@pytest.mark.own
def test_idle_clients_outlive_their_servers(mortal, pooler):
    clients = [bench(pooler) for _ in range(6)]
    for wire in clients:
        assert wire.value("select 1") == "1"
    mortal.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bench'")
    wait_until(lambda: mortal.backends("bench") == [], "the servers are gone")
    for wire in clients:
        assert wire.value("select 'survived'") == "survived"
        wire.close()


def test_a_server_lost_inside_a_transaction_is_not_replaced_silently(mortal, pooler):
    victim = bench(pooler)
    victim.rows("begin")
    backend = victim.value("select pg_backend_pid()")
    mortal.value(f"select pg_terminate_backend({backend})")
    wait_until(lambda: int(backend) not in mortal.backends("bench"), "the server is gone")
    with pytest.raises((ServerError, ConnectionLost)) as lost:
        victim.rows("select 'a new transaction?'")
    assert isinstance(lost.value, ConnectionLost) or lost.value.code in LOST
    victim.abort()
    assert_recovers(pooler, within=3)


@pytest.mark.own
def test_idle_clients_outlive_a_restart_of_postgresql(mortal, pooler):
    clients = [bench(pooler) for _ in range(6)]
    for wire in clients:
        assert wire.value("select 1") == "1"
    mortal.restart()
    for wire in clients:
        assert wire.value("select 'survived'") == "survived"
        wire.close()


@pytest.mark.own
def test_while_postgresql_is_down_clients_are_told_and_afterwards_served(mortal, pooler):
    with bench(pooler) as wire:
        assert wire.value("select 1") == "1"
    mortal.stop()
    try:
        with pytest.raises((ServerError, ConnectionLost)) as refused:
            early = pooler.connect(user="bench", database="bench", timeout=60)
            early.rows("select 1")
        assert isinstance(refused.value, ServerError), "an answer, not a hang or a bare close"
        assert refused.value.code[:2] in ("08", "57", "53")
    finally:
        mortal.start()
    assert_recovers(pooler, within=20)


def test_postgresql_dying_under_load_costs_only_what_was_running(mortal, pooler):
    """A backend killed by SIGKILL makes PostgreSQL restart all of them."""
    troubles, done, over = [], [], threading.Event()

    def client(number):
        while not over.is_set():
            try:
                with bench(pooler) as wire:
                    while not over.is_set():
                        assert wire.value(f"select {number}") == str(number)
                        done.append(number)
            except ServerError as error:
                if error.code[:2] not in ("08", "57", "53"):
                    troubles.append(repr(error))
            except (ConnectionLost, OSError):
                pass
            except AssertionError as error:
                troubles.append(repr(error))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(done) > 200, "the load runs")
        os.kill(mortal.backends("bench")[0], signal.SIGKILL)
        wait_until(mortal.answers, "PostgreSQL is back", timeout=30)
        before = len(done)
        wait_until(lambda: len(done) > before + 200, "the load runs again", timeout=30)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert troubles == []
    assert_recovers(pooler)


def test_a_server_that_refuses_logins_is_reported(start, mortal):
    pooler = start(Route(storage_user="nobody_at_all"), storage=mortal.address)
    with pytest.raises((ServerError, ConnectionLost)) as refused:
        pooler.connect().rows("select 1")
    assert isinstance(refused.value, ServerError)
    assert refused.value.code in ("08006", "28000", "28P01", "08P01")

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What lasts too long is ended: with PostgreSQL's code, with a server that can be used again, and counted."""

import dataclasses
import socket
import time

import pytest

from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.places import free_address
from lib.pooler import Poolers
from lib.scrape import get, samples
from lib.waiting import wait_until
from lib.wire import SYNC, ConnectionLost, bind, copy_data, error_fields, execute, parse, query

pytestmark = pytest.mark.own

#: Seconds.
LIMIT = 0.2
LABELS = 'database="postgres",user="postgres",rule="default.default"'


class Timed:
    """A pooler with limits, and what it counts."""

    def __init__(self, start, *routes, workers=1, **globals):
        host, port = free_address()
        self.pooler = start(*routes, workers=workers, globals={"stats_listen": f"{host}:{port}", **globals})
        self.pooler.stats = f"{host}:{port}"

    def counted(self, row):
        text = wait_until(lambda: get(self.pooler, "/metrics"), "statistics are served")
        return samples(text).get(row, 0)

    def timeouts(self, limit, rule="default"):
        labels = LABELS.replace("default.default", f"{rule}.default")
        return self.counted(f'carom_route_timeouts_total{{{labels},limit="{limit}"}}')


def end_of(client):
    """How the session ends: the seconds until then, and the fields of the error, if there is one."""
    began = time.monotonic()
    fields = None
    while True:
        try:
            kind, body = client.receive()
        except ConnectionLost:
            return time.monotonic() - began, fields
        if kind == b"E":
            fields = error_fields(body)


def begin(client):
    client.rows("begin")


#: What the client does, which directive limits that, and the code that it gets.
CASES = {
    "a query": (lambda client: client.send(query("select pg_sleep(60)")), "query_timeout", "57014"),
    "a batch": (lambda client: client.send(parse("", "select pg_sleep(60)") + bind("", "") + execute() + SYNC),
                "query_timeout", "57014"),
    "a COPY without data": (
        lambda client: client.send(query("create temp table c (a text); copy c from stdin") + copy_data(b"x\n")),
        "query_timeout", "57014"),
    "a query in a transaction": (
        lambda client: (begin(client), client.send(query("select pg_sleep(60)"))), "transaction_timeout", "25P04"),
    "a transaction of nothing": (begin, "transaction_timeout", "25P04"),
    "nothing in a transaction": (begin, "idle_transaction_timeout", "25P03"),
    "nothing in a failed one": (
        lambda client: client.exchange(query("begin; select 1/0")), "idle_transaction_timeout", "25P03"),
    "half a batch": (
        lambda client: client.send(parse("", "select 1") + bind("", "") + b"H\0\0\0\4"), "idle_transaction_timeout", "25P03"),
    "nothing": (lambda client: client.rows("select 1"), "client_idle_timeout", "57P05"),
    "nothing at all": (lambda client: None, "client_idle_timeout", "57P05"),
}


@pytest.fixture(scope="module", params=[("transaction", 1), ("session", 4)], ids=lambda param: param[0])
def limited(request, place, postgres):
    """A pooler with a route, which is a database, for each of the directives."""
    pool, workers = request.param
    poolers = Poolers(place, postgres.address)
    routes = [Route(database=directive, storage_db="postgres", pool=pool, pool_size=1, more={directive: LIMIT})
              for directive in {directive for _, directive, _ in CASES.values()}]
    yield Timed(poolers, *routes, workers=workers)
    poolers.finish()


@pytest.mark.parametrize("case", CASES)
def test_what_lasts_too_long_ends_and_its_server_goes_on(limited, case):
    does, directive, code = CASES[case]
    before = limited.timeouts(directive, rule=directive)
    with limited.pooler.connect(directive) as client:
        backend = client.value("select pg_backend_pid()")
        does(client)
        lasted, fields = end_of(client)
    assert fields["C"] == code and fields["S"] == "FATAL" and directive in fields["D"], fields
    assert 0.8 * LIMIT < lasted < LIMIT + 1, lasted
    assert limited.timeouts(directive, rule=directive) == before + 1
    # What the client left is cancelled and rolled back, and the server is the next client's.
    with limited.pooler.connect(directive) as client:
        assert client.value("select pg_backend_pid()") == backend
        assert client.value("select now() = statement_timestamp()") == "t"


#: The same within the limit: each step takes less, all of them together more.
WITHIN = {
    "query_timeout": "select pg_sleep(0.12)",
    "idle_transaction_timeout": "begin; select 1",
    "client_idle_timeout": "select 1",
}


@pytest.mark.parametrize("directive", WITHIN)
def test_each_step_has_the_time_anew(start, directive):
    timed = Timed(start, Route(pool_size=1, more={directive: LIMIT}))
    with timed.pooler.connect() as client:
        for _ in range(4):
            began = time.monotonic()
            client.exchange(query(WITHIN[directive]))
            wait_until(lambda: time.monotonic() - began > 0.12, "more than half of the time is over")
        client.exchange(query("rollback"))
    assert timed.timeouts(directive) == 0


def test_queries_in_a_row_are_not_one_long_query(start):
    timed = Timed(start, Route(pool_size=1, more={"query_timeout": LIMIT}))
    with timed.pooler.connect() as client:
        client.exchange(query("select pg_sleep(0.08)") * 5, ready=5)
    assert timed.timeouts("query_timeout") == 0


def test_other_limits_do_not_hurry_a_transaction(start):
    limits = {"query_timeout": 30, "idle_transaction_timeout": 30, "client_idle_timeout": LIMIT}
    timed = Timed(start, Route(pool_size=1, more=limits))
    with timed.pooler.connect() as client:
        client.rows("begin")
        client.rows("select pg_sleep(0.3)")
        client.rows("commit")
        assert end_of(client)[1]["C"] == "57P05"


def test_the_top_of_the_file_is_the_default_and_the_route_wins(start):
    timed = Timed(start, Route(pool_size=2), client_idle_timeout=LIMIT, query_timeout=30)
    with timed.pooler.connect() as client:
        assert end_of(client)[1]["C"] == "57P05"
    timed = Timed(start, Route(pool_size=2, more={"client_idle_timeout": 0}), client_idle_timeout=LIMIT)
    with timed.pooler.connect() as client:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2 * LIMIT, "the default is over")
        client.rows("select 1")


@pytest.mark.parametrize("workers", [1, 4])
def test_a_reload_raises_and_lowers_limits_of_those_who_are_connected(start, workers):
    timed = Timed(start, Route(pool_size=2), workers=workers)
    pooler = timed.pooler

    def limit(value):
        pooler.config.routes[0] = dataclasses.replace(
            pooler.config.routes[0], more={"client_idle_timeout": value, "idle_transaction_timeout": value})
        pooler.reload()

    with pooler.connect() as idle, pooler.connect() as thinking:
        thinking.rows("begin")
        limit(30)
        limit(0)
        limit(LIMIT)
        assert end_of(idle)[1]["C"] == "57P05"
        assert end_of(thinking)[1]["C"] == "25P03"
    limit(30)
    with pooler.connect() as idle:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2 * LIMIT, "the old limit is over")
        idle.rows("select 1")


@pytest.mark.parametrize("directive, value", [("pool_timeout", 200), ("query_wait_timeout", LIMIT)])
def test_a_wait_for_a_server_ends_and_is_told_of(start, directive, value):
    more = {directive: value, "query_wait_notify": 0.1}
    timed = Timed(start, Route(pool_size=1, more=more), workers=2)
    with timed.pooler.connect() as holder, timed.pooler.connect() as waiter:
        holder.rows("begin")
        waiter.send(query("select 1"))
        kind, body = waiter.receive()
        assert kind == b"N" and "no server connection available" in error_fields(body)["M"]
        lasted, fields = end_of(waiter)
        assert fields["C"] == "53300" and "pool_timeout" in fields["H"]
        holder.rows("commit")
    assert timed.counted(f"carom_route_wait_notices_total{{{LABELS}}}") == 1
    assert timed.counted(f"carom_pool_timeouts_total{{{LABELS}}}") == 1


def test_who_waits_is_told_once_and_then_served(start):
    timed = Timed(start, Route(pool_size=1, more={"query_wait_notify": 0.05}))
    with timed.pooler.connect() as holder, timed.pooler.connect() as waiter:
        holder.rows("begin")
        waiter.send(query("select 7"))
        assert waiter.receive()[0] == b"N"
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 0.12, "it waits for longer than twice the time")
        holder.rows("commit")
        assert [kind for kind, _ in waiter.until_ready()] == [b"T", b"D", b"C", b"Z"]
    assert timed.counted(f"carom_route_wait_notices_total{{{LABELS}}}") == 1


def test_a_slow_login_ends(start):
    timed = Timed(start, Route(), client_login_timeout=200)
    with socket.create_connection(timed.pooler.address, 5) as silent:
        silent.settimeout(5)
        began = time.monotonic()
        answer = silent.recv(1000)
        assert b"login timed out" in answer and 0.15 < time.monotonic() - began < 2
    assert timed.counted('carom_refused_clients_total{reason="login_timeout"}') == 1


@pytest.mark.parametrize("directive", ["server_lifetime", "pool_ttl", "server_idle_timeout"])
def test_servers_end_at_their_age_or_when_nobody_needs_them(start, postgres, directive):
    timed = Timed(start, Route(pool_size=1), **{directive: LIMIT})
    with timed.pooler.connect() as client:
        backend = client.value("select pg_backend_pid()")
        wait_until(lambda: postgres.value(f"select count(*) from pg_stat_activity where pid = {backend}") == "0",
                   "the server is closed", timeout=5)
        assert client.value("select pg_backend_pid()") != backend


def test_the_console_shows_and_sets_them(start):
    pooler = start(Route(), console(), globals={"query_timeout": 1.5})
    with pooler.connect("console", OPERATOR, password=OPERATOR_PASSWORD) as operator, pooler.connect() as client:
        shown = {row[0]: row[1:] for row in operator.rows("show config")}
        assert list(shown["query_timeout"]) == ["1.5", "0", "yes"]
        assert shown["query_wait_timeout"][0] == "0" and shown["server_connect_timeout"][0] == "30"
        operator.rows("set client_idle_timeout = 0.2")
        assert end_of(client)[1]["C"] == "57P05"
        operator.rows("set query_wait_timeout = 2.5")
        shown = {row[0]: row[1:] for row in operator.rows("show config")}
        assert shown["pool_timeout"][0] == "2500" and shown["query_wait_timeout"][0] == "2.5"

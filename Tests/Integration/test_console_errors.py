# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Odyssey's tables of errors and `SHOW POOLS_EXTENDED` on a pooler where known things go wrong."""

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import CONSOLE, OPERATOR_PASSWORD, Route, console
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, query

pytestmark = pytest.mark.own

NAMES = [
    "OD_EATTACH_TOO_MANY_CONNECTIONS", "OD_ESERVER_CONNECT", "OD_ESERVER_READ", "OD_ECLIENT_READ", "OD_ECLIENT_KILLED",
    "OD_ECLIENT_TIMEOUT", "OD_ECLIENT_PROTOCOL_ERROR", "OD_EGRACEFUL_SHUTDOWN", "OD_EIDLE_TIMEOUT",
    "OD_EIDLE_IN_TRANSACTION_TIMEOUT", "OD_ROUTER_ERROR_NOT_FOUND", "OD_ROUTER_ERROR_LIMIT", "OD_ROUTER_ERROR_LIMIT_ROUTE"]


@pytest.fixture
def pooler(start):
    return start(
        Route(database="postgres", user="postgres", pool_size=1, pool_timeout=300),
        Route(database="limited", user="postgres", storage_db="postgres", client_max=1),
        Route(database="timed", user="postgres", storage_db="postgres",
              more={"query_timeout": 1, "idle_transaction_timeout": 1, "client_idle_timeout": 1}),
        console())


def operator(pooler):
    host, port = pooler.address
    return psycopg.connect(
        host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True,
        row_factory=dict_row)


@pytest.fixture
def command(pooler):
    with operator(pooler) as connection:
        yield connection.execute


@pytest.fixture
def show(command):
    yield lambda table: command(f"SHOW {table}").fetchall()


def errors(show):
    """Those that there were."""
    return {row["error_type"]: row["count"] for row in show("ERRORS") if row["count"]}


def refused(client, sql):
    with pytest.raises(ServerError) as failure:
        client.rows(sql)
    return failure.value


def test_each_error_is_counted_once_where_it_was(pooler, command, show):
    assert [row["error_type"] for row in show("ERRORS")] == NAMES
    assert errors(show) == {} and show("ERRORS_PER_ROUTE") == []
    expected = {}

    def is_counted(name):
        expected[name] = expected.get(name, 0) + 1
        wait_until(lambda: errors(show) == expected, f"{expected} is shown", timeout=5)

    with pooler.connect() as polite:
        polite.rows("select 1")
    rude = pooler.connect()
    rude.rows("select 1")
    rude.abort()
    is_counted("OD_ECLIENT_READ")
    with pooler.connect() as holder:
        holder.rows("begin")
        with pooler.connect() as second:
            assert "too many active clients" in str(refused(second, "select 1"))
        is_counted("OD_EATTACH_TOO_MANY_CONNECTIONS")
        server = holder.value("select pg_backend_pid()")
        with Wire.open(pooler.config.storage, user="postgres", database="postgres") as admin:
            admin.rows(f"select pg_terminate_backend({server})")
        refused(holder, "select 1")
        is_counted("OD_ESERVER_READ")
    with pooler.connect(database="limited"):
        with pytest.raises(ServerError):
            pooler.connect(database="limited")
        is_counted("OD_ROUTER_ERROR_LIMIT_ROUTE")
    with pooler.connect(database="timed") as slow:
        refused(slow, "select pg_sleep(5)")
        is_counted("OD_ECLIENT_TIMEOUT")
    with pooler.connect(database="timed") as thinker:
        thinker.rows("begin")
        is_counted("OD_EIDLE_IN_TRANSACTION_TIMEOUT")
    with pooler.connect(database="timed") as sleeper:
        sleeper.rows("select 1")
        is_counted("OD_EIDLE_TIMEOUT")
    with pooler.connect() as garbler:
        garbler.send(b"\x01\0\0\0\x04")
        is_counted("OD_ECLIENT_PROTOCOL_ERROR")
    with pooler.connect() as victim:
        victim.rows("select 1")
        number = next(row["id"] for row in show("CLIENTS") if row["database"] == "postgres")
        command(f"KILL_CLIENT {number}")
        is_counted("OD_ECLIENT_KILLED")
    places = {(row["error_type"], row["user"], row["database"]): row["count"] for row in show("ERRORS_PER_ROUTE")}
    assert all(user == "postgres" and database == "postgres" for _, user, database in places)
    assert {name: count for (name, _, _), count in places.items()} == {
        # Who is sent away at the door of the route has none.
        name: count for name, count in expected.items() if not name.startswith("OD_ROUTER")}


def test_servers_that_cannot_be_had(start):
    pooler = start(
        Route(database="postgres", user="postgres", pool_timeout=500),
        console(), storage=free_address())
    with pytest.raises(ServerError):
        pooler.connect().rows("select 1")
    with operator(pooler) as connection:
        assert errors(lambda table: connection.execute(f"SHOW {table}").fetchall()) == {"OD_ESERVER_CONNECT": 1}


def test_who_asks_for_a_database_that_no_route_has(start):
    pooler = start(Route(database="postgres"), Route(database="console", authentication="none", storage=CONSOLE))
    with pytest.raises(ServerError, match="is not found"):
        pooler.connect(database="nowhere")
    with pooler.connect(database="console", user="stats") as watcher:
        assert [row for row in watcher.rows("SHOW ERRORS") if row[1] != "0"] == [["OD_ROUTER_ERROR_NOT_FOUND", "1"]]
        assert watcher.rows("SHOW ERRORS_PER_ROUTE") == []


def test_pools_extended_are_the_pools_and_more(pooler, show):
    with pooler.connect() as client, pooler.connect(database="limited") as other:
        client.rows("select 1")
        other.rows("select 1")
        plain = [row for row in show("POOLS") if row["database"] != "console"]
        *rows, every = show("POOLS_EXTENDED")
        more = ("bytes_received", "bytes_sent", "tcp_conn_count")
        assert [{name: row[name] for name in row if name not in more} for row in rows] == plain
        assert list(rows[0])[-3:] == list(more)
        # Two queries of one row each.
        asked = len(query("select 1"))
        assert [row["bytes_received"] for row in rows] == [2 * asked]
        assert rows[0]["bytes_sent"] > 2 * len("select 1") and rows[0]["tcp_conn_count"] == 2
        assert every["database"] == every["user"] == "aggregated"
        for name in (*more, "cl_active", "sv_idle"):
            assert every[name] == sum(row[name] for row in rows)

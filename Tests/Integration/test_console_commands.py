# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Commands of the console that act on the pooler: RELOAD, KILL_CLIENT, SHUTDOWN, and who there is to act on."""

import dataclasses

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import OPERATOR_PASSWORD, Route
from lib.config import console as console_route
from lib.waiting import wait_until
from lib.wire import ServerError, error_fields, query

pytestmark = pytest.mark.own


@pytest.fixture
def pooler(start):
    return start(Route(pool="transaction", pool_size=1), console_route(), workers=2)


def connect(pooler, **options):
    host, port = pooler.address
    return psycopg.connect(
        host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True, row_factory=dict_row, **options)


def clients(console):
    return [row for row in console.execute("SHOW CLIENTS").fetchall() if row["database"] != "console"]


@pytest.mark.parametrize("prepare", [False, True])
def test_reload_takes_the_file_over_or_says_why_not(pooler, prepare):
    with connect(pooler) as console:
        pooler.config.routes[0] = dataclasses.replace(pooler.config.routes[0], pool_size=7)
        pooler.write()
        assert console.execute("RELOAD", prepare=prepare).statusmessage == "RELOAD"
        sizes = {row["name"]: row["pool_size"] for row in console.execute("SHOW DATABASES").fetchall()}
        assert sizes["*"] == 7
        pooler.write("workers 0\nclient_max x\n")
        with pytest.raises(psycopg.errors.ConfigFileError) as refused:
            console.execute("RELOAD", prepare=prepare)
        assert f"{pooler.file}:1:" in str(refused.value) and "workers" in str(refused.value)
        assert "client_max" in pooler.log(), "the others are in the log"
        assert console.execute("SHOW VERSION").fetchone()


def test_clients_are_listed_with_what_they_do(pooler):
    with connect(pooler) as console, pooler.connect(user="bench") as ada, pooler.connect() as bob:
        assert [(row["user"], row["state"]) for row in sorted(clients(console), key=lambda row: row["user"])] == [
            ("bench", "idle"), ("postgres", "idle")]
        assert {row["addr"] for row in clients(console)} == {"127.0.0.1"}
        assert {row["port"] for row in clients(console)} == {
            wire.stream.getsockname()[1] for wire in (ada, bob)}
        everybody = console.execute("SHOW CLIENTS").fetchall()
        assert [row["user"] for row in everybody if row["database"] == "console"] == ["operator"]
        assert len({row["id"] for row in everybody}) == 3


def test_states_of_clients(pooler, postgres):
    with connect(pooler) as console, pooler.connect() as holder, pooler.connect() as waiter:
        holder.rows("begin")
        waiter.send(query("select 1"))
        ports = {wire.stream.getsockname()[1]: name for wire, name in ((holder, "holder"), (waiter, "waiter"))}
        wait_until(
            lambda: {ports[row["port"]]: row["state"] for row in clients(console)} == {
                "holder": "active", "waiter": "waiting"}, "one works and one waits")


def test_kill_client_ends_that_one_and_no_other(pooler, postgres):
    with connect(pooler) as console, pooler.connect() as one, pooler.connect() as other:
        one.rows("begin")
        port = one.stream.getsockname()[1]
        number = next(row["id"] for row in clients(console) if row["port"] == port)
        assert console.execute(f"KILL_CLIENT {number}").statusmessage == "KILL_CLIENT"
        (kind, body), = one.last_words()
        assert kind == b"E" and error_fields(body)["C"] == "57P01" and error_fields(body)["S"] == "FATAL"
        assert other.value("select 1") == "1"
        with pytest.raises(psycopg.errors.UndefinedObject):
            console.execute(f"KILL_CLIENT {number}")
        wait_until(lambda: len(clients(console)) == 1, "it is listed no longer")


def test_shutdown_waits_for_transactions_or_not(pooler):
    with connect(pooler) as console, pooler.connect() as client:
        client.rows("begin")
        console.execute("SHUTDOWN WAIT_FOR_SERVERS")
        assert client.value("select 1") == "1"
        client.rows("commit")
        with pytest.raises(ServerError) as ended:
            client.rows("select 1")
        assert ended.value.code == "57P01"
    wait_until(lambda: not pooler.child.running, "the pooler has ended")


def test_shutdown_at_once(pooler):
    with connect(pooler) as console, pooler.connect() as client:
        client.rows("begin")
        try:
            console.execute("SHUTDOWN")
        except psycopg.OperationalError:
            pass  # The end can be faster than the answer.
        wait_until(lambda: not pooler.child.running, "the pooler has ended")

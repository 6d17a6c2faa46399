# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, KILL, WAIT_CLOSE and SHUTDOWN WAIT_FOR_CLIENTS."""

import socket
import threading

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import OPERATOR_PASSWORD, Route
from lib.config import console as console_route
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, error_fields, query

pytestmark = pytest.mark.own


@pytest.fixture
def pooler(start):
    return start(Route(pool="transaction", pool_size=2), Route(database="bench", user="bench", pool="transaction", pool_size=2),
                 console_route(), workers=2)


def connect(pooler):
    host, port = pooler.address
    return psycopg.connect(
        host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True, row_factory=dict_row)


@pytest.fixture
def console(pooler):
    with connect(pooler) as connection:
        yield connection


class Command:
    """A command that is answered later, on a connection and a thread of its own."""

    def __init__(self, pooler, text):
        self.console, self.text, self.tag = connect(pooler), text, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.tag = self.console.execute(self.text).statusmessage

    def finish(self):
        self.thread.join(20)
        self.console.close()
        return self.tag


def table(console, name):
    return console.execute(f"SHOW {name}").fetchall()


def servers(console, database="postgres"):
    return [row for row in table(console, "SERVERS") if row["database"] == database]


def flag(console, database, name):
    return next(row[name] for row in table(console, "DATABASES") if row["name"] == database)


def state(console):
    return {row["key"]: row["value"] for row in table(console, "STATE")}


def test_pause_waits_for_transactions_and_queries_wait_for_resume(pooler, console, postgres):
    with pooler.connect() as busy, pooler.connect() as late, pooler.connect("bench", "bench") as other:
        other.rows("select 1")
        busy.rows("begin")
        pause = Command(pooler, "PAUSE")
        wait_until(lambda: state(console) == {"active": "no", "paused": "yes", "suspended": "no"}, "it pauses")
        late.send(query("select 'late'"))
        wait_until(lambda: [row["reason"] for row in table(console, "WAITERS")] == ["the pool is paused"], "it waits")
        assert busy.value("select 'mine'") == "mine", "a transaction goes on"
        assert pause.tag is None
        assert servers(console, "bench") == [], "who has nothing to do is closed at once"
        busy.rows("commit")
        assert pause.finish() == "PAUSE"
        assert servers(console) == [] and table(console, "WAITERS")
        assert postgres.value("select count(*) from pg_stat_activity where backend_type = 'client backend' "
                              "and pid <> pg_backend_pid()") == "0"
        with pytest.raises(psycopg.Error, match="already suspended/paused"):
            console.execute("PAUSE")
        assert console.execute("RESUME").statusmessage == "RESUME"
        assert late.result()[0][0] == "late" and busy.value("select 1") == "1" and other.value("select 1") == "1"
        with pytest.raises(psycopg.Error, match="pooler is not paused/suspended"):
            console.execute("RESUME")


def test_one_database_is_paused_and_the_others_go_on(pooler, console):
    assert console.execute("PAUSE bench").statusmessage == "PAUSE"
    assert (flag(console, "bench", "paused"), flag(console, "*", "paused")) == (1, 0)
    with pooler.connect() as free:
        assert free.value("select 1") == "1"
        with pytest.raises(psycopg.Error, match="database postgres is not paused"):
            console.execute("RESUME postgres")
        assert state(console)["paused"] == "no"
    # The first client of a route that is paused already: its login waits for a server.
    logged_in = threading.Event()
    def come():
        with pooler.connect("bench", "bench") as wire:
            wire.value("select 1")
            logged_in.set()
    thread = threading.Thread(target=come)
    thread.start()
    wait_until(lambda: table(console, "WAITERS"), "it waits")
    assert not logged_in.is_set()
    console.execute("RESUME bench")
    thread.join(20)
    assert logged_in.is_set() and flag(console, "bench", "paused") == 0


def test_a_reload_does_not_end_a_pause(pooler, console):
    console.execute("PAUSE bench")
    pooler.config.routes[1].pool_size = 3
    pooler.config.routes[1].storage_password = "another way to the same server"
    pooler.reload()
    assert flag(console, "bench", "paused") == 1
    console.execute("RESUME bench")
    with pooler.connect("bench", "bench") as wire:
        assert wire.value("select 1") == "1"


def test_disabled_means_no_new_clients(pooler, console):
    with pooler.connect("bench", "bench") as old:
        assert console.execute("DISABLE bench").statusmessage == "DISABLE"
        assert (flag(console, "bench", "disabled"), flag(console, "*", "disabled")) == (1, 0)
        with pytest.raises(ServerError) as refused:
            pooler.connect("bench", "bench")
        assert "database does not allow connections: bench" in str(refused.value) and refused.value.code == "57P03"
        assert old.value("select 1") == "1", "who is here stays"
        pooler.connect().close()
    assert console.execute("ENABLE bench").statusmessage == "ENABLE"
    pooler.connect("bench", "bench").close()


def test_reconnect_closes_servers_when_they_are_released(pooler, console):
    with pooler.connect() as busy, pooler.connect() as idle:
        busy.rows("begin")
        kept = busy.value("select pg_backend_pid()")
        parked = idle.value("select pg_backend_pid()")
        assert console.execute("RECONNECT").statusmessage == "RECONNECT"
        wait = Command(pooler, "WAIT_CLOSE")
        assert busy.value("select pg_backend_pid()") == kept, "a transaction keeps its server"
        assert [row["close_needed"] for row in servers(console) if str(row["remote_pid"]) == kept] == [1]
        assert idle.value("select pg_backend_pid()") != parked
        assert wait.tag is None
        busy.rows("commit")
        assert wait.finish() == "WAIT_CLOSE"
        assert busy.value("select pg_backend_pid()") != kept
        assert console.execute("WAIT_CLOSE").statusmessage == "WAIT_CLOSE", "there is nothing to wait for"


def test_kill_ends_clients_and_servers_and_leaves_the_database_paused(pooler, console, postgres):
    with pooler.connect("bench", "bench") as victim, pooler.connect("bench", "bench") as idle, pooler.connect() as other:
        victim.rows("begin")
        other.rows("begin")
        assert console.execute("KILL bench").statusmessage == "KILL"
        for wire in (victim, idle):
            (kind, body), = wire.last_words()
            assert kind == b"E" and error_fields(body)["C"] == "57P01"
        assert servers(console, "bench") == [] and flag(console, "bench", "paused") == 1
        assert other.value("select 1") == "1", "others do not notice"
        console.execute("RESUME bench")
        with pooler.connect("bench", "bench") as next_one:
            assert next_one.value("select 1") == "1"


@pytest.mark.parametrize("command", ["PAUSE", "RESUME", "RECONNECT", "KILL", "DISABLE", "ENABLE"])
def test_databases_that_are_none_are_refused(start, command):
    pooler = start(Route(database="bench", user="bench"), console_route())
    with connect(pooler) as console:
        with pytest.raises(psycopg.errors.InvalidCatalogName, match="no such database: nowhere"):
            console.execute(f"{command} nowhere")
        with pytest.raises(psycopg.Error, match=f"cannot {command.lower()} admin db: console"):
            console.execute(f"{command} console")


def test_shutdown_waits_for_clients_to_leave(pooler):
    client = pooler.connect()
    with connect(pooler) as console:
        assert console.execute("SHUTDOWN WAIT_FOR_CLIENTS").statusmessage == "SHUTDOWN"
        def refused():
            try:
                pooler.connect().close()
            except (OSError, ConnectionLost):
                return True
        wait_until(refused, "nobody new is let in")
        for _ in range(3):
            assert client.value("select 1") == "1", "who is here goes on, transaction by transaction"
        assert pooler.child.running
        client.close()
        wait_until(lambda: not pooler.child.running, "the last client has left")


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_console_client_that_closes_its_side_while_pause_waits(pooler, console, is_gone):
    """One that is gone is let go of; one that has closed only the side that it sends on is answered."""
    with pooler.connect() as busy:
        busy.rows("begin")
        with Wire.open(pooler.address, user="operator", password=OPERATOR_PASSWORD, database="console") as admin:
            admin.send(query("PAUSE"))
            wait_until(lambda: any(row["paused"] for row in table(console, "DATABASES")), "it is paused")
            if not is_gone:
                admin.stream.shutdown(socket.SHUT_WR)
                busy.rows("commit")
                assert (b"C", b"PAUSE\0") in admin.last_words()
        wait_until(lambda: sum(row["database"] == "console" for row in table(console, "CLIENTS")) == 1, "it is gone", timeout=3)
        if is_gone:
            busy.rows("commit")
    console.execute("RESUME")

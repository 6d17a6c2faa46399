# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that have said all they have to say, and close the side that they send on: they get their answers, as directly."""

import socket
import time

import pytest

from lib import proc
from lib.config import Route
from lib.directory import Answers
from lib.logins import PASSWORD
from lib.waiting import wait_until
from lib.wire import (
    COPY_DONE, FLUSH, SYNC, TERMINATE, Wire, bind, close, copy_data, cstring, dial, error_fields, execute, message, parse, query,
    startup)

pytestmark = pytest.mark.own

SLOW = 0.5
#: As another role `bench` asks what it knows, after a while.
AUTH_QUERY = f"select $1::text, '{PASSWORD}'::text from pg_sleep({SLOW})"
#: How its server is reached.
ASKING = Route(user="bench")


def conversation(address, user, database, password=None):
    """What a client gets that sends everything at once and no more."""
    with dial(address) as client:
        client.sendall(startup({"user": user, "database": database}))
        if password is not None:
            assert client.recv(1000)[:1] == b"R"
            client.sendall(message(b"p", cstring(password)))
        client.sendall(query("select 41 + 1") + message(b"X"))
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := client.recv(1 << 16):
            answer += chunk
        return answer


def route(**options):
    return Route(**{"database": "shop", "storage_user": "bench", "storage_db": "postgres", **options})


@pytest.fixture
def slow_directory():
    with Answers(0, delay=SLOW) as answers:
        yield answers


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_client_that_has_closed_its_side_is_answered_while_something_is_found_out(start, slow_directory, pool):
    """Each for the first time, when there are no servers yet and nothing is known about the user."""
    endpoint = {"ldapserver": slow_directory.address[0], "ldapport": slow_directory.address[1], "ldapprefix": "uid="}
    pooler = start(
        route(database="open", pool=pool), route(database="plain", authentication="clear_text", password=PASSWORD, pool=pool),
        route(database="ldap", authentication="clear_text", more={"ldap_endpoint_name": "e"}, pool=pool),
        ASKING, route(database="asked", authentication="clear_text", pool=pool,
              more={"auth_query": AUTH_QUERY, "auth_query_user": "bench", "auth_query_db": "postgres"}),
        ldap_endpoints={"e": endpoint})
    for database, password in (("open", None), ("plain", PASSWORD), ("ldap", PASSWORD), ("asked", PASSWORD)):
        if database == "asked":
            # The question comes first there: the password is not waited for.
            with dial(pooler.address) as client:
                client.sendall(startup({"user": "ann", "database": database}) + message(b"p", cstring(PASSWORD))
                               + query("select 41 + 1") + message(b"X"))
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while chunk := client.recv(1 << 16):
                    answer += chunk
        else:
            answer = conversation(pooler.address, "ann", database, password)
        assert b"42" in answer and b"SELECT 1" in answer, (database, answer)


def test_a_client_that_has_gone_leaves_while_something_is_found_out(start):
    pooler = start(ASKING, route(database="asked", authentication="clear_text", more={
        "auth_query": AUTH_QUERY.replace(f"pg_sleep({SLOW})", "pg_sleep(4)"), "auth_query_user": "bench", "auth_query_db": "postgres"}))
    for number in range(20):
        with dial(pooler.address) as client:
            client.sendall(startup({"user": f"user{number}", "database": "asked"}))
            wait_until(lambda: proc.connections_at(pooler.pid, pooler.address), "it is served")
    wait_until(lambda: not proc.connections_at(pooler.pid, pooler.address), "their sockets are closed", timeout=2)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("method", ["clear_text", "ldap"])
def test_no_closing_of_a_side_makes_a_failure_known_earlier(start, half, method):
    with Answers(49) as answers:
        options = {"password": PASSWORD} if method == "clear_text" else {"more": {"ldap_endpoint_name": "e"}}
        pooler = start(
            route(authentication="clear_text", **options), globals={"auth_delay": 1000},
            ldap_endpoints={"e": {"ldapserver": answers.address[0], "ldapport": answers.address[1], "ldapprefix": "uid="}})
        with dial(pooler.address) as client:
            client.sendall(startup({"user": "ann", "database": "shop"}))
            assert client.recv(1000)[:1] == b"R"
            began = time.monotonic()
            client.sendall(message(b"p", cstring("wrong")))
            if half:
                client.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := client.recv(1 << 16):
                answer += chunk
            assert b"28P01" in answer and time.monotonic() - began > 0.95


def extended(*texts):
    return b"".join(parse("", text) + bind("", "") + execute() for text in texts)


def last_of(wire):
    """What a client gets to the end, and not what the pooler asks with whether it is there."""
    wire.stream.shutdown(socket.SHUT_WR)
    return [(kind, error_fields(body)["C"] if kind == b"E" else body)
            for kind, body in wire.last_words() if kind not in (b"S", b"N")]


#: All that a client says before it closes its side.
PROGRAMS = {
    "a query": query("select 42"),
    "a slow one": query("select 42, pg_sleep(0.3)"),
    "queries": query("select 42") * 100,
    "an error": query("select 1/0") + query("select 42"),
    "a transaction": query("begin") + query("select 42") + query("commit") + query("select 43"),
    "an open transaction": query("begin; insert into noted values (1)"),
    "half a query": query("select 42")[:-2],
    "half a query behind a whole one": query("select 42") + query("select 43")[:-2],
    "half a query behind a slow one": query("select 42, pg_sleep(0.3)") + query("select 43")[:8],
    "half a query, a long one": query("select 42") + query("select '" + "x" * 100_000 + "'")[:90_000],
    "half a Parse behind a query": query("select 42") + parse("", "select 43")[:8],
    "half a Sync behind a batch": extended("select 42") + SYNC + extended("select 43") + FLUSH + SYNC[:3],
    "a batch": extended("select 42") + SYNC,
    "a batch with Flush": extended("select 42") + FLUSH,
    "a slow batch with Flush": extended("select 42, pg_sleep(0.3)") + FLUSH,
    "a batch with Flush behind one with Sync": extended("select 42") + SYNC + extended("select 43") + FLUSH,
    "a batch with Flush in a transaction": query("begin") + extended("select 42") + FLUSH,
    "a failing batch with Flush": extended("select 42", "select 1/0", "select 43") + FLUSH,
    "a batch with Flush and a goodbye": extended("select 42") + FLUSH + TERMINATE,
    "an INSERT with Flush": extended("insert into noted values (1)") + FLUSH,
    "a COMMIT with Flush": query("begin; insert into noted values (1)") + extended("select pg_sleep(0.2)", "commit") + FLUSH,
    "a query and a goodbye": query("select 42, pg_sleep(0.2)") + TERMINATE,
    "COPY with its data": query("copy noted from stdin") + copy_data(b"1\n") + COPY_DONE,
    "a slow COPY with its data": query("select pg_sleep(0.2); copy noted from stdin") + copy_data(b"1\n") + COPY_DONE,
    "a COPY that has swallowed its Sync": (
        extended("copy noted from stdin") + SYNC + copy_data(b"1\n") + COPY_DONE + SYNC[:3]),
    "a COPY behind an error": (
        execute() + SYNC + extended("copy noted from stdin") + SYNC + copy_data(b"1\n") + COPY_DONE + SYNC),
    "behind what is deallocated": query("select 1") + query("deallocate all") + query("insert into noted values (1)"),
    "behind what is deallocated by name": parse("q", "select 1") + SYNC + query("deallocate q") + query("insert into noted values (1)"),
    "behind what is prepared again": (
        parse("q", "select 1") + SYNC + close(b"S", "q") + SYNC + parse("q", "insert into noted values (1)") + SYNC + bind("", "q")
        + execute() + SYNC),
    "behind settings that are taken back": query("set work_mem = '1MB'") + query("reset all") + query("insert into noted values (1)"),
    "behind LISTEN": query("listen news") + query("insert into noted values (1)"),
    "behind an error": query("select 1/0") + query("listen news"),
    "a query that is skipped": execute() + query("insert into noted values (1)"),
    "a query that is skipped and a goodbye": execute() + query("insert into noted values (1)") + TERMINATE,
    "a long one that is skipped": execute() + query("deallocate all -- " + "x" * 140_000),
    "a long one that is skipped and a goodbye": execute() + query("deallocate all -- " + "x" * 140_000) + TERMINATE,
    "half a long Parse behind a batch with Flush": (
        query("begin; insert into noted values (1)") + extended("select pg_sleep(0.2)", "commit") + FLUSH
        + parse("", "select '" + "x" * 140_000)[:90_000]),
    "behind a discarded session": query("discard all") + query("insert into noted values (1)"),
}


@pytest.fixture
def noted(postgres):
    with postgres.connect() as direct:
        direct.rows("create table if not exists noted (number int)")
        yield lambda: (direct.value("select count(*) from noted"), direct.rows("truncate noted"))[0]
        direct.rows("truncate noted")


#: Statement pooling refuses what opens a transaction.
CASES = [(pool, program) for pool in ("transaction", "session", "statement") for program in PROGRAMS
         if pool != "statement" or b"begin" not in PROGRAMS[program]]


@pytest.mark.parametrize("pool, program", CASES)
def test_all_that_was_asked_before_the_side_was_closed_is_done_and_answered(start, postgres, noted, pool, program):
    pooler = start(Route(pool=pool, pool_size=1, more={"pool_listen": True} if pool == "transaction" else {}))
    direct, stored = [], []
    data = PROGRAMS[program]
    for server in (postgres, pooler):
        with server.connect() as wire:
            wire.send(data)
            direct.append(last_of(wire))
        stored.append(noted())
    assert direct[1] == direct[0] and stored[1] == stored[0]
    # In pieces it is the same.
    with pooler.connect() as wire:
        size = 13 if len(data) < 1_000 else 7_001
        for position in range(0, len(data), size):
            wire.send(data[position:position + size])
        assert last_of(wire) == direct[0] and noted() == stored[0]


@pytest.mark.parametrize("end", [b"", TERMINATE])
@pytest.mark.parametrize("data", [b"", copy_data(b"1\n")])
@pytest.mark.parametrize("is_extended", [True, False])
@pytest.mark.parametrize("is_local", [True, False])
def test_no_server_waits_for_the_data_of_a_client_that_has_said_all(place, start, noted, end, data, is_extended, is_local):
    """The COPY begins when the side was closed already."""
    pooler = start(Route(pool_size=1), unix_socket_dir=place.directory("sockets"))
    text = "copy noted from stdin"
    with Wire.open(pooler.socket_path) if is_local else pooler.connect() as wire, pooler.connect() as next_one:
        wire.send(query("select pg_sleep(0.2)") + (extended(text) + SYNC if is_extended else query(text)) + data + end)
        assert last_of(wire)[-1][0] == b"G"
        next_one.stream.settimeout(5)
        assert next_one.value("select 42") == "42" and noted() == "0"


@pytest.mark.parametrize("is_local", [True, False])
def test_a_client_that_has_closed_its_side_may_take_its_time(place, start, is_local):
    """The first is slow to read, the second is sent rows by a server that stops in the middle of one."""
    pooler = start(Route(pool_size=2), unix_socket_dir=place.directory("sockets"))

    def connect():
        return Wire.open(pooler.socket_path) if is_local else pooler.connect()

    with connect() as reader, connect() as waiter:
        waiter.send(query("select repeat('x', 5000), pg_sleep(case when n = 4 then 1.5 else 0 end) from generate_series(1, 8) n"))
        waiter.stream.shutdown(socket.SHUT_WR)
        reader.send(query("select repeat('x', 1000) from generate_series(1, 20000)"))
        reader.stream.shutdown(socket.SHUT_WR)
        time.sleep(1.5)
        for wire, rows in ((reader, 20_000), (waiter, 8)):
            answer = wire.last_words()
            assert answer[-1] == (b"Z", b"I") and sum(kind == b"D" for kind, _ in answer) == rows


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_stream_of_replication_ends_with_the_clients_side(start, postgres, is_at_once):
    pooler = start(Route(pool_size=2))
    with Wire.open(pooler.address, user="bench", replication="true") as wire:
        wire.stream.settimeout(5)
        at = wire.rows("IDENTIFY_SYSTEM")[0][2]
        wire.send(query(f"START_REPLICATION PHYSICAL {at}"))
        if not is_at_once:
            assert wire.receive()[0] == b"W"
        wire.stream.shutdown(socket.SHUT_WR)
        wire.last_words()
    with postgres.connect() as direct:
        wait_until(lambda: direct.value("select count(*) from pg_stat_replication") == "0", "the sender has gone")

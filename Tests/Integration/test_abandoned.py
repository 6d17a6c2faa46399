# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that vanish: nothing of theirs stays on a server, and the pool is whole again at once."""

import os
import signal
import socket
import subprocess

import pytest

from lib.config import Route
from lib.load import environment, pgbench
from lib.postgres import binary
from lib.waiting import wait_until
from lib.wire import COPY_DONE, FLUSH, SYNC, TERMINATE, bind, copy_data, execute, message, parse, query

BUSY = ("select count(*) from pg_stat_activity where usename = 'bench' and backend_type = 'client backend' "
        "and pid <> pg_backend_pid() and (xact_start is not null and state <> 'idle')")


def assert_whole(pooler, size):
    """All `size` servers can be held at the same time."""
    holders = [pooler.connect(user="bench", database="bench") for _ in range(size)]
    try:
        for wire in holders:
            wire.rows("begin")
        assert len({wire.value("select pg_backend_pid()") for wire in holders}) == size
        for wire in holders:
            wire.rows("commit")
    finally:
        for wire in holders:
            wire.close()


def test_a_killed_pgbench_leaves_no_transaction(postgres, start, tmp_path):
    script = tmp_path / "hold.sql"
    script.write_text("begin;\nselect txid_current();\n\\sleep 20 s\ncommit;\n")
    pooler = start(Route(pool_size=8), workers=2)
    # Ended in one blow below; the group makes sure that a failing assertion ends it too.
    load = subprocess.Popen(
        [binary("pgbench"), "-n", "-f", str(script), "-c", "64", "-j", "2", "-T", "60"],
        env=environment(pooler.address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    try:
        wait_until(lambda: postgres.value(BUSY) == "8", "8 transactions are open", timeout=20)
    finally:
        os.killpg(load.pid, signal.SIGKILL)
        load.wait()
    wait_until(lambda: postgres.value(BUSY) == "0", "no transaction is left open", timeout=2)
    assert_whole(pooler, 8)
    pgbench(pooler.address, "-n", "-f", _one(tmp_path), "-c", 16, "-j", 2, "-t", 20)


def _one(directory):
    script = directory / "one.sql"
    script.write_text("select 1;\n")
    return script


@pytest.fixture(autouse=True)
def nothing_left_by_others(postgres):
    yield
    postgres.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bench'")


@pytest.fixture
def lone(start):
    """A pooler with a single server."""
    return start(Route(pool_size=1))


@pytest.mark.own
def test_an_abandoned_query_is_cancelled_and_its_server_used_again(postgres, lone):
    with lone.connect(user="bench", database="bench") as client:
        backend = client.value("select pg_backend_pid()")
    runaway = lone.connect(user="bench", database="bench")
    runaway.send(query("select pg_sleep(600)"))
    wait_until(lambda: postgres.value(BUSY) == "1", "the query runs")
    runaway.abort()
    wait_until(lambda: postgres.value(BUSY) == "0", "the query is cancelled", timeout=2)
    with lone.connect(user="bench", database="bench") as client:
        assert client.value("select pg_backend_pid()") == backend


@pytest.mark.own
def test_an_abandoned_transaction_is_rolled_back_on_the_same_server(postgres, lone):
    with lone.connect(user="bench", database="bench") as client:
        backend = client.value("select pg_backend_pid()")
        client.rows("drop table if exists left_behind")
    leaver = lone.connect(user="bench", database="bench")
    leaver.rows("begin")
    leaver.rows("create table left_behind (a int)")
    leaver.abort()
    wait_until(lambda: postgres.value(BUSY) == "0", "the transaction is over", timeout=2)
    with lone.connect(user="bench", database="bench") as client:
        assert client.value("select pg_backend_pid()") == backend
        assert client.value("select to_regclass('left_behind') is null") == "t"


WAYS_TO_LEAVE = {
    "in the middle of a frame": [query("select 1")[:7]],
    "with half a query behind a whole one": [query("begin"), query("select 1")[:9]],
    "a pipeline without Sync": [parse("", "select 1") + bind("", "") + execute()],
    "a pipeline flushed": [parse("", "select pg_sleep(600)") + bind("", "") + execute() + FLUSH],
    "a failed transaction": [query("begin; select 1/0")],
    "in COPY in": [query("begin; create temp table c (a text); copy c from stdin"), copy_data(b"x\n")],
    "in COPY in, in the middle of a row": [
        query("begin; create temp table c (a text); copy c from stdin"), copy_data(b"x" * 100_000)[:5000]],
    "in COPY out": [query("copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout")],
    "in a big result": [query("select repeat('x', 1000) from generate_series(1, 1000000)")],
    "after COPY done without Sync": [
        query("begin; create temp table c (a text)"),
        parse("", "copy pg_temp.c from stdin") + bind("", "") + execute() + copy_data(b"x\n") + COPY_DONE],
    "with queries queued behind a long one": [query("select pg_sleep(600)") + query("select 2") * 50],
    "with a lock held": [query("begin; lock table pg_description in access exclusive mode")],
    "after a protocol error": [query("begin"), message(b"?", b"what")],
}


#: The peer closes the server connection instead of cancelling, and the query runs on.
NEEDS_CANCEL = ("a pipeline flushed", "with queries queued behind a long one")


@pytest.mark.parametrize("steps", [
    pytest.param(steps, id=way, marks=[pytest.mark.own] if way in NEEDS_CANCEL else [])
    for way, steps in WAYS_TO_LEAVE.items()])
@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_whatever_was_left_the_next_client_is_served(postgres, start, pool, steps):
    pooler = start(Route(pool=pool, pool_size=1))
    for politely in (False, True):
        leaver = pooler.connect(user="bench", database="bench")
        for step in steps:
            leaver.send(step)
        if politely:
            leaver.close()
        else:
            leaver.abort()
        wait_until(lambda: postgres.value(BUSY) == "0", "nothing of the leaver runs", timeout=5)
        with pooler.connect(user="bench", database="bench") as client:
            assert client.rows("select 'served'") == [["served"]]
            assert client.value("select to_regclass('pg_temp.c') is null") == "t"
    assert len(postgres.backends("bench")) <= 1


def test_a_client_that_leaves_the_queue_does_not_take_a_server(start):
    pooler = start(Route(pool_size=1))
    holder = pooler.connect(user="bench", database="bench")
    holder.rows("begin")
    for _ in range(20):
        waiter = pooler.connect(user="bench", database="bench")
        waiter.send(query("begin"))
        waiter.abort()
    holder.rows("commit")
    assert_whole(pooler, 1)
    holder.close()


@pytest.mark.parametrize("pool", ["transaction", "session"])
@pytest.mark.parametrize("is_answered", [True, False])
@pytest.mark.parametrize("end", ["close", "half", "goodbye"])
def test_a_batch_without_its_sync_is_not_committed(start, postgres, pool, is_answered, end):
    """Directly it is rolled back with the connection; the pooler's own Sync must not commit it."""
    pooler = start(Route(pool=pool, pool_size=1))
    with postgres.connect() as direct:
        direct.rows("create table if not exists unsynced (number int)")
    with pooler.connect() as wire:
        wire.exchange(parse("", "insert into unsynced values (0)") + bind("", "") + execute() + SYNC)
        wire.send(parse("", "insert into unsynced values (1)") + bind("", "") + execute() + FLUSH * is_answered)
        if is_answered:
            assert [wire.receive()[0] for _ in range(3)] == [b"1", b"2", b"C"]
        if end == "goodbye":
            wire.send(TERMINATE)
        if end == "half":
            wire.stream.shutdown(socket.SHUT_WR)
            wire.last_words()
    with pooler.connect() as after:
        assert after.rows("select number from unsynced") == [["0"]]
        after.rows("truncate unsynced")


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_copy_that_has_swallowed_its_sync_is_not_committed_and_keeps_no_server(start, postgres, is_begun):
    pooler = start(Route(pool_size=1))
    with postgres.connect() as direct:
        direct.rows("create table if not exists unsynced (number int)")
    with pooler.connect() as wire:
        wire.send(parse("", "copy unsynced from stdin") + bind("", "") + execute() + SYNC)
        if is_begun:
            assert [wire.receive()[0] for _ in range(3)] == [b"1", b"2", b"G"]
        wire.send(copy_data(b"1\n") + COPY_DONE)
        wire.abort()
    with pooler.connect() as after:
        after.stream.settimeout(3)
        assert after.rows("select number from unsynced") == []

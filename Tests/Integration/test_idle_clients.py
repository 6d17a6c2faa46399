# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that ask for nothing a server is needed for get no server, and the answers PostgreSQL would give."""

import os
import time

import pytest

from lib import proc
from lib.config import Route
from lib.waiting import wait_until
from lib.wire import COPY_DONE, FLUSH, SYNC, copy_data, copy_fail, error_fields, message, parse, query

pytestmark = pytest.mark.own


@pytest.fixture
def taken(start):
    """A pooler whose only server is lent, and a client of it."""
    pooler = start(Route(pool_size=1))
    holder = pooler.connect()
    client = pooler.connect()
    holder.rows("begin")
    yield holder, client
    holder.close()
    client.close()


def test_a_lone_sync_is_answered_without_a_server(taken):
    _, client = taken
    assert client.exchange(SYNC) == [(b"Z", b"I")]
    assert client.exchange(SYNC * 50, ready=50) == [(b"Z", b"I")] * 50


def test_what_postgresql_ignores_is_ignored_without_a_server(taken):
    _, client = taken
    leftovers = copy_data(b"x" * 200_000) + COPY_DONE + copy_fail("late") + FLUSH + copy_data(b"")
    assert client.exchange(leftovers + SYNC) == [(b"Z", b"I")]


def test_half_a_query_takes_no_server(taken):
    holder, client = taken
    half = query("select '" + "x" * 20_000 + "'")
    client.send(half[:9_000])
    holder.rows("commit")
    for _ in range(20):
        holder.rows("begin")
        holder.rows("commit")
    client.send(half[9_000:])
    assert client.result() == [["x" * 20_000]]


def test_local_answers_and_work_keep_their_order(taken):
    holder, client = taken
    client.send(SYNC + copy_data(b"y") + query("select 'work'") + SYNC)
    assert client.until_ready() == [(b"Z", b"I")]
    holder.rows("commit")
    kinds = [kind for kind, _ in client.until_ready(2)]
    assert kinds == [b"T", b"D", b"C", b"Z", b"Z"]


def test_syncs_that_nobody_reads_the_answers_of_cost_no_memory(start):
    pooler = start(Route(pool_size=1))
    wire = pooler.connect()
    before = proc.resident_bytes(pooler.pid)
    wire.stream.settimeout(1)
    try:
        for _ in range(2000):
            wire.stream.sendall(SYNC * 20_000)
    except TimeoutError:
        pass
    assert proc.resident_bytes(pooler.pid) - before < 10 << 20
    wire.abort()
    with pooler.connect() as good:
        assert good.value("select 1") == "1"


def test_the_reason_of_an_end_arrives_though_the_client_was_still_sending(start):
    pooler = start(Route())
    for _ in range(20):
        wire = pooler.connect()
        wire.send(message(b"?", b"what") + query("select 1") * 2000)
        codes = [error_fields(body)["C"] for kind, body in wire.last_words() if kind == b"E"]
        assert codes == ["08P01"]
        wire.abort()


def test_a_password_out_of_place_is_a_violation(taken):
    _, client = taken
    client.send(message(b"p", b"x\0"))
    assert [error_fields(body)["C"] for kind, body in client.last_words() if kind == b"E"] == ["08P01"]


def test_queries_are_logged_where_that_is_wanted(start):
    pooler = start(Route(database="postgres", more={"log_query": True}), Route(database="bench"))
    with pooler.connect() as wire:
        wire.value("select 'seen in the log'")
        wire.exchange(parse("", "select 'seen as well'") + SYNC)
    with pooler.connect(database="bench") as wire:
        wire.value("select 'not for the log'")
    wait_until(lambda: "select 'seen in the log'" in pooler.log() and "select 'seen as well'" in pooler.log(),
               "both are in the log")
    assert "not for the log" not in pooler.log()


def test_errors_carry_no_id_where_that_is_not_wanted(start):
    pooler = start(Route(user="postgres", authentication="md5", password="right", more={"client_show_id": False}))
    from lib.wire import ServerError
    with pytest.raises(ServerError) as refused:
        pooler.connect(password="wrong").close()
    assert refused.value.code == "28P01"
    assert refused.value.fields["M"].startswith("carom: password") or "carom" not in refused.value.fields["M"]


def test_configuration_and_process_are_written_down_where_that_is_wanted(start, place):
    file = f"{place.directory('pid')}/carom.pid"
    pooler = start(Route(user="postgres", authentication="md5", password="t0p-secret"),
                   globals={"log_config": True, "pid_file": file})
    # The listeners are opened first, and the configuration is logged a line at a time.
    wait_until(lambda: os.path.exists(file) and open(file).read() == f"{pooler.pid}\n", "the file is written")
    wait_until(lambda: 'pool "transaction"' in pooler.log(), "the configuration is written down")
    assert pooler.stop() == 0
    assert "t0p-secret" not in pooler.log()
    with pytest.raises(FileNotFoundError):
        open(file)


def test_servers_that_come_and_go_are_logged(start):
    pooler = start(Route(pool_size=1))
    with pooler.connect() as wire:
        wire.value("select 1")
    assert "new server connection" in pooler.log()
    pooler.stop()
    assert "server connection closed" in pooler.log()


def test_clients_at_rest_wake_nobody_though_timeouts_run(start):
    """The long form with 10,000, and the time that they take: Tests/Benchmarks/pooler/crowd."""
    hour = 3_600_000
    pooler = start(Route(pool_size=1), globals={
        "client_idle_timeout": hour, "idle_transaction_timeout": hour, "transaction_timeout": hour, "query_timeout": hour})

    def wakes(seconds=2):
        before = proc.voluntary_switches(pooler.pid)
        time.sleep(seconds)
        return proc.voluntary_switches(pooler.pid) - before

    wires = [pooler.connect()]
    wires[0].value("select 1")
    few = wakes()
    for _ in range(500):
        wires.append(pooler.connect())
        wires[-1].value("select 1")
    wakes(1)
    assert wakes() <= 2 * few + 20
    for wire in wires:
        wire.abort()

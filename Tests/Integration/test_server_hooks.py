# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What is done with servers beside serving clients: checked, welcomed, reset, replaced, a few logins at a time."""

import dataclasses
import threading

import pytest

from lib.config import Route
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, error_fields, query

pytestmark = pytest.mark.own


@pytest.fixture
def calls(postgres):
    """Counts what servers do: `call(name)` notes it outside of any transaction."""
    postgres.rows("create table if not exists called (name text); truncate called")
    yield lambda name: int(postgres.value(f"select count(*) from called where name = '{name}'"))
    postgres.rows("drop table called")


def noting(name):
    return f"insert into public.called values ('{name}')"


def test_connect_query_runs_once_for_each_new_server(start, postgres, calls):
    pooler = start(Route(pool_size=2, more={"connect_query": noting("connected")}))
    with pooler.connect() as one, pooler.connect() as other:
        for _ in range(3):
            one.rows("begin")
            other.rows("begin")
            one.rows("commit")
            other.rows("commit")
        assert calls("connected") == 2
        # A reload that changes it brings new servers.
        pooler.config.routes[0] = dataclasses.replace(pooler.config.routes[0], more={"connect_query": noting("anew")})
        pooler.reload()
        one.rows("select 1")
        wait_until(lambda: calls("anew") >= 1, "the new servers are welcomed")


@pytest.mark.parametrize("text, reason", [
    ("select nonsense", 'column "nonsense" does not exist'), ("begin", "it leaves a transaction open")])
def test_a_connect_query_that_fails_refuses_the_server(start, text, reason):
    pooler = start(Route(pool_timeout=1000, more={"connect_query": text}))
    with pytest.raises(ServerError) as refusal:
        with pooler.connect() as client:
            client.rows("select 1")
    assert "connect_query failed" in str(refusal.value.fields) and reason in str(refusal.value.fields)
    assert "connect_query failed" in pooler.log()


def test_a_server_is_checked_before_a_use(start, calls):
    pooler = start(Route(pool_size=1, more={"server_check_delay": 0, "server_check_query": noting("checked")}))
    with pooler.connect() as one, pooler.connect() as other:
        one.rows("select 1")
        before = calls("checked")
        other.rows("select 1")
        one.rows("select 1")
        assert calls("checked") >= before + 2


def test_a_server_that_was_just_used_is_not_checked(start, calls):
    pooler = start(Route(pool_size=1, more={"server_check_delay": 30, "server_check_query": noting("checked")}))
    with pooler.connect() as one, pooler.connect() as other:
        one.rows("select 1")
        other.rows("select 1")
        assert calls("checked") == 0


def test_a_server_that_fails_its_check_is_replaced(start, postgres):
    """The check fails for a session that it has met before."""
    check = "select 1 / (current_setting('app.met', true) is distinct from 'yes')::int, set_config('app.met', 'yes', false)"
    pooler = start(Route(pool_size=1, pool_timeout=5000, more={"server_check_delay": 0, "server_check_query": check, "pool_discard": False}))
    with pooler.connect() as one, pooler.connect() as other:
        backends = {client.value("select pg_backend_pid()") for client in [one, other] * 4}
    assert len(backends) > 1


@pytest.mark.parametrize("name", ["server_reset_query", "pool_discard_query"])
@pytest.mark.parametrize("pool", ["session", "transaction"])
def test_an_operators_reset_is_in_the_place_of_discard_all(start, calls, pool, name):
    more = {name: "RESET ALL; " + noting("reset"), "server_reset_query_always": True}
    pooler = start(Route(pool=pool, pool_size=1, more=more))
    with pooler.connect() as client:
        client.rows("set work_mem = '7MB'")
        client.rows("create temp table kept (a int)")
        client.rows("discard temp")
    with pooler.connect() as other:
        assert other.value("show work_mem") != "7MB"
        assert calls("reset") >= 1


def test_prepared_statements_outlive_a_reset_that_spares_them(start):
    from lib.wire import SYNC, bind, execute, parse
    pooler = start(Route(pool_size=1, more={"server_reset_query": "RESET ALL", "pool_discard": True}))
    with pooler.connect() as one, pooler.connect() as other:
        one.exchange(parse("s", "select 8") + SYNC)
        other.exchange(parse("s", "select 8") + SYNC)
        for client in [one, other, one]:
            assert any(kind == b"D" for kind, _ in client.exchange(bind("", "s") + execute() + SYNC))


@pytest.mark.parametrize("fast", [False, True])
def test_a_server_that_is_to_be_replaced_is_kept_by_its_client_or_not(start, fast):
    pooler = start(Route(pool="session", pool_size=2, more={"server_fast_close": fast}))
    with pooler.connect() as idle, pooler.connect() as busy:
        backend = idle.value("select pg_backend_pid()")
        busy.rows("begin")
        pooler.config.routes[0] = dataclasses.replace(
            pooler.config.routes[0], more={"server_fast_close": fast, "pool_rollback": False})
        pooler.reload()
        if not fast:
            assert idle.value("select pg_backend_pid()") == backend
            return
        kind, body = idle.receive()
        assert kind == b"E" and error_fields(body)["C"] == "57P01"
        with pytest.raises(ConnectionLost):
            idle.receive()
        # A transaction is finished first.
        assert busy.value("select 7") == "7"
        busy.send(query("commit"))
        kinds = [busy.receive()[0] for _ in range(3)]
        assert kinds == [b"C", b"Z", b"E"]


def test_codel_sends_away_who_waits_too_long_while_the_queue_stands(start):
    pooler = start(Route(pool_size=1, more={"codel_target": 20, "codel_interval": 50}))
    ended = []

    def wait():
        with pooler.connect() as client:
            try:
                client.rows("select pg_sleep(0.1)")
            except ServerError as error:
                ended.append(error.fields["C"])

    threads = [threading.Thread(target=wait) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended and set(ended) == {"53300"} and len(ended) < 12


@pytest.mark.parametrize("rotates", [True, False])
def test_servers_take_turns_where_that_is_wanted(start, rotates):
    pooler = start(Route(pool_size=3, more={"server_round_robin": rotates}), workers=2)
    wires = [pooler.connect() for _ in range(3)]
    for wire in wires:
        wire.rows("begin")
    for wire in wires:
        wire.rows("commit")
    used = [wires[0].value("select pg_backend_pid()") for _ in range(9)]
    assert len(set(used)) == (3 if rotates else 1)
    assert used == used[:3] * 3
    for wire in wires:
        wire.close()

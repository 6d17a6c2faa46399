# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Session pooling: a server is a client's own until it leaves, and then forgets everything about it."""

import pytest

from lib.config import Route
from lib.talk import codes_of, rows_of, said
from lib.waiting import wait_until
from lib.wire import SYNC, ServerError, bind, execute, parse, query, send_cancel


@pytest.fixture
def lone(start):
    """A session pool with one server, so that the next client gets the one the last client had."""
    return start(Route(pool="session", pool_size=1))


TRACES = {
    "a temporary table": (["create temp table trace (a int)"], "select to_regclass('pg_temp.trace') is null"),
    "a setting": (["set work_mem = '7MB'"], "select current_setting('work_mem') <> '7MB'"),
    "a reported setting": (["set timezone = 'Asia/Tokyo'"], "select current_setting('timezone') <> 'Asia/Tokyo'"),
    "a custom setting": (["set my.secret = 'x'"], "select coalesce(current_setting('my.secret', true), '') = ''"),
    "a role": (["set role bench"], "select current_user = 'postgres'"),
    "an advisory lock": (["select pg_advisory_lock(11)"],
                         "select count(*) = 0 from pg_locks where locktype = 'advisory'"),
    "a listener": (["listen trace"], "select count(*) = 0 from pg_listening_channels()"),
    "a prepared statement": (["prepare trace as select 1"], "select count(*) = 0 from pg_prepared_statements"),
    "a cursor with hold": (["begin", "declare trace cursor with hold for select 1", "commit"],
                           "select count(*) = 0 from pg_cursors"),
    "a sequence's last value": (["create temp sequence trace", "select nextval('trace')"],
                                "select to_regclass('pg_temp.trace') is null"),
    "an open transaction": (["begin", "create temp table trace (a int)"],
                            "select to_regclass('pg_temp.trace') is null"),
    "a failed transaction": (["set work_mem = '7MB'", "begin", "selekt"],
                             "select current_setting('work_mem') <> '7MB'"),
}


@pytest.mark.parametrize("statements, clean", TRACES.values(), ids=TRACES.keys())
@pytest.mark.parametrize("politely", [True, False], ids=["terminate", "abort"])
def test_nothing_is_left_for_the_next_client(lone, statements, clean, politely):
    leaver = lone.connect()
    backend = leaver.value("select pg_backend_pid()")
    for statement in statements:
        try:
            leaver.rows(statement)
        except ServerError:
            pass
    leaver.close() if politely else leaver.abort()
    with lone.connect() as client:
        assert client.value(clean) == "t"
        # An orderly leaver's server is cleaned, not thrown away.
        in_order = politely and "begin" not in statements[-2:]
        assert not in_order or client.value("select pg_backend_pid()") == backend


def test_a_named_statement_of_the_protocol_is_forgotten(lone):
    leaver = lone.connect()
    leaver.exchange(parse("named", "select 1") + SYNC)
    assert leaver.value("select count(*) from pg_prepared_statements") == "1"
    leaver.close()
    with lone.connect() as client:
        assert client.value("select count(*) from pg_prepared_statements") == "0"


def test_a_client_keeps_one_server_until_it_leaves(start):
    pooler = start(Route(pool="session", pool_size=4), workers=2)
    wires = [pooler.connect() for _ in range(4)]
    mine = [wire.value("select pg_backend_pid()") for wire in wires]
    assert len(set(mine)) == 4
    for _ in range(5):
        assert [wire.value("select pg_backend_pid()") for wire in wires] == mine
    for wire in wires:
        wire.close()


@pytest.mark.own
def test_a_fifth_client_waits_until_one_leaves(start):
    pooler = start(Route(pool="session", pool_size=4))
    wires = [pooler.connect() for _ in range(4)]
    for wire in wires:
        wire.value("select 1")
    fifth = pooler.connect()
    fifth.send(query("select 'at last'"))
    fifth.stream.settimeout(0.5)
    with pytest.raises(TimeoutError):
        fifth.receive()
    fifth.stream.settimeout(20)
    wires.pop().close()
    assert fifth.result() == [["at last"]]
    for wire in [*wires, fifth]:
        wire.close()


def test_servers_are_reused_not_piled_up(postgres, start):
    pooler = start(Route(pool="session", pool_size=3), workers=2)
    for n in range(60):
        with pooler.connect(user="bench", database="bench") as wire:
            assert wire.value(f"select {n}") == str(n)
    wait_until(lambda: len(postgres.backends("bench")) <= 3, "no more than three servers")


@pytest.mark.own
def test_the_cancel_key_shows_the_process_of_the_clients_server(start):
    # Some that leave still have theirs when others come.
    pooler = start(Route(pool="session", pool_size=8), workers=2)
    for _ in range(3):
        wires = [pooler.connect() for _ in range(4)]
        mine = [wire.value("select pg_backend_pid()") for wire in wires]
        assert [str(wire.key[0]) for wire in wires] == mine
        sleeper = wires[2]
        sleeper.send(query("select pg_sleep(20)"))
        wait_until(lambda: wires[0].value(
            f"select count(*) from pg_stat_activity where pid = {mine[2]} and query like '%sleep(20)%'") == "1",
            "it sleeps")
        assert send_cancel(pooler.address, (int(mine[2]), sleeper.key[1] ^ 1)) == b""
        assert wires[0].value(f"select state from pg_stat_activity where pid = {mine[2]}") == "active"
        send_cancel(pooler.address, sleeper.key)
        with pytest.raises(ServerError) as caught:
            sleeper.result()
        assert caught.value.code == "57014"
        for wire in wires:
            wire.close()


@pytest.mark.own
def test_clients_beyond_the_pool_are_greeted_and_wait_with_their_first_query(start):
    pooler = start(Route(pool="session", pool_size=2))
    wires = [pooler.connect() for _ in range(2)]
    late = [pooler.connect() for _ in range(3)]
    assert len({wire.key[0] for wire in [*wires, *late]}) == 5
    late[0].send(query("select 'at last', pg_backend_pid()"))
    wires.pop().close()
    assert late[0].result()[0][0] == "at last"
    for wire in [*wires, *late]:
        wire.close()


@pytest.mark.own
def test_a_client_that_only_logs_in_has_a_server_with_its_settings(start, postgres):
    pooler = start(Route(pool="session", pool_size=3))
    for zone in ["Asia/Tokyo", "UTC", "Asia/Tokyo"]:
        with pooler.connect(timezone=zone, application_name=f"in {zone}") as wire:
            pid = wire.key[0]
            wait_until(lambda: postgres.value(
                f"select application_name from pg_stat_activity where pid = {pid}") == f"in {zone}", "it is prepared")
            assert wire.parameters["TimeZone"] == wire.value("show timezone") == zone
            assert wire.value("select pg_backend_pid()") == str(pid)


@pytest.mark.own
@pytest.mark.parametrize("pool", ["session", "transaction"])
@pytest.mark.parametrize("reset", ["reset work_mem", "select set_config('work_mem', null, false)", "reset all"])
def test_a_reset_leaves_the_unnamed_statement_and_portal_alone(start, pool, reset):
    """The pooler takes the settings that the client began with again, behind the reset."""
    pooler = start(Route(pool=pool, pool_size=2))
    with pooler.connect(work_mem="7MB", application_name="mine") as wire:
        wire.rows("begin; set work_mem = '9MB'")
        seen = said(wire, parse("r", reset), parse("", "select 'kept'"), bind("", ""), SYNC)
        assert codes_of(seen) == []
        assert codes_of(said(wire, bind("p", "r"), execute("p"), SYNC)) == []
        assert rows_of(said(wire, execute(), SYNC)) == [("kept",)]
        assert rows_of(said(wire, bind("", ""), execute(), SYNC)) == [("kept",)]
        assert (wire.value("show work_mem"), wire.value("show application_name")) == ("7MB", "mine")
        assert wire.value("select count(*) from pg_prepared_statements where name = 'carom_/'") == "0"
        wire.rows("rollback")
        assert wire.value("show work_mem") == "7MB"

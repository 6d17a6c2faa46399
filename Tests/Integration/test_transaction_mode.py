# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Transaction pooling: a server is lent for a transaction, and what clients may rely on follows them."""

import select
import struct
import threading

import pytest

from lib.config import Route
from lib.fakeserver import FakeServer, answer
from lib.proc import resident_bytes
from lib.wire import (
    FLUSH, SYNC, ServerError, Wire, bind, close, copy_data, cstring, dial, error_fields, execute, message, parse, query, row_values,
    startup)


@pytest.fixture
def lone(start):
    return start(Route(pool_size=1))


def test_an_idle_client_holds_no_server(postgres, lone):
    idle = [lone.connect(user="bench", database="bench") for _ in range(50)]
    for wire in idle:
        assert wire.value("select 1") == "1"
    assert len(postgres.backends("bench")) == 1
    for wire in idle:
        wire.close()


@pytest.mark.own
def test_no_server_is_needed_to_log_in(postgres, start):
    pooler = start(Route(pool_size=1))
    with pooler.connect(user="bench", database="bench") as first:
        first.rows("begin")
        # The only server is taken; clients still come in.
        others = [pooler.connect(user="bench", database="bench") for _ in range(10)]
        first.rows("commit")
    for wire in others:
        assert wire.value("select 1") == "1"
        wire.close()


@pytest.mark.own
def test_a_value_that_no_server_has_spelled_is_told_by_one(lone):
    """Told `true` libpq would double backslashes: so this login waits, and the next does not."""
    holder = lone.connect()
    holder.rows("begin")
    wishes = {"standard_conforming_strings": "true"}
    waiter = Wire(dial(lone.address))
    waiter.send(startup({"user": "postgres", "database": "postgres", **wishes}))
    waiter.stream.settimeout(0.5)
    with pytest.raises(TimeoutError):
        waiter.receive()
    holder.rows("commit")
    waiter.stream.settimeout(20)
    waiter.authenticate("postgres", None)
    holder.rows("begin")
    later = lone.connect(**wishes)
    holder.rows("commit")
    for wire in (waiter, later):
        assert wire.parameters["standard_conforming_strings"] == wire.value("show standard_conforming_strings") == "on"
        wire.close()
    holder.close()


@pytest.mark.parametrize("command", ["deallocate all", "deallocate x", "discard all", "select currval('s')"])
@pytest.mark.parametrize("is_pipelined", [True, False])
def test_a_command_inside_a_copy_keeps_no_server(lone, postgres, command, is_pipelined):
    """More than the pooler's buffer holds comes behind it, and then the client leaves."""
    with postgres.connect() as direct:
        direct.rows("create table if not exists copied (line text)")
    for _ in range(2):
        wire = lone.connect()
        wire.send(query("copy copied from stdin") + (query(command) if is_pipelined else b""))
        assert wire.receive()[0] == b"G"
        wire.send((b"" if is_pipelined else query(command)) + copy_data(b"line\n") * 50000)
        wire.abort()
        with lone.connect() as after:
            assert after.value("select 1") == "1"


def test_statements_that_are_replaced_take_no_memory(lone):
    """A pipeline of unnamed statements without a Sync; each ends the one before it."""
    with lone.connect() as wire:
        wire.value("select 1")
        before = resident_bytes(lone.pid)
        answers = 0
        for sent in range(2000, 2000 * 101, 2000):
            wire.send(parse("", "select 1") * 2000)
            # What is on its way to the server is kept, and a server that is held up lets much be on its way.
            while sent - answers > 20_000 or select.select([wire.stream], [], [], 0)[0]:
                assert wire.receive()[0] == b"1"
                answers += 1
        grown = resident_bytes(lone.pid) - before
        wire.send(SYNC)
        while wire.receive()[0] != b"Z":
            pass
    assert grown < 16 << 20


@pytest.mark.own
def test_no_notification_is_lost_while_the_server_is_asked(start):
    """As soon as LISTEN is answered others may notify; the pooler is still asking the server then."""
    pooler = start(Route(pool_size=2))
    with pooler.connect() as listening, pooler.connect() as telling:
        for number in range(50):
            assert listening.exchange(query(f"listen news{number}"))[-1] == (b"Z", b"I")
            telling.exchange(query(f"notify news{number}, 'told'"))
            kind, body = listening.receive()
            assert kind == b"A" and body[4:] == cstring(f"news{number}") + cstring("told")
            listening.exchange(query(f"unlisten news{number}"))


@pytest.mark.own
def test_a_look_that_fails_is_taken_again_behind_the_next_request_only(start):
    asked = []

    def reply(sql):
        asked.append(sql)
        return answer(b"no such thing")

    pooler = start(Route(pool_size=1), storage=FakeServer(reply=reply).address)
    with pooler.connect() as wire:
        for number in range(1, 10):
            assert wire.value(f"set work_mem = '{number}MB'") == "no such thing"
            assert wire.value("select 1") == "no such thing"
        # Its own eighteen, and a look behind each; what it then sets is another's.
        assert len(asked) <= 18 * 3, asked


@pytest.mark.own
def test_a_client_without_time_for_a_look_is_served(start):
    """Its timeout holds for the pooler's look, too, which may then fail; the next look may not."""
    pooler = start(Route(pool_size=2))
    with pooler.connect(user="bench", database="bench") as wire, pooler.connect(user="bench", database="bench") as other:
        wire.rows("set statement_timeout = 1")
        for number in range(1, 40):
            try:
                wire.rows(f"set work_mem = '{number}MB'")
                assert wire.value("show work_mem") == f"{number}MB"
            except ServerError as error:
                assert error.code == "57014"
            assert other.value("show work_mem") == "4MB"


def test_a_transaction_keeps_its_server_and_others_wait(lone):
    holder, waiter = lone.connect(), lone.connect()
    holder.rows("begin")
    waiter.send(query("select 'after'"))
    waiter.stream.settimeout(0.5)
    with pytest.raises(TimeoutError):
        waiter.receive()
    assert holder.value("select 'mine'") == "mine"
    holder.rows("commit")
    waiter.stream.settimeout(20)
    assert waiter.result() == [["after"]]
    holder.close()
    waiter.close()


def test_a_failed_transaction_keeps_its_server_until_rollback(lone):
    holder, waiter = lone.connect(), lone.connect()
    assert holder.exchange(query("begin; select 1/0"))[-1] == (b"Z", b"E")
    waiter.send(query("select 'after'"))
    waiter.stream.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waiter.receive()
    assert holder.exchange(query("rollback"))[-1] == (b"Z", b"I")
    waiter.stream.settimeout(20)
    assert waiter.result() == [["after"]]
    holder.close()
    waiter.close()


SETTINGS = {
    "application_name": ("first's name", "second's \\ \"name\""),
    "DateStyle": ("German, DMY", "SQL, MDY"),
    "TimeZone": ("Asia/Tokyo", "America/New_York"),
    "client_encoding": ("LATIN1", "UTF8"),
    "standard_conforming_strings": ("off", "on"),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("how", ["startup", "set"])
def test_reported_settings_follow_the_client(lone, name, how):
    values = SETTINGS[name]
    if how == "startup":
        wires = [lone.connect(**{name: value}) for value in values]
    else:
        wires = [lone.connect() for _ in values]
        for wire, value in zip(wires, values):
            quoted = value.replace("'", "''")
            quoted = quoted.replace("\\", "\\\\")
            wire.rows(f"set {name} = E'{quoted}'" if name != "DateStyle" else f"set datestyle = {value}")
    for _ in range(3):
        for wire, value in zip(wires, values):
            assert wire.value(f"show {name}") == value
            assert wire.parameters[name] == value
    for wire in wires:
        wire.close()


@pytest.mark.own
@pytest.mark.parametrize("name", SETTINGS)
def test_a_newcomer_sees_nobody_elses_settings(postgres, lone, name):
    with postgres.connect() as direct:
        untouched = direct.parameters[name]
    with lone.connect(**{name: SETTINGS[name][0]}) as wire:
        assert wire.value(f"show {name}") == SETTINGS[name][0]
        with lone.connect() as fresh:
            assert fresh.parameters[name] == untouched
            assert fresh.value(f"show {name}") == untouched


def test_a_hostile_setting_is_data_not_sql(lone):
    evil = "x'; create table pwned (a int); --\\' select 1; \n\""
    wire, other = lone.connect(application_name=evil), lone.connect(application_name="other")
    for _ in range(2):
        other.value("select 1")
        shown = wire.value("show application_name")
    # PostgreSQL itself turns what is not printable ASCII into '?' or \x escapes.
    assert shown.replace("?", "\n").replace("\\x0a", "\n") == evil[:63]
    assert wire.value("select to_regclass('pwned') is null") == "t"
    wire.close()
    other.close()


def test_pipelined_work_keeps_the_link(lone):
    """A later part of a pipeline is never run on a server that somebody else has got meanwhile."""
    wires = [lone.connect() for _ in range(2)]
    unit = parse("", "select pg_backend_pid(), $1::text") + bind("", "", [b"v"]) + execute() + SYNC
    for wire in wires:
        wire.send(unit * 200)
    for wire in wires:
        messages = wire.until_ready(200)
        assert sum(kind == b"D" for kind, _ in messages) == 200
        assert not any(kind == b"E" for kind, _ in messages)
        wire.close()


def test_a_pipeline_without_sync_holds_its_server(lone):
    holder, waiter = lone.connect(), lone.connect()
    holder.send(parse("", "select 'one'") + bind("", "") + execute() + b"H\0\0\0\4")
    assert [holder.receive()[0] for _ in range(4)] == [b"1", b"2", b"D", b"C"]
    waiter.send(query("select 'after'"))
    waiter.stream.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waiter.receive()
    holder.send(bind("", "") + execute() + SYNC)
    assert [kind for kind, _ in holder.until_ready()] == [b"2", b"D", b"C", b"Z"]
    waiter.stream.settimeout(20)
    assert waiter.result() == [["after"]]
    holder.close()
    waiter.close()


def test_an_error_in_a_pipeline_skips_to_its_own_sync(lone):
    bad = parse("", "select 1/0") + bind("", "") + execute()
    good = parse("", "select 7") + bind("", "") + execute()
    with lone.connect() as wire:
        kinds = [kind for kind, _ in wire.exchange(bad + good + SYNC + good + SYNC, ready=2)]
        assert kinds.count(b"E") == 1 and kinds.count(b"D") == 1
        assert kinds.index(b"E") < kinds.index(b"Z") < kinds.index(b"D")


@pytest.mark.own
def test_a_transaction_per_sync_may_change_servers_but_never_mixes_clients(start):
    pooler = start(Route(pool_size=3), workers=2)
    troubles = []

    def client(number):
        try:
            with pooler.connect() as wire:
                for n in range(300):
                    label = f"{number}/{n}".encode()
                    unit = parse("", "select $1::text") + bind("", "", [label]) + execute() + SYNC
                    bodies = [body for kind, body in wire.exchange(unit) if kind == b"D"]
                    assert [body[6:] for body in bodies] == [label]
        except Exception as trouble:
            troubles.append(repr(trouble))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []


def test_waiting_clients_are_served_in_order(lone):
    holder = lone.connect()
    waiters = [lone.connect() for _ in range(10)]
    holder.rows("drop table if exists turns; create table turns (n serial, who int)")
    holder.rows("begin")
    for number, wire in enumerate(waiters):
        wire.send(query(f"insert into turns (who) values ({number})"))
        # Its bytes are on their way before the next one asks.
        with lone.connect() as _:
            pass
    holder.rows("commit")
    for wire in waiters:
        wire.until_ready()
    assert [row[0] for row in holder.rows("select who from turns order by n")] == [str(n) for n in range(10)]
    holder.rows("drop table turns")
    for wire in [holder, *waiters]:
        wire.close()


@pytest.mark.own
@pytest.mark.parametrize("minor", [2, 9])
def test_a_protocol_newer_than_ours_is_negotiated_down(lone, minor):
    wire = Wire(dial(lone.address))
    wire.send(startup({"user": "postgres", "database": "postgres", "_pq_.unknown": "1"}, version=196608 + minor))
    kind, body = wire.receive()
    assert kind == b"v"
    # The newest version that is spoken here, 3.2, as a full version number, as PostgreSQL 18 does.
    assert struct.unpack("!II", body[:8]) == (196610, 1)
    assert body[8:] == cstring("_pq_.unknown")
    wire.authenticate("postgres", None)
    # Since 3.2 a key may be longer, and ours is.
    assert len(wire.key[1]) == 32
    assert wire.value("select 1") == "1"
    wire.close()


@pytest.mark.parametrize("code", [80877103, 80877104], ids=["ssl", "gss"])
def test_encryption_requests_are_declined_and_the_client_goes_on(lone, code):
    wire = Wire(dial(lone.address))
    wire.send(message(b"", struct.pack("!I", code)))
    assert wire.take(1) == b"N"
    wire.send(startup({"user": "postgres", "database": "postgres"}))
    wire.authenticate("postgres", None)
    assert wire.value("select 1") == "1"
    wire.close()


def told(wire, data, ready):
    """What a client gets for these messages, as far as it is the same on every connection."""
    messages = wire.exchange(data, ready)
    return [(kind, error_fields(body)["C"] if kind == b"E" else body) for kind, body in messages if kind != b"S"]


#: What a client sends with a command in a transaction that has failed, and how many ReadyForQuery follow.
IN_A_FAILED_TRANSACTION = {
    "behind a Close": (lambda command: close(b"S", "none") + query(command), 1),
    "behind a Parse": (lambda command: parse("", "rollback") + query(command), 1),
    "behind a Bind that fails": (lambda command: bind("", "none") + query(command) + SYNC, 1),
    "behind the end of it": (lambda command: parse("", "rollback") + bind("", "") + execute() + query(command), 1),
    "behind a query": (lambda command: query("select 2") + close(b"S", "none") + query(command), 2),
    "behind the query that ends it": (lambda command: query("rollback") + close(b"S", "none") + query(command), 2),
    "extended": (lambda command: close(b"S", "none") + parse("", command) + bind("", "") + execute() + SYNC, 1),
    "extended behind the end of it": (
        lambda command: parse("", "rollback") + bind("", "") + execute() + parse("", command) + bind("", "") + execute()
        + SYNC, 1),
}


@pytest.mark.parametrize("command", ["select currval('passed')", "listen news", "unlisten *", "deallocate all"])
@pytest.mark.parametrize("program", IN_A_FAILED_TRANSACTION)
@pytest.mark.parametrize("is_pipelined", [True, False])
def test_a_command_in_a_batch_of_a_failed_transaction_is_answered(lone, postgres, command, program, is_pipelined):
    """The pooler has something of its own for the server in front of it, which must not fail there."""
    build, ready = IN_A_FAILED_TRANSACTION[program]
    failing = query("begin; select 1/0")
    with lone.connect() as other, postgres.connect() as direct, lone.connect() as pooled:
        other.rows("create sequence if not exists passed")
        other.rows("select nextval('passed')")
        got = []
        for wire in (direct, pooled):
            wire.stream.settimeout(5)
            answers = [] if is_pipelined else told(wire, failing, 1)
            answers += told(wire, failing * is_pipelined + build(command), ready + is_pipelined)
            got.append((answers, told(wire, query("rollback"), 1), told(wire, query("select 42"), 1)))
        assert got[1] == got[0]


@pytest.mark.parametrize("pool", [{"pool": "transaction"}, {"pool": "statement"}, {"more": {"pool_listen": True}}])
@pytest.mark.parametrize("command", ["deallocate all", "discard all", "reset all", "listen news"])
@pytest.mark.parametrize("size", [0, 70_000])
def test_a_query_that_the_server_skips_makes_nobody_wait(start, postgres, pool, command, size):
    """It stands behind a batch that has failed, and its own Sync is still to come."""
    pooler = start(Route(pool_size=1, **pool))
    text = command + " -- " + "x" * size
    with postgres.connect() as direct, pooler.connect() as pooled, pooler.connect() as other:
        got = []
        for wire in (direct, pooled):
            wire.stream.settimeout(5)
            wire.send(execute("none") + FLUSH)
            assert wire.receive()[0] == b"E"
            got.append(told(wire, query(text) + SYNC + query("select 42"), 2))
        assert got[1] == got[0] and other.value("select 43") == "43"


@pytest.mark.own
@pytest.mark.parametrize("begin", [
    ["begin; insert into kept (line) values ('a')"], ["begin", "select 1; insert into kept (line) values ('a')"],
    ["begin", "/* by us */ insert into kept (line) values ('a')"], ["begin", "set local work_mem = '1MB'; insert into kept (line) values ('a')"],
    ["begin", "with news as (insert into kept (line) values ('a') returning 1) select * from news"], ["begin", "select keeping()"],
    ["begin", "explain analyze insert into kept (line) values ('a')"],
    ["begin", "insert into kept (line) values ('" + "a" * 100_000 + "')"],
    ["begin", "rollback; begin"], ["begin", "/* by us */ select 1"], ["begin", "savepoint a", "rollback to a", "release a"],
    ["begin", "explain analyze select 1"], ["begin", "copy (select 1) to stdout"], ["begin", "checkpoint"],
    ["begin", "declare c cursor for select 1", "fetch all from c", "close c"], ["begin", "(select 1)"], ["begin", "values (1)"]])
@pytest.mark.parametrize("is_extended", [True, False])
def test_the_last_value_of_a_sequence_is_the_clients_own(lone, begin, is_extended):
    """Where it has inserted something, and in a transaction only: another client has used the same server before."""
    with lone.connect() as other, lone.connect() as wire:
        other.rows("create table if not exists kept (id serial, line text)")
        other.rows("create or replace function keeping() returns int language sql as "
                   "'insert into kept (line) values (null) returning id'")
        foreign = int(other.value("insert into kept (line) values ('b') returning id"))
        for text in begin:
            if is_extended and ";" not in text:
                wire.exchange(parse("", text) + bind("", "") + execute() + SYNC)
            else:
                wire.rows(text)
        found = []
        for kind, body in wire.exchange(query("select currval('kept_id_seq')")):
            if kind == b"D":
                found.append(int(row_values(body)[0]))
            elif kind == b"E":
                found.append(error_fields(body)["C"])
        assert found == ([foreign + 1] if any("insert" in text or "keeping" in text for text in begin) else ["55000"])

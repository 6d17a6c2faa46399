# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Tables change while clients have statements on them: what a client was told of a statement holds, or it gets an error.

Each conversation is held directly and through the pooler. There neighbours take the server that the client prepared on, so that
another one parses the statement after the change."""

import struct

import pytest

from lib.moving import client, pooled  # noqa: F401
from lib.talk import codes_of, rows_of
from lib.wire import bind, close, cstring, describe, execute, message, parse

pytestmark = pytest.mark.own
NAMES = pytest.mark.parametrize("name", ["s", ""], ids=["named", "unnamed"])


def run_binary(statement, *values):
    """Parameters and results in binary."""
    parts = [cstring(""), cstring(statement), struct.pack("!hhh", 1, 1, len(values))]
    parts += [struct.pack("!i", len(value)) + value for value in values]
    return message(b"B", b"".join(parts) + struct.pack("!hh", 1, 1)) + execute()


@pytest.fixture
def table(postgres):
    with postgres.connect(user="bench", database="bench") as owner:
        owner.rows("drop table if exists changing; create table changing (a int); insert into changing values (1)")
        yield owner
        owner.rows("drop table changing")


@NAMES
def test_binary_parameters_are_those_that_the_client_was_told_of(client, table, name):
    client.prepare(name, "insert into changing values ($1)")
    table.rows("alter table changing alter a type float4")
    with client.elsewhere():
        seen = client.say(run_binary(name, struct.pack("!i", 7)))
        assert codes_of(seen) == [] and seen[-1] == ("Z", "I"), seen
    assert table.rows("select a from changing order by a") == [["1"], ["7"]]


@NAMES
def test_rows_of_another_shape_are_refused(client, table, name):
    text = "select a from changing where a > $1"
    client.prepare(name, text)
    table.rows("alter table changing alter a type int8")
    with client.elsewhere():
        for _ in range(3):
            error = client.error(run_binary(name, struct.pack("!i", 0)))
            # Drivers (pgjdbc, asyncpg) know it by the routine.
            assert (error["C"], error["M"], error["R"]) == (
                "0A000", "cached plan must not change result type", "RevalidateCachedQuery")
        # Prepared anew it goes on, and the next time, too.
        client.say(close(b"S", name))
        client.prepare(name, text)
        for _ in range(2):
            assert rows_of(client.say(bind("", name, [b"0"]), execute())) == [("1",)]


@NAMES
def test_a_refused_statement_ends_its_batch_and_its_transaction(client, table, name):
    client.prepare(name, "select a from changing where a > $1")
    table.rows("alter table changing alter a type int8")
    with client.elsewhere():
        run = bind("", name, [b"0"]) + execute()
        client.say(parse("add", "insert into changing values (2)"))
        seen = client.say(bind("", "add"), execute(), run, bind("", "add"), execute())
        assert codes_of(seen) == ["0A000"] and seen[-1] == ("Z", "I"), seen
        assert table.value("select count(*) from changing") == "1"
        client.say(parse("begin", "begin"), bind("", "begin"), execute())
        assert client.say(bind("", "add"), execute())[-1] == ("Z", "T")
        seen = client.say(run)
        assert codes_of(seen) == ["0A000"] and seen[-1] == ("Z", "E"), seen
        client.say(parse("", "rollback"), bind("", ""), execute())


def test_a_client_that_has_portals_described_learns_the_new_rows(start, table):
    """libpq and what stands on it: it never relies on what it was told before. Directly the statement would be lost for ever."""
    with pooled(start) as client:
        client.say(parse("s", "select * from changing"))
        run = bind("", "s") + describe(b"P", "") + execute()
        assert rows_of(client.say(run)) == [("1",)]
        table.rows("alter table changing add b text default 'b'")
        with client.elsewhere():
            for _ in range(2):
                seen = client.say(run)
                assert ("T", "a", "b") in seen and rows_of(seen) == [("1", "b")], seen


def test_a_client_that_had_one_portal_described_relies_on_that(client, table):
    """pgjdbc: it asks with the first run only."""
    client.say(parse("s", "select * from changing"), bind("", "s"), describe(b"P", ""), execute())
    table.rows("alter table changing add b text default 'b'")
    with client.elsewhere():
        for _ in range(2):
            assert client.error(bind("", "s"), execute())["C"] == "0A000"


def test_a_table_that_is_as_before_again_is_served(client, table):
    client.prepare("s", "select a from changing where $1::int > 0")
    run = bind("", "s", [b"1"]) + execute()
    table.rows("alter table changing alter a type int8")
    with client.elsewhere():
        assert codes_of(client.say(run)) == ["0A000"]
        table.rows("alter table changing alter a type int4")
        assert rows_of(client.say(run)) == [("1",)]


@NAMES
@pytest.mark.parametrize("columns", [1, 50, 1600])
def test_rows_of_any_width_are_known_again(client, table, name, columns):
    """Their description does not fit into a read."""
    names = [f"a_column_with_a_long_name_{number:04}_{'x' * 30}" for number in range(columns)]
    table.rows("drop table changing; create table changing (" + ", ".join(f"{name} int" for name in names) + ")")
    client.prepare(name, "select * from changing")
    with client.elsewhere():
        for _ in range(3):
            assert codes_of(client.say(run_binary(name))) == []
    table.rows(f"alter table changing alter {names[-1]} type int8")
    with client.elsewhere():
        for _ in range(2):
            assert codes_of(client.say(run_binary(name))) == ["0A000"]


@pytest.mark.parametrize("text", ["fetch all from c", "execute q", "show search_path"])
def test_what_is_not_planned_has_the_rows_of_the_moment(client, table, text):
    """Directly PostgreSQL does not compare them either."""
    say = client.wire.rows
    say("begin; declare c cursor for select 1; prepare q as select 1")
    client.prepare("s", text)
    say("close c; deallocate q; declare c cursor for select 1, 2; prepare q as select 1, 2")
    seen = client.say(bind("", "s"), execute())
    assert codes_of(seen) == [] and seen[-1] == ("Z", "T"), seen
    say("rollback; deallocate all")

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Statement pooling: a server is lent for one request, and a transaction of several is refused."""

import psycopg
import pytest

from lib.config import Route
from lib.pooler import Poolers
from lib.talk import said
from lib.wire import COPY_DONE, SYNC, bind, copy_data, execute, parse, query, row_values

pytestmark = pytest.mark.own

@pytest.fixture(scope="module")
def statement(place, postgres):
    poolers = Poolers(place, postgres.address)
    yield poolers(Route(pool="statement", pool_size=1), workers=2)
    poolers.finish()


def codes(answers):
    return [answer[1] for answer in answers if answer[0] == "E"]


def states(answers):
    return [answer[1] for answer in answers if answer[0] == "Z"]


def test_two_clients_take_turns_on_one_server(statement):
    with statement.connect() as one, statement.connect() as other:
        for _ in range(3):
            assert one.value("select pg_backend_pid()") == other.value("select pg_backend_pid()")


WAYS = {
    "begin": [query("begin")],
    "begin and more": [query("begin; create table refused (a int)")],
    "a batch": [parse("", "begin"), bind("", ""), execute(), SYNC],
    "after a statement": [query("select 1"), query("begin isolation level serializable")],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_transaction_is_refused_and_the_session_goes_on(statement, way):
    with statement.connect() as client, statement.connect() as other:
        answers = said(client, *WAYS[way])
        messages = [answer for answer in answers if answer[0] == "E"]
        assert messages == [("E", "0A000", messages[0][2])]
        assert "transaction blocks not allowed in statement pooling mode" in messages[0][2]
        assert set(states(answers)) == {"I"}
        # The server is whole, and nothing of the transaction is left.
        assert other.value("select to_regclass('refused') is null") == "t"
        assert client.value("select 1") == "1"


def test_a_pipelined_transaction_is_refused_statement_by_statement(statement):
    with statement.connect() as client:
        answers = said(client, query("begin"), query("create temp table p (a int) on commit drop"), query("commit"))
        assert codes(answers) == ["0A000"] and states(answers) == ["I"] * 3


def test_a_failed_block_has_its_own_error_only(statement):
    with statement.connect() as client:
        answers = said(client, query("begin; select 1/0"))
        assert codes(answers) == ["22012"] and states(answers) == ["I"]
        assert client.value("select 1") == "1"


def test_implicit_transactions_are_statements(statement):
    """As with PgBouncer: what counts is whether a transaction is open when the server is ready again."""
    with statement.connect() as client:
        client.rows("drop table if exists implicit; create table implicit (a int)")
        answers = said(client, query("insert into implicit values (1); insert into implicit values (1/0)"))
        assert codes(answers) == ["22012"]
        assert client.value("select count(*) from implicit") == "0"
        said(client, query("begin; insert into implicit values (2); commit"))
        assert client.value("select count(*) from implicit") == "1"
        insert = [parse("", "insert into implicit values (3)"), bind("", ""), execute()]
        answers = said(client, *insert, *insert, SYNC)
        assert codes(answers) == [] and client.value("select count(*) from implicit") == "3"
        client.rows("drop table implicit")


def test_copies_settings_and_prepared_statements_work(statement):
    with statement.connect() as client, statement.connect() as other:
        client.rows("drop table if exists copied; create table copied (a text)")
        client.exchange(query("copy copied from stdin") + copy_data(b"x\n" * 1000) + COPY_DONE)
        assert client.value("select count(*) from copied") == "1000"
        client.rows("drop table copied")
        client.rows("set work_mem = '7MB'")
        assert other.value("show work_mem") != "7MB" and client.value("show work_mem") == "7MB"
        client.exchange(parse("s", "select 8") + SYNC)
        other.value("select 1")
        assert any(kind == b"D" for kind, _ in client.exchange(bind("", "s") + execute() + SYNC))


def test_a_driver_sees_an_error_and_works_on_by_itself(statement):
    host, port = statement.address
    with psycopg.connect(f"host={host} port={port} user=postgres dbname=postgres", autocommit=True) as connection:
        assert connection.execute("select %s::int", (7,)).fetchone() == (7,)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("begin")
        assert connection.execute("select 8").fetchone() == (8,)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("size", [1_000, 60_000, 70_000, 1_000_000])
def test_a_statement_may_be_longer_than_the_pooler_reads_at_once(statement, size):
    text = "select length('" + "x" * size + "')"
    with statement.connect() as wire, statement.connect() as other:
        wire.stream.settimeout(10)
        wire.send(query("select 1") + query(text) + parse("", text) + bind("", "") + execute() + SYNC + query(text))
        found = [row_values(body)[0].decode() for kind, body in wire.until_ready(4) if kind == b"D"]
        assert found == ["1"] + [str(size)] * 3
        assert other.value("select 42") == "42"

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The simple protocol: what psql and a raw client see is what the server itself would have shown."""

import struct
import subprocess

import pytest

from lib.load import environment
from lib.wire import TERMINATE, message, query

CONVERSATIONS = {
    "one row": "select 1 as one, 'zwei' as two, null as three",
    "several statements": "select 1; select 2 where false; create temp table t1 (a int); drop table t1",
    "an empty query": "",
    "only semicolons": ";;",
    "an error at parse": "selekt 1",
    "an error between statements": "select 1; select 1/0; select 2",
    "a notice": "do $$ begin raise notice 'hear, hear'; raise warning using errcode = '01004'; end $$",
    "a transaction": "begin; select 1; commit",
    "a warning about no transaction": "rollback",
    "bytes of every kind": r"select decode('00ff5c27', 'hex'), E'tab\there', '✓ UTF-8'",
    "a message larger than any buffer": "select repeat('x', 300000)",
    "many small rows": "select g, g * 2 from generate_series(1, 20000) g",
    "a large query": "select length('" + "y" * 500_000 + "')",
    "a function's exception with detail": (
        "do $$ begin raise exception 'no' using detail = 'd', hint = 'h', errcode = 'P1234'; end $$"),
}


@pytest.mark.parametrize("sql", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_replies_are_the_servers_byte_for_byte(postgres, transaction, sql):
    with postgres.connect() as direct, transaction.connect() as pooled:
        assert pooled.exchange(query(sql)) == direct.exchange(query(sql))


def test_pipelined_simple_queries_come_back_in_order(transaction):
    with transaction.connect() as pooled:
        burst = b"".join(query(f"select {n}") for n in range(100))
        rows = [body for kind, body in pooled.exchange(burst, ready=100) if kind == b"D"]
        assert [int(body[6:]) for body in rows] == list(range(100))


def test_a_function_call_message_works(postgres, transaction):
    oid = int(postgres.value("select 'pg_catalog.int4pl'::regproc::oid"))
    arguments = b"".join(struct.pack("!i", len(a)) + a for a in (b"40", b"2"))
    call = message(b"F", struct.pack("!IHH", oid, 0, 2) + arguments + struct.pack("!H", 0))
    with postgres.connect() as direct, transaction.connect() as pooled:
        assert pooled.exchange(call) == direct.exchange(call)
        assert pooled.value("select 'still here'") == "still here"


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_the_servers_parameters_are_reported(postgres, request, pool):
    given = {"application_name": "parameters", "client_encoding": "UTF8"}
    pooler = request.getfixturevalue(pool)
    with postgres.connect(**given) as direct, pooler.connect(**given) as pooled:
        assert pooled.parameters == direct.parameters


def test_startup_parameters_reach_the_server(transaction):
    given = {"application_name": "it's me", "DateStyle": "German", "TimeZone": "Asia/Tokyo"}
    with transaction.connect(**given) as pooled:
        assert pooled.value("show application_name") == "it's me"
        assert pooled.value("show datestyle").startswith("German")
        assert pooled.value("show timezone") == "Asia/Tokyo"


def test_every_client_gets_a_key_of_its_own(transaction):
    wires = [transaction.connect() for _ in range(20)]
    keys = {wire.key for wire in wires}
    for wire in wires:
        wire.close()
    assert len(keys) == 20 and None not in keys


def psql(address, *arguments, stdin=None):
    done = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=0", *arguments], input=stdin, text=True,
                          capture_output=True, env=environment(address, user="postgres", database="postgres"))
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments, stdin", [
    (["-Atc", "select version()"], None),
    (["-c", "select 1; select 2"], None),
    (["-c", "\\d pg_class"], None),
    (["-c", "\\du"], None),
    (["-c", "select nothing"], None),
    ([], "begin;\nselect 1;\nsavepoint a;\nselect 1/0;\nrollback to a;\nselect 2;\ncommit;\n\\echo done\n"),
    ([], "select 'x' as a, 'y' as b \\gset\n\\echo :a :b\nselect 1 \\gdesc\n"),
    ([], "create temp table c (a int, b text);\\\ncopy c from stdin;\n1\tone\n2\ttwo\n\\.\n"),
    ([], "copy (select g from generate_series(1, 5) g) to stdout;\n"),
    (["-1"], "create table inside (a int);\ninsert into inside values (1);\ntable inside;\ndrop table inside;\n"),
], ids=["version", "two", "describe", "roles", "error", "transaction", "gset", "copy-in", "copy-out", "single"])
def test_psql_prints_the_same(postgres, session, arguments, stdin):
    assert psql(session.address, *arguments, stdin=stdin) == psql(postgres.address, *arguments, stdin=stdin)


def test_after_terminate_the_connection_is_closed(transaction):
    pooled = transaction.connect()
    assert pooled.value("select 1") == "1"
    pooled.send(TERMINATE)
    assert pooled.last_words() == []

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The console, as psql, psycopg and asyncpg meet it."""

import asyncio
import subprocess

import asyncpg
import psycopg
import pytest

from lib.config import CONSOLE, Route
from lib.pooler import Poolers
from lib.wire import ServerError

pytestmark = pytest.mark.own
PASSWORD = "a long secret"


@pytest.fixture(scope="module")
def console(place, postgres):
    poolers = Poolers(place, postgres.address)
    yield poolers(
        Route(pool="transaction"),
        Route(database="console", user="operator", authentication="scram-sha-256", password=PASSWORD,
              storage=CONSOLE, client_max=3),
        workers=2)
    poolers.finish()


def psql(pooler, *commands):
    host, port = pooler.address
    options = [argument for command in commands for argument in ("-c", command)]
    return subprocess.run(
        ["psql", "-X", "-h", host, "-p", str(port), "-U", "operator", "-At", *options, "console"],
        env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30)


def connect(pooler, **options):
    host, port = pooler.address
    return psycopg.connect(
        host=host, port=port, user="operator", dbname="console", autocommit=True,
        **{"password": PASSWORD, **options})


def test_psql_shows_the_version_and_the_help(console):
    done = psql(console, "SHOW VERSION", "show help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Carom ")
    assert "SHOW VERSION" in done.stderr


def test_an_unknown_command_is_refused_with_the_list(console):
    done = psql(console, "SELECT 1")
    assert done.returncode == 1
    assert 'unknown console command "SELECT 1"' in done.stderr
    assert "SHOW HELP" in done.stderr


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_in_both_protocols(console, prepare, binary):
    with connect(console) as connection, connection.cursor(binary=binary) as cursor:
        for _ in range(3):
            cursor.execute("SHOW VERSION", prepare=prepare)
            assert [column.name for column in cursor.description] == ["version"]
            assert cursor.fetchone()[0].startswith("Carom ")
        with pytest.raises(psycopg.errors.SyntaxError) as refused:
            cursor.execute("SHOW NONSENSE", prepare=prepare)
        assert "SHOW HELP" in refused.value.diag.message_hint
        if not binary:  # the extended protocol, as with PostgreSQL, takes one statement
            cursor.execute("SHOW HELP; SHOW VERSION")


def test_psycopg_in_a_pipeline(console):
    with connect(console) as connection, connection.pipeline():
        cursors = [connection.execute("SHOW VERSION") for _ in range(20)]
        assert all(cursor.fetchone()[0].startswith("Carom ") for cursor in cursors)


def test_asyncpg(console):
    async def run():
        host, port = console.address
        connection = await asyncpg.connect(
            host=host, port=port, user="operator", password=PASSWORD, database="console")
        try:
            assert (await connection.fetchval("SHOW VERSION")).startswith("Carom ")
            assert (await connection.fetch("SHOW VERSION"))[0]["version"].startswith("Carom ")
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await connection.fetch("SHOW NONSENSE")
        finally:
            await connection.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_only_who_may_gets_in(console):
    for options in ({"password": "wrong"}, {"dbname": "console", "user": "stranger"}):
        host, port = console.address
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**{
                "host": host, "port": port, "user": "operator", "dbname": "console", "password": PASSWORD,
                **options}).execute("SHOW VERSION")


def test_client_max_of_the_route_counts(console):
    connections = [connect(console) for _ in range(3)]
    try:
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            connect(console)
    finally:
        for connection in connections:
            connection.close()


def test_hostile_bytes_end_the_connection_and_no_other(console):
    with connect(console) as other:
        wire = console.connect(database="console", user="operator", password=PASSWORD)
        wire.send(b"!\0\0\0\4")
        with pytest.raises(ServerError) as refused:
            wire.result()
        assert refused.value.code == "08P01"
        assert other.execute("SHOW VERSION").fetchone()[0].startswith("Carom ")

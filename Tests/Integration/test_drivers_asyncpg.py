# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""asyncpg through the pooler behaves as on a direct connection. It speaks the extended protocol and binary only."""

import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg
import pytest

from lib.differential import told_alike

EVERYWHERE, IN_SESSION = [], []


def everywhere(scenario):
    EVERYWHERE.append(scenario)
    return scenario


def in_session(scenario):
    IN_SESSION.append(scenario)
    return scenario


def running(scenario):
    """A plain function over an address that runs the coroutine `scenario(connect)` within a time limit."""
    async def session(address):
        opened = []

        async def connect(**options):
            # asyncpg names its statements unless the cache is off; named ones need session pooling here.
            given = {"statement_cache_size": 0, **options}
            opened.append(await asyncpg.connect(
                host=address[0], port=address[1], user="bench", database="bench", ssl=False, **given))
            return opened[-1]
        try:
            return await asyncio.wait_for(scenario(connect), 60)
        finally:
            for connection in opened:
                if not connection.is_closed():
                    await connection.close(timeout=5)
    return lambda address: asyncio.run(session(address))


async def failure(awaitable):
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        return type(error).__name__, error.sqlstate, error.args[0]
    return None


@everywhere
async def simple_protocol_scripts(connect):
    connection = await connect()
    return [await connection.execute("select 1; select 2; create temp table s (a int); drop table s"),
            await failure(connection.execute("select 1; select 1/0")), await connection.execute("select 3")]


@everywhere
async def copy_both_ways(connect):
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("create temp table c (a int, b text) on commit drop")
    stored = await connection.copy_records_to_table("c", records=[(n, f"{n}") for n in range(5000)])
    sink = io.BytesIO()
    read = await connection.copy_from_query("select a, b from c order by a", output=sink, format="csv")
    await transaction.rollback()
    return stored, read, sink.getvalue()


@in_session
async def parameters_of_every_kind(connect):
    connection = await connect()
    values = [("int8", 2**40), ("float8", 1.5), ("text", "text ✓"), ("bytea", b"\x00\xff"), ("bool", True),
              ("date", datetime.date(2024, 2, 29)), ("interval", datetime.timedelta(hours=3)),
              ("numeric", decimal.Decimal("1.10")), ("uuid", uuid.UUID(int=5)), ("int4[]", [1, None, 3]),
              ("text", None)]
    return [await connection.fetchval(f"select $1::{kind}", value) for kind, value in values]


@in_session
async def prepared_statements(connect):
    connection = await connect(statement_cache_size=100)
    statement = await connection.prepare("select $1::int * 2 as twice, $2::text")
    rows = [tuple(await statement.fetchrow(n, "t")) for n in range(20)]
    types = [attribute.type.name for attribute in statement.get_attributes()]
    cached = [await connection.fetchval("select $1::int + 1", n) for n in range(20)]
    return rows, types, cached, await connection.fetchval("select count(*) > 1 from pg_prepared_statements")


@in_session
async def execute_many(connect):
    connection = await connect()
    await connection.execute("create temp table many (a int, b text)")
    await connection.executemany("insert into many values ($1, $2)", [(n, f"row {n}") for n in range(2000)])
    return tuple(await connection.fetchrow("select count(*), sum(a), max(b) from many"))


@in_session
async def errors_keep_their_sqlstate_and_the_session(connect):
    connection = await connect()
    return [await failure(connection.fetch("select 1/0")), await failure(connection.fetch("selekt")),
            await failure(connection.fetch("table not_there")), await connection.fetchval("select 'alive'")]


@in_session
async def transactions_and_savepoints(connect):
    connection = await connect()
    seen = []
    async with connection.transaction():
        await connection.execute("create temp table w (a int primary key) on commit drop")
        await connection.execute("insert into w values (1)")

        async def twice():
            async with connection.transaction():
                await connection.execute("insert into w values (1)")
        seen.append(await failure(twice()))
        seen.append(await connection.fetchval("select count(*) from w"))
    async with connection.transaction(isolation="serializable", readonly=True):
        seen.append(await connection.fetchval("show transaction_isolation"))
        seen.append(await failure(connection.execute("create table no (a int)")))
    return seen


@in_session
async def a_cursor(connect):
    connection = await connect()
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("select g from generate_series(1, 1000) g", prefetch=37):
            total += row[0]
        cursor = await connection.cursor("select g from generate_series(1, 1000) g")
        await cursor.forward(500)
        return total, (await cursor.fetchrow())[0]


@in_session
async def a_query_that_times_out_is_cancelled(connect):
    connection = await connect()
    try:
        await connection.fetch("select pg_sleep(60)", timeout=0.3)
    except asyncio.TimeoutError:
        return "timed out", await connection.fetchval("select 'alive'")


@in_session
async def a_cancelled_task(connect):
    connection = await connect()
    task = asyncio.ensure_future(connection.fetch("select pg_sleep(60)"))
    other = await connect()
    while not await other.fetchval(
            "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"):
        await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled", await connection.fetchval("select 'alive'")


@in_session
async def listen_and_notify(connect):
    listener, speaker = await connect(), await connect()
    heard, enough = [], asyncio.Event()

    def hear(_connection, _pid, channel, payload):
        heard.append((channel, payload))
        if len(heard) == 2:
            enough.set()
    await listener.add_listener("news", hear)
    await speaker.execute("notify news, 'first'")
    await speaker.execute("select pg_notify('news', 'second')")
    await asyncio.wait_for(enough.wait(), 5)
    await listener.remove_listener("news", hear)
    return heard


@in_session
async def a_big_result(connect):
    connection = await connect()
    rows = await connection.fetch("select g, repeat('x', 200) from generate_series(1, 100000) g")
    return len(rows), tuple(rows[0]), tuple(rows[-1])


@in_session
async def large_objects(connect):
    connection = await connect()
    async with connection.transaction():
        body = bytes(range(256)) * 4000
        oid = await connection.fetchval("select lo_from_bytea(0, $1)", body)
        part = await connection.fetchval("select lo_get($1, 1000, 100000)", oid)
        await connection.execute(f"select lo_unlink({oid})")
        return part == body[1000:101000]


@in_session
async def types_looked_up_by_the_driver(connect):
    connection = await connect()
    await connection.execute("drop type if exists mood; create type mood as enum ('sad', 'glad')")
    value = await connection.fetchval("select array['glad', 'sad']::mood[]")
    await connection.execute("drop type mood")
    return value


@in_session
async def a_reset_as_drivers_pools_do(connect):
    connection = await connect()
    await connection.execute("set work_mem = '9MB'; create temp table t (a int)")
    await connection.reset()
    return await connection.fetchval("show work_mem")


@in_session
async def five_clients_side_by_side(connect):
    async def work(connection, number):
        return [await connection.fetchval("select $1::int * $2::int", number, n) for n in range(20)]
    connections = [await connect() for _ in range(5)]
    return await asyncio.gather(*(work(connection, n) for n, connection in enumerate(connections)))


@pytest.mark.parametrize("scenario", EVERYWHERE, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_as_on_a_direct_connection(postgres, request, pool, scenario):
    told_alike(running(scenario), postgres.address, request.getfixturevalue(pool).address)


@pytest.mark.parametrize("scenario", IN_SESSION, ids=lambda scenario: scenario.__name__)
def test_in_session_pooling_as_on_a_direct_connection(postgres, session, scenario):
    told_alike(running(scenario), postgres.address, session.address)

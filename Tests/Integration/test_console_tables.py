# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The console's tables on a pooler that works: the numbers, the drivers, and what readers of PgBouncer's tables rely on."""

import asyncio
from decimal import Decimal

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import CONSOLE, Route
from lib.pooler import Poolers
from lib.wire import SYNC, Wire, bind, execute, parse

pytestmark = pytest.mark.own

TABLES = ("CONFIG", "DATABASES", "DNS_ZONES", "LISTS", "PEER_POOLS", "PEERS", "POOLS", "STATE", "STATS", "STATS_AVERAGES",
          "STATS_TOTALS", "TOTALS", "USERS", "VERSION")


@pytest.fixture(scope="module")
def pooler(place, postgres):
    poolers = Poolers(place, postgres.address)
    yield poolers(
        Route(pool="transaction", pool_size=3), Route(database="bench", user="bench", pool="session", pool_size=2),
        Route(database="console", authentication="none", storage=CONSOLE),
        Route(database="pgbouncer", authentication="none", storage=CONSOLE), workers=2)
    poolers.finish()


def connect(pooler, database="console", **options):
    host, port = pooler.address
    return psycopg.connect(host=host, port=port, user="operator", dbname=database, autocommit=True, **options)


def table(pooler, name):
    with connect(pooler, row_factory=dict_row) as console:
        return console.execute(f"SHOW {name}").fetchall()


@pytest.fixture(scope="module")
def busy(pooler):
    """Clients that have done something known, and are still there."""
    with pooler.connect() as ada, pooler.connect() as bob, pooler.connect("bench", "bench") as eve:
        for _ in range(5):
            ada.rows("select 1")
        bob.exchange(parse("s", "select 1") + SYNC)
        bob.exchange(bind("", "s") + execute() + SYNC)
        bob.rows("begin")
        eve.rows("select 1")
        yield


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_psycopg_reads_every_table_in_both_protocols(pooler, busy, name, binary):
    with connect(pooler) as console:
        simple = psycopg.ClientCursor(console).execute(f"SHOW {name}").fetchall()
        extended = console.cursor(binary=binary).execute(f"SHOW {name}", prepare=True).fetchall()
    assert [len(row) for row in simple] == [len(row) for row in extended]
    assert [[type(value) for value in row] for row in simple] == [[type(value) for value in row] for row in extended]


def test_asyncpg_reads_every_table(pooler, busy):
    async def run():
        host, port = pooler.address
        connection = await asyncpg.connect(host=host, port=port, user="operator", database="console")
        try:
            for name in TABLES:
                await connection.fetch(f"SHOW {name}")
            totals = {row["database"]: row for row in await connection.fetch("SHOW STATS_TOTALS")}
            assert totals["postgres"]["query_count"] == Decimal(8)
        finally:
            await connection.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_the_numbers_are_those_of_what_was_done(pooler, busy):
    totals = {row["database"]: row for row in table(pooler, "STATS_TOTALS")}
    assert totals["postgres"]["query_count"] == 8 and totals["postgres"]["xact_count"] == 7
    assert totals["postgres"]["client_parse_count"] == 1 and totals["postgres"]["bind_count"] == 1
    assert totals["postgres"]["client_login_count"] == 2 and totals["bench"]["client_login_count"] == 1
    assert totals["postgres"]["bytes_sent"] > 0 and totals["postgres"]["xact_time"] > 0
    # One transaction is still open, and the queries in it have been timed.
    assert totals["postgres"]["query_time"] > 0
    pools = {(row["database"], row["user"]): row for row in table(pooler, "POOLS")}
    shared, kept = pools["postgres", "postgres"], pools["bench", "bench"]
    assert (shared["cl_active"], shared["cl_waiting"], shared["sv_active"], shared["pool_mode"]) == (2, 0, 1, "transaction")
    assert (kept["cl_active"], kept["sv_active"], kept["pool_mode"]) == (1, 1, "session")
    assert {row["database"] for row in table(pooler, "POOLS")} == {"postgres", "bench", "console", "pgbouncer"}
    databases = {row["name"]: row for row in table(pooler, "DATABASES")}
    assert databases["bench"]["pool_size"] == 2 and databases["bench"]["current_client_connections"] == 1
    assert databases["*"]["current_client_connections"] == 2 and databases["*"]["paused"] == 0
    lists = {row["list"]: row["items"] for row in table(pooler, "LISTS")}
    # Three clients, and the one who asks.
    assert lists["used_clients"] == 4 and lists["pools"] == 2 and lists["databases"] == 4


def test_an_exporter_finds_what_it_asks_for(pooler, busy):
    """The queries of pgbouncer_exporter, in its order and by the protocol that it speaks."""
    host, port = pooler.address
    with Wire.open((host, port), user="stats", database="pgbouncer", extra_float_digits="2", datestyle="ISO, MDY") as wire:
        def ask(query):
            return [[value for value in row] for row in wire.rows(query)]

        assert ask("SHOW STATS")
        assert len(ask("SHOW VERSION;")) == 1 and len(ask("SHOW VERSION;")[0]) == 1
        for name, items in ask("SHOW LISTS;"):
            float(items)
        settings = {row[0]: row[1] for row in ask("SHOW CONFIG;")}
        assert all(len(row) in (3, 4) for row in ask("SHOW CONFIG;"))
        float(settings["max_client_conn"]), float(settings["max_user_connections"])
    for name, labels in (("databases", ("name", "host", "port", "database", "force_user", "pool_mode")),
                         ("stats_totals", ("database",)), ("pools", ("database", "user"))):
        rows = [tuple(row[label] for label in labels) for row in table(pooler, name)]
        assert len(set(rows)) == len(rows), f"two rows of {name} are about the same"

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A load of 64 clients over 8 servers: no error, no ninth connection, no lost or doubled money."""

import os

import pytest

from lib.config import Route
from lib.load import Sampler, pgbench, transactions
from lib.pooler import Poolers

SECONDS = os.environ.get("CAROM_PGBENCH_SECONDS", "20")
SERVERS = "select count(*) from pg_stat_activity where backend_type = 'client backend' and usename = 'bench'"


@pytest.fixture(scope="module")
def filled(place, postgres):
    """The tables of pgbench at scale 10, loaded through a pooler."""
    poolers = Poolers(place, postgres.address)
    pgbench(poolers(Route(pool_size=8), workers=2).address, "-i", "-s", 10, "-q")
    poolers.finish()
    assert postgres.value("select count(*) from pgbench_accounts", database="bench") == "1000000"


def assert_balanced(postgres):
    sums = postgres.rows(
        "select (select coalesce(sum(abalance), 0) from pgbench_accounts), "
        "(select coalesce(sum(bbalance), 0) from pgbench_branches), "
        "(select coalesce(sum(tbalance), 0) from pgbench_tellers), "
        "(select coalesce(sum(delta), 0) from pgbench_history)", database="bench")[0]
    assert len(set(sums)) == 1, f"accounts, branches, tellers, history: {sums}"


def assert_history_grew_by(postgres, before, count):
    now = int(postgres.value("select count(*) from pgbench_history", database="bench"))
    assert now - before == count


@pytest.mark.slow
@pytest.mark.parametrize("pool, protocol, clients, threads", [
    ("transaction", "simple", 64, 2),
    ("transaction", "extended", 64, 2),
    ("session", "prepared", 8, 2),
    # pgbench prepares with a call that blocks its thread. In session pooling a client that waits for a server would so
    # keep those from working that have one, and for ever: a thread for each client.
    pytest.param("session", "prepared", 64, 64, marks=pytest.mark.own),
])
def test_tpcb_runs_clean(postgres, filled, start, pool, protocol, clients, threads):
    pooler = start(Route(pool=pool, pool_size=8), workers=2)
    pgbench(postgres.address, "-i", "-I", "v", "-q")
    before = int(postgres.value("select count(*) from pgbench_history", database="bench"))
    with Sampler(postgres, SERVERS) as servers:
        output = pgbench(pooler.address, "-n", "-M", protocol, "-c", clients, "-j", threads, "-T", SECONDS)
    count, _ = transactions(output)
    assert count > 0
    assert max(map(int, servers.values)) <= 8
    assert_balanced(postgres)
    assert_history_grew_by(postgres, before, count)


def test_read_only_load_with_a_connection_per_transaction(postgres, filled, start):
    pooler = start(Route(pool_size=4), workers=2)
    with Sampler(postgres, SERVERS) as servers:
        output = pgbench(pooler.address, "-n", "-S", "-C", "-c", 16, "-j", 2, "-T", 3)
    assert transactions(output)[0] > 0
    assert max(map(int, servers.values)) <= 4


def test_pipelined_transactions(filled, start, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text(
        "\\set a random(1, 100000)\n\\startpipeline\nbegin;\n"
        "update pgbench_accounts set abalance = abalance + 0 where aid = :a;\n"
        "select abalance from pgbench_accounts where aid = :a;\nend;\nselect 1;\n\\endpipeline\n")
    pooler = start(Route(pool_size=4), workers=2)
    output = pgbench(pooler.address, "-n", "-M", "extended", "-f", script, "-c", 16, "-j", 2, "-T", 3)
    assert transactions(output)[0] > 0

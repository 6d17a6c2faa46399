# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What clients ask for in the startup message: granted, or refused as PostgreSQL refuses it, and never half."""

import pytest

from lib.config import Route
from lib.wire import ServerError, query

pytestmark = pytest.mark.own
BENCH = {"user": "bench", "database": "bench"}


@pytest.fixture
def lone(start):
    return start(Route(pool_size=1))


def test_a_value_that_the_server_refuses_ends_the_login_as_it_would_directly(postgres, lone):
    with pytest.raises(ServerError) as direct:
        postgres.connect(TimeZone="Nowhere/Land")

    def check(refused):
        assert refused.value.code == direct.value.code == "22023"
        assert refused.value.fields["S"] == "FATAL"
        assert direct.value.fields["M"] in refused.value.fields["M"]

    with pytest.raises(ServerError) as pooled:
        lone.connect(TimeZone="Nowhere/Land", application_name="refused")
    check(pooled)
    # While the server is still being cleaned, a login goes on without it, and the first query hears of it.
    with pytest.raises(ServerError) as pooled:
        with lone.connect(TimeZone="Nowhere/Land", application_name="refused") as wire:
            wire.rows("select 1")
    check(pooled)
    with lone.connect() as fresh:
        assert fresh.value("show timezone") == fresh.parameters["TimeZone"] != "Nowhere/Land"
        assert fresh.value("show application_name") == fresh.parameters["application_name"] == ""


def test_every_client_learns_what_became_of_its_wishes(lone):
    for number in range(3):
        with lone.connect(TimeZone="asia/tokyo", application_name=f"number {number}") as wire:
            assert wire.parameters["TimeZone"] == "Asia/Tokyo"
            assert wire.parameters["application_name"] == f"number {number}"
            assert wire.value("show timezone") == "Asia/Tokyo"


def test_no_query_runs_before_the_server_has_granted_the_wishes(postgres, lone):
    with postgres.connect(**BENCH) as direct:
        direct.rows("create table if not exists granted(who text)")
        direct.rows("truncate granted")
        with lone.connect(**BENCH) as holder:
            holder.rows("begin")
            # The only server is taken: these clients log in without anybody having looked at their wishes, which no greeting tells of.
            good = lone.connect(statement_timeout="61000", **BENCH)
            bad = lone.connect(statement_timeout="never", **BENCH)
            for wire, name in (good, "good"), (bad, "bad"):
                wire.send(query(f"insert into granted values ('{name} ' || current_setting('statement_timeout'))"))
            holder.rows("commit")
        assert good.result() == []
        with pytest.raises(ServerError) as refused:
            bad.result()
        assert refused.value.code == "22023" and refused.value.fields["S"] == "FATAL"
        assert direct.rows("select who from granted") == [["good 61s"]]
        good.close()
        bad.abort()


def test_a_client_that_leaves_while_its_wishes_are_looked_at_costs_nothing(postgres, lone):
    with lone.connect(**BENCH) as holder:
        holder.rows("begin")
        waiting = [lone.connect(work_mem="1MB", **BENCH) for _ in range(5)]
        for wire in waiting:
            wire.send(query("select 1"))
            wire.abort()
        holder.rows("commit")
    with lone.connect(**BENCH) as wire:
        assert wire.value("select 2") == "2"
    assert len(postgres.backends("bench")) == 1

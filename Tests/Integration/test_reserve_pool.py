# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The reserve pool: servers beyond pool_size for clients that have waited too long."""

import select
import time

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.places import free_address
from lib.scrape import get, samples
from lib.waiting import wait_until
from lib.wire import query

pytestmark = pytest.mark.own


@pytest.mark.parametrize("workers", [1, 4])
def test_it_is_used_by_who_has_waited_long_enough_and_shows(start, workers):
    host, port = free_address()
    pooler = start(Route(pool_size=2, more={"reserve_pool_size": 1}), console(), workers=workers,
                   globals={"reserve_pool_timeout": 1, "stats_listen": f"{host}:{port}"})
    pooler.stats = f"{host}:{port}"
    wires = [pooler.connect() for _ in range(4)]
    for wire in wires[:2]:
        wire.rows("begin")
    began = time.monotonic()
    for wire in wires[2:]:
        wire.send(query("begin; select 1"))
    # On several workers either may be the first.
    served, _, _ = select.select([wire.stream for wire in wires[2:]], [], [], 5)
    assert len(served) == 1 and time.monotonic() - began > 0.9
    first, second = sorted(wires[2:], key=lambda wire: wire.stream not in served)
    assert first.result() == [["1"]]
    assert not select.select([second.stream], [], [], 0.3)[0], "there is one in the reserve"
    assert "from the reserve" in pooler.log()
    wait_until(lambda: get(pooler, "/stats"), "statistics are served")
    opened = {row: value for row, value in samples(get(pooler, "/metrics")).items() if "pool_reserve_openings" in row}
    assert list(opened.values()) == [1]
    host, console_port = pooler.address
    with psycopg.connect(host=host, port=console_port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=psycopg.rows.dict_row) as operator:
        rows = {row["name"]: row for row in operator.execute("SHOW DATABASES").fetchall()}
        assert (rows["*"]["reserve_pool_size"], rows["*"]["current_connections"]) == (1, 3)
    for wire in wires:
        wire.abort()

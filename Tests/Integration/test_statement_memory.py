# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What the prepared statements of many clients take of memory, and where that ends (`prepared_statements_memory`)."""

import contextlib

import pytest

from lib.config import Route
from lib.places import free_address
from lib.proc import resident_bytes
from lib.scrape import get, samples
from lib.waiting import wait_until
from lib.wire import SYNC, bind, close, error_fields, execute, parse

pytestmark = pytest.mark.own

CLIENTS, EACH = 50, 200
#: 10,000 texts, each of them different and of two kilobytes.
SIZE = 2_000


def statement(client, number):
    return f"select {client}, {number} {'-' * 2} {'x' * SIZE}"


def begin(start, limit):
    host, port = free_address()
    pooler = start(Route(pool="transaction", pool_size=4), workers=2,
                   globals={"stats_listen": f"{host}:{port}", "prepared_statements_memory": limit})
    pooler.stats = f"{host}:{port}"
    wait_until(lambda: get(pooler, "/stats"), "statistics are served")
    return pooler


def measured(pooler):
    return samples(get(pooler, "/metrics"))["carom_prepared_statement_bytes"]


def prepare_all(clients):
    """Every client prepares its statements; returns the codes of the errors."""
    codes = []
    for index, client in enumerate(clients):
        for number in range(EACH):
            answers = client.exchange(parse(f"s{number}", statement(index, number)) + SYNC)
            codes += [error_fields(body)["C"] for kind, body in answers if kind == b"E"]
    return codes


def test_ten_thousand_statements_stay_under_the_bound(start):
    bound = 32 << 20
    pooler = begin(start, bound)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(pooler.connect()) for _ in range(CLIENTS)]
        for client in clients:
            client.rows("select 1")
        before = resident_bytes(pooler.pid)
        assert prepare_all(clients) == []
        gauge, grown = measured(pooler), resident_bytes(pooler.pid) - before
        print(f"{CLIENTS * EACH} statements: gauge {gauge / 1e6:.1f} MB, resident memory grew by {grown / 1e6:.1f} MB")
        assert CLIENTS * EACH * SIZE < gauge <= bound
        # The estimate is an honest one.
        assert grown < 1.3 * gauge
        for index, client in enumerate(clients):
            rows = [body for kind, body in client.exchange(bind("", "s7") + execute() + SYNC) if kind == b"D"]
            assert len(rows) == 1, index
    wait_until(lambda: measured(pooler) == 0, "clients that left give back what they had")


def test_beyond_the_bound_a_parse_is_refused_and_the_session_goes_on(start):
    bound = 4 << 20
    pooler = begin(start, bound)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(pooler.connect()) for _ in range(CLIENTS)]
        for client in clients:
            client.rows("select 1")
        before = resident_bytes(pooler.pid)
        codes = prepare_all(clients)
        gauge, grown = measured(pooler), resident_bytes(pooler.pid) - before
        print(f"{CLIENTS * EACH - len(codes)} of {CLIENTS * EACH} statements: gauge {gauge / 1e6:.1f} MB, "
              f"resident memory grew by {grown / 1e6:.1f} MB")
        assert set(codes) == {"53200"}
        assert 0.9 * bound < gauge <= bound
        assert grown < 2 * bound + (4 << 20)
        found = samples(get(pooler, "/metrics"))
        assert found["carom_prepared_statement_limit_bytes"] == bound
        assert found['carom_route_refused_parses_total{database="postgres",user="postgres",rule="default.default"}'] == len(codes)
        first, last = clients[0], clients[-1]
        # Those that came too late work on, and those that have their statements use them.
        assert last.value("select 1") == "1"
        assert any(kind == b"D" for kind, _ in first.exchange(bind("", "s0") + execute() + SYNC))
        # Whoever closes some makes room.
        first.exchange(b"".join(close(b"S", f"s{number}") for number in range(10)) + SYNC)
        answers = last.exchange(parse("again", statement(99, 99)) + bind("", "again") + execute() + SYNC)
        assert any(kind == b"D" for kind, _ in answers)

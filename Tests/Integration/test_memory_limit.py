# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""`memory_limit`: what waits in the buffers of the process is bounded, and who is served goes on."""

import pytest

from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, query

pytestmark = pytest.mark.own

READAHEAD = 65536
LIMIT = 8 * READAHEAD
SERVERS = 24


@pytest.fixture
def bounded(start):
    return start(Route(pool_size=SERVERS), console(), workers=2,
                 globals={"readahead": READAHEAD, "memory_limit": LIMIT})


def waiting(pooler):
    with pooler.connect(database="console", user=OPERATOR, password=OPERATOR_PASSWORD) as operator:
        return next(int(row[4]) for row in operator.rows("show mem") if row[0] == "waiting_bytes")


def refusal(connect):
    with pytest.raises(ServerError) as refused:
        connect()
    return refused.value.fields


def deaf(pooler, count):
    """Clients that ask for much and read nothing."""
    wires = [pooler.connect() for _ in range(count)]
    for wire in wires:
        wire.send(query("select repeat('x', 1000) from generate_series(1, 50000)"))
    return wires


def test_who_would_have_to_wait_is_refused_while_others_are_served(bounded):
    busy, idle = bounded.connect(), bounded.connect()
    busy.rows("begin")
    wires = deaf(bounded, SERVERS - 1)
    wait_until(lambda: waiting(bounded) >= LIMIT, "the limit is met")
    fields = refusal(bounded.connect)
    assert fields["C"] == "53200" and "memory_limit" in fields["D"]
    # A request that has to wait for a server; who holds one goes on.
    assert refusal(lambda: idle.rows("select 1"))["C"] == "53200"
    assert busy.value("select 1") == "1"
    assert waiting(bounded) <= LIMIT + SERVERS * READAHEAD
    # A result of any size is no more than passed on.
    assert len(busy.rows("select repeat('y', 1000) from generate_series(1, 20000)")) == 20000
    for wire in wires:
        wire.abort()
    wait_until(lambda: waiting(bounded) < LIMIT, "what waited is gone")
    busy.rows("commit")
    with bounded.connect() as wire:
        assert wire.value("select 1") == "1"


def test_the_beginning_of_a_request_is_not_kept_beyond_it(start):
    pooler = start(Route(pool_size=1), console(), globals={"memory_limit": 100_000})
    half = query("select '" + "x" * 60_000 + "'")[:50_000]
    wires = [pooler.connect() for _ in range(8)]
    for wire in wires:
        wire.send(half)
    wait_until(lambda: waiting(pooler) >= 100_000, "the limit is met")
    refused = 0
    for wire in wires:
        wire.stream.settimeout(0.5)
        try:
            kind, _ = wire.receive()
            refused += kind == b"E"
        except (TimeoutError, ConnectionLost):
            pass
    assert refused >= 4
    for wire in wires:
        wire.abort()
    wait_until(lambda: waiting(pooler) == 0, "nothing waits")


def test_the_limit_changes_while_it_runs(bounded):
    wires = deaf(bounded, 4)
    wait_until(lambda: waiting(bounded) > READAHEAD, "something waits")
    with bounded.connect(database="console", user=OPERATOR, password=OPERATOR_PASSWORD) as operator:
        operator.rows("set memory_limit = 1")
        assert refusal(bounded.connect)["C"] == "53200"
        operator.rows("set memory_limit = 0")
    bounded.connect().close()
    for wire in wires:
        wire.abort()

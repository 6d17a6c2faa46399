# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Every connection has an id; errors made by the pooler and log lines carry it, and it gives no secret away."""

import re
import uuid

import pytest

from lib.config import Route
from lib.fakeserver import FakeServer, answer
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ServerError, error_fields, message

pytestmark = pytest.mark.own
ID = re.compile(r"\bc([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
SERVER_ID = re.compile(r"\bs([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")


def login_error(pooler, **options):
    with pytest.raises(ServerError) as refused:
        pooler.connect(**options).close()
    return refused.value.fields


def query_error(wire, sql="select 1"):
    with pytest.raises(ServerError) as refused:
        wire.rows(sql)
    return refused.value.fields


def unknown_route(start):
    pooler = start(Route(database="postgres", user="bench"))
    return pooler, login_error(pooler, user="nobody")


def wrong_password(start):
    pooler = start(Route(authentication="scram-sha-256", user="postgres", password="right"))
    return pooler, login_error(pooler, password="wrong")


def blocked(start):
    pooler = start(Route(authentication="block"))
    return pooler, login_error(pooler, password="any")


def too_many(start):
    pooler = start(Route(client_max=1))
    with pooler.connect():
        return pooler, login_error(pooler)


def waited_too_long(start):
    pooler = start(Route(pool_size=1, pool_timeout=200))
    with pooler.connect() as holder, pooler.connect() as waiter:
        holder.rows("begin")
        return pooler, query_error(waiter)


def server_unreachable(start):
    pooler = start(Route(pool_timeout=3000), storage=free_address())
    try:
        with pooler.connect() as wire:
            return pooler, query_error(wire)
    except ServerError as error:
        return pooler, error.fields


def server_lost(start):
    with FakeServer(reply=lambda sql: None if sql == "select 'bad'" else answer(b"fine")) as server:
        pooler = start(Route(), storage=server.address)
        wire = pooler.connect()
        return pooler, query_error(wire, "select 'bad'")


def protocol_violation(start):
    pooler = start(Route())
    wire = pooler.connect()
    wire.send(message(b"?", b"what"))
    return pooler, next(error_fields(body) for kind, body in wire.last_words() if kind == b"E")


@pytest.mark.parametrize("provoke, code", [
    (unknown_route, "3D000"), (wrong_password, "28P01"), (blocked, "28P01"), (too_many, "53300"),
    (waited_too_long, "53300"), (server_unreachable, "08006"), (server_lost, "08006"), (protocol_violation, "08P01"),
], ids=lambda value: getattr(value, "__name__", value))
def test_an_error_of_the_pooler_names_its_client(start, provoke, code):
    pooler, fields = provoke(start)
    assert fields["C"] == code
    assert fields["S"] in ("ERROR", "FATAL") and fields["V"] == fields["S"]
    found = ID.search(fields["M"])
    assert found, fields
    # A real UUID: version 4, variant 1.
    identity = uuid.UUID(found[1])
    assert identity.version == 4 and identity.variant == uuid.RFC_4122
    wait_until(lambda: found[0] in pooler.log(), "the log knows this client")


def test_a_server_lost_between_frames_leaves_the_session_alive(start):
    with FakeServer(reply=lambda sql: None if sql == "select 'bad'" else answer(b"fine")) as server:
        pooler = start(Route(pool_size=1), storage=server.address)
        with pooler.connect() as wire:
            assert query_error(wire, "select 'bad'")["C"] == "08006"
            assert wire.rows("select 'good'") == [["fine"]]


def test_log_lines_carry_client_and_server_ids(start):
    pooler = start(Route(pool_size=2))
    for _ in range(3):
        with pooler.connect() as wire:
            wire.value("select 1")
    wait_until(lambda: len(set(ID.findall(pooler.log()))) >= 3, "three clients are in the log")
    assert len(set(SERVER_ID.findall(pooler.log()))) in (1, 2)
    for line in pooler.log().splitlines():
        assert re.search(r"\[(c[0-9a-f-]{36}|none) (s[0-9a-f-]{36}|none)\]", line), line


def test_a_cancel_key_is_not_in_the_id(start):
    pooler = start(Route())
    wires = [pooler.connect() for _ in range(20)]
    wait_until(lambda: len(set(ID.findall(pooler.log()))) >= 20, "the clients are in the log")
    printed = "".join(set(ID.findall(pooler.log()))).replace("-", "")
    for wire in wires:
        assert f"{wire.key[1]:08x}" not in printed
        assert f"{wire.key[0]:08x}" not in printed
        wire.close()
    assert len({wire.key[1] for wire in wires}) == 20

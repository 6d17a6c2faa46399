# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Several poolers behind one address: whichever of them gets a cancel, it arrives."""

import socket
import struct
import threading

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import CANCEL_REQUEST, ServerError, Wire, query, send_cancel

pytestmark = pytest.mark.own


def peer(address, **more):
    return {"host": address[0], "port": address[1], **more}


def peer_of(number):
    """The peer that made a key, by the number in it: bytes 1 and 2, the lower one first."""
    return number >> 16 & 0xFF | number & 0xFF00


def rows(pooler, name):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True) as operator:
        return operator.execute(f"SHOW {name}").fetchall()


@pytest.fixture
def fleet(start):
    """Three of them, which listen on one port beside their own."""
    shared = free_address()
    own = [free_address() for _ in range(3)]
    peers = {number + 1: peer(address) for number, address in enumerate(own)}
    poolers = [
        start(Route(pool="transaction", pool_size=20), console(), workers=1, address=address, listen={"reuse_port": True},
              more_addresses=[shared], globals={"peer_id": number + 1}, peers=peers)
        for number, address in enumerate(own)]
    return shared, poolers


def sleepers(postgres):
    return int(postgres.value("select count(*) from pg_stat_activity where state = 'active' "
                              "and query like 'select pg_sleep%' and pid <> pg_backend_pid()"))


def test_cancels_arrive_through_whichever_process_gets_them(fleet, postgres):
    shared, poolers = fleet
    wires = [Wire.open(shared) for _ in range(24)]
    makers = [peer_of(wire.key[0]) for wire in wires]
    assert set(makers) <= {1, 2, 3} and len(set(makers)) > 1, "the kernel deals clients out"
    for wire in wires:
        wire.send(query("select pg_sleep(60)"))
    wait_until(lambda: sleepers(postgres) == 24, "all run")
    for index, wire in enumerate(wires):
        # Half of them by the common port, as a driver does it; half where the client certainly is not.
        wrong = poolers[makers[index] % 3].address
        assert send_cancel(shared if index % 2 else wrong, wire.key) == b""
    for wire in wires:
        with pytest.raises(ServerError) as refused:
            wire.result()
        assert refused.value.code == "57014"
        assert wire.value("select 1") == "1"
        wire.close()


def test_a_driver_cancels_over_the_common_port(fleet, postgres):
    (host, port), _ = fleet
    connections = [psycopg.connect(host=host, port=port, user="postgres", dbname="postgres", autocommit=True) for _ in range(8)]
    failures = []

    def run(connection):
        try:
            connection.execute("select pg_sleep(60)")
        except psycopg.errors.QueryCanceled as failure:
            failures.append(failure)
    threads = [threading.Thread(target=run, args=[connection]) for connection in connections]
    for thread in threads:
        thread.start()
    wait_until(lambda: sleepers(postgres) == 8, "all run")
    for connection in connections:
        connection.cancel()
    for thread in threads:
        thread.join(20)
    assert len(failures) == 8
    for connection in connections:
        connection.close()


def test_the_console_shows_peers(fleet):
    shared, poolers = fleet
    expected = [(number + 1, *pooler.address, 20) for number, pooler in enumerate(poolers)]
    assert rows(poolers[0], "PEERS") == expected
    assert rows(poolers[0], "PEER_POOLS") == [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0), (3, 0, 0, 0, 0)]
    lists = dict(rows(poolers[0], "LISTS"))
    assert (lists["peers"], lists["peer_pools"]) == (3, 3)


def read_request(stream):
    """The key of a CancelRequest, as two numbers."""
    data = b""
    while len(data) < 16:
        data += stream.recv(16 - len(data))
    length, code, number, secret = struct.unpack("!IIII", data)
    assert (length, code) == (16, CANCEL_REQUEST)
    return number, secret


def test_each_hop_is_counted_and_places_are_limited(start):
    with socket.create_server(free_address()) as other:
        other.settimeout(20)
        pooler = start(Route(), console(), globals={"peer_id": 1, "cancel_timeout_ms": 20_000},
                       peers={2: peer(other.getsockname(), pool_size=1)})
        number = 0x12020034
        assert peer_of(number) == 2
        requests = []

        def send(secret):
            thread = threading.Thread(target=send_cancel, args=[pooler.address, (number, secret)])
            thread.start()
            requests.append(thread)
        send(0xABCDEF03)
        first, _ = other.accept()
        assert read_request(first) == (number, 0xABCDEF02)
        wait_until(lambda: rows(pooler, "PEER_POOLS") == [(2, 1, 0, 1, 0)], "one is under way")
        send(0xABCDEF01)
        wait_until(lambda: rows(pooler, "PEER_POOLS") == [(2, 1, 1, 1, 0)], "the other waits for its place")
        assert requests[0].is_alive(), "whoever has sent it waits until it has arrived"
        first.close()
        second, _ = other.accept()
        assert read_request(second) == (number, 0xABCDEF00)
        second.close()
        for thread in requests:
            thread.join(20)
            assert not thread.is_alive()
        wait_until(lambda: rows(pooler, "PEER_POOLS") == [(2, 0, 0, 0, 0)], "nothing is under way")
        assert send_cancel(pooler.address, (number, 0xABCDEF00)) == b"", "it goes no further"
        assert "has gone round" in pooler.log()
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()


def test_a_cancel_that_nobody_has_goes_round_no_longer_than_its_hops(start):
    addresses = [free_address(), free_address()]
    # Each takes the other for the third, which is none of them.
    first = start(Route(), address=addresses[0], globals={"peer_id": 1}, peers={3: peer(addresses[1])})
    second = start(Route(), address=addresses[1], globals={"peer_id": 2}, peers={3: peer(addresses[0])})
    assert send_cancel(first.address, (0x12030034, 0xABCDEF03)) == b""
    # Three hops: to the second, back, and to the second again.
    assert "has gone round" in second.log() and "has gone round" not in first.log()


def test_a_reload_changes_peers(start, postgres):
    addresses = [free_address(), free_address()]
    first = start(Route(), console(), address=addresses[0])
    second = start(Route(), console(), address=addresses[1], globals={"peer_id": 2})
    with second.connect() as wire:
        assert peer_of(wire.key[0]) == 2
        wire.send(query("select pg_sleep(60)"))
        wait_until(lambda: sleepers(postgres) == 1, "it runs")
        send_cancel(first.address, wire.key)
        assert sleepers(postgres) == 1, "there is nobody to ask"
        first.config.globals["peer_id"] = 1
        first.config.peers = {2: peer(addresses[1])}
        first.reload()
        send_cancel(first.address, wire.key)
        with pytest.raises(ServerError, match="57014|canceling"):
            wire.result()
    with first.connect() as wire:
        assert peer_of(wire.key[0]) == 1


def test_without_reuse_port_an_address_is_taken(start):
    taken = start(Route())
    with pytest.raises(AssertionError, match="ended with code"):
        start(Route(), more_addresses=[taken.address])

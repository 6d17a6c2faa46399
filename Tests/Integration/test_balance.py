# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Which of several servers clients get: by zone, by load, and slowly where one is back."""

import time

import pytest

from lib.config import Route, console
from lib.places import Workplace
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import ServerError

pytestmark = pytest.mark.own

PORT = "select current_setting('port')"


@pytest.fixture(scope="module")
def three():
    place = Workplace("carom-balance")
    servers = [Postgres.primary(place, name=f"server{number}") for number in range(3)]
    yield servers
    for server in servers:
        server.stop()
    place.remove()


def hosts(servers, zones=None):
    entries = [f"{host}:{port}" for host, port in (server.address for server in servers)]
    return ",".join(entry + (f":{zone}" if zone else "") for entry, zone in zip(entries, zones or [None] * len(entries)))


def serve(start, storage, size=6, **options):
    names = {"storage_user": "postgres", "storage_db": "postgres"}
    return start(Route(database="app", pool_size=size, pool_timeout=5000, **names), console(), storage=storage, **options)


def shares(pooler, servers, clients):
    """How many of that many clients are on each server at the same time."""
    wires = [pooler.connect(database="app") for _ in range(clients)]
    for wire in wires:
        wire.rows("begin")
    told = [int(wire.value(PORT)) for wire in wires]
    for wire in wires:
        wire.rows("commit")
        wire.close()
    return [told.count(server.address[1]) for server in servers]


def test_servers_of_the_zone_come_first_and_others_stand_in(three, start):
    storage = {"host": hosts(three, ["a", "b", "a"]), "server_dead_after": 500}
    pooler = serve(start, storage, globals={"availability_zone": "a"})
    assert shares(pooler, three, 6) == [3, 0, 3]
    three[0].stop()
    wait_until(lambda: shares(pooler, three, 6) == [0, 0, 6], "the other one of the zone has all", timeout=10, every=0.2)
    three[2].stop()
    try:
        def moved():
            try:
                return shares(pooler, three, 6) == [0, 6, 0]
            except ServerError:
                return False
        wait_until(moved, "those elsewhere stand in", timeout=10, every=0.2)
    finally:
        three[0].start()
        three[2].start()
    wait_until(lambda: shares(pooler, three, 6) == [3, 0, 3], "clients come home", timeout=20, every=0.2)


def test_names_have_zones_too(start, three):
    port = three[0].address[1]
    with pytest.raises(AssertionError) as refused:
        serve(start, {"host": f"127.0.0.1:{port}:"})
    assert "is no port" in str(refused.value)
    pooler = serve(start, {"host": f"localhost:{port}:a"}, globals={"availability_zone": "b"})
    with pooler.connect(database="console", user="operator", password="an operator's secret") as admin:
        wait_until(lambda: admin.rows("show resolvers"), "the name is found")


def test_two_at_random(three, start):
    pooler = serve(start, {"host": hosts(three), "balancing_method": "random_of_two"}, size=12)
    rounds = [shares(pooler, three, 6) for _ in range(10)]
    assert all(sum(each) == 6 for each in rounds), rounds
    # Each server has about 20 of the 60 clients. Chance alone gives one of them fewer than 8 once in a million runs.
    assert min(map(sum, zip(*rounds))) >= 8, rounds


def test_a_server_that_is_back_begins_with_a_little(three, start):
    pooler = serve(start, {"host": hosts(three[:2]), "server_slow_start": 8000, "server_dead_after": 300}, size=10)
    wait_until(lambda: shares(pooler, three[:2], 10) == [5, 5], "both have the same", timeout=15)
    three[0].stop()

    def alone():
        try:
            return shares(pooler, three[:2], 10) == [0, 10]
        except ServerError:
            return False
    wait_until(alone, "one has all", timeout=10, every=0.2)
    three[0].start()
    back = time.monotonic()
    wait_until(lambda: shares(pooler, three[:2], 10)[0] > 0, "it is back", timeout=10, every=0.1)
    seen = []
    while time.monotonic() < back + 30 and (not seen or seen[-1] < 5):
        seen.append(shares(pooler, three[:2], 10)[0])
        time.sleep(0.2)
    assert seen[-1] == 5 and {1, 2, 3} & set(seen) and seen[0] <= 2, seen


def test_when_all_are_known_to_be_dead_clients_are_told_at_once_and_served_within_a_second(three, start):
    pooler = serve(start, {"host": hosts(three[:2]), "server_dead_after": 500}, size=4)
    wire = pooler.connect(database="app")
    assert wire.value("select 1") == "1"
    for server in three[:2]:
        server.stop()
    try:
        began = time.monotonic()
        with pytest.raises(ServerError) as refused:
            wire.value("select 1")
        assert time.monotonic() - began < 3
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(ServerError) as refused:
                pooler.connect(database="app").value("select 1")
            assert time.monotonic() - began < 0.2
            assert refused.value.code == "08006" and refused.value.fields["D"].count("refused") == 2
            time.sleep(0.3)
        three[0].start()
        back = time.monotonic()

        def served():
            try:
                with pooler.connect(database="app") as late:
                    return late.value("select 1") == "1"
            except ServerError:
                return False
        wait_until(served, "clients are served", timeout=5, every=0.02)
        assert time.monotonic() - back < 1
    finally:
        for server in three[:2]:
            if not server.child.running:
                server.start()


def test_a_pool_that_is_full_finds_out_that_a_server_is_back(three, start):
    pooler = serve(start, {"host": hosts(three), "server_dead_after": 300}, size=9)
    assert shares(pooler, three, 9) == [3, 3, 3]
    three[0].kill()

    def rest():
        try:
            return sum(shares(pooler, three, 9)[1:]) == 9
        except ServerError:
            return False
    wait_until(rest, "the others have all", timeout=10, every=0.2)
    # Clients who never let go of all of them at the same time.
    three[0].start()
    wait_until(lambda: min(shares(pooler, three, 9)) == 3, "it has its share", timeout=15, every=0.2)

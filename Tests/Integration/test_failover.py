# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Servers from the DNS die, come back and change places while clients are at work."""

import time

import pytest

from lib.clients import Crowd
from lib.cluster import TTL, Cluster, Discovery
from lib.config import Route
from lib.fakeserver import FakeServer
from lib.incident import Incident
from lib.ledger import LEDGER, Ledger
from lib.load import pgbench
from lib.places import Workplace, free_address
from lib.pooler import Pooler
from lib.waiting import wait_until

pytestmark = pytest.mark.own

POOL_SIZE = 8


@pytest.fixture(scope="module")
def cluster():
    """A primary and two standbys."""
    place = Workplace("carom-failover")
    cluster = Cluster(place)
    yield cluster
    cluster.stop()
    place.remove()


@pytest.fixture
def found(place):
    """Starts a pooler that finds a cluster's servers in the DNS."""
    poolers = []

    def start_before(cluster, **options):
        poolers.append(Pooler(place, Discovery(cluster, POOL_SIZE, **options)))
        return poolers[-1]
    yield start_before
    for pooler in poolers:
        assert pooler.stop() == 0, pooler.log()[-3000:]


def reading(pooler, clients=24):
    """Clients who ask which server they are on."""
    return Crowd(pooler.address, clients, lambda _: ["select inet_server_addr()"], database="app_read")


def happens(incident, crowd, action, seconds):
    wait_until(lambda: crowd.seen_since(crowd.began) > 200, "clients are at work")
    incident.happen(action, seconds, share=2)
    return incident.account(crowd)


def test_a_new_standby_has_its_share_of_a_busy_pool(cluster, found):
    first, second = cluster.replicas
    cluster.publish(replicas=[second])
    pooler = found(cluster)
    try:
        with reading(pooler) as crowd:
            incident = Incident(pooler, joining=first)
            account = happens(incident, crowd, lambda _: cluster.publish(), TTL + 2)
    finally:
        cluster.publish()
    assert incident.joined is not None and not account.errors()


def test_who_reads_from_a_standby_that_is_killed_goes_on_with_others(cluster, found):
    victim = cluster.replicas[0]
    pooler = found(cluster)
    try:
        with reading(pooler) as crowd:
            incident = Incident(pooler, leaving=victim)
            account = happens(incident, crowd, lambda _: victim.kill(), 1.5)
    finally:
        victim.start()
    # Whose statement was there may be told so, and nobody else: by the pooler, or by a server process that saw its postmaster die.
    assert sum(account.errors().values()) <= POOL_SIZE // 2 + 1 and set(account.errors()) <= {"08006", "57P01"}
    assert account.longest_stall() < 1 and incident.left is not None


def test_when_all_standbys_are_gone_readers_are_told_and_served_by_the_first_that_is_back(cluster, found):
    pooler = found(cluster)

    def die_and_come_back(mark):
        for server in cluster.replicas:
            server.kill()
        mark("gone")
        time.sleep(1)
        cluster.replicas[0].start()
        mark("back")

    try:
        with reading(pooler) as crowd:
            incident = Incident(pooler)
            account = happens(incident, crowd, die_and_come_back, 4)
    finally:
        for server in cluster.replicas[1:]:
            server.start()
    assert set(account.errors()) <= {"08006", "57P01", "57P03"}
    assert incident.served_after(crowd, "back") < 1


def test_no_transaction_is_lost_or_done_twice_when_the_primary_is_replaced(found):
    place = Workplace("carom-ledger")
    cluster, ledger = Cluster(place, replicas=2, synchronous=True), Ledger(scale=1)
    pgbench(cluster.primary.address, "-i", "-s", 1, "-q")
    cluster.primary.rows(LEDGER, database="bench", user="bench")
    pooler = found(cluster)

    def replaced(end):
        def act(mark):
            end(cluster.primary)
            cluster.promote(cluster.replicas[0])
            mark("promoted")
            cluster.publish()
        return act

    with Crowd(pooler.address, 16, ledger.write, database="app", told=ledger.told) as crowd:
        for end in (lambda server: server.stop(), lambda server: server.kill()):
            incident = Incident(pooler, leaving=cluster.primary)
            account = happens(incident, crowd, replaced(end), 4)
            assert sum(account.errors().values()) <= POOL_SIZE
            assert account.longest_stall() < incident.marks["promoted"] + 3
            assert incident.left is not None
            # The second time the only standby that is left must have everything.
            if cluster.replicas:
                cluster.be_synchronous(1)
    audit = ledger.audit(cluster.primary)
    assert audit["confirmed"] > 100
    assert (audit["lost"], audit["doubled"], audit["unasked"], audit["balanced"]) == (0, 0, 0, True)
    cluster.stop()
    place.remove()


@pytest.mark.parametrize("kind", ["dead", "silent"])
@pytest.mark.parametrize("position", [0, 2, 4])
def test_one_bad_host_of_five_costs_nobody_a_fifth_of_a_second(start, kind, position):
    servers = [FakeServer() for _ in range(4)]
    silent = FakeServer(login=lambda wire: wire.receive())
    addresses = [server.address for server in servers]
    addresses.insert(position, silent.address if kind == "silent" else free_address())
    listed = ",".join(f"{host}:{port}" for host, port in addresses)

    def longest():
        """What the slowest of the first clients of a new pooler waits."""
        pooler, times = start(Route(pool_size=4), storage={"host": listed}), []
        for _ in range(4):
            began = time.monotonic()
            with pooler.connect() as wire:
                assert wire.value("select 1") == "fine"
            times.append(time.monotonic() - began)
        return max(times)

    # The machine may have been busy with something else; a silent server is silent each time.
    assert min(longest() for _ in range(3)) < 0.2
    for server in [*servers, silent]:
        server.close()

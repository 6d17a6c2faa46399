# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A primary and a standby behind one list of hosts: who gets which, and what happens when they change places."""

import threading
import time

import pytest

from lib.config import Route
from lib.places import Workplace, free_address
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError

pytestmark = pytest.mark.own

ROLE = "select case when pg_is_in_recovery() then 'standby' else 'primary' end"
PORT = "select current_setting('port')"


def listed(*servers):
    return ",".join(f"{host}:{port}" for host, port in (getattr(server, "address", server) for server in servers))


class Pair:
    """Two servers, of which one follows the other."""

    def __init__(self, place):
        self.primary = Postgres.primary(place)
        self.standby = self.primary.replica()

    @property
    def hosts(self):
        return listed(self.standby, self.primary)

    def exchange(self):
        """The primary stops, the standby takes its place; then the old primary follows it where it was."""
        old, new = self.primary, self.standby
        old.stop()
        new.promote()
        old.follow(new)
        self.primary, self.standby = new, old

    def stop(self):
        for server in (self.standby, self.primary):
            server.stop()


@pytest.fixture(scope="module")
def pair():
    place = Workplace("carom-roles")
    pair = Pair(place)
    yield pair
    pair.stop()
    place.remove()


def route(target=None, **more):
    options = {"pool_size": 4, "pool_timeout": 5000, "storage_user": "postgres", "storage_db": "postgres"}
    own = {"target_session_attrs": target, **more.pop("more", {})}
    return Route(more=own, **{**options, **more})


def answers(pooler, sql=ROLE, clients=3, **options):
    """What that many clients are told while each of them has a transaction open."""
    wires = [pooler.connect(**options) for _ in range(clients)]
    for wire in wires:
        wire.rows("begin")
    told = {wire.value(sql) for wire in wires}
    for wire in wires:
        wire.rows("commit")
        wire.close()
    return told


@pytest.mark.parametrize("target, role", [
    ("primary", "primary"), ("read-write", "primary"), ("standby", "standby"), ("read-only", "standby"),
    ("prefer-standby", "standby")])
@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_route_gets_the_servers_that_it_asks_for(pair, start, target, role, pool):
    pooler = start(route(target, pool=pool, pool_size=8), storage={"host": pair.hosts}, workers=2)
    assert answers(pooler) == {role}


def test_the_most_specific_says_which_servers(pair, start):
    storage = {"host": pair.hosts, "target_session_attrs": "standby"}
    pooler = start(route(user="reader"), route("primary", user="writer"), storage=storage)
    assert answers(pooler, user="reader") == {"standby"}
    assert answers(pooler, user="writer") == {"primary"}


def test_connections_are_opened_where_they_are_of_use(pair, start):
    pooler = start(route("primary", pool_size=6, more={"min_pool_size": 4}), storage={"host": pair.hosts})
    began = time.monotonic()
    wires = [pooler.connect() for _ in range(6)]
    for wire in wires:
        wire.rows("begin")
        assert wire.value(ROLE) == "primary"
    for wire in wires:
        wire.rows("commit")
        wire.close()
    # One more shows that the standby is none, and another one in each second in which the primary has let nobody in yet.
    assert pooler.log().count("new server connection") <= 7 + int(time.monotonic() - began)


@pytest.mark.parametrize("target, seen", [("standby", "primary"), ("read-only", "read-write")])
def test_who_finds_none_is_told_what_there_is(pair, start, target, seen):
    dead = free_address()
    pooler = start(route(target, pool_timeout=1000), storage={"host": listed(pair.primary, dead)})
    began = time.monotonic()
    with pytest.raises(ServerError) as refused:
        pooler.connect().value("select 1")
    assert 0.9 < time.monotonic() - began < 3
    assert refused.value.code == "57P03"
    message = refused.value.fields["M"]
    assert f"no {target} among: " in message
    assert f"{listed(pair.primary)} ({seen})" in message and f"{listed(dead)} (unreachable)" in message


def test_whoever_prefers_a_standby_takes_what_there_is(pair, start):
    pooler = start(route("prefer-standby"), storage={"host": listed(pair.primary, free_address())})
    began = time.monotonic()
    assert answers(pooler) == {"primary"}
    assert time.monotonic() - began < 2


CHOICES = [("primary", "primary"), ("standby", "standby"), ("read-only", "standby"), ("read-write", "primary")]


@pytest.mark.parametrize("name", ["target_session_attrs", "odyssey.target_session_attrs"])
def test_clients_choose_where_they_may(pair, start, name):
    may = {"client_target_session_attrs": True}
    pooler = start(route("standby", more=may), storage={"host": pair.hosts}, workers=2)
    for _ in range(2):
        assert answers(pooler) == {"standby"}
        for choice, role in CHOICES:
            assert answers(pooler, **{name: choice}) == {role}
            assert answers(pooler, options=f"-c {name}={choice}") == {role}
    with pooler.connect(target_session_attrs="primary") as writer, pooler.connect() as reader:
        assert writer.parameters["in_hot_standby"] == "off"
        assert reader.parameters["in_hot_standby"] == "on"
    with pytest.raises(ServerError) as refused:
        pooler.connect(**{name: "master"}).close()
    assert refused.value.code == "22023"
    assert "prefer-standby" in refused.value.fields["H"]


def test_clients_do_not_choose_where_they_may_not(pair, start):
    pooler = start(route("standby"), storage={"host": pair.hosts})
    with pytest.raises(ServerError) as refused:
        pooler.connect(target_session_attrs="primary").close()
    assert refused.value.code == "42704"


def test_a_server_that_becomes_read_only_is_left(pair, start):
    pooler = start(route("read-write", pool_timeout=800), storage={"host": pair.hosts})
    reader = start(route("primary"), storage={"host": pair.hosts})
    with pooler.connect() as wire, reader.connect() as other:
        assert wire.value(ROLE) == other.value(ROLE) == "primary"
        # What a client sets in its own session says nothing about the server.
        wire.rows("set default_transaction_read_only = on")
        assert wire.value(ROLE) == "primary"
        wire.rows("set default_transaction_read_only = off")
        pair.primary.rows("alter system set default_transaction_read_only = on")
        pair.primary.rows("select pg_reload_conf()")
        try:
            def refused():
                try:
                    with pooler.connect() as late:
                        late.value("select 1")
                except ServerError as error:
                    return error
            error = wait_until(refused, "nobody gets a server that is read only", timeout=5, every=0.1)
            assert "(read-only)" in error.fields["M"]
            assert other.value(ROLE) == "primary"
        finally:
            with pair.primary.connect() as admin:
                admin.rows("set default_transaction_read_only = off")
                admin.rows("alter system reset default_transaction_read_only")
                admin.rows("select pg_reload_conf()")
        wait_until(lambda: refused() is None, "it is used again", timeout=5, every=0.1)


class Client(threading.Thread):
    """Asks one thing over and over, and remembers when what was answered. It comes again when its session ends."""

    def __init__(self, pooler, sql, user):
        super().__init__(daemon=True)
        self.pooler, self.sql, self.user = pooler, sql, user
        self.seen, self.errors, self.ending = [], [], threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                with self.pooler.connect(user=self.user) as wire:
                    while not self.ending.wait(0.01):
                        self.seen.append((time.monotonic(), wire.value(self.sql)))
            except (ServerError, ConnectionLost, OSError) as error:
                self.errors.append((time.monotonic(), error))

    def end(self):
        self.ending.set()
        self.join(20)
        assert not self.is_alive()

    def after(self, moment):
        return {value for at, value in self.seen if at >= moment}


def test_when_the_servers_change_places_so_do_the_clients(pair, start):
    pooler = start(route("primary", user="writer", pool_timeout=20000), route("standby", user="reader", pool_timeout=20000),
                   route("read-write", user="idle", pool_timeout=20000), storage={"host": pair.hosts}, workers=2)
    idle = pooler.connect(user="idle")
    idle.rows("create table if not exists log (at timestamptz)")
    both = "select (case when pg_is_in_recovery() then 'standby' else 'primary' end) || current_setting('port')"
    writers = [Client(pooler, both, "writer") for _ in range(3)]
    readers = [Client(pooler, both, "reader") for _ in range(3)]
    wait_until(lambda: all(len(client.seen) > 5 for client in writers + readers), "all are at work")
    pair.exchange()
    exchanged = time.monotonic()
    new, old = pair.primary.address[1], pair.standby.address[1]
    wait_until(lambda: all(client.after(exchanged) for client in writers + readers), "all are at work again")
    time.sleep(2.2)
    settled = exchanged + 2
    for client in writers + readers:
        client.end()
    for client in writers:
        assert client.after(settled) == {f"primary{new}"}
    for client in readers:
        assert client.after(settled) == {f"standby{old}"}
    # Whoever was idle has noticed nothing.
    idle.rows("insert into log values (now())")
    assert idle.value(PORT) == str(new)
    idle.close()


def test_a_server_that_answers_nothing_gets_no_more_clients(pair, start):
    storage = {"host": pair.hosts, "endpoints_status_poll_interval": 200, "server_check_timeout": 400}
    pooler = start(route("any", pool_size=8, more={"min_pool_size": 8}), storage=storage, workers=2)
    wire = pooler.connect()
    wait_until(lambda: pooler.log().count("new server connection") >= 8, "connections to both are there")
    assert answers(pooler, clients=6) == {"primary", "standby"}
    pair.standby.freeze()
    try:
        time.sleep(1.2)
        began = time.monotonic()
        for _ in range(3):
            assert answers(pooler) == {"primary"}
        assert time.monotonic() - began < 1
    finally:
        pair.standby.thaw()
    wire.close()
    wait_until(lambda: "standby" in answers(pooler, clients=6), "it has clients again", timeout=10)


def test_of_two_primaries_one_counts(pair, start):
    pooler = start(route("primary", more={"client_target_session_attrs": True, "min_pool_size": 4}),
                   storage={"host": pair.hosts, "endpoints_status_poll_interval": 100})
    old, new = pair.primary.address[1], pair.standby.address[1]
    assert answers(pooler, PORT) == {str(old)}
    assert answers(pooler, target_session_attrs="standby") == {"standby"}
    held = pooler.connect()
    held.rows("begin")
    assert held.value(PORT) == str(old)
    pair.standby.promote()
    wait_until(lambda: "only one should be" in pooler.log(), "the log tells of it", timeout=5)
    for _ in range(3):
        assert answers(pooler, PORT) == {str(new)}
    assert held.value(PORT) == str(old)
    held.rows("commit")
    assert held.value(PORT) == str(new)
    held.close()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Standbys that lag get no clients of a route that does not take it."""

import time

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.places import Workplace
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import ServerError

pytestmark = pytest.mark.own

PORT = "select current_setting('port')"
LIMIT = 2


class Trio:
    """A primary, and two standbys of which `second` is made to lag."""

    def __init__(self, place):
        self.primary = Postgres.primary(place)
        self.first, self.second = self.primary.replica(), self.primary.replica()
        self.primary.rows("create table writes (at timestamptz)")

    @property
    def all(self):
        return self.primary, self.first, self.second

    def hosts(self, *servers):
        return ",".join(f"{host}:{port}" for host, port in (server.address for server in servers or self.all))

    def pause(self, *standbys):
        """What is written from now on does not come to these."""
        for standby in standbys:
            standby.rows("select pg_wal_replay_pause()")
        self.write()

    def write(self):
        self.primary.rows("insert into writes values (now())")

    def resume(self):
        for standby in (self.first, self.second):
            standby.rows("select pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def trio():
    place = Workplace("carom-lag")
    trio = Trio(place)
    yield trio
    for server in reversed(trio.all):
        server.stop()
    place.remove()


@pytest.fixture(autouse=True)
def caught_up(trio):
    trio.resume()
    yield


@pytest.fixture
def serve(trio, start):
    """A pooler with a watchdog in front of these servers, of all without any."""
    def serve(*servers, watchdog=(), **more):
        watched = {"storage_db": "postgres", "storage_user": "postgres", **dict(watchdog)}
        own = {"target_session_attrs": "standby", "catchup_timeout": LIMIT, **more}
        names = {"storage_user": "postgres", "storage_db": "postgres", "pool_timeout": 20000}
        careful = Route(database="app", more=own, **names)
        careless = Route(database="free", more={"target_session_attrs": "standby"}, **names)
        storage = {"host": trio.hosts(*servers), "watchdog": watched}
        return start(careful, careless, console(), storage=storage, workers=2)
    return serve


def ports(pooler, database="app", clients=6):
    """On which servers that many clients are at the same time."""
    wires = [pooler.connect(database=database) for _ in range(clients)]
    for wire in wires:
        wire.rows("begin")
    told = {int(wire.value(PORT)) for wire in wires}
    for wire in wires:
        wire.rows("commit")
        wire.close()
    return told


def backends(pooler):
    """What the console says of the route's servers, by their ports."""
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=dict_row) as admin:
        rows = admin.execute("show backends").fetchall()
    return {int(row["addr"].rsplit(":", 1)[1]): row for row in rows if row["route"].startswith("app.")}


def is_measured(pooler, *servers):
    """Waits until the lag of these is known, which takes a client."""
    ports(pooler)
    wait_until(lambda: all(backends(pooler)[server.address[1]]["lag"] is not None for server in servers),
               "the watchdog has asked")


def test_a_standby_that_lags_gets_no_clients_until_it_has_caught_up(trio, serve):
    pooler = serve()
    first, second = trio.first.address[1], trio.second.address[1]
    wait_until(lambda: ports(pooler) == {first, second}, "both have clients")
    is_measured(pooler, *trio.all)
    held = [pooler.connect(database="app") for _ in range(6)]
    for wire in held:
        wire.rows("begin")
    trio.pause(trio.second)
    wait_until(lambda: backends(pooler)[second]["held_back"], "it is held back", timeout=LIMIT + 4)
    row = backends(pooler)[second]
    assert row["held_back"].startswith("lags ") and float(row["lag"]) > LIMIT
    # Whoever was there finishes; nobody else comes.
    assert {int(wire.value(PORT)) for wire in held} == {first, second}
    for wire in held:
        wire.rows("commit")
        assert int(wire.value(PORT)) == first
        wire.close()
    for _ in range(5):
        assert ports(pooler) == {first}
    wait_until(lambda: backends(pooler)[second]["sv_idle"] == 0, "its connections are closed")
    assert second in ports(pooler, "free"), "who takes any lag still goes there"
    assert "is held back, it gets no more claims: lags" in pooler.log()
    trio.resume()
    wait_until(lambda: second in ports(pooler), "it has clients again", timeout=10)
    assert "is no longer held back" in pooler.log()
    row = backends(pooler)[second]
    assert row["held_back"] is None and float(row["lag"]) == 0


def test_what_is_written_now_and_then_is_no_lag(trio, serve):
    time.sleep(LIMIT + 1)
    pooler = serve()
    is_measured(pooler, *trio.all)
    seen = []
    for _ in range(30):
        trio.write()
        seen += [row["held_back"] for row in backends(pooler).values()]
        time.sleep(0.1)
    assert set(seen) == {None}


def test_when_all_standbys_lag_clients_are_told_at_once(trio, serve):
    pooler = serve()
    is_measured(pooler, *trio.all)
    idle = pooler.connect(database="app")
    assert idle.value("select 1") == "1"
    trio.pause(trio.first, trio.second)
    wait_until(lambda: all(backends(pooler)[one.address[1]]["held_back"] for one in (trio.first, trio.second)),
               "both are held back", timeout=LIMIT + 4)
    for attempt in (lambda: idle.value("select 1"), lambda: pooler.connect(database="app").value("select 1")):
        began = time.monotonic()
        with pytest.raises(ServerError) as refused:
            attempt()
        assert time.monotonic() - began < 0.5
        assert refused.value.code == "57P03"
        message = refused.value.fields["M"]
        assert "no standby among: " in message and message.count("(standby, lags ") == 2 and "(primary)" in message
    trio.resume()
    wait_until(lambda: not all(backends(pooler)[one.address[1]]["held_back"] for one in (trio.first, trio.second)),
               "one has caught up")
    assert ports(pooler) <= {trio.first.address[1], trio.second.address[1]}


def test_or_they_get_the_primary(trio, serve):
    pooler = serve(catchup_exceeded="primary")
    primary, standbys = trio.primary.address[1], {trio.first.address[1], trio.second.address[1]}
    is_measured(pooler, *trio.all)
    client = pooler.connect(database="app")
    assert int(client.value(PORT)) in standbys
    trio.pause(trio.first, trio.second)
    wait_until(lambda: int(client.value(PORT)) == primary, "clients go to the primary", timeout=LIMIT + 4)
    before = pooler.log().count("new server connection")
    for _ in range(50):
        assert int(client.value(PORT)) == primary
    assert pooler.log().count("new server connection") <= before + 2, "its connections are kept"
    trio.resume()
    wait_until(lambda: ports(pooler) <= standbys, "they go back", timeout=10)
    assert int(client.value(PORT)) in standbys
    client.close()


def test_a_standby_that_comes_back_is_asked_before_it_gets_clients(trio, serve):
    pooler = serve(trio.primary, trio.second)
    second = trio.second.address[1]
    is_measured(pooler, trio.second)
    trio.second.stop()
    wait_until(lambda: backends(pooler)[second]["held_back"], "its lag is not known")
    # It comes back with what it had, and gets nothing new.
    trio.second.add_settings("recovery_min_apply_delay = '10min'\n")
    trio.write()
    time.sleep(LIMIT + 1)
    trio.write()
    client = pooler.connect(database="app")
    trio.second.start()
    try:
        with pytest.raises(ServerError) as refused:
            client.value("select 1")
        assert refused.value.code == "57P03" and "lags " in refused.value.fields["M"]
    finally:
        trio.second.add_settings("recovery_min_apply_delay = 0\n")
    wait_until(lambda: backends(pooler)[second]["held_back"] is None, "it has caught up", timeout=15)
    assert ports(pooler) == {second}


def test_a_query_of_the_operators_says_when_it_was_up_to_date(trio, serve):
    trio.primary.rows("create table if not exists beat (at timestamptz)")
    trio.primary.rows("truncate beat")
    trio.primary.rows("insert into beat values (now())")
    query = "SELECT extract(epoch FROM at) FROM public.beat"
    pooler = serve(watchdog={"watchdog_lag_query": query})
    wait_until(lambda: all(one.value("select count(*) from beat") == "1" for one in (trio.first, trio.second)), "they have it")
    assert ports(pooler) <= {trio.first.address[1], trio.second.address[1]}
    wait_until(lambda: backends(pooler)[trio.first.address[1]]["held_back"], "no heart beats", timeout=LIMIT + 4)
    assert backends(pooler)[trio.primary.address[1]]["held_back"] is None, "a primary never lags"
    trio.primary.rows("update beat set at = now() + interval '1 hour'")
    wait_until(lambda: backends(pooler)[trio.first.address[1]]["held_back"] is None, "it beats again")


@pytest.mark.parametrize("watchdog, reason", [
    ({"storage_user": "nobody"}, 'role "nobody" does not exist'),
    ({"watchdog_lag_query": "SELECT 1, 2"}, "expected one row with one number"),
    ({"watchdog_lag_query": "SELECT 'x'"}, "expected seconds since 1970, found 'x'"),
    ({"watchdog_lag_query": "SELECT NULL::int"}, "expected seconds since 1970, found NULL"),
    ({"watchdog_lag_query": "SELECT 1 FROM missing"}, 'relation "missing" does not exist'),
])
def test_a_watchdog_that_cannot_ask_takes_no_server_away(trio, serve, watchdog, reason):
    pooler = serve(watchdog=watchdog)
    assert ports(pooler) <= {trio.first.address[1], trio.second.address[1]}
    wait_until(lambda: reason in pooler.log(), "the log says so")
    time.sleep(1.5)
    assert ports(pooler)
    assert pooler.log().count("watchdog: ") <= 3, "once for each server"


def test_a_reload_changes_the_limit_and_takes_it_away(trio, serve):
    pooler = serve()
    is_measured(pooler, *trio.all)
    trio.pause(trio.second)
    second = trio.second.address[1]
    wait_until(lambda: backends(pooler)[second]["held_back"], "it is held back", timeout=LIMIT + 4)
    pooler.config.routes[0].more["catchup_timeout"] = 3600
    pooler.reload()
    assert backends(pooler)[second]["held_back"] is None
    pooler.config.routes[0].more["catchup_timeout"] = 1
    pooler.reload()
    assert backends(pooler)[second]["held_back"]
    del pooler.config.routes[0].more["catchup_timeout"], pooler.config.storage["watchdog"]
    assert any("watchdog of storage \"pg\" removed" in line for line in pooler.reload())
    assert backends(pooler)[second]["held_back"] is None
    wait_until(lambda: backends(pooler)[second]["lag"] is None, "nobody asks any more")

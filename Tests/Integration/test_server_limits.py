# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Limits of connections to servers that routes share: as the servers themselves count them.

CAROM_LIMITS_SECONDS is the length of the load, CAROM_LIMITS_CLIENTS the clients of each route; beyond the defaults fairness is measured, too.
"""

import os
import select
import statistics
import subprocess
import threading

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.load import environment
from lib.postgres import binary
from lib.waiting import wait_until
from lib.wire import ServerError, query

pytestmark = pytest.mark.own

SECONDS = float(os.environ.get("CAROM_LIMITS_SECONDS", "3"))
CLIENTS = int(os.environ.get("CAROM_LIMITS_CLIENTS", "4"))
USERS = [f"tenant{number}" for number in range(5)]


@pytest.fixture(scope="module", autouse=True)
def roles(postgres):
    with postgres.connect() as admin:
        for user in USERS:
            admin.rows(f"create role {user} login superuser")
    yield
    with postgres.connect() as admin:
        for user in USERS:
            admin.rows(f"drop role {user}")


BOTH = [Route(), Route(database="bench")]

#: Each limit: what says so with a number n, the clients (database, user) that come under it, which of the servers' sessions it
#: counts, one client that it does not concern, and what an error calls it.
LIMITS = {
    "storage": (lambda n: {"storage": {"max_connections": n}},
                [("postgres", "tenant0"), ("bench", "tenant1"), ("bench", "tenant2")], "true", None, 'storage "pg"'),
    "database": (lambda n: {"globals": {"max_db_connections": n}},
                 [("bench", "tenant0"), ("bench", "tenant1"), ("bench", "tenant2")], "datname = 'bench'",
                 ("postgres", "tenant0"), 'database "bench"'),
    "one database": (lambda n: {"globals": {"max_db_connections": 1}, "databases": {"bench": {"max_db_connections": n}}},
                     [("bench", "tenant0"), ("bench", "tenant1")], "datname = 'bench'", ("postgres", "tenant0"),
                     'database "bench"'),
    "user": (lambda n: {"globals": {"max_user_connections": n}}, [("postgres", "tenant0"), ("bench", "tenant0")],
             "usename = 'tenant0'", ("bench", "tenant1"), 'user "tenant0"'),
    "user of a route": (lambda n: {"routes": [Route(more={"max_user_connections": n}),
                                              Route(database="bench", more={"max_user_connections": n})]},
                        [("postgres", "tenant0"), ("bench", "tenant0")], "usename = 'tenant0'", ("bench", "tenant1"),
                        'user "tenant0"'),
    "shared pool": (lambda n: {"shared_pools": {"few": n},
                               "routes": [Route(pool_size=None, more={"shared_pool": "few"}),
                                          Route(database="bench", pool_size=None, more={"shared_pool": "few"})]},
                    [("postgres", "tenant0"), ("bench", "tenant1"), ("postgres", "tenant2")], "true", None,
                    'shared_pool "few"'),
}


def begin(wire):
    """Asks for a transaction; it has begun once there is an answer."""
    wire.send(query("begin; select pg_backend_pid()"))


def has_answer(wire, patience=0.0):
    return bool(select.select([wire.stream], [], [], patience)[0])


def begun(wire):
    assert has_answer(wire, 5), "the transaction begins"
    return int(wire.result()[0][0])


class Under:
    """A pooler under one limit of LIMITS, whose number can be changed."""

    def __init__(self, start, postgres, what, number, workers):
        self.config, self.clients, self.counted, self.beside, self.name = LIMITS[what]
        self.postgres = postgres
        parts = self._parts(number)
        self.pooler = start(*parts.pop("routes"), workers=workers, **parts)

    def _parts(self, number):
        host, port = self.postgres.address
        said = self.config(number)
        return {"routes": BOTH, **said, "storage": {"host": host, "port": port, **said.get("storage", {})}}

    def change(self, number):
        for key, value in self._parts(number).items():
            setattr(self.pooler.config, key, value)
        self.pooler.reload()

    def servers(self):
        """As many connections as the server has of those that count."""
        with self.postgres.connect() as admin:
            return int(admin.value(
                "select count(*) from pg_stat_activity where backend_type = 'client backend' "
                f"and pid <> pg_backend_pid() and {self.counted}"))

    def connect(self, count):
        return [self.pooler.connect(*self.clients[place % len(self.clients)]) for place in range(count)]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_exact_and_follows_a_reload(start, postgres, what, workers):
    house = Under(start, postgres, what, 3, workers)
    wires = house.connect(6)
    for wire in wires[:3]:
        begin(wire)
    held = {begun(wire) for wire in wires[:3]}
    assert len(held) == 3 and house.servers() == 3
    begin(wires[3])
    assert not has_answer(wires[3], 0.2) and house.servers() == 3
    begin(wires[4])
    if house.beside:
        with house.pooler.connect(*house.beside) as beside:
            assert beside.value("select 1") == "1"
    wires[0].rows("commit")
    wait_until(lambda: has_answer(wires[3]) or has_answer(wires[4]), "a place that is free is used")
    assert house.servers() <= 3 and not (has_answer(wires[3]) and has_answer(wires[4]))
    house.change(4)
    begun(wires[3])
    begun(wires[4])
    assert house.servers() <= 4
    house.change(2)
    for wire in wires[1:5]:
        wire.rows("commit")
    wait_until(lambda: house.servers() <= 2, "servers beyond the limit are closed")
    for wire in wires[:2]:
        begin(wire)
    for wire in wires[:2]:
        begun(wire)
    begin(wires[5])
    assert not has_answer(wires[5], 0.2) and house.servers() == 2
    for wire in wires:
        wire.abort()


@pytest.mark.parametrize("pool", ["session", "transaction"])
def test_who_gets_no_server_is_told_which_limit_it_is(start, postgres, pool):
    pooler = start(Route(database="bench", pool=pool, pool_timeout=300), globals={"max_db_connections": 1})
    holder = pooler.connect("bench", "tenant0")
    holder.rows("begin")
    with pytest.raises(ServerError, match='all 1 that database "bench" may have') as error:
        pooler.connect("bench", "tenant1").rows("select 1")
    assert error.value.code == "53300"
    holder.close()


def test_a_limit_and_who_waits_for_it_show(start, postgres):
    pooler = start(console(), *[Route(database=database, pool_size=None, more={"shared_pool": "few"})
                                for database in ("postgres", "bench")], shared_pools={"few": 1})
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=psycopg.rows.dict_row) as operator, \
            pooler.connect("bench", "tenant0") as holder, pooler.connect("postgres", "tenant1") as second:
        holder.rows("begin")
        second.send(query("select 1"))
        wait_until(lambda: operator.execute("SHOW WAITERS").fetchall(), "it waits")
        row, = operator.execute("SHOW LIMITS").fetchall()
        assert row.pop("maxwait") * 1_000_000 + row.pop("maxwait_us") > 0
        assert row == {"kind": "shared_pool", "name": "few", "max_servers": 1, "servers": 1, "routes": 2,
                       "waiting_routes": 1}
        waiter, = operator.execute("SHOW WAITERS").fetchall()
        assert waiter["reason"] == 'all 1 that shared_pool "few" may have are in use'
        holder.rows("commit")
        assert second.result() == [["1"]]


def run(pooler, users, seconds, clients, work="select pg_sleep(0.005)", log=None):
    """A pgbench for each (database, user), all at a time."""
    running = []
    script = os.path.join(pooler.directory, "work.sql")
    with open(script, "w") as file:
        file.write(work + ";\n")
    for database, user in users:
        running.append(subprocess.Popen(
            [binary("pgbench"), "-n", "-f", script, "-c", str(clients), "-T", str(int(seconds)),
             *(["-l", f"--log-prefix={log}-{database}-{user}"] if log else [])],
            env=environment(pooler.address, user=user, database=database), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True))
    return running


def finished(running):
    for process in running:
        output, _ = process.communicate(timeout=SECONDS + 120)
        assert process.returncode == 0 and "aborted" not in output, output


@pytest.mark.parametrize("workers", [1, 4])
def test_ten_routes_never_have_more_than_they_may_nor_less_than_they_could(start, postgres, workers):
    host, port = postgres.address
    limits = {"all": 8, "bench": 6, "user": 3}
    pooler = start(*[Route(database=database, user=user) for database in ("postgres", "bench") for user in USERS],
                   workers=workers, storage={"host": host, "port": port, "max_connections": limits["all"]},
                   globals={"max_user_connections": limits["user"]},
                   databases={"bench": {"max_db_connections": limits["bench"]}})
    routes = [(database, user) for database in ("postgres", "bench") for user in USERS]
    samples, busy, over = [], [], threading.Event()

    def sample():
        with postgres.connect() as admin:
            while not over.wait(0.02):
                samples.append([(database, user) for database, user in admin.rows(
                    "select datname, usename from pg_stat_activity where backend_type = 'client backend' "
                    "and pid <> pg_backend_pid()")])
                if all(process.poll() is None for process in running):
                    busy.append(len(samples[-1]))

    running = run(pooler, routes, SECONDS, CLIENTS)
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        finished(running)
    finally:
        over.set()
        sampler.join()
    assert len(samples) > 20
    assert max(len(sessions) for sessions in samples) <= limits["all"]
    assert max(sum(database == "bench" for database, _ in sessions) for sessions in samples) <= limits["bench"]
    for tenant in USERS:
        assert max(sum(user == tenant for _, user in sessions) for sessions in samples) <= limits["user"]
    # Work waits all the time, so all places are taken, but for moments in which one connection makes room for another.
    assert statistics.median(busy[len(busy) // 5:]) >= limits["all"] - 1
    seen = {tuple(session) for sessions in samples for session in sessions}
    assert seen >= set(routes), "every route had its turn"


if SECONDS >= 10:
    def test_a_route_that_floods_costs_the_others_no_more_than_their_share(start, postgres):
        host, port = postgres.address
        quiet = [("postgres", user) for user in USERS[:3]]

        def percentile(pooler, name, more=()):
            log = os.path.join(pooler.directory, name)
            flood = run(pooler, [("postgres", user) for user in more], SECONDS + 2, 60, "select pg_sleep(0.01)")
            finished(run(pooler, quiet, SECONDS, 4, "select pg_sleep(0.01)", log=log))
            finished(flood)
            times = []
            for file in os.listdir(pooler.directory):
                if file.startswith(name):
                    with open(os.path.join(pooler.directory, file)) as lines:
                        times += [int(line.split()[2]) for line in lines]
            return statistics.quantiles(times, n=100)[98] / 1000

        routes = [Route(database="postgres", user=user) for user in USERS[:4]]
        alone = start(*[Route(database="postgres", user=user, pool_size=2) for user in USERS[:3]], workers=2)
        share = percentile(alone, "alone")
        alone.stop()
        together = start(*routes, workers=2, storage={"host": host, "port": port, "max_connections": 8})
        shared = percentile(together, "together", [USERS[3]])
        print(f"\np99 with a share of its own {share:.1f} ms, beside a flood {shared:.1f} ms")
        # What a transaction takes is waited for once; 10 ms is what a connection is kept for whoever comes back.
        assert shared <= 2 * share + 10

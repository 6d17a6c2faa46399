# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A CancelRequest ends the query of the client whose key it carries, and nobody else's."""

import os
import random
import threading
import time

import pytest

from lib.config import Route
from lib.fakeserver import READY, FakeServer, answer
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, cstring, dial, message, query, send_cancel

SECONDS = float(os.environ.get("CAROM_CANCEL_SECONDS", "8"))


def sleepers(postgres):
    return int(postgres.value("select count(*) from pg_stat_activity where state = 'active' "
                              "and query like 'select pg_sleep%' and pid <> pg_backend_pid()"))


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_only_the_right_query_ends(postgres, start, pool):
    pooler = start(Route(pool=pool, pool_size=4), workers=2)
    wires = [pooler.connect() for _ in range(3)]
    for wire in wires:
        wire.send(query("select pg_sleep(2.5)"))
    wait_until(lambda: sleepers(postgres) == 3, "three queries run")
    assert send_cancel(pooler.address, wires[1].key) == b""
    with pytest.raises(ServerError) as refused:
        wires[1].result()
    assert refused.value.code == "57014"
    assert wires[1].value("select 'alive'") == "alive"
    assert wires[0].result() == wires[2].result() == [[""]]
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("asked", [
    query("select 'waited'"),
    message(b"P", cstring("") + cstring("select 'waited'") + b"\0\0") + message(b"D", b"S\0") + message(b"S"),
    query("select 'waited'") + query("select 'behind'"),
], ids=["query", "batch", "two"])
def test_a_cancel_ends_the_wait_for_a_server(postgres, start, asked):
    pooler = start(Route(pool_size=1))
    holder, waiter = pooler.connect(), pooler.connect()
    holder.send(query("select pg_sleep(1.5)"))
    wait_until(lambda: sleepers(postgres) == 1, "the holder's query runs")
    waiter.send(asked)
    time.sleep(0.2)
    send_cancel(pooler.address, waiter.key)
    with pytest.raises(ServerError) as refused:
        waiter.result()
    assert refused.value.code == "57014"
    assert sleepers(postgres) == 1, "nobody else's query was cancelled"
    if asked.count(b"behind"):
        assert waiter.result() == [["behind"]]
    assert waiter.value("select 'goes on'") == "goes on"
    assert holder.result() == [[""]]
    holder.close()
    waiter.close()


@pytest.mark.own
def test_a_cancel_does_not_hit_what_the_pooler_asks_itself(start):
    asked, goes_on = threading.Event(), threading.Event()

    def reply(sql):
        if "two" not in sql:
            return answer(b"fine")
        asked.set()
        goes_on.wait(10)
        name = message(b"S", cstring("application_name") + cstring("two"))
        return message(b"C", cstring("SET")) + name + READY

    with FakeServer(reply) as server:
        pooler = start(Route(pool_size=1), storage=server.address)
        first, second = (pooler.connect(application_name=name) for name in ["one", "two"])
        assert first.value("select 1") == "fine"
        second.send(query("select 2"))
        assert asked.wait(10)
        assert send_cancel(pooler.address, second.key) == b""
        # A cancel of a query that runs does get through: the server would have seen this one.
        assert server.cancels == 0
        goes_on.set()
        assert second.result() == [["fine"]]
        first.close()
        second.close()


def test_stale_and_invented_keys_do_nothing(postgres, start):
    pooler = start(Route(pool_size=2))
    gone = pooler.connect()
    gone.value("select 1")
    stale = gone.key
    gone.close()
    with pooler.connect() as wire:
        wire.send(query("select pg_sleep(1.5)"))
        wait_until(lambda: sleepers(postgres) == 1, "the query runs")
        number, secret = wire.key
        invented = [(random.getrandbits(31), random.getrandbits(32)) for _ in range(50)]
        backend = postgres.value("select pid from pg_stat_activity where query like 'select pg_sleep%' "
                                 "and state = 'active' and pid <> pg_backend_pid()")
        for key in [stale, (number, secret ^ 1), (number ^ 1, secret), (0, 0), (int(backend), 0), *invented]:
            assert send_cancel(pooler.address, key) == b""
        assert wire.result() == [[""]]


@pytest.mark.parametrize("body", [b"", b"\0" * 3, b"\0" * 7, b"\0" * 9, b"\0" * 300])
def test_a_cancel_request_of_a_wrong_size_is_just_closed(transaction, body):
    with dial(transaction.address) as stream:
        stream.sendall(message(b"", b"\x04\xd2\x16\x2e" + body))
        stream.settimeout(20)
        assert b"Z" != stream.recv(100)[:1]
    with transaction.connect() as wire:
        assert wire.value("select 1") == "1"


class Race:
    """Victims whose queries are cancelled at random moments share two servers with bystanders who must see nothing."""

    def __init__(self, pooler, seed):
        self.pooler, self.seed = pooler, seed
        self.until = time.monotonic() + SECONDS
        self.troubles, self.cancelled, self.completed, self.undisturbed = [], 0, 0, 0

    def victim(self, number):
        dice = random.Random(f"{self.seed}/{number}")
        wire = self.pooler.connect()
        while time.monotonic() < self.until:
            pause = dice.random() * 0.01
            canceller = threading.Thread(target=self._cancel_after, args=(wire.key, dice.random() * 0.012))
            canceller.start()
            try:
                wire.rows(f"select pg_sleep({pause:.4f})")
                self.completed += 1
            except ServerError as error:
                if error.code != "57014":
                    self.troubles.append(f"victim {number}: {error}")
                self.cancelled += 1
            # Only this client's next query may be hit by a late cancel; wait so that the count stays honest.
            canceller.join()
            try:
                wire.rows("select 1")
            except ServerError as error:
                if error.code != "57014":
                    self.troubles.append(f"victim {number} afterwards: {error}")
        wire.close()

    def _cancel_after(self, key, delay):
        time.sleep(delay)
        send_cancel(self.pooler.address, key)

    def bystander(self, number):
        wire = self.pooler.connect()
        while time.monotonic() < self.until:
            try:
                wire.rows(f"select pg_sleep(0.002), {number}")
                self.undisturbed += 1
            except ServerError as error:
                self.troubles.append(f"bystander {number}: {error}")
        wire.close()

    def run(self):
        threads = [threading.Thread(target=self._guard, args=(role, n))
                   for n in range(6) for role in (self.victim, self.bystander)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guard(self, role, number):
        try:
            role(number)
        except Exception as trouble:
            self.troubles.append(f"{role.__name__} {number}: {trouble!r}")


@pytest.mark.parametrize("pool, servers", [("transaction", 2), ("session", 12)])
def test_no_bystander_is_hit_in_a_race(start, pool, servers):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    race = Race(start(Route(pool=pool, pool_size=servers), workers=2), seed)
    race.run()
    assert race.troubles == []
    assert race.cancelled > 10 and race.completed > 10 and race.undisturbed > 100

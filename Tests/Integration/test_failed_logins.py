# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Who guesses passwords is slowed down, and after a while not heard: auth_delay, auth_failure_limit."""

import time

import pytest

from lib import proc
from lib.config import Route
from lib.places import free_address
from lib.scrape import get, samples
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, cstring, dial, message, startup

pytestmark = pytest.mark.own

ROUTES = [Route(database="shop", user="ann", authentication="scram-sha-256", password="right", storage_user="bench",
                storage_db="postgres"),
          Route(database="open", user="ann", storage_user="bench", storage_db="postgres")]


def attempt(pooler, password="right", user="ann", database="shop", source="127.0.0.1"):
    """`in`, or the SQLSTATE of the refusal, and how long it took."""
    began = time.monotonic()
    try:
        Wire.open(pooler.address, user=user, database=database, password=password, source=source).close()
        code = "in"
    except ServerError as refusal:
        code = refusal.code
    return code, time.monotonic() - began


def codes(pooler, count, *arguments, **options):
    return [attempt(pooler, *arguments, **options)[0] for _ in range(count)]


@pytest.fixture
def begin(start):
    """`begin(auth_delay=…)`: a pooler with its statistics."""
    def begin(**options):
        host, port = free_address()
        pooler = start(*ROUTES, workers=2, globals={"stats_listen": f"{host}:{port}", **options})
        pooler.stats = f"{host}:{port}"
        return pooler
    return begin


def counts(pooler):
    found = samples(get(pooler, "/metrics"))
    return (found["carom_failed_logins_total"], found['carom_refused_clients_total{reason="failed_logins"}'])


def test_a_failed_login_is_told_later_and_nothing_else_is(begin):
    pooler = begin(auth_delay=700)
    for user, database in (("ann", "shop"), ("eve", "shop"), ("ann", "nowhere")):
        code, took = attempt(pooler, "wrong", user, database)
        assert code == "28P01" and 0.7 <= took < 2.5, (user, database, took)
    for options in ({}, {"database": "open"}):
        code, took = attempt(pooler, **options)
        assert code == "in" and took < 0.6
    # Others of the same worker do not wait meanwhile, and one that leaves is forgotten.
    waiting = [Wire(dial(pooler.address)) for _ in range(20)]
    for wire in waiting:
        wire.send(startup({"user": "ann", "database": "shop"}))
        wire.receive()
        wire.abort()
    assert attempt(pooler)[1] < 0.6
    # A reload takes it away.
    del pooler.config.globals["auth_delay"]
    pooler.reload()
    assert attempt(pooler, "wrong")[1] < 0.6


def test_whoever_leaves_or_stays_during_the_delay_holds_nothing_up(begin):
    pooler = begin(auth_delay=60000, client_login_timeout=1000)
    wire = Wire(dial(pooler.address))
    wire.send(startup({"user": "ann", "database": "shop"}))
    with pytest.raises(TimeoutError):
        wire.stream.settimeout(2)
        wire.authenticate("ann", "wrong")
    assert attempt(pooler)[0] == "in"
    began = time.monotonic()
    assert pooler.stop() == 0 and time.monotonic() - began < 10
    wire.abort()


def test_an_address_is_not_heard_after_too_many_failures(begin):
    pooler = begin(auth_failure_limit=5, auth_failure_period=10)
    assert codes(pooler, 5, "wrong") == ["28P01"] * 5
    assert codes(pooler, 3, "right") == ["28000"] * 3
    # Whoever they say they are, wherever they want to go; others are not concerned.
    assert attempt(pooler, None, "eve", "nowhere")[0] == "28000" and attempt(pooler, None, database="open")[0] == "28000"
    assert attempt(pooler, source="127.0.0.2")[0] == "in"
    assert counts(pooler) == (5, 5)
    log = pooler.log()
    assert log.count("too many failed logins from 127.0.0.1: clients from there are refused") == 1
    assert "28000 too many failed logins from this address" in log
    # One in two seconds, from then on.
    wait_until(lambda: attempt(pooler)[0] == "in", "it is heard again", timeout=15)
    assert attempt(pooler, "wrong")[0] in ("28P01", "28000")


def test_those_who_have_begun_are_not_heard_either(begin):
    """Many connections at once buy no more tries than one after the other."""
    pooler = begin(auth_failure_limit=5, auth_failure_period=600)
    wires = [Wire(dial(pooler.address)) for _ in range(40)]
    for wire in wires:
        wire.send(startup({"user": "ann", "database": "shop"}))
    found = []
    for wire in wires:
        with pytest.raises(ServerError) as refused:
            wire.authenticate("ann", "wrong")
        found.append(refused.value.code)
    assert sorted(set(found)) == ["28000", "28P01"] and found.count("28P01") == 5


def test_those_whose_password_is_being_checked_are_not_heard_either(start, postgres):
    """A check against a verifier takes long, so many answers wait for theirs."""
    verifier = postgres.value("select rolpassword from pg_authid where rolname = 'scram_user'")
    pooler = start(Route(user="ann", authentication="clear_text", password=verifier, storage_user="bench"),
                   globals={"auth_failure_limit": 5, "auth_failure_period": 600})
    wires = [Wire(dial(pooler.address)) for _ in range(40)]
    for wire in wires:
        wire.send(startup({"user": "ann", "database": "postgres"}))
    for number, wire in enumerate(wires):
        assert wire.receive()[0] == b"R"
        wire.send(message(b"p", cstring(f"guess {number}")))
    found = []
    for wire in wires:
        with pytest.raises(ServerError) as refused:
            wire.authenticate("ann", None)
        found.append(refused.value.code)
    assert found.count("28P01") == 5 and found.count("28000") == 35


def test_what_is_not_a_failed_login_does_not_count(begin):
    pooler = begin(auth_failure_limit=2, auth_failure_period=600)
    for _ in range(5):
        assert attempt(pooler)[0] == attempt(pooler, database="open")[0] == "in"
        # Has begun, and leaves.
        wire = Wire(dial(pooler.address))
        wire.send(startup({"user": "ann", "database": "shop"}))
        wire.receive()
        wire.abort()
    assert counts(pooler) == (0, 0)


def test_the_limit_can_be_changed_while_it_holds(begin):
    pooler = begin(auth_failure_limit=2, auth_failure_period=600)
    assert codes(pooler, 3, "wrong") == ["28P01", "28P01", "28000"]
    pooler.config.globals["auth_failure_limit"] = 0
    pooler.reload()
    assert codes(pooler, 3, "wrong") == ["28P01"] * 3 and attempt(pooler)[0] == "in"


def test_many_addresses_take_no_more_room_than_there_is(begin):
    pooler = begin(auth_failure_limit=1, auth_failure_period=600)
    sources = [f"127.{1 + number // 250}.7.{1 + number % 250}" for number in range(1000)]
    assert [attempt(pooler, "wrong", source=source)[0] for source in sources[:100]] == ["28P01"] * 100
    before = proc.resident_bytes(pooler.pid)
    for source in sources[100:]:
        attempt(pooler, "wrong", source=source)
    assert proc.resident_bytes(pooler.pid) - before < 1_000_000
    assert [attempt(pooler, source=source)[0] for source in (sources[0], sources[-1])] == ["28000"] * 2

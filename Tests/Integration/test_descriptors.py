# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Running short of descriptors: servers get theirs, clients are told, nobody is taken down."""

import os
import re
import resource
import time
import urllib.request

import pytest

from lib.config import Config, Route
from lib.places import free_address
from lib.pooler import Pooler
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, dial, error_fields, startup

pytestmark = pytest.mark.own


@pytest.fixture
def narrow(place, postgres):
    """`narrow(64, ...)`: a pooler that may have so many descriptors open."""
    poolers = []

    def make(limit, *routes, hard=None, **options):
        config = Config(postgres.address, routes=list(routes) or [Route()], **options)
        poolers.append(Pooler(place, config, prefix=("prlimit", f"--nofile={limit}:{hard or limit}")))
        return poolers[-1]
    yield make
    for pooler in poolers:
        assert pooler.stop() == 0, pooler.log()[-2000:]


def test_the_soft_limit_is_raised_to_the_hard_one(narrow):
    pooler = narrow(100, hard=333)
    limits = open(f"/proc/{pooler.pid}/limits").read()
    assert re.search(r"Max open files\s+333\s+333", limits)


def test_connections_that_say_nothing_take_no_server_its_descriptor(narrow):
    pooler = narrow(64, Route(pool_timeout=20_000))
    first, second = pooler.connect(), pooler.connect()
    first.rows("begin")
    idle = [dial(pooler.address) for _ in range(120)]
    time.sleep(1.5)  # TCP_DEFER_ACCEPT lets the silent ones in after a second.
    began = time.monotonic()
    assert second.value("select 1") == "1"
    with pooler.connect() as third:
        assert third.value("select 1") == "1"
        wires = [first, second, third]
        for wire in wires[1:]:
            wire.rows("begin")
        assert [wire.value("select 2") for wire in wires] == ["2"] * 3
    assert time.monotonic() - began < 5
    for stream in idle:
        stream.close()


def test_who_says_nothing_has_to_go_first_and_is_told(narrow):
    address = "%s:%d" % free_address()
    pooler = narrow(1000, globals={"client_max_routing": 5, "stats_listen": address})
    silent = [dial(pooler.address) for _ in range(6)]
    for stream in silent:
        stream.sendall(b"\0\0")
    with pooler.connect() as wire:
        assert wire.value("select 1") == "1"
        told = silent[0].recv(1000)
        assert told[:1] == b"E" and error_fields(told[5:])["C"] == "53300"
        assert "client_max_routing" in error_fields(told[5:])["H"]
        # The others are still here, and may log in.
        silent[1].sendall(startup({"user": "postgres", "database": "postgres"})[2:])
        late = Wire(silent[1])
        late.authenticate("postgres", None)
        assert late.value("select 1") == "1"
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        assert 'carom_refused_clients_total{reason="logins"} 1\n' in text
        assert 'carom_clients{state="login"} 4\n' in text
    for stream in silent:
        stream.close()


def test_clients_that_have_logged_in_are_never_sent_away_for_others(narrow):
    pooler = narrow(1000, globals={"client_max_routing": 2})
    wires = [pooler.connect() for _ in range(20)]
    assert [wire.value("select 1") for wire in wires] == ["1"] * 20
    for wire in wires:
        wire.close()


def test_clients_are_refused_before_descriptors_run_out(narrow):
    pooler = narrow(64)
    wires, errors = [], []
    for _ in range(100):
        try:
            wires.append(pooler.connect())
        except ServerError as error:
            errors.append(error)
    assert len(wires) > 15 and len(errors) == 100 - len(wires)
    assert {error.code for error in errors} == {"53300"}
    assert "ulimit" in errors[0].fields["D"]
    assert len(os.listdir(f"/proc/{pooler.pid}/fd")) < 60
    # All of those that are here can have a server, and cancels go through.
    for wire in wires[:8]:
        wire.rows("begin")
    for wire in wires:
        wire.close()
    wait_until(lambda: accepts(pooler), "there is room again")


def accepts(pooler):
    try:
        with pooler.connect() as wire:
            return wire.value("select 1") == "1"
    except (ServerError, ConnectionLost, OSError):
        return False


def test_our_own_want_of_descriptors_is_no_fault_of_the_server(narrow):
    """The limit is taken down under the running pooler, so that not even servers get one."""
    pooler = narrow(64, Route(pool_timeout=1500))
    holder, wire = pooler.connect(), pooler.connect()
    # Those that are there already are all lent.
    holder.rows("begin")
    used = set(map(int, os.listdir(f"/proc/{pooler.pid}/fd")))
    lowest = next(number for number in range(64) if number not in used)
    resource.prlimit(pooler.pid, resource.RLIMIT_NOFILE, (lowest, 64))
    with pytest.raises(ServerError):
        wire.rows("select 1")
    assert "Too many open files (this process's own limit, ulimit -n)" in pooler.log()
    resource.prlimit(pooler.pid, resource.RLIMIT_NOFILE, (64, 64))
    # Nothing was held against the server: it is tried at once.
    began = time.monotonic()
    with pooler.connect() as other:
        assert other.value("select 1") == "1"
    assert time.monotonic() - began < 3
    holder.close()
    assert "backend is dead" not in pooler.log()

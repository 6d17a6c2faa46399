# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Where a storage's servers come from: addresses, names, a file that changes."""

import os

import pytest

from lib.config import Route
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError

pytestmark = pytest.mark.own


def served(pooler):
    try:
        with pooler.connect() as wire:
            return wire.value("select 'served'") == "served"
    except (ServerError, ConnectionLost):
        return False


@pytest.fixture
def addressed(postgres):
    """The server's address as names and lists write it: it listens on an address that no name has."""
    host, port = postgres.address
    return f"{host}:{port}"


def test_a_list_of_addresses_uses_those_that_answer(start, addressed):
    dead = free_address()
    pooler = start(Route(pool_size=2, pool_timeout=10_000), storage={"host": f"{dead[0]}:{dead[1]},{addressed}"})
    for _ in range(10):
        wait_until(lambda: served(pooler), "a client is served")


def test_a_name_that_nobody_knows_is_told_to_the_client(start):
    pooler = start(Route(pool_timeout=1000), storage={"host": "no-such-host.invalid", "nameserver": "127.0.0.1:9"})
    with pytest.raises(ServerError) as refused:
        pooler.connect().close()
    assert refused.value.code in ("08006", "53300")


def test_srv_records_that_nobody_has_are_told_to_the_client(start):
    pooler = start(Route(pool_timeout=1000), storage={"srv": "_postgresql._tcp.invalid", "nameserver": "127.0.0.1:9"})
    with pytest.raises(ServerError) as refused:
        pooler.connect().close()
    assert refused.value.code in ("08006", "53300")


def test_a_file_of_hosts_is_followed(start, addressed, tmp_path):
    file = tmp_path / "hosts"
    dead = free_address()
    file.write_text(f"# none that works\n{dead[0]}:{dead[1]}\n")
    pooler = start(Route(pool_timeout=2000), storage={"hosts_file": str(file)})
    assert not served(pooler)
    replacement = tmp_path / "new"
    replacement.write_text(f"first {addressed} weight=2\n")
    os.rename(replacement, file)
    wait_until(lambda: served(pooler), "a client is served by the new host")


def test_a_bad_line_in_a_file_of_hosts_changes_nothing_and_is_logged(start, addressed, tmp_path):
    file = tmp_path / "hosts"
    file.write_text(f"{addressed}\n")
    pooler = start(Route(), storage={"hosts_file": str(file)})
    assert served(pooler)
    file.write_text(f"{addressed}\nnot an address at all\n")
    wait_until(lambda: "line 2" in pooler.log(), "the bad line is logged")
    assert served(pooler)


@pytest.mark.parametrize("hosts", ["localhost:1,127.0.0.1:2", "localhost"])
def test_a_name_of_the_hosts_file_is_an_address(start, hosts):
    """Nothing listens there; what matters is that the name became an address that was tried."""
    pooler = start(Route(pool_timeout=2000), storage={"host": hosts, "port": 1})
    assert not served(pooler)
    wait_until(lambda: "127.0.0.1:1" in pooler.log(), "the address was tried")

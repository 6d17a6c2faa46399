# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients over a Unix socket."""

import os
import signal
import stat
import subprocess

import pytest

from lib.config import Config, Route
from lib.load import environment
from lib.pooler import Pooler
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, query, send_cancel


@pytest.fixture
def local(place, start):
    return start(Route(pool_size=2), unix_socket_dir=place.directory("sockets"))


def test_a_client_over_the_socket_is_served(local):
    with Wire.open(local.socket_path) as wire:
        assert wire.value("select 'local'") == "local"
        assert len(wire.value("select repeat('x', 1000000)")) == 1_000_000


def test_both_kinds_of_client_share_the_pool(postgres, local):
    with Wire.open(local.socket_path, user="bench", database="bench") as one:
        backend = one.value("select pg_backend_pid()")
    with local.connect(user="bench", database="bench") as two:
        two.value("select 1")
    assert int(backend) in postgres.backends("bench")
    assert len(postgres.backends("bench")) <= 2


def test_psql_finds_the_socket(local):
    given = {**environment(local.address, user="postgres", database="postgres"),
             "PGHOST": os.path.dirname(local.socket_path)}
    done = subprocess.run(["psql", "-XAtc", "select 'found'"], env=given, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr


def test_a_query_over_the_socket_can_be_cancelled(postgres, local):
    with Wire.open(local.socket_path) as wire:
        wire.send(query("select pg_sleep(60) -- local"))
        wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query like '%-- local' "
                                          "and state = 'active' and pid <> pg_backend_pid()") == "1", "it runs")
        send_cancel(local.socket_path, wire.key)
        with pytest.raises(ServerError) as ended:
            wire.result()
        assert ended.value.code == "57014"


@pytest.mark.own
def test_the_socket_has_its_mode_and_goes_with_the_pooler(local):
    assert stat.S_IMODE(os.stat(local.socket_path).st_mode) == 0o777
    assert local.stop() == 0
    assert not os.path.exists(local.socket_path)


@pytest.mark.own
def test_a_socket_left_by_a_crash_is_no_obstacle(place, postgres):
    crashed = Pooler(place, Config(postgres.address, unix_socket_dir=place.directory("crash")))
    os.kill(crashed.pid, signal.SIGKILL)
    crashed.child.process.wait()
    assert os.path.exists(crashed.socket_path)
    again = Pooler(place, crashed.config, address=crashed.address)
    with Wire.open(again.socket_path) as wire:
        assert wire.value("select 1") == "1"
    assert again.stop() == 0

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Under a service manager: what it is told, what it hands over, and what an orchestrator asks."""

import os
import shlex
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

from lib.config import Config
from lib.places import free_address
from lib.pooler import Pooler
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, startup

pytestmark = pytest.mark.own


class Manager:
    """The end of systemd to which a service speaks."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)
        self.messages = []

    def hear(self, key):
        """The next message with this key; others in front of it are skipped."""
        while True:
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            if key in message:
                return message


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def run(place, config, environment, sockets=(), **options):
    """A pooler with this in its environment, where `$$` is its process id, and these sockets from descriptor 3 on."""
    exports = " ".join(f"export {name}={value};" for name, value in environment.items())
    places = " ".join(f"{number}<&{sock.fileno()}" for number, sock in enumerate(sockets, 3))
    return Pooler(place, config, prefix=["bash", "-c", f'{exports} exec "$0" "$@" {places}'],
                  pass_fds=[sock.fileno() for sock in sockets], **options)


def test_it_is_told_of_the_start_each_reload_and_the_stop(place, postgres, manager):
    pooler = run(place, Config(postgres.address), {"NOTIFY_SOCKET": shlex.quote(manager.path)})
    assert manager.hear("READY")["READY"] == "1"
    for text in (None, "this is no configuration"):
        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        pooler.reload(text)
        assert before < int(manager.hear("RELOADING")["MONOTONIC_USEC"]) < time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        assert manager.hear("READY")
    wire = pooler.connect()
    wire.rows("begin")
    pooler.child.signal(signal.SIGTERM)
    assert manager.hear("STOPPING")
    wire.rows("commit")
    assert pooler.child.process.wait(10) == 0
    wire.close()


def test_the_watchdog_hears_that_it_is_alive_while_its_loops_turn(place, postgres, manager):
    pooler = run(place, Config(postgres.address, workers=2), {
        "NOTIFY_SOCKET": shlex.quote(manager.path), "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "$$"})
    for _ in range(3):
        assert manager.hear("WATCHDOG")["WATCHDOG"] == "1"
    pooler.child.signal(signal.SIGSTOP)
    manager.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        for _ in range(5):
            manager.hear("WATCHDOG")
    pooler.child.signal(signal.SIGCONT)
    manager.socket.settimeout(20)
    assert manager.hear("WATCHDOG")
    assert pooler.stop() == 0


def test_callers_wait_in_the_sockets_of_a_socket_unit_while_it_is_started_anew(place, postgres, manager):
    address, other = free_address(), free_address()
    with socket.create_server(address) as listening, socket.create_server(other) as unknown:
        for number in range(2):
            # It calls before there is anybody.
            early = Wire(socket.create_connection(address, 20))
            early.send(startup({"user": "postgres", "database": "postgres"}))
            pooler = run(place, Config(postgres.address), {
                "NOTIFY_SOCKET": shlex.quote(manager.path), "LISTEN_PID": "$$", "LISTEN_FDS": "2"
            }, [listening, unknown], name=f"activated{number}", address=address)
            assert manager.hear("READY")
            early.authenticate("postgres", None)
            assert early.value("select 1") == "1"
            assert f"{other[1]} was handed over, but no listen block has this address" in pooler.log()
            assert pooler.stop() == 0
            early.close()


def status(pooler, path):
    try:
        with urllib.request.urlopen(f"http://{pooler.stats}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return None, ""


def test_it_is_ready_while_there_is_a_server_and_alive_without(place, postgres, manager):
    stats, nowhere = free_address(), free_address()
    pooler = Pooler(place, Config(postgres.address, globals={"stats_listen": f"{stats[0]}:{stats[1]}"}))
    pooler.stats = f"{stats[0]}:{stats[1]}"
    wait_until(lambda: status(pooler, "/readyz") == (200, "ready\n"), "it is ready")
    assert status(pooler, "/healthz") == (200, "alive\n")
    with pooler.connect() as wire:
        wire.value("select 1")
        pooler.config.storage = nowhere
        pooler.reload()
        with pytest.raises((ServerError, ConnectionLost)):
            with pooler.connect() as lost:
                lost.value("select 1")
        wait_until(lambda: status(pooler, "/readyz")[0] == 503, "no server is there")
        assert status(pooler, "/readyz")[1] == "postgres.postgres: every server is dead\n"
        assert status(pooler, "/healthz")[0] == 200
    pooler.config.storage = postgres.address
    pooler.reload()
    with pooler.connect() as wire:
        assert wire.value("select 1") == "1"
        wait_until(lambda: status(pooler, "/readyz")[0] == 200, "it is ready again")
        wire.rows("begin")
        pooler.child.signal(signal.SIGUSR2)
        wait_until(lambda: status(pooler, "/readyz") == (503, "the pooler is stopping\n"), "it stops")
        wire.rows("commit")
    assert pooler.child.process.wait(10) == 0

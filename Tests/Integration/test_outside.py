# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A package of somebody else's (Tests/Outside), which has nothing but the products and their documentation."""

import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from lib.places import free_address
from lib.process import Child, unprivileged
from lib.waiting import wait_until

# Unlike the other tests, this one builds: from nothing that takes a minute or two.
pytestmark = [pytest.mark.own, pytest.mark.timeout(1200)]

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "Tests" / "Outside"


@pytest.fixture(scope="module")
def programs():
    """Where they are built: a tree of its own, as everybody's package has."""
    command = ["swift", "build", "--package-path", PACKAGE, "--scratch-path", ROOT / ".build" / "outside",
               "--disable-index-store"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=1100)
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    # What the public documentation promises must come without a warning, too.
    assert "warning:" not in built.stdout + built.stderr
    return ROOT / ".build" / "outside" / "debug"


@pytest.fixture(scope="module")
def redis(place):
    """A Redis that keeps nothing. Debian's redis-tools has the server under another name, which decides what it does."""
    folder = place.directory("redis")
    program = shutil.which("redis-server")
    if program is None:
        program = os.path.join(folder, "redis-server")
        os.symlink("/usr/bin/redis-check-rdb", program)
    address = free_address()
    child = Child([program, "--bind", address[0], "--port", address[1], "--save", "", "--appendonly", "no"],
                  os.path.join(place.path, "redis.log"), user=unprivileged(), cwd=folder)

    def answers():
        try:
            with socket.create_connection(address, timeout=1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    wait_until(answers, "Redis answers")
    yield f"{address[0]}:{address[1]}"
    child.stop()


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def lines(path):
    """Those that somebody has to write: neither blank nor a comment."""
    text = (PACKAGE / "Sources" / path).read_text()
    return sum(bool(line.strip()) and not line.strip().startswith("//") for line in text.splitlines())


def test_the_first_row_takes_eight_lines(programs, postgres):
    host, port = postgres.address
    assert run(programs / "FirstRow", f"postgres://scram_user:scram-S3cret@{host}:{port}/bench") == ["1 row 1", "2 row 2"]
    assert lines("FirstRow/main.swift") <= 8


def test_a_connector_for_redis_takes_forty_lines(programs, redis):
    answers, refused, nothing, connections = run(programs / "Redis", redis)
    assert answers == "1000 answers are right"
    assert refused == "refused: ERR value is not an integer or out of range"
    assert nothing == "nothing: nil"
    # What the server refuses is read as any answer: no connection was lost to it.
    assert connections == "connections: 3"
    assert lines("Redis/RedisConnector.swift") <= 40

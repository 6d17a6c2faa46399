# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A package of somebody else's (Tests/Outside), which has nothing but the products and their documentation."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from lib.places import free_address
from lib.process import Child, unprivileged
from lib.waiting import wait_until

LEAST = {"swift-collections", "swift-log"}

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
    # What the public documentation promises must come without a warning, too. Another package's manifest is not ours.
    output = (built.stdout + built.stderr).splitlines()
    assert not [line for line in output if "warning:" in line and "'swift-distributed-tracing'" not in line]
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


def test_a_tracer_sees_claims_that_wait_and_statements(programs, postgres):
    host, port = postgres.address
    server = f"server.address={host}|server.port={port}"
    statement = "db.system.name=postgresql|db.query.text="
    claim = f"carom.claim|carom.pool=bench|carom.backend={host}:{port}"
    text = "select $1 / n from generate_series(1, 2) n where 'secret' <> $2"
    assert run(programs / "Traced", f"postgres://scram_user:scram-S3cret@{host}:{port}/bench") == [
        claim, f"SELECT|{statement}{text}|{server}",
        f"SELECT|error.type=server|{statement}select $1 / 0|db.response.status_code=22012|{server}",
        f"SELECT|{statement}select 1|{server}", f"COPY|{statement}copy (select 1) to stdout|{server}",
        "carom.claim|carom.pool=bench|error.type=exhausted"]


def probes(program):
    """The static probes of a program with the number of their arguments, and whether each has a semaphore."""
    notes = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True).stdout
    found = re.findall(
        r"Provider: carom\n\s+Name: (\w+)\n\s+Location: \w+, Base: \w+, Semaphore: (\w+)\n\s+Arguments: (.*)", notes)
    return {name: len(re.findall(r"@", arguments)) for name, semaphore, arguments in found if int(semaphore, 16)}


def test_a_program_has_the_probes_that_the_documentation_lists(programs):
    text = (ROOT / "docs" / "observability.adoc").read_text().split("[[probes]]")[1].split("\n== ")[0]
    listed = {}
    for names, arguments in re.findall(r"^\|(`\w+`(?:, `\w+`)*) \|([^|]+) \|", text, re.M):
        for name in re.findall(r"`(\w+)`", names):
            listed[name] = len(arguments.split(";")[0].split(","))
    # Its attempt is an argument of one of the two.
    listed["connect"] += 1
    assert probes(programs / "FirstRow") == listed
    assert len(listed) == 16


@pytest.mark.parametrize(
    ("traits", "more"),
    [("", set()), ('"Metrics"', {"swift-metrics"}),
     ('"Statistics"', {"FlyingFox", "hdrhistogram-swift", "swift-numerics"})])
def test_a_package_fetches_what_its_traits_bring(tmp_path, traits, more):
    (tmp_path / "Sources" / "App").mkdir(parents=True)
    (tmp_path / "Sources" / "App" / "main.swift").write_text("import Carom\n")
    (tmp_path / "Package.swift").write_text(f"""// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "app", dependencies: [.package(name: "carom", path: "{ROOT}", traits: [{traits}])],
    targets: [.executableTarget(name: "App", dependencies: [.product(name: "Carom", package: "carom")])])
""")
    shown = subprocess.run(
        ["swift", "package", "--package-path", tmp_path, "show-dependencies", "--format", "json"],
        capture_output=True, text=True, timeout=300)
    assert shown.returncode == 0, shown.stderr
    fetched = {path.name for path in (tmp_path / ".build" / "checkouts").iterdir()}
    assert fetched == LEAST | more
    assert json.loads(shown.stdout[shown.stdout.index("{"):])["name"] == "app"

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Drivers left as they come, statement caches and all, in transaction pooling.

Two programs take turns on one server. The driver gives their statements the same names, and each has other statements.
"""

import glob
import os
import shutil
import subprocess
import sys

import pytest

from lib.config import Route
from lib.differential import told_alike
from lib.pooler import ROOT, Poolers

pytestmark = pytest.mark.own
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
#: Where Tests/run unpacks node-postgres.
NODE_MODULES = os.path.join(ROOT, ".build", "node", "usr", "share", "nodejs")
TURNS, SECONDS = 14, 60

DRIVERS = {name: [sys.executable, f"{PROGRAMS}/statements.py", name] for name in (
    "psycopg", "asyncpg", "pg8000", "sqlalchemy-psycopg", "sqlalchemy-asyncpg", "sqlalchemy-pg8000")}
DRIVERS |= {
    "php-pgsql": ["php", f"{PROGRAMS}/statements.php", "pgsql"],
    "php-pdo": ["php", f"{PROGRAMS}/statements.php", "pdo"],
    "node-postgres": ["node", f"{PROGRAMS}/statements.js"],
    "pgjdbc": ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", "CLASSES", "Statements"],
}


class Program:
    """A running program, asked for one turn at a time."""

    def __init__(self, command, address, label):
        host, port = address
        self.process = subprocess.Popen(
            [*command, host, str(port), label], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "NODE_PATH": NODE_MODULES, "TZ": "UTC"})

    def ask(self, n):
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            _, errors = self.process.communicate(timeout=SECONDS)
            raise AssertionError(f"{self.process.args} ended with {self.process.returncode}:\n{errors[-3000:]}")
        return line

    def end(self):
        """Lets it leave as it would; returns what it complained of."""
        _, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, errors
        return errors

    def kill(self):
        self.process.kill()
        self.process.wait()


def two_programs(command, server):
    def scenario(address):
        with server.connect(user="bench", database="bench") as owner:
            owner.rows("drop table if exists driver_rows; create table driver_rows (who text, n int)")
        programs, seen = [], []
        try:
            programs = [Program(command, address, label) for label in ("one", "other")]
            for n in range(1, TURNS + 1):
                # Both at once in some turns, one after the other in most.
                for program in programs:
                    program.ask(n)
                    if n % 5:
                        seen.append(program.answer())
                if not n % 5:
                    seen += [program.answer() for program in programs]
            complaints = [program.end() for program in programs]
        finally:
            for program in programs:
                program.kill()
        if address == server.address:
            assert all("one" in line for line in seen[::2]) and all("other" in line for line in seen[1::2])
        return seen, complaints
    return scenario


@pytest.fixture(scope="module")
def classes(place):
    """The Java program, compiled, and the driver, as a class path."""
    jar = next(iter(glob.glob("/usr/share/java/postgresql.jar")), None)
    assert jar, "pgjdbc is missing: install libpostgresql-jdbc-java"
    assert shutil.which("javac"), "javac is missing: install a JDK"
    target = place.directory("classes")
    subprocess.run(["javac", "-d", target, f"{PROGRAMS}/Statements.java"], check=True, timeout=120)
    return f"{target}:{jar}"


@pytest.fixture(scope="module")
def lone(place, postgres):
    poolers = Poolers(place, postgres.address)
    yield poolers(Route(pool_size=1), workers=2)
    poolers.finish()


@pytest.mark.parametrize("driver", DRIVERS)
def test_two_programs_with_the_same_names(postgres, lone, driver, request):
    command = [request.getfixturevalue("classes") if word == "CLASSES" else word for word in DRIVERS[driver]]
    assert shutil.which(command[0]), f"{command[0]} is missing: Tests/run installs it"
    told_alike(two_programs(command, postgres), postgres.address, lone.address)

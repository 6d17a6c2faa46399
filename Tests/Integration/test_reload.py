# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Another configuration while clients work (SIGHUP)."""

import contextlib
import dataclasses
import os
import subprocess
import time

import pytest

from lib.config import CONSOLE, Route
from lib.load import environment
from lib.places import free_address
from lib.postgres import binary
from lib.proc import descriptors, resident_bytes
from lib.waiting import wait_until
from lib.wire import SYNC, ConnectionLost, ServerError, Wire, bind, error_fields, execute, parse, query

pytestmark = pytest.mark.own

CLIENTS = 32


@contextlib.contextmanager
def load(pooler, directory, seconds=15, **who):
    """pgbench in transactions of two statements; at the end it must have run until then without an error."""
    script = directory / "script.sql"
    script.write_text("begin;\nselect :client_id;\nselect pg_backend_pid();\ncommit;\n")
    # A thread for each client: pgbench prepares without looking after the others of its thread, which may hold all servers.
    process = subprocess.Popen(
        [binary("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(CLIENTS), "-T", str(seconds), "-f", str(script)],
        env=environment(pooler.address, **who), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
        assert process.poll() is None, f"the load was over before the changes were:\n{process.stdout.read()}"
        output = process.communicate()[0]
        assert process.returncode == 0, output
        assert "ERROR" not in output and "FATAL" not in output and "aborted" not in output, output
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def replica(postgres):
    server = postgres.replica()
    yield server
    server.stop()


def change(pooler, number=0, **options):
    pooler.config.routes[number] = dataclasses.replace(pooler.config.routes[number], **options)


class Figures:
    """How long it takes until each change is in effect."""

    def __init__(self):
        self.delays = {}

    def wait(self, what, began, condition):
        wait_until(condition, what)
        self.delays[what] = time.monotonic() - began

    def show(self):
        print("\nin effect after: " + ", ".join(f"{what} {delay:.2f} s" for what, delay in self.delays.items()))


def test_all_that_changes_under_load_changes_without_an_error(start, postgres, replica, tmp_path):
    pooler = start(
        Route(database="bench", user="bench", pool_size=4), Route(database="postgres", user="postgres", pool_size=2),
        workers=2)
    figures, now = Figures(), time.monotonic
    with load(pooler, tmp_path), pooler.connect() as bystander:
        # A route that stays as it is keeps its servers.
        theirs = bystander.value("select pg_backend_pid()")
        wait_until(lambda: len(postgres.backends("bench")) == 4, "four servers work")
        four = set(postgres.backends("bench"))

        change(pooler, pool_size=8)
        began = now()
        said = pooler.reload()
        assert any("route bench.bench: pool_size is 8, was 4" in line for line in said), said
        figures.wait("a larger pool", began, lambda: len(postgres.backends("bench")) == 8)
        assert four <= set(postgres.backends("bench")), "other limits need no other servers"

        change(pooler, pool_size=2)
        began = now()
        pooler.reload()
        figures.wait("a smaller pool", began, lambda: len(postgres.backends("bench")) == 2)

        before = set(postgres.backends("bench"))
        change(pooler, storage_password="another")
        began = now()
        said = pooler.reload()
        assert any("route bench.bench: storage_password changed" in line for line in said), said
        assert "another" not in pooler.log()
        figures.wait("a password for servers", began, lambda: before.isdisjoint(postgres.backends("bench")))

        more = free_address()
        pooler.config.more_addresses = [more]
        began = now()
        said = pooler.reload()
        assert any(f"listener {more[0]}:{more[1]} added" in line for line in said), said
        figures.wait("a listener", began, lambda: not Wire.open(more).close())
        with Wire.open(more) as other:
            assert other.value("select 1") == "1"
            pooler.config.more_addresses = []
            pooler.reload()
            with pytest.raises(ConnectionRefusedError):
                Wire.open(more)
            assert other.value("select 2") == "2", "whoever came by it stays"

        began = now()
        said = pooler.reload("workers 1\nlisten { port 1 \nstorage x {")
        assert any("nothing has changed" in line for line in said), said
        figures.delays["a broken file is told of"] = now() - began
        assert bystander.value("select pg_backend_pid()") == theirs

        pooler.config.storage = replica.address
        began = now()
        pooler.reload()
        figures.wait("another storage", began, lambda: not postgres.backends("bench") and len(replica.backends("bench")) == 2)
        assert bystander.value("select pg_is_in_recovery()") == "t"
    figures.show()


def test_who_may_log_in_changes_under_load_without_an_error(start, tmp_path):
    figures, users = Figures(), tmp_path / "users.txt"

    def write(text):
        users.with_suffix(".new").write_text(text)
        os.rename(users.with_suffix(".new"), users)

    def comes(user, password):
        try:
            pooler.connect(user=user, password=password).close()
        except ServerError as refusal:
            assert refusal.code == "28P01"
            return False
        return True
    write('"guest" "pencil"\n')
    pooler = start(Route(authentication="scram-sha-256", more={"auth_file": str(users)}, storage_user="bench", pool_size=4), workers=2)
    with load(pooler, tmp_path, seconds=4, user="guest", password="pencil"):
        began = time.monotonic()
        write('"guest" "pen"\n"late" "comer"\n')
        figures.wait("a user in the file", began, lambda: comes("late", "comer"))
        assert comes("guest", "pen") and not comes("guest", "pencil")
        write('"guest" pen\n')
        wait_until(lambda: f"auth_file: {users}:1" in pooler.log(), "the mistake is told")
        assert comes("late", "comer"), "a broken file changes nothing"
        change(pooler, authentication="clear_text", password="ink", more={})
        began = time.monotonic()
        pooler.reload()
        figures.wait("a password of the route", began, lambda: comes("anybody", "ink"))
    figures.show()


def test_a_file_with_mistakes_changes_nothing_and_says_all_of_them(start):
    pooler = start(Route(client_max=7))
    text = pooler.config.for_carom(pooler.address)
    said = "\n".join(pooler.reload(text.replace("client_max 7", "client_max x").replace("pool_size 8", "pool_sise 8")))
    assert "client_max" in said and "pool_sise" in said and "nothing has changed" in said
    assert f"{pooler.file}:" in said
    # What is right in itself and cannot be had.
    pooler.config.more_addresses = [("127.0.0.1", 1), ("192.0.2.1", 5432)]
    said = "\n".join(pooler.reload())
    assert "192.0.2.1" in said and "nothing has changed" in said
    with pytest.raises(ConnectionRefusedError):
        Wire.open(("127.0.0.1", 1))
    with pooler.connect() as client:
        assert client.value("select 1") == "1"
    pooler.config.more_addresses = []
    assert "done, 0 changes" in "\n".join(pooler.reload())


def test_what_needs_a_restart_is_named(start):
    pooler = start(Route(), globals={"readahead": 65536})
    pooler.config.globals["readahead"] = 32768
    pooler.config.workers = 2
    said = "\n".join(pooler.reload())
    assert "needs a restart to take effect: workers, readahead" in said


def test_a_route_that_is_removed_lets_its_clients_finish_and_comes_back(start, postgres):
    pooler = start(Route(database="postgres"), Route(database="bench"), Route(database="bench", user="scram_user", pool="session"))
    with pooler.connect("bench") as idle, pooler.connect("bench") as busy, pooler.connect("postgres") as other, \
            pooler.connect("bench", "bench") as pinned:
        for client in (idle, other):
            client.rows("select 1")
        busy.rows("begin")
        pinned.rows("create temp table kept ()")
        routes = pooler.config.routes
        pooler.config.routes = routes[:1]
        said = "\n".join(pooler.reload())
        assert "route bench.default removed" in said
        for client in (idle, pinned):
            (kind, body), = client.last_words()
            assert kind == b"E" and error_fields(body)["S"] == "FATAL" and error_fields(body)["C"] == "57P01"
        assert busy.value("select 2") == "2"
        with pytest.raises(ServerError) as refused:
            pooler.connect("bench")
        assert refused.value.code == "3D000"
        busy.rows("commit")
        (kind, body), = busy.last_words()
        assert kind == b"E" and error_fields(body)["C"] == "57P01"
        assert other.value("select 3") == "3"
        wait_until(lambda: not postgres.backends("bench"), "its servers are closed")
        pooler.config.routes = routes
        pooler.reload()
        with pooler.connect("bench") as again:
            assert again.value("select 4") == "4"


def test_a_console_that_is_removed_ends_its_sessions(start):
    pooler = start(Route(database="postgres"), Route(database="console", storage=CONSOLE))
    with pooler.connect(database="console") as operator, pooler.connect() as client:
        assert operator.rows("show version")
        pooler.config.routes = pooler.config.routes[:1]
        pooler.reload()
        (kind, body), = operator.last_words()
        assert kind == b"E" and error_fields(body)["S"] == "FATAL" and error_fields(body)["C"] == "57P01"
        assert client.value("select 1") == "1"


def test_a_session_keeps_its_server_until_it_ends(start, postgres, replica):
    pooler = start(Route(pool="session", pool_size=1), workers=2)
    # The second finds the one server taken.
    with pooler.connect() as holder, pooler.connect() as late:
        holder.rows("set application_name = 'mine'")
        pooler.config.storage = replica.address
        pooler.reload()
        assert holder.value("show application_name") == "mine"
        assert holder.value("select pg_is_in_recovery()") == "f"
        # Whoever has no server yet has no reason to stay.
        assert late.value("select pg_is_in_recovery()") == "t"


def test_statements_and_settings_go_along_to_other_servers(start, replica):
    pooler = start(Route(pool_size=1))
    with pooler.connect() as client, pooler.connect() as other:
        client.rows("set work_mem = '3MB'")
        client.exchange(parse("mine", "select pg_is_in_recovery(), 'mine'") + SYNC)
        pooler.config.storage = replica.address
        pooler.reload()
        # The next statement there must not be taken for the one that came along.
        other.exchange(parse("theirs", "select 'theirs'") + SYNC)
        rows = [body for kind, body in client.exchange(bind("", "mine") + execute() + SYNC) if kind == b"D"]
        assert len(rows) == 1 and rows[0].endswith(b"mine")
        assert client.value("show work_mem") == "3MB"


def test_whoever_waits_waits_on_for_the_other_servers(start, postgres, replica):
    pooler = start(Route(pool_size=1))
    with pooler.connect() as holder, pooler.connect() as waiter:
        holder.rows("begin")
        waiter.send(query("select pg_is_in_recovery()"))
        pooler.config.storage = replica.address
        pooler.reload()
        assert waiter.result() == [["t"]]
        assert holder.value("select pg_is_in_recovery()") == "f"
        holder.rows("commit")
        assert holder.value("select pg_is_in_recovery()") == "t"


def test_the_password_of_clients_changes(start):
    pooler = start(Route(authentication="scram-sha-256", password="one", storage_user="postgres"))
    with pooler.connect(password="one") as client:
        client.rows("select 1")
        change(pooler, password="two")
        pooler.reload()
        with pytest.raises((ServerError, ConnectionLost)):
            pooler.connect(password="one")
        with pooler.connect(password="two") as other:
            assert other.value("select 1") == "1"
        assert client.value("select 2") == "2"


def test_hundreds_of_reloads_leave_nothing_behind(start):
    pooler = start(Route(), Route(database="postgres", user="bench", pool_size=2), workers=2)
    routes = list(pooler.config.routes)

    def turn(count):
        for number in range(count):
            # A route comes and goes, another gets other servers, and the first another limit.
            pooler.config.routes = routes[:1 + number % 2]
            change(pooler, pool_size=3 + number % 4, storage_password=f"p{number // 2 % 2}")
            pooler.reload()
            with pooler.connect(user="bench") as client:
                client.rows("select 1")
        wait_until(lambda: descriptors(pooler.pid) < 40, "old servers are closed")
        return resident_bytes(pooler.pid), descriptors(pooler.pid)

    with pooler.connect() as client:
        client.rows("select 1")
        turn(60)
        before = turn(20)
        after = turn(200)
        print(f"resident {before[0] / 1e6:.1f} MB, {before[1]} descriptors; 200 reloads later "
              f"{after[0] / 1e6:.1f} MB, {after[1]} descriptors")
        assert after[0] < before[0] + (3 << 20)
        assert after[1] <= before[1] + 2
        assert client.value("select 1") == "1"

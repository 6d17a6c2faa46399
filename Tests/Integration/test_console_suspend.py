# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""SUSPEND: everybody gets what was sent, nothing more is read, and RESUME lets all of it go on."""

import signal
import socket
import threading
import time

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import OPERATOR_PASSWORD, Route
from lib.config import console as console_route
from lib.waiting import wait_until
from lib.wire import Wire, query, startup

pytestmark = pytest.mark.own
#: More than the sockets between client and pooler hold.
LARGE = "select repeat('x', 1000) from generate_series(1, 40000)"


# Relays with limits of time keep them through a suspension, the others have none before it and none behind it.
@pytest.fixture(params=[{}, {"query_timeout": 60}], ids=["plain", "limited"])
def pooler(start, request):
    return start(Route(pool="transaction", pool_size=3, more=request.param), console_route(), workers=2)


def connect(pooler):
    host, port = pooler.address
    return psycopg.connect(
        host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True, row_factory=dict_row)


@pytest.fixture
def console(pooler):
    with connect(pooler) as connection:
        yield connection


def state(console):
    return {row["key"]: row["value"] for row in console.execute("SHOW STATE").fetchall()}


def is_silent(wire):
    """Whether nothing comes for a while; what comes is left for the next reader."""
    wire.stream.settimeout(0.3)
    try:
        wire.stream.recv(1, socket.MSG_PEEK)
        return False
    except TimeoutError:
        return True
    finally:
        wire.stream.settimeout(20)


def small_reader(pooler):
    """A client whose socket takes little that it does not read."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.settimeout(20)
    stream.connect(pooler.address)
    wire = Wire(stream, pooler.address)
    wire.send(startup({"user": "postgres", "database": "postgres"}))
    wire.authenticate("postgres", None)
    return wire


def test_nothing_is_read_until_resume(pooler, console, postgres):
    with pooler.connect() as busy, pooler.connect() as idle, pooler.connect() as late:
        idle.rows("select 1")
        busy.rows("begin")
        busy.send(query("select pg_sleep(0.5), 'slow'"))
        wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query like '%''slow''' "
                                          "and state = 'active' and pid <> pg_backend_pid()") == "1", "it runs")
        assert console.execute("SUSPEND").statusmessage == "SUSPEND", "nobody waits for the query"
        assert state(console) == {"active": "no", "paused": "no", "suspended": "yes"}
        late.send(query("create table suspended (a int)"))
        idle.send(query("select 'idle'"))
        wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query like '%''slow''' "
                                          "and state = 'idle in transaction'") == "1", "the server has answered")
        assert is_silent(busy) and is_silent(late) and is_silent(idle)
        assert postgres.value("select to_regclass('suspended') is null") == "t", "no server has heard of it"
        for command in ["SUSPEND", "PAUSE", "PAUSE postgres", "KILL postgres"]:
            with pytest.raises(psycopg.Error, match="already suspended/paused"):
                console.execute(command)
        assert console.execute("RESUME").statusmessage == "RESUME"
        assert state(console) == {"active": "yes", "paused": "no", "suspended": "no"}
        assert busy.result()[0][1] == "slow" and idle.result()[0][0] == "idle"
        late.result()
        busy.rows("commit")
        late.rows("drop table suspended")
        with pytest.raises(psycopg.Error, match="pooler is not paused/suspended"):
            console.execute("RESUME")
        console.execute("SUSPEND")
        idle.send(query("select 2"))
        console.execute("RESUME")
        assert idle.result()[0][0] == "2", "once more"


def test_new_clients_wait_and_the_console_does_not(pooler, console):
    console.execute("SUSPEND")
    came = threading.Event()

    def come():
        with pooler.connect() as wire:
            if wire.value("select 1") == "1":
                came.set()
    thread = threading.Thread(target=come)
    thread.start()
    with connect(pooler) as other:
        wait_until(lambda: [row["state"] for row in other.execute("SHOW CLIENTS").fetchall() if row["user"] == "postgres"] == ["idle"],
                   "it has proved who it is, and waits")
        assert not came.is_set()
        other.execute("RESUME")
    thread.join(20)
    assert came.is_set()


def test_it_returns_when_everything_was_taken(pooler, console):
    with small_reader(pooler) as slow, pooler.connect() as other:
        slow.send(query(LARGE))
        wait_until(lambda: any(row["send_avail"] for row in console.execute("SHOW ACTIVE_SOCKETS").fetchall()), "bytes wait for it")
        done = []
        thread = threading.Thread(target=lambda: done.append(console.execute("SUSPEND").statusmessage))
        thread.start()
        with connect(pooler) as watcher:
            wait_until(lambda: state(watcher)["suspended"] == "yes", "it begins")
            time.sleep(0.2)
            assert not done, "somebody has not taken everything"
            # What went out before is here; the rest stays with the server.
            while not done:
                slow.stream.settimeout(0.2)
                try:
                    slow.buffer += slow.stream.recv(1 << 16)
                except TimeoutError:
                    pass
            thread.join(20)
            assert done == ["SUSPEND"]
            assert len(slow.buffer) < 35_000_000
            watcher.execute("RESUME")
        slow.stream.settimeout(20)
        assert len(slow.result()) == 40_000, "and not a byte is missing"
        assert other.value("select 1") == "1"


def test_who_takes_nothing_is_cut_off(start):
    pooler = start(Route(pool="transaction", pool_size=3), console_route(), workers=2, globals={"suspend_timeout": 1})
    with connect(pooler) as console, small_reader(pooler) as deaf, pooler.connect() as other:
        deaf.send(query(LARGE))
        wait_until(lambda: any(row["send_avail"] for row in console.execute("SHOW ACTIVE_SOCKETS").fetchall()), "bytes wait for it")
        began = time.monotonic()
        assert console.execute("SUSPEND").statusmessage == "SUSPEND"
        assert 0.9 < time.monotonic() - began < 5
        assert "suspend_timeout is over" in pooler.log()
        console.execute("RESUME")
        assert other.value("select 1") == "1"
        # The kernel may still have something for it, and then comes the end.
        deaf.stream.settimeout(20)
        taken = 0
        try:
            while chunk := deaf.stream.recv(1 << 16):
                taken += len(chunk)
        except ConnectionResetError:
            pass
        assert taken < 40_000_000


def test_the_end_of_the_pooler_ends_it(pooler, console):
    with pooler.connect() as busy, pooler.connect() as idle:
        busy.rows("begin")
        idle.rows("select 1")
        console.execute("SUSPEND")
        busy.send(query("select 'mine'"))
        pooler.child.signal(signal.SIGTERM)
        assert busy.result()[0][0] == "mine", "a transaction goes on"
        busy.send(query("commit"))
        assert "57P01" in str(idle.last_words())
    console.close()
    wait_until(lambda: not pooler.child.running, "it ends")

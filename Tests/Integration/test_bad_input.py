# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken clients: each costs its own connection, others notice nothing, memory stays bounded."""

import contextlib
import random
import re
import struct
import threading
import time

import pytest

from lib import proc
from lib.config import Route
from lib.pooler import PEER
from lib.waiting import wait_until
from lib.wire import (COPY_DONE, FLUSH, GSSENC_REQUEST, SSL_REQUEST, SYNC, ConnectionLost, ServerError, Wire, bind,
                      close, copy_data, cstring, describe, dial, error_fields, execute, message, parse, query, startup)

LIMIT = 100 << 20
GREETING = startup({"user": "postgres", "database": "postgres"})


@contextlib.contextmanager
def good_client(pooler):
    """A client that asks on and on while the body runs, and must never see an error or a long pause."""
    troubles, asked, over = [], [], threading.Event()

    def ask():
        try:
            with pooler.connect() as wire:
                while not over.is_set():
                    assert wire.value(f"select {len(asked)}") == str(len(asked))
                    asked.append(time.monotonic())
        except Exception as trouble:
            troubles.append(repr(trouble))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_until(lambda: asked or troubles, "the good client is served")
        yield
        before = len(asked)
        wait_until(lambda: len(asked) > before + 10 or troubles, "the good client is still served")
    finally:
        over.set()
        thread.join()
    assert troubles == []
    pauses = [later - earlier for earlier, later in zip(asked, asked[1:])]
    assert max(pauses) < 5


def ending(wire):
    """How the pooler ended this connection: the SQLSTATEs it sent before closing."""
    wire.stream.settimeout(20)
    try:
        return [error_fields(body).get("C") for kind, body in wire.last_words() if kind == b"E"]
    except TimeoutError:
        pytest.fail("the connection was neither answered nor closed")


def frame(kind, length, body=b""):
    """A frame whose length says what we like."""
    return kind + struct.pack("!I", length & 0xFFFFFFFF) + body


FIRST_BYTES = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls hello": bytes.fromhex("1603010200010001fc0303") + bytes(512),
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "length zero": frame(b"", 0),
    "length three": frame(b"", 3) + b"abc",
    "length four": frame(b"", 4),
    "length seven": frame(b"", 7) + b"\0\3\0",
    "length 10001": frame(b"", 10001) + b"\0\3\0\0" + b"a" * 9993,
    "length 2^31-1": frame(b"", 0x7FFFFFFF) + b"\0\3\0\0",
    "length 2^31": frame(b"", 0x80000000) + b"\0\3\0\0",
    "length 2^32-1": frame(b"", 0xFFFFFFFF) + b"\0\3\0\0",
    "protocol 2": startup({"user": "postgres"}, version=131072),
    "protocol 4": startup({"user": "postgres"}, version=4 << 16),
    "unknown request": message(b"", struct.pack("!I", 80877999)),
    "no user": startup({"database": "postgres"}),
    "empty user": startup({"user": "", "database": "postgres"}),
    "no terminator": message(b"", struct.pack("!I", 196608) + b"user\0postgres"),
    "key without value": message(b"", struct.pack("!I", 196608) + b"user\0"),
    "bytes after the terminator": message(b"", struct.pack("!I", 196608) + b"user\0postgres\0\0tail\0"),
    "not utf-8": message(b"", struct.pack("!I", 196608) + b"user\0\xff\xfe\0database\0\xc3\x28\0\0"),
    "two ssl requests and garbage": message(b"", struct.pack("!I", SSL_REQUEST)) * 2 + b"garbage",
    "gss twice": message(b"", struct.pack("!I", GSSENC_REQUEST)) * 2 + b"\0" * 8,
    "a query first": query("select 1"),
    "a password first": message(b"p", cstring("x")),
    "terminate first": message(b"X"),
    "sync first": SYNC,
}


@pytest.mark.parametrize("data", FIRST_BYTES.values(), ids=FIRST_BYTES.keys())
def test_bad_first_bytes_end_that_connection(start, data):
    pooler = start(Route(), listen={"client_login_timeout": 1500} if not PEER else {})
    with good_client(pooler):
        wire = Wire(dial(pooler.address))
        wire.send(data)
        if PEER:
            wire.abort()
            return
        # 'N' answers to encryption requests are not frames; look at the raw bytes.
        wire.stream.settimeout(20)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := wire.stream.recv(65536):
                said += chunk
        assert b"Z\0\0\0\5I" not in said, "it was let in"
        wire.abort()


LATER_BYTES = {
    "unknown type": message(b"?", b"what"),
    "type zero": message(b"\0", b""),
    "length zero": frame(b"Q", 0),
    "length three": frame(b"Q", 3) + b"abc",
    "length 2^31-1": frame(b"Q", 0x7FFFFFFF) + b"select",
    "length 2^32-1": frame(b"Q", 0xFFFFFFFF) + b"select",
    "a gigabyte of password": frame(b"p", 1 << 30) + b"x" * 1000,
    "a huge sync": frame(b"S", 1 << 20) + bytes(1 << 20),
    "a huge close": frame(b"C", 0x7FFFFFFF),
    "a second startup": GREETING,
    "an ssl request in mid-session": message(b"", struct.pack("!I", SSL_REQUEST)),
    "server messages": message(b"Z", b"I") + message(b"T", b"\0\0"),
}


@pytest.mark.own
@pytest.mark.parametrize("data", LATER_BYTES.values(), ids=LATER_BYTES.keys())
@pytest.mark.parametrize("when", ["idle", "in a transaction", "in a pipeline", "in copy"])
def test_bad_later_bytes_end_that_connection(start, postgres, data, when):
    pooler = start(Route(pool_size=2))
    with good_client(pooler):
        wire = pooler.connect(user="bench", database="bench")
        if when == "in a transaction":
            wire.rows("begin")
        elif when == "in a pipeline":
            wire.send(parse("", "select 1") + bind("", "") + execute())
        elif when == "in copy":
            wire.send(query("begin; create temp table c (a text) on commit drop; copy c from stdin"))
            while wire.receive()[0] != b"G":
                pass
        wire.send(data)
        # A frame that promises more than it brings is only known to be bad once it is complete or the client ends.
        with contextlib.suppress(OSError):
            wire.stream.shutdown(1)
        codes = ending(wire)
        assert when == "in copy" or all(code in ("08P01", "57014", "42601") for code in codes), codes
        wire.abort()
        wait_until(lambda: int(postgres.value(
            "select count(*) from pg_stat_activity where usename = 'bench' and xact_start is not null "
            "and state <> 'idle'")) == 0, "nothing of it is left on the server")
    assert proc.peak_resident_bytes(pooler.pid) < LIMIT


@pytest.mark.own
@pytest.mark.parametrize("data", [message(b"?", b"what"), frame(b"Q", 0), frame(b"Q", 3), frame(b"S", 0xFFFFFFFF)],
                         ids=["unknown type", "length 0", "length 3", "negative length"])
def test_an_idle_client_is_told_08p01_before_it_is_closed(transaction, data):
    wire = transaction.connect()
    wire.send(data)
    assert ending(wire) == ["08P01"]
    wire.abort()


MALFORMED = {
    "query without a body": message(b"Q"),
    "parse without a body": message(b"P"),
    "bind without a body": message(b"B"),
    "close of nothing": message(b"C"),
    "describe without a name": message(b"D", b"S"),
    "close without a name": message(b"C", b"S"),
    "empty query": message(b"Q", b"\0"),
    "query without a terminator": message(b"Q", b"select 1"),
    "query with two terminators": message(b"Q", b"select 1\0select 2\0"),
    "parse without type count": message(b"P", b"\0select 1\0"),
    "parse with too many types": message(b"P", b"\0select 1\0\xff\xff"),
    "bind cut short": message(b"B", b"\0\0\0"),
    "bind with a wrong length": message(b"B", b"\0\0\0\0\0\1\x7f\xff\xff\xffx\0\0"),
    "describe of nothing": message(b"D", b""),
    "describe of an unknown kind": message(b"D", b"?\0"),
    "execute cut short": message(b"E", b"\0\0"),
    "close of an unknown kind": message(b"C", b"?\0"),
    "function call cut short": message(b"F", b"\0"),
    "copy data out of place": copy_data(b"x"),
    "copy done out of place": COPY_DONE,
    "a password out of place": message(b"p", cstring("x")),
    "flush alone": FLUSH,
}


@pytest.mark.own
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_of_known_types_leave_others_alone(start, data):
    """The server judges what is inside a message; the pooler must not lose step whatever it says."""
    pooler = start(Route(pool_size=1))
    for _ in range(3):
        wire = pooler.connect()
        wire.send(data + SYNC + query("select 1"))
        wire.stream.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionLost):
            wire.until_ready(2)
        wire.abort()
        with pooler.connect() as good:
            assert good.rows("select 'fine'") == [["fine"]]
            assert good.exchange(query("select 1"))[-1] == (b"Z", b"I")


@pytest.mark.own
def test_a_client_that_sends_byte_by_byte_is_served(transaction):
    wire = Wire(dial(transaction.address))
    script = GREETING + query("select 'slow'") + parse("", "select 'slower'") + bind("", "") + describe(
        b"P", "") + execute() + close(b"S", "none") + SYNC
    for n in range(len(script)):
        wire.send(script[n:n + 1])
    messages = wire.until_ready(3)
    assert [body[6:] for kind, body in messages if kind == b"D"] == [b"slow", b"slower"]
    wire.close()


def test_any_split_of_a_conversation_is_the_same_conversation(transaction):
    script = query("select 1; select 2") + parse("", "select 3") + bind("", "") + execute() + SYNC + query("select 4")
    with transaction.connect() as whole:
        expected = whole.exchange(script, ready=3)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(50):
        cuts = sorted(dice.sample(range(1, len(script)), 5))
        with transaction.connect() as wire:
            for begin, end in zip([0, *cuts], [*cuts, len(script)]):
                wire.send(script[begin:end])
                if dice.random() < 0.3:
                    time.sleep(0.001)
            assert wire.until_ready(3) == expected


@pytest.mark.own
def test_slow_logins_are_closed_at_the_login_timeout(start):
    pooler = start(Route(authentication="md5", user="postgres", password="x"),
                   listen={"client_login_timeout": 1000})
    began = time.monotonic()
    drips = [Wire(dial(pooler.address)) for _ in range(50)]
    for n, wire in enumerate(drips):
        wire.send(GREETING if n % 2 else GREETING[:n % 8])
    with pooler.connect(password="x") as good:
        assert good.value("select 1") == "1"
    open_ones = set(drips)
    while open_ones and time.monotonic() - began < 10:
        for wire in list(open_ones):
            wire.stream.settimeout(0.01)
            try:
                # Keep dripping: the clock runs from accept, not from the last byte.
                wire.send(b"\0")
                if wire.stream.recv(65536) == b"":
                    open_ones.discard(wire)
            except TimeoutError:
                pass
            except OSError:
                open_ones.discard(wire)
    assert not open_ones
    assert 0.9 <= time.monotonic() - began < 6


def test_a_client_that_never_reads_costs_bounded_memory(start, postgres):
    pooler = start(Route(pool_size=4), workers=2)
    before = proc.resident_bytes(pooler.pid)
    sleepers = []
    for _ in range(3):
        wire = pooler.connect(user="bench", database="bench")
        wire.send(query("select repeat('x', 1000) from generate_series(1, 500000)"))
        sleepers.append(wire)
    wait_until(lambda: len(postgres.rows(
        "select 1 from pg_stat_activity where usename = 'bench' and wait_event = 'ClientWrite'")) == 3,
        "the servers are held back", timeout=20)
    with good_client(pooler):
        assert proc.resident_bytes(pooler.pid) - before < 20 << 20
    for wire in sleepers:
        wire.abort()
    wait_until(lambda: not postgres.rows("select 1 from pg_stat_activity where usename = 'bench' "
                                         "and state = 'active'"), "the queries are ended")


def test_a_client_that_pipelines_without_reading_costs_bounded_memory(start):
    pooler = start(Route(pool_size=4), workers=2)
    before = proc.resident_bytes(pooler.pid)
    wire = pooler.connect(user="bench", database="bench")
    wire.stream.settimeout(2)
    burst = query("select repeat('x', 20000)") * 1000
    with good_client(pooler):
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                wire.stream.sendall(burst)
        assert proc.resident_bytes(pooler.pid) - before < 20 << 20
    wire.abort()


def test_a_result_row_of_many_megabytes_does_not_stay(start):
    pooler = start(Route(pool_size=2))
    with pooler.connect() as wire:
        assert len(wire.value("select repeat('x', 60000000)")) == 60_000_000
        assert wire.value(f"select length('{'y' * 30_000_000}')") == "30000000"
    assert proc.peak_resident_bytes(pooler.pid) < LIMIT


def test_random_bytes_from_hundreds_of_clients(start):
    pooler = start(Route(pool_size=4), workers=2)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    sane = [query("select 1"), parse("", "select 1"), bind("", ""), execute(), SYNC, FLUSH, query("begin"),
            copy_data(b"x"), COPY_DONE, message(b"X"), describe(b"S", "x"), query("copy pg_class to stdout")]
    with good_client(pooler):
        for _ in range(400):
            try:
                wire = pooler.connect(user="bench", database="bench") if dice.random() < 0.7 else Wire(
                    dial(pooler.address))
            except ServerError:
                continue
            script = bytearray(b"".join(dice.choice(sane) for _ in range(dice.randrange(1, 12))))
            for _ in range(dice.randrange(0, 4)):
                script[dice.randrange(len(script))] = dice.randrange(256)
            wire.send(bytes(script[:dice.randrange(len(script)) + 1]))
            wire.abort()
        wait_until(lambda: proc.connections_at(pooler.pid, pooler.address) == 1, "all but the good client's are closed")
    assert proc.peak_resident_bytes(pooler.pid) < LIMIT


def test_a_flood_of_invented_names_leaves_nothing_behind(start):
    """Where a rule takes any user, every name gets a pool of its own; those that nobody uses are given up."""
    pooler = start(Route(), globals={"log_stats": True, "stats_interval": 1}, workers=2)

    def flood(prefix, count):
        for number in range(count):
            with pytest.raises(ServerError) as refused:
                pooler.connect(user=f"{prefix}{number}", database="bench")
            assert refused.value.code == "08006"

    def routes():
        return int((re.findall(r"clients \d+, routes (\d+)", pooler.log()) or [-1])[-1])

    flood("first", 300)
    wait_until(lambda: routes() == 0, "the routes are given up", timeout=20)
    settled = proc.resident_bytes(pooler.pid)
    flood("second", 300)
    wait_until(lambda: routes() == 0, "the routes are given up again", timeout=20)
    assert proc.resident_bytes(pooler.pid) - settled < 5 << 20
    with good_client(pooler):
        pass

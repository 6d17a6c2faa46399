# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile and dying servers: each costs one server connection, and the client hears an error, not silence."""

import struct
import threading

import pytest

from lib import proc
from lib.config import Route
from lib.fakeserver import AUTHENTICATION_OK, GREETING, KEY, PARAMETERS, READY, FakeServer, answer, error
from lib.wire import ConnectionLost, ServerError, Wire, cstring, message, query

pytestmark = pytest.mark.own
LIMIT = 100 << 20


def sasl(code, body):
    return message(b"R", struct.pack("!I", code) + body)


BAD_GREETINGS = {
    "closes at once": b"",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(100),
    "a message of two gigabytes": b"R" + struct.pack("!I", 0x7FFFFFFF),
    "a negative length": b"R" + struct.pack("!I", 0xFFFFFFFF),
    "length three": b"R" + struct.pack("!I", 3),
    "an unknown method": message(b"R", struct.pack("!I", 77)),
    "an empty authentication": message(b"R"),
    "asks for a password we have not": message(b"R", struct.pack("!I", 3)),
    "an error without a code": error(b"SFATAL\0Mno code here\0\0"),
    "an empty error": error(b""),
    "an error without a terminator": error(b"SFATAL"),
    "an error of a megabyte": error(b"SFATAL\0C28000\0M" + b"x" * 1_000_000 + b"\0\0"),
    "sasl without mechanisms": sasl(10, b"\0"),
    "sasl with an unknown mechanism": sasl(10, b"ROT13\0\0"),
    "sasl out of order": sasl(12, b"v=AAAA"),
    "no key": AUTHENTICATION_OK + PARAMETERS + b"Z" + struct.pack("!I", 5) + b"?",
    "a row before ready": AUTHENTICATION_OK + message(b"D", b"\0\1"),
    "ready in a transaction": AUTHENTICATION_OK + PARAMETERS + KEY + message(b"Z", b"T"),
    "closes after authentication": AUTHENTICATION_OK,
    "a parameter without a value": AUTHENTICATION_OK + message(b"S", b"lonely"),
}


@pytest.mark.parametrize("greeting", BAD_GREETINGS.values(), ids=BAD_GREETINGS.keys())
def test_a_bad_greeting_is_an_error_to_the_client(start, greeting):
    def login(wire):
        wire.stream.sendall(greeting)
        wire.stream.shutdown(1)
    with FakeServer(login=login) as server:
        pooler = start(Route(pool_timeout=3000), storage=server.address)
        with pytest.raises((ServerError, ConnectionLost)) as refused:
            with pooler.connect() as wire:
                wire.rows("select 1")
        assert isinstance(refused.value, ServerError), "the client got no answer"
        assert proc.peak_resident_bytes(pooler.pid) < LIMIT


SCRAM_FIRST = {
    "a nonce of a megabyte": b"r=%s" + b"x" * 1_000_000 + b",s=c2FsdA==,i=4096",
    "a foreign nonce": b"r=other,s=c2FsdA==,i=4096",
    "no nonce": b"s=c2FsdA==,i=4096",
    "bad base64": b"r=%sx,s=???,i=4096",
    "two billion iterations": b"r=%sx,s=c2FsdA==,i=2000000000",
    "zero iterations": b"r=%sx,s=c2FsdA==,i=0",
    "negative iterations": b"r=%sx,s=c2FsdA==,i=-1",
    "empty": b"",
    "an extension": b"m=ext,r=%sx,s=c2FsdA==,i=4096",
}


@pytest.mark.parametrize("first", SCRAM_FIRST.values(), ids=SCRAM_FIRST.keys())
def test_a_bad_scram_server_is_refused(start, first):
    def login(wire):
        wire.stream.sendall(sasl(10, b"SCRAM-SHA-256\0\0"))
        _, body = wire.receive()
        nonce = body.rpartition(b"r=")[2]
        wire.stream.sendall(sasl(11, first.replace(b"%s", nonce)))
        wire.receive()
        wire.stream.sendall(sasl(12, b"v=bm90IHRoZSBzaWduYXR1cmU=") + GREETING)
    with FakeServer(login=login) as server:
        pooler = start(Route(storage_user="x", storage_password="pw", pool_timeout=3000), storage=server.address)
        with pytest.raises((ServerError, ConnectionLost)) as refused:
            with pooler.connect() as wire:
                wire.rows("select 1")
        assert isinstance(refused.value, ServerError), "the client got no answer"


def test_a_server_that_cannot_prove_it_knows_the_password_is_refused(start):
    def login(wire):
        wire.stream.sendall(sasl(10, b"SCRAM-SHA-256\0\0"))
        _, body = wire.receive()
        nonce = body.rpartition(b"r=")[2]
        wire.stream.sendall(sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=4096"))
        wire.receive()
        wire.stream.sendall(sasl(12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") + GREETING)
    with FakeServer(login=login) as server:
        pooler = start(Route(storage_user="x", storage_password="pw", pool_timeout=3000), storage=server.address)
        with pytest.raises((ServerError, ConnectionLost)):
            with pooler.connect() as wire:
                wire.rows("select 1")


BAD_REPLIES = {
    "closes": None,
    "half a message": message(b"T", b"\0\1")[:6],
    "a negative length": b"T" + struct.pack("!I", 0xFFFFFFFF),
    "length three": b"D" + struct.pack("!I", 3),
    "an unknown type": message(b"?", b"what") + READY,
    "ready with an unknown state": message(b"Z", b"?"),
    "ready without a state": message(b"Z", b""),
    "an error without fields": error(b"") + READY,
    "startup messages again": GREETING,
    "copy in that was not asked for": message(b"G", b"\0\0\0"),
}


@pytest.mark.parametrize("reply", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_a_bad_reply_costs_one_server_connection(place, start, reply):
    """The victim comes over a Unix socket: its end is seen at once there, also inside a message that does not go on."""
    def play(sql):
        if sql != "select 'bad'":
            return answer(b"fine")
        return reply
    with FakeServer(reply=play) as server:
        pooler = start(Route(pool_size=1), storage=server.address, unix_socket_dir=place.directory("sockets"))
        victim = Wire.open(pooler.socket_path)
        victim.stream.settimeout(3)
        try:
            victim.rows("select 'bad'")
        except (ServerError, ConnectionLost, TimeoutError):
            pass
        victim.abort()
        with pooler.connect() as good:
            assert good.rows("select 'good'") == [["fine"]]


def test_bytes_nobody_asked_for_never_reach_the_next_client(start):
    """A second, uninvited answer behind ReadyForQuery makes the server unfit for anybody else."""
    def play(sql):
        return answer(b"mine") + answer(b"poison") if sql == "select 'bad'" else answer(b"fine")
    with FakeServer(reply=play) as server:
        pooler = start(Route(pool_size=1), storage=server.address)
        victim = pooler.connect()
        assert victim.rows("select 'bad'") == [["mine"]]
        with pooler.connect() as good:
            assert good.rows("select 'good'") == [["fine"]]
        victim.abort()


def test_a_server_that_never_answers_a_login_does_not_block_others(start, postgres):
    silent = threading.Event()
    with FakeServer(login=lambda wire: silent.wait(30)) as server:
        pooler = start(Route(pool_timeout=1500), storage=server.address)
        with pytest.raises((ServerError, ConnectionLost)) as refused:
            with pooler.connect() as wire:
                wire.rows("select 1")
        assert isinstance(refused.value, ServerError)
        assert refused.value.code in ("53300", "08006")
    silent.set()


def test_notices_and_parameters_out_of_turn_are_harmless(start):
    notice = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mby the way\0\0")
    status = message(b"S", cstring("application_name") + cstring("changed"))
    def play(sql):
        return notice + status + answer(b"fine")
    with FakeServer(reply=play) as server:
        pooler = start(Route(pool_size=1), storage=server.address)
        for _ in range(3):
            with pooler.connect() as good:
                assert good.rows("select 1") == [["fine"]]


@pytest.mark.parametrize("pool", ["session", "transaction"])
@pytest.mark.parametrize("cut", [5, 11, 40, 50])
def test_a_server_that_dies_inside_a_row_is_the_end_of_the_stream(start, pool, cut):
    """Nothing of the pooler's own comes behind the half: a client would take it for the rest of the row."""
    reply = answer(b"x" * 40)
    rows = reply.index(b"D" + struct.pack("!I", 50))
    whole = reply[:rows + 51]

    def login(wire):
        wire.stream.sendall(GREETING)
        assert wire.receive()[0] == b"Q"
        wire.stream.sendall(whole + whole[rows:rows + cut])
        wire.stream.close()
    with FakeServer(login=login) as server:
        pooler = start(Route(pool=pool, pool_size=1), storage=server.address)
        client = pooler.connect()
        client.send(query("select 'half'"))
        received = b""
        with pytest.raises(ConnectionLost):
            while True:
                kind, body = client.receive()
                received += message(kind, body)
        assert received == whole
        client.abort()


def test_a_server_that_has_just_greeted_is_asked_nothing(start):
    asked = []

    def play(sql):
        asked.append(sql)
        return answer(b"fine")
    with FakeServer(reply=play) as server:
        pooler = start(Route(pool_size=1), storage=server.address)
        with pooler.connect() as client:
            assert client.rows("select 'mine'") == [["fine"]]
    assert asked == ["select 'mine'"]

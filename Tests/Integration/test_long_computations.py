# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Hashing that a peer makes long is not waited for by anybody else on the same thread."""

import base64
import os
import struct
import threading
import time

import pytest

from lib.config import Route
from lib.fakeserver import FakeServer, answer
from lib.wire import ServerError, Wire, cstring, message

pytestmark = pytest.mark.own

#: As many as the pooler does for a peer.
ITERATIONS = 100_000


def challenge(wire):
    """A server that asks for as much hashing as it may, with another salt each time, and does not believe the proof."""
    wire.send(message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"))
    _, body = wire.receive()
    nonce = body.split(b"r=")[1]
    salt = base64.b64encode(os.urandom(16))
    wire.send(message(b"R", struct.pack("!I", 11) + b"r=" + nonce + b"x,s=" + salt + b",i=%d" % ITERATIONS))
    wire.receive()
    wire.send(message(b"E", b"SFATAL\0C28P01\0Mno\0\0"))


def round_trips(wire, until):
    """How long each query of one client took, in order of size."""
    times = []
    while not until():
        began = time.perf_counter()
        assert wire.value("select 1") == "fine"
        times.append(time.perf_counter() - began)
    return sorted(times)


def hash_time():
    """How long the pooler needs for one login, about: the same library hashes here."""
    import hashlib
    began = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", ITERATIONS)
    return time.perf_counter() - began


def test_a_server_that_asks_for_much_hashing_stalls_no_other_client(place, postgres):
    from lib.config import Config, block
    from lib.pooler import Pooler
    with FakeServer(login=challenge) as hostile, FakeServer() as honest:
        config = Config(honest.address, routes=[
            Route(user="honest"), Route(user="victim", storage="hostile", pool_timeout=60_000, password="secret",
                                        storage_password="secret", pool_size=4)])
        config.globals = {"server_login_retry": 1}
        plain = config.for_carom
        config.for_carom = lambda address: plain(address) + block(
            'storage "hostile"', {"type": "remote", "host": hostile.address[0], "port": hostile.address[1]}) + "\n"
        pooler = Pooler(place, config)
        try:
            with pooler.connect(user="honest") as wire:
                ended = threading.Event()
                clients = [threading.Thread(target=login, args=(pooler.address, "victim")) for _ in range(8)]
                for client in clients:
                    client.start()
                threading.Thread(target=lambda: [client.join() for client in clients] and ended.set()).start()
                began = time.monotonic()
                times = round_trips(wire, lambda: ended.is_set() or time.monotonic() - began > 5)
            assert hostile.connections >= 2
            # With hashing on the loop's thread, each login stops it for all of its time.
            limit = hash_time() * 0.8
            slow = [t for t in times if t > limit]
            assert len(slow) < hostile.connections / 2, (len(slow), hostile.connections, times[-10:])
        finally:
            pooler.stop()


def login(address, user, password=None):
    try:
        with Wire.open(address, user=user, password=password, timeout=60) as wire:
            wire.rows("select 1")
    except (ServerError, OSError, Exception):
        pass


def test_passwords_that_cost_much_hashing_stall_no_other_client(start):
    import hashlib
    import hmac
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", b"secret", salt, ITERATIONS * 3)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    verifier = "SCRAM-SHA-256$%d:%s$%s:%s" % (
        ITERATIONS * 3, *(base64.b64encode(part).decode() for part in (salt, stored, server)))
    with FakeServer() as honest:
        pooler = start(Route(user="honest"),
                       Route(user="guest", authentication="clear_text", password=verifier), storage=honest.address)
        with pooler.connect(user="honest") as wire:
            ended = threading.Event()
            guesses = [threading.Thread(target=login, args=(pooler.address, "guest", f"guess{n}")) for n in range(10)]
            for guess in guesses:
                guess.start()
            threading.Thread(target=lambda: [guess.join() for guess in guesses] and ended.set()).start()
            times = round_trips(wire, ended.is_set)
        limit = hash_time()
        slow = [t for t in times if t > limit]
        assert len(slow) < len(guesses) / 2, (len(slow), times[-10:])
        # The right one is hashed once, and then known.
        first = timed(lambda: pooler.connect(user="guest", password="secret").close())
        later = min(timed(lambda: pooler.connect(user="guest", password="secret").close()) for _ in range(5))
        assert later < first / 2, (first, later)
        with pytest.raises(ServerError) as refused:
            pooler.connect(user="guest", password="Secret")
        assert refused.value.code == "28P01"


def timed(action):
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def test_a_client_that_leaves_while_its_password_is_hashed_leaves_nothing(start):
    """Nor one that says more than it should meanwhile."""
    with FakeServer() as honest:
        verifier = "SCRAM-SHA-256$%d:c2FsdHNhbHQ=$%s:%s" % (ITERATIONS * 5, "A" * 43 + "=", "A" * 43 + "=")
        pooler = start(Route(user="honest"),
                       Route(user="guest", authentication="clear_text", password=verifier), storage=honest.address)
        from lib.wire import dial, startup
        for more in (b"", message(b"X"), message(b"p", cstring("again")) * 3, b"\xff" * 100):
            with dial(pooler.address) as stream:
                stream.sendall(startup({"user": "guest", "database": "d"}) + message(b"p", cstring("guess")) + more)
                time.sleep(0.05)
        with pooler.connect(user="honest") as wire:
            assert wire.value("select 1") == "fine"

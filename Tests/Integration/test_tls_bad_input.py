# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that do not mean well, or do not get far, before and in the handshake: each harms its own connection only."""

import socket
import ssl
import struct
import subprocess
import time

import pytest

from lib import tls
from lib.certificates import Authority
from lib.config import Route
from lib.places import local_port
from lib.pooler import carom_binary
from lib.waiting import wait_until
from lib.wire import GSSENC_REQUEST, Wire, dial, error_fields, message, send_cancel, startup

pytestmark = pytest.mark.own
HELLO = {"user": "bench", "database": "bench"}
FATAL_PROTOCOL = "08P01"


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("authority"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("pooler", "pooler", ["pooler.test"])


@pytest.fixture
def pooler(start, certificate):
    pooler = start(Route(), listen={"tls": "require", "tls_cert_file": certificate.cert,
                                    "tls_key_file": certificate.key, "client_login_timeout": 1000})
    yield pooler
    # Whatever was tried: it lives, others get in, and nobody is left.
    with tls.secured(pooler.address) as wire:
        wire.send(startup(HELLO))
        wire.authenticate("bench", None)
        assert wire.value("select 1") == "1"


def told(stream):
    """The error that comes in the open, and then the end."""
    wire = Wire(stream)
    kind, body = wire.receive()
    assert kind == b"E"
    assert tls.closed(stream) == b""
    return error_fields(body)


# Bytes behind a request (CVE-2021-23214, CVE-2021-3935, CVE-2021-43766)


@pytest.mark.parametrize("behind", [startup(HELLO), b"\0", b"Q\0\0\0\rselect 1\0", "hello"],
                         ids=["startup", "byte", "query", "handshake"])
@pytest.mark.parametrize("asked", [tls.REQUEST, message(b"", struct.pack("!I", GSSENC_REQUEST))],
                         ids=["tls", "gss"])
def test_plain_bytes_behind_a_request_for_encryption_are_refused(pooler, asked, behind):
    stream = dial(pooler.address)
    stream.sendall(asked + (tls.client_hello() if behind == "hello" else behind))
    fields = told(stream)
    assert fields["C"] == FATAL_PROTOCOL and "unencrypted data after the request" in fields["M"]


def test_plain_bytes_between_the_answer_and_the_handshake_are_no_packets(pooler, postgres):
    stream, answer = tls.ask(pooler.address)
    assert answer == b"S"
    stream.sendall(startup(HELLO) + b"Q\0\0\0\x1cselect 'smuggled in first'\0")
    # TLS tells it as an alert; no message of PostgreSQL's comes in the open.
    assert tls.closed(stream)[:1] in (b"", b"\x15")
    wait_until(lambda: "wrong version number" in pooler.log() or "packet length" in pooler.log(), "it is logged")


def test_tls_is_asked_for_once(pooler):
    with tls.secured(pooler.address) as wire:
        wire.send(tls.REQUEST)
        kind, body = wire.receive()
        assert kind == b"E" and error_fields(body)["C"] == FATAL_PROTOCOL
    # Who came without asking has not asked yet, and is told that there is no TLS in TLS.
    with tls.secured(pooler.address, direct=True) as wire:
        wire.send(tls.REQUEST)
        assert wire.take(1) == b"N"
        wire.send(startup(HELLO))
        wire.authenticate("bench", None)
        assert wire.value("select 1") == "1"


# Direct TLS


def test_direct_tls_must_name_postgresql(pooler):
    # By a list of other names: the handshake fails.
    with pytest.raises(ssl.SSLError, match="(?i)no application protocol"):
        tls.secured(pooler.address, tls.context(alpn="h2"), direct=True)
    # By none at all: it is over before a byte of the protocol.
    wire = tls.secured(pooler.address, tls.context(alpn=None), direct=True)
    wire.send(startup(HELLO))
    assert tls.closed(wire.stream) == b""
    assert "without ALPN" in pooler.log()


def test_a_request_for_tls_need_not_name_postgresql_but_nothing_else(pooler):
    with tls.secured(pooler.address, tls.context(alpn=None)) as wire:
        wire.send(startup(HELLO))
        wire.authenticate("bench", None)
    with pytest.raises(ssl.SSLError, match="(?i)no application protocol"):
        tls.secured(pooler.address, tls.context(alpn="http/1.1"))


def test_a_listener_without_tls_refuses_direct_tls_in_the_open(start):
    pooler = start(Route())
    stream = dial(pooler.address)
    stream.sendall(tls.client_hello())
    assert told(stream)["C"] == "0A000"


def test_a_handshake_behind_a_refused_request_is_no_packet(pooler):
    stream = dial(pooler.address)
    stream.sendall(message(b"", struct.pack("!I", GSSENC_REQUEST)))
    assert stream.recv(1) == b"N"
    stream.sendall(tls.client_hello())
    assert told(stream)["C"] == FATAL_PROTOCOL


# Handshakes that do not end


@pytest.mark.parametrize("direct", [False, True], ids=["requested", "direct"])
@pytest.mark.parametrize("part", [0, 1, 5, 100])
def test_half_a_handshake_ends_with_the_time_to_log_in(pooler, direct, part):
    stream = dial(pooler.address) if direct else tls.ask(pooler.address)[0]
    stream.sendall(tls.client_hello()[:part])
    began = time.monotonic()
    words = tls.closed(stream)
    assert 0.3 < time.monotonic() - began < 5
    # In the middle of a handshake nothing of ours can be put into the stream.
    assert words == b"" if part or not direct else words[:1] == b"E"
    assert "login timed out" in pooler.log()


@pytest.mark.parametrize("direct", [False, True], ids=["requested", "direct"])
def test_a_byte_now_and_then_wins_no_time(pooler, direct):
    stream = dial(pooler.address) if direct else tls.ask(pooler.address)[0]
    began = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for byte in tls.client_hello():
            stream.sendall(bytes([byte]))
            time.sleep(0.05)
            assert time.monotonic() - began < 10
    assert time.monotonic() - began > 0.5


def test_who_dawdles_keeps_nobody_waiting(pooler):
    dawdlers = [tls.ask(pooler.address)[0] for _ in range(50)]
    for stream in dawdlers:
        stream.sendall(tls.client_hello()[:-1])
    began = time.monotonic()
    with tls.secured(pooler.address) as wire:
        wire.send(startup(HELLO))
        wire.authenticate("bench", None)
    assert time.monotonic() - began < 0.9, "it waited for those that never finish"
    for stream in dawdlers:
        tls.closed(stream)


@pytest.mark.parametrize("garbage", [b"\0" * 300, b"\x16\x03\x01\xff\xff" + b"a" * 2000, b"GET / HTTP/1.1\r\n\r\n",
                                     b"\x15\x03\x01\x00\x02\x02\x28", b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff"],
                         ids=["zeros", "length", "http", "alert", "hello"])
def test_garbage_in_the_place_of_a_handshake_is_the_end(pooler, garbage):
    stream = tls.ask(pooler.address)[0]
    stream.sendall(garbage)
    assert tls.closed(stream)[:1] in (b"", b"\x15")


def test_garbage_behind_the_first_flight_is_the_end(pooler):
    for direct in (False, True):
        stream = dial(pooler.address) if direct else tls.ask(pooler.address)[0]
        stream.sendall(tls.client_hello())
        assert stream.recv(1) == b"\x16"
        stream.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32 + b"and more of it" * 100)
        tls.closed(stream)


def test_a_client_that_leaves_in_the_handshake_is_forgotten(pooler):
    for _ in range(20):
        stream = tls.ask(pooler.address)[0]
        stream.sendall(tls.client_hello())
        stream.close()


def test_the_pooler_stops_while_handshakes_are_under_way(start, certificate):
    pooler = start(Route(), listen={"tls": "allow", "tls_cert_file": certificate.cert,
                                    "tls_key_file": certificate.key})
    streams = [tls.ask(pooler.address)[0] for _ in range(3)]
    streams[0].sendall(tls.client_hello())
    streams[1].sendall(tls.client_hello()[:9])
    wait_until(lambda: streams[0].recv(1) == b"\x16", "the first one is answered")
    assert pooler.stop() == 0
    for stream in streams:
        assert b"carom" not in tls.closed(stream)


def test_renegotiation_is_refused(pooler):
    """Of TLS 1.2: openssl's client asks for it on a line with an R."""
    host, port = pooler.address
    client = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-starttls", "postgres", "-tls1_2"],
        input=b"R\n", capture_output=True, timeout=30)
    assert b"RENEGOTIATING" in client.stdout + client.stderr
    assert b"no renegotiation" in client.stderr


def test_a_cancel_in_the_open_is_heard_where_tls_is_needed(pooler):
    """libpq before 17 sends no other."""
    assert send_cancel(pooler.address, (1, 2)) == b""


# A stream that breaks


def test_a_client_that_breaks_its_stream_loses_its_own_session_only(pooler, postgres):
    with tls.secured(pooler.address) as good, tls.secured(pooler.address) as bad:
        for wire in (good, bad):
            wire.send(startup(HELLO))
            wire.authenticate("bench", None)
        # A record that nobody has encrypted, past the library.
        plain = bad.stream.detach()
        with socket.socket(fileno=plain) as stream:
            stream.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
            tls.closed(stream)
        assert good.value("select 1") == "1"


# What is said at the start


def serve(place, config):
    file = f"{place.directory('check')}/carom.conf"
    with open(file, "w") as out:
        out.write(config)
    return [subprocess.run([carom_binary(), command, file], capture_output=True, text=True, timeout=30)
            for command in ("check", "serve")]


def test_files_that_cannot_be_used_are_named_before_anything_is_served(place, authority, certificate):
    other = authority.issue("other", "other")
    expired = authority.issue("old", "old", first=-9, last=-3)

    def config(cert, key):
        return (f'listen {{ host "127.0.0.1" port {local_port()}\n tls "require"\n tls_cert_file "{cert}"\n '
                f'tls_key_file "{key}"\n}}\nstorage "self" {{ type "local" }}\n'
                'database "c" { user "u" { authentication "none" storage "self" } }\n')

    for cert, key, place_of, what in [
            (certificate.cert, other.key, ":4:2:", "key values mismatch"),
            ("/nowhere.crt", certificate.key, ":3:2:", "No such file"),
            (certificate.cert, certificate.cert, ":4:2:", "cannot use the key file")]:
        for done in serve(place, config(cert, key)):
            assert done.returncode == 1
            assert place_of in done.stderr and "error" in done.stderr and what in done.stderr, done.stderr
    done = serve(place, config(expired.cert, expired.key).replace('"require"', '"allow"').replace(
        "127.0.0.1", "203.0.113.1"))
    assert done[0].returncode == 0, done[0].stderr
    for each in done:
        assert "warning: tls_cert_file" in each.stderr and "has expired" in each.stderr

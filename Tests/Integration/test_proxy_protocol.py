# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A proxy says for whom it comes (PROXY protocol): that is the client's address from then on, and only listed proxies are believed."""

import os
import re
import socket
import struct
import time

import pytest

from lib import tls
from lib.certificates import Authority
from lib.config import CONSOLE, OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.places import free_address
from lib.pooler import ROOT
from lib.process import Child
from lib.waiting import wait_until
from lib.wire import CANCEL_REQUEST, ConnectionLost, ServerError, Wire, dial, query, startup

pytestmark = pytest.mark.own

#: What Tests/run unpacks of Debian's packages.
BALANCER = os.path.join(ROOT, ".build", "balancer")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: From here proxies come; and from here somebody else.
PROXY, STRANGER = "127.0.0.8", "127.0.0.1"


def line(client="10.1.2.3", port=4711, family="TCP4", here="10.0.0.1"):
    return f"PROXY {family} {client} {here} {port} 6432\r\n".encode()


def block(client="10.1.2.3", port=4711, command=1, more=b""):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    here = "::1" if ":" in client else "10.0.0.1"
    body = socket.inet_pton(family, client) + socket.inet_pton(family, here) + struct.pack("!HH", port, 6432) + more
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, 0x21 if ":" in client else 0x11, len(body)) + body


@pytest.fixture
def file(place):
    """Who may come from where."""
    path = os.path.join(place.directory("proxies"), "hba")
    with open(path, "w") as file:
        file.write("host all all 10.1.2.3/32 trust\nhost all ann 10.1.2.4/32 scram-sha-256\nhost all all 2001:db8::/32 trust\n"
                   f"host all all {PROXY}/32 trust\nhost all all all reject\n")
    return path


@pytest.fixture
def begin(start, file):
    """`begin()`: a pooler that listens to proxies, with a console that they lead to, too."""
    def begin(listen=None, **options):
        return start(Route(authentication="hba", password="right", storage_user="bench", storage_db="postgres"),
                     console(), workers=2, listen={"proxy_protocol": f"{PROXY}, 127.5.0.0/16", **(listen or {})},
                     globals={"hba_file": file, **options})
    return begin


def connect(pooler, header, user="ann", source=PROXY, **options):
    stream = dial(pooler.address, source=source)
    stream.sendall(header)
    wire = Wire(stream, pooler.address)
    wire.send(startup({"user": user, "database": options.pop("database", "postgres")}))
    wire.authenticate(user, options.pop("password", None))
    return wire


def attempt(pooler, header, **options):
    """`in`, the SQLSTATE of the refusal, or `lost` if nothing was said."""
    try:
        connect(pooler, header, **options).close()
        return "in"
    except ServerError as refusal:
        return refusal.code
    except (ConnectionLost, ConnectionResetError, BrokenPipeError):
        return "lost"


@pytest.mark.parametrize("header", [line(), block(), block(more=b"\x04\0\x01x")], ids=["version 1", "version 2", "more behind it"])
def test_the_clients_address_is_what_the_proxy_says(begin, header):
    pooler = begin()
    with connect(pooler, header) as wire:
        assert wire.value("select 1") == "1"
        with connect(pooler, header, user=OPERATOR, password=OPERATOR_PASSWORD, database=CONSOLE) as operator:
            wire_of = [row for row in operator.rows("show clients") if row[1] == "ann"]
            assert len(wire_of) == 1 and "10.1.2.3" in wire_of[0] and "4711" in wire_of[0]
    assert f"new client connection from 10.1.2.3:4711 by the proxy {PROXY}:" in pooler.log()


@pytest.mark.parametrize("header, result", [
    (line("10.1.2.9"), "28000"), (block("10.1.2.9"), "28000"), (line("2001:db8::7", family="TCP6", here="::1"), "in"),
    (block("2001:db8::7"), "in"), (block("2001:db9::7"), "28000"), (line("::ffff:10.1.2.3", family="TCP6", here="::1"), "in"),
    (block("::ffff:10.1.2.9"), "28000"),
    # The proxy for itself.
    (b"PROXY UNKNOWN\r\n", "in"), (block(command=0), "in")])
def test_lines_of_the_hba_file_are_about_the_client(begin, header, result):
    assert attempt(begin(), header) == result


def test_only_listed_proxies_are_heard(begin):
    pooler, said = begin(), f"{STRANGER} is not among the addresses of proxy_protocol"
    assert attempt(pooler, line(), source="127.5.6.7") == "in"
    before = pooler.log().count(said)
    for header in (line(), b""):
        assert attempt(pooler, header, source=STRANGER) == "lost"
    assert pooler.log().count(said) == before + 2
    # It need not even say anything.
    quiet = dial(pooler.address, source=STRANGER)
    assert quiet.recv(1) == b""


@pytest.mark.parametrize("header, reason", [
    (b"", "header of the PROXY protocol is missing (byte 0)"), (tls.REQUEST, "is missing (byte 0)"),
    (b"PROXY TCP4 10.1.2.3 10.0.0.1 x 6432\r\n", "an address or a port is wrong (byte 11)"),
    (b"PROXY " + b"x" * 200, "longer than 107 bytes (byte 107)"), (b"PROXY UNKNOWN\n" + b"x" * 20, "does not end with CR LF"),
    (SIGNATURE + b"\x31\x11\0\x0c" + b"x" * 12, "version 3"), (SIGNATURE + b"\x21\x11\xff\xff", "at most 4096"),
    (line() + line(), None)])
def test_what_is_no_header_ends_the_connection(begin, header, reason):
    pooler = begin()
    result = attempt(pooler, header)
    if reason is None:
        # A second one is no startup packet.
        assert result == "08P01"
    else:
        assert result == "lost"
        said = [row for row in pooler.log().splitlines() if "PROXY protocol: " in row]
        assert len(said) == 1 and reason in said[0]
    assert attempt(pooler, line()) == "in"


def test_a_header_that_trickles_is_under_the_time_to_log_in(begin):
    pooler = begin(client_login_timeout=1500)
    stream, began = dial(pooler.address, source=PROXY), time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError, ConnectionAbortedError, AssertionError)):
        for byte in line() * 10:
            stream.sendall(bytes([byte]))
            time.sleep(0.1)
            assert byte != ord("\n"), "the header has arrived"
    assert 1.3 < time.monotonic() - began < 8
    assert "login timed out" in pooler.log()
    # In pieces, but in time.
    stream = dial(pooler.address, source=PROXY)
    for byte in line():
        stream.sendall(bytes([byte]))
    wire = Wire(stream, pooler.address)
    wire.send(startup({"user": "ann", "database": "postgres"}))
    wire.authenticate("ann", None)
    # The login has no time of its own behind the header.
    stream, began = dial(pooler.address, source=PROXY), time.monotonic()
    stream.sendall(block()[:1])
    time.sleep(1)
    stream.sendall(block()[1:])
    while stream.recv(100):
        pass
    assert time.monotonic() - began < 2.3


def test_limits_of_failed_logins_are_the_clients(begin):
    pooler = begin(auth_failure_limit=2, auth_failure_period=600)
    wrong = {"user": "ann", "password": "wrong"}
    assert [attempt(pooler, line("10.1.2.4"), **wrong) for _ in range(3)] == ["28P01", "28P01", "28000"]
    assert attempt(pooler, block("10.1.2.3")) == "in"
    assert "too many failed logins from 10.1.2.4" in pooler.log()


def test_a_cancel_comes_by_the_proxy_too(begin, postgres):
    pooler = begin()
    wire = connect(pooler, line())
    wire.send(query("select pg_sleep(20)"))
    # One that comes first is for nobody, as directly.
    wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query = 'select pg_sleep(20)' "
                                      "and state = 'active'") == "1", "the query runs")
    with dial(pooler.address, source=PROXY) as stream:
        stream.sendall(block() + struct.pack("!IIII", 16, CANCEL_REQUEST, *wire.key))
        assert stream.recv(1) == b""
    with pytest.raises(ServerError) as cancelled:
        wire.result()
    assert cancelled.value.code == "57014"


@pytest.mark.parametrize("said", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("encrypted", ["in the open", "tls", "direct tls"])
def test_haproxy_says_for_whom_it_comes(place, begin, tmp_path, said, encrypted):
    """And its health check, which comes for itself and says nothing more, is no client that failed."""
    authority = Authority(tmp_path)
    host = free_address()[0]
    certificate = authority.issue("pooler", "pooler", [host])
    pooler = begin({"tls": "allow", "tls_cert_file": certificate.cert, "tls_key_file": certificate.key})
    front = free_address()
    (tmp_path / "haproxy.cfg").write_text(f"""
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen postgres
    bind {front[0]}:{front[1]}
    source {PROXY}
    server carom {pooler.address[0]}:{pooler.address[1]} {said} check inter 200ms
""")
    library = os.path.join(BALANCER, "usr", "lib", f"{os.uname().machine}-linux-gnu")
    balancer = Child(["env", f"LD_LIBRARY_PATH={library}", os.path.join(BALANCER, "usr", "sbin", "haproxy"), "-db", "-f",
                      tmp_path / "haproxy.cfg"], tmp_path / "haproxy.log")

    def call(source):
        stream = dial(front, source=source)
        if encrypted == "tls":
            stream.sendall(tls.REQUEST)
            assert stream.recv(1) == b"S"
        if encrypted != "in the open":
            stream = tls.context().wrap_socket(stream)
        wire = Wire(stream, front)
        wire.send(startup({"user": "ann", "database": "postgres"}))
        wire.authenticate("ann", None)
        return wire

    def answers():
        try:
            call("127.0.0.8").close()
            return True
        except (OSError, ConnectionLost, ServerError):
            return False
    try:
        wait_until(answers, "the balancer passes clients on", timeout=20)
        with call("127.0.0.8") as wire:
            assert wire.value("select 1") == "1"
        with pytest.raises(ServerError) as refused:
            call("127.0.0.77")
        assert refused.value.code == "28000" and 'host "127.0.0.77"' in str(refused.value)
        assert re.search(rf"new client connection from 127\.0\.0\.8:\d+ by the proxy {PROXY}:", pooler.log())
        assert "PROXY protocol: " not in pooler.log()
    finally:
        balancer.stop()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients under TLS: which connection with which authentication gets in, by drivers that check what they are told."""

import asyncio
import os
import shutil
import signal
import ssl
import threading
import time

import asyncpg
import pg8000.dbapi
import psycopg
import pytest
from cryptography import x509

from lib import tls
from lib.certificates import Authority, Certificate
from lib.config import Route
from lib.load import pgbench, transactions
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ServerError, query, startup

pytestmark = pytest.mark.own
PASSWORD = "client-S3cret"
METHODS = ["none", "clear_text", "md5", "scram-sha-256", "cert"]
CHANNELS = ["plain", "require", "verify-full", "direct"]


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("clients"))


@pytest.fixture(scope="module")
def host():
    return free_address()[0]


@pytest.fixture(scope="module")
def certificate(authority, host):
    return authority.issue("pooler", "pooler", [host])


@pytest.fixture(scope="module")
def guest(authority):
    return authority.issue("guest", "guest")


@pytest.fixture
def start(start, host):
    """A pooler at the address that its certificate names."""
    return lambda *routes, **options: start(*routes, address=free_address(host), **options)


@pytest.fixture
def listen(authority, certificate):
    def directives(mode="allow", authority=authority, certificate=certificate, **more):
        return {"tls": mode, "tls_cert_file": certificate.cert, "tls_key_file": certificate.key,
                "tls_ca_file": authority.cert, **more}
    return directives


def route(method="none", **more):
    secret = None if method in ("none", "cert") else PASSWORD
    return Route(user="guest", authentication=method, password=secret, storage_user="bench", storage_db="bench",
                 **more)


def login(pooler, user="guest", **more):
    return {"host": pooler.address[0], "port": pooler.address[1], "user": user, "dbname": "bench",
            "password": PASSWORD, "connect_timeout": 20, "gssencmode": "disable", **more}


def by_libpq(authority, channel, certificate=None):
    """The words of libpq for a channel."""
    shown = {"sslcert": certificate.cert, "sslkey": certificate.key} if certificate else {}
    return {
        "plain": {"sslmode": "disable"},
        "require": {"sslmode": "require", **shown},
        "verify-full": {"sslmode": "verify-full", "sslrootcert": authority.cert, **shown},
        "direct": {"sslmode": "verify-full", "sslrootcert": authority.cert, "sslnegotiation": "direct", **shown},
    }[channel]


# Who gets in


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_libpq_gets_in_where_postgres_would_let_it(start, authority, guest, listen, channel, method, binding):
    pooler = start(route(method), listen=listen())
    options = by_libpq(authority, channel, guest)
    secure = channel != "plain"
    allowed = method != "cert" or secure
    if binding == "require":
        # libpq itself gives up on a server that asks for less.
        allowed = method == "scram-sha-256" and secure
    if allowed:
        with psycopg.connect(**login(pooler, channel_binding=binding, **options)) as connection:
            assert connection.execute("select 6 * 7").fetchone() == (42,)
            assert connection.pgconn.ssl_in_use == secure
    else:
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg.connect(**login(pooler, channel_binding=binding, **options)).close()
        told = str(refused.value)
        assert "channel binding" in told or "requires a valid client certificate" in told


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_asyncpg_gets_in(start, authority, guest, listen, channel, method):
    pooler = start(route(method), listen=listen())
    options = {"plain": {"ssl": False}, "require": {"ssl": tls.context(certificate=guest)},
               "verify-full": {"ssl": tls.context(authority, guest, check_hostname=True)},
               "direct": {"ssl": tls.context(authority, guest, check_hostname=True), "direct_tls": True}}[channel]

    async def session():
        connection = await asyncpg.connect(
            host=pooler.address[0], port=pooler.address[1], user="guest", database="bench", password=PASSWORD,
            timeout=20, **options)
        try:
            return await connection.fetchval("select 6 * 7")
        finally:
            await connection.close()

    if method == "cert" and channel == "plain":
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError) as refused:
            asyncio.run(session())
        assert refused.value.sqlstate == "28000"
    else:
        assert asyncio.run(session()) == 42


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channel", ["plain", "require", "verify-full"])
def test_pg8000_gets_in(start, authority, guest, listen, channel, method):
    """pg8000 binds SCRAM to the channel whenever there is one; direct TLS is unknown to it."""
    pooler = start(route(method), listen=listen())
    settings = {"plain": None, "require": tls.context(certificate=guest),
                "verify-full": tls.context(authority, guest, check_hostname=True)}[channel]

    def connect():
        return pg8000.dbapi.connect(host=pooler.address[0], port=pooler.address[1], user="guest", database="bench",
                                    password=PASSWORD, timeout=20, ssl_context=settings or False)

    if method == "cert" and channel == "plain":
        with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
            connect()
        assert refused.value.args[0]["C"] == "28000"
        return
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("select 6 * 7")
    assert cursor.fetchone()[0] == 42
    connection.close()


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_scram_binds_to_every_kind_of_certificate_that_has_a_digest(start, authority, listen, kind):
    own = authority.issue(f"kind-{kind}", "pooler", kind=kind)
    # Its own signature decides on the digest, so an authority of the same kind would be needed to have none.
    pooler = start(route("scram-sha-256"), listen=listen(certificate=own))
    with psycopg.connect(**login(pooler, sslmode="require", channel_binding="require")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("channel", ["require", "direct"])
def test_a_wrong_password_is_wrong_under_tls_too(start, authority, listen, channel):
    for method in METHODS[1:4]:
        pooler = start(route(method), listen=listen())
        options = login(pooler, **by_libpq(authority, channel)) | {"password": "wrong"}
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(**options).close()


# What a listener insists on


@pytest.mark.parametrize("mode", ["require", "verify_ca", "verify_full"])
def test_a_listener_that_needs_tls_refuses_plain_sessions(start, authority, guest, listen, mode):
    pooler = start(route(), listen=listen(mode))
    with pytest.raises(ServerError) as refused:
        pooler.connect(user="guest", database="bench")
    assert refused.value.code == "28000" and refused.value.fields["S"] == "FATAL"
    # The packet is known by now, and counts no more for that.
    with psycopg.connect(**login(pooler, **by_libpq(authority, "require", guest))) as connection:
        connection.execute("select 1")
    with pytest.raises(ServerError) as refused:
        pooler.connect(user="guest", database="bench")
    assert refused.value.code == "28000"
    # libpq tries again with TLS when it is let choose.
    with psycopg.connect(**login(pooler, sslmode="allow", sslcert=guest.cert, sslkey=guest.key)) as connection:
        assert connection.pgconn.ssl_in_use


def test_a_listener_without_tls_answers_n(start, authority):
    pooler = start(route())
    stream, answer = tls.ask(pooler.address)
    assert answer == b"N"
    stream.close()
    with psycopg.connect(**login(pooler, sslmode="prefer")) as connection:
        assert not connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        psycopg.connect(**login(pooler, sslmode="require"))


@pytest.mark.parametrize("mode", ["verify_ca", "verify_full"])
def test_clients_without_a_good_certificate_are_refused(start, place, authority, guest, listen, mode):
    expired = authority.issue("expired", "guest", first=-10, last=-5)
    revoked = authority.issue("revoked", "guest")
    stranger = Authority(place.directory("strangers"), "stranger").issue("guest", "guest")
    pooler = start(route(), listen=listen(mode, tls_crl_file=authority.revoke(revoked)))
    with psycopg.connect(**login(pooler, **by_libpq(authority, "verify-full", guest))) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    refusals = {None: "certificate required", expired: "certificate expired", revoked: "certificate revoked",
                stranger: "unknown ca"}
    for shown, told in refusals.items():
        with pytest.raises(psycopg.OperationalError, match=told):
            psycopg.connect(**login(pooler, **by_libpq(authority, "require", shown)) | {"sslcertmode": (
                "disable" if shown is None else "allow")})
    log = pooler.log()
    for reason in ["peer did not return a certificate", "certificate has expired", "certificate revoked"]:
        assert reason in log, reason


def test_a_certificate_lets_in_whom_it_names(start, authority, guest, listen):
    clerk = authority.issue("clerk", "clerk")
    pooler = start(
        route("cert"), Route(user="staff", authentication="cert", storage_user="bench",
                             more={"auth_common_name": "clerk, keeper"}), listen=listen("prefer"))
    for user, shown, allowed in [("guest", guest, True), ("guest", clerk, False), ("staff", clerk, True),
                                 ("staff", guest, False), ("guest", None, False)]:
        wire = tls.secured(pooler.address, tls.context(certificate=shown))
        wire.send(startup({"user": user, "database": "bench"}))
        if allowed:
            wire.authenticate(user, None)
            assert wire.value("select 1") == "1"
        else:
            with pytest.raises(ServerError) as refused:
                wire.authenticate(user, None)
            assert refused.value.code == "28000"
        wire.close()


def test_only_the_versions_of_the_listener_are_spoken(start, listen):
    pooler = start(route(), listen=listen(tls_protocols="tlsv1.3"))
    with pytest.raises(ssl.SSLError, match="(?i)alert protocol version"):
        tls.secured(pooler.address, tls.context(maximum_version=ssl.TLSVersion.TLSv1_2))
    wire = tls.secured(pooler.address)
    assert wire.stream.version() == "TLSv1.3"
    wire.close()
    pooler = start(route(), listen=listen(tls_protocols="tlsv1.2", tls_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
    wire = tls.secured(pooler.address)
    assert wire.stream.cipher()[:2] == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2")
    wire.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_whichever_worker_gets_it(start, listen, version):
    pooler = start(route(), listen=listen(), workers=3)
    settings = tls.context(maximum_version=version)
    ticket, resumed = None, []
    for _ in range(8):
        wire = tls.secured(pooler.address, settings, session=ticket)
        wire.send(startup({"user": "guest", "database": "bench"}))
        wire.authenticate("guest", None)
        resumed.append(wire.stream.session_reused)
        ticket = ticket or wire.stream.session
        wire.close()
    assert resumed == [False] + [True] * 7


# What goes over it


def megabytes(count):
    return f"select repeat('x', 1048576) from generate_series(1, {count})"


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_big_results_and_copies_arrive_whole(start, authority, listen, pool):
    count = int(os.environ.get("CAROM_COPY_MB", "100"))
    pooler = start(route(pool=pool), listen=listen("require"))
    with psycopg.connect(**login(pooler, **by_libpq(authority, "verify-full")), autocommit=True) as connection:
        with connection.cursor() as cursor:
            total = 0
            for row in cursor.stream(megabytes(count)):
                assert len(row[0]) == 1048576
                total += 1
            assert total == count
            cursor.execute("drop table if exists tls_copy")
            cursor.execute("create table tls_copy (line text)")
            line = ("y" * 9_999 + "\n").encode()
            with cursor.copy("copy tls_copy from stdin") as copy:
                for _ in range(count * 10):
                    copy.write(line * 10)
            cursor.execute("select count(*), sum(length(line)) from tls_copy")
            assert cursor.fetchone() == (count * 100, count * 100 * 9_999)
            received = 0
            with cursor.copy("copy tls_copy to stdout") as copy:
                for data in copy:
                    received += len(data)
            assert received == count * 100 * 10_000
            cursor.execute("drop table tls_copy")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_record_is_longer_than_what_postgres_sends_at_once(start, listen, version):
    """libpq reads 8,192 bytes at least. Of a longer record a part may stay in OpenSSL, where no socket tells a client of it that waits."""
    pooler = start(route(), listen=listen("require"))
    stream, _ = tls.ask(pooler.address)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    settings = tls.context(minimum_version=version, maximum_version=version)
    layer = settings.wrap_bio(incoming, outgoing)
    raw = bytearray()

    def until(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                stream.sendall(outgoing.read())
                data = stream.recv(1 << 16)
                assert data
                raw.extend(data)
                incoming.write(data)

    until(layer.do_handshake)
    layer.write(startup({"user": "guest", "database": "shop"}) + query("select repeat('x', 3000000)"))
    answer = b""
    while answer.count(b"Z\0\0\0\5I") < 2:
        answer += until(lambda: layer.read(1 << 16))
    stream.close()
    lengths, position = [], 0
    while position < len(raw):
        kind, length = raw[position], int.from_bytes(raw[position + 3:position + 5], "big")
        position += 5 + length
        if kind == 23:
            lengths.append(length)
    assert len(answer) > 3_000_000 and max(lengths) <= 8_192 + 64, max(lengths)
    assert len(lengths) < 3_000_000 / 8_192 * 1.3, "most of them are full"


def test_prepared_statements_follow_their_client(start, authority, listen):
    pooler = start(route(pool_size=2), listen=listen("require"), workers=2)
    clients = [psycopg.connect(**login(pooler, **by_libpq(authority, "require")), autocommit=True,
                               prepare_threshold=0) for _ in range(5)]
    for round in range(20):
        for number, client in enumerate(clients):
            assert client.execute("select %s::int + %s::int", (number, round)).fetchone() == (number + round,)
    for client in clients:
        client.close()


def test_a_cancel_comes_over_tls(start, authority, listen, postgres):
    pooler = start(route(), listen=listen("require"))
    with psycopg.connect(**login(pooler, **by_libpq(authority, "verify-full")), autocommit=True) as connection:
        async def cancelled():
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(None, connection.execute, "select pg_sleep(30)")
            await loop.run_in_executor(None, lambda: wait_until(
                lambda: postgres.value("select count(*) from pg_stat_activity where state = 'active' "
                                       "and query = 'select pg_sleep(30)'") == "1", "it runs"))
            # Of libpq 17 and later: encrypted as the connection is.
            connection.cancel_safe(timeout=10)
            await running
        with pytest.raises(psycopg.errors.QueryCanceled):
            asyncio.run(cancelled())
        assert connection.execute("select 1").fetchone() == (1,)
    # Whoever comes unencrypted is refused here, so the cancel was not.
    assert pooler.log().count("TLSv1.3") >= 2


@pytest.mark.slow
# Of prepared statements pgbench makes those with a call that blocks its thread, and with it those who have a server.
@pytest.mark.parametrize("protocol, threads", [("simple", 2), ("extended", 2), ("prepared", 16)])
def test_pgbench_runs_clean(start, postgres, listen, protocol, threads):
    pooler = start(Route(user="bench", pool_size=4), listen=listen("require"), workers=2)
    pgbench(postgres.address, "-i", "-s", 1, "-q")
    seconds = min(5, int(os.environ.get("CAROM_PGBENCH_SECONDS", "20")))
    count, _ = transactions(pgbench(pooler.address, "-n", "-M", protocol, "-c", 16, "-j", threads, "-T", seconds,
                                    sslmode="require"))
    assert count > 0
    count, _ = transactions(pgbench(pooler.address, "-n", "-S", "-C", "-c", 8, "-j", 2, "-T", seconds, sslmode="require"))
    assert count > 0


def test_certificates_are_replaced_under_load(start, authority, host, listen, tmp_path):
    """No connect fails meanwhile, and each new one is shown within a second."""
    files = authority.issue("first", "pooler", [host])
    current = Certificate(str(tmp_path / "crt"), str(tmp_path / "key"), files.serial)

    def put(issued):
        for source, target in ((issued.cert, current.cert), (issued.key, current.key)):
            shutil.copy(source, f"{target}.new")
        os.rename(f"{current.key}.new", current.key)
        os.rename(f"{current.cert}.new", current.cert)
    put(files)
    pooler = start(Route(storage_user="bench", storage_db="bench"), workers=2, listen=listen("require", certificate=current))
    load = threading.Thread(target=lambda: outputs.append(
        pgbench(pooler.address, "-n", "-f", script, "-C", "-c", 8, "-j", 2, "-T", 6, sslmode="require", check=False)))
    outputs, delays, script = [], [], tmp_path / "script.sql"
    script.write_text("select 1;\n")
    load.start()
    for number, kind in enumerate(["ec", "rsa", "ec", "rsa"]):
        issued = authority.issue(f"next{number}", "pooler", [host], kind=kind)
        put(issued)
        began = time.monotonic()
        pooler.child.signal(signal.SIGHUP)
        wait_until(lambda: shown(pooler) == issued.serial, "the new certificate is shown", timeout=10)
        delays.append(time.monotonic() - began)
    load.join()
    count, _ = transactions(outputs[0])
    print(f"{count} connections; new certificates in effect after {', '.join(f'{delay:.3f} s' for delay in delays)}")
    assert "ERROR" not in outputs[0] and "FATAL" not in outputs[0] and "failed" not in outputs[0].replace(
        "number of failed transactions: 0 (0.000%)", ""), outputs[0]
    assert count > 50 and max(delays) < float(os.environ.get("CAROM_CERTIFICATE_SECONDS", 1))


def shown(pooler):
    """The serial number of the certificate that a new client is shown."""
    wire = tls.secured(pooler.address)
    try:
        return x509.load_der_x509_certificate(wire.stream.getpeercert(True)).serial_number
    finally:
        wire.abort()

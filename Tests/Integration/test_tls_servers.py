# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Servers under TLS: what a storage asks for, what PostgreSQL's own rules allow, and who only says that he is the server."""

import os
import socket
import threading

import psycopg
import pytest

from lib import proc, tls
from lib.certificates import Authority
from lib.config import Route
from lib.fakeserver import GREETING, FakeServer
from lib.load import pgbench, transactions
from lib.places import free_address
from lib.postgres import PASSWORDS, Postgres
from lib.waiting import wait_until
from lib.wire import ServerError, message, query, send_cancel, startup

pytestmark = pytest.mark.own
MODES = ["disable", "allow", "prefer", "require", "verify_ca", "verify_full"]
#: Databases by what the server's rules want of a connection to them.
KINDS = {"encrypted": "hostssl", "open": "hostnossl", "either": "host"}
USERS = {"clear_user": "password", "md5_user": "md5", "scram_user": "scram-sha-256", "bench": "trust"}


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("servers"), "servers")


@pytest.fixture(scope="module")
def clients(place):
    return Authority(place.directory("poolers"), "poolers")


@pytest.fixture(scope="module")
def shown(clients):
    """What the pooler shows to servers."""
    return clients.issue("shown", "cert_user")


@pytest.fixture(scope="module")
def secure(place, authority, clients):
    """PostgreSQL with TLS, and a rule for each kind of connection."""
    rules = ["local all all trust"]
    rules += ["hostssl encrypted cert_user 127.0.0.0/8 cert",
              "hostssl either scram_user 127.0.0.0/8 scram-sha-256 clientcert=verify-ca"]
    rules += [f"{kind} {database} {user} 127.0.0.0/8 {method}"
              for database, kind in KINDS.items() for user, method in USERS.items()]
    rules += ["host all postgres 127.0.0.0/8 trust"]

    def settings(server):
        own = authority.issue("server", "server", ["db.test", server.address[0]]).copied_for(server.user, server.data)
        return (f"ssl = on\nssl_cert_file = '{own.cert}'\nssl_key_file = '{own.key}'\n"
                f"ssl_ca_file = '{clients.cert}'\n")

    os.chmod(place.directory("poolers"), 0o755)
    os.chmod(clients.cert, 0o644)
    server = Postgres.primary(place, settings, name="secure", access="\n".join(rules) + "\n")
    with server.connect() as admin:
        admin.rows("create role cert_user login superuser")
        for database in KINDS:
            admin.rows(f"create database {database}")
    yield server
    server.stop()


def storage(server, mode, authority=None, shown=None, **more):
    address = server if isinstance(server, tuple) else server.address
    files = {"tls_ca_file": authority.cert} if authority else {}
    if shown:
        files |= {"tls_cert_file": shown.cert, "tls_key_file": shown.key}
    where = {} if "hosts_file" in more else {"host": address[0], "port": address[1]}
    return {**where, "tls": mode, **files, **more}


def route(user="bench", database="either", **more):
    return Route(user="guest", storage_user=user, storage_password=PASSWORDS.get(user), storage_db=database,
                 pool_timeout=2000, **more)


def is_encrypted(pooler):
    with pooler.connect(user="guest") as wire:
        return wire.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"


def refusal(pooler):
    """What a client is told that gets no server: code, message and detail."""
    with pytest.raises(ServerError) as refused:
        pooler.connect(user="guest").value("select 1")
    fields = refused.value.fields
    return fields["C"], f"{fields['M']}; {fields.get('D', '')}"


# What a storage asks for, and what the server's rules allow


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("database", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_storage_is_spoken_to_as_libpq_would(start, secure, authority, shown, mode, database, user):
    pooler = start(route(user, database, more={"client_fwd_error": True}),
                   storage=storage(secure, mode, authority, shown))
    impossible = {"disable": ["encrypted"], "allow": [], "prefer": []}.get(mode, ["open"])
    if database in impossible:
        code, text = refusal(pooler)
        assert code == "28000" and "no pg_hba.conf entry" in text
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            direct(secure, mode, authority, shown, user, database)
    else:
        encrypted = database == "encrypted" or database == "either" and mode not in ("disable", "allow")
        assert is_encrypted(pooler) == encrypted == direct(secure, mode, authority, shown, user, database)


def direct(server, mode, authority, shown, user, database):
    """Whether libpq itself comes to an encrypted connection."""
    with psycopg.connect(host=server.address[0], port=server.address[1], user=user, dbname=database,
                         password=PASSWORDS.get(user), sslmode=mode.replace("_", "-"), sslrootcert=authority.cert,
                         sslcert=shown.cert, sslkey=shown.key, gssencmode="disable") as connection:
        return connection.pgconn.ssl_in_use


def test_a_certificate_proves_the_pooler_to_the_server(start, secure, authority, clients, shown):
    pooler = start(route("cert_user", "encrypted"), storage=storage(secure, "verify_full", authority, shown))
    assert is_encrypted(pooler)
    other = clients.issue("other", "somebody")
    pooler = start(route("cert_user", "encrypted", more={"client_fwd_error": True}),
                   storage=storage(secure, "verify_full", authority, other))
    assert refusal(pooler)[0] == "28000"


def test_a_certificate_of_an_unknown_authority_is_refused_by_the_server(start, secure, authority):
    stranger = authority.issue("stranger", "cert_user")
    pooler = start(route("cert_user", "encrypted"), storage=storage(secure, "require", authority, stranger))
    code, text = refusal(pooler)
    assert code == "08006" and "unknown ca" in text


@pytest.mark.parametrize("mode", MODES[3:])
def test_a_server_without_tls_is_refused_where_it_is_needed(start, postgres, authority, mode):
    pooler = start(route("bench", "bench"), storage=storage(postgres, mode, authority))
    code, text = refusal(pooler)
    assert code == "08006" and "the server speaks no TLS, which is required" in text


@pytest.mark.parametrize("mode", MODES[:3])
def test_a_server_without_tls_will_do_where_it_is_not(start, postgres, authority, mode):
    assert not is_encrypted(start(route("bench", "bench"), storage=storage(postgres, mode, authority)))


# Who the server is


@pytest.fixture
def named(place):
    """The directives for a server that is known by a name, without the DNS."""
    def directives(name, address):
        path = f"{place.directory('hosts')}/{name}-{address[1]}"
        with open(path, "w") as file:
            file.write(f"{name} {address[0]}:{address[1]}\n")
        return {"hosts_file": path}
    return directives


def test_the_certificate_must_be_for_the_name_of_the_storage(start, secure, authority, named):
    right = start(route(), storage=storage(secure, "verify_full", authority, **named("db.test", secure.address)))
    assert is_encrypted(right)
    wrong = start(route(), storage=storage(secure, "verify_full", authority, **named("no.test", secure.address)))
    code, text = refusal(wrong)
    assert code == "08006" and "hostname mismatch" in text and "no.test" in text
    # With the chain alone, or without any check, the name does not matter.
    for mode in ("verify_ca", "require"):
        assert is_encrypted(start(route(), storage=storage(
            secure, mode, authority, **named("no.test", secure.address))))


def test_a_server_that_is_given_by_its_address_is_checked_by_that(start, secure, authority, place):
    assert is_encrypted(start(route(), storage=storage(secure, "verify_full", authority)))
    nameless = authority.issue("nameless", "server", ["db.test"])
    with tls.Intruder(nameless, secure.address) as intruder:
        code, text = refusal(start(route(), storage=storage(intruder.address, "verify_full", authority)))
        assert code == "08006" and "IP address mismatch" in text


def test_the_server_hears_its_name(start, secure, authority, named):
    own = authority.issue("sni", "server", ["db.test"])
    with tls.Intruder(own, secure.address) as server:
        pooler = start(route(), storage=storage(server.address, "verify_full", authority,
                                                **named("db.test", server.address)))
        assert is_encrypted(pooler)
        assert set(server.names) == {"db.test"}
    with tls.Intruder(own, secure.address) as server:
        assert is_encrypted(start(route(), storage=storage(server.address, "require")))
        assert set(server.names) == {None}, "an address is no name"


def test_certificates_that_are_no_good_are_refused_and_the_client_is_told_why(start, place, secure, authority):
    def told(certificate, mode="verify_ca", **more):
        with tls.Intruder(certificate, secure.address) as server:
            code, text = refusal(start(route(), storage=storage(server.address, mode, authority, **more)))
            assert code == "08006"
            return text

    stranger = Authority(place.directory("elsewhere"), "elsewhere").issue("server", "server")
    expired = authority.issue("expired", "server", first=-9, last=-2)
    early = authority.issue("early", "server", first=1, last=2)
    revoked = authority.issue("revoked", "server")
    assert "unable to get local issuer certificate" in told(stranger)
    assert "certificate has expired" in told(expired)
    assert "certificate is not yet valid" in told(early)
    assert "certificate revoked" in told(revoked, tls_crl_file=authority.revoke(revoked))


def test_without_a_ca_file_the_systems_authorities_count(start, secure):
    code, text = refusal(start(route(), storage=storage(secure, "verify_ca")))
    assert code == "08006" and "certificate" in text


def test_scram_is_bound_to_the_channel(start, secure, authority):
    """Somebody in between who has a certificate that is believed gets no further than to the password."""
    own = authority.issue("between", "server")
    with tls.Intruder(own, secure.address) as intruder:
        pooler = start(route("scram_user", "encrypted", more={"client_fwd_error": True}),
                       storage=storage(intruder.address, "verify_ca", authority))
        with pytest.raises(ServerError) as refused:
            pooler.connect(user="guest").value("select 1")
        assert "SCRAM channel binding check failed" in str(refused.value)
        # Without a password that is bound nobody would notice him.
        assert is_encrypted(start(route("md5_user", "encrypted"),
                                  storage=storage(intruder.address, "verify_ca", authority)))


# Servers that do not mean well (CVE-2021-23222, CVE-2021-43767, CVE-2024-10977)


class Answer:
    """A server that answers the request for TLS in a way of its own."""

    def __init__(self, play):
        self.play, self.heard, self.streams = play, [], []
        self.address = free_address()
        self.listener = socket.create_server(self.address, backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            if stream.recv(8) == tls.REQUEST:
                self.play(stream)
                while data := stream.recv(65536):
                    self.heard.append(data)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for stream in self.streams:
            stream.close()


def send(*parts):
    def play(stream):
        for part in parts:
            if part is None:
                stream.recv(65536)
            else:
                stream.sendall(part)
    return play


ERROR = message(b"E", b"SFATAL\0C53300\0Mwords that anybody could have put here\0\0")


@pytest.mark.parametrize("answer, told", [
    (send(b"S" + GREETING), "bytes came unencrypted behind the agreement to encrypt"),
    (send(b"S", None, GREETING), "wrong version number"),
    (send(b"N"), "speaks no TLS"),
    (send(b"N" + GREETING), "speaks no TLS"),
    (send(ERROR), "answered the request for TLS with an error"),
    (send(b"X"), "answered the request for TLS with"),
    (send(b"S", None, b"\x16\x03\x03\x00\x40" + b"z" * 64), "TLS with server"),
    (lambda stream: stream.shutdown(socket.SHUT_RDWR), "Connection reset by peer"),
    (lambda stream: (stream.sendall(b"S"), stream.recv(1), stream.shutdown(socket.SHUT_RDWR)), "TLS"),
    (send(b"S"), "no answer within"),
    (send(), "no answer within"),
], ids=["S and more", "S and plain text", "N", "N and more", "E", "X", "garbage", "hangs up", "hangs up later",
        "silence after S", "silence"])
@pytest.mark.parametrize("mode", ["require", "verify_full"])
def test_a_server_that_does_not_come_to_tls_gets_no_word_of_the_login(start, authority, mode, answer, told):
    with Answer(answer) as server:
        pooler = start(route("scram_user", "encrypted"), storage=storage(server.address, mode, authority),
                       globals={"backend_connect_timeout_ms": 700})
        code, text = refusal(pooler)
        assert code == "08006" and told in text, text
        assert "anybody" not in text + pooler.log()
        assert b"scram_user" not in b"".join(server.heard)


def test_where_tls_is_only_preferred_a_failed_handshake_is_tried_again_in_the_open(start):
    """As with libpq: `prefer` is no protection, and does not pretend to be one."""
    def play(stream):
        stream.sendall(b"S")
        stream.recv(65536)
        stream.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    with FakeServer() as fake:
        original = fake._serve

        def serve(stream):
            head = stream.recv(8, socket.MSG_PEEK)
            if head == tls.REQUEST:
                stream.recv(8)
                play(stream)
                stream.close()
            else:
                original(stream)
        fake._serve = serve
        with start(route(), storage=storage(fake.address, "prefer")).connect(user="guest") as wire:
            assert wire.value("select 1") == "fine"


# What goes over it


def test_a_cancel_to_the_server_is_encrypted_as_its_connection_is(start, secure, authority):
    own = authority.issue("cancels", "server")
    with tls.Intruder(own, secure.address) as between:
        pooler = start(route(), storage=storage(between.address, "require"))
        with pooler.connect(user="guest") as wire:
            wire.send(query("select pg_sleep(30)"))
            wait_until(lambda: secure.value("select count(*) from pg_stat_activity where state = 'active' "
                                            "and query = 'select pg_sleep(30)'") == "1", "it runs")
            send_cancel(pooler.address, wire.key)
            with pytest.raises(ServerError) as refused:
                wire.result()
            assert refused.value.code == "57014"
            assert wire.value("select 1") == "1"
        assert between.cancels == 1


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_server_that_leaves_an_idle_connection_is_noticed(start, secure, authority, pool):
    pooler = start(route(pool=pool, pool_size=1), storage=storage(secure, "require"))
    with pooler.connect(user="guest") as wire:
        assert wire.value("select 1") == "1"
        if pool == "session":
            secure.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bench'")
            with pytest.raises(Exception, match="57P01|closed"):
                wire.value("select 1")
            return
        first = wire.value("select pg_backend_pid()")
        secure.rows(f"select pg_terminate_backend({first})")
        wait_until(lambda: secure.backends("bench") != [int(first)], "the server has left")
        assert wire.value("select pg_backend_pid()") != first


@pytest.mark.parametrize("protocols", ["tlsv1.2", "tlsv1.3"])
def test_both_legs_carry_big_results_and_copies(start, secure, authority, protocols):
    own = authority.issue("pooler", "pooler")
    count = int(os.environ.get("CAROM_COPY_MB", "100"))
    pooler = start(
        Route(user="bench", storage_db="either", pool_size=4), storage=storage(secure, "require"),
        listen={"tls": "require", "tls_cert_file": own.cert, "tls_key_file": own.key, "tls_protocols": protocols},
        workers=2)
    with psycopg.connect(host=pooler.address[0], port=pooler.address[1], user="bench", dbname="either",
                         sslmode="require", autocommit=True) as connection:
        with connection.cursor() as cursor:
            sizes = [len(row[0]) for row in cursor.stream(
                f"select repeat('x', 1048576) from generate_series(1, {count})")]
            assert sizes == [1048576] * count
            cursor.execute("drop table if exists both_legs")
            cursor.execute("create table both_legs (line text)")
            block = ("y" * 9_999 + "\n").encode() * 10
            with cursor.copy("copy both_legs from stdin") as copy:
                for _ in range(count * 10):
                    copy.write(block)
            with cursor.copy("copy both_legs to stdout") as copy:
                assert sum(len(data) for data in copy) == count * 1_000_000
            cursor.execute("drop table both_legs")


@pytest.mark.parametrize("protocols", ["tlsv1.2", "tlsv1.3"])
def test_a_client_that_does_not_read_holds_its_server_back_and_gets_all_of_it_later(
        start, secure, authority, protocols):
    own = authority.issue("slow", "pooler")
    pooler = start(Route(user="bench", storage_db="either", pool_size=4), storage=storage(secure, "require"),
                   listen={"tls": "require", "tls_cert_file": own.cert, "tls_key_file": own.key,
                           "tls_protocols": protocols})
    with tls.secured(pooler.address) as wire:
        wire.send(startup({"user": "bench", "database": "either"}))
        wire.authenticate("bench", None)
        before = proc.resident_bytes(pooler.pid)
        wire.send(query("select repeat('x', 1048576) from generate_series(1, 64)"))
        wait_until(lambda: secure.value("select wait_event from pg_stat_activity where state = 'active' "
                                        "and query like 'select repeat%'") == "ClientWrite", "it holds the server back")
        assert proc.resident_bytes(pooler.pid) - before < 8 << 20
        assert sum(len(row[0]) for row in wire.result()) == 64 << 20


@pytest.mark.slow
# Of prepared statements pgbench makes those with a call that blocks its thread, and with it those who have a server.
@pytest.mark.parametrize("protocol, threads", [("simple", 2), ("extended", 2), ("prepared", 16)])
def test_pgbench_runs_clean_over_both_legs(start, secure, authority, protocol, threads):
    own = authority.issue("load", "pooler")
    pgbench(secure.address, "-i", "-s", 1, "-q", database="either")
    pooler = start(Route(user="bench", storage_db="either", pool_size=4), storage=storage(secure, "require"),
                   listen={"tls": "require", "tls_cert_file": own.cert, "tls_key_file": own.key}, workers=2)
    seconds = min(5, int(os.environ.get("CAROM_PGBENCH_SECONDS", "20")))
    count, _ = transactions(pgbench(pooler.address, "-n", "-M", protocol, "-c", 16, "-j", threads, "-T", seconds,
                                    sslmode="require"))
    assert count > 0


# Direct TLS


def test_connections_can_begin_with_the_handshake(start, secure, authority):
    """To another pooler, because only PostgreSQL 17 and newer take that; cancels go the same way."""
    host = free_address()[0]
    certificate = authority.issue("inner", "inner", [host])
    inner = start(route(), storage=storage(secure, "require"), address=free_address(host),
                  listen={"tls": "require", "tls_cert_file": certificate.cert, "tls_key_file": certificate.key})
    outer = start(Route(user="guest", storage_user="guest", storage_db="either"), storage=storage(
        inner.address, "verify_full", authority, tls_negotiation="direct"))
    with outer.connect(user="guest") as wire:
        assert wire.value("select current_user") == "bench"
        wire.send(query("select pg_sleep(60) -- direct"))
        wait_until(lambda: secure.value("select count(*) from pg_stat_activity where state = 'active' "
                                        "and query like '%-- direct' and pid <> pg_backend_pid()") == "1", "it runs")
        send_cancel(outer.address, wire.key)
        with pytest.raises(ServerError) as ended:
            wire.result()
        assert ended.value.code == "57014"
    assert "TLSv1.3" in inner.log()


class OtherService(Answer):
    """Something that speaks TLS, but nothing about PostgreSQL."""

    def _serve(self, stream):
        try:
            inside = self.play.wrap_socket(stream, server_side=True)
            self.streams.append(inside)
            while data := inside.recv(65536):
                self.heard.append(data)
        except OSError:
            pass


def test_a_server_that_does_not_know_direct_tls_gets_no_word_of_the_login(start, secure, authority):
    """PostgreSQL before 17 hangs up; a server of another kind shakes hands, but for another protocol."""
    pooler = start(route("scram_user"), storage=storage(secure, "require", tls_negotiation="direct"))
    code, text = refusal(pooler)
    assert code == "08006" and "TLS with server" in text, text
    certificate = authority.issue("other", "other", ["127.0.0.1"])
    with OtherService(tls.server_context(certificate)) as server:
        pooler = start(route("scram_user"), storage=storage(server.address, "require", tls_negotiation="direct"))
        code, text = refusal(pooler)
        assert code == "08006" and "does not know direct TLS" in text, text
        assert b"scram_user" not in b"".join(server.heard)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of connection with every way to prove who one is, on both legs: in or not, as with PostgreSQL, with its SQLSTATE.

What cannot be is named with its reason. Each matrix is printed, and nothing is missing from it."""

import asyncio
import itertools
import os
import re
import subprocess

import asyncpg
import pg8000.dbapi
import psycopg
import pytest

from lib import tls
from lib.certificates import Authority
from lib.config import Route
from lib.places import free_address
from lib.pooler import Poolers
from lib.postgres import Postgres
from lib.wire import ServerError

pytestmark = pytest.mark.own

CHANNELS = ["plain", "tls", "verify-full", "direct"]
METHODS = ["none", "clear", "md5", "scram", "scram-plus", "cert", "auth_query", "auth_file", "hba"]
DRIVERS = ["psql", "psycopg", "asyncpg", "pg8000"]
CREDENTIALS = ["right", "wrong", "missing"]
PASSWORD = "client-S3cret"
#: What PostgreSQL is told of each method; a database for each.
LINES = {"none": "host none all {net} trust", "clear": "host clear all {net} password", "md5": "host md5 all {net} md5",
         "scram": "host scram all {net} scram-sha-256", "scram-plus": "host scram-plus all {net} scram-sha-256",
         "cert": "hostssl cert all {net} cert", "auth_query": "host auth_query all {net} scram-sha-256",
         "auth_file": "host auth_file all {net} scram-sha-256", "hba": "host hba guest {net} scram-sha-256"}


def user_of(method):
    return "guest_md5" if method == "md5" else "guest"


# Clients of each kind


class Secrets:
    """What clients show: a password, or certificates."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.right, self.wrong = self.authority.issue("guest", "guest"), self.authority.issue("clerk", "clerk")

    def password(self, method, credential):
        return {"right": PASSWORD, "wrong": "wrong", "missing": ""}[credential]

    def certificate(self, method, credential):
        return {"right": self.right, "wrong": self.wrong}.get(credential) if method == "cert" else None


def sqlstate(text):
    """Of what libpq says, which does not tell the state of a refusal."""
    states = {"28P01": "password authentication failed",
              "28000": "no pg_hba.conf entry|no hba_file entry|valid client certificate|certificate authentication failed|user blocked",
              "client": "channel binding|no password supplied"}
    found = [state for state, pattern in states.items() if re.search(pattern, text)]
    assert found, text
    return found[0]


def libpq(address, channel, method, credential, secrets):
    certificate = secrets.certificate(method, credential)
    return {"host": address[0], "port": address[1], "user": user_of(method), "dbname": method, "gssencmode": "disable",
            "password": secrets.password(method, credential), "connect_timeout": 20,
            **{"plain": {"sslmode": "disable"}, "tls": {"sslmode": "require"},
               "verify-full": {"sslmode": "verify-full", "sslrootcert": secrets.authority.cert},
               "direct": {"sslmode": "verify-full", "sslrootcert": secrets.authority.cert, "sslnegotiation": "direct"}}[channel],
            **({"channel_binding": "require"} if method == "scram-plus" else {}),
            **({"sslcert": certificate.cert, "sslkey": certificate.key} if certificate else {"sslcert": "/none"})}


def by_psql(*client):
    options = libpq(*client)
    password = options.pop("password")
    words = " ".join(f"{name}='{value}'" for name, value in options.items())
    done = subprocess.run(["psql", "-XAtwc", "select 6 * 7", words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PGPASSWORD": password})
    return "in" if done.stdout == "42\n" and done.returncode == 0 else sqlstate(done.stderr)


def by_psycopg(*client):
    try:
        with psycopg.connect(**libpq(*client)) as connection:
            assert connection.execute("select 6 * 7").fetchone() == (42,)
            assert connection.pgconn.ssl_in_use == (client[1] != "plain")
        return "in"
    except psycopg.OperationalError as refused:
        return sqlstate(str(refused))


def settings(channel, method, credential, secrets):
    certificate = secrets.certificate(method, credential)
    if channel == "plain":
        return None
    return tls.context(certificate=certificate) if channel == "tls" else tls.context(
        secrets.authority, certificate, check_hostname=True)


def by_asyncpg(address, channel, method, credential, secrets):
    async def session():
        connection = await asyncpg.connect(
            host=address[0], port=address[1], user=user_of(method), database=method,
            password=secrets.password(method, credential), timeout=20, direct_tls=channel == "direct",
            ssl=settings(channel, method, credential, secrets) or False)
        try:
            assert await connection.fetchval("select 6 * 7") == 42
        finally:
            await connection.close()
    try:
        asyncio.run(session())
        return "in"
    except asyncpg.PostgresError as refused:
        return refused.sqlstate


def by_pg8000(address, channel, method, credential, secrets):
    try:
        connection = pg8000.dbapi.connect(
            host=address[0], port=address[1], user=user_of(method), database=method, timeout=20,
            password=secrets.password(method, credential), ssl_context=settings(channel, method, credential, secrets) or False)
    except pg8000.dbapi.DatabaseError as refused:
        return refused.args[0]["C"]
    cursor = connection.cursor()
    cursor.execute("select 6 * 7")
    assert cursor.fetchone()[0] == 42
    connection.close()
    return "in"


BY = {"psql": by_psql, "psycopg": by_psycopg, "asyncpg": by_asyncpg, "pg8000": by_pg8000}
PSQL = int(re.search(r"\d+", subprocess.run(["psql", "--version"], capture_output=True, text=True).stdout)[0])


def impossible(channel, method, driver, credential):
    """Why this cannot be; None where it can."""
    if channel == "direct" and driver == "psql" and PSQL < 17:
        return f"psql {PSQL} knows no direct TLS"
    if channel == "direct" and driver == "pg8000":
        return "pg8000 knows no direct TLS"
    if method == "scram-plus" and driver == "asyncpg":
        return "asyncpg knows no channel binding"
    if method == "scram-plus" and driver == "pg8000" and channel == "plain":
        return "pg8000 cannot insist on channel binding"
    if method == "none" and credential != "right":
        return "nothing is asked for"
    if credential == "missing" and method != "cert":
        return "drivers differ in what they do without a password; test_auth.py sends an empty one"
    return None


# Servers of each kind


@pytest.fixture(scope="module")
def secrets(place):
    made = Secrets(place.directory("matrix"))
    os.chmod(made.authority.directory, 0o755)
    os.chmod(made.authority.cert, 0o644)
    return made


@pytest.fixture(scope="module")
def peer(place, secrets):
    """PostgreSQL itself."""
    def configured(server):
        own = secrets.authority.issue("peer", "peer", [server.address[0]]).copied_for(server.user, server.data)
        return f"ssl = on\nssl_cert_file = '{own.cert}'\nssl_key_file = '{own.key}'\nssl_ca_file = '{secrets.authority.cert}'\n"

    # The pooler's own connections, and ours, which no client is meant by.
    rules = ["local all all trust", "host all postgres,bench 127.0.0.0/8 trust"]
    server = Postgres.primary(place, configured, name="matrix-peer", access="\n".join(
        rules + [line.format(net="127.0.0.0/8") for line in LINES.values()]) + "\n")
    with server.connect() as admin:
        admin.rows(f"set password_encryption = 'scram-sha-256'; create role guest login password '{PASSWORD}'")
        admin.rows(f"set password_encryption = 'md5'; create role guest_md5 login password '{PASSWORD}'")
        for method in METHODS + ["closed"]:
            admin.rows(f'create database "{method}"')
    yield server
    server.stop()


@pytest.fixture(scope="module")
def files(place):
    directory = place.directory("matrix-files")
    paths = {name: os.path.join(directory, name) for name in ("users", "hba")}
    with open(paths["users"], "w") as file:
        file.write(f'"guest" "{PASSWORD}"\n')
    with open(paths["hba"], "w") as file:
        file.write("host hba guest all scram-sha-256\nhost all all all allow\n")
    return paths


@pytest.fixture(scope="module")
def pooler(place, peer, secrets, files):
    """The same of Carom: a route for each method."""
    poolers = Poolers(place, peer.address)
    host = free_address()[0]
    own = secrets.authority.issue("pooler", "pooler", [host])
    ways = {"none": {"authentication": "none"}, "clear": {"authentication": "clear_text", "password": PASSWORD},
            "md5": {"authentication": "md5", "password": PASSWORD}, "scram": {"authentication": "scram-sha-256", "password": PASSWORD},
            "scram-plus": {"authentication": "scram-sha-256", "password": PASSWORD}, "cert": {"authentication": "cert"},
            "auth_query": {"authentication": "scram-sha-256", "more": {"auth_query_db": "postgres", "auth_query_user": "postgres"}},
            "auth_file": {"authentication": "scram-sha-256", "more": {"auth_file": files["users"]}},
            "hba": {"authentication": "hba", "password": PASSWORD}}
    yield poolers(
        Route("postgres", "postgres", authentication="block", storage_user="postgres"),
        *(Route(method, user_of(method), storage_user="bench", storage_db="postgres", **ways[method]) for method in METHODS),
        address=free_address(host), workers=2, globals={"hba_file": files["hba"]},
        listen={"tls": "allow", "tls_cert_file": own.cert, "tls_key_file": own.key, "tls_ca_file": secrets.authority.cert})
    poolers.finish()


def test_clients_are_let_in_where_postgresql_would_let_them_in(peer, pooler, secrets):
    cells, differing = {}, []
    for cell in itertools.product(CHANNELS, METHODS, DRIVERS, CREDENTIALS):
        channel, method, driver, credential = cell
        reason = impossible(channel, method, driver, credential)
        if reason:
            cells[cell] = f"impossible: {reason}"
            continue
        # PostgreSQL before 17 knows no direct TLS; there is nothing else about it that could make a difference.
        reference = "verify-full" if channel == "direct" else channel
        expected = BY[driver](peer.address, reference, method, credential, secrets)
        found = BY[driver](pooler.address, channel, method, credential, secrets)
        cells[cell] = found if found == expected else f"{found}, with PostgreSQL {expected}"
        if found != expected:
            differing.append((cell, cells[cell]))
    for cell, found in cells.items():
        print(*cell, found)
    assert not differing, differing
    assert len(cells) == len(CHANNELS) * len(METHODS) * len(DRIVERS) * len(CREDENTIALS)
    assert {"in", "28P01", "28000", "client"} <= set(cells.values())
    # Each method was tried over each channel, by two drivers at least.
    tried = {cell for cell, found in cells.items() if not found.startswith("impossible")}
    for channel, method in itertools.product(CHANNELS, METHODS):
        drivers = {driver for driver in DRIVERS if (channel, method, driver, "right") in tried}
        assert len(drivers) >= (1 if method == "scram-plus" and channel == "direct" else 2), (channel, method, drivers)


# The other leg


def leg(method, credential):
    """What a route says of its server, and what its client shows."""
    user, more = user_of(method), {"client_fwd_error": True}
    secret = PASSWORD if credential == "right" else "wrong"
    # A pooler that refuses asks for the password first, PostgreSQL does not.
    if method in ("clear", "md5", "scram", "scram-plus", "hba"):
        return {"storage_user": user, "storage_password": secret, "more": more}, None
    if method == "auth_query":
        return {"authentication": "scram-sha-256", "more": {**more, "auth_query_db": "postgres", "auth_query_user": "postgres"}}, PASSWORD
    if method == "auth_file":
        return {"authentication": "scram-sha-256", "more": {**more, "auth_file": credential}}, secret
    return {"storage_user": user, "more": more}, None


def impossible_leg(channel, method, credential):
    if method == "scram-plus" and channel == "plain":
        return "there is no channel to bind to"
    if method in ("none", "hba") and credential == "wrong":
        return "nothing is shown"
    if method == "auth_query" and credential == "wrong":
        return "a client with a wrong password gets to no server; test_pass_through.py has keys that do not fit"
    return None


@pytest.mark.parametrize("channel", CHANNELS)
def test_servers_let_the_pooler_in_where_they_would_let_libpq_in(place, peer, secrets, files, channel):
    """By PostgreSQL's own pg_hba.conf. Before 17 it knows no direct TLS, so there a pooler is the server that both speak to."""
    poolers = Poolers(place, peer.address)
    server = peer.address
    if channel == "direct":
        host = free_address()[0]
        own = secrets.authority.issue("inner", "inner", [host])
        server = (host, free_address(host)[1])
        inner = {"none": {}, "cert": {"authentication": "cert"}, "clear": {"authentication": "clear_text", "password": PASSWORD},
                 "md5": {"authentication": "md5", "password": PASSWORD}}
        scram = {"authentication": "scram-sha-256", "password": PASSWORD}
        # The verifier of the server itself: keys of a client fit that one only.
        verifier = {"authentication": "scram-sha-256", "password": peer.value(
            "select rolpassword from pg_authid where rolname = 'guest'")}
        poolers(Route("postgres", "postgres"), Route("closed", "guest", authentication="block", storage_user="bench"),
                *(Route(method, user_of(method), storage_user="bench", storage_db="postgres", **(
                    verifier if method == "auth_query" else inner.get(method, scram))) for method in METHODS if method != "hba"),
                address=server, listen={"tls": "require", "tls_cert_file": own.cert, "tls_key_file": own.key,
                                        "tls_ca_file": secrets.authority.cert})
    wrong = os.path.join(place.directory("matrix-files"), "wrong-users")
    with open(wrong, "w") as file:
        file.write('"guest" "wrong"\n')
    mode = {"plain": {"tls": "disable"}, "tls": {"tls": "require"}, "verify-full": {"tls": "verify_full"},
            "direct": {"tls": "verify_full", "tls_negotiation": "direct"}}[channel]
    cells = {}
    for credential in ("right", "wrong"):
        shown = {"right": secrets.right, "wrong": secrets.wrong}[credential]
        files_of = {"tls_ca_file": secrets.authority.cert, "tls_cert_file": shown.cert, "tls_key_file": shown.key}
        routes, passwords = [Route("postgres", "postgres", authentication="none")], {}
        for method in METHODS:
            options, passwords[method] = leg(method, credential)
            if method == "auth_file":
                options["more"]["auth_file"] = files["users"] if credential == "right" else wrong
            database = "closed" if method == "hba" else method
            routes.append(Route(method, user_of(method), storage_db=database, pool_timeout=5000, **options))
        outer = poolers(*routes, storage={"host": server[0], "port": server[1], **mode, **({} if channel == "plain" else files_of)})
        for method in METHODS:
            reason = impossible_leg(channel, method, credential)
            if reason:
                cells[method, credential] = f"impossible: {reason}", None
                continue
            try:
                with outer.connect(database=method, user=user_of(method), password=passwords[method]) as wire:
                    found = "in" if wire.value("select 6 * 7") == "42" else "?"
            except ServerError as refused:
                found = refused.code
            cells[method, credential] = found, libpq_at(server, channel, method, credential, secrets)
    for cell, (found, expected) in cells.items():
        print(channel, *cell, found, "" if expected is None else f"(libpq: {expected})")
    poolers.finish()
    assert not {cell: both for cell, both in cells.items() if both[1] is not None and both[0] != both[1]}
    assert len(cells) == len(METHODS) * 2
    assert {found for found, expected in cells.values() if expected} == {"in", "28000", "28P01"}


def libpq_at(server, channel, method, credential, secrets):
    """What libpq comes to at the server itself."""
    options = libpq(server, channel, method, credential, secrets)
    if method == "hba":
        options["dbname"] = "closed"
    try:
        with psycopg.connect(**options) as connection:
            return "in" if connection.execute("select 6 * 7").fetchone() == (42,) else "?"
    except psycopg.OperationalError as refused:
        return sqlstate(str(refused))

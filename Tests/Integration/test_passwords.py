# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Passwords of any form: PostgreSQL, a client of its own and the pooler come to the same bytes (SASLprep), on both legs."""

import stringprep
import unicodedata

import psycopg
import pytest

from lib.config import Route
from lib.fakeserver import AUTHENTICATION_OK, GREETING, FakeServer
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, cstring, message

pytestmark = pytest.mark.own

PASSWORDS = {
    "roman numeral": "\u2168 horses", "ligature": "ﬁn\ufb03", "no-break space": "a\u00a0b", "soft hyphen": "a\u00adé",
    "combined accents": "e\u0301a\u0323\u0302", "accents in the wrong order": "a\u0302\u0323", "composed": "éậ",
    "Hangul": "한글", "Hangul letters": "\u1112\u1161\u11ab", "full width": "ＡＢＣ\u3000", "Arabic ligature": "\ufdfa",
    "right to left": "\u05d0\u05d1", "both directions": "\u05d0b", "a digit at its end": "\u05d01",
    "prohibited": "é\u0007\u2168", "private use": "\ue000\u2168", "newer than Unicode 3.2": "😀\u2168",
    "nothing is left": "\u00ad\u200d", "ohm": "\u2126", "excluded from composition": "\u0958\u0344",
    "mathematical": "𝐀\u00b2", "control in ASCII": "a\tb", "long": "ﬁ" * 10_000, "kana": "ｶﾞ",
}


def prepared(password):
    """What other clients make of it: SASLprep as PostgreSQL does it."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    tables = [getattr(stringprep, f"in_table_{name}") for name in (
        "a1", "c12", "c21_c22", "c3", "c4", "c5", "c6", "c7", "c8", "c9")]
    if not mapped or password.isascii() or any(table(c) for table in tables for c in mapped):
        return password
    if any(map(stringprep.in_table_d1, mapped)) and (
            any(map(stringprep.in_table_d2, mapped))
            or not stringprep.in_table_d1(mapped[0]) or not stringprep.in_table_d1(mapped[-1])):
        return password
    return unicodedata.normalize("NFKC", mapped)


@pytest.fixture(scope="module")
def roles(postgres):
    """A role for each password; each must prove itself by SCRAM."""
    with postgres.connect() as admin:
        for number, password in enumerate(PASSWORDS.values()):
            admin.rows(f"create role odd{number} login password '{password}'")
    hba = "\n".join(f"host all odd{number} 127.0.0.0/8 scram-sha-256" for number in range(len(PASSWORDS)))
    path = f"{postgres.data}/pg_hba.conf"
    before = open(path).read()
    with open(path, "w") as file:
        file.write(hba + "\n" + before)
    with postgres.connect() as admin:
        admin.rows("select pg_reload_conf()")
    yield
    with open(path, "w") as file:
        file.write(before)
    with postgres.connect() as admin:
        admin.rows("select pg_reload_conf()")


def by_libpq(address, user, password):
    with psycopg.connect(host=address[0], port=address[1], user=user, dbname="postgres", password=password,
                         sslmode="disable", gssencmode="disable", autocommit=True) as connection:
        return connection.execute("select current_user").fetchone()[0]


@pytest.mark.parametrize("number", range(len(PASSWORDS)), ids=PASSWORDS)
def test_a_password_that_postgresql_accepts_works_on_both_legs(start, postgres, roles, number):
    user, password = f"odd{number}", list(PASSWORDS.values())[number]
    assert by_libpq(postgres.address, user, password) == user
    verifier = postgres.value(f"select rolpassword from pg_authid where rolname = '{user}'")
    ways = {"scram-sha-256": password, "clear_text": password}
    # A client that prepares, one that does not, the password itself and what PostgreSQL stores of it.
    pooler = start(*[Route(user=f"{user}_{way}_{form}", authentication=way, password=secret, storage_user=user,
                           storage_db="postgres", storage_password=password)
                     for way in ways for form, secret in {"plain": password, "verifier": verifier}.items()])
    for way in ways:
        for form in ("plain", "verifier"):
            name = f"{user}_{way}_{form}"
            assert by_libpq(pooler.address, name, password) == user
            if way == "scram-sha-256":
                with pooler.connect(user=name, password=prepared(password)) as wire:
                    assert wire.value("select current_user") == user
            with pytest.raises(ServerError) as refused:
                pooler.connect(user=name, password="x" + password)
            assert refused.value.code == "28P01"


def test_bytes_that_are_no_text_are_taken_as_they_are(start, postgres):
    with postgres.connect() as admin:
        admin.rows("create database ascii encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'")
    password = b"\xff\xc3\xa9\xc2"
    with postgres.connect(database="ascii") as admin:
        admin.rows(b"create role no_text login password '" + password + b"'")
    verifier = postgres.value("select rolpassword from pg_authid where rolname = 'no_text'")
    pooler = start(Route(user="guest", authentication="clear_text", password=verifier, storage_user="bench"))
    with Wire.open(pooler.address, user="guest", password=password) as wire:
        assert wire.value("select current_user") == "bench"
    with pytest.raises(ServerError):
        Wire.open(pooler.address, user="guest", password=password[1:])


LONGEST = 65_535 - 4 - 1


@pytest.mark.parametrize("server", ["clear_user", "md5_user", "scram_user"])
def test_passwords_are_as_long_as_postgresql_takes_them(start, postgres, server):
    """`PG_MAX_AUTH_TOKEN_LENGTH`, the length word and the zero included."""
    password = "p" * LONGEST
    role = f"long_{server}"
    with postgres.connect() as admin:
        admin.rows(f"set password_encryption = '{'md5' if server == 'md5_user' else 'scram-sha-256'}'")
        admin.rows(f"create role {role} login password '{password}'")
    method = {"clear_user": "password", "md5_user": "md5", "scram_user": "scram-sha-256"}[server]
    path = f"{postgres.data}/pg_hba.conf"
    before = open(path).read()
    with open(path, "w") as file:
        file.write(f"host all {role} 127.0.0.0/8 {method}\n" + before)
    with postgres.connect() as admin:
        admin.rows("select pg_reload_conf()")
    try:
        wait_until(lambda: asks(postgres, role), "the server asks for the password")
        with postgres.connect(user=role, password=password) as wire:
            assert wire.value("select current_user") == role
        pooler = start(*[
            Route(user=f"{role}_{way}", authentication=way, password=password, storage_user=role,
                  storage_db="postgres", storage_password=password)
            for way in ("clear_text", "md5", "scram-sha-256")])
        for way in ("clear_text", "md5", "scram-sha-256"):
            with pooler.connect(user=f"{role}_{way}", password=password) as wire:
                assert wire.value("select current_user") == role
        for longer in (password + "p", password * 2):
            with pytest.raises(ServerError) as refused:
                pooler.connect(user=f"{role}_clear_text", password=longer)
            assert refused.value.code == "08P01"
    finally:
        with open(path, "w") as file:
            file.write(before)
        with postgres.connect() as admin:
            admin.rows("select pg_reload_conf()")


def asks(postgres, role):
    try:
        postgres.connect(user=role, password="wrong").close()
        return False
    except ServerError:
        return True


@pytest.mark.parametrize("asked", ["password", "md5", "scram-sha-256"])
def test_a_verifier_is_never_sent_as_a_password(start, postgres, asked):
    verifier = postgres.value("select rolpassword from pg_authid where rolname = 'scram_user'")
    seen = []

    def login(wire):
        request = {"password": b"\0\0\0\3", "md5": b"\0\0\0\5salt", "scram-sha-256": b"\0\0\0\12SCRAM-SHA-256\0\0"}
        wire.send(message(b"R", request[asked]))
        while True:
            seen.append(wire.receive())

    with FakeServer(login=login) as server:
        pooler = start(Route(user="guest", authentication="clear_text", password=verifier, pool_timeout=2000),
                       storage=server.address)
        with pytest.raises(ServerError):
            with pooler.connect(user="guest", password="scram-S3cret") as wire:
                wire.rows("select 1")
        if asked == "scram-sha-256":
            # The client has shown its keys, so the exchange begins. A server that goes no further has got a nonce.
            assert all(kind == b"X" or body.startswith(b"SCRAM-SHA-256\0") for kind, body in seen), seen
            assert not any(b"p=" in body or verifier.encode() in body for _, body in seen), seen
        else:
            assert "only a SCRAM verifier is configured" in pooler.log()
            assert all(kind == b"X" for kind, _ in seen), seen
        assert verifier not in pooler.log()


def test_a_host_that_is_listed_twice_counts_once(start, postgres):
    host, port = postgres.address
    pooler = start(Route(pool_size=3), storage={"host": f"{host}:{port},{host}:{port}, {host}", "port": port})
    wires = [pooler.connect(user="bench", database="bench") for _ in range(3)]
    for wire in wires:
        wire.rows("begin")
    assert len(postgres.backends("bench")) == 3
    for wire in wires:
        wire.close()
    assert "is listed twice and counts once" in pooler.log()


#: Leads to this machine, but only the kernel says so: the pooler must take it for another's.
ELSEWHERE = "0.0.0.0"


def test_the_password_itself_is_told_in_the_open_on_this_machine_only(start):
    seen = []

    def login(wire):
        wire.send(message(b"R", b"\0\0\0\3"))
        seen.append(wire.receive())
        wire.send(GREETING)

    for host, allowed, told in (
            (None, {}, True), (ELSEWHERE, {}, False), (ELSEWHERE, {"allow_cleartext_password": True}, True)):
        with FakeServer(login=login, host="127.0.0.1") as server:
            pooler = start(Route(user="guest", storage_password="s3cret", pool_timeout=2000),
                           storage={"host": host or server.address[0], "port": server.address[1], **allowed})
            seen.clear()
            try:
                pooler.connect(user="guest").close()
                assert told and (b"p", b"s3cret\0") in seen
            except ServerError as refused:
                assert not told and refused.code == "08006"
                assert not any(b"s3cret" in body for _, body in seen)
                assert "over a connection that is not encrypted" in pooler.log()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Who may in, who may not, and that no password is ever written down."""

import hashlib
import re
import time

import pytest

from lib import proc
from lib.config import Route
from lib.postgres import PASSWORDS
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, dial, query, startup

ID = r"c[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
METHODS = ["none", "clear_text", "md5", "scram-sha-256"]


def refusal(pooler, **options):
    """The error a login ends with."""
    with pytest.raises(ServerError) as refused:
        pooler.connect(**options).close()
    return refused.value


def assert_no_secret(pooler, *secrets):
    log = pooler.log()
    for secret in secrets:
        assert secret not in log


@pytest.mark.own
@pytest.mark.parametrize("method", METHODS)
def test_the_right_password_opens_and_a_wrong_one_does_not(start, method):
    plain = "a plain Passw0rd ✓"
    pooler = start(Route(user="guest", authentication=method, password=None if method == "none" else plain,
                         storage_user="bench"))
    with pooler.connect(user="guest", password=plain) as wire:
        assert wire.value("select current_user") == "bench"
    if method != "none":
        for wrong in ("", "a plain Passw0rd", plain + "x", "x" * 5000):
            error = refusal(pooler, user="guest", password=wrong)
            assert error.code == "28P01"
            assert re.search(ID, error.fields["M"]), error
    assert_no_secret(pooler, plain)


def test_md5_lets_in_and_keeps_out(start):
    """The one authentication test that both kinds of pooler run."""
    pooler = start(Route(user="bench", authentication="md5", password="peer-pw"))
    with pooler.connect(user="bench", password="peer-pw") as wire:
        assert wire.value("select current_user") == "bench"
    assert refusal(pooler, user="bench", password="nope").code in ("28P01", "08P01")


@pytest.mark.own
@pytest.mark.parametrize("client", METHODS)
@pytest.mark.parametrize("server", ["clear_user", "md5_user", "scram_user", "bench"])
def test_every_way_in_meets_every_way_on(start, client, server):
    secret = None if client == "none" else "client-S3cret"
    pooler = start(Route(user="guest", authentication=client, password=secret, storage_user=server,
                         storage_password=PASSWORDS.get(server)))
    with pooler.connect(user="guest", password="client-S3cret") as wire:
        assert wire.value("select current_user") == server
    assert_no_secret(pooler, "client-S3cret", *PASSWORDS.values())


@pytest.mark.own
def test_stored_hashes_serve_as_passwords(postgres, start):
    digest = "md5" + hashlib.md5(b"pencilhashed").hexdigest()
    verifier = postgres.value("select rolpassword from pg_authid where rolname = 'scram_user'")
    pooler = start(
        Route(user="hashed", authentication="md5", password=digest, storage_user="bench"),
        Route(user="verified", authentication="scram-sha-256", password=verifier, storage_user="bench"))
    with pooler.connect(user="hashed", password="pencil") as wire:
        assert wire.value("select 1") == "1"
    with pooler.connect(user="verified", password=PASSWORDS["scram_user"]) as wire:
        assert wire.value("select 1") == "1"
    assert refusal(pooler, user="hashed", password="pen").code == "28P01"
    assert refusal(pooler, user="verified", password="pen").code == "28P01"
    assert_no_secret(pooler, digest, verifier, "pencil", PASSWORDS["scram_user"])


@pytest.mark.own
def test_block_refuses_even_the_right_password(start):
    pooler = start(Route(user="guest", authentication="block", password="right", storage_user="bench"))
    assert refusal(pooler, user="guest", password="right").code == "28P01"


@pytest.mark.own
def test_an_unknown_route_is_3d000(start):
    pooler = start(Route(database="postgres", user="bench"))
    for options in ({"database": "nowhere", "user": "bench"}, {"database": "postgres", "user": "nobody"}):
        error = refusal(pooler, **options)
        assert error.code == "3D000"
    # PostgreSQL keeps 63 bytes of a name and would take a longer one for another; that is said instead (name_too_long).
    for size, code in ((63, "3D000"), (64, "42622"), (65, "42622"), (1000, "42622"), (9000, "42622")):
        try:
            assert refusal(pooler, database="d" * size, user="bench").code == code
        except ConnectionLost:
            pytest.fail(f"a database name of {size} characters got no answer")
    with pooler.connect(user="bench") as wire:
        assert wire.value("select 1") == "1"


@pytest.mark.own
def test_one_client_too_many_is_53300(start):
    pooler = start(Route(client_max=3))
    held = [pooler.connect() for _ in range(3)]
    assert refusal(pooler).code == "53300"
    assert all(wire.value("select 1") == "1" for wire in held)
    held.pop().close()
    def admitted():
        try:
            return pooler.connect()
        except ServerError as error:
            assert error.code == "53300"
            return None
    held.append(wait_until(admitted, "a place is free again after a client left"))
    for wire in held:
        wire.close()


@pytest.mark.own
def test_the_global_limit_is_53300(start):
    pooler = start(Route(), globals={"client_max": 2})
    held = [pooler.connect() for _ in range(2)]
    assert refusal(pooler).code == "53300"
    for wire in held:
        wire.close()


@pytest.mark.own
def test_waiting_longer_than_pool_timeout_is_53300(start):
    pooler = start(Route(pool_size=1, pool_timeout=500))
    holder, waiter = pooler.connect(), pooler.connect()
    holder.rows("begin")
    began = time.monotonic()
    with pytest.raises(ServerError) as refused:
        waiter.rows("select 1")
    assert refused.value.code == "53300"
    assert 0.45 <= time.monotonic() - began < 3
    assert holder.value("select 'undisturbed'") == "undisturbed"
    holder.close()


@pytest.mark.own
@pytest.mark.parametrize("wrong", [
    {"storage_user": "scram_user", "storage_password": "not-the-one"}, {"storage_db": "nowhere"}])
def test_a_server_that_lets_nobody_in_is_reported_at_once(start, wrong):
    pooler = start(Route(pool_timeout=20000, **wrong))
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(ServerError) as refused:
            pooler.connect()
        # Far below pool_timeout: waiting heals neither.
        assert time.monotonic() - began < 5
        assert refused.value.code == "08006"


@pytest.mark.own
def test_a_wrong_password_towards_the_server_is_reported_without_it(start):
    pooler = start(Route(storage_user="scram_user", storage_password="not-the-one"))
    with pytest.raises((ServerError, ConnectionLost)) as refused:
        with pooler.connect() as wire:
            wire.rows("select 1")
    assert isinstance(refused.value, ServerError)
    assert refused.value.code in ("08006", "28P01")
    assert_no_secret(pooler, "not-the-one")


@pytest.mark.own
def test_a_name_that_does_not_fit_the_log_line_does_not_forge_one(start):
    pooler = start(Route(database="postgres", user="bench"))
    refusal(pooler, user="evil\n1 2 info [cfake none] (main) all is well", database="postgres")
    assert not any(line.startswith("1 2 info [cfake") for line in pooler.log().splitlines())


@pytest.mark.own
def test_errors_carry_the_id_the_log_knows(start):
    pooler = start(Route(database="postgres", user="bench"))
    error = refusal(pooler, user="nobody")
    found = re.search(ID, error.fields["M"])
    assert found, error
    pooler.stop()
    assert found[0] in pooler.log()


def test_nothing_before_the_password_is_served(start):
    """A query sent instead of, or together with, a password is not run."""
    pooler = start(Route(user="bench", authentication="md5", password="pw"))
    wire = Wire(dial(pooler.address))
    wire.send(startup({"user": "bench", "database": "postgres"}))
    assert wire.receive()[0] == b"R"
    wire.send(query("select 'let me in'"))
    assert all(kind in (b"E", b"N") for kind, _ in wire.last_words())


@pytest.mark.own
def test_refused_logins_leave_nothing_behind(start):
    pooler = start(Route(authentication="block"))

    def refuse(count):
        for _ in range(count):
            refusal(pooler, password="any")
        return proc.resident_bytes(pooler.pid)
    before = refuse(500)
    # What stays of one would be a kilobyte or more.
    assert refuse(2000) - before < 500_000

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets of clients that a server is asked for, on connections of the pooler's own."""

import time

import pytest

from lib.config import Route
from lib.places import free_address
from lib.postgres import PASSWORDS
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, dial, startup

pytestmark = pytest.mark.own


def asking(query=None, method="scram-sha-256", user="bench", database="postgres", **options):
    """The routes of clients whose secrets are asked for, and of the one who asks."""
    more = {"auth_query_user": user, "auth_query_db": database, **({"auth_query": query} if query else {})}
    return (Route(authentication=method, more=more, **options),
            Route(database=database, user=user, authentication="block"))


def refused(pooler, user, password, **options):
    with pytest.raises(ServerError) as found:
        pooler.connect(user=user, password=password, **options).close()
    return found.value


@pytest.fixture
def role(postgres):
    """`role(name, "password '…' …")` makes a role for one test."""
    made = []

    def make(name, options):
        with postgres.connect() as admin:
            admin.rows(f"create role {name} {options}")
        made.append(name)
    yield make
    with postgres.connect() as admin:
        for name in made:
            admin.rows(f"drop role {name}")


@pytest.mark.parametrize("method", ["scram-sha-256", "clear_text"])
def test_a_client_logs_in_with_what_the_server_knows_of_it(start, method):
    """And its own server is opened with its own keys: the pooler's configuration has no secret at all."""
    pooler = start(*asking(method=method))
    with pooler.connect(user="scram_user", password=PASSWORDS["scram_user"]) as wire:
        assert wire.value("select current_user") == "scram_user"
    assert refused(pooler, "scram_user", "wrong").code == "28P01"
    assert refused(pooler, "nobody_at_all", PASSWORDS["scram_user"]).code == "28P01"
    wait_until(lambda: 'user "nobody_at_all": the query has no row for it' in pooler.log(), "the log knows why")
    assert PASSWORDS["scram_user"] not in pooler.log() and "SCRAM-SHA-256$" not in pooler.log()


def test_md5_secrets_are_asked_for_too(start):
    pooler = start(*asking(method="md5"))
    with pooler.connect(user="md5_user", password=PASSWORDS["md5_user"]) as wire:
        assert wire.value("select current_user") == "md5_user"
    assert refused(pooler, "md5_user", "wrong").code == "28P01"
    assert refused(pooler, "scram_user", PASSWORDS["scram_user"]).code == "28P01"


def test_secrets_may_come_from_a_table(start, postgres):
    with postgres.connect() as admin:
        admin.rows("create schema if not exists shop; create table if not exists shop.users (name text, secret text)")
        admin.rows("truncate shop.users; insert into shop.users values ('o''brien', 'pencil'), ('twice', 'a'), ('twice', 'a')")
    pooler = start(*asking("select name, secret from shop.users where name = $1", storage_user="bench", storage_db="postgres"))
    with pooler.connect(user="o'brien", password="pencil") as wire:
        assert wire.value("select current_user") == "bench"
    for user in ("twice", "x' or '1'='1"):
        assert refused(pooler, user, "a").code == "28P01"


def test_a_secret_that_has_run_out_lets_nobody_in(start, role):
    """CVE-2025-2291."""
    role("expired_user", "login password 'old' valid until '2020-01-01'")
    role("valid_user", "login password 'good' valid until '2099-01-01'")
    role("nologin_user", "password 'none' nologin")
    pooler = start(*asking())
    pooler.connect(user="valid_user", password="good").close()
    for user, password in (("expired_user", "old"), ("nologin_user", "none")):
        assert refused(pooler, user, password).code == "28P01"


def test_a_secret_that_runs_out_is_not_believed_for_long(start, role, postgres):
    """CVE-2025-2291: what is remembered has an end, too."""
    role("short_user", "login password 'good'")
    pooler = start(*asking())
    pooler.connect(user="short_user", password="good").close()
    with postgres.connect() as admin:
        admin.rows("alter role short_user valid until '2020-01-01'")

    def is_refused():
        try:
            pooler.connect(user="short_user", password="good").close()
        except ServerError as error:
            return error.code == "28P01"
    wait_until(is_refused, "it is asked for again", timeout=15)


@pytest.mark.parametrize("query", [
    "select 'bench', rolpassword from pg_authid where rolname = 'scram_user' and $1 <> ''",
    "select rolname, rolpassword from pg_authid where rolname in ($1, 'scram_user')",
    "select rolname, rolpassword from pg_authid where rolname = 'scram_user' and $1 <> ''",
    "select $1::text, null::text"])
def test_a_row_that_is_not_that_very_users_is_a_refusal(start, query):
    """CVE-2015-6817: an unknown user was logged in as the one who asks."""
    pooler = start(*asking(query))
    for user in ("stranger", "md5_user"):
        assert refused(pooler, user, PASSWORDS["scram_user"]).code == "28P01"


def test_no_setting_of_a_client_reaches_the_query(start, postgres, role):
    """CVE-2025-12819: by its search path a client that was not authenticated had code of its own run as the one who asks."""
    with postgres.connect() as admin:
        admin.rows("create schema if not exists evil; create table if not exists evil.ran (who text)")
        admin.rows("truncate evil.ran; create or replace view evil.pg_authid as "
                   "select 'scram_user'::name as rolname, 'stolen'::text as rolpassword")
    pooler = start(*asking("select rolname, rolpassword from pg_authid where rolname = $1"))
    for options in ({"search_path": "evil, pg_catalog"}, {"options": "-c search_path=evil,pg_catalog"}):
        assert refused(pooler, "scram_user", "stolen", **options).code == "28P01"
        with pooler.connect(user="scram_user", password=PASSWORDS["scram_user"], **options) as wire:
            assert "evil" in wire.value("show search_path")
    with postgres.connect() as admin:
        admin.rows("alter role bench set search_path = evil, pg_catalog")
    try:
        other = start(*asking("select rolname, rolpassword from pg_authid where rolname = $1"))
        assert refused(other, "scram_user", "stolen").code == "28P01"
        other.connect(user="scram_user", password=PASSWORDS["scram_user"]).close()
    finally:
        with postgres.connect() as admin:
            admin.rows("alter role bench reset search_path")


def test_answers_are_remembered_and_asked_for_once(start, postgres):
    with postgres.connect() as admin:
        admin.rows("create schema if not exists shop; create table if not exists shop.asked (name text)")
        admin.rows("truncate shop.asked; create or replace function shop.secret(who text) returns table (n text, s text) "
                   "language plpgsql security definer as $$begin insert into shop.asked values (who); return query "
                   "select who, case when who = 'known' then 'pencil' end; end$$")
    pooler = start(*asking("select n, s from shop.secret($1)", storage_user="bench"))
    for _ in range(5):
        pooler.connect(user="known", password="pencil").close()
        assert refused(pooler, "unknown", "pencil").code == "28P01"
    asked = {row[0]: int(row[1]) for row in postgres.rows("select name, count(*) from shop.asked group by name")}
    assert set(asked) == {"known", "unknown"} and all(count <= 2 for count in asked.values())


def test_a_server_that_cannot_be_asked_is_said_and_nobody_else_waits(start):
    pooler = start(*asking(), Route(database="open", user="bench", storage="pg"), storage=free_address())
    began = time.monotonic()
    assert refused(pooler, "scram_user", "any").code == "08006"
    assert time.monotonic() - began < 14
    assert "auth_query: " in pooler.log()


def test_a_lookup_that_hangs_holds_nobody_else_up(start, postgres):
    pooler = start(*asking("select $1::text, pg_sleep(3)::text"), Route(database="bench", user="bench"))
    waiting = Wire(dial(pooler.address))
    waiting.send(startup({"user": "slow", "database": "postgres"}))
    wait_until(lambda: int(postgres.value(
        "select count(*) from pg_stat_activity where application_name = 'carom auth_query' and state = 'active'")), "it is asked")
    began = time.monotonic()
    with pooler.connect(database="bench", user="bench") as wire:
        assert wire.value("select 1") == "1"
    assert time.monotonic() - began < 2
    waiting.abort()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that have said all they have to say, and close the side that they send on: they get their answers, as directly."""

import socket
import time

import pytest

from lib import proc
from lib.config import Route
from lib.directory import Answers
from lib.logins import PASSWORD
from lib.waiting import wait_until
from lib.wire import cstring, dial, message, query, startup

pytestmark = pytest.mark.own

SLOW = 0.5
#: As another role `bench` asks what it knows, after a while.
AUTH_QUERY = f"select $1::text, '{PASSWORD}'::text from pg_sleep({SLOW})"
#: How its server is reached.
ASKING = Route(user="bench")


def conversation(address, user, database, password=None):
    """What a client gets that sends everything at once and no more."""
    with dial(address) as client:
        client.sendall(startup({"user": user, "database": database}))
        if password is not None:
            assert client.recv(1000)[:1] == b"R"
            client.sendall(message(b"p", cstring(password)))
        client.sendall(query("select 41 + 1") + message(b"X"))
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := client.recv(1 << 16):
            answer += chunk
        return answer


def route(**options):
    return Route(**{"database": "shop", "storage_user": "bench", "storage_db": "postgres", **options})


@pytest.fixture
def slow_directory():
    with Answers(0, delay=SLOW) as answers:
        yield answers


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_client_that_has_closed_its_side_is_answered_while_something_is_found_out(start, slow_directory, pool):
    """Each for the first time, when there are no servers yet and nothing is known about the user."""
    endpoint = {"ldapserver": slow_directory.address[0], "ldapport": slow_directory.address[1], "ldapprefix": "uid="}
    pooler = start(
        route(database="open", pool=pool), route(database="plain", authentication="clear_text", password=PASSWORD, pool=pool),
        route(database="ldap", authentication="clear_text", more={"ldap_endpoint_name": "e"}, pool=pool),
        ASKING, route(database="asked", authentication="clear_text", pool=pool,
              more={"auth_query": AUTH_QUERY, "auth_query_user": "bench", "auth_query_db": "postgres"}),
        ldap_endpoints={"e": endpoint})
    for database, password in (("open", None), ("plain", PASSWORD), ("ldap", PASSWORD), ("asked", PASSWORD)):
        if database == "asked":
            # The question comes first there: the password is not waited for.
            with dial(pooler.address) as client:
                client.sendall(startup({"user": "ann", "database": database}) + message(b"p", cstring(PASSWORD))
                               + query("select 41 + 1") + message(b"X"))
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while chunk := client.recv(1 << 16):
                    answer += chunk
        else:
            answer = conversation(pooler.address, "ann", database, password)
        assert b"42" in answer and b"SELECT 1" in answer, (database, answer)


def test_a_client_that_has_gone_leaves_while_something_is_found_out(start):
    pooler = start(ASKING, route(database="asked", authentication="clear_text", more={
        "auth_query": AUTH_QUERY.replace(f"pg_sleep({SLOW})", "pg_sleep(4)"), "auth_query_user": "bench", "auth_query_db": "postgres"}))
    for number in range(20):
        with dial(pooler.address) as client:
            client.sendall(startup({"user": f"user{number}", "database": "asked"}))
            wait_until(lambda: proc.connections_at(pooler.pid, pooler.address), "it is served")
    wait_until(lambda: not proc.connections_at(pooler.pid, pooler.address), "their sockets are closed", timeout=2)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("method", ["clear_text", "ldap"])
def test_no_closing_of_a_side_makes_a_failure_known_earlier(start, half, method):
    with Answers(49) as answers:
        options = {"password": PASSWORD} if method == "clear_text" else {"more": {"ldap_endpoint_name": "e"}}
        pooler = start(
            route(authentication="clear_text", **options), globals={"auth_delay": 1000},
            ldap_endpoints={"e": {"ldapserver": answers.address[0], "ldapport": answers.address[1], "ldapprefix": "uid="}})
        with dial(pooler.address) as client:
            client.sendall(startup({"user": "ann", "database": "shop"}))
            assert client.recv(1000)[:1] == b"R"
            began = time.monotonic()
            client.sendall(message(b"p", cstring("wrong")))
            if half:
                client.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := client.recv(1 << 16):
                answer += chunk
            assert b"28P01" in answer and time.monotonic() - began > 0.95

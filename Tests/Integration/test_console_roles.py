# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Who may come to the console, and what each may do there: every command with every kind of user."""

import os
import subprocess
import sys

import psycopg
import pytest

from lib.config import CONSOLE, OPERATOR_PASSWORD, Route, console
from lib.places import reachable
from lib.process import unprivileged
from lib.wire import ServerError, Wire, error_fields

pytestmark = pytest.mark.own

ACTING = ["RELOAD", "SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SHUTDOWN WAIT_FOR_SERVERS", "KILL_CLIENT 1", "KILL", "KILL postgres",
          "PAUSE", "RESUME", "DISABLE postgres", "ENABLE postgres", "RECONNECT", "WAIT_CLOSE", "SHOW FDS", "SET client_max = 1"]
LOOKING = ["SHOW VERSION", "SHOW CLIENTS", "SHOW SERVERS", "SHOW POOLS", "SHOW HELP", "SHOW CONFIG"]


@pytest.fixture
def pooler(start):
    return start(Route(), console(), Route(database="open", storage=CONSOLE), workers=2)


def open_console(pooler, user, database="console", password=OPERATOR_PASSWORD):
    host, port = pooler.address
    return psycopg.connect(host=host, port=port, user=user, password=password, dbname=database, autocommit=True)


def refuses(connection, command):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="admin access needed"):
        connection.execute(command)


def test_a_stats_user_may_look_and_do_nothing(pooler):
    with open_console(pooler, "stats") as watcher:
        for command in ACTING:
            refuses(watcher, command)
        for command in LOOKING:
            watcher.execute(command)
    assert pooler.child.running
    with pooler.connect() as client:
        assert client.value("select 1") == "1"


def test_who_is_not_named_is_not_let_in_whatever_it_knows(pooler):
    for database in ("console", "open"):
        with pytest.raises(psycopg.OperationalError, match="not allowed"):
            open_console(pooler, "eve", database)
    with pytest.raises(psycopg.OperationalError, match="password"):
        open_console(pooler, "operator", password="guessed")


def test_an_operator_that_proved_nothing_may_only_look(pooler):
    with open_console(pooler, "operator", "open") as somebody, open_console(pooler, "operator") as operator:
        for command in ACTING:
            refuses(somebody, command)
        for command in LOOKING:
            somebody.execute(command)
        operator.execute("SHOW FDS")
        assert operator.execute("RELOAD").statusmessage == "RELOAD"


def test_over_a_unix_socket_the_poolers_own_user_may_do_everything(place, start):
    sockets = place.directory("role-sockets")
    pooler = start(Route(database="open", storage=CONSOLE), unix_socket_dir=sockets)
    with Wire.open(pooler.socket_path, user="operator", database="open") as owner:
        owner.rows("RELOAD")
        owner.rows("SHOW FDS")
    with Wire.open(pooler.socket_path, user="stats", database="open") as watcher, pytest.raises(ServerError) as refused:
        watcher.rows("RELOAD")
    assert refused.value.code == "42501"


def test_over_a_unix_socket_another_user_may_only_look(place, start):
    sockets = place.directory("role-sockets")
    pooler = start(Route(database="open", storage=CONSOLE), unix_socket_dir=sockets)
    user = unprivileged()
    script = (f"import sys; sys.path.insert(0, {reachable(os.path.dirname(__file__))!r}); from lib.wire import Wire, ServerError\n"
              f"with Wire.open({pooler.socket_path!r}, user='operator', database='open') as wire:\n"
              "    wire.rows('SHOW VERSION')\n"
              "    try: wire.rows('RELOAD')\n"
              "    except ServerError as error: print(error.code)\n")
    done = subprocess.run([os.path.realpath(sys.executable), "-c", script], capture_output=True, text=True, user=user.pw_uid, cwd="/")
    # Only root can be somebody else.
    assert (done.returncode, done.stdout) == (0, "42501\n" if user.pw_uid != os.geteuid() else ""), done.stderr


def test_a_reload_takes_rights_away(pooler):
    with pooler.connect(database="console", user="operator", password=OPERATOR_PASSWORD) as operator, \
            pooler.connect(database="open", user="stats") as watcher:
        pooler.config.globals = {"admin_users": "somebody"}
        pooler.reload()
        (kind, body), = operator.last_words()
        assert kind == b"E" and error_fields(body)["C"] == "57P01"
        assert watcher.rows("SHOW VERSION"), "who may do the same stays"


def test_an_open_console_is_warned_of(start):
    pooler = start(Route(), Route(database="open", storage=CONSOLE))
    assert 'warning' in pooler.log() and 'authentication "none" at the console' in pooler.log()
    pooler.config.globals = {"admin_users": "", "stats_users": ""}
    assert any("nobody may use the console" in line for line in pooler.reload())

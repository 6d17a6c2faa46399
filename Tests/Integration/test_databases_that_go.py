# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A database that no client is in can be dropped, renamed and copied, though servers of the pooler are connected to it."""

import pytest

from lib.config import Route
from lib.wire import SYNC, ServerError, Wire, bind, execute, parse

COMMANDS = {
    "drop": "drop database {0}",
    "drop, if it is there": "DROP DATABASE IF EXISTS \"{0}\"",
    "rename": "alter database {0} rename to {0}_old",
    "a copy": "create database {0}_copy template {0}",
}


@pytest.fixture(params=["session", "transaction"])
def pooler(start, request):
    return start(Route(database="default", user="default", pool=request.param, pool_size=3))


@pytest.fixture
def database(postgres):
    with Wire.open(postgres.address) as direct:
        direct.rows("create database leaving")
        yield "leaving"
        for left in "leaving", "leaving_old", "leaving_copy":
            direct.rows(f"drop database if exists {left} with (force)")


@pytest.mark.own
@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_the_last_client_has_left_it(pooler, database, command, extended):
    visitors = [pooler.connect(database=database) for _ in range(2)]
    for visitor in visitors:
        visitor.rows("begin")
    for visitor in visitors:
        visitor.rows("commit")
        visitor.close()
    with pooler.connect() as client:
        if extended:
            client.send(parse("", command.format(database)) + bind("", "") + execute() + SYNC)
            client.result()
        else:
            client.rows(command.format(database))


@pytest.mark.own
def test_a_client_that_is_in_it_stands_in_the_way_as_directly(start, database):
    pooler = start(Route(database="default", user="default", pool="session", pool_size=3))
    with pooler.connect(database=database) as visitor, pooler.connect() as client:
        visitor.rows("select 1")
        with pytest.raises(ServerError) as refusal:
            client.rows(f"drop database {database}")
        assert refusal.value.code == "55006"
        assert visitor.value("select 1") == "1"


@pytest.mark.own
def test_servers_in_other_databases_stay(start, database):
    pooler = start(Route(database="default", user="default", pool="session", pool_size=3))
    with pooler.connect() as client:
        before = client.value("select pg_backend_pid()")
    with pooler.connect(database="template1") as client:
        client.rows(f"drop database {database}")
    with pooler.connect() as client:
        assert client.value("select pg_backend_pid()") == before

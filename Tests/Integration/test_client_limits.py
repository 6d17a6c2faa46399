# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Limits of clients: the last that is let in, one above, a place that is free again, raised and lowered by a reload and by SET."""

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.waiting import wait_until
from lib.wire import ServerError

pytestmark = pytest.mark.own

BOTH = [Route(), Route(database="bench"), console()]

#: What is limited: where it says so (of the configuration, with this number), clients that share it, one beside it, and its name.
LIMITS = {
    "all": (lambda n: {"globals": {"client_max": n}}, [("postgres", "postgres"), ("bench", "bench")], None, "client_max"),
    "route": (lambda n: {"routes": [Route(client_max=n), *BOTH[1:]]}, [("postgres", "postgres")], ("bench", "postgres"),
              "client_max"),
    "database": (lambda n: {"globals": {"max_db_client_connections": n}}, [("postgres", "postgres"), ("postgres", "bench")],
                 ("bench", "bench"), "max_db_client_connections"),
    "one database": (lambda n: {"globals": {"max_db_client_connections": 1},
                                "databases": {"bench": {"max_db_client_connections": n}}},
                     [("bench", "postgres"), ("bench", "bench")], ("postgres", "bench"), "max_db_client_connections"),
    "user": (lambda n: {"globals": {"max_user_client_connections": n}}, [("postgres", "bench"), ("bench", "bench")],
             ("bench", "postgres"), "max_user_client_connections"),
    "user of a route": (lambda n: {"globals": {"max_user_client_connections": 1},
                                   "routes": [Route(), Route(database="bench", more={"max_user_client_connections": n}),
                                              console()]},
                        [("bench", "bench")], ("postgres", "postgres"), "max_user_client_connections"),
}


def refused(pooler, client, name, limit):
    database, user = client
    with pytest.raises(ServerError, match=f"{name} is {limit}") as error:
        pooler.connect(database, user).close()
    assert error.value.code == "53300"


def admitted(pooler, client):
    """A client that comes as soon as there is room: places are given back a moment after a client has left."""
    def comes():
        try:
            return pooler.connect(*client)
        except ServerError as error:
            assert error.code == "53300"
            return None
    return wait_until(comes, f"{client} is let in")


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_exact_and_follows_a_reload(start, what, workers):
    config, clients, beside, name = LIMITS[what]
    options = {"routes": BOTH, **config(3)}
    pooler = start(*options.pop("routes"), workers=workers, **options)
    held = [pooler.connect(*clients[place % len(clients)]) for place in range(3)]
    for client in clients:
        refused(pooler, client, name, 3)
    held.pop().close()
    held.append(admitted(pooler, clients[-1]))
    refused(pooler, clients[0], name, 3)
    if beside:
        pooler.connect(*beside).close()
    for number in (4, 2):
        for key, value in config(number).items():
            setattr(pooler.config, key, value)
        pooler.reload()
        while len(held) < number:
            held.append(admitted(pooler, clients[0]))
        refused(pooler, clients[0], name, number)
        assert all(wire.value("select 1") == "1" for wire in held), "nobody who is in has to go"
    for wire in held:
        wire.close()


def test_set_changes_what_the_top_says_and_the_tables_show_it(start):
    pooler = start(*BOTH, workers=2)
    host, port = pooler.address
    held = [pooler.connect("bench", "bench") for _ in range(2)]
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=psycopg.rows.dict_row) as operator:
        operator.execute("SET max_user_client_connections = 2")
        refused(pooler, ("postgres", "bench"), "max_user_client_connections", 2)
        operator.execute("SET max_db_client_connections = 5")
        users = {row["name"]: row for row in operator.execute("SHOW USERS").fetchall()}
        assert (users["bench"]["max_user_client_connections"], users["bench"]["current_client_connections"]) == (2, 2)
        databases = {row["name"]: row for row in operator.execute("SHOW DATABASES").fetchall()}
        assert (databases["bench"]["max_client_connections"], databases["bench"]["current_client_connections"]) == (5, 2)
        config = {row["key"]: row["value"] for row in operator.execute("SHOW CONFIG").fetchall()}
        assert (config["max_user_client_connections"], config["max_db_client_connections"]) == ("2", "5")
        operator.execute("RELOAD")
        pooler.connect("postgres", "bench").close()
    for wire in held:
        wire.close()

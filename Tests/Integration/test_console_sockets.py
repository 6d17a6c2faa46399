# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The console's tables of single connections, clients that wait, statements, names and backends."""

import os
import socket

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.certificates import Authority
from lib.config import OPERATOR_PASSWORD, Route
from lib.config import console as console_route
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import SYNC, ServerError, Wire, parse, query

pytestmark = pytest.mark.own

COLUMNS = ("type user database replication state addr port local_addr local_port connect_time request_time wait wait_us "
           "close_needed ptr link remote_pid tls application_name prepared_statements id").split()
MORE_COLUMNS = "recv_pos pkt_pos pkt_remain send_pos send_remain pkt_avail send_avail".split()


@pytest.fixture
def pooler(place, start):
    """Two workers, one server and a console."""
    return start(Route(pool="transaction", pool_size=1), console_route(), workers=2,
                 unix_socket_dir=place.directory("console-sockets"))


@pytest.fixture
def console(pooler):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True,
                         row_factory=dict_row) as connection:
        yield connection


def table(console, name):
    return console.execute(f"SHOW {name}").fetchall()


def clients(console, name="CLIENTS"):
    return [row for row in table(console, name) if row["database"] != "console" and row["type"] == "C"]


def test_a_server_is_listed_with_the_client_that_holds_it(pooler, postgres, console):
    with pooler.connect(application_name="till") as client:
        client.rows("begin")
        process = int(client.value("select pg_backend_pid()"))
        (server,), (holder,) = table(console, "SERVERS"), clients(console)
        assert list(server) == COLUMNS == list(holder)
        assert (server["type"], server["state"], server["remote_pid"]) == ("S", "active", process)
        assert (server["addr"], server["port"]) == postgres.address
        assert (server["user"], server["database"], server["tls"]) == ("postgres", "postgres", "")
        assert (server["link"], holder["link"]) == (holder["ptr"], server["ptr"])
        assert server["prepared_statements"] == 0 and server["close_needed"] == 0
        assert int(client.value(f"select count(*) from pg_stat_activity where client_port = {server['local_port']} "
                                f"and pid = {process}")) == 1
        client.rows("commit")
        wait_until(lambda: table(console, "SERVERS")[0]["state"] == "idle", "it is idle, though parked")
        server, holder = table(console, "SERVERS")[0], clients(console)[0]
        assert server["link"] is None and holder["link"] is None and server["prepared_statements"] is None


def test_a_client_is_listed_with_what_it_calls_itself_now(pooler, console):
    with pooler.connect(application_name="till") as client, Wire.open(pooler.socket_path, user="bench") as local:
        assert {row["user"]: row["application_name"] for row in clients(console)} == {"postgres": "till", "bench": None}
        client.rows("set application_name = 'cellar'")
        local.rows("select 1")
        # The client has its answer a moment before the server was asked what the session is like now.
        wait_until(lambda: "cellar" in {row["application_name"] for row in clients(console)}, "it is called so")
        rows = {row["user"]: row for row in clients(console)}
        assert (rows["bench"]["addr"], rows["bench"]["port"], rows["bench"]["remote_pid"]) == ("unix", None, os.getpid())
        assert (rows["postgres"]["local_addr"], rows["postgres"]["local_port"]) == pooler.address
        assert (rows["postgres"]["wait"], rows["postgres"]["wait_us"], rows["postgres"]["remote_pid"]) == (0, 0, None)


def test_a_client_under_tls_is_listed_with_version_and_cipher(place, start):
    authority, address = Authority(place.directory("console-tls")), free_address()
    issued = authority.issue("pooler", "pooler", [address[0]])
    pooler = start(console_route(), address=address,
                   listen={"tls": "allow", "tls_cert_file": issued.cert, "tls_key_file": issued.key})
    given = dict(host=address[0], port=address[1], user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True)
    with psycopg.connect(sslmode="require", **given) as secret, psycopg.connect(sslmode="disable", **given):
        found = sorted(row[COLUMNS.index("tls")] for row in secret.execute("SHOW CLIENTS").fetchall())
    assert found[0] == "" and found[1].startswith("TLSv1.3/TLS_")


def test_who_waits_is_listed_with_the_time_and_the_reason(pooler, console):
    with pooler.connect() as holder, pooler.connect(user="postgres", application_name="second") as second:
        holder.rows("begin")
        second.send(query("select 1"))
        wait_until(lambda: table(console, "WAITERS"), "it waits")
        with pooler.connect(application_name="third") as third:
            third.send(query("select 1"))
            wait_until(lambda: len(table(console, "WAITERS")) == 2, "both wait")
            rows = table(console, "WAITERS")
            assert [(row["place"], row["application_name"]) for row in rows] == [(1, "second"), (2, "third")]
            assert {row["reason"] for row in rows} == {"all 1 servers are in use"}
            assert rows[0]["route"] == "postgres.postgres"
            assert rows[0]["wait"] + rows[0]["wait_us"] / 1e6 > rows[1]["wait"] + rows[1]["wait_us"] / 1e6 > 0
            waiting = [row for row in clients(console) if row["state"] == "waiting"]
            assert {row["id"] for row in waiting} == {row["id"] for row in rows}
            assert all(row["wait"] + row["wait_us"] > 0 for row in waiting)
            holder.rows("commit")
            assert (second.result()[0][0], third.result()[0][0]) == ("1", "1")
    assert table(console, "WAITERS") == []


def test_sockets_are_those_of_both_sides_and_the_active_ones_have_bytes_that_wait(pooler, console):
    with pooler.connect() as reader:
        reader.rows("select 1")
        sockets = table(console, "SOCKETS")
        assert list(sockets[0]) == COLUMNS + MORE_COLUMNS
        assert {row["state"] for row in sockets} == {"cl_active", "cl_idle", "sv_idle"}
        assert table(console, "ACTIVE_SOCKETS") == []
        reader.send(query("select repeat('x', 1000) from generate_series(1, 100000)"))
        wait_until(lambda: table(console, "ACTIVE_SOCKETS"), "it does not take its answer")
        stuck, = table(console, "ACTIVE_SOCKETS")
        assert stuck["state"] == "cl_active" and stuck["send_avail"] > 0 and stuck["link"]
        assert len(reader.result()) == 100_000
    with socket.create_connection(pooler.address):
        wait_until(lambda: "cl_login" in {row["state"] for row in table(console, "SOCKETS")}, "it has not logged in")
        assert {row["state"] for row in table(console, "CLIENTS")} == {"active"}


def test_descriptors_are_those_of_the_process(pooler, console):
    with pooler.connect() as client:
        client.rows("begin")
        rows = [row for row in table(console, "FDS") if row["database"] != "console"]
        assert {row["task"]: row["link"] for row in rows} == {
            "client": next(row["fd"] for row in rows if row["task"] == "server"),
            "server": next(row["fd"] for row in rows if row["task"] == "client")}
        for row in rows:
            assert os.readlink(f"/proc/{pooler.pid}/fd/{row['fd']}").startswith("socket:")
            assert row["password"] is None and row["scram_client_key"] is None and row["cancel"] is None


def test_prepared_statements_are_listed_once_however_many_have_them(pooler, console):
    with pooler.connect() as one, pooler.connect() as other:
        for wire, name in ((one, "a"), (other, "b")):
            wire.exchange(parse(name, "select 'shared'") + SYNC)
        one.exchange(parse("c", "select 'own'") + SYNC)
        rows = table(console, "PREPARED_STATEMENTS")
        assert [row["query"] for row in rows] == ["select 'shared'", "select 'own'"]
        assert all(row["name"].startswith("carom_") and row["bytes"] > 10 for row in rows)
        assert {(row["database"], row["user"], row["route"]) for row in rows} == {
            ("postgres", "postgres", "default.default")}
    wait_until(lambda: table(console, "PREPARED_STATEMENTS") == [], "they go with their clients")


def test_backends_are_listed_with_what_is_known_of_them(start, postgres):
    dead = free_address()
    pooler = start(Route(pool_size=4), console_route(), workers=2,
                   storage={"type": "remote", "host": f"{postgres.address[0]}:{postgres.address[1]},{dead[0]}:{dead[1]}"})
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True,
                         row_factory=dict_row) as console, pooler.connect() as one, pooler.connect() as other:
        for client in (one, other):
            client.rows("begin")
        wait_until(lambda: len(table(console, "BACKENDS")) == 2
                   and any(row["failed_connects"] for row in table(console, "BACKENDS")), "the dead one was tried")
        rows = {row["addr"]: row for row in table(console, "BACKENDS")}
        alive, gone = rows["%s:%d" % postgres.address], rows["%s:%d" % dead]
        assert (alive["state"], alive["sv_active"], alive["last_error"]) == ("online", 2, None)
        assert gone["sv_active"] == gone["sv_idle"] == 0 and "refused" in gone["last_error"]
        assert alive["claims"] >= 1 and alive["connects"] >= 1 and alive["route"] == "default.default"


def test_names_are_listed_with_their_addresses(start, postgres):
    pooler = start(Route(), console_route(),
                   storage={"type": "remote", "host": f"localhost:{postgres.address[1]}"})
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console", autocommit=True,
                         row_factory=dict_row) as console:
        # It asks for the name when somebody comes; whether a server is there does not matter.
        with pytest.raises(ServerError):
            pooler.connect(user="nobody")
        wait_until(lambda: any("127.0.0.1" in row["addrs"] for row in table(console, "DNS_HOSTS")), "it is found")
        row, = table(console, "DNS_HOSTS")
        assert list(row) == ["hostname", "ttl", "addrs"] and row["hostname"] == "localhost" and 0 <= row["ttl"] <= 360


def test_memory_is_that_of_the_process(pooler, console):
    rows = {row["name"]: row for row in table(console, "MEM")}
    assert list(rows["process"]) == ["name", "size", "used", "free", "memtotal"]
    with open(f"/proc/{pooler.pid}/status") as status:
        resident = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    assert 0.5 < rows["process"]["memtotal"] / resident < 2
    assert rows["read_buffers"]["used"] == 2 and rows["read_buffers"]["memtotal"] == 2 * rows["read_buffers"]["size"]

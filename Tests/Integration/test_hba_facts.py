# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What lines of an hba_file want to know of a client that its connection does not say: roles of users, names of hosts."""

import os
import socket
import struct
import threading
import time

import pytest

from lib.config import Route
from lib.names import HostNames
from lib.places import free_address
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, dial, startup

pytestmark = pytest.mark.own


def attempt(pooler, user, source=None):
    """`in`, or the SQLSTATE of the refusal."""
    try:
        Wire.open(pooler.address, user=user, database="postgres", source=source).close()
        return "in"
    except ServerError as refusal:
        return refusal.code


@pytest.fixture
def lines(place):
    """`lines(text)` writes the file, and gives its path."""
    path = os.path.join(place.directory("facts"), "hba")

    def write(text):
        with open(path, "w") as file:
            file.write(text)
        return path
    return write


def asking(hba_file, query=None, **more):
    """What the top of the file says, where a server is asked for the roles of users."""
    return {"hba_file": hba_file, "hba_role_query_db": "postgres", "hba_role_query_user": "bench", **more,
            **({"hba_role_query": query} if query else {})}


@pytest.fixture
def roles(postgres):
    """`roles(statement, …)` changes roles; those called crew… are gone afterwards."""
    def change(*statements):
        with postgres.connect() as admin:
            for statement in statements:
                admin.rows(statement)
    yield change
    with postgres.connect() as admin:
        for (name,) in admin.rows("select rolname from pg_roles where rolname like 'crew%'"):
            admin.rows(f'drop role "{name}"')


ROUTE = Route(authentication="hba", storage_user="bench", storage_db="postgres")


def test_roles_are_those_of_the_server(start, lines, roles):
    roles("create role crew_ann", "create role crew_bob", "create role crew", "create role crew_deck", "grant crew_deck to crew_ann",
          "grant crew to crew_deck")
    pooler = start(ROUTE, globals=asking(lines("host all +crew all trust\n")))
    assert [attempt(pooler, user) for user in ("crew_ann", "crew_bob", "crew_deck", "crew", "stranger")] == [
        "in", "28000", "in", "in", "28000"]
    roles("grant crew to crew_bob", "revoke crew from crew_deck")
    wait_until(lambda: attempt(pooler, "crew_bob") == "in" and attempt(pooler, "crew_ann") == "28000",
               "what has changed is known, without a reload", timeout=15)


def test_the_query_may_be_another_one(start, lines, postgres):
    """Answers are remembered, strangers' too: each is asked for once, whoever comes."""
    with postgres.connect() as admin:
        admin.rows("create schema if not exists shop; create table if not exists shop.asked (name text)")
        admin.rows("truncate shop.asked; create or replace function shop.roles(who text) returns setof text "
                   "language plpgsql security definer as $$begin insert into shop.asked values (who); return query "
                   "select 'sailors' where who = 'jack'; end$$")
    pooler = start(ROUTE, globals=asking(lines("host all +sailors all trust\n"), "select shop.roles($1)"))
    for _ in range(5):
        assert [attempt(pooler, user) for user in ("jack", "jill", "x' or '1'='1")] == ["in", "28000", "28000"]
    asked = {row[0]: int(row[1]) for row in postgres.rows("select name, count(*) from shop.asked group by name")}
    assert set(asked) == {"jack", "jill", "x' or '1'='1"} and all(count <= 2 for count in asked.values())


@pytest.mark.parametrize("query, storage", [("select $1::text, 'two'", None), ("select roles($1)", None), (None, "nowhere")])
def test_a_server_that_cannot_be_asked_is_said(start, lines, query, storage):
    """Nobody is let in, or sent to the next line, for want of an answer; lines that need none go on."""
    pooler = start(ROUTE, globals=asking(lines("host all bench all reject\nhost all +crew all trust\nhost all all all trust\n"), query),
                   storage=free_address() if storage else None)
    assert (attempt(pooler, "ann"), attempt(pooler, "bench")) == ("08006", "28000")
    assert "hba_role_query: " in pooler.log()


def test_a_query_that_hangs_holds_nobody_else_up(start, lines, postgres):
    pooler = start(ROUTE, globals=asking(lines("host all bench all trust\nhost all +crew all trust\n"),
                                         "select pg_sleep(3)::text || $1"))
    waiting = Wire(dial(pooler.address))
    waiting.send(startup({"user": "slow", "database": "postgres"}))
    wait_until(lambda: int(postgres.value(
        "select count(*) from pg_stat_activity where application_name = 'carom hba_role_query' and state = 'active'")), "it is asked")
    began = time.monotonic()
    assert attempt(pooler, "bench") == "in" and time.monotonic() - began < 2
    waiting.abort()


def test_a_reload_asks_others_or_nobody(start, lines, roles):
    roles("create role crew", "create role crew_ann in role crew")
    path = lines("host all +crew all trust\n")
    pooler = start(ROUTE, globals=asking(path))
    assert attempt(pooler, "crew_ann") == "in"
    pooler.config.globals["hba_role_query"] = "select 'crew' where $1 <> 'crew_ann'"
    pooler.reload()
    assert (attempt(pooler, "crew_ann"), attempt(pooler, "stranger")) == ("28000", "in")
    for name in ("hba_role_query", "hba_role_query_db", "hba_role_query_user"):
        del pooler.config.globals[name]
    said = "\n".join(pooler.reload())
    assert 'hba:1: user "+crew": only servers know' in said and "nothing has changed" in said
    assert attempt(pooler, "stranger") == "in"


def test_hosts_are_what_they_are_called(start, lines, place):
    names = HostNames(place, {"127.0.0.2": "app.example.com", "127.0.0.3": "web.example.org"}, "facts-hosts")
    pooler = start(ROUTE, environment=names.environment,
                   globals={"hba_file": lines("host all all web.example.org reject\nhost all ann .example.com trust\nhost all bob all trust\n")})
    expected = {("ann", "127.0.0.2"): "in", ("ann", "127.0.0.3"): "28000", ("ann", "127.0.0.4"): "28000",
                ("bob", "127.0.0.2"): "in", ("bob", "127.0.0.3"): "28000", ("bob", "127.0.0.4"): "in"}
    assert {client: attempt(pooler, *client) for client in expected} == expected
    names.write({"127.0.0.3": "app.example.com"})
    wait_until(lambda: attempt(pooler, "ann", "127.0.0.3") == "in", "a new name is known", timeout=20)


class DNS:
    """Answers for 127.0.0.2 with a name that has this address, and for 127.0.0.3 with the same name, which has not; for 127.0.0.4 never."""

    NAME = "app.example.com"

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((free_address()[0], 53))
        self.resolv = os.path.join(directory, "resolv.conf")
        with open(self.resolv, "w") as file:
            file.write(f"nameserver {self.socket.getsockname()[0]}\noptions timeout:3 attempts:1\n")
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    #: Has a program see this file in the place of the system's; in a list of mounts of its own.
    @property
    def prefix(self):
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolv]

    def serve(self):
        while True:
            try:
                asked, caller = self.socket.recvfrom(512)
            except OSError:
                return
            end = asked.index(b"\0", 12) + 5
            labels, place = [], 12
            while asked[place]:
                labels.append(asked[place + 1:place + 1 + asked[place]].decode())
                place += 1 + asked[place]
            name, kind = ".".join(labels), struct.unpack("!H", asked[end - 4:end - 2])[0]
            self.asked.append(name)
            if name.startswith("4."):
                continue
            data = None
            if kind == 12 and name in ("2.0.0.127.in-addr.arpa", "3.0.0.127.in-addr.arpa"):
                data = b"".join(bytes([len(part)]) + part.encode() for part in self.NAME.split(".")) + b"\0"
            elif kind == 1 and name == self.NAME:
                data = bytes([127, 0, 0, 2])
            answer = b"" if data is None else b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data
            code = 3 if data is None and kind != 28 else 0
            self.socket.sendto(asked[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, data is not None, 0, 0) + asked[12:end] + answer, caller)

    def close(self):
        self.socket.close()


@pytest.fixture
def dns(place):
    assert not os.geteuid(), "only root may answer on port 53 and have a program see another /etc/resolv.conf"
    dns = DNS(place.directory("facts-dns"))
    yield dns
    dns.close()


def test_a_name_counts_only_if_it_has_the_address(start, lines, dns):
    """Whoever owns an address may call it whatever they like."""
    pooler = start(ROUTE, prefix=dns.prefix, globals={"hba_file": lines("host all all .example.com trust\n")})
    assert (attempt(pooler, "ann", "127.0.0.2"), attempt(pooler, "ann", "127.0.0.3")) == ("in", "28000")
    assert {"2.0.0.127.in-addr.arpa", "3.0.0.127.in-addr.arpa", dns.NAME} <= set(dns.asked)


def test_a_nameserver_that_says_nothing_holds_nobody_else_up(start, lines, dns):
    pooler = start(ROUTE, prefix=dns.prefix, workers=1,
                   globals={"hba_file": lines("host all bench all trust\nhost all all .example.com trust\n")})
    waiting = [Wire(dial(pooler.address, source="127.0.0.4")) for _ in range(10)]
    for wire in waiting:
        wire.send(startup({"user": "ann", "database": "postgres"}))
    wait_until(lambda: "4.0.0.127.in-addr.arpa" in dns.asked, "it is asked")
    began = time.monotonic()
    assert attempt(pooler, "bench", "127.0.0.4") == "in" and attempt(pooler, "ann", "127.0.0.2") == "in"
    assert time.monotonic() - began < 2
    # Those from there are refused in the end, and the address was asked for once.
    for wire in waiting:
        with pytest.raises(ServerError) as refused:
            wire.authenticate("ann", None)
        assert refused.value.code == "28000"
    assert dns.asked.count("4.0.0.127.in-addr.arpa") == 1

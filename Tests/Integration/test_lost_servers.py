# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a server had not answered when it was lost: what goes to another server, and what its client is told."""

import threading
import time

import pytest

from lib.config import Route
from lib.fakeserver import AUTHENTICATION_OK, KEY, PARAMETERS, READY, FakeServer, answer, error
from lib.waiting import wait_until
from lib.wire import ServerError, cstring, message, query

STANDBY = message(b"S", cstring("in_hot_standby") + cstring("on"))
GREETING = AUTHENTICATION_OK + PARAMETERS + STANDBY + KEY + READY
GOODBYE = error(b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0")
BEGUN = message(b"C", cstring("BEGIN")) + message(b"Z", b"T")


class Standbys:
    """Two that answer with their number, of which the first to be asked `sql` is lost in one way or another."""

    def __init__(self, sql, end=None, answer=answer):
        self.sql, self.end, self.asked, self.answer = sql, end, [], answer
        self.servers = [FakeServer(lambda text, number=number: self.reply(text, number), GREETING) for number in (1, 2)]

    def reply(self, text, number):
        if text != self.sql:
            return answer(b"other")
        self.asked.append(number)
        if len(self.asked) == 1:
            return self.end() if self.end else None
        return self.answer(str(number).encode())

    @property
    def hosts(self):
        return ",".join(f"{host}:{port}" for host, port in (server.address for server in self.servers))

    def close(self):
        for server in self.servers:
            server.close()


@pytest.fixture
def standbys():
    made = []

    def make(*arguments, **options):
        made.append(Standbys(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def route(**more):
    return Route(pool_size=4, pool_timeout=5000, more=more)


def storage(standbys, **more):
    return {"host": standbys.hosts, "target_session_attrs": "standby", **more}


def test_a_read_goes_to_another_standby_where_the_route_says_so(start, standbys):
    two = standbys("select it")
    pooler = start(route(read_retry=1), storage=storage(two))
    with pooler.connect() as wire:
        assert wire.value("select it") == str(two.asked[1])
        assert wire.value("select more") == "other"
    assert len(two.asked) == 2
    assert "a request of 15 bytes, not answered, goes to another server" in pooler.log()


def test_without_a_word_of_the_route_its_client_is_told(start, standbys):
    two = standbys("select it")
    pooler = start(route(), storage=storage(two))
    with pooler.connect() as wire:
        with pytest.raises(ServerError) as lost:
            wire.value("select it")
        assert lost.value.code == "08006" and len(two.asked) == 1
        assert wire.value("select more") == "other", "its session goes on"


def test_an_answer_that_has_begun_is_not_asked_for_again(start, standbys):
    two = standbys("select it", end=lambda: [answer(b"half")[:-len(READY)], GOODBYE])
    pooler = start(route(read_retry=3), storage=storage(two))
    with pooler.connect() as wire:
        with pytest.raises(ServerError) as lost:
            wire.value("select it")
        assert lost.value.code == "57P01" and len(two.asked) == 1


def test_a_goodbye_in_place_of_an_answer_is_not_told(start, standbys):
    two = standbys("select it", end=lambda: [GOODBYE])
    pooler = start(route(read_retry=1), storage=storage(two))
    with pooler.connect() as wire:
        assert wire.value("select it") == str(two.asked[1])


def test_a_goodbye_behind_an_answer_is_nobodys_business(start, standbys):
    two = standbys("select it", end=lambda: [answer(b"whole"), GOODBYE])
    pooler = start(route(), storage=storage(two))
    with pooler.connect() as wire:
        assert wire.value("select it") == "whole"
        assert wire.value("select more") == "other"


@pytest.mark.parametrize("begin", ["begin", "START TRANSACTION READ ONLY;"])
def test_a_begin_waits_for_another_server(start, standbys, begin):
    two = standbys(begin, answer=lambda number: BEGUN)
    pooler = start(route(), storage=storage(two))
    with pooler.connect() as wire:
        wire.exchange(query(begin))
        assert len(two.asked) == 2


def test_a_begin_waits_until_there_is_a_server(start):
    """Its only server goes down, and comes back after a while at the same place."""
    asked = []

    def reply(sql):
        asked.append(sql)
        if len(asked) > 1:
            return BEGUN
        back.clear()
        return None
    back = threading.Event()
    back.set()

    def login(wire):
        back.wait(10)
        wire.stream.sendall(GREETING)
    with FakeServer(reply, login=login) as server:
        pooler = start(route(), storage={"host": "{}:{}".format(*server.address)})
        with pooler.connect() as wire:
            wire.send(query("begin"))
            wait_until(lambda: asked, "the server has it")
            time.sleep(0.2)
            assert asked == ["begin"]
            back.set()
            wire.until_ready()
            assert asked == ["begin", "begin"]


def test_what_waits_for_a_server_that_answers_nothing_goes_to_one_that_does(start, standbys):
    two = standbys("select it")
    two.end = lambda: freeze(two)
    more = {"endpoints_status_poll_interval": 200, "server_check_timeout": 300, "server_check_busy": True}
    pooler = start(route(read_retry=1), storage=storage(two, **more))
    try:
        with pooler.connect() as reader:
            began = time.monotonic()
            assert reader.value("select it") == str(two.asked[1])
            assert time.monotonic() - began < 5
        assert "answers nothing within" in pooler.log()
    finally:
        for server in two.servers:
            server.thawed.set()


def test_a_refused_write_has_the_roles_looked_at(start):
    """The old primary says what it has become only when it is asked; nothing else asks for a minute."""
    roles = {"old": b"off", "new": b"on"}
    asked = []

    def made(name):
        def role():
            return message(b"S", b"in_hot_standby\0" + roles[name] + b"\0")

        def reply(sql):
            if sql != "insert":
                return role() + answer(b"fine") if sql != "" else role() + message(b"I") + READY
            asked.append(name)
            if roles[name] == b"on":
                return error(b"SERROR\0VERROR\0C25006\0Mread-only\0\0") + READY
            return answer(b"done")

        def login(wire):
            wire.stream.sendall(AUTHENTICATION_OK + PARAMETERS + role() + KEY + READY)
        return FakeServer(reply, login=login)
    old, new = made("old"), made("new")
    hosts = ",".join("{}:{}".format(*server.address) for server in (old, new))
    pooler = start(Route(pool_size=4, pool_timeout=5000, more={"min_pool_size": 2}),
                   storage={"host": hosts, "target_session_attrs": "primary", "endpoints_status_poll_interval": 60000})
    with old, new, pooler.connect() as wire, pooler.connect() as other:
        wire.value("begin")
        other.value("select 1")
        assert wire.value("insert") == "done"
        roles.update(old=b"on", new=b"off")

        def written():
            try:
                return wire.value("insert") == "done"
            except ServerError:
                return False
        wait_until(written, "writes go to the new primary", timeout=5, every=0.1)
        assert asked[-1] == "new"


def freeze(two):
    frozen = two.servers[two.asked[0] - 1]
    frozen.thawed.clear()
    frozen.thawed.wait()
    return None

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""`pool_listen`: a client of transaction pooling listens, and its servers are pooled all the same."""

import os
import random
import selectors
import struct
import time

import pytest

from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import SYNC, ConnectionLost, ServerError, Wire, bind, error_fields, execute, parse, query

pytestmark = pytest.mark.own

CHANNELS = ["a", "b", "c", "Ünï cödé", "x" * 63]
LISTENERS, TOPICS = 1000, 50
#: How many of each of the two servers' notifications the crowd hears before and after one of them dies.
ROUNDS = int(os.environ.get("CAROM_LISTEN_ROUNDS", "20"))


def extended(*statements):
    """Each by Parse, Bind and Execute, and one Sync behind them all."""
    return b"".join(parse("", text) + bind("", "") + execute() for text in statements) + SYNC


def notification(body):
    channel, payload, _ = body[4:].split(b"\0")
    return channel.decode(), payload.decode()


def heard(wire, count, patience=0.15):
    """The notifications that come, of which there are to be so many: others are waited for a little."""
    found = []
    while True:
        wire.stream.settimeout(10 if len(found) < count else patience)
        try:
            kind, body = wire.receive()
        except TimeoutError:
            wire.stream.settimeout(20)
            return found
        if kind == b"A":
            found.append(notification(body))


def run(wire, steps):
    """Runs the steps; the kinds of messages that come, and notifications among them."""
    kinds, notes = [], []
    for step in steps:
        data = step if isinstance(step, bytes) else query(step)
        for kind, body in wire.exchange(data, data.count(SYNC) or 1):
            if kind == b"A":
                notes.append(notification(body))
            elif kind not in (b"S", b"N"):
                kinds.append(error_fields(body)["C"] if kind == b"E" else (kind + body[:9] if kind in b"CZ" else kind))
    return kinds, notes


def shout(postgres, text):
    """Says something on every channel."""
    with postgres.connect() as other:
        for channel in CHANNELS:
            other.rows(f'notify "{channel}", \'{text}\'')


@pytest.fixture
def lone(start):
    """One server for all clients."""
    return start(Route(pool_size=1, more={"pool_listen": True}))


PROGRAMS = {
    "one": ["listen a"],
    "several": ["listen a; listen b", "listen c"],
    "quoted": ['listen "Ünï cödé"', "listen " + "x" * 70],
    "by the extended protocol": [extended("listen a"), extended("listen b", "select 1", "listen c")],
    "in a block": ["begin", "listen a", "select 1", "listen b", "commit"],
    "a block that fails": ["listen a", "begin", "listen b", "select 1/0", "commit"],
    "rolled back": ["listen a", "begin", "listen b", "unlisten a", "rollback"],
    "a block in one text": ["begin; listen a; commit", "begin; listen b; rollback"],
    "to a savepoint": ["begin", "listen a", "savepoint s", "listen b", "rollback to s", "listen c", "commit"],
    "stopped": ["listen a", "listen b", "unlisten a"],
    "stopped all": ["listen a", "listen b", "unlisten *", "listen c"],
    "stopped in a block": ["listen a", "listen b", "begin", "unlisten a", "commit"],
    "stopped to a savepoint":
        ["listen a", "listen b", "begin", "savepoint s", "unlisten a", "rollback to s", "unlisten b", "commit"],
    "stopped by the extended protocol": ["listen a; listen b; listen c", extended("unlisten a"),
                                         "begin", extended("unlisten b"), "rollback"],
    "stopped and begun again": ["listen a", "begin", "unlisten a", "listen a", "listen b", "unlisten b", "commit"],
    "stopped by what fails": ["listen a", "listen b", "unlisten a; select 1/0", extended("unlisten b", "select 1/0")],
    "discarded": ["listen a", "discard all", "listen b"],
    "discarded in a block": ["listen a", "begin", "discard all", "rollback"],
    "with settings": ["listen a", "set work_mem = '5MB'", "begin; listen b; set local work_mem = '6MB'; commit",
                      "reset work_mem", "reset all"],
    "in a code block": ["do $$ begin execute 'listen a'; end $$", "listen b"],
    "an error": ["listen", "listen a b", "listen a", "unlisten"],
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("options", [{}, {"application_name": "listener", "datestyle": "German"}])
def test_what_is_listened_to_is_what_a_direct_connection_listens_to(postgres, lone, name, options):
    with postgres.connect(**options) as direct, lone.connect(**options) as pooled:
        (expected, told), (answers, notes) = run(direct, PROGRAMS[name]), run(pooled, PROGRAMS[name])
        assert answers == expected
        with lone.connect() as other:
            assert other.value("select count(*) from pg_listening_channels()") == "0"
        shout(postgres, "hello")
        told += heard(direct, 0)
        assert notes + heard(pooled, len(told) - len(notes)) == told
        assert pooled.value("select 1") == direct.value("select 1") == "1"


@pytest.mark.parametrize("is_pooled", [False, True])
def test_what_a_client_says_itself_it_hears_at_once(postgres, lone, is_pooled):
    with (lone if is_pooled else postgres).connect() as wire:
        steps = ["listen a; notify a, 'one'", "begin", "listen b", "notify b, 'two'", "commit",
                 "begin; listen c; notify c, 'three'; commit"]
        assert run(wire, steps)[1] == [("a", "one"), ("b", "two"), ("c", "three")]
        notes = run(wire, ["notify a, 'four'"])[1]
        assert notes + heard(wire, 1 - len(notes)) == [("a", "four")]


@pytest.mark.parametrize("seed", range(8))
def test_any_program_leaves_what_a_direct_connection_is_left_with(postgres, lone, seed):
    chance = random.Random(seed)
    with postgres.connect() as direct, lone.connect() as pooled:
        for number in range(6):
            steps, depth = [], 0
            for _ in range(chance.randrange(1, 9)):
                channel = chance.choice("abc")
                step = chance.choice([
                    f"listen {channel}", f"unlisten {channel}", "unlisten *", "begin", "commit", "rollback", "savepoint s",
                    "rollback to s", "select 1/0", f"listen {channel}; unlisten {chance.choice('abc')}", "select 1"])
                steps.append(extended(step) if chance.random() < 0.4 and ";" not in step else step)
            steps.append(chance.choice(["commit", "rollback"]))
            (expected, told), (answers, notes) = run(direct, steps), run(pooled, steps)
            assert answers == expected, steps
            shout(postgres, f"{number}")
            told += heard(direct, 0)
            assert notes + heard(pooled, len(told) - len(notes)) == told, steps


def test_listeners_hold_no_server(postgres, lone):
    crowd = [lone.connect() for _ in range(20)]
    for number, wire in enumerate(crowd):
        wire.rows(f"listen c{number}; listen everybody")
    for number, wire in enumerate(crowd):
        assert wire.rows(f"notify c{number}, 'own'") == []
    with postgres.connect() as other:
        other.rows("notify everybody, 'all'")
    for number, wire in enumerate(crowd):
        assert heard(wire, 2) == [(f"c{number}", "own"), ("everybody", "all")]
        wire.close()
    # The last listener takes the connection that listened along.
    wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query like '%LISTEN%'"
                                      " and pid <> pg_backend_pid()") == "0", "nobody listens")


def test_who_leaves_before_the_answer_listens_to_nothing(start):
    """Each at another moment: while its LISTEN is on its way, or while it is listened for."""
    pooler = start(Route(pool_size=4, more={"pool_listen": True}), console(), workers=2)
    with pooler.connect(database="console", user=OPERATOR, password=OPERATOR_PASSWORD) as watcher:
        for number in range(200):
            wire = pooler.connect()
            wire.send(query(f"listen c{number}"))
            time.sleep(number % 20 / 10_000)
            wire.abort()
        wait_until(lambda: watcher.rows("show channels") == [], "nobody is listened for")


def test_a_transaction_is_not_disturbed(postgres, lone):
    with lone.connect() as wire:
        wire.rows("listen a")
        wire.rows("begin")
        with postgres.connect() as other:
            for number in range(3):
                other.rows(f"notify a, '{number}'")
        time.sleep(0.1)
        assert run(wire, ["select 1"]) == ([b"T", b"D", b"CSELECT 1\0"[:10], b"ZI"[:1] + b"T"], [])
        kinds, notes = run(wire, ["commit"])
        assert notes + heard(wire, 3 - len(notes)) == [("a", f"{number}") for number in range(3)]


def test_what_comes_behind_listen_may_be_long(lone):
    """Its messages go one at a time there, and more than the pooler reads at once goes in pieces."""
    text = "select length('" + "x" * 200_000 + "')"
    with lone.connect() as wire:
        wire.stream.settimeout(10)
        wire.send(query("listen a") + query(text) + query("unlisten a; " + text) + query("select 1"))
        assert [wire.result() for _ in range(4)] == [[], [["200000"]], [["200000"]], [["1"]]]


def test_what_was_said_before_is_not_heard(postgres, start):
    pooler = start(Route(pool_size=4, more={"pool_listen": True}), workers=2)
    with postgres.connect() as other, pooler.connect() as first:
        first.rows("listen a")
        for number in range(50):
            other.rows(f"notify a, '{number} before'")
            with pooler.connect() as late:
                late.rows("listen a")
                other.rows(f"notify a, '{number} after'")
                assert heard(late, 1, patience=0.01) == [("a", f"{number} after")]
        assert heard(first, 100) == [
            ("a", f"{number} {when}") for number in range(50) for when in ("before", "after")]


def test_a_client_of_another_encoding_keeps_its_server(postgres, lone):
    with lone.connect(client_encoding="LATIN1") as wire:
        wire.rows("listen a")
        with postgres.connect() as other:
            other.rows("notify a, 'é'")
        wire.stream.settimeout(5)
        kind, body = wire.receive()
        assert kind == b"A" and body[4:] == b"a\0\xe9\0"
        wire.stream.settimeout(20)
        assert wire.value("select count(*) from pg_listening_channels()") == "1"


def test_without_a_connection_to_listen_with_the_client_is_told(postgres, start):
    with postgres.connect() as direct:
        direct.rows("drop role if exists single; create role single login connection limit 1")
    pooler = start(Route(pool_size=1, more={"pool_listen": True}))
    with pooler.connect(user="single") as wire:
        with pytest.raises(ServerError) as refused:
            wire.rows("listen a")
        assert refused.value.fields["C"] == "08006" and "too many connections for role" in refused.value.fields["M"]
        assert wire.value("select count(*) from pg_listening_channels()") == "0"
        with postgres.connect() as direct:
            direct.rows("alter role single connection limit -1; notify a, 'not yet'")
            wire.rows("listen a")
            direct.rows("notify a, 'now'")
        assert heard(wire, 1) == [("a", "now")]


def test_a_client_that_reads_nothing_is_sent_away(postgres, lone):
    with lone.connect() as wire, lone.connect() as other:
        wire.rows("listen a")
        other.rows("listen a")
        with postgres.connect() as direct:
            for number in range(40):
                direct.rows(f"select pg_notify('a', repeat('x', 7900) || '{number} ' || g) from generate_series(1, 100) g")
                assert len(heard(other, 100, patience=0.001)) == 100
        words = wire.last_words()
        assert error_fields(words[-1][1])["C"] == "53400"
        assert other.value("select 1") == "1"


def test_the_console_shows_who_listens(postgres, start):
    pooler = start(Route(pool_size=2, more={"pool_listen": True}), console(), workers=2)
    wires = [pooler.connect() for _ in range(3)]
    for wire in wires:
        wire.rows("listen a")
    wires[0].rows("listen b")
    with postgres.connect() as direct:
        direct.rows("notify a")
    for wire in wires:
        assert heard(wire, 1, patience=0.001) == [("a", "")]
    host, port = postgres.address
    with pooler.connect(database="console", user=OPERATOR, password=OPERATOR_PASSWORD) as watcher:
        assert watcher.rows("show channels") == [
            ["postgres", "postgres", "a", "3", "1", f"{host}:{port}", "0"],
            ["postgres", "postgres", "b", "1", "0", f"{host}:{port}", "0"]]


class Crowd:
    """A thousand listeners, looked after by one loop."""

    def __init__(self, pooler, users):
        self.selector = selectors.DefaultSelector()
        self.notes = {}
        for number in range(LISTENERS):
            wire = pooler.connect(user=users[number % len(users)])
            wire.rows(f"listen topic{number % TOPICS}")
            wire.stream.setblocking(False)
            self.notes[number] = []
            self.selector.register(wire.stream, selectors.EVENT_READ, (number, wire))

    def hear(self, total, patience=20):
        """Until so many notifications were heard in all."""
        deadline = time.monotonic() + patience
        while sum(map(len, self.notes.values())) < total and time.monotonic() < deadline:
            self.listen(0.2)
        self.listen(0.1)

    def listen(self, seconds):
        for key, _ in self.selector.select(seconds):
            number, wire = key.data
            while True:
                try:
                    data = wire.stream.recv(65536)
                except BlockingIOError:
                    break
                assert data, f"listener {number} was cut off"
                wire.buffer += data
            while len(wire.buffer) >= 5:
                length = struct.unpack_from("!I", wire.buffer, 1)[0] + 1
                if len(wire.buffer) < length:
                    break
                if wire.buffer[:1] == b"A":
                    self.notes[number].append(notification(bytes(wire.buffer[5:length])))
                del wire.buffer[:length]

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.data[1].close()


def test_a_thousand_listeners_hear_everything_once_and_in_order(place, start):
    """Over two servers, one of which dies; what is said while it is gone is lost, and nothing else."""
    servers = [Postgres.primary(place, name=f"said{number}") for number in range(2)]
    try:
        host, port = servers[1].address
        pooler = start(
            Route(user="postgres", pool_size=8, more={"pool_listen": True}),
            Route(user="bench", pool_size=8, storage="other", more={"pool_listen": True}),
            storage=servers[0].address, workers=2, more_storages={"other": {"type": "remote", "host": host, "port": port}})
        users = ["postgres", "bench"]
        crowd = Crowd(pooler, users)

        def say(rounds, first, servers):
            for server in servers:
                with server.connect() as speaker:
                    for number in range(first, first + rounds):
                        for topic in range(TOPICS):
                            speaker.rows(f"notify topic{topic}, '{server.address[0]} {number}'")

        def expected(number, rounds):
            server = servers[number % 2].address[0]
            return [(f"topic{number % TOPICS}", f"{server} {said}") for said in rounds]

        say(ROUNDS, 0, servers)
        crowd.hear(LISTENERS * ROUNDS)
        assert crowd.notes == {number: expected(number, range(ROUNDS)) for number in range(LISTENERS)}
        servers[0].kill()
        servers[0].start()
        # It listens again when a new listener is served.
        wait_until(lambda: can_listen(pooler), "it is listened again", timeout=30)
        say(ROUNDS, ROUNDS, servers)
        crowd.hear(LISTENERS * 2 * ROUNDS)
        assert crowd.notes == {number: expected(number, range(2 * ROUNDS)) for number in range(LISTENERS)}
        crowd.close()
    finally:
        for server in servers:
            server.stop()


def can_listen(pooler):
    try:
        with pooler.connect() as probe:
            return probe.rows("listen probe") == []
    except (ServerError, ConnectionLost):
        return False

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What clients' prepared statements do to servers: how many there are, and what a lost server or plan means."""

import contextlib
import random
import threading
import time

import pytest

from lib.config import Route
from lib.talk import codes_of, rows_of, said, told
from lib.waiting import wait_until
from lib.wire import SYNC, Wire, bind, close, describe, execute, parse, query

pytestmark = pytest.mark.own
#: No server may have more of them, whatever clients prepare: the default of max_prepared_statements.
MOST_ON_A_SERVER = 200


def run(statement="", values=()):
    return bind("", statement, values) + execute()


@contextlib.contextmanager
def clients(pooler, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(pooler.connect(user="bench", database="bench")) for _ in range(count)]


def counts(pooler, servers):
    """How many statements each server has, by its process id; all servers are made to answer."""
    with clients(pooler, servers) as wires:
        for wire in wires:
            wire.rows("begin")
        found = dict(wire.rows("select pg_backend_pid(), count(*) from pg_prepared_statements")[0] for wire in wires)
        for wire in wires:
            wire.rows("commit")
    assert len(found) == servers
    return {pid: int(count) for pid, count in found.items()}


def test_ten_thousand_statements_leave_few_on_servers(start):
    pooler = start(Route(pool_size=3), workers=2)
    each = 200
    with clients(pooler, 50) as wires:
        for n, wire in enumerate(wires):
            for begin in range(0, each, 50):
                wire.exchange(b"".join(parse(f"s{m}", f"select {n}, {m}, $1::int") for m in range(begin, begin + 50))
                              + SYNC)
        assert all(0 <= count <= MOST_ON_A_SERVER for count in counts(pooler, 3).values())
        dice = random.Random(7)
        for _ in range(3000):
            n, m = dice.randrange(50), dice.randrange(each)
            seen = said(wires[n], bind("", f"s{m}", [b"9"]), execute(), SYNC)
            assert rows_of(seen) == [(str(n), str(m), "9")], seen
        found = counts(pooler, 3)
        assert all(0 < count <= MOST_ON_A_SERVER for count in found.values()), found
        # Many at once, on one server and in one transaction.
        unit = [run(f"s{m}", [b"1"]) for m in range(each)]
        seen = said(wires[17], *unit, SYNC)
        assert rows_of(seen) == [("17", str(m), "1") for m in range(each)]


@pytest.mark.parametrize("most", [1, 3, 50])
def test_a_servers_limit_is_kept_and_felt_by_nobody(start, most):
    pooler = start(Route(pool_size=2, more={"max_prepared_statements": most}), workers=2)
    with clients(pooler, 10) as wires:
        for n, wire in enumerate(wires):
            said(wire, *(parse(f"s{m}", f"select {n}, {m}") for m in range(10)), SYNC)
        for turn in range(3):
            for n, wire in enumerate(wires):
                # One at a time, in one go, and in one transaction.
                assert rows_of(said(wire, run("s0"), SYNC)) == [(str(n), "0")]
                assert len(rows_of(said(wire, *(run(f"s{m}") for m in range(10)), SYNC))) == 10
                wire.rows("begin")
                for m in range(turn, 10, 3):
                    assert rows_of(said(wire, run(f"s{m}"), SYNC)) == [(str(n), str(m))]
                wire.rows("commit")
        found = counts(pooler, 2)
        assert all(count <= most for count in found.values()), found


def test_one_text_is_prepared_once_a_server(start):
    pooler = start(Route(pool_size=2), workers=2)
    with clients(pooler, 30) as wires:
        for turn in range(3):
            for n, wire in enumerate(wires):
                said(wire, parse(f"s{n}_{turn}", "select 'shared by all'"), run(f"s{n}_{turn}"), SYNC)
        found = counts(pooler, 2)
        assert all(count <= 2 for count in found.values()), found


def test_names_that_come_and_go_leave_nothing(start):
    """A client that never reuses a name, and closes each."""
    pooler = start(Route(pool_size=1))
    with clients(pooler, 1) as [wire]:
        for begin in range(0, 5000, 100):
            wire.exchange(b"".join(
                parse(f"s{n}", f"select {n}") + run(f"s{n}") + close(b"S", f"s{n}")
                for n in range(begin, begin + 100)) + SYNC)
        assert rows_of(said(wire, parse("last", "select 'last'"), run("last"), SYNC)) == [("last",)]
    assert all(count <= MOST_ON_A_SERVER for count in counts(pooler, 1).values())


@pytest.mark.parametrize("name", ["s", ""], ids=["named", "unnamed"])
def test_a_server_lost_between_parse_and_bind(postgres, start, name):
    pooler = start(Route(pool_size=1))
    with clients(pooler, 1) as [wire]:
        for turn in range(3):
            pid = wire.value("select pg_backend_pid()")
            assert said(wire, parse(name, f"select 'kept {turn}', pg_backend_pid()"), SYNC)[-1] == ("Z", "I")
            postgres.rows(f"select pg_terminate_backend({pid})")
            wait_until(lambda: postgres.value(f"select count(*) from pg_stat_activity where pid = {pid}") == "0",
                       "the server is gone")
            assert [kind for kind, *_ in said(wire, describe(b"S", name), SYNC)] == ["t", "T", "Z"]
            [(kept, other)] = rows_of(said(wire, run(name), SYNC))
            assert kept == f"kept {turn}" and other != pid
            said(wire, close(b"S", name), SYNC)


def test_a_server_lost_in_a_transaction_costs_no_statement(postgres, start):
    pooler = start(Route(pool_size=1))
    with clients(pooler, 1) as [wire]:
        said(wire, parse("s", "select 'kept'"), SYNC)
        wire.rows("begin")
        pid = wire.value("select pg_backend_pid()")
        assert rows_of(said(wire, run("s"), SYNC)) == [("kept",)]
        postgres.rows(f"select pg_terminate_backend({pid})")
    with clients(pooler, 1) as [wire]:
        assert codes_of(said(wire, run("s"), SYNC)) == ["26000"]
        said(wire, parse("s", "select 'new'"), SYNC)
        assert rows_of(said(wire, run("s"), SYNC)) == [("new",)]


@pytest.fixture
def changing(postgres):
    with postgres.connect(user="bench", database="bench") as owner:
        owner.rows("drop table if exists changing; create table changing (a int); insert into changing values (1)")
        yield owner
        owner.rows("drop table changing")


def test_a_plan_whose_result_changed_is_healed(start, changing):
    """A direct connection would fail for ever with 0A000, and a pool would hand the broken statement around."""
    pooler = start(Route(pool_size=2))
    with clients(pooler, 4) as wires:
        for wire in wires:
            assert rows_of(said(wire, parse("s", "select * from changing"), run("s"), SYNC)) == [("1",)]
        changing.rows("alter table changing add column b text default 'b'")
        for wire in wires:
            # One error a server is allowed, since the client knows the old columns.
            answers = [said(wire, run("s"), SYNC) for _ in range(4)]
            assert rows_of(answers[-1]) == [("1", "b")], answers
            assert {code for answer in answers for code in codes_of(answer)} <= {"0A000"}
            assert all(answer[-1] == ("Z", "I") for answer in answers)
        # A client that comes later has no error at all.
        with clients(pooler, 1) as [late]:
            assert rows_of(said(late, parse("s", "select * from changing"), run("s"), SYNC)) == [("1", "b")]


def test_a_plan_that_fails_in_a_transaction_ends_it_as_directly(start, changing):
    pooler = start(Route(pool_size=1))
    with clients(pooler, 1) as [wire]:
        said(wire, parse("s", "select * from changing"), run("s"), SYNC)
        changing.rows("alter table changing add column b text default 'b'")
        wire.rows("begin")
        wire.rows("select 'something'")
        seen = said(wire, run("s"), SYNC)
        if codes_of(seen):
            assert codes_of(seen) == ["0A000"] and seen[-1] == ("Z", "E")
        wire.rows("rollback")
        answers = [said(wire, run("s"), SYNC) for _ in range(3)]
        assert rows_of(answers[-1]) == [("1", "b")], answers


def test_many_at_once_never_meet_each_others_statements(start):
    """Twenty clients in threads prepare, run, replace and forget statements of the same four names."""
    pooler = start(Route(pool_size=3), workers=2)
    troubles = []

    def client(number):
        dice = random.Random(number)
        try:
            with pooler.connect(user="bench", database="bench") as wire:
                mine = {}
                for turn in range(150):
                    name = dice.choice(["", "s", "t", "u"])
                    if name not in mine or dice.random() < 0.3:
                        mark = f"{number}/{turn}"
                        parts = [close(b"S", name)] if name in mine else []
                        said(wire, *parts, parse(name, f"select '{mark}', $1::int"), SYNC)
                        mine[name] = mark
                    elif dice.random() < 0.05:
                        said(wire, query("deallocate all"))
                        mine.clear()
                        assert codes_of(said(wire, run(name, [b"1"]), SYNC)) == ["26000"]
                    else:
                        value = str(dice.randrange(1000))
                        seen = said(wire, bind("", name, [value.encode()]), execute(), SYNC)
                        assert rows_of(seen) == [(mine[name], value)], seen
        except Exception as trouble:
            troubles.append(repr(trouble))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []


def test_the_same_threads_work_directly(postgres):
    """What the test before asks for is what PostgreSQL does."""
    with Wire.open(postgres.address, user="bench", database="bench") as wire:
        said(wire, parse("s", "select 's', $1::int"), parse("", "select 'u', $1::int"), SYNC)
        said(wire, query("deallocate all"))
        assert codes_of(said(wire, run("s", [b"1"]), SYNC)) == ["26000"]
        assert codes_of(said(wire, run("", [b"1"]), SYNC)) == ["26000"]
        said(wire, parse("s", "select 's', $1::int"), SYNC)
        assert rows_of(said(wire, run("s", [b"5"]), SYNC)) == [("s", "5")]


@pytest.mark.parametrize("name", ["s{}", ""], ids=["named", "unnamed"])
def test_statements_that_fail_far_ahead_cost_no_more_each(start, name):
    """What may still be taken back is not looked through at each failure: that would stop a worker for everybody."""
    pooler = start(Route(pool_size=1))

    def seconds_each(count):
        parts = (parse(name.format(number), "selekt") + describe(b"S", name.format(number)) + SYNC
                 for number in range(count))
        data, began = b"".join(parts), time.monotonic()
        assert codes_of(told(wire.exchange(data, count))) == ["42601"] * count
        return (time.monotonic() - began) / count

    with clients(pooler, 1) as [wire]:
        few = min(seconds_each(1_000) for _ in range(3))
        assert seconds_each(16_000) < 5 * few

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The extended protocol: random programs, pipelined and with errors in them, answered exactly as by the server."""

import os
import random

import pytest

from lib.config import Route
from lib.wire import (COPY_DONE, FLUSH, SYNC, bind, close, copy_data, copy_fail, describe, execute, parse, query,
                      row_values)

PROGRAMS = int(os.environ.get("CAROM_PROGRAMS", "300"))

#: SQL and the parameters it takes.
STATEMENTS = [
    ("select 1", []), ("select $1::text, $2::int", [b"x", b"5"]), ("select g from generate_series(1, 20) g", []),
    ("select 1/0", []), ("selekt", []), ("", []), ("select $1::int", [b"not a number"]), ("select $1::text", [None]),
    ("begin", []), ("commit", []), ("rollback", []), ("savepoint s", []), ("rollback to s", []),
    ("do $$ begin raise notice 'n'; end $$", []), ("select repeat('x', 30000)", []),
    ("select $1::bytea", [b"y" * 9000]),
    ("copy (select 1) to stdout", []), ("set local work_mem = '1MB'", []), ("set timezone = 'Asia/Tokyo'", []),
    ("set timezone = 'UTC'", []), ("table not_there", []),
]


class Program:
    """A random conversation; `text` is sent in one go, `end` is the last row it produces."""

    def __init__(self, dice, named):
        self.dice, self.named = dice, named
        self.end = b"the end %d" % dice.getrandbits(40)
        steps = [self._step() for _ in range(dice.randrange(1, 15))]
        # Whatever state it got into, this brings it back: a Sync ends skipping, a rollback ends a transaction.
        forget = "deallocate all; " if named else ""
        farewell = SYNC + query("rollback") + query(f"{forget}set timezone = 'UTC'")
        self.text = b"".join(steps) + farewell + query(f"select '{self.end.decode()}'")

    def _name(self, kind):
        return self.dice.choice(["", "", f"{kind}1", f"{kind}2"]) if self.named else ""

    def _step(self):
        dice = self.dice
        sql, values = dice.choice(STATEMENTS)
        statement = self._name("s")
        whole = parse(statement, sql) + bind("", statement, values)
        return dice.choice([
            lambda: whole + execute() + SYNC,
            lambda: whole + execute(),
            lambda: whole + describe(b"P", "") + execute(limit=dice.randrange(4)),
            lambda: whole + execute(limit=7) + execute(limit=7) + execute() + SYNC,
            lambda: parse(statement, sql) + describe(b"S", statement),
            lambda: bind("", statement, values),
            lambda: execute(),
            lambda: close(dice.choice([b"S", b"P"]), statement),
            lambda: SYNC,
            lambda: FLUSH,
            lambda: query(sql.replace("$1", "'q'").replace("$2", "7")),
            lambda: query("begin"),
            lambda: SYNC + query("begin; create temp table c (a text) on commit drop")
            + parse("", "copy c from stdin") + bind("", "") + execute() + copy_data(b"one\ntwo\n")
            + dice.choice([COPY_DONE, copy_fail("no")]) + SYNC + query("rollback"),
        ])()

    def run(self, wire):
        """Every reply until the end row and its ReadyForQuery."""
        wire.send(self.text)
        replies, over = [], False
        while True:
            kind, body = wire.receive()
            replies.append((kind, body))
            over = over or (kind == b"D" and row_values(body) == [self.end])
            if over and kind == b"Z":
                return replies


def compare(postgres, pooler, named):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    with postgres.connect(TimeZone="UTC") as direct:
        for number in range(PROGRAMS):
            program = Program(random.Random(f"{seed}/{number}"), named)
            with pooler.connect(TimeZone="UTC") as pooled:
                expected, seen = program.run(direct), program.run(pooled)
                assert seen == expected, f"program {number} of seed {seed}: {program.text!r}"


def test_random_programs_in_session_pooling(postgres, session):
    compare(postgres, session, named=True)


@pytest.mark.own
def test_random_programs_in_transaction_pooling(postgres, start):
    """Two servers, so that a program that loses its server in the middle is found out."""
    compare(postgres, start(Route(pool_size=2), workers=2), named=False)


def test_a_suspended_portal_continues_where_it_stopped(transaction):
    with transaction.connect() as wire:
        wire.rows("begin")
        wire.send(parse("", "select g from generate_series(1, 10) g") + bind("p", "") + execute("p", 4) + SYNC)
        first = [row_values(body)[0] for kind, body in wire.until_ready() if kind == b"D"]
        more = [row_values(body)[0] for kind, body in wire.exchange(execute("p", 4) + SYNC) if kind == b"D"]
        assert first == [b"1", b"2", b"3", b"4"] and more == [b"5", b"6", b"7", b"8"]
        wire.rows("commit")


def test_flush_brings_replies_without_sync(transaction):
    with transaction.connect() as wire:
        wire.send(parse("", "select 1") + describe(b"S", "") + FLUSH)
        assert [wire.receive()[0] for _ in range(3)] == [b"1", b"t", b"T"]
        assert wire.exchange(SYNC)[-1] == (b"Z", b"I")


def test_a_thousand_pipelined_units(transaction):
    unit = parse("", "select $1::text") + bind("", "", [b"v" * 100]) + describe(b"P", "") + execute() + SYNC
    with transaction.connect() as wire:
        kinds = [kind for kind, _ in wire.exchange(unit * 1000, ready=1000)]
        assert kinds == [b"1", b"2", b"T", b"D", b"C", b"Z"] * 1000

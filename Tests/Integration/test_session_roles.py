# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Who a client's statements run as: a server does not tell a role that was reset from one that was taken away."""

import itertools
import os
import random

import pytest

from lib.config import Route
from lib.wire import SYNC, bind, error_fields, execute, parse, query

#: What changes the role, what takes it back, and what does the same to other settings.
STATEMENTS = [
    "set role none", "set role role_b", "reset role", "set role to default", "reset work_mem",
    "set work_mem to default", "set work_mem = '1MB'", "reset all", "discard all", "set session authorization role_c",
    "reset session authorization", "select set_config('role', 'none', false)",
    "select set_config('role', null, false)",
]
#: What comes in a message of its own: with a RESET in the same one, nobody could tell what a COMMIT leaves.
ALONE = ["begin", "begin", "commit", "rollback", "set local role none", "set local role role_b"]
LOOK = ("select current_user::text || ' ' || session_user::text || ' ' || current_setting('role') || ' '"
        " || current_setting('work_mem')")


@pytest.fixture
def pooler(postgres, start):
    with postgres.connect() as admin:
        admin.rows("drop role if exists role_a, role_b, role_c; create role role_a; create role role_b; create role role_c;"
                   " grant role_b to role_a; grant role_a to role_c")
    return start(Route(pool_size=1))


def in_one_query(wire, statements):
    wire.send(query("; ".join(statements)))


def in_one_batch(wire, statements):
    wire.send(b"".join(parse("", text) + bind("", "") + execute("") for text in statements) + SYNC)


def told(wire, send, statements):
    """What a client sees of these statements: errors, whether a transaction is open, and who it is then."""
    send(wire, statements)
    answers = []
    for tag, body in wire.until_ready():
        if tag in (b"E", b"Z"):
            answers.append(error_fields(body)["C"] if tag == b"E" else body)
    return answers


def session(connect, steps):
    with connect(options="-c role=role_a -c work_mem=3MB") as wire:
        seen = []
        for send, statements in steps:
            seen.append(told(wire, send, statements))
            # A failed transaction answers nothing else.
            if seen[-1][-1] != b"E":
                seen.append(wire.value(LOOK))
        return seen


def compare(postgres, pooler, steps):
    direct = session(postgres.connect, steps)
    with pooler.connect(work_mem="5MB") as other:
        def connect(**parameters):
            wire = pooler.connect(**parameters)
            assert other.value("select current_user || current_setting('work_mem')") == "postgres5MB"
            return wire

        assert session(connect, steps) == direct, [(send.__name__, statements) for send, statements in steps]


def flight(connect, queries):
    """Who a client is behind queries that it sends without waiting, some of them perhaps in a message of their own."""
    with connect(options="-c role=role_a -c work_mem=3MB") as wire:
        for waits in queries:
            wire.send(b"".join(query(text) for text in waits))
            for _ in waits:
                wire.until_ready()
        return wire.value(LOOK)


#: Each takes the role back, and then does not.
IN_VAIN = [
    "select 1; select 1/0; reset role", "do $$ begin raise 'no'; end $$; reset role", "select 1/0; set role default",
    "select 1/0; set session authorization default", "select 1/0; discard all",
    "select set_config('role', null, false); select 1/0", "reset role; select 1/0", "begin; reset role; rollback",
    "begin; reset role; abort", "begin; savepoint a; reset role; rollback work to a; commit",
    "begin; set local role role_b; reset role; rollback", "reset role; rollback",
]
#: Each takes the role back, whatever else is taken back.
EFFECTIVE = [
    "begin; reset role; commit", "reset role; commit; begin; rollback", "begin; reset role; savepoint a; rollback to a; commit",
    "reset role; end; select 1",
]


@pytest.mark.parametrize("text", IN_VAIN + EFFECTIVE)
@pytest.mark.parametrize("before", [["set role none"], ["set role role_b"], ["reset role"], ["set role role_b", "set role none"], []], ids=str)
def test_a_reset_that_was_in_vain_leaves_the_role_that_it_found(postgres, pooler, before, text):
    for queries in ([[*before, text]], [before, [text]], [[*before, text, text]], [before, ["begin"], [text], ["rollback"]],
                    [[*before, "begin", text, "rollback"]], [[*before, text], ["select 1"]]):
        assert flight(pooler.connect, queries) == flight(postgres.connect, queries), queries


PAIRS = [list(pair) for pair in itertools.product(STATEMENTS, repeat=2)]


@pytest.mark.parametrize("send", [in_one_query, in_one_batch], ids=lambda send: send.__name__)
@pytest.mark.parametrize("around", [False, True], ids=["alone", "in-a-transaction"])
def test_two_changes_of_the_session_at_once_leave_the_role_that_they_leave_directly(postgres, pooler, send, around):
    for pair in PAIRS:
        if "discard all" in pair:
            # Not in a transaction, nor behind another statement.
            pair = [pair[0]] if pair[0] == "discard all" else [pair[1]]
        steps = [(send, pair)]
        compare(postgres, pooler, [(send, ["begin"]), *steps, (send, ["commit"])] if around else steps)


@pytest.mark.parametrize("send", [in_one_query, in_one_batch], ids=lambda send: send.__name__)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_changes_of_a_transaction_leave_the_role_that_they_leave_directly(postgres, pooler, send, end):
    """A RESET gives a setting back that the session began with, as whoever the session is in this transaction."""
    for first in [*STATEMENTS, "set local role none", "set local role role_b"]:
        for second in STATEMENTS:
            if "discard all" not in (first, second):
                compare(postgres, pooler, [(send, [text]) for text in ("begin", first, second, end)])


@pytest.mark.parametrize("seed", range(4))
def test_any_walk_through_roles_and_resets_is_the_walk_that_it_is_directly(postgres, pooler, seed):
    dice = random.Random(seed)
    for _ in range(int(os.environ.get("CAROM_ROLE_WALKS", "25"))):
        steps = []
        for _ in range(dice.randint(2, 8)):
            statements = dice.choices([*STATEMENTS, "select 1/0"], k=dice.choice([1, 2, 3]))
            if "discard all" in statements:
                # It stays done whatever fails behind it, in a batch, and nothing tells whether it was.
                statements = ["discard all"]
            if dice.random() < 0.4:
                statements = [dice.choice(ALONE)]
            steps.append((dice.choice([in_one_query, in_one_batch]), statements))
        compare(postgres, pooler, steps)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A text means what it meant when the client prepared it, whatever the client has set since, and wherever it runs.

Each conversation is held directly and through the pooler, where another server than the first parses the statement after the
change."""

import os
import random

import pytest

from lib.config import Route
from lib.moving import Client, client, pooled  # noqa: F401
from lib.talk import codes_of, rows_of, said
from lib.wire import SYNC, bind, close, describe, execute, message, parse

pytestmark = pytest.mark.own
NAMES = pytest.mark.parametrize("name", ["s", ""], ids=["named", "unnamed"])


def run(client, text):
    """By a statement with a name: a simple query would end the unnamed one."""
    seen = client.say(parse("other", text), bind("", "other"), execute(), close(b"S", "other"))
    assert codes_of(seen) == [], seen
    return rows_of(seen)


def prepare(name, text):
    """The text is bytes, in the client's encoding."""
    return message(b"P", name.encode() + b"\0" + text + b"\0\0\0")


# What is set before the Parse, the text, what is set behind it, and what the text gives directly.
TEXTS = {
    "characters": (None, "select length('äö')".encode(), "set client_encoding = 'LATIN1'", "2"),
    "characters of another encoding": (
        "set client_encoding = 'LATIN1'", b"select length('\xe4\xf6')", "set client_encoding = 'UTF8'", "2"),
    "characters in a comment": (None, "select 1 -- ä".encode(), "set client_encoding = 'SJIS'", "1"),
    "characters in dollars": (None, "select length($$ä$$)".encode(), "set names 'LATIN1'", "1"),
    "backslashes": (None, rb"select length('a\nb')", "set standard_conforming_strings = off", "4"),
    "backslashes that escape": (
        "set standard_conforming_strings = off", rb"select length('a\nb')", "set standard_conforming_strings = on", "3"),
    "dates": ("set datestyle = 'ISO, DMY'", b"select '01/02/2020'::date - '2020-01-01'::date",
              "set datestyle = 'ISO, MDY'", "31"),
    "times": ("set time zone 'UTC'", b"select extract(epoch from '1970-01-01 00:00'::timestamptz)::int",
              "set time zone 'America/New_York'", "0"),
    "intervals": ("set intervalstyle = 'sql_standard'", b"select extract(epoch from '-1 1:00:00'::interval)::int",
                  "set intervalstyle = 'postgres'", "-90000"),
    "arrays": (None, b"select ('{null}'::text[])[1] is null", "set array_nulls = off", "t"),
    "nulls": (None, b"select count(*) from (values (null::int)) v (a) where a = null",
              "set transform_null_equals = on", "0"),
    "a path beside": ("set datestyle = 'ISO, DMY'", b"select '01/02/2020'::date - '2020-01-01'::date",
                      "set datestyle = 'ISO, MDY'; set search_path = pg_catalog", "1"),
    "what does not matter": (None, "select length('äö')".encode(), "set work_mem = '1MB'", "2"),
}


@NAMES
@pytest.mark.parametrize("case", TEXTS)
def test_a_text_is_read_as_at_its_parse(client, name, case):
    before, text, after, expected = TEXTS[case]
    if before:
        run(client, before)
    assert codes_of(client.say(prepare(name, text))) == []
    for change in after.split("; "):
        run(client, change)
    with client.elsewhere():
        for _ in range(2):
            seen = client.say(bind("", name), execute())
            assert rows_of(seen) == [(expected,)] and seen[-1] == ("Z", "I"), seen
        seen = client.say(describe(b"S", name))
        assert [kind for kind, *_ in seen] == ["t", "T", "Z"], seen


@NAMES
def test_settings_are_as_before_behind_it(client, name):
    def settings():
        return [run(client, f"show {setting}") for setting in ("client_encoding", "datestyle", "search_path")]

    client.say(prepare(name, "select 'ä', '01/02/2020'::date::text".encode()))
    for change in ("set client_encoding = 'LATIN1'", "set datestyle = 'German, DMY'", "set search_path = pg_catalog"):
        run(client, change)
    before = settings()
    with client.elsewhere():
        # In one batch, so that nothing is put right in between.
        show = parse("show", "show datestyle") + bind("", "show") + execute() + close(b"S", "show")
        seen = client.say(bind("", name), execute(), show)
        # PostgreSQL looks names up again under the new path, and with them literals.
        assert rows_of(seen) == [("\\xe4", "01.02.2020"), ("German, DMY",)], seen
        assert settings() == before


@NAMES
def test_settings_are_as_before_behind_a_rollback(client, name):
    client.say(prepare(name, "select 'ä'".encode()))
    run(client, "set client_encoding = 'LATIN1'")
    with client.elsewhere():
        run(client, "begin")
        assert rows_of(client.say(bind("", name), execute())) == [("\\xe4",)]
        run(client, "rollback")
        assert run(client, "show client_encoding") == [("LATIN1",)]
        assert rows_of(client.say(bind("", name), execute())) == [("\\xe4",)]


def test_settings_are_as_before_behind_a_statement_that_fails(client, postgres):
    with postgres.connect(user="bench", database="bench") as owner:
        owner.rows("drop table if exists gone; create table gone (a int)")
        client.say(prepare("s", "select 'ä' from gone".encode()))
        run(client, "set client_encoding = 'LATIN1'")
        owner.rows("drop table gone")
    with client.elsewhere():
        for _ in range(2):
            assert codes_of(client.say(bind("", "s"), execute())) == ["42P01"]
            assert run(client, "show client_encoding") == [("LATIN1",)]


@pytest.mark.parametrize("text, is_read", [
    (rb"select '\x00ff'", True), (rb"select 'a' || E'\xc3'", True), (b"select '\xe4'", False), (b"select 1 -- \xc3", False)])
def test_behind_a_text_that_cannot_be_read_the_statement_before_is_there(client, text, is_read):
    """Not behind one whose literals cannot be."""
    run(client, "set standard_conforming_strings = off")
    client.say(prepare("", b"select 'before'"))
    assert codes_of(client.say(prepare("", text))) == ["22021"]
    seen = client.say(bind("", ""), execute())
    assert codes_of(seen) == (["26000"] if is_read else []), seen


def test_a_setting_of_a_transaction_lasts_as_long_as_that(client):
    client.say(prepare("s", "select 'ä'".encode()), prepare("plain", b"select 'a'"))
    with client.elsewhere():
        run(client, "begin")
        run(client, "set local datestyle = 'German, DMY'")
        assert rows_of(client.say(bind("", "s"), execute(), bind("", "plain"), execute())) == [("ä",), ("a",)]
        assert run(client, "show datestyle") == [("German, DMY",)]
        run(client, "commit")
        assert run(client, "show datestyle") == [("ISO, MDY",)]


@NAMES
def test_a_setting_of_the_transaction_is_not_how_a_text_is_read(client, name):
    client.say(prepare(name, b"select '01/02/2020'::date - '2020-01-01'::date"))
    with client.elsewhere():
        run(client, "begin")
        run(client, "set local datestyle = 'ISO, DMY'")
        for _ in range(2):
            assert rows_of(client.say(bind("", name), execute())) == [("1",)]
        assert run(client, "show datestyle") == [("ISO, DMY",)]
        run(client, "savepoint a")
        run(client, "rollback to a")
        assert run(client, "show datestyle") == [("ISO, DMY",)]
        run(client, "commit")
        assert rows_of(client.say(bind("", name), execute())) == [("1",)]


@pytest.mark.parametrize("isolated", [True, False], ids=["first in its batch", "behind another message"])
def test_a_setting_of_a_clients_transaction_is_not_how_others_texts_are_read(start, isolated):
    """The server that both use next has it from the one with the setting."""
    text = b"select '01/02/2020'::date - '2020-01-01'::date"
    with pooled(start) as client:
        for wire in (client.wire, *client.neighbours):
            said(wire, prepare("s", text), SYNC)
        with client.elsewhere() as free:
            run(client, "begin")
            run(client, "set local datestyle = 'ISO, DMY'")
            client.say(*([] if isolated else [bind("", "where")]), bind("", "s"), execute())
            run(client, "commit")
            assert rows_of(said(free, bind("", "s"), execute(), SYNC)) == [("1",)]


VALUES = {
    "client_encoding": ["UTF8", "LATIN1"], "standard_conforming_strings": ["on", "off"],
    "datestyle": ["ISO, DMY", "ISO, MDY", "German, DMY"], "time zone": ["'UTC'", "'America/New_York'"],
    "intervalstyle": ["postgres", "sql_standard"], "array_nulls": ["on", "off"], "transform_null_equals": ["on", "off"],
    "work_mem": ["'1MB'", "'2MB'"],
}


def changes(dice):
    name = dice.choice(list(VALUES))
    value = dice.choice(VALUES[name])
    return f"{name} {value}" if name == "time zone" else f"{name} = {value}" if name == "work_mem" else f"{name} = '{value}'"


def walk(dice):
    """What a client does, each in a batch of its own. In a transaction that has changed settings nothing is prepared."""
    texts = [case[1] for case in TEXTS.values()]
    prepared = []
    for _ in range(60):
        kind = dice.choice(["set", "prepare", "prepare", "run", "run", "run", "local", "moved"])
        if kind == "set":
            yield "run", f"set {changes(dice)}".encode()
        elif kind == "prepare":
            name = dice.choice(["", "a", "b", "c", "d"])
            if name in prepared and name:
                yield "close", name
            prepared = [other for other in prepared if other != name] + [name]
            yield "prepare", (name, dice.choice(texts))
        elif kind == "run" and prepared:
            yield "bind", dice.choice(prepared)
        elif kind == "local" and prepared:
            yield "run", b"begin"
            yield "run", f"set {dice.choice(['local ', ''])}{changes(dice)}".encode()
            for _ in range(dice.choice([1, 2])):
                yield "bind", dice.choice(prepared)
            yield "run", dice.choice([b"commit", b"rollback"])
        elif kind == "moved":
            yield "moved", dice.choice([True, False])


def play(client, steps):
    """Answers of a walk. Neighbours take and leave servers on the way."""
    answers = []
    holder = None
    for kind, what in steps:
        if kind == "moved":
            if holder:
                holder.rows("rollback")
                holder = None
            if what and client.neighbours:
                holder = client.neighbours[0]
                holder.rows("begin; select 1")
            continue
        if kind == "run":
            parts = [prepare("other", what), bind("", "other"), execute(), close(b"S", "other")]
        elif kind == "prepare":
            parts = [prepare(*what)]
        elif kind == "close":
            parts = [close(b"S", what)]
        else:
            parts = [bind("", what), execute()]
        answers.append((kind, what, client.say(*parts)))
    if holder:
        holder.rows("rollback")
    return answers


@pytest.mark.parametrize("part", range(4))
def test_whatever_is_set_the_answers_are_those_of_a_direct_connection(start, postgres, part):
    seed = int(os.environ.get("CAROM_SEED") or random.getrandbits(32))
    print(f"CAROM_SEED={seed}")
    dice = random.Random(f"{seed}/{part}")
    pooler = start(Route(pool_size=2))
    with pooler.connect(user="bench", database="bench") as neighbour:
        for _ in range(10):
            steps = list(walk(dice))
            with postgres.connect(user="bench", database="bench") as wire:
                directly = play(Client(wire), steps)
            with pooler.connect(user="bench", database="bench") as wire:
                assert play(Client(wire, [neighbour]), steps) == directly

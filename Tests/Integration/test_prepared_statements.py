# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Prepared statements belong to their client, whatever servers it gets: each scenario tells the same as directly."""

import contextlib

import pytest

from lib.config import Route
from lib.differential import told_alike
from lib.pooler import Poolers
from lib.talk import said, told
from lib.wire import FLUSH, SYNC, Wire, bind, close, describe, execute, parse, query

pytestmark = pytest.mark.own
SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def run(statement="", values=(), portal=""):
    return bind(portal, statement, values) + execute(portal)


@contextlib.contextmanager
def clients(address, count=2, **parameters):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire.open(address, user="bench", database="bench", **parameters))
               for _ in range(count)]


def elsewhere(others):
    """Other clients use every server meanwhile, with names of their own that are the same."""
    for other in others:
        said(other, parse("s", "select 'somebody else''s'"), run("s"), close(b"S", "s"), SYNC)
        said(other, parse("", "select 'not yours'"), run(), SYNC)


@scenario
def the_same_names_mean_different_things(address):
    with clients(address, 4) as wires:
        seen = [said(wire, parse("s", f"select 'of {n}', $1::int"), SYNC) for n, wire in enumerate(wires)]
        for turn in range(5):
            seen += [said(wire, bind("", "s", [b"%d" % turn]), execute(), SYNC) for wire in wires]
            seen += [said(wire, bind("", "s", [b"7"]), execute(), SYNC) for wire in reversed(wires)]
        return seen


@scenario
def a_batch_may_end_the_transaction_that_failed_in_front_of_a_deallocate(address):
    with clients(address) as (wire, *others):
        seen = []
        for end in ("rollback", "commit", "rollback to p"):
            seen.append(said(wire, parse("s", "select 'mine'"), SYNC))
            seen += [said(wire, query(text)) for text in ("begin", "savepoint p", "select 1/0")]
            # No Sync between: the status that the server told last is that of a transaction that failed.
            seen.append(said(wire, parse("e", end), run("e"), query("deallocate s")))
            seen.append(said(wire, query("rollback")))
            elsewhere(others)
            seen += [said(wire, run("s"), SYNC), said(wire, close(b"S", "s"), close(b"S", "e"), SYNC)]
        return seen


@scenario
def a_warning_about_a_text_is_told_when_it_is_parsed_and_not_again(address):
    with clients(address, 4) as (wire, *others):
        # The name is cut short, with a notice; in old strings a backslash is warned of.
        seen = [said(wire, query("set standard_conforming_strings = off"))]
        for name in ("", "s"):
            seen.append(said(wire, parse(name, f"select 'back\\\\slash' as {'long_' * 20}"), SYNC))
            elsewhere(others)
            seen += [said(wire, run(name), SYNC), said(wire, describe(b"S", name), SYNC)]
            seen.append([notice["C"] for notice in wire.notices])
            assert len(wire.notices) % 2 == 0, "both are told"
        return seen


@scenario
def many_clients_have_the_same_text(address):
    with clients(address, 12) as wires:
        text = "select $1::text || ' of everybody'"
        seen = [said(wire, parse(f"mine_{n % 3}", text), SYNC) for n, wire in enumerate(wires)]
        for wire in wires[::2]:
            seen.append(said(wire, close(b"S", "mine_0"), SYNC))
        for n, wire in enumerate(wires):
            seen.append(said(wire, bind("", f"mine_{n % 3}", [b"%d" % n]), execute(), SYNC))
        return seen


@scenario
def the_unnamed_statement_waits_for_its_client(address):
    with clients(address, 5) as (wire, *others):
        seen = [said(wire, parse("", "select 'unnamed', $1::text"), SYNC)]
        for turn in range(4):
            elsewhere(others)
            seen.append(said(wire, bind("", "", [b"%d" % turn]), execute(), SYNC))
            seen.append(said(wire, describe(b"S", ""), SYNC))
        # A simple query ends it.
        seen.append(said(wire, query("select 1")))
        elsewhere(others)
        seen.append(said(wire, bind("", "", [b"x"]), execute(), SYNC))
        seen.append(said(wire, describe(b"S", ""), SYNC))
        return seen


@scenario
def a_closed_statement_is_gone(address):
    with clients(address, 4) as (wire, *others):
        seen = [said(wire, parse("s", "select 1"), parse("t", "select 2"), SYNC), said(wire, close(b"S", "s"), SYNC)]
        elsewhere(others)
        seen.append(said(wire, run("s"), SYNC))
        seen.append(said(wire, run("t"), SYNC))
        seen.append(said(wire, close(b"S", "s"), close(b"S", "never"), close(b"S", ""), SYNC))
        seen.append(said(wire, parse("s", "select 'again'"), run("s"), close(b"S", "s"), parse("s", "select 'anew'"),
                         run("s"), SYNC))
        elsewhere(others)
        seen.append(said(wire, run("s"), SYNC))
        return seen


FORGETTING = {
    "deallocate": "deallocate s", "deallocate_prepare": "deallocate prepare s",
    "deallocate_upper": "DEALLOCATE  \"s\" ;", "deallocate_all": "deallocate all",
    "deallocate_prepare_all": "DEALLOCATE PREPARE ALL", "discard_all": "discard all", "discard_plans": "discard plans",
    "among_others": "select 1; deallocate s; select 2", "deallocate_unknown": "deallocate nobody",
    "nonsense_behind": "deallocate s; selekt", "nonsense_in_front": "selekt; deallocate s",
    "nonsense_behind_others": "select 'é'; deallocate \"s\"; deallocate t; select 'é' selekt x",
    "a_name_of_the_poolers": "deallocate carom_9000000000000000000; begin; selekt",
    "no_such_column_behind": "deallocate s; select 1; select nothing from pg_class; select 2",
}


def forgetting(name, sql, extended):
    def story(address):
        with clients(address, 4) as (wire, *others):
            seen = [said(other, parse("s", "select 'kept'"), parse("t", "select 't kept'"), SYNC) for other in others]
            seen.append(said(wire, parse("s", "select 's'"), parse("t", "select 't'"), SYNC))
            seen.append(said(wire, parse("", sql), run(), SYNC) if extended else said(wire, query(sql)))
            seen += [said(wire, run("s"), SYNC), said(wire, run("t"), SYNC)]
            seen.append(said(wire, parse("s", "select 's again'"), SYNC))
            for other in others:
                seen += [said(other, run("s"), SYNC), said(other, run("t"), SYNC)]
            return [*seen, said(wire, run("s"), SYNC)]
    story.__name__ = name
    scenario(story)


def errors_are_where_they_are(address):
    """Behind a query in which a place is told otherwise, places are told as they are."""
    with clients(address, 1) as (wire,):
        seen = [said(wire, parse("s", "select 's'"), SYNC), said(wire, query("deallocate s; select 1"), query("selekt 1"))]
        seen.append(said(wire, parse("s", "select 's'"), SYNC, query("deallocate s"), parse("", "select 1 from nothing"), SYNC))
        return [*seen, said(wire, query("select 1 from nothing"))]


scenario(errors_are_where_they_are)


def a_fetch_is_described_as_its_cursor_is(address):
    """PostgreSQL dies when it describes a FETCH that was parsed with a cursor and has none now; here another client has parsed it."""
    with clients(address, 2) as (one, other):
        seen = [said(one, parse("s", "fetch all from c"), SYNC), said(other, query("begin; declare c cursor for select 1"))]
        seen += [said(other, parse("s", "fetch all from c"), describe(b"S", "s"), run("s"), SYNC), said(other, query("commit"))]
        return [*seen, said(one, describe(b"S", "s"), SYNC), said(one, run("s"), SYNC)]


scenario(a_fetch_is_described_as_its_cursor_is)


def settings_go_back_behind_a_deallocate(address):
    """To what the client's session began with."""
    with clients(address, 1, TimeZone="Asia/Tokyo") as (wire,):
        seen = [said(wire, parse("s", "select 's'"), SYNC), said(wire, query("set timezone = 'Asia/Seoul'"))]
        seen.append(said(wire, query("deallocate s; reset timezone")))
        return [*seen, said(wire, query("show timezone")), said(wire, query("deallocate s; reset timezone"))]


scenario(settings_go_back_behind_a_deallocate)


for word, statement in FORGETTING.items():
    forgetting(f"{word}_in_a_simple_query", statement, extended=False)
    if ";" not in statement:
        forgetting(f"{word}_in_the_extended_protocol", statement, extended=True)


DEFERRED = """create table if not exists one_each (n int, unique (n) deferrable initially deferred);
    delete from one_each; insert into one_each values (1)"""
# What ends statements at the end of a transaction that cannot commit: its command has run, and its tag is never sent.
BEHIND = {
    "all": "{insert}; deallocate all", "one": "{insert}; deallocate s", "prepare": "{insert}; select 1; deallocate prepare s;;",
    "both": "deallocate t; {insert}; deallocate s", "not_last": "deallocate s; {insert}", "not_there": "{insert}; deallocate nobody",
    "all_not_last": "deallocate all; {insert}", "in_front": "{insert}; select 1/0; deallocate all",
    "in_front_of_one": "{insert}; select 1/0; deallocate s", "others_between": "{insert}; select 1; select 1/0; deallocate s",
    "again": "{insert}; deallocate s; deallocate s", "nonsense": "{insert}; deallocate all; selekt",
}


def ending_behind_what_cannot_commit(name, text, batch):
    def story(address):
        insert = "insert into one_each values (1)"
        with clients(address, 4) as (wire, *others):
            said(wire, query(DEFERRED))
            seen = [said(wire, parse("s", "select 's'"), parse("t", "select 't'"), SYNC)]
            if batch:
                # The query commits, or not, what the batch in front of it has done.
                seen.append(said(wire, parse("", insert), run(), query(text.format(insert="select 2"))))
            else:
                seen.append(said(wire, query(text.format(insert=insert))))
            for _ in range(2):
                seen += [said(wire, run("s"), SYNC), said(wire, run("t"), SYNC)]
                elsewhere(others)
            return [*seen, said(wire, parse("s", "select 's again'"), SYNC), said(wire, run("s"), SYNC)]
    story.__name__ = f"{name}_{'behind_a_batch' if batch else 'in_a_string'}_that_cannot_commit"
    scenario(story)


for word, statement in BEHIND.items():
    ending_behind_what_cannot_commit(word, statement, batch=False)
    ending_behind_what_cannot_commit(word, statement, batch=True)
for word, statement in {"all_behind_what_fails": "deallocate all", "one_behind_what_fails": "deallocate s"}.items():
    def behind_what_fails(address, statement=statement):
        with clients(address) as (wire, other):
            seen = [said(wire, parse("s", "select 's'"), SYNC)]
            # The query is skipped with the rest of the batch.
            seen.append(told(wire.exchange(parse("", "select 1/0") + run() + query(statement) + SYNC)))
            elsewhere([other])
            return [*seen, said(wire, run("s"), SYNC)]
    behind_what_fails.__name__ = word
    scenario(behind_what_fails)
for word, statement in {"all_alone": "deallocate all", "one_alone": "deallocate s", "discard": "discard all"}.items():
    ending_behind_what_cannot_commit(word, statement, batch=True)


@scenario
def a_rolled_back_deallocate_still_counts(address):
    with clients(address) as (wire, other):
        seen = [said(wire, parse("s", "select 's'"), SYNC), said(wire, query("begin"))]
        seen += [said(wire, query("deallocate s")), said(wire, query("rollback"))]
        elsewhere([other])
        return [*seen, said(wire, run("s"), SYNC)]


@scenario
def errors_have_the_clients_own_names(address):
    with clients(address, 3) as (wire, *others):
        seen = [said(wire, run("no such one"), SYNC), said(wire, describe(b"S", "neither"), SYNC)]
        seen.append(said(wire, parse("s", "select $1::int"), SYNC))
        elsewhere(others)
        seen.append(said(wire, parse("s", "select 2"), SYNC))
        seen.append(said(wire, parse("s", "select $1::int"), SYNC))
        elsewhere(others)
        # The number of parameters is wrong: the message names the statement.
        seen.append(said(wire, bind("", "s", [b"1", b"2"]), execute(), SYNC))
        seen.append(said(wire, bind("", "s", [b"x"]), execute(), SYNC))
        seen.append(said(wire, execute("nowhere"), SYNC))
        seen.append(said(wire, describe(b"P", "nowhere"), SYNC))
        return [*seen, said(wire, bind("", "s", [b"5"]), execute(), SYNC)]


@scenario
def a_failed_parse_leaves_no_trace(address):
    with clients(address, 3) as (wire, *others):
        seen = []
        for text in ("selekt", "table not_there", "select 1; select 2", "select $1 +"):
            seen.append(said(wire, parse("s", text), SYNC))
            elsewhere(others)
            seen.append(said(wire, run("s"), SYNC))
        seen.append(said(wire, parse("s", "select 'fine'"), run("s"), SYNC))
        # The unnamed statement goes even if the new one fails.
        seen.append(said(wire, parse("", "select 'old'"), SYNC))
        seen.append(said(wire, parse("", "selekt"), SYNC))
        return [*seen, said(wire, run(), SYNC), said(wire, run("s"), SYNC)]


@scenario
def statements_and_failed_transactions(address):
    with clients(address, 3) as (wire, *others):
        seen = [said(wire, parse("before", "select 'before'"), SYNC), said(wire, query("begin"))]
        seen.append(said(wire, parse("within", "select 'within'"), run("within"), SYNC))
        seen.append(said(wire, query("select 1/0")))
        seen.append(said(wire, parse("failed", "select 'failed'"), SYNC))
        seen.append(said(wire, run("before"), SYNC))
        seen.append(said(wire, describe(b"S", "before"), SYNC))
        seen.append(said(wire, parse("back", "rollback"), run("back"), SYNC))
        elsewhere(others)
        return [*seen, *(said(wire, run(name), SYNC) for name in ("before", "within", "failed", "back"))]


@scenario
def an_error_in_the_middle_of_a_pipeline(address):
    with clients(address, 3) as (wire, *others):
        seen = [said(wire, parse("a", "select 'a'"), run("a"), parse("b", "select 1/0"), run("b"),
                     parse("c", "select 'c'"), run("c"), SYNC,
                     run("a"), SYNC, run("b"), SYNC, run("c"), SYNC, parse("c", "select 'c'"), run("c"), SYNC)]
        elsewhere(others)
        seen.append(said(wire, run("a"), run("c"), SYNC, run("b"), run("a"), SYNC, run("a"), SYNC))
        # Closed behind an error: not closed at all.
        seen.append(said(wire, run("unknown"), close(b"S", "a"), SYNC))
        elsewhere(others)
        return [*seen, said(wire, run("a"), SYNC)]


@scenario
def parse_and_close_many_times_in_one_go(address):
    with clients(address, 3) as (wire, *others):
        unit = [part for n in range(50) for part in (
            parse("s", f"select {n}"), run("s"), close(b"S", "s"), parse(f"n{n}", f"select 'n{n}'"))]
        seen = [said(wire, *unit, SYNC)]
        elsewhere(others)
        return [*seen, *(said(wire, run(f"n{n}"), SYNC) for n in (0, 17, 49))]


@scenario
def flush_and_describe(address):
    with clients(address, 3) as (wire, *others):
        wire.send(parse("s", "select $1::int as one, 'x'::text as other") + describe(b"S", "s") + FLUSH)
        seen = [[wire.receive()[0] for _ in range(3)]]
        seen.append(said(wire, SYNC))
        elsewhere(others)
        wire.send(describe(b"S", "s") + FLUSH)
        seen.append([wire.receive()[0] for _ in range(2)])
        wire.send(bind("p", "s", [b"3"]) + describe(b"P", "p") + FLUSH)
        seen.append([wire.receive()[0] for _ in range(2)])
        return [*seen, said(wire, execute("p"), SYNC), said(wire, describe(b"S", "s"), SYNC)]


@scenario
def a_large_statement(address):
    with clients(address, 3) as (wire, *others):
        text = f"select length('{'x' * (1 << 20)}'), $1::int"
        seen = [said(wire, parse("large", text), SYNC)]
        elsewhere(others)
        seen.append(said(wire, bind("", "large", [b"1"]), execute(), SYNC))
        elsewhere(others)
        return [*seen, said(wire, describe(b"S", "large"), bind("", "large", [b"2"]), execute(), SYNC)]


@scenario
def names_of_every_kind(address):
    names = ["carom", "carom_1", "carom_s1", "C_1", "S_1", "__carom_1", "1", "_", " ", "s;drop", "ü", "%s", "\\", "'",
             '"', "PGBOUNCER_1", "DEALLOCATE", "carom_", "carom_/", "carom_/carom_1", "carom_01", "carom_2x",
             # As long as PostgreSQL lets a name be, and told apart by its last letter.
             "x" * 63, "x" * 62 + "y", "carom_" + "x" * 57, "carom_" + "x" * 56 + "y"]
    with clients(address, 3) as wires:
        seen = [said(wire, *(parse(name, f"select 'client {n}, name {m}'") for m, name in enumerate(names)), SYNC)
                for n, wire in enumerate(wires)]
        for name in names:
            seen += [said(wire, run(name), SYNC) for wire in wires]
        return seen


@scenario
def names_in_sql_that_could_be_the_poolers(address):
    with clients(address) as (wire, other):
        seen = [said(wire, parse(f"s{n}", f"select 's{n}'"), run(f"s{n}"), SYNC) for n in range(3)]
        for n in range(6):
            name = f"carom_{n}"
            seen += [said(wire, query(f"execute {name}")), said(wire, query(f"deallocate {name}"))]
            seen += [said(wire, run(name), SYNC), said(wire, describe(b"S", name), SYNC)]
            seen += [said(wire, query("begin")), said(wire, query(f"prepare {name} as select 'by sql'"))]
            seen.append(said(wire, *(run(f"s{m}") for m in range(3)), SYNC))
            seen += [said(wire, query(f"execute {name}")), said(wire, query(f"deallocate {name}"))]
            seen.append(said(wire, query("commit")))
            elsewhere([other])
        return [*seen, *(said(wire, run(f"s{n}"), SYNC) for n in range(3))]


@scenario
def types_belong_to_the_statement(address):
    text = "select $1, pg_typeof($1)"
    with clients(address, 4) as wires:
        seen = [said(wire, parse("s", text, types), describe(b"S", "s"), SYNC)
                for wire, types in zip(wires, ([23], [25], [], [0]))]
        for _ in range(2):
            seen += [said(wire, bind("", "s", [b"7"]), execute(), SYNC) for wire in wires]
        return seen


@scenario
def one_client_with_the_same_text_and_other_types(address):
    with clients(address, 2) as (wire, other):
        seen = [said(wire, parse("i", "select $1", [23]), parse("t", "select $1", [25]), SYNC),
                said(wire, parse("", "select $1", [20]), SYNC)]
        elsewhere([other])
        for name in ("i", "t"):
            seen.append(said(wire, describe(b"S", name), bind("", name, [b"x"]), execute(), SYNC))
            seen.append(said(wire, bind("", name, [b"5"]), execute(), SYNC))
        return seen


def settings_decide(name, settings, text):
    """The same text, under settings that give it another meaning, at login and by SET."""
    def story(address):
        seen = []
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(Wire.open(address, user="bench", database="bench", **given))
                     for given in settings]
            for given in settings:
                wires.append(stack.enter_context(Wire.open(address, user="bench", database="bench")))
                for key, value in given.items():
                    said(wires[-1], query(f"set {key} = {value}"))
            for turn in range(3):
                for wire in wires if turn % 2 else reversed(wires):
                    seen.append(said(wire, parse(f"s{turn}", text), run(f"s{turn}"), SYNC))
                for wire in wires:
                    seen.append(said(wire, parse("", text), run(), SYNC))
            for wire in wires:
                seen += [said(wire, run(f"s{turn}"), SYNC) for turn in range(3)]
        return seen
    story.__name__ = name
    scenario(story)


settings_decide("the_search_path_decides", [{"search_path": "here"}, {"search_path": "there"},
                                            {"search_path": "nowhere"}], "select whose from prepared_here")
settings_decide("the_date_style_decides", [{"DateStyle": "ISO"}, {"DateStyle": "German"}, {"DateStyle": "DMY"},
                                           {"DateStyle": "MDY"}], "select '01/02/2020'::date::text, date '01/02/2020'")
settings_decide("the_time_zone_decides", [{"TimeZone": "UTC"}, {"TimeZone": "Japan"}],
                "select timestamptz '2020-01-01 12:00' = '2020-01-01 12:00+00', timestamptz '2020-01-01 12:00'")
settings_decide("standard_strings_decide", [{"standard_conforming_strings": "on"},
                                            {"standard_conforming_strings": "off"}], "select 'a\\\\b'")
settings_decide("the_role_decides", [{"role": "bench"}, {"role": "prepared_reader"}],
                "select current_user, whose from here.prepared_here")


@scenario
def a_transaction_keeps_what_it_prepared(address):
    with clients(address) as (wire, other):
        seen = [said(wire, query("begin")), said(wire, parse("s", "select g from generate_series(1, 9) g"), SYNC)]
        seen.append(said(wire, bind("p", "s"), execute("p", 2), SYNC))
        seen.append(said(wire, execute("p", 3), SYNC))
        seen += [said(wire, query("rollback")), said(wire, execute("p"), SYNC)]
        elsewhere([other])
        return [*seen, said(wire, bind("p", "s"), execute("p", 2), execute("p", 2), SYNC)]


@scenario
def statements_of_sql_and_of_the_protocol(address):
    with clients(address) as (wire, other):
        seen = []
        for n, each in enumerate((wire, other)):
            seen += [said(each, query("begin")), said(each, query(f"prepare q as select 'sql {n}'"))]
            seen += [said(each, query("execute q")), said(each, query("deallocate q")), said(each, query("commit"))]
        for each in (wire, other):
            seen.append(said(each, query("execute q")))
        return seen


@scenario
def a_dropped_table_is_missed_at_bind(address):
    with clients(address, 3) as (wire, *others):
        said(wire, query("drop table if exists prepared_ddl; create table prepared_ddl (a int)"))
        seen = [said(wire, parse("s", "select a from prepared_ddl"), run("s"), SYNC)]
        said(others[0], query("drop table prepared_ddl"))
        seen.append(said(wire, run("s"), SYNC))
        said(others[0], query("create table prepared_ddl (b text, a int); insert into prepared_ddl values ('b', 4)"))
        elsewhere(others)
        return [*seen, said(wire, run("s"), SYNC)]


@scenario
def a_client_that_leaves_takes_its_statements_along(address):
    with clients(address, 3) as wires:
        for wire in wires:
            said(wire, parse("s", "select 'gone'"), parse("", "select 'gone too'"), SYNC)
    with clients(address, 3) as wires:
        return [said(wire, part, SYNC) for wire in wires for part in (run("s"), run(), describe(b"S", "s"))]


@pytest.fixture(scope="module")
def prepared(postgres):
    with postgres.connect(user="bench", database="bench") as owner:
        owner.rows("create schema here; create schema there; create role prepared_reader; "
                   "create table here.prepared_here as select 'here' as whose; "
                   "create table there.prepared_here as select 'there' as whose; "
                   "grant usage on schema here to prepared_reader")
    return postgres


@pytest.fixture(scope="module", params=[(1, 200), (2, 200), (3, 200), (1, 2), (2, 1)],
                ids=lambda sizes: "servers_{}_statements_{}".format(*sizes))
def pooled(request, place, prepared):
    servers, statements = request.param
    poolers = Poolers(place, prepared.address)
    more = {} if statements == 200 else {"max_prepared_statements": statements}
    yield poolers(Route(pool_size=servers, more=more), workers=2)
    poolers.finish()


@pytest.mark.parametrize("story", SCENARIOS, ids=lambda story: story.__name__)
def test_the_story_is_the_same(prepared, pooled, story):
    told_alike(story, prepared.address, pooled.address)


@pytest.mark.parametrize("story", SCENARIOS, ids=lambda story: story.__name__)
def test_the_story_does_not_depend_on_chance(prepared, story):
    told_alike(story, prepared.address, prepared.address)


@pytest.mark.own
def test_places_in_errors_are_the_next_clients_own(start):
    """One client leaves while a query of its own is answered whose places are told otherwise; the next one gets that server."""
    pooler = start(Route(pool_size=1))
    leaver = pooler.connect()
    backend = leaver.value("select pg_backend_pid()")
    leaver.exchange(parse("s", "select 1") + SYNC)
    leaver.send(query("deallocate s; select pg_sleep(60)"))
    with pooler.connect() as watcher:
        leaver.abort()
        assert watcher.value("select pg_backend_pid()") == backend
        assert ("E", "42703", 'column "nothing" does not exist', "at 59") in said(
            watcher, query("select 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, nothing"))

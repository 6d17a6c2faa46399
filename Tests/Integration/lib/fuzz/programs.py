# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Random programs: how statements are sent, what a client asks for when it connects, and what all of a round do."""

import random
from dataclasses import dataclass, field

from . import statements
from .items import (bind, close, describe, execute, flush, function_call, parse, query, sync, with_copy)

#: Each way of sending, and how often it is chosen. Those that end in "startup" are about
#: how a client connects.
FORMS = {"simple": 12, "multi": 3, "unnamed": 8, "later": 2, "named": 7, "limits": 3, "describe": 3, "flush": 2,
         "close": 2, "loose": 4, "copy-in": 2, "copy-out": 1, "function": 1, "cancel": 1, "startup": 0,
         "custom-startup": 0, "odd-startup": 0, "bad-startup": 0}
ALL_KINDS = [*FORMS, *statements.KINDS]

#: What differs by design, and why. These kinds are not in programs unless asked for.
NOT_POOLED = {}
#: The same for transaction pooling alone.
NOT_IN_TRANSACTION_POOLING = {
    "currval": "a session's last value of a sequence is kept by the server that gave it, and a later transaction may "
               "have another server",
    "crossnames": "statements prepared by Parse have names of the pooler's on servers, and SQL sees those",
}


def by_design(pool, asked=()):
    """The kinds to leave out in a pool of this mode, but for those asked for."""
    left_out = [*NOT_POOLED, *(NOT_IN_TRANSACTION_POOLING if pool == "transaction" else ())]
    return [kind for kind in left_out if kind not in asked]


#: Portals of the second sort hold only what gives rows, and are used again later. Others are not: PostgreSQL 15 may crash
#: when one that ran BEGIN is executed once more in a transaction that failed.
STATEMENTS, PORTALS, LASTING = ["s1", "s2", "s3", "carom_1"], ["p1", "p2"], ["r1", "r2"]
LONGEST = 40


@dataclass
class Client:
    """What one connection of a round does: its startup parameters and its programs, one after the other."""

    number: int
    startup: dict
    programs: list = field(default_factory=list)


#: What a kind is mixed with when it is tried alone: enough to see what became of the session.
COMPANY = {"simple", "unnamed", "startup", "select", "dml", "show", "transaction"}


class Kinds:
    """Which forms and kinds of statements occur. With only one sort named, all of the other sort occur."""

    def __init__(self, only=(), without=()):
        for name in (*only, *without):
            if name not in ALL_KINDS:
                raise ValueError(f"unknown kind {name!r}; there are {', '.join(ALL_KINDS)}")

        def chosen(everything):
            named = [kind for kind in everything if kind in only]
            if all(kind.endswith("startup") for kind in named):
                named = [*everything]
            return [kind for kind in named if kind not in without]
        self.forms = [kind for kind in chosen(FORMS) if FORMS[kind]]
        self.startup, self.custom_startup, self.odd_startup, self.bad_startup = (
            name not in without and (not only or name in only)
            for name in ("startup", "custom-startup", "odd-startup", "bad-startup"))
        self.statements = chosen(statements.KINDS)
        if not self.forms or not self.statements:
            raise ValueError("no form or no kind of statement is left")
        self._form_weights = [FORMS[kind] for kind in self.forms]
        self._statement_weights = [statements.KINDS[kind][1] for kind in self.statements]

    def form(self, dice):
        return dice.choices(self.forms, self._form_weights)[0]

    def statement(self, dice, n):
        kind = dice.choices(self.statements, self._statement_weights)[0]
        return statements.KINDS[kind][0](dice, n), kind


def clients(seed, count, kinds):
    """The clients of a round; the seed decides everything. Without DISCARD ALL each program has a new connection."""
    programs = 6 if "discard" in kinds.statements else 1
    return [client(random.Random(f"{seed}/{n}"), n, kinds, programs) for n in range(count)]


def client(dice, n, kinds, programs):
    made = Client(n, startup(dice, n, kinds))
    for _ in range(programs):
        made.programs.append(program(dice, n, kinds))
    return made


def startup(dice, n, kinds):
    given = {"user": "fuzz", "search_path": dice.choice([f"c{n}", f"c{n}, public", f"c{n}, pg_catalog"])}
    if kinds.startup:
        for name in ("TimeZone", "DateStyle", "application_name", "IntervalStyle", "client_encoding",
                     "statement_timeout", "extra_float_digits", "bytea_output"):
            if dice.random() < 0.3:
                given[name] = dice.choice([value for value in statements.SETTINGS[name] if value.isascii()])
                given[name] = given[name].replace("''", "'")
        if dice.random() < 0.3:
            given["options"] = dice.choice(["-c work_mem=2MB", "-c bytea_output=escape -c lock_timeout=40s",
                                            "--enable_seqscan=off", r"-c application_name=by\ options"])
        if dice.random() < 0.1:
            given["role"] = "writer"
    if kinds.custom_startup and dice.random() < 0.1:
        given["options"] = "-c my.setting=given"
    if kinds.odd_startup and dice.random() < 0.1:
        given["search_path"] = f"c{n},pg_catalog"
    if kinds.bad_startup and dice.random() < 0.02:
        given.update(dice.choice([{"TimeZone": "Nowhere/At_All"}, {"work_mem": "lots"},
                                  {"options": "-c enable_seqscan=maybe"}, {"role": "nobody"}]))
    return given


def program(dice, n, kinds):
    """Brings the client's data and session to where they began, then does random things."""
    items = [query("rollback", wait=True), query("discard all", wait=True)] if "discard" in kinds.statements else []
    items.append(query(f"begin read write; select fixture.restore('c{n}'); commit", wait=True, keep=True))
    size = dice.randrange(1, LONGEST + 1)
    patience = dice.choice([0.2, 0.6, 0.95])
    made = []
    while len(made) < size:
        form = kinds.form(dice)
        unit = UNITS[form](dice, n, kinds)
        for item in unit:
            item.kind = form if not item.kind else f"{form}/{item.kind}"
        for item in unit:
            item.wait = item.flushes and dice.random() < patience
        made += unit
    return items + made


def _plain(statement):
    """The statement with its values in the text, for a simple query."""
    sql = statement.sql
    for index, value in reversed(list(enumerate(statement.values, 1))):
        literal = "null" if value is None else "'" + value.replace("'", "''") + "'"
        sql = sql.replace(f"${index}", literal)
    return sql


def simple(dice, n, kinds):
    statement, kind = kinds.statement(dice, n)
    return [query(_plain(statement), kind=kind)]


def multi(dice, n, kinds):
    chosen = [kinds.statement(dice, n) for _ in range(dice.randrange(2, 5))]
    # Behind a RESET in the same string settings have the server's defaults: by design.
    resetting = [pair for pair in chosen if pair[0].resets]
    chosen = [pair for pair in chosen if not pair[0].resets] + resetting[:1]
    # In a string of several statements the names of statements are the server's: by design.
    chosen = [pair for pair in chosen if pair[1] != "deallocate" or pair[0].sql == "deallocate all"] or chosen[:1]
    return [query("; ".join(_plain(statement) for statement, _ in chosen), kind="+".join(kind for _, kind in chosen))]


def _parse(name, statement, kind):
    item = parse(name, statement.sql, statement.types)
    item.kind = kind
    return item


def unnamed(dice, n, kinds, chosen=None):
    statement, kind = chosen or kinds.statement(dice, n)
    if statement.resets:
        # Behind a RESET in the same batch settings have the server's defaults, and the pooler's own query behind it ends what
        # is unnamed: by design.
        run = [execute()] if dice.random() < 0.9 else []
        return [sync(), _parse("", statement, kind), bind("", "", statement.values), *run, sync(),
                query("select 'after a reset'")]
    unit = [_parse("", statement, kind), bind("", "", statement.values), execute()]
    if dice.random() < 0.3:
        unit.insert(dice.choice([1, 2]), describe("S", ""))
    return unit + ([sync()] if dice.random() < 0.8 else [])


def later(dice, n, kinds):
    """The unnamed statement outlives its Sync, and other things that come between."""
    statement, kind = kinds.statement(dice, n)
    if statement.whole or statement.resets:
        return unnamed(dice, n, kinds, (statement, kind))
    between = dice.choice([[], [], [close("P", "")], [parse("s1", "select 's1'"), sync()], [describe("S", "")]])
    return [_parse("", statement, kind), sync(), *between, bind("", "", statement.values), execute(), sync()]


def named(dice, n, kinds):
    name = dice.choice(STATEMENTS)
    statement, kind = kinds.statement(dice, n)
    if statement.whole or statement.resets:
        return unnamed(dice, n, kinds, (statement, kind))
    unit = [close("S", name)] if dice.random() < 0.5 else []
    unit.append(_parse(name, statement, kind))
    portal = dice.choice(["", "", *PORTALS])
    if dice.random() < 0.4:
        unit.append(sync())
    for _ in range(dice.choice([0, 1, 1, 3])):
        unit += [bind(portal, name, statement.values, binary=dice.random() < 0.05), execute(portal)]
        unit += [sync()] if dice.random() < 0.7 else []
    return unit + ([sync()] if dice.random() < 0.6 else [])


def limits(dice, n, kinds):
    statement, kind = kinds.statement(dice, n)
    if statement.resets:
        return unnamed(dice, n, kinds, (statement, kind))
    portal = dice.choice(LASTING if statement.rows else ["", *PORTALS])
    unit = [_parse("", statement, kind), bind(portal, "", statement.values)]
    for _ in range(dice.randrange(1, 4)):
        unit.append(execute(portal, dice.choice([1, 2, 7, 0])))
        if statement.rows and dice.random() < 0.2:
            unit.append(sync())
    return unit + [sync()]


def described(dice, n, kinds):
    statement, kind = kinds.statement(dice, n)
    if statement.resets:
        return unnamed(dice, n, kinds, (statement, kind))
    name = "" if statement.whole else dice.choice(["", *STATEMENTS])
    unit = [_parse(name, statement, kind), describe("S", name)]
    if dice.random() < 0.5:
        unit += [bind("", name, statement.values), describe("P", ""), execute()]
    return unit + [dice.choice([sync, flush])()]


def flushed(dice, n, kinds):
    statement, kind = kinds.statement(dice, n)
    if statement.resets:
        return unnamed(dice, n, kinds, (statement, kind))
    return [_parse("", statement, kind), flush(), bind("", "", statement.values), execute(), flush(), sync()]


def closed(dice, n, kinds):
    return [close(*dice.choice([("S", dice.choice(["", *STATEMENTS])), ("P", dice.choice(["", *PORTALS]))])), sync()]


def loose(dice, n, kinds):
    """Messages that refer to what may or may not be there."""
    name, portal = dice.choice(["", *STATEMENTS]), dice.choice(["", *PORTALS])
    values = dice.choice([(), (), ("1",), ("1", "2")])
    return dice.choice([
        lambda: [bind(portal, name, values)], lambda: [execute(dice.choice(LASTING), dice.choice([0, 2]))],
        lambda: [execute("never")], lambda: [sync()],
        lambda: [flush()], lambda: [describe("S", name)], lambda: [describe("P", portal)],
        lambda: [bind(portal, name, values), execute(portal), sync()], lambda: [sync(), sync()],
        lambda: [describe("S", name), sync()],
    ])()


def copied_in(dice, n, kinds):
    pieces = dice.choice([["50\tfifty\n51\tfif", "ty-one\n"], ["52\ta\n", "53\tb\n"], ["bad\tline\n"], [],
                          ["54\tx\textra\n"], ["55\té\n"], ["1\tduplicate\n"], [r"56\t\N" + "\n"]])
    failure = dice.choice([None, None, None, "no more"])
    sql = dice.choice(["copy item (id, name) from stdin", "copy item (id, name) from stdin",
                       "copy item (id, name) from stdin with (format csv, delimiter E'\\t')",
                       "copy not_there from stdin"])
    way = dice.randrange(3)
    if way == 0:
        return [with_copy(query(sql), pieces, failure)]
    if way == 1:
        other = dice.choice(["select 1", "select 1/0", "begin", "commit"])
        both = dice.choice([f"{sql}; {other}", f"{other}; {sql}"])
        return [with_copy(query(both), pieces, failure)]
    # Leaves no statement behind that would wait for data.
    return [parse("", sql), bind("", ""), with_copy(execute(), pieces, failure), sync(), parse("", "select 1"), sync()]


def copied_out(dice, n, kinds):
    sql = dice.choice(["copy (select id, name from item order by id) to stdout", "copy (select 1/0) to stdout",
                       "copy (select g, repeat('w', 100) from generate_series(1, 200) g) to stdout (format csv)",
                       "copy (select 1) to stdout (format binary)"])
    return dice.choice([lambda: [query(sql)], lambda: [query(f"{sql}; select 'after'")],
                        lambda: [parse("", sql), bind("", ""), describe("P", ""), execute(), sync()]])()


def function(dice, n, kinds):
    oid, values = dice.choice([(177, ("2", "3")), (871, ("up",)), (871, (None,)), (177, ("x", "1")), (4711471, ()),
                               (177, ("1",)), (154, ("1", "0"))])
    return [function_call(oid, values, binary=dice.random() < 0.3)]


def cancelled(dice, n, kinds):
    unit = [sync(), query("rollback"), query("select pg_sleep(0.1)"), query("select 'after a cancel'")]
    unit[2].cancel = True
    return unit


UNITS = {"simple": simple, "multi": multi, "unnamed": unnamed, "later": later, "named": named, "limits": limits,
         "describe": described, "flush": flushed, "close": closed, "loose": loose, "copy-in": copied_in,
         "copy-out": copied_out, "function": function, "cancel": cancelled}

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Random statements by kind. Each has the same answer whenever and wherever it runs in the same session state."""

from dataclasses import dataclass

#: What clients set, with values that show in answers.
SETTINGS = {
    "TimeZone": ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"],
    "DateStyle": ["ISO, MDY", "German, DMY", "SQL, DMY", "Postgres, MDY"],
    "IntervalStyle": ["postgres", "iso_8601", "sql_standard"],
    "application_name": ["one", "two", "it''s", "läuft"],
    "client_encoding": ["UTF8", "LATIN1"],
    "standard_conforming_strings": ["on", "off"],
    "statement_timeout": ["40s", "1min", "0"],
    "lock_timeout": ["41s", "0"],
    "work_mem": ["1MB", "3MB"],
    "extra_float_digits": ["0", "1", "-3"],
    "bytea_output": ["hex", "escape"],
    "default_transaction_isolation": ["read committed", "repeatable read", "serializable"],
    "default_transaction_read_only": ["off", "off", "on"],
    "enable_seqscan": ["on", "off"],
    "my.setting": ["a", "b"],
    "check_function_bodies": ["on", "off"],
}
#: Refused by every server.
WRONG = [("TimeZone", "Nowhere/At_All"), ("work_mem", "lots"), ("no_such_setting", "1"), ("DateStyle", "Roman"),
         ("statement_timeout", "-7"), ("server_version", "1"), ("max_connections", "7")]


@dataclass
class Statement:
    """`values` are those of $1, $2, …; `whole` asks for being parsed and run at once, as its meaning is fixed when it
    is parsed; `rows` is whether it has rows to fetch bit by bit."""

    sql: str
    values: tuple = ()
    types: tuple = ()
    whole: bool = False
    rows: bool = False

    @property
    def resets(self):
        """Whether it may take settings back to their defaults."""
        sql = self.sql.lower()
        return (sql.startswith(("reset", "discard all")) or "to default" in sql or "set_config($" in sql
                or "session authorization" in sql)


def select(dice, n):
    return dice.choice([
        Statement("select 1"), Statement("select $1::text, $2::int", ("x'y", "5")),
        Statement("select $1::int + 1", ("not a number",)), Statement("select $1::text", (None,)),
        Statement("select $1 + 1", ("41",), (23,)), Statement("select $1 || 'b'", ("a",)),
        Statement("select g, g * 2 from generate_series(1, 20) g", rows=True),
        Statement("select id, name, price from item order by id", rows=True),
        Statement("select id, at, at::date from item where id > $1 order by id", ("3",), rows=True),
        Statement("select count(*), sum(price) from item"),
        Statement("select i.name, c.note from item i left join child c on c.item = i.id order by i.id, c.id",
                  rows=True),
        Statement("select current_schema(), current_user, session_user"),
        Statement("values (1, 'a'), (2, null)", rows=True), Statement(""), Statement("-- nothing"),
        Statement("select 1.0::float8 / 3, interval '90 minutes', '\\x00ff'::bytea"),
        Statement("select make_date(2020, 2, 1), to_timestamp(86400)"),
        Statement("select txid_current_if_assigned() is null"),
    ])


def literal(dice, n):
    """The settings decide what these mean, at the moment they are parsed."""
    return Statement(dice.choice([
        "select '01/02/2020'::date", "select '2020-06-01 12:00'::timestamptz", r"select 'back\\slash'",
        "select 'é', length('é')", "select '1 2:03'::interval", "select date '03/04/2021' + 1"]), whole=True)


def dml(dice, n):
    key = str(dice.randrange(12))
    return dice.choice([
        Statement("insert into item (id, name) values ($1, $2) returning id, name", (key, "new"), rows=True),
        Statement(f"insert into item (id, name) values ({key}, 'plain') on conflict do nothing"),
        Statement("update item set price = price + 1 where id <= $1", (key,)),
        Statement(f"update item set name = name || '!' where id = {key} returning id, name, price"),
        Statement("delete from item where id = $1", (key,)),
        Statement(f"insert into child (id, item) values ({100 + dice.randrange(50)}, {key})"),
        Statement(f"insert into item select g, 'many' from generate_series({key}, 11) g on conflict do nothing"),
        Statement("with gone as (delete from child returning id) select count(*) from gone"),
    ])


def error(dice, n):
    return dice.choice([
        Statement("select 1/0"), Statement("selekt"), Statement("table not_there"), Statement("select no_column"),
        Statement("select 'x'::int"), Statement("insert into item (id) values (1)"),
        Statement("insert into child (id, item) values (1, 4711)"), Statement("select boom($1)", ("3",)),
        Statement("select 1/(g - 5) from generate_series(1, 9) g", rows=True),
        Statement("select $1::int / $2::int", ("1", "0")), Statement("select $1::int, $2::int", ("1",)),
        Statement("select $2::text", ("1", "2")), Statement("do $$ begin raise 'own' using errcode = 'XX123'; end $$"),
        Statement("select pg_sleep(0), 1/0"), Statement("vacuum item"), Statement("create database nested"),
        Statement("select nextval('no_sequence')"),
    ])


def transaction(dice, n):
    return Statement(dice.choice([
        "begin", "begin", "begin", "start transaction", "commit", "commit", "commit", "rollback", "rollback", "end",
        "abort", "begin isolation level repeatable read", "begin read only", "begin isolation level serializable",
        "commit and chain", "rollback and chain", "set transaction read only",
        "set transaction isolation level serializable", "set session characteristics as transaction read write",
        "set constraints all immediate", "show transaction_isolation", "show transaction_read_only"]))


def savepoint(dice, n):
    name = dice.choice(["p", "q"])
    return Statement(dice.choice([
        f"savepoint {name}", f"savepoint {name}", f"rollback to {name}", f"rollback to {name}", f"release {name}"]))


def setting(dice, n):
    """A random setting and a value; the search path keeps the client's schema in most."""
    if dice.random() < 0.15:
        return "search_path", dice.choice([f"c{n}", f"c{n}, public", f"public, c{n}", "public"])
    name = dice.choice(list(SETTINGS))
    return name, dice.choice(SETTINGS[name])


def assign(name, value, word="set"):
    return f"{word} {name} = {value}" if name in ("search_path", "DateStyle") else f"{word} {name} = '{value}'"


def set_(dice, n):
    name, value = setting(dice, n)
    if dice.random() < 0.1:
        return Statement(assign(*dice.choice(WRONG)))
    return Statement(dice.choice([assign(name, value), assign(name, value, "set session"),
                                  f"set {name} to default"]))


def set_local(dice, n):
    return Statement(assign(*setting(dice, n), "set local"))


def set_config(dice, n):
    name, value = setting(dice, n)
    local = dice.choice(["true", "false"])
    return dice.choice([
        Statement(f"select set_config('{name}', '{value}', {local})"),
        Statement("select set_config($1, $2, false)", (name, value.replace("''", "'")))])


def do_set(dice, n):
    name, value = setting(dice, n)
    return Statement(dice.choice([
        f"do $$ begin {assign(name, value)}; end $$",
        f"do $$ begin perform set_config('{name}', '{value}', false); end $$"]))


def reset(dice, n):
    name = setting(dice, n)[0]
    return Statement(dice.choice(["reset all", f"reset {name}", f"reset {name}", f"set {name} to default"]))


def discard(dice, n):
    return Statement(dice.choice(["discard all", "discard all", "discard plans", "discard sequences",
                                  "discard temp"]))


def show(dice, n):
    name = dice.choice([*SETTINGS, "search_path", "role"])
    if name == "my.setting":
        return Statement("select coalesce(current_setting('my.setting', true), '')")
    return dice.choice([Statement(f"show {name}"), Statement("select current_setting($1)", (name,))])


def role(dice, n):
    return Statement(dice.choice(["set role reader", "set role writer", "reset role", "set role none",
                                  "set local role reader", "set session authorization default",
                                  "select current_user", "set role nobody"]))


def fetching(sql):
    """A FETCH is described as its cursor is when it is parsed."""
    return Statement(sql, whole=sql.startswith("fetch"))


def cursor(dice, n):
    name = dice.choice(["c", "d"])
    return fetching(dice.choice([
        f"declare {name} cursor for select id, name from item order by id",
        f"declare {name} scroll cursor for select g from generate_series(1, 9) g", f"fetch 2 from {name}",
        f"fetch all from {name}", f"move 1 in {name}", f"fetch backward 1 from {name}", f"close {name}", "close all"]))


def hold(dice, n):
    name = dice.choice(["h", "i"])
    return fetching(dice.choice([
        f"declare {name} cursor with hold for select id, name from item order by id", f"fetch 2 from {name}",
        f"fetch 2 from {name}", f"close {name}",
        "select name, is_holdable from pg_cursors where name in ('h', 'i') order by 1"]))


def temp(dice, n):
    name = dice.choice(["t", "u"])
    return Statement(dice.choice([
        f"create temp table {name} (a int, b text)", f"create temp table {name} (a int, b text)",
        f"create temp table {name} (a int, b text) on commit drop",
        f"create temp table {name} (a int, b text) on commit delete rows",
        f"create temp table {name} as select g as a, 'b' || g as b from generate_series(1, 3) g",
        f"insert into {name} values (1, 'x'), (2, 'y')", f"select a, b from {name} order by a, b",
        f"select a, b from {name} order by a, b", f"drop table {name}", f"drop table if exists {name}",
        f"select count(*) from {name}"]))


def sql_prepare(dice, n):
    # The last is a name of the pooler's, of a number that it never comes to.
    name = dice.choice(["q", "r", "carom_9000000000000000000"])
    return _executing(dice.choice([
        f"prepare {name} as select 7", f"prepare {name} (int) as select $1 * 2",
        f"prepare {name} as select id, name from item order by id", f"execute {name}", f"execute {name} (4)",
        f"deallocate {name}",
        "select name, statement, from_sql from pg_prepared_statements where from_sql order by name"]))


def deallocate(dice, n):
    return Statement(dice.choice(["deallocate all", "deallocate s1", "deallocate s2", "deallocate prepare s3"]))


def _executing(sql):
    # What rows an EXECUTE has is fixed when it is parsed.
    return Statement(sql, whole=sql.startswith("execute"))


def crossnames(dice, n):
    return _executing(dice.choice([
        "execute s1", "execute s2", "prepare s1 as select 'from sql'",
        "select name, from_sql from pg_prepared_statements order by name"]))


def listen(dice, n):
    channel = dice.choice([f"ch{n}", f"other{n}"])
    return dice.choice([
        Statement(f"listen {channel}"), Statement(f"listen {channel}"), Statement(f"unlisten {channel}"),
        Statement("unlisten *"), Statement(f"notify {channel}"), Statement(f"notify {channel}, 'said'"),
        Statement("select pg_notify($1, 'by function')", (channel,)),
        Statement("select * from pg_listening_channels() order by 1")])


def advisory(dice, n):
    key = f"{n}, {dice.randrange(3)}"
    return Statement(dice.choice([
        f"select pg_try_advisory_lock({key})", f"select pg_try_advisory_xact_lock({key})",
        f"select pg_advisory_unlock({key})", "select pg_advisory_unlock_all()",
        f"select pg_try_advisory_lock_shared({key})",
        "select objid, mode from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() order by 1, 2"]))


def sequence(dice, n):
    return Statement(dice.choice([
        "select nextval('counter')", "select nextval('counter')", "select setval('counter', 40)",
        "select last_value, is_called from counter",
        # In one implicit transaction or one statement, wherever that runs.
        "select nextval('counter') > 0, currval('counter') > 0",
        "insert into numbered (note) values ('n') returning id"]))


def currval(dice, n):
    return Statement(dice.choice(["select currval('counter')", "select lastval()"]))


def ddl(dice, n):
    name = dice.choice(["own_x", "own_y"])
    return Statement(dice.choice([
        f"create table {name} (a int)", f"create table {name} (a int)", f"alter table {name} add column b text",
        f"drop table {name}", f"select a from {name} order by a", f"insert into {name} values (1)",
        f"create or replace view own_view as select a from {name}", f"truncate {name}",
        f"select b from {name} order by b"]))


def notice(dice, n):
    return Statement(dice.choice([
        "do $$ begin raise notice 'said'; end $$", "select noisy()", "do $$ begin raise warning 'warned'; end $$",
        "drop table if exists never_there"]))


def big(dice, n):
    return dice.choice([
        Statement(f"select repeat('x', {dice.choice([8000, 30000, 70000])})"),
        Statement("select length($1)", ("y" * dice.choice([9000, 40000]),)),
        Statement("select g, repeat('z', 50) from generate_series(1, 300) g", rows=True)])


#: Each kind of statement, and how often it is chosen.
KINDS = {
    "select": (select, 10), "literal": (literal, 3), "dml": (dml, 7), "error": (error, 4),
    "transaction": (transaction, 9), "savepoint": (savepoint, 3), "set": (set_, 4), "set-local": (set_local, 2),
    "set-config": (set_config, 2), "do-set": (do_set, 1), "reset": (reset, 2), "discard": (discard, 1),
    "show": (show, 6), "role": (role, 2), "cursor": (cursor, 3), "hold": (hold, 2), "temp": (temp, 4),
    "sql-prepare": (sql_prepare, 3), "deallocate": (deallocate, 2), "crossnames": (crossnames, 1),
    "listen": (listen, 2), "advisory": (advisory, 2), "sequence": (sequence, 2), "currval": (currval, 1),
    "ddl": (ddl, 2), "notice": (notice, 1), "big": (big, 1),
}

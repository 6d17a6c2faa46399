# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""psycopg through the pooler behaves as on a direct connection."""

import datetime
import threading

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from lib.differential import told_alike
from lib.waiting import wait_until

EVERYWHERE, IN_SESSION = [], []


def everywhere(scenario):
    EVERYWHERE.append(scenario)
    return scenario


def in_session(scenario):
    IN_SESSION.append(scenario)
    return scenario


def connect(address, **options):
    given = {"autocommit": True, "prepare_threshold": None, **options}
    return psycopg.connect(host=address[0], port=address[1], user="bench", dbname="bench", sslmode="disable", **given)


def failure(action, *arguments, **options):
    """The SQLSTATE and message an action fails with."""
    try:
        action(*arguments, **options)
    except psycopg.Error as error:
        return type(error).__name__, error.sqlstate, error.diag.message_primary
    return None


@everywhere
def parameters_of_every_kind(address):
    values = [1, 2**40, 1.5, "text ✓", None, True, b"\x00\xff", datetime.date(2024, 2, 29),
              datetime.timedelta(hours=3), [1, 2, 3], ["a", None, "c"], Jsonb({"a": [1, None]})]
    with connect(address) as connection:
        return [connection.execute("select %s", [value]).fetchone() for value in values]


@everywhere
def binary_results(address):
    with connect(address) as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute("select g, g::float8 / 3, decode(md5(g::text), 'hex'), now()::date - now()::date, "
                       "array[g, null] from generate_series(1, 500) g")
        return cursor.fetchall()


@everywhere
def several_statements_and_results(address):
    with connect(address) as connection:
        cursor = connection.execute("select 1; select 2, 3; create temp table many_t (a int); drop table many_t")
        seen = []
        while True:
            seen.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
            if not cursor.nextset():
                return seen


@everywhere
def errors_keep_their_sqlstate_and_the_session(address):
    with connect(address) as connection:
        return [
            failure(connection.execute, "select 1/0"), failure(connection.execute, "selekt"),
            failure(connection.execute, "select %s::int", ["x"]), failure(connection.execute, "table not_there"),
            failure(connection.execute, "do $$ begin raise exception 'own' using errcode = 'XX123'; end $$"),
            connection.execute("select 'alive'").fetchone(),
        ]


@everywhere
def a_failed_transaction_and_savepoints(address):
    with connect(address) as connection:
        seen = []
        with connection.transaction():
            connection.execute("create temp table work (a int primary key) on commit drop")
            connection.execute("insert into work values (1)")
            seen.append(failure(_insert_in_savepoint, connection))
            seen.append(connection.execute("select count(*) from work").fetchone())
        connection.execute("begin")
        seen.append(failure(connection.execute, "select 1/0"))
        seen.append(failure(connection.execute, "select 1"))
        connection.execute("rollback")
        seen.append(connection.info.transaction_status.name)
        return seen


def _insert_in_savepoint(connection):
    with connection.transaction():
        connection.execute("insert into work values (1)")


@everywhere
def a_pipeline(address):
    with connect(address) as connection:
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("select %s::int * 2", [n]) for n in range(50)]
            pipeline.sync()
            more = [connection.execute("select %s::text", [str(n)]) for n in range(50)]
            return [cursor.fetchall() for cursor in cursors + more]


@everywhere
def a_pipeline_with_an_error(address):
    with connect(address) as connection:
        seen = []
        try:
            with connection.pipeline() as pipeline:
                good = connection.execute("select 1")
                pipeline.sync()
                bad = connection.execute("select 1/0")
                never = connection.execute("select 2")
                pipeline.sync()
                after = connection.execute("select 3")
                pipeline.sync()
                for cursor in (good, bad, never, after):
                    seen.append(failure(cursor.fetchall) or cursor.fetchall())
        except psycopg.Error as error:
            seen.append(error.sqlstate)
        seen.append(connection.execute("select 'alive'").fetchone())
        return seen


@everywhere
def copy_out_and_in(address):
    with connect(address) as connection, connection.transaction(force_rollback=True):
        connection.execute("create temp table c (a int, b text)")
        with connection.cursor().copy("copy c from stdin") as copy:
            for n in range(3000):
                copy.write_row((n, f"line\t{n}\\" if n % 7 else None))
        with connection.cursor().copy("copy (table c) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            return list(copy.rows())


@everywhere
def a_copy_that_fails(address):
    with connect(address) as connection:
        seen = []
        for block in (b"1\nx\n", b"1\n" * 500_000 + b"late\n"):
            try:
                with connection.transaction():
                    connection.execute("create temp table c (a int) on commit drop")
                    with connection.cursor().copy("copy c from stdin") as copy:
                        copy.write(block)
            except psycopg.Error as error:
                seen.append(error.sqlstate)
        seen.append(connection.execute("select 1").fetchone())
        return seen


@everywhere
def large_objects(address):
    with connect(address) as connection, connection.transaction(force_rollback=True):
        body = bytes(range(256)) * 1000
        oid = connection.execute("select lo_from_bytea(0, %s)", [body]).fetchone()[0]
        handle = connection.execute("select lo_open(%s, 393216)", [oid]).fetchone()[0]
        connection.execute("select lo_lseek64(%s, 1000, 0)", [handle])
        part = connection.execute("select loread(%s, 70000)", [handle], binary=True).fetchone()[0]
        connection.execute("select lowrite(%s, %s)", [handle, b"here"])
        whole = connection.execute("select lo_get(%s)", [oid], binary=True).fetchone()[0]
        return part == body[1000:71000], len(whole), whole[71000:71004]


@everywhere
def a_server_side_cursor(address):
    with connect(address) as connection, connection.transaction():
        with connection.cursor("named", scrollable=True) as cursor:
            cursor.itersize = 100
            cursor.execute("select g from generate_series(1, 1000) g")
            first = cursor.fetchmany(10)
            cursor.scroll(500, mode="absolute")
            return first, cursor.fetchone(), sum(row[0] for row in cursor)


@everywhere
def a_big_result(address):
    with connect(address) as connection:
        rows = connection.execute("select g, repeat('x', 200) from generate_series(1, 100000) g").fetchall()
        return len(rows), rows[0], rows[-1]


@everywhere
def a_result_streamed_row_by_row(address):
    with connect(address) as connection:
        return sum(row[0] for row in connection.cursor().stream("select g from generate_series(1, 20000) g"))


@everywhere
def big_parameters(address):
    with connect(address) as connection:
        body = "ü" * 3_000_000
        return connection.execute("select length(%s::text), md5(%s::text)", [body, body]).fetchone()


@everywhere
def notices_arrive(address):
    with connect(address) as connection:
        heard = []
        connection.add_notice_handler(lambda notice: heard.append((notice.severity, notice.message_primary)))
        connection.execute("do $$ begin raise notice 'one'; raise warning 'two'; end $$")
        return heard


@everywhere
def a_cancel_hits_the_running_query(address):
    with connect(address) as connection:
        caught = []
        runner = threading.Thread(
            target=lambda: caught.append(failure(connection.execute, "select pg_sleep(60) -- cancel me")))
        runner.start()
        with connect(address) as watcher:
            wait_until(lambda: watcher.execute(
                "select count(*) from pg_stat_activity where state = 'active' and query like '%-- cancel me' "
                "and pid <> pg_backend_pid()").fetchone()[0], "the query runs")
        connection.cancel_safe(timeout=5)
        runner.join()
        return caught, connection.execute("select 'alive'").fetchone()


@everywhere
def identifiers_and_odd_names(address):
    with connect(address, application_name="odd \"name' \\ here") as connection:
        statement = sql.SQL("select 1 as {}").format(sql.Identifier('a "b" c'))
        column = connection.execute(statement).description[0].name
        return column, connection.execute("show application_name").fetchone()


@in_session
def prepared_statements(address):
    with connect(address, prepare_threshold=0) as connection:
        rows = [connection.execute("select %s::int + 1", [n]).fetchone() for n in range(20)]
        names = connection.execute(
            "select count(*) from pg_prepared_statements where statement like 'select $1::int + 1'").fetchone()
        bad = [failure(connection.execute, "select %s::int / 0", [n]) for n in range(3)]
        return rows, names, bad, connection.execute("select %s::int + 1", [7]).fetchone()


@in_session
def prepared_statements_in_a_pipeline(address):
    with connect(address, prepare_threshold=0) as connection:
        with connection.pipeline():
            cursors = [connection.execute("select %s::int * 3", [n]) for n in range(100)]
        return [cursor.fetchone() for cursor in cursors]


@in_session
def sql_level_prepare(address):
    with connect(address) as connection:
        connection.execute("prepare double (int) as select $1 * 2")
        seen = [connection.execute("execute double(21)").fetchone(),
                failure(connection.execute, "prepare double as select 1")]
        connection.execute("deallocate double")
        return seen + [failure(connection.execute, "execute double(1)")]


@in_session
def listen_and_notify(address):
    with connect(address) as listener, connect(address) as speaker:
        listener.execute("listen news")
        speaker.execute("select pg_notify('news', 'first')")
        speaker.execute("notify news, 'second'")
        heard = [(n.channel, n.payload) for n in listener.notifies(timeout=5, stop_after=2)]
        listener.execute("unlisten *")
        speaker.execute("notify news, 'unheard'")
        return heard, list(listener.notifies(timeout=0.2))


@in_session
def session_state(address):
    with connect(address) as connection:
        connection.execute("set search_path = pg_catalog")
        connection.execute("set work_mem = '5MB'")
        connection.execute("create temp table mine as select 42 as a")
        connection.execute("select pg_advisory_lock(4711)")
        with connect(address) as other:
            taken = other.execute("select pg_try_advisory_lock(4711)").fetchone()
        return [taken] + [connection.execute(f"show {name}").fetchone() for name in ("search_path", "work_mem")] + [
            connection.execute("select a from pg_temp.mine").fetchone()]


@in_session
def a_cursor_with_hold(address):
    with connect(address) as connection:
        with connection.transaction():
            connection.execute("declare kept cursor with hold for select g from generate_series(1, 100) g")
        return connection.execute("fetch 5 from kept").fetchall()


@pytest.mark.parametrize("scenario", EVERYWHERE, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_as_on_a_direct_connection(postgres, request, pool, scenario):
    told_alike(scenario, postgres.address, request.getfixturevalue(pool).address)


@pytest.mark.parametrize("scenario", IN_SESSION, ids=lambda scenario: scenario.__name__)
def test_in_session_pooling_as_on_a_direct_connection(postgres, session, scenario):
    told_alike(scenario, postgres.address, session.address)

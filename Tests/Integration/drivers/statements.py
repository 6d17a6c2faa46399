# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A program with a Python driver left as it comes: DRIVER HOST PORT LABEL. One turn for each line on stdin, one line of
JSON each. Programs with another label have other statements."""

import asyncio
import decimal
import json
import sys

#: `:n` is the value of the turn.
STATEMENTS = [
    "select '{0}' as who, cast(:n as int) + {1}",
    "select g, '{0}' from generate_series(1, mod(cast(:n as int), 4)) g",
    "insert into driver_rows (who, n) values ('{0}', :n) returning n",
    "select count(*), sum(n) from driver_rows where who = '{0}' and n <= :n",
    "select '{0}', 12 / mod(cast(:n as int), 3)",
    "select current_setting('application_name'), '{0}', cast(:n as text)",
]


class Psycopg:
    def __init__(self, host, port, label):
        import psycopg
        self.errors = psycopg.Error
        self.connection = psycopg.connect(host=host, port=port, user="bench", dbname="bench", application_name=label)

    def rows(self, sql, n):
        return self.connection.execute(sql.replace(":n", "%(n)s"), {"n": n}).fetchall()

    def end(self, good):
        self.connection.commit() if good else self.connection.rollback()

    def code(self, error):
        return error.sqlstate


class Pg8000:
    def __init__(self, host, port, label):
        import pg8000.native
        self.errors = pg8000.native.DatabaseError
        self.connection = pg8000.native.Connection(
            "bench", host=host, port=port, database="bench", application_name=label)
        self.prepared = {}
        self.open = False

    def rows(self, sql, n):
        if not self.open:
            self.connection.run("start transaction")
            self.open = True
        if n % 2:
            return self.connection.run(sql, n=n)
        if sql not in self.prepared:
            self.prepared[sql] = self.connection.prepare(sql)
        return self.prepared[sql].run(n=n)

    def end(self, good):
        if self.open:
            self.connection.run("commit" if good else "rollback")
            self.open = False

    def code(self, error):
        return error.args[0]["C"]


class Asyncpg:
    def __init__(self, host, port, label):
        import asyncpg
        self.errors = asyncpg.PostgresError
        self.loop = asyncio.new_event_loop()
        self.connection = self._wait(asyncpg.connect(
            host=host, port=port, user="bench", database="bench", server_settings={"application_name": label}))
        self.transaction = None

    def _wait(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def rows(self, sql, n):
        if self.transaction is None:
            self.transaction = self.connection.transaction()
            self._wait(self.transaction.start())
        value = str(n) if "as text" in sql else n
        return [tuple(row) for row in self._wait(self.connection.fetch(sql.replace(":n", "$1"), value))]

    def end(self, good):
        if self.transaction is not None:
            self._wait(self.transaction.commit() if good else self.transaction.rollback())
            self.transaction = None

    def code(self, error):
        return error.sqlstate


class SQLAlchemy:
    dialect = None

    def __init__(self, host, port, label):
        import sqlalchemy
        from sqlalchemy.exc import DBAPIError
        self.text, self.errors = sqlalchemy.text, DBAPIError
        self.label = label
        engine = sqlalchemy.create_engine(f"postgresql+{self.dialect}://bench@{host}:{port}/bench")
        self.connection = engine.connect()

    def rows(self, sql, n):
        value = str(n) if "as text" in sql else n
        return [tuple(row) for row in self.connection.execute(self.text(sql), {"n": value})]

    def end(self, good):
        self.connection.commit() if good else self.connection.rollback()

    def code(self, error):
        original = error.orig
        return getattr(original, "sqlstate", None) or (
            original.args[0]["C"] if isinstance(original.args[0], dict) else str(original))


class SQLAlchemyPsycopg(SQLAlchemy):
    dialect = "psycopg"


class SQLAlchemyPg8000(SQLAlchemy):
    dialect = "pg8000"


class SQLAlchemyAsyncpg(SQLAlchemy):
    def __init__(self, host, port, label):
        import sqlalchemy
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.ext.asyncio import create_async_engine
        self.text, self.errors = sqlalchemy.text, DBAPIError
        self.loop = asyncio.new_event_loop()
        engine = create_async_engine(f"postgresql+asyncpg://bench@{host}:{port}/bench")
        self.connection = self._wait(engine.connect())

    def _wait(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def rows(self, sql, n):
        value = str(n) if "as text" in sql else n
        return [tuple(row) for row in self._wait(self.connection.execute(self.text(sql), {"n": value}))]

    def end(self, good):
        self._wait(self.connection.commit() if good else self.connection.rollback())


DRIVERS = {"psycopg": Psycopg, "pg8000": Pg8000, "asyncpg": Asyncpg, "sqlalchemy-psycopg": SQLAlchemyPsycopg,
           "sqlalchemy-pg8000": SQLAlchemyPg8000, "sqlalchemy-asyncpg": SQLAlchemyAsyncpg}


def turn(driver, label, n):
    """Each statement in a transaction of its own, or in every third turn all of them in one."""
    seen, together = [], n % 3 == 0
    for index, text in enumerate(STATEMENTS):
        if together and index == 4 and n % 2:
            continue
        try:
            seen.append([list(row) for row in driver.rows(text.format(label, len(label) * 1000), n)])
            if not together:
                driver.end(True)
        except driver.errors as error:
            seen.append(driver.code(error))
            driver.end(False)
    driver.end(True)
    return seen


def plain(value):
    return int(value) if isinstance(value, decimal.Decimal) else str(value)


def main():
    name, host, port, label = sys.argv[1:]
    driver = DRIVERS[name](host, int(port), label)
    for line in sys.stdin:
        print(json.dumps(turn(driver, label, int(line)), default=plain), flush=True)


if __name__ == "__main__":
    main()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Which suites there are, and what each of them needs to run."""

from dataclasses import dataclass, field


@dataclass
class Suite:
    name: str
    #: The distribution whose source archive holds the tests; its version is that of requirements.txt.
    archive: str
    #: Arguments of the runner, and others for a short run. Options are one word each: `--tests` takes the place of the rest.
    tests: list
    short: list = field(default_factory=list)
    #: The database, SQL that is run there first, and further databases.
    database: str = "test"
    prepare: list = field(default_factory=list)
    more_databases: list = field(default_factory=list)
    #: Servers of the route in transaction pooling: as many as one test holds at once, and a few more.
    pool_size: int = 8
    environment: dict = field(default_factory=dict)
    #: Only this part of the archive is unpacked: what lies beside it would be imported instead of the installed driver.
    part: str = ""
    runner: str = "pytest"

    def variables(self, address):
        """The environment that leads the suite to the server at `address`."""
        host, port = address
        return {name: value.format(host=host, port=port, database=self.database)
                for name, value in {**ADDRESS, **self.environment}.items()}

    def arguments(self, address, short):
        host, port = address
        chosen = self.short if short else self.tests
        return [word.format(host=host, port=port, database=self.database) for word in chosen]


ADDRESS = {"PGHOST": "{host}", "PGPORT": "{port}", "PGUSER": "postgres"}

_SCHEMAS = ["create schema test_schema", "create schema test_schema_2", "create extension hstore", "create extension citext"]
#: Ranges are compared in 7,368 ways, one statement each: that is a test of the server.
_RANGES = " and ".join(f"not {kind}RangeRoundTrip" for kind in ("Int4", "Int8", "Num", "Date", "DateTime", "DateTimeTZ"))


def _sqlalchemy(driver, places, short=(), name=None):
    # Settings of its own are left out: they stop after a number of failures. Its library is there, too, but not used (-s).
    # A test of addresses wants a password in this one.
    url = f"postgresql+{driver}://postgres:secret@{{host}}:{{port}}/{{database}}"
    common = ["-oaddopts=", "--backend-only", f"--dburi={url}"]
    return Suite(name or f"sqlalchemy-{driver.replace('_', '-')}", "sqlalchemy", [*common, f"-k{_RANGES}", *places],
                 short=[*common, "-knot test_get_multi and not JSONTest", *short], prepare=_SCHEMAS)


_DIALECT = ["test/dialect/test_suite.py", "test/dialect/postgresql"]

SUITES = [
    _sqlalchemy("psycopg", _DIALECT, short=_DIALECT[:1]),
    _sqlalchemy("psycopg_async", _DIALECT, short=_DIALECT[:1]),
    _sqlalchemy("psycopg2", _DIALECT, short=_DIALECT[:1]),
    _sqlalchemy("asyncpg", _DIALECT, short=_DIALECT[:1]),
    _sqlalchemy("pg8000", _DIALECT, short=_DIALECT[:1]),
    _sqlalchemy("psycopg", ["test/engine", "test/sql"], short=["test/engine"], name="sqlalchemy-core"),
    Suite("asyncpg", "asyncpg", [
        "tests",
        # These look at the source, or start servers of their own.
        "--ignore=tests/test__sourcecode.py", "--ignore=tests/test__environment.py", "-knot TestConnectionAttributes"],
        short=["tests/test_prepare.py", "tests/test_cursor.py", "tests/test_transaction.py", "tests/test_execute.py"],
        database="postgres", pool_size=30, part="tests"),
    Suite("pg8000", "pg8000", [
        # Logins need a server that asks for each kind of them, the README's examples one on the default port; benchmarks have
        # no outcome.
        "test", "--ignore-glob=*/auth/*", "--ignore=test/test_readme.py", "--ignore-glob=*/test_benchmarks.py"],
        short=["test/native"], database="postgres", part="test", prepare=["create extension hstore"]),
    Suite("psycopg2", "psycopg2", ["tests"], short=["tests/test_cursor.py", "tests/test_transaction.py"], part="tests",
          prepare=["create extension hstore"], environment={"PSYCOPG2_TESTDB": "{database}"}),
    Suite("django", "django", [
        "backends", "postgres_tests", "transactions", "transaction_hooks", "select_for_update", "get_or_create", "basic",
        "bulk_create", "queries", "aggregation", "expressions", "timezones", "introspection", "schema", "migrations",
        "raw_query", "serializers", "cache", "delete", "prefetch_related", "model_fields", "inspectdb", "constraints"],
        short=["backends", "transactions"], runner="django", database="test_default",
        more_databases=["suite", "test_other"], environment={"PYTHONHASHSEED": "0"}),
]

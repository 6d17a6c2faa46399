# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""One run of one suite: against a server of its own, directly or through a pooler in front of it."""

import json
import os
import subprocess
import time

from installation import HERE, PYTHON, RESULTS, suite_directory
from lib.config import Config, Route
from lib.places import Workplace
from lib.pooler import Pooler
from lib.postgres import Postgres
from lib.process import command_as
from neighbours import Neighbours

#: Two-phase commit and logical decoding are asked for by some suites.
SETTINGS = "max_prepared_transactions = 20\nwal_level = logical\nautovacuum = off\n"
PLUGINS = os.path.join(HERE, "plugins")
_SEVERITY = ["passed", "skipped", "failed"]


class Run:
    """What came of a suite. `outcomes` has passed, failed or skipped for each test, `why` the text of what failed."""

    def __init__(self, suite, way):
        self.suite, self.way, self.outcomes, self.why = suite, way, {}, {}
        self.faults, self.seconds = [], 0

    def note(self, test, outcome, why):
        """A test that has several outcomes, as of its parts or its fixtures, counts as the worst of them."""
        if _SEVERITY.index(outcome) >= _SEVERITY.index(self.outcomes.get(test, "passed")):
            self.outcomes[test] = outcome
            self.why[test] = why

    def count(self, outcome):
        return sum(value == outcome for value in self.outcomes.values())


def run_suite(suite, way, given):
    """`way` is direct, again (which is direct, too), session or transaction."""
    run, began, place = Run(suite, way), time.monotonic(), Workplace(f"carom-suite-{suite.name}")
    server, pooler, neighbours = Postgres.primary(place, settings=SETTINGS), None, None
    try:
        _fill(server, suite)
        address = server.address
        if way in ("session", "transaction"):
            pooler = _pooler(place, server, suite, way, given.log_query)
            address = pooler.address
        if way == "transaction" and not given.alone:
            neighbours = Neighbours(address, suite.database, suite.pool_size, suite.pool_size / 1000)
        _tests(run, address, given)
        if neighbours:
            neighbours.leave()
            run.faults += neighbours.complaints()
        if pooler:
            _end(run, pooler)
    finally:
        if neighbours:
            neighbours.leave()
        if pooler:
            pooler.stop()
        server.stop()
        place.remove()
    run.seconds = time.monotonic() - began
    return run


def _fill(server, suite):
    for name in dict.fromkeys([suite.database, *suite.more_databases]):
        if name != "postgres":
            server.rows(f"create database {name} template template0")
    for statement in suite.prepare:
        server.rows(statement, database=suite.database)


def _pooler(place, server, suite, way, log_query):
    log = {"log_session": False, "log_stats": False, "log_query": log_query}
    size = suite.pool_size if way == "transaction" else 100
    return Pooler(place, Config(storage=server.address, workers=2, globals=log, routes=[Route(pool=way, pool_size=size)]))


def _end(run, pooler):
    alive = pooler.child.running
    code = pooler.stop()
    if not alive or code:
        run.faults.append(f"the pooler ended with {code}:\n{pooler.log()[-3000:]}")
    with open(os.path.join(RESULTS, f"{run.suite.name}-{run.way}.pooler"), "w") as file:
        file.write(pooler.log())


def _tests(run, address, given):
    suite, name = run.suite, os.path.join(RESULTS, f"{run.suite.name}-{run.way}")
    outcomes, output = f"{name}.json", f"{name}.output"
    os.makedirs(RESULTS, exist_ok=True)
    open(outcomes, "w").close()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "CAROM", "PYTEST", "DJANGO"))}
    variables = {**clean, **suite.variables(address), "PYTHONPATH": PLUGINS, "SUITE_OUTCOMES": outcomes, "TZ": "UTC",
                 "PYTHONDONTWRITEBYTECODE": ""}
    with open(output, "w") as sink:
        try:
            # It ends with us, as servers do.
            subprocess.run(command_as(None, _command(suite, address, given), "KILL"), env=variables, cwd=_directory(suite),
                           stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, timeout=given.limit)
        except subprocess.TimeoutExpired:
            run.faults.append(f"not finished in {given.limit} s: {output}")
    with open(outcomes) as file:
        for line in file:
            run.note(**json.loads(line))
    if not run.outcomes:
        run.faults.append(f"no test ran: {output}\n{open(output).read()[-2000:]}")


def _directory(suite):
    return os.path.join(suite_directory(suite), "tests") if suite.runner == "django" else suite_directory(suite)


def _command(suite, address, given):
    arguments = suite.arguments(address, given.short)
    # As root `-s` changes nothing but that SQLAlchemy's suite takes the installed library instead of the one beside it.
    if suite.runner == "django":
        chosen = given.tests or arguments
        return [PYTHON, "-s", "runtests.py", "--settings=django_settings", "--parallel=1", "--keepdb", "--noinput", *chosen]
    narrow = [f"-k{given.keyword}"] if given.keyword else []
    chosen = [word for word in arguments if word.startswith("-") or not given.tests]
    return [PYTHON, "-s", "-m", "pytest", "-p", "recorder", "-p", "no:cacheprovider", "-q", "--tb=short",
            f"--timeout={given.test_limit}", *chosen, *narrow, *given.tests]

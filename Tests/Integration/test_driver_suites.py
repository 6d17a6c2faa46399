# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy's own tests tell the same with psycopg through either pooling as directly.

Tests/suites is the long form: it has the suites of more drivers.
"""

import os
import subprocess
import sys

import pytest

from lib.pooler import ROOT

pytestmark = pytest.mark.own
SUITES = os.path.join(ROOT, "Tests", "suites")
sys.path.append(SUITES)

import comparison  # noqa: E402
from catalogue import SUITES as KNOWN  # noqa: E402
from running import Run  # noqa: E402


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sqlalchemy_tells_the_same():
    done = subprocess.run([sys.executable, SUITES, "--short", "sqlalchemy-psycopg"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=880)
    assert done.returncode == 0, done.stdout
    assert "0 explained, 0 unexplained differences" in done.stdout


def run(way, why="", **outcomes):
    made = Run(KNOWN[0], way)
    for test, outcome in outcomes.items():
        made.note(test, outcome, why if outcome == "failed" else "")
    return made


def explanation(**changes):
    named = {"pooling": "transaction", "suite": "sqlalchemy-*", "pattern": "o*e", "says": r"\d+ != 1", "reason": "`LISTEN`"}
    return comparison.Explanation(**{**named, **changes})


def found(before, after, known=(), moody=frozenset()):
    return [(one.test, one.direct, one.pooled, one.explanation)
            for one in comparison.differences(before, after, moody, known)]


def test_each_kind_of_difference_is_found():
    before = run("direct", one="passed", two="passed", three="failed", four="skipped", five="passed")
    after = run("session", one="failed", two="skipped", three="passed", five="passed", six="passed")
    assert found(before, after) == [
        ("four", "skipped", "missing", None), ("one", "passed", "failed", None), ("six", "missing", "passed", None),
        ("three", "failed", "passed", None), ("two", "passed", "skipped", None)]


def test_what_differs_directly_says_nothing():
    before, again = run("direct", one="passed", two="passed"), run("again", one="failed", two="passed")
    moody = comparison.flaky(before, again)
    assert moody == {"one"} and not comparison.flaky(before, again, ["two"])
    assert found(before, run("session", one="failed", two="failed"), moody=moody) == [("two", "passed", "failed", None)]


def test_an_explanation_is_for_one_pooling_and_one_failure():
    known, before = explanation(), run("direct", one="passed")
    assert found(before, run("transaction", "E  2 != 1", one="failed"), [known]) == [("one", "passed", "failed", known)]
    for other in (run("session", "E  2 != 1", one="failed"), run("transaction", "Timeout", one="failed")):
        assert found(before, other, [known]) == [("one", "passed", "failed", None)]


def test_an_explanation_of_nothing_is_stale():
    known, often, elsewhere = explanation(), explanation(sometimes=True), explanation(pattern="other")
    same = run("transaction", one="passed")
    assert not found(run("direct", one="passed"), same, [known])
    assert comparison.stale([known, often, elsewhere], [same]) == [known]
    assert found(run("direct", one="passed"), run("transaction", "2 != 1", one="failed"), [known])
    assert comparison.stale([known], [same]) == []


def test_an_explanation_is_in_the_chapter():
    invented = explanation(reason="Because")
    assert comparison.unfounded([explanation(), invented]) == [invented]
    assert comparison.unfounded(comparison.explanations()) == []

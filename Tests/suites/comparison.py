# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What differs between direct runs and pooled ones, and what is known to explain it."""

import fnmatch
import os
import re
from dataclasses import dataclass

from installation import HERE
from lib.pooler import ROOT

EXPLANATIONS = os.path.join(HERE, "differences.txt")
CHAPTER = os.path.join(ROOT, "docs", "transaction-pooling.adoc")


@dataclass
class Explanation:
    """A line of differences.txt: in which pooling, of which suites, which tests may differ and how, and what says why."""

    pooling: str
    suite: str
    pattern: str
    says: str
    reason: str
    #: Whether a run without the difference is as good: it depends on who got which server when.
    sometimes: bool = False
    used: bool = False

    def explains(self, run, test):
        return run.way == self.pooling and self.covers(run.suite, test) and re.search(
            self.says, run.why.get(test, ""), re.S) is not None

    def covers(self, suite, test):
        return fnmatch.fnmatchcase(suite.name, self.suite) and re.fullmatch(
            ".*".join(map(re.escape, self.pattern.split("*"))), test, re.S) is not None

    def __str__(self):
        return f"{self.pooling} | {self.suite} | {self.pattern}"


def explanations():
    found = []
    with open(EXPLANATIONS) as file:
        for line in (line.strip() for line in file):
            if not line or line.startswith("#"):
                continue
            pooling, suite, pattern, says, reason = (word.strip() for word in line.split(" | "))
            found.append(Explanation(pooling.rstrip("?"), suite, pattern, says, reason, pooling.endswith("?")))
    return found


def unfounded(known):
    """Explanations whose reason is neither a row of the table in the chapter nor the beginning of one of its differences."""
    with open(CHAPTER) as file:
        starts = re.findall(r"^(?:\||\* )(\S.*)$", file.read(), re.M)
    return [one for one in known if not any(start.startswith(one.reason) for start in starts)]


@dataclass
class Difference:
    run: object
    test: str
    direct: str
    pooled: str
    explanation: Explanation | None

    def text(self):
        why = self.run.why.get(self.test, "") if self.pooled == "failed" else ""
        last = [line for line in why.splitlines() if line.startswith("E  ")] or why.splitlines()[-1:]
        note = f" ({self.explanation.reason})" if self.explanation else ""
        return f"{self.run.suite.name} {self.run.way}: {self.test}: {self.direct} -> {self.pooled}{note}" + "".join(
            f"\n    {line[:300]}" for line in last[:4])


def flaky(direct, again, tests=None):
    """Tests, of all or of these, that tell different things without any pooler, as far as there is another direct run."""
    if again is None:
        return set()
    chosen = direct.outcomes.keys() | again.outcomes.keys() if tests is None else tests
    return {test for test in chosen if direct.outcomes.get(test) != again.outcomes.get(test)}


def differences(direct, pooled, moody, known):
    """What differs, but for tests that do so without a pooler."""
    found = []
    for test in sorted((direct.outcomes.keys() | pooled.outcomes.keys()) - moody):
        before, after = direct.outcomes.get(test, "missing"), pooled.outcomes.get(test, "missing")
        if before == after:
            continue
        explanation = next((one for one in known if one.explains(pooled, test)), None)
        if explanation:
            explanation.used = True
        found.append(Difference(pooled, test, before, after, explanation))
    return found


def stale(known, runs):
    """Explanations of differences that did not show, though a test they mean has run."""
    return [one for one in known if not one.used and not one.sometimes and any(
        run.way == one.pooling and one.covers(run.suite, test) for run in runs for test in run.outcomes)]

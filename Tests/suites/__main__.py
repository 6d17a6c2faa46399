# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the suites of drivers directly, in session pooling and in transaction pooling, and shows which tests tell different
things."""

import argparse
import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Integration"))

import comparison  # noqa: E402
from catalogue import SUITES  # noqa: E402
from installation import RESULTS, install_drivers, suite_directory  # noqa: E402
from lib.pooler import carom_binary  # noqa: E402
from running import run_suite  # noqa: E402

DIRECT = ["direct", "again"]
#: How often tests in doubt are run directly once more, and how many of them.
TIMES, MOST_DOUBTFUL = 8, 60


def arguments():
    names = [suite.name for suite in SUITES]
    parser = argparse.ArgumentParser(prog="Tests/suites", description=__doc__, epilog="CAROM_BINARY names another carom.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="all, or some of: " + ", ".join(names))
    parser.add_argument("--short", action="store_true", help="a part of each suite, and directly once")
    parser.add_argument("--pool", choices=["transaction", "session"], action="append", help="one of the two")
    parser.add_argument("--tests", nargs="+", default=[], help="only these, as the suite's own runner takes them")
    parser.add_argument("--keyword", help="only tests that match, as pytest's -k")
    parser.add_argument("--alone", action="store_true", help="without neighbours in transaction pooling")
    parser.add_argument("--jobs", type=int, default=max(3, os.cpu_count()), help="runs at the same time")
    parser.add_argument("--limit", type=int, default=3600, help="seconds for one run (3600)")
    parser.add_argument("--test-limit", type=int, default=120, help="seconds for one test (120)")
    parser.add_argument("--log-query", action="store_true", help="the pooler's log has the queries")
    given = parser.parse_args()
    unknown = set(given.suites) - set(names)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    given.pools = given.pool or ["session", "transaction"]
    return given


def run_all(suites, ways, given, runs):
    """Adds the runs of each suite, by the way they went."""
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as workers:
        todo = [workers.submit(run_suite, suite, way, given) for suite in suites for way in ways]
        for done in concurrent.futures.as_completed(todo):
            run = done.result()
            runs.setdefault(run.suite.name, {})[run.way] = run
            print(f"{run.suite.name} {run.way}: {run.count('passed')} passed, {run.count('failed')} failed, "
                  f"{run.count('skipped')} skipped in {run.seconds:.0f} s", flush=True)


class Suites:
    """The runs of some suites, and what differs in them."""

    def __init__(self, suites, given, known):
        self.suites, self.given, self.known = suites, given, known
        self.runs, self.moody = {}, {suite.name: set() for suite in suites}
        run_all(suites, [*(DIRECT[:1] if given.short else DIRECT), *given.pools], given, self.runs)
        for name, ways in self.runs.items():
            self.moody[name] = comparison.flaky(ways["direct"], ways.get("again"))
        for suite in suites:
            self.try_again(suite)

    def differences(self, name):
        ways = self.runs[name]
        return [one for pool in self.given.pools
                for one in comparison.differences(ways["direct"], ways[pool], self.moody[name], self.known)]

    def try_again(self, suite):
        """Runs the tests that tell something unexplained directly, alone and several times: some fail one time in three."""
        doubtful = sorted({one.test for one in self.differences(suite.name) if not one.explanation})
        if not doubtful or len(doubtful) > MOST_DOUBTFUL:
            return
        runs = {}
        run_all([suite], [f"alone-{time + 1}" for time in range(TIMES)],
                argparse.Namespace(**{**vars(self.given), "tests": doubtful}), runs)
        for run in runs[suite.name].values():
            self.moody[suite.name] |= {test for test in doubtful if test in run.outcomes and comparison.flaky(
                self.runs[suite.name]["direct"], run, [test])}


def table(runs, found):
    rows = [["suite", "way", "passed", "failed", "skipped", "differs", "unexplained"]]
    for name, ways in runs.items():
        for way in [way for way in (*DIRECT, "session", "transaction") if way in ways]:
            run = ways[way]
            here = [one for one in found if one.run is run]
            differs = [len(here), sum(one.explanation is None for one in here)] if way not in DIRECT else ["", ""]
            rows.append([name, way, *map(run.count, ("passed", "failed", "skipped")), *differs])
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(str(cell).ljust(width) if at < 2 else str(cell).rjust(width)
                               for at, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def main():
    given = arguments()
    known = comparison.explanations()
    wrong = [f"differences.txt: the chapter does not say this: {one.reason}" for one in comparison.unfounded(known)]
    if not os.access(carom_binary(), os.X_OK):
        sys.exit(f"{carom_binary()} is missing: .ci/release carom")
    suites = [suite for suite in SUITES if not given.suites or suite.name in given.suites]
    install_drivers()
    for suite in suites:
        suite_directory(suite)
    done = Suites(suites, given, known)
    runs, found = done.runs, [one for name in done.runs for one in done.differences(name)]
    for name, tests in done.moody.items():
        for test in sorted(tests):
            print(f"{name}: {test} differs from one direct run to the next")
    for difference in sorted(found, key=lambda one: one.explanation is None):
        print(difference.text())
    every = [run for ways in runs.values() for run in ways.values()]
    wrong += [f"{run.suite.name} {run.way}: {fault}" for run in every for fault in run.faults]
    if not given.tests and not given.keyword:
        wrong += [f"differences.txt: nothing differs: {one}" for one in comparison.stale(known, every)]
    unexplained = sum(one.explanation is None for one in found)
    print(f"\n{table(runs, found)}\n\ndetails: {RESULTS}")
    for line in wrong:
        print(line)
    print(f"{len(found) - unexplained} explained, {unexplained} unexplained differences")
    return 1 if unexplained or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest that writes down each outcome as it comes, a line of JSON each, into the file SUITE_OUTCOMES."""

import json
import os


def note(test, outcome, why=""):
    with open(os.environ["SUITE_OUTCOMES"], "a") as file:
        file.write(json.dumps({"test": test, "outcome": outcome, "why": why}) + "\n")


def pytest_runtest_logreport(report):
    if hasattr(report, "wasxfail"):
        note(report.nodeid, "passed", "as the suite expects")
    elif report.when == "call" or not report.passed:
        note(report.nodeid, report.outcome, "" if report.passed else str(report.longrepr))


def pytest_collectreport(report):
    if report.failed:
        note(report.nodeid, "failed", str(report.longrepr))

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A runner for Django's own tests that writes down each outcome as it comes."""

import unittest

from django.test.runner import DiscoverRunner
from recorder import note


class Outcomes(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        note(test.id(), "passed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        note(test.id(), "failed", self._exc_info_to_string(error, test))

    def addError(self, test, error):
        super().addError(test, error)
        note(test.id(), "failed", self._exc_info_to_string(error, test))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            note(test.id(), "failed", self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        note(test.id(), "skipped", reason)

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        note(test.id(), "passed", "as the suite expects")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        note(test.id(), "failed", "unexpected success")


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Outcomes

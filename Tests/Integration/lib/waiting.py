# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions instead of sleeping for a guess."""

import time


class TimedOut(AssertionError):
    """A condition did not come true in time."""


def wait_until(condition, what, timeout=10.0, every=0.01):
    """Polls `condition` until it gives something true and returns that; raises TimedOut naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimedOut(f"not within {timeout:g} s: {what} (last seen: {value!r})")
        time.sleep(every)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The same scenario run on a direct connection and through the pooler must tell the same story."""


def told_alike(scenario, direct, pooled):
    """Runs `scenario(address)` against both addresses and compares what they return."""
    expected = scenario(direct)
    assert expected is not None, "a scenario must return what it saw"
    assert scenario(pooled) == expected

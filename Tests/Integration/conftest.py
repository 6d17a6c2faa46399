# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one PostgreSQL for the run, poolers as each test wants them, and proof that none of them died."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("lib.differential")

from lib.config import Route  # noqa: E402
from lib.places import Workplace  # noqa: E402
from lib.pooler import PEER, Poolers, carom_binary  # noqa: E402
from lib.postgres import Postgres  # noqa: E402


def pytest_configure(config):
    # Ctrl-C already ends a run in order; let a plain kill do the same.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    os.environ.pop("PGPASSWORD", None)
    # A dynamic Swift runtime writes pages about a fault; the shipped one, which is static, does not.
    os.environ["SWIFT_BACKTRACE"] = "enable=no"


def pytest_collection_modifyitems(items):
    for item in items:
        if PEER and item.get_closest_marker("own"):
            item.add_marker(pytest.mark.skip(reason="the peer does not promise this"))


@pytest.fixture(scope="session", autouse=True)
def binary_exists():
    if not PEER and not os.access(carom_binary(), os.X_OK):
        pytest.exit(f"{carom_binary()} is missing: .ci/release carom",
                    returncode=2)


@pytest.fixture(scope="session")
def place():
    return Workplace("carom-test")


@pytest.fixture(scope="session")
def postgres(place):
    server = Postgres.primary(place)
    yield server
    server.stop()


@pytest.fixture
def start(place, postgres):
    """`start(Route(...), workers=2)`: a pooler in front of `postgres` for one test."""
    poolers = Poolers(place, postgres.address)
    yield poolers
    poolers.finish()


@pytest.fixture(scope="module")
def transaction(place, postgres):
    """A pooler with the plain transaction pool, shared by the tests of a file."""
    poolers = Poolers(place, postgres.address)
    yield poolers(Route(pool="transaction", pool_size=8), workers=2)
    poolers.finish()


@pytest.fixture(scope="module")
def session(place, postgres):
    """A pooler with the plain session pool, shared by the tests of a file."""
    poolers = Poolers(place, postgres.address)
    yield poolers(Route(pool="session", pool_size=8), workers=2)
    poolers.finish()

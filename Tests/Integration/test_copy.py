# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""COPY of a gigabyte through the pooler: the same bytes, and memory that does not grow with them."""

import hashlib
import os

import psycopg
import pytest

from lib import proc
from lib.config import Route
from lib.pooler import Poolers
from lib.wire import COPY_DONE, copy_data, copy_fail, error_fields, query

MEGABYTES = int(os.environ.get("CAROM_COPY_MB", "1024"))
#: Lines of about a kilobyte that differ from each other.
LINE = 990
SOURCE = f"select g, rpad(md5(g::text), {LINE - 9}, md5((g * 7)::text)) from generate_series(1, {MEGABYTES * 1080}) g"
LIMIT = 100 << 20


def connect(address, database="bench"):
    return psycopg.connect(host=address[0], port=address[1], user="bench", dbname=database, autocommit=True,
                           sslmode="disable")


def digest_out(address, statement):
    """SHA-256 and length of what COPY … TO STDOUT sends."""
    digest, size = hashlib.sha256(), 0
    with connect(address) as connection, connection.cursor().copy(statement) as copy:
        for block in copy:
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def generated_blocks(total):
    """About `total` bytes of COPY text in blocks of 1 MB. Texts of one length, so that the table keeps their order."""
    seed, sent = hashlib.sha256(b"carom").hexdigest(), 0
    while sent < total:
        seed = hashlib.sha256(seed.encode()).hexdigest()
        lines = [f"{sent + n}\t{(seed + seed[n % 60:]).ljust(LINE, 'y')}" for n in range(1100)]
        block = ("\n".join(lines) + "\n").encode()
        sent += len(block)
        yield block


@pytest.fixture(scope="module")
def measured(place, postgres):
    poolers = Poolers(place, postgres.address)
    yield poolers(Route(pool_size=8), workers=2)
    poolers.finish()


@pytest.mark.slow
def test_a_gigabyte_out_is_identical(postgres, measured):
    direct = digest_out(postgres.address, f"copy ({SOURCE}) to stdout")
    assert direct[1] >= MEGABYTES << 20
    assert digest_out(measured.address, f"copy ({SOURCE}) to stdout") == direct
    assert proc.peak_resident_bytes(measured.pid) < LIMIT


@pytest.mark.slow
def test_a_gigabyte_in_is_identical(postgres, measured):
    postgres.rows("drop table if exists copied; create unlogged table copied (n bigint, t text)", database="bench")
    sent = hashlib.sha256()
    with connect(measured.address) as connection:
        with connection.cursor().copy("copy copied from stdin") as copy:
            for block in generated_blocks(MEGABYTES << 20):
                sent.update(block)
                copy.write(block)
    stored, size = digest_out(postgres.address, "copy copied to stdout")
    postgres.rows("drop table copied", database="bench")
    assert size >= MEGABYTES << 20
    assert stored == sent.hexdigest()
    assert proc.peak_resident_bytes(measured.pid) < LIMIT


def test_binary_copy_there_and_back(transaction, postgres):
    statement = "copy (select g, g::float8 / 7, decode(md5(g::text), 'hex') from generate_series(1, 5000) g) to stdout"
    binary = statement + " (format binary)"
    assert digest_out(transaction.address, binary) == digest_out(postgres.address, binary)


def test_a_failed_copy_in_reports_and_the_session_goes_on(transaction):
    with transaction.connect(user="bench", database="bench") as wire:
        wire.rows("begin")
        wire.rows("create temp table c (a int) on commit drop")
        wire.send(query("copy c from stdin"))
        wire.send(copy_data(b"1\n"))
        wire.send(copy_fail("changed my mind"))
        failure = [error_fields(body) for kind, body in wire.until_ready() if kind == b"E"]
        assert failure[0]["C"] == "57014"
        wire.rows("rollback")
        assert wire.value("select 1") == "1"


def test_copy_data_after_an_early_error_is_swallowed_by_the_server_not_by_the_next_query(transaction):
    with transaction.connect(user="bench", database="bench") as wire:
        wire.rows("begin; create temp table c (a int)")
        wire.send(query("copy c from stdin") + copy_data(b"not a number\n") + copy_data(b"1\n") * 1000 + COPY_DONE)
        codes = [error_fields(body)["C"] for kind, body in wire.until_ready() if kind == b"E"]
        assert codes == ["22P02"]
        wire.rows("rollback")
        assert wire.value("select 'clean'") == "clean"


def test_copy_both_ways_by_many_at_once(postgres, transaction):
    from concurrent.futures import ThreadPoolExecutor
    statement = "copy (select g, md5(g::text) from generate_series(1, 50000) g) to stdout"
    direct = digest_out(postgres.address, statement)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: digest_out(transaction.address, statement), range(32))) == {direct}

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The command itself: start, stop, check, help."""

import re
import signal
import socket
import subprocess
import time

import pytest

from lib.config import Config, Route
from lib.places import free_address
from lib.pooler import Pooler, carom_binary
from lib.waiting import wait_until
from lib.wire import ConnectionLost, Wire, error_fields, query

pytestmark = pytest.mark.own


def carom(*arguments, **options):
    return subprocess.run([carom_binary(), *map(str, arguments)], capture_output=True, text=True, timeout=30,
                          cwd="/", **options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_signal_ends_it_cleanly(place, postgres, number, workers):
    pooler = Pooler(place, Config(postgres.address, workers=workers))
    with pooler.connect() as wire:
        assert wire.value("select 1") == "1"
        pooler.child.signal(number)
        assert pooler.child.process.wait(20) == 0
        pooler.stop()
    with pytest.raises(OSError):
        socket.create_connection(pooler.address, 1)


def test_a_stop_closes_the_servers(place, postgres):
    pooler = Pooler(place, Config(postgres.address))
    with pooler.connect(user="bench", database="bench") as wire:
        backend = int(wire.value("select pg_backend_pid()"))
        assert backend in postgres.backends("bench")
    assert pooler.stop() == 0
    wait_until(lambda: backend not in postgres.backends("bench"), "the server connection is closed")


def test_a_stop_during_a_query_leaves_no_query_behind(place, postgres):
    pooler = Pooler(place, Config(postgres.address))
    wire = pooler.connect(user="bench", database="bench")
    wire.send(query("select pg_sleep(600)"))

    def running():
        return postgres.value("select count(*) from pg_stat_activity where usename = 'bench' and state = 'active'")
    wait_until(lambda: running() == "1", "the query runs")
    pooler.child.signal(signal.SIGTERM)
    try:
        pooler.child.process.wait(1)
    except subprocess.TimeoutExpired:
        # A stop that waits for running work is asked a second and third time.
        for _ in range(2):
            pooler.child.signal(signal.SIGTERM)
    pooler.child.process.wait(40)
    wire.abort()
    pooler.child.kill()
    wait_until(lambda: running() == "0", "the query is ended")


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_stop_waits_for_a_transaction_and_for_nothing_else(place, postgres, pool):
    pooler = Pooler(place, Config(postgres.address, routes=[Route(pool=pool)]))
    wire = pooler.connect()
    wire.rows("begin")
    pooler.child.signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        pooler.child.process.wait(1)
    assert wire.value("select 1") == "1"
    wire.rows("commit")
    if pool == "session":
        # The server is the client's until it leaves.
        assert wire.value("select 2") == "2"
        wire.close()
    else:
        assert [error_fields(body)["C"] for _, body in wire.last_words()] == ["57P01"]
    assert pooler.child.process.wait(10) == 0
    pooler.stop()


def test_what_a_client_hears_at_a_stop_is_never_inside_a_message(place, postgres):
    row = b"r" * 1000
    for number in [signal.SIGQUIT, signal.SIGTERM]:
        pooler = Pooler(place, Config(postgres.address))
        wire = pooler.connect()
        # It takes nothing until the pooler is going down.
        wire.send(query("select repeat('r', 1000) from generate_series(1, 200000)"))
        time.sleep(0.5)
        pooler.child.signal(number)
        time.sleep(0.3)
        if number == signal.SIGTERM:
            pooler.child.signal(number)
        kinds = []
        with pytest.raises((ConnectionLost, OSError)):
            while True:
                kind, body = wire.receive()
                assert kind != b"D" or body[6:] == row
                assert kind in b"TDE"
                assert kind != b"E" or error_fields(body)["C"] == "57P01"
                kinds.append(kind)
        assert kinds.count(b"D") > 10 and b"E" not in kinds[:-1]
        assert b"57P01" not in wire.buffer, "inside a message that was cut off"
        pooler.child.process.wait(10)
        pooler.stop()


def test_a_taken_port_is_an_error_that_names_it(place, postgres, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "carom.conf"
        file.write_text(Config(postgres.address).for_carom(("127.0.0.1", port)))
        done = carom("serve", file)
    assert done.returncode not in (0, None) and done.returncode > 0
    assert str(port) in done.stdout + done.stderr


def test_help_and_version():
    for arguments in (["--help"], ["serve", "--help"], ["check", "--help"], ["help"]):
        done = carom(*arguments)
        assert done.returncode == 0 and "carom" in done.stdout, arguments
    assert {"serve", "check"} <= set(re.findall(r"\w+", carom("--help").stdout))
    version = carom("--version")
    assert version.returncode == 0
    assert re.search(r"\d+\.\d+", version.stdout)


def test_wrong_usage_is_told_on_standard_error():
    for arguments in (["serve"], ["dance"], ["check"], ["serve", "--dance", "x"]):
        done = carom(*arguments)
        assert done.returncode not in (0, None), arguments
        assert done.stderr, arguments


@pytest.fixture
def good(postgres):
    return Config(postgres.address, routes=[Route(), Route(
        database="b", user="u", authentication="md5", password="s3cret-in-file")]).for_carom(("127.0.0.1", 6432))


def test_check_accepts_a_good_file(good, tmp_path):
    file = tmp_path / "good.conf"
    file.write_text(good)
    done = carom("check", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "s3cret-in-file" not in done.stdout + done.stderr


BROKEN = {
    "an unknown directive": ("workers 1", "wrokers 1", "workers"),
    "an unknown option": ("pool_size 8", "pool_sise 8", "pool_size"),
    "a word for a number": ("workers 1", "workers many", None),
    "a negative number": ("pool_size 8", "pool_size -8", None),
    "a huge number": ("pool_size 8", "pool_size 99999999999999999999999", None),
    "an unknown pool": ('pool "transaction"', 'pool "sometimes"', "transaction"),
    "an unknown method": ('authentication "none"', 'authentication "handshake"', "scram-sha-256"),
    "a storage that is not there": ('storage "pg"\n    pool', 'storage "elsewhere"\n    pool', "elsewhere"),
    "an open string": ('type "remote"', 'type "remote', None),
    "a single quote": ('type "remote"', "type 'remote'", None),
    "an open block": ("database default {", "database default", None),
    "maybe": ("log_to_stdout yes", "log_to_stdout maybe", "yes"),
    "twice": ("workers 1", "workers 1\nworkers 2", "workers"),
    "a port out of range": ("port 6432", "port 70000", None),
}


@pytest.mark.parametrize("old, new, named", BROKEN.values(), ids=BROKEN.keys())
def test_check_names_the_place_of_a_mistake(good, tmp_path, old, new, named):
    assert old in good
    text = good.replace(old, new, 1)
    file = tmp_path / "broken.conf"
    file.write_text(text)
    for command in ("check", "serve"):
        done = carom(command, file)
        said = done.stdout + done.stderr
        assert done.returncode > 0, said
        place = re.search(re.escape(str(file)) + r":(\d+):(\d+)", said)
        assert place, said
        first = good[:good.index(old)].count("\n") + 1
        assert first <= int(place[1]) <= text.count("\n") + 1, said
        assert named is None or named in said
        assert "s3cret-in-file" not in said


def test_check_tells_every_mistake_at_once(good, tmp_path):
    file = tmp_path / "two.conf"
    file.write_text(good.replace("workers 1", "wrokers 1").replace('pool "transaction"', 'pool "sometimes"'))
    said = carom("check", file)
    assert len(re.findall(re.escape(str(file)) + r":\d+:\d+", said.stdout + said.stderr)) >= 2


@pytest.mark.parametrize("content", [
    b"", b"\0" * 100, b"\xff\xfe", b"{" * 100_000, b'"' * 3, b"#" * 10, b"listen {" * 5000, b"workers " + b"9" * 10_000,
    bytes(range(256)) * 10, b'database "' + b"x" * 1_000_000,
], ids=["empty", "zeros", "bom", "braces", "quotes", "comment", "nested", "digits", "bytes", "long"])
def test_check_survives_any_file(tmp_path, content):
    file = tmp_path / "odd.conf"
    file.write_bytes(content)
    done = carom("check", file)
    assert done.returncode > 0, "none of these can serve anybody"
    assert done.stdout + done.stderr
    assert len(done.stdout + done.stderr) < 1_000_000


@pytest.mark.parametrize("path", ["/nowhere/at/all.conf", "/", "/dev/null"])
def test_check_of_what_is_no_file(path):
    done = carom("check", path)
    assert done.returncode > 0
    assert path in done.stdout + done.stderr


def test_a_log_nobody_reads_any_more_is_no_death(place, postgres, tmp_path):
    """The reader of standard output may go away; clients must not notice."""
    config = Config(postgres.address)
    address = free_address()
    file = tmp_path / "carom.conf"
    file.write_text(config.for_carom(address))
    process = subprocess.Popen([carom_binary(), "serve", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        process.stdout.close()

        def served():
            try:
                with Wire.open(address) as wire:
                    return wire.value("select 1") == "1"
            except OSError:
                return False
        for _ in range(3):
            wait_until(served, "a client is served")
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()

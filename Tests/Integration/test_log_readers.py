# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever reads the log, or does not, is no concern of clients; and what ends the process is told there."""

import fcntl
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

import pytest

from lib.config import Config
from lib.load import pgbench, transactions
from lib.places import free_address
from lib.pooler import Pooler, carom_binary
from lib.waiting import wait_until
from lib.wire import Wire, query

pytestmark = pytest.mark.own


class Piped:
    """A pooler whose standard output is a small pipe that nobody reads unless asked to."""

    def __init__(self, file, config):
        self.address = free_address()
        file.write_text(config.for_carom(self.address))
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
        self.process = subprocess.Popen([carom_binary(), "serve", str(file)], stdout=writer, stderr=subprocess.STDOUT)
        os.close(writer)
        wait_until(self.serves, "a client is served")

    def serves(self):
        try:
            with Wire.open(self.address) as wire:
                return wire.value("select 1") == "1"
        except OSError:
            return False

    def read(self):
        """Reads the log from now on to its end, on a thread; the list is whole when the thread has ended."""
        chunks = []

        def follow():
            while chunk := os.read(self.reader, 65536):
                chunks.append(chunk)
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        return thread, chunks

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.reader)


@pytest.fixture
def piped(postgres, tmp_path):
    pooler = Piped(tmp_path / "carom.conf", Config(
        postgres.address, globals={"log_query": True, "stats_listen": "%s:%d" % free_address()}))
    yield pooler
    pooler.end()


def test_a_reader_that_stands_still_holds_up_no_client(piped):
    with Wire.open(piped.address) as first:
        # Many times what the pipe and the queue hold.
        for number in range(1000):
            assert first.value(f"select '{number}', '{'x' * 3000}'") == str(number)
        with Wire.open(piped.address) as second:
            assert second.value("select 1") == "1"
    assert lost(piped) > 0
    thread, chunks = piped.read()
    piped.process.send_signal(signal.SIGTERM)
    assert piped.process.wait(20) == 0
    thread.join(10)
    text = b"".join(chunks).decode()
    told = [int(number) for number in re.findall(r"(\d+) lines of the log were lost", text)]
    assert sum(told) > 0 and text.rstrip().endswith("stopped")


def test_a_flood_of_lines_that_nobody_reads_costs_clients_nothing(postgres, tmp_path):
    """A pipe that nobody reads and one whose reader takes all of it, in turns under the same load."""
    seconds = min(3, int(os.environ.get("CAROM_PGBENCH_SECONDS", "3")))
    # Many queries in a write: so a server has more done than the log can be told of.
    script = tmp_path / "script.sql"
    script.write_text("\\startpipeline\n" + "select 1;\n" * 50 + "\\endpipeline\n")
    noisy = {"log_query": True, "log_debug": True, "stats_listen": None}
    rates, wanted, dropped = {"unread": [], "read": []}, [], []
    for turn in range(2):
        for way in ("unread", "read"):
            directory = tmp_path / f"{way}{turn}"
            directory.mkdir()
            noisy["stats_listen"] = "%s:%d" % free_address()
            piped = Piped(directory / "carom.conf", Config(postgres.address, globals=dict(noisy)))
            try:
                chunks = piped.read()[1] if way == "read" else []
                output = pgbench(piped.address, "-n", "-M", "extended", "-f", script, "-c", 8, "-T", seconds)
                rates[way].append(transactions(output)[1])
                if way == "unread":
                    dropped.append(lost(piped) / seconds)
                else:
                    wanted.append(sum(chunk.count(b"\n") for chunk in list(chunks)) / seconds + lost(piped) / seconds)
            finally:
                piped.end()
    print(f"\nfifties of queries a second: {rates}; lines a second that a reader was given, or lost: {[round(one) for one in wanted]}, "
          f"lost without one: {[round(one) for one in dropped]}")
    assert min(dropped) > 0
    assert max(rates["unread"]) > 0.8 * max(rates["read"])


def lost(piped):
    with urllib.request.urlopen(f"http://{stats_address(piped)}/metrics", timeout=5) as answer:
        return int(re.search(r"^carom_log_lost_lines_total (\d+)", answer.read().decode(), re.M)[1])


def stats_address(piped):
    return re.search(r'stats_listen "(.*)"', open(piped.process.args[2]).read())[1]


def test_a_stop_does_not_wait_long_for_a_reader(piped):
    for _ in range(100):
        assert piped.serves()
    began = time.monotonic()
    piped.process.send_signal(signal.SIGTERM)
    assert piped.process.wait(20) == 0
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"])
def test_a_fault_is_the_last_word_in_the_log(place, postgres, name):
    pooler = Pooler(place, Config(postgres.address))
    with pooler.connect() as wire:
        assert wire.value("select 1") == "1"
    pooler.child.signal(getattr(signal, name))
    assert pooler.child.process.wait(10) == -getattr(signal, name)
    assert re.fullmatch(rf"carom \d+\.\d+\.\d+: ended by {name}, a fault of the program",
                        pooler.log().splitlines()[-1])
    pooler.stop()


def test_a_fault_is_the_last_word_while_clients_have_more_to_say(place, postgres, tmp_path):
    script = tmp_path / "ask.sql"
    script.write_text("select 1;\n")
    for round in range(5):
        pooler = Pooler(place, Config(postgres.address, workers=4, globals={"log_query": True}))
        load = threading.Thread(target=pgbench, args=(pooler.address, "-f", script, "-n", "-c", 16, "-T", 60),
                                kwargs={"check": False})
        load.start()
        wait_until(lambda: len(pooler.log()) > 100000, "the clients ask")
        pooler.child.signal(signal.SIGTRAP)
        assert pooler.child.process.wait(10) == -signal.SIGTRAP
        load.join(10)
        assert pooler.log().splitlines()[-1].endswith("ended by SIGTRAP, a fault of the program"), f"round {round}"
        pooler.stop()


def test_a_fault_does_not_wait_long_for_a_reader(piped):
    for _ in range(100):
        assert piped.serves()
    piped.process.send_signal(signal.SIGSEGV)
    assert piped.process.wait(10) == -signal.SIGSEGV


HARMLESS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
            signal.SIGPIPE, signal.SIGIO, signal.SIGPWR, signal.SIGXFSZ, signal.SIGWINCH, signal.SIGCONT, signal.SIGURG,
            signal.SIGCHLD, signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX]


@pytest.mark.parametrize("number", HARMLESS)
def test_a_signal_that_means_nothing_ends_nothing(start, number):
    pooler = start()
    with pooler.connect() as wire:
        for _ in range(3):
            pooler.child.signal(number)
        assert wire.value("select 1") == "1"
    with pooler.connect() as wire:
        assert wire.value("select 1") == "1"


def test_signals_at_the_start_end_nothing(postgres, tmp_path):
    """Before anything listens they are kept or ignored like later."""
    address = free_address()
    file = tmp_path / "carom.conf"
    file.write_text(Config(postgres.address).for_carom(address))
    process = subprocess.Popen([carom_binary(), "serve", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # Until the program's own code runs, signals have their defaults: no program can change that.
    wait_until(lambda: "carom" in open(f"/proc/{process.pid}/comm").read() and blocks(process.pid), "signals are blocked")
    for number in HARMLESS:
        process.send_signal(number)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def blocks(pid):
    status = open(f"/proc/{pid}/status").read()
    ignored = int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16)
    return bool(ignored & 1 << (int(signal.SIGRTMAX) - 1))


def test_sigquit_stops_at_once(postgres, tmp_path):
    """Whatever clients and servers do: a query that never ends, a client that takes nothing, a server that stands still."""
    address = free_address()
    file = tmp_path / "carom.conf"
    file.write_text(Config(postgres.address).for_carom(address))
    process = subprocess.Popen([carom_binary(), "serve", str(file)], stdout=subprocess.DEVNULL)

    def opened():
        try:
            return Wire.open(address)
        except OSError:
            return None
    try:
        wires = []
        wait_until(lambda: wires.append(opened()) or wires[-1], "a client is served")
        wires = [wires[-1], opened(), opened(), opened()]
        stuck = int(wires[2].value("select pg_backend_pid()"))
        wires[0].send(query("select pg_sleep(600)"))
        wires[1].send(query("select repeat('r', 1000) from generate_series(1, 1000000)"))
        wires[2].send(query("begin"))
        time.sleep(0.5)
        os.kill(stuck, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGQUIT)
            assert process.wait(6) == 0
        finally:
            os.kill(stuck, signal.SIGCONT)
        for wire in wires:
            wire.abort()
    finally:
        process.kill()
        process.wait()

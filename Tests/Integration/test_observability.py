# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The statistics stream and `carom top`, against the echo workload; claims that follow DNS."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import urllib.request

import pytest
import websockets

from lib.places import free_address, local_port
from lib.pooler import ROOT, carom_binary
from lib.process import Child
from lib.waiting import wait_until

pytestmark = pytest.mark.own
BINARIES = os.path.dirname(carom_binary())
COUNTS = {"connecting_slots", "unclaimed_slots", "checking_slots", "claimed_slots", "total_claims"}


@pytest.fixture(scope="module")
def workload(place):
    """An echo workload with two servers; its statistics are on the port that this gives."""
    folder = place.directory("echo")
    children, addresses = [], []
    for number in range(2):
        host, port = free_address()
        addresses.append(f"{host}:{port}")
        children.append(Child([f"{BINARIES}/carom-echo-server", addresses[-1]], os.path.join(folder, f"server{number}")))
    port = local_port()
    children.append(
        Child(
            [
                f"{BINARIES}/carom-echo-workload", "--headless", "--duration", 600, "--claimers", 8, "--hold", 100,
                "--backends", ",".join(addresses), "--stats-port", port
            ], os.path.join(folder, "workload")))
    wait_until(lambda: len(snapshot(port).get("sets", {})) == 2, "the workload serves its statistics")
    yield port, addresses
    for child in reversed(children):
        child.stop()


def snapshot(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=5) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            return json.load(answer)
    except OSError:
        return {}


def receive(url, count):
    """Messages of the stream as a client that knows nothing of Carom gets them, with their times of arrival."""

    async def run():
        async with websockets.connect(url) as stream:
            return [(await stream.recv(), time.monotonic()) for _ in range(count)]

    return asyncio.run(asyncio.wait_for(run(), 30))


def test_the_stream_is_what_qtop_expects(workload):
    port, addresses = workload
    messages = receive(f"ws://127.0.0.1:{port}/qtop/stats", 3)
    frames = []
    for message, _ in messages:
        assert isinstance(message, bytes)
        frames.append(json.loads(message))
    for frame in frames:
        assert set(frame) == {"claims", "sets", "carom"}
        assert set(frame["sets"]) == set(addresses)
        for counts in frame["sets"].values():
            assert set(counts) == COUNTS
            assert all(isinstance(count, int) and count >= 0 for count in counts.values())
    totals = [sum(counts["total_claims"] for counts in frame["sets"].values()) for frame in frames]
    assert [frames[1]["claims"], frames[2]["claims"]] == [totals[1] - totals[0], totals[2] - totals[1]]
    assert frames[2]["claims"] > 0


def test_the_interval_is_the_one_asked_for(workload):
    times = [at for _, at in receive(f"ws://127.0.0.1:{workload[0]}/qtop/stats?update_secs=2", 3)]
    assert times[2] - times[1] == pytest.approx(2, abs=0.5)


def test_an_interval_out_of_range_is_refused(workload):
    with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
        receive(f"ws://127.0.0.1:{workload[0]}/qtop/stats?update_secs=256", 1)
    assert refusal.value.response.status_code == 400


def test_the_snapshot_has_states_and_quantiles(workload):
    port, addresses = workload
    pool = snapshot(port)["carom"]["pools"][0]
    assert pool["name"] == "echo" and pool["state"] == "running"
    assert 0.1 <= pool["hold_seconds"]["p50"] <= pool["hold_seconds"]["p99"] <= pool["hold_seconds"]["max"]
    assert {backend["address"] for backend in pool["backends"]} == set(addresses)
    assert {backend["state"] for backend in pool["backends"]} == {"online"}


def top(*arguments):
    command = [carom_binary(), "top", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def test_top_prints_once_as_json_and_as_a_table(workload):
    port, addresses = workload
    answer = top(f"http://127.0.0.1:{port}", "--once", "--json")
    assert answer.returncode == 0 and set(json.loads(answer.stdout)["sets"]) == set(addresses)
    answer = top(f"127.0.0.1:{port}", "--once", "--sort", "claims")
    assert answer.returncode == 0
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("echo: running")
    assert re.match(r"BACKEND .*\*CLAIMS/S", lines[2])
    rates = [float(line.split()[6]) for line in lines[3:5]]
    assert rates == sorted(rates, reverse=True) and sum(rates) > 0
    assert "\x1b" not in answer.stdout


def test_top_reads_the_stream_of_another_library():
    """A stream with nothing but what qtop knows, sent as text, in pieces."""
    port = local_port()

    async def serve(stream):
        for total in (100, 160, 220, 280):
            text = json.dumps({"claims": 1, "sets": {"db1": dict.fromkeys(COUNTS, 3) | {"total_claims": total}}})
            await stream.send([text[:10], text[10:11], text[11:]])
            await asyncio.sleep(1)

    async def run():
        async with websockets.serve(serve, "127.0.0.1", port):
            return await asyncio.to_thread(top, f"ws://127.0.0.1:{port}/qtop/stats", "--once")

    answer = asyncio.run(run())
    assert answer.returncode == 0, answer.stderr
    row = answer.stdout.splitlines()[-1].split()
    assert row[:5] == ["db1", "3", "3", "3", "3"] and 50 <= float(row[5]) <= 70


@pytest.mark.parametrize("arguments", [("127.0.0.1:1",), ("https://127.0.0.1",), ("no.such.host.invalid:1",), ("",)])
def test_top_says_why_there_is_no_stream(arguments):
    answer = top(*arguments, "--once")
    assert answer.returncode == 1 and answer.stderr.startswith("carom: ") and answer.stdout == ""


def test_top_without_a_terminal_says_so(workload):
    answer = top(f"127.0.0.1:{workload[0]}")
    assert answer.returncode == 1 and "--once" in answer.stderr


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, arguments, columns=120, rows=30):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        self.process = subprocess.Popen(
            arguments, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def last_screen(self):
        """What was drawn last, line by line, without styles."""
        screens = self.read().split(b"\x1b[H")
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screens[-1].decode())
        # The terminal itself puts a return before each new line, beside the one that is there.
        return text.replace("\r", "").split("\n")

    def end(self):
        code = self.process.wait(10)
        output, after = self.read(), termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        return code, output, after


@pytest.mark.parametrize("leave", ["q", "ctrl-c", "SIGTERM", "SIGINT"])
def test_top_leaves_the_terminal_as_it_was(workload, leave):
    terminal = Terminal([carom_binary(), "top", f"127.0.0.1:{workload[0]}"])
    wait_until(lambda: b"echo: running" in terminal.read(), "the table appears")
    assert termios.tcgetattr(terminal.slave) != terminal.before
    if leave.startswith("SIG"):
        terminal.process.send_signal(signal.Signals[leave])
    else:
        terminal.type({"q": b"q", "ctrl-c": b"\x03"}[leave])
    code, output, after = terminal.end()
    assert code == 0
    assert after == terminal.before
    assert output.startswith(b"\x1b[?1049h") and output.endswith(b"\x1b[?25h\x1b[?1049l")


def test_top_follows_keys_and_the_size_of_the_window(workload):
    terminal = Terminal([carom_binary(), "top", f"127.0.0.1:{workload[0]}"])
    wait_until(lambda: any("*BACKEND" in line for line in terminal.last_screen()), "the table is sorted by name")
    terminal.type(b"c")
    wait_until(lambda: any("*CLAIMS/S" in line for line in terminal.last_screen()), "it is sorted by claims")
    wait_until(lambda: len(terminal.last_screen()) == 30, "it fills the window")
    for columns, rows in ((60, 8), (200, 40)):
        terminal.resize(columns, rows)
        wait_until(
            lambda: len(terminal.last_screen()) == rows and len(terminal.last_screen()[0]) == columns,
            f"it fills {columns} times {rows}")
        assert all(len(line) <= columns for line in terminal.last_screen())
    terminal.type(b"q")
    assert terminal.end()[0] == 0


def test_the_workload_is_steered_by_keys(place, workload):
    _, addresses = workload
    port = local_port()
    terminal = Terminal([f"{BINARIES}/carom-echo-workload", "--backends", ",".join(addresses), "--stats-port", str(port)])
    wait_until(lambda: any("1 claimers" in line for line in terminal.last_screen()), "it begins with one claimer")
    terminal.type(b"\t\t")
    wait_until(lambda: any("3 claimers" in line for line in terminal.last_screen()), "Tab adds claimers")
    terminal.type(b"\x1b[A\x1b[D\x1b[D")
    wait_until(lambda: any(line.startswith("2: hold 0.8") for line in terminal.last_screen()), "keys change the hold")
    terminal.type(b"\x1b[Z")
    wait_until(lambda: any("2 claimers" in line for line in terminal.last_screen()), "Shift-Tab removes one")
    terminal.type(b"q")
    code, _, after = terminal.end()
    assert code == 0 and after == terminal.before


@pytest.mark.slow
def test_claims_follow_dns():
    demonstration = subprocess.run(
        [os.path.join(ROOT, "examples", "echo-demo"), "--binaries", BINARIES], capture_output=True, text=True,
        timeout=120)
    result = json.loads(demonstration.stdout)
    assert demonstration.returncode == 0 and result["ok"], result
    assert result["failed_claims"] == 0
    assert result["removed"]["last_claim_after_seconds"] <= result["ttl_seconds"] + 2

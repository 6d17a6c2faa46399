# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""System calls of a pooler per transaction, counted by strace, and how often it waits, counted by the kernel."""

import collections
import os
import signal
import subprocess

from contenders import Contender, run_load
from lib import proc
from lib.load import transactions
from lib.waiting import wait_until
from scenarios import LOADS

#: About how many transactions the two runs do: what the first connections cost is in both and cancels out.
SHORT, LONG = 500, 2500

KINDS = ("receive", "send", "epoll_wait", "epoll_ctl", "other")
_KIND = {
    **dict.fromkeys(("recvfrom", "recvmsg", "read", "readv"), "receive"),
    **dict.fromkeys(("sendto", "sendmsg", "write", "writev"), "send"),
    **dict.fromkeys(("epoll_wait", "epoll_pwait", "epoll_pwait2"), "epoll_wait"),
    "epoll_ctl": "epoll_ctl",
}


class Trace:
    """Counts what a process calls between `with` and its end."""

    def __init__(self, pid, file):
        self.pid, self.file = pid, file
        self.calls = collections.Counter()

    def __enter__(self):
        self._strace = subprocess.Popen(
            ["strace", "-c", "-f", "-q", "-o", self.file, "-p", str(self.pid)], stderr=subprocess.PIPE, text=True)
        wait_until(self._attached, "strace traces every thread")
        return self

    def _attached(self):
        if self._strace.poll() is not None:
            raise AssertionError(f"strace ended: {self._strace.stderr.read()}")
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/status") as status:
                if "TracerPid:\t0\n" in status.read():
                    return False
        return True

    def __exit__(self, *_):
        self._strace.send_signal(signal.SIGINT)
        self._strace.wait(20)
        self._strace.stderr.close()
        with open(self.file) as table:
            for line in table:
                fields = line.split()
                # % time, seconds, usecs/call, calls, errors if there are any, name
                if len(fields) in (5, 6) and fields[3].isdigit() and fields[-1] != "total":
                    self.calls[_KIND.get(fields[-1], fields[-1])] += int(fields[3])


def of_load(contender: Contender, name):
    """Calls per transaction under the load `name`, by name; `KINDS` but "other" are there even when they are 0."""
    pooler = contender.pooler(LOADS[name].unix, LOADS[name].tls)
    directory = contender.ground.place.directory(f"strace-{contender.kind}")

    def run(wanted):
        with Trace(pooler.pid, os.path.join(directory, f"{name}.{wanted}")) as trace:
            count = _work(contender, pooler, name, wanted)
        return count, trace.calls

    _work(contender, pooler, name, SHORT)
    (few, early), (many, late) = run(SHORT), run(LONG)
    return {call: (late[call] - early[call]) / (many - few) for call in {*late, *KINDS[:-1]}}


def waits(contender: Contender, name):
    """How often per transaction the pooler has nothing to do and is woken up: strace slows it down too much to see."""
    pooler = contender.pooler(LOADS[name].unix, LOADS[name].tls)

    def run(wanted):
        before = proc.voluntary_switches(pooler.pid)
        count = _work(contender, pooler, name, wanted)
        return count, proc.voluntary_switches(pooler.pid) - before

    _work(contender, pooler, name, SHORT)
    (few, early), (many, late) = run(SHORT), run(LONG)
    return (late - early) / (many - few)


def _work(contender, pooler, name, wanted):
    """Runs about `wanted` transactions and says how many they were."""
    load, ground = LOADS[name], contender.ground
    clients = load.options[load.options.index("-c") + 1]
    return transactions(run_load(ground, pooler, load, "-t", max(1, wanted // clients)))[0]

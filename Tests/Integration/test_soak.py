# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""2,000 idle clients beside 200 logins a second: what was opened is closed, what was taken is given back."""

import os
import resource
import threading
import time

import pytest

from lib import proc
from lib.config import Route
from lib.waiting import wait_until

SECONDS = float(os.environ.get("CAROM_SOAK_SECONDS", "20"))
IDLE = 2000
RATE = 200
THREADS = 4


@pytest.fixture(autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)) if hard > 0 else 8192, hard))


def come_and_go(pooler, seconds, troubles):
    """Clients that log in, ask once and leave, RATE of them a second; returns how many."""
    began, done = time.monotonic(), [0] * THREADS

    def run(number):
        try:
            while (now := time.monotonic()) - began < seconds:
                due = began + (done[number] * THREADS + number) / RATE
                if now < due:
                    time.sleep(due - now)
                wire = pooler.connect(user="bench", database="bench")
                assert wire.value("select 1") == "1"
                # Every third one leaves without a word.
                wire.abort() if done[number] % 3 == 0 else wire.close()
                done[number] += 1
        except Exception as trouble:
            troubles.append(repr(trouble))
    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


@pytest.mark.slow
def test_clients_that_come_and_go_leave_nothing_behind(postgres, start):
    pooler = start(Route(pool_size=8), workers=2)
    troubles = []
    come_and_go(pooler, 2, troubles)
    empty = proc.descriptors(pooler.pid), proc.resident_bytes(pooler.pid)
    idle = [pooler.connect(user="bench", database="bench") for _ in range(IDLE)]
    for wire in idle:
        assert wire.value("select 1") == "1"
    wait_until(lambda: proc.descriptors(pooler.pid) >= empty[0] + IDLE - 10, "all clients are in")
    before = proc.descriptors(pooler.pid), proc.resident_bytes(pooler.pid)
    logins = come_and_go(pooler, SECONDS, troubles)
    settled = before[0] + 10
    wait_until(lambda: proc.descriptors(pooler.pid) <= settled, "the visitors' descriptors are closed")
    after = proc.descriptors(pooler.pid), proc.resident_bytes(pooler.pid)
    assert all(wire.value("select 2") == "2" for wire in idle[::50])
    for wire in idle:
        wire.close()
    wait_until(lambda: proc.descriptors(pooler.pid) <= empty[0] + 10, "the idle clients' descriptors are closed")
    end = proc.descriptors(pooler.pid), proc.resident_bytes(pooler.pid)
    for name, (count, size) in {"empty": empty, "idle": before, "after the rush": after, "end": end}.items():
        print(f"{name:15} {count:5} descriptors {size / 1024:9.0f} kB")
    print(f"{logins} logins, {(before[1] - empty[1]) / IDLE:.0f} B per idle client")
    assert troubles == []
    # On a slow machine the rate may not be reached, but most of it must be.
    assert logins > RATE * SECONDS * 0.5
    assert after[1] - before[1] < 4 << 20, "memory grew during the rush"
    assert before[1] - empty[1] < IDLE * 32 << 10, "an idle client costs too much"

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Two instances behind one address: HAProxy with the configuration of docs/deploy.adoc."""

import csv
import os
import re
import signal
import threading
import urllib.request

import pytest

from lib.config import Config, Route
from lib.places import free_address
from lib.pooler import ROOT, Pooler
from lib.process import Child
from lib.scrape import get, samples
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, dial, query, send_cancel

pytestmark = pytest.mark.own

#: What Tests/run unpacks of Debian's packages.
BALANCER = os.path.join(ROOT, ".build", "balancer")


def caller_address(number):
    return f"127.9.0.{number + 1}"


class Site:
    """Two poolers, each with its statistics, and HAProxy in front."""

    def __init__(self, place, postgres, directory):
        self.place, self.front = place, free_address()
        self.socket = os.path.join(place.directory("balancer"), "admin")
        self.addresses = [free_address(), free_address()]
        self.stats = [free_address(host) for host, _ in self.addresses]
        self.configs = [
            Config({"host": postgres.address[0], "port": postgres.address[1], "max_connections": 2},
                   routes=[Route(pool_size=4)], globals={"stats_listen": f"{host}:{port}"})
            for host, port in self.stats]
        self.poolers = [self.start(0), self.start(1)]
        file = directory / "haproxy.cfg"
        file.write_text(self.documented())
        library = os.path.join(BALANCER, "usr", "lib", f"{os.uname().machine}-linux-gnu")
        self.balancer = Child(
            ["env", f"LD_LIBRARY_PATH={library}", os.path.join(BALANCER, "usr", "sbin", "haproxy"), "-db", "-f", file],
            directory / "haproxy.log")
        wait_until(lambda: self.balancer.running and self.answers(), "the balancer distributes", timeout=20)

    def documented(self):
        """The configuration of the documentation, with our addresses in it."""
        with open(os.path.join(ROOT, "docs", "deploy.adoc")) as file:
            text = re.search(r"\[source,haproxy\]\n----\n(.*?)----\n", file.read(), re.DOTALL)[1]
        for number, ((host, port), (_, stats)) in enumerate(zip(self.addresses, self.stats), 1):
            text, count = re.subn(rf"10\.0\.0\.{number}:6432 check addr 10\.0\.0\.{number} port 9187",
                                  f"{host}:{port} check addr {host} port {stats}", text)
            assert count == 1
        assert text.count("10.0.0.100:6432") == text.count("/run/haproxy/admin.sock") == 1
        return text.replace("/run/haproxy/admin.sock", self.socket).replace("10.0.0.100:6432", "{}:{}".format(*self.front))

    def start(self, number):
        pooler = Pooler(self.place, self.configs[number], name=f"instance{number}", address=self.addresses[number])
        pooler.stats = "{}:{}".format(*self.stats[number])
        wait_until(lambda: self.ready(number), f"instance {number} is ready")
        return pooler

    def ready(self, number):
        try:
            with urllib.request.urlopen("http://{}:{}/readyz".format(*self.stats[number]), timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def call(self, caller=1):
        """A session of one of many clients, each with an address of its own."""
        return Wire.open(self.front, source=caller_address(caller))

    def admin(self, command):
        """What HAProxy answers to a command."""
        with dial(self.socket) as admin, admin.makefile() as answer:
            admin.sendall(f"{command}\n".encode())
            return answer.read()

    def state(self, number, state):
        """Tells HAProxy whether an instance gets new connections."""
        assert self.admin(f"set server postgres/carom{number + 1} state {state}").strip() == ""

    def up(self, number):
        """Whether HAProxy gives it new connections."""
        table = csv.DictReader(self.admin("show stat").removeprefix("# ").splitlines())
        return any(row["svname"] == f"carom{number + 1}" and row["status"] == "UP" for row in table)

    def sessions(self, number):
        """How many connections HAProxy has to it, or is about to have."""
        table = csv.DictReader(self.admin("show stat").removeprefix("# ").splitlines())
        return sum(int(row["scur"]) for row in table if row["svname"] == f"carom{number + 1}")

    def clients(self, number):
        found = samples(get(self.poolers[number], "/metrics"))
        return sum(value for row, value in found.items() if row.startswith("carom_clients{"))

    def answers(self):
        try:
            with self.call() as wire:
                return wire.value("select 1") == "1"
        except (OSError, ConnectionLost, ServerError):
            return False

    def stop(self):
        self.balancer.stop()
        assert [pooler.stop() for pooler in self.poolers] == [0, 0]


@pytest.fixture(scope="module")
def site(place, postgres, tmp_path_factory):
    site = Site(place, postgres, tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


def sleepers(postgres, seconds):
    return int(postgres.value("select count(*) from pg_stat_activity where state = 'active' "
                              f"and query like 'select pg_sleep({seconds})%'"))


def test_together_they_have_no_more_servers_than_each_may_have(site, postgres):
    wires = [site.call(caller) for caller in range(12)]
    for wire in wires:
        wire.send(query("select pg_sleep(0.3), pg_backend_pid()"))
    wait_until(lambda: sleepers(postgres, 0.3) == 4, "both use all servers that they may have")
    assert len({wire.result()[0][1] for wire in wires}) == 4
    for wire in wires:
        wire.close()


def test_a_cancel_through_the_balancer_finds_its_client(site, postgres):
    # It goes by the client's address, and a cancel comes from the same one.
    for caller in range(6):
        wire = site.call(caller)
        wire.send(query("select pg_sleep(60)"))
        wait_until(lambda: sleepers(postgres, 60) == 1, "the query runs")
        assert send_cancel(site.front, wire.key, source=caller_address(caller)) == b""
        with pytest.raises(ServerError) as refused:
            wire.result()
        assert refused.value.code == "57014"
        wire.close()


class Caller(threading.Thread):
    """Connects, asks and leaves, over and over, until told to stop."""

    def __init__(self, site, number):
        super().__init__(daemon=True)
        self.site, self.number, self.over = site, number, threading.Event()
        self.answers, self.let_go, self.failures = 0, 0, []

    def run(self):
        while not self.over.is_set():
            try:
                with self.site.call(self.number) as wire:
                    try:
                        assert wire.value("select 1") == "1"
                        self.answers += 1
                    except ConnectionLost:
                        self.let_go += 1
                    except ServerError as error:
                        assert error.code == "57P01", error
                        self.let_go += 1
            except Exception as error:
                self.failures.append(repr(error))


def test_replacing_one_after_the_other_is_not_noticed_by_who_calls(site):
    callers = [Caller(site, number) for number in range(3)]
    for caller in callers:
        caller.start()
    for number, old in enumerate(site.poolers):
        before = sum(caller.answers for caller in callers)
        busy = old.connect()
        busy.rows("begin")
        site.state(number, "drain")
        wait_until(lambda: site.sessions(number) == 0 and site.clients(number) == 1, "only who is in a transaction is there")
        old.child.signal(signal.SIGUSR2)
        wait_until(lambda: not site.ready(number), "it is not ready any more")
        # Whoever is in a transaction finishes it; meanwhile the other instance serves all.
        wait_until(lambda: sum(caller.answers for caller in callers) > before + 30, "callers are answered", timeout=30)
        assert old.child.running
        busy.rows("commit")
        assert old.child.process.wait(10) == 0
        busy.close()
        site.poolers[number] = site.start(number)
        site.state(number, "ready")
        wait_until(lambda: site.up(number), "the balancer has it again")
        after = sum(caller.answers for caller in callers)
        wait_until(lambda: sum(caller.answers for caller in callers) > after + 30, "callers are answered", timeout=30)
    for caller in callers:
        caller.over.set()
    for caller in callers:
        caller.join(30)
    assert [caller.failures for caller in callers] == [[], [], []]

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a running pooler tells of itself over HTTP (`stats_listen`)."""

import asyncio
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
import websockets

from lib.config import Route
from lib.places import free_address
from lib.pooler import carom_binary
from lib.scrape import get, samples
from lib.waiting import wait_until

pytestmark = pytest.mark.own


@pytest.fixture
def pooler(start):
    host, port = free_address()
    pooler = start(
        Route(pool="transaction"), Route(database="other", storage_db="postgres", pool="session"),
        workers=2, globals={"stats_listen": f"{host}:{port}"})
    pooler.stats = f"{host}:{port}"
    wait_until(lambda: get(pooler, "/stats"), "statistics are served")
    return pooler


ROUTE = 'database="postgres",user="postgres",rule="default.default"'


def test_the_numbers_are_those_of_what_was_done(pooler):
    with pooler.connect() as client, pooler.connect(database="other") as holder:
        for _ in range(10):
            client.rows("SELECT 1")
        holder.rows("SELECT 1")
        found = samples(get(pooler, "/metrics"))
        assert found[f"carom_route_queries_total{{{ROUTE}}}"] == 10
        assert found[f"carom_route_transactions_total{{{ROUTE}}}"] == 10
        assert found[f'carom_route_clients{{{ROUTE},state="idle"}}'] == 1
        assert found['carom_clients{state="active"}'] == 1
        assert sum(value for row, value in found.items() if row.startswith("carom_worker_clients")) == 2
        # Both rules lead to the same database and user, and are told apart.
        other = ROUTE.replace("default.default", "other.default")
        assert found[f"carom_route_queries_total{{{other}}}"] == 1
        assert any(
            row.startswith("carom_backend_state{" + ROUTE) and 'carom_backend_state="online"' in row and value == 1
            for row, value in found.items())

        document = json.loads(get(pooler, "/stats"))
        other = json.loads(get(pooler, "/stats.json"))
        assert set(other) == set(document) and other["pooler"].keys() == document["pooler"].keys()
        routes = {route["rule"]: route for route in document["pooler"]["routes"]}
        assert routes["default.default"]["queries"] == 10
        assert routes["other.default"]["mode"] == "session"
        assert {pool["name"] for pool in document["carom"]["pools"]} == {
            route["name"] for route in routes.values()}
        version = subprocess.run([carom_binary(), "--version"], capture_output=True, text=True, check=True)
        assert version.stdout.split() == ["carom", document["pooler"]["version"]]
    wait_until(
        lambda: samples(get(pooler, "/metrics"))['carom_clients{state="active"}'] == 0, "the client has left")


def test_what_it_takes_to_share_servers_is_counted(start, postgres):
    host, port = free_address()
    pooler = start(Route(pool="transaction", pool_size=1), globals={"stats_listen": f"{host}:{port}"})
    pooler.stats = f"{host}:{port}"
    wait_until(lambda: get(pooler, "/stats"), "statistics are served")

    def counted():
        # Without those that are nothing, and without the route.
        return {
            row.removeprefix("carom_route_").replace(ROUTE + ",", "").replace(f"{{{ROUTE}}}", ""): value
            for row, value in samples(get(pooler, "/metrics")).items()
            if row.startswith(tuple(f"carom_route_{name}" for name in (
                "session", "carried", "pins", "resets", "failed", "parses", "reused", "evicted"))) and value}

    with pooler.connect() as ada, pooler.connect() as bob:
        ada.rows("select 1")
        bob.rows("select 1")
        assert counted() == {}
        ada.rows("set work_mem = '1MB'")
        # The look comes behind the client's answer.
        wait_until(lambda: counted() == {"session_looks_total": 1}, "the server was looked at")
        bob.rows("select 1")
        ada.rows("select 1")
        assert counted() == {"session_looks_total": 1, "carried_settings_total": 2}
        for make, end in (
                ("create temp table t ()", "drop table t"), ("select pg_advisory_lock(1)", "select pg_advisory_unlock(1)"),
                ("listen c", "unlisten c"), ("prepare s as select 1", "deallocate s"),
                ("begin; declare c cursor with hold for select 1; commit", "close c")):
            ada.rows(make)
            ada.rows(end)
        wait_until(lambda: counted().get("session_looks_total") == 11, "each of them was looked for")
        found = counted()
        for state in ("temporary_tables", "locks", "channels", "statements", "cursors"):
            assert found.pop(f'pins_total{{state="{state}"}}') == 1
        assert found == {"session_looks_total": 11, "carried_settings_total": 2}
        before = sum(value for row, value in counted().items() if row.startswith("resets"))
        ada.rows("do $$begin end$$")
        bob.rows("select 1")
        assert before == 0 and counted()['resets_total{kind="full"}'] == 1
    with pooler.connect() as ada:
        ada.rows("select query_to_xml('select 1', true, true, '')")
    wait_until(lambda: counted().get('resets_total{kind="soft"}') == 1, "what a client left is reset when it has gone")


def test_the_stream_shows_all_pools_or_one(pooler):
    with pooler.connect() as client, pooler.connect(database="other") as other:
        client.rows("SELECT 1")
        other.rows("SELECT 1")
        names = [pool["name"] for pool in json.loads(get(pooler, "/stats"))["carom"]["pools"]]
        assert len(names) == 2

        async def first(path):
            async with websockets.connect(f"ws://{pooler.stats}{path}") as stream:
                return json.loads(await asyncio.wait_for(stream.recv(), 10))

        assert len(asyncio.run(first("/qtop/stats"))["carom"]["pools"]) == 2
        one = "/qtop/stats?pool=" + urllib.request.quote(names[0])
        assert [pool["name"] for pool in asyncio.run(first(one))["carom"]["pools"]] == [names[0]]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(pooler, "/qtop/stats?pool=nothing")
        shown = subprocess.run(
            [carom_binary(), "top", "--once", f"{pooler.stats}{one}"], capture_output=True, text=True, timeout=30)
        assert shown.returncode == 0, shown.stderr
        assert names[0] in shown.stdout and "online" in shown.stdout


def test_nothing_is_served_unless_told(start):
    pooler = start(Route())
    listening = subprocess.run(
        ["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(f"pid={pooler.pid}," in line for line in listening) == 1


def test_an_address_that_is_taken_stops_nobody(start):
    taken = start(Route())
    pooler = start(Route(), globals={"stats_listen": f"{taken.address[0]}:{taken.address[1]}"})
    wait_until(lambda: "cannot serve statistics" in pooler.log(), "the log says so")
    with pooler.connect() as client:
        assert client.rows("SELECT 1") == [["1"]]


def test_reading_statistics_while_clients_work_and_when_it_ends(pooler):
    """They are read from other threads than those that write them."""
    with pooler.connect() as client:
        for _ in range(50):
            client.rows("SELECT 1")
            assert samples(get(pooler, "/metrics"))[f"carom_route_queries_total{{{ROUTE}}}"] > 0
    descriptors = len(os.listdir(f"/proc/{pooler.pid}/fd"))
    for _ in range(50):
        get(pooler, "/stats")
    assert len(os.listdir(f"/proc/{pooler.pid}/fd")) <= descriptors + 5
    assert pooler.stop() == 0
    assert re.search(r"serving statistics on http://127\.0\.\d+\.\d+:\d+/", pooler.log())

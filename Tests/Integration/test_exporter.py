# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of PgBouncer's console and of /metrics, on a pooler with two workers, several routes and clients at work."""

import json
import os
import subprocess
import urllib.request
from struct import unpack_from

import pytest

from lib.config import CONSOLE, Route
from lib.places import free_address
from lib.pooler import ROOT, Poolers
from lib.process import Child
from lib.scrape import OPENMETRICS, get, samples
from lib.waiting import wait_until
from lib.wire import SYNC, Wire, bind, execute, parse, query

pytestmark = pytest.mark.own

#: What Tests/run unpacks of Debian's packages.
PROGRAMS = os.path.join(ROOT, ".build", "monitoring")
TEXT, INT4, NUMERIC = 25, 23, 1700

#: What pgbouncer_exporter 0.12 asks for, in its order: labels and values by the names of columns, with their types.
CONTRACT = [
    ("SHOW STATS", {"database": TEXT, "total_xact_count": NUMERIC}),
    ("SHOW VERSION;", {"version": TEXT}),
    ("SHOW LISTS;", {"list": TEXT, "items": INT4}),
    ("SHOW CONFIG;", {"key": TEXT, "value": TEXT, "default": TEXT, "changeable": TEXT}),
    ("SHOW CLIENTS;", {"database": TEXT, "user": TEXT, "state": TEXT, "application_name": TEXT}),
    ("SHOW databases;", {
        **dict.fromkeys(("name", "host", "database", "force_user", "pool_mode"), TEXT),
        **dict.fromkeys(("port", "pool_size", "reserve_pool_size", "max_connections", "current_connections", "paused",
                         "disabled"), INT4)}),
    ("SHOW stats_totals;", {
        "database": TEXT,
        **dict.fromkeys(("query_count", "query_time", "bytes_received", "bytes_sent", "wait_time", "xact_count", "xact_time",
                         "client_parse_count", "server_parse_count", "bind_count", "server_assignment_count"), NUMERIC)}),
    ("SHOW pools;", {
        "database": TEXT, "user": TEXT,
        **dict.fromkeys(("cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active",
                         "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait",
                         "maxwait_us"), INT4)}),
]
LABELS = {
    "SHOW databases;": ("name", "host", "port", "database", "force_user", "pool_mode"),
    "SHOW stats_totals;": ("database",), "SHOW pools;": ("database", "user"), "SHOW LISTS;": ("list",)}
LISTS = ("databases users peers pools peer_pools free_clients used_clients login_clients free_servers used_servers dns_names "
         "dns_zones dns_queries dns_pending").split()


@pytest.fixture(scope="module")
def pooler(place, postgres):
    poolers = Poolers(place, postgres.address)
    host, port = free_address()
    pooler = poolers(
        Route(pool="transaction", pool_size=1), Route(database="bench", user="bench", pool="session", pool_size=2),
        # Others that lead to the same database and user.
        Route(database="bench", pool="transaction", storage_user="bench"),
        Route(database="alias", storage_db="bench", storage_user="bench", pool="transaction"),
        Route(database="console", storage=CONSOLE), Route(database="pgbouncer", storage=CONSOLE),
        workers=2, globals={"stats_listen": f"{host}:{port}"})
    pooler.stats = f"{host}:{port}"
    wait_until(lambda: get(pooler, "/metrics"), "statistics are served")
    yield pooler
    poolers.finish()


@pytest.fixture(scope="module")
def load(pooler):
    """Clients of every route on both workers: idle, in a transaction, waiting."""
    opened = [pooler.connect(database, user, application_name="load") for database, user in
              [("postgres", "postgres")] * 3 + [("bench", "bench"), ("bench", "other"), ("alias", "one"), ("alias", "two")]]
    for wire in opened:
        wire.rows("select 1")
    opened[0].exchange(parse("s", "select 1") + SYNC)
    opened[0].exchange(bind("", "s") + execute() + SYNC)
    opened[1].rows("begin")
    opened[2].send(query("select 1"))
    yield opened
    for wire in opened:
        wire.abort()


def answer(wire, text):
    """Columns with their types, and rows by the columns' names."""
    columns, rows = {}, []
    for kind, body in wire.exchange(query(text)):
        assert kind != b"E", f"{text}: {body}"
        if kind == b"T":
            count, place = unpack_from("!h", body)[0], 2
            for _ in range(count):
                end = body.index(b"\0", place)
                columns[body[place:end].decode()] = unpack_from("!I", body, end + 7)[0]
                place = end + 19
        if kind == b"D":
            values, place = [], 2
            for _ in range(unpack_from("!h", body)[0]):
                size = unpack_from("!i", body, place)[0]
                place += 4
                values.append(None if size < 0 else body[place:place + size].decode())
                place += max(0, size)
            rows.append(dict(zip(columns, values, strict=True)))
    return columns, rows


def test_the_queries_of_the_exporter_are_answered_by_name_and_type(pooler, load):
    # As Go's lib/pq comes, with parameters that a console could trip over.
    with Wire.open(pooler.address, user="stats", database="pgbouncer", extra_float_digits="2", client_encoding="UTF8",
                   datestyle="ISO, MDY") as wire:
        for text, wanted in CONTRACT:
            columns, rows = answer(wire, text)
            assert {name: columns.get(name) for name in wanted} == wanted, text
            assert rows, text
            for row in rows:
                for name, kind in columns.items():
                    if kind != TEXT and row[name] is not None:
                        float(row[name])
            if text in LABELS:
                told = [tuple(row[label] for label in LABELS[text]) for row in rows]
                assert len(set(told)) == len(told), f"{text}: two rows have the same labels"
            if text == "SHOW VERSION;":
                assert len(columns) == 1
            if text == "SHOW LISTS;":
                assert [row["list"] for row in rows] == LISTS and all(row["items"] for row in rows)
            if text == "SHOW CONFIG;":
                known = {row["key"]: float(row["value"]) for row in rows if row["key"].startswith("max_")}
                assert set(known) == {
                    "max_client_conn", "max_user_connections", "max_db_connections", "max_db_client_connections",
                    "max_user_client_connections"}
            if text == "SHOW CLIENTS;":
                states = [(row["database"], row["state"]) for row in rows if row["application_name"] == "load"]
                assert len(states) == len(load) and ("postgres", "waiting") in states and ("bench", "idle") in states


def test_debians_exporter_reads_what_pgbouncer_still_has(pooler, load):
    """Debian's prometheus-pgbouncer-exporter 1.7, unchanged, through its own connection.

    The whole of it works with no PgBouncer since 1.8, of which Debian's is one: it wants columns that are gone (`total_requests`,
    `reserve_pool`). Its collectors of POOLS and LISTS are asked, and it is held that the others miss those columns alone.
    """
    host, port = pooler.address
    script = f"""
import json
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_pgbouncer_exporter import collectors, utils
connection = utils.get_connection("stats", {port}, {host!r})
registry = CollectorRegistry()
registry.register(collectors.PoolsCollector(connection=connection, databases=None))
registry.register(collectors.ListsCollector(connection=connection))
columns = [set(utils.get_data_by_named_column(connection, name)[0]) for name in ("STATS", "DATABASES")]
missing = [sorted(set(which.metrics) - found) for which, found in
           zip((collectors.StatsCollector, collectors.DatabasesCollector), columns)]
print(json.dumps([generate_latest(registry).decode(), missing]))
"""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": f"{PROGRAMS}/usr/lib/python3/dist-packages"})
    assert done.returncode == 0, done.stderr
    text, missing = json.loads(done.stdout)
    assert missing == [["total_requests"], ["reserve_pool"]]
    assert 'pgbouncer_waiting_clients{database="postgres",user="postgres"} 1.0' in text
    assert 'pgbouncer_active_clients{database="bench",user="bench"}' in text
    assert "pgbouncer_used_clients " in text and "pgbouncer_dns_queries " in text


@pytest.mark.parametrize("accept", [None, "text/plain"])
def test_promtool_has_nothing_against_our_metrics(pooler, load, accept):
    text = get(pooler, "/metrics", accept)
    done = subprocess.run([f"{PROGRAMS}/usr/bin/promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert samples(get(pooler, "/metrics", OPENMETRICS)).keys() == {
        line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


def test_prometheus_scrapes_us(pooler, load, place):
    folder, (host, port) = place.directory("prometheus"), free_address()
    with open(f"{folder}/prometheus.yml", "w") as file:
        file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                   f"scrape_configs: [{{job_name: carom, static_configs: [{{targets: ['{pooler.stats}']}}]}}]\n")
    child = Child([f"{PROGRAMS}/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
                   f"--storage.tsdb.path={folder}/data", f"--web.listen-address={host}:{port}"], f"{folder}/output")

    def ask(expression):
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/api/v1/query?query={expression}", timeout=5) as found:
                return [(row["metric"], row["value"][1]) for row in json.load(found)["data"]["result"]]
        except OSError:
            return []

    try:
        wait_until(lambda: [value for _, value in ask("up")] == ["1"], "it has read us", timeout=30)
        waiting = ask('carom_route_clients{state="waiting"}')
        assert {labels["rule"]: value for labels, value in waiting}["default.default"] == "1"
        assert len(ask("carom_route_queries_total")) == 4
    finally:
        child.stop()

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The page at `/` of `stats_listen`, in a browser, while clients work."""

import contextlib
import copy
import http.server
import json
import os
import re
import threading
import urllib.request

import pytest

from lib.browser import Browser
from lib.config import Route
from lib.load import pgbench
from lib.places import free_address
from lib.pooler import ROOT
from lib.scrape import get
from lib.waiting import wait_until
from lib.wire import query

pytestmark = pytest.mark.own

#: Where the pictures of the last run are. docs/page.png is `page-desktop.png` of one.
PICTURES = os.path.join(ROOT, ".build", "test-results")

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844, "phone": True}

#: What a name would have to be for the page to run it.
HOSTILE = """</p><img src=x onerror="window.hacked=1">&lt;'"""

TILES = """Object.fromEntries([...document.querySelectorAll("#tiles .tile")].map(tile => [
    tile.querySelector("h2").textContent,
    [tile.querySelector(".value").textContent, tile.querySelector(".detail").textContent]]))"""
PLOTTED = """[...document.querySelectorAll("#tiles .tile")].map(tile => [tile.querySelector("h2").textContent,
    tile.querySelector("polyline").getAttribute("points").split(" ").map(point => 31 - point.split(",")[1])])"""
FACTS = """Object.fromEntries([...document.querySelectorAll("article")].map(card => [
    card.querySelector(".name").textContent,
    Object.fromEntries([...card.querySelectorAll("dl div")].map(pair => [...pair.children].map(each => each.textContent)))]))"""
#: How far the page goes beyond the right edge of the window, and what does.
BEYOND = """[document.documentElement.scrollWidth - document.documentElement.clientWidth,
    [...document.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > innerWidth + 0.5).length]"""
PULSE = """document.getElementById("pulse")?.textContent"""


@pytest.fixture(scope="module")
def browser(place):
    browser = Browser(place)
    yield browser
    browser.stop()


@pytest.fixture
def pooler(start):
    host, port = free_address()
    pooler = start(Route(pool="transaction", pool_size=4), Route(database="reports", storage_db="postgres", pool="session"),
                   workers=2, globals={"stats_listen": f"{host}:{port}"})
    pooler.stats = f"{host}:{port}"
    wait_until(lambda: get(pooler, "/stats"), "statistics are served")
    return pooler


@pytest.fixture
def hostile(postgres):
    with postgres.connect() as admin:
        quoted = '"' + HOSTILE.replace('"', '""') + '"'
        admin.rows(f"create database {quoted}")
        admin.rows(f"create role {quoted} login superuser")
        yield HOSTILE
        admin.rows(f"drop database {quoted} with (force)")
        admin.rows(f"drop role {quoted}")


def number(text):
    """A number of the page, with its unit."""
    found = re.fullmatch(r"([0-9.]+) ?([kMG]?)", text)
    return found and float(found[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[found[2]]


def told(pooler):
    return json.loads(get(pooler, "/stats"))


def test_it_follows_the_load_on_a_desk_and_on_a_phone(pooler, browser, postgres, tmp_path):
    os.makedirs(PICTURES, exist_ok=True)
    script = tmp_path / "script"
    script.write_text("select count(*) from generate_series(1, 2000);\n")
    page = browser.open(f"http://{pooler.stats}/", **DESKTOP)
    wait_until(lambda: page.value(PULSE) == "live", "the page has an answer")
    assert page.value(TILES)["queries/s"][1] == "0 since the start"
    load = threading.Thread(target=pgbench, args=(pooler.address, "-n", "-f", script, "-c", 8, "-R", 400, "-T", 12))
    with pooler.connect(database="reports") as report:
        report.rows("select 1")
        load.start()
        seen = []
        while load.is_alive():
            tiles = page.value(TILES)
            seen.append((number(tiles["queries/s"][0]), number(tiles["queries/s"][1].split(" since")[0])))
            load.join(1)
            if len(seen) == 9:
                phone = browser.open(f"http://{pooler.stats}/", **PHONE)
                page.picture(os.path.join(PICTURES, "page-desktop.png"))
        # The load is 400 transactions a second; the page saw it grow.
        assert 300 < sorted(rate or 0 for rate, _ in seen)[len(seen) // 2] < 500, seen
        totals = [total for _, total in seen]
        assert totals == sorted(totals) and totals[-1] > totals[1], seen
        plotted = dict(page.value(PLOTTED))
        assert len(plotted["queries/s"]) >= 8 and max(plotted["queries/s"]) > 20
        for title in ("query time", "transaction time"):
            assert max(plotted[title]) > 20, title
        for each, name in ((page, "desktop"), (phone, "phone")):
            wait_until(lambda: each.value(FACTS).get("bench.bench"), "the route is shown")
            assert each.value(BEYOND) == [0, 0], name
        # What is shown is what is told.
        wait_until(lambda: page.value(TILES)["queries/s"][0] == "0", "the load is over")
        stats = told(pooler)
        route = next(route for route in stats["pooler"]["routes"] if route["database"] == "bench")
        facts = page.value(FACTS)
        assert set(facts) == {pool["name"] for pool in stats["carom"]["pools"]}
        pool = next(pool for pool in stats["carom"]["pools"] if pool["name"] == route["name"])
        assert facts[route["name"]]["servers"] == f"{pool['slots']} of {pool['max_slots']}"
        assert pool["max_slots"] == 4
        assert facts["postgres.postgres"]["clients"] == "1"
        assert page.value(TILES)["clients"][0] == "1"
        phone.picture(os.path.join(PICTURES, "page-phone.png"))
    light = page.value("getComputedStyle(document.body).backgroundColor")
    page.prefers("dark")
    assert page.value("getComputedStyle(document.body).backgroundColor") != light
    for each in (page, phone):
        assert each.complaints() == []
        assert each.requests() <= {f"http://{pooler.stats}/", f"http://{pooler.stats}/stats", "data:,", "about:blank"}
    phone.close()
    pooler.stop()
    wait_until(lambda: (page.value(PULSE) or "").startswith("no answer for"), "the page says that there is no answer", timeout=20)
    page.close()


def test_who_waits_is_shown(pooler, browser):
    page = browser.open(f"http://{pooler.stats}/", **DESKTOP)
    clients = [pooler.connect() for _ in range(6)]
    for client in clients:
        client.send(query("select pg_sleep(4)"))
    wait_until(lambda: page.value(TILES).get("waiting", [""])[0] == "2", "the page shows the two that wait")
    assert page.value(FACTS)["postgres.postgres"]["waiting"].startswith("2, ")
    assert page.value(FACTS)["postgres.postgres"]["busy, idle"] == "4, 0"
    for client in clients:
        client.close()
    page.close()


def test_names_are_text_whatever_they_say(pooler, browser, hostile):
    page = browser.open(f"http://{pooler.stats}/", **PHONE)
    with pooler.connect(database=hostile, user=hostile) as client:
        client.rows("select 1")
        name = f"{hostile}.{hostile}"
        wait_until(lambda: name in page.value(FACTS), "the route is shown under its name")
        assert page.value(BEYOND) == [0, 0]
        assert page.value("""document.querySelectorAll("img, body script:not([nonce])").length""") == 0
        assert page.value("window.hacked") is None
        assert page.complaints() == []
    page.close()


def test_the_browser_runs_nothing_but_the_page(pooler, browser):
    def answer():
        with urllib.request.urlopen(f"http://{pooler.stats}/", timeout=10) as answer:
            return answer.headers, answer.read().decode()

    headers, text = answer()
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    nonce = re.fullmatch(r"'nonce-([0-9a-z]{16,})'", policy["script-src"])[1]
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["style-src"] == policy["script-src"] and policy["connect-src"] == "'self'"
    assert text.count(f'nonce="{nonce}"') == 2
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert answer()[0]["Content-Security-Policy"] != headers["Content-Security-Policy"]
    # The rule holds: even where a name did become a part of the page, it would not run.
    page = browser.open(f"http://{pooler.stats}/", **DESKTOP)
    wait_until(lambda: page.value(PULSE) == "live", "the page has an answer")
    page.value("""new Promise(done => { document.body.insertAdjacentHTML("beforeend",
        '<img src="data:x" onerror="window.hacked=1" onload="window.hacked=1">'); setTimeout(done, 500); })""")
    assert page.value("window.hacked") is None
    assert any("Content Security Policy" in json.dumps(said) for _, said in page.complaints())
    page.close()


@contextlib.contextmanager
def replayed(pooler, document):
    """The page of a pooler over a document of ours; gives its address."""
    with urllib.request.urlopen(f"http://{pooler.stats}/", timeout=10) as answer:
        headers, text = dict(answer.headers), answer.read()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            for name in ("Content-Security-Policy", "Content-Type"):
                if self.path == "/":
                    self.send_header(name, headers[name])
            self.end_headers()
            self.wfile.write(text if self.path == "/" else json.dumps(document).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(free_address(), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address
        try:
            yield f"http://{host}:{port}/"
        finally:
            server.shutdown()


def test_pools_of_a_library_and_texts_of_backends(pooler, browser):
    with pooler.connect() as client:
        client.rows("select 1")
        document = told(pooler)
    del document["pooler"]
    pool = document["carom"]["pools"][0]
    pool["wait_seconds"] = pool["hold_seconds"] = {"count": 9, "p50": 0.0025, "p90": 0.01, "p99": 1.5, "max": 2}
    pool["backends"][0].update(name=HOSTILE, state="dead", last_error=HOSTILE)
    with replayed(pooler, document) as address:
        page = browser.open(address, **PHONE)
        wait_until(lambda: page.value(FACTS), "the pool is shown")
        facts = page.value(FACTS)[pool["name"]]
        assert facts["wait p50, p99"] == facts["hold p50, p99"] == "2.5 ms, 1.5 s"
        assert facts["servers"] == f"{pool['slots']} of {pool['max_slots']}" and "queries/s" not in facts
        assert set(page.value(TILES)) == {"claims/s", "waiting", "servers"}
        told_of = page.value("""[...document.querySelectorAll("li span")].map(span => [span.className, span.textContent])""")
        assert ["name", f"{HOSTILE} {pool['backends'][0]['address']}"] in told_of
        assert ["error", HOSTILE] in told_of and ["chip dead", "dead"] in told_of
        assert page.value("document.images.length") == 0 and page.value("window.hacked") is None
        assert page.value(BEYOND) == [0, 0]
        assert page.complaints() == []
        page.close()


def test_of_many_routes_those_that_are_named_are_shown(pooler, browser):
    with pooler.connect() as client:
        client.rows("select 1")
        document = told(pooler)
    pool, route = document["carom"]["pools"][0], document["pooler"]["routes"][0]
    names = [f"tenant{number}.app" for number in range(100)]
    document["carom"]["pools"] = [{**copy.deepcopy(pool), "name": name} for name in names]
    document["pooler"]["routes"] = [{**copy.deepcopy(route), "name": name} for name in names]
    with replayed(pooler, document) as address:
        page = browser.open(address, **DESKTOP)
        wait_until(lambda: len(page.value(FACTS)) == 60, "as many as are drawn at most are shown")
        assert page.value("""document.getElementById("rest").textContent""").startswith("and 40 more")
        page.value("""document.getElementById("filter").value = "TENANT9", undefined""")
        wait_until(lambda: len(page.value(FACTS)) == 11, "those that are named are shown")
        assert set(page.value(FACTS)) == {name for name in names if name.startswith("tenant9")}
        assert page.value("""document.getElementById("rest").textContent""") == ""
        # All of them count, whatever is shown.
        assert page.value(TILES)["servers"][0] == str(100 * pool["slots"])
        assert page.complaints() == []
        page.close()

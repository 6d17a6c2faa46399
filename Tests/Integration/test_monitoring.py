# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts of docs/monitoring, as Prometheus takes them."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lib.config import Route
from lib.places import free_address
from lib.pooler import ROOT, Poolers
from lib.process import Child
from lib.scrape import get
from lib.waiting import wait_until

pytestmark = pytest.mark.own

FOLDER = os.path.join(ROOT, "docs", "monitoring")
ALERTS = os.path.join(FOLDER, "alerts.yaml")
#: What Tests/run unpacks of Debian's packages.
PROGRAMS = os.path.join(ROOT, ".build", "monitoring", "usr", "bin")

#: What each alert is about: series with a value for each minute, under which it comes, and under which it does not.
CASES = {
    "CaromDown": (['up{job="carom"} 0x20'], ['up{job="carom"} 1x20', 'up{job="other"} 0x20']),
    "CaromStartsAgainAndAgain": (["carom_start_time_seconds 1 2 3 4 4x20"], ["carom_start_time_seconds 1 2 2x20"]),
    "CaromPoolFailed": (['carom_pool_state{carom_pool_state="failed"} 1x20'],
                        ['carom_pool_state{carom_pool_state="failed"} 0x20',
                         'carom_pool_state{carom_pool_state="running"} 1x20']),
    "CaromBackendDead": (['carom_backend_state{carom_backend_state="dead"} 1x20'],
                         ['carom_backend_state{carom_backend_state="dead"} 0 1 0x20',
                          'carom_backend_state{carom_backend_state="online"} 1x20']),
    "CaromBackendRefusesLogins": (["carom_backend_authentication_failures_total 0+1x20"],
                                  ["carom_backend_authentication_failures_total 7x20"]),
    "CaromTwoPrimaries": (["carom_backend_overruled 1x20"], ["carom_backend_overruled 0x20"]),
    "CaromClientsWait": (["carom_pool_oldest_wait_seconds 2x20"], ["carom_pool_oldest_wait_seconds 0.5x20"]),
    "CaromClientsTimeOut": (["carom_pool_timeouts_total 0+1x20"], ["carom_pool_timeouts_total 9x20"]),
    "CaromLimitReached": (
        ["carom_limit_servers 5x20", "carom_limit_max_servers 5x20", "carom_limit_waiting_routes 1x20"],
        ["carom_limit_servers 5x20", "carom_limit_max_servers 5x20", "carom_limit_waiting_routes 0x20"]),
    "CaromRefusesClients": (["carom_refused_clients_total 0+1x20"], ["carom_refused_clients_total 3x20"]),
    "CaromStatementMemory": (
        ["carom_prepared_statement_bytes 95x20", "carom_prepared_statement_limit_bytes 100x20"],
        ["carom_prepared_statement_bytes 80x20", "carom_prepared_statement_limit_bytes 100x20"]),
    "CaromResetsFail": (["carom_route_failed_resets_total 0+1x20"], ["carom_route_failed_resets_total 0 1 1x20"]),
    "CaromLosesLogLines": (["carom_log_lost_lines_total 0+1x20"], ["carom_log_lost_lines_total 1x20"]),
}


def dashboard():
    with open(os.path.join(FOLDER, "dashboard.json")) as file:
        return json.load(file)


def alerts():
    """Names and expressions."""
    with open(ALERTS) as file:
        return re.findall(r"- alert: (\w+)\n +expr: (.*)\n", file.read())


def test_each_alert_comes_when_it_should_and_not_before(tmp_path):
    assert [name for name, _ in alerts()] == list(CASES)
    tests = []
    for name, cases in CASES.items():
        for fires, series in zip((True, False), cases):
            inputs = [dict(zip(("series", "values"), text.split(" ", 1))) for text in series]
            # Labels and texts do not matter here, so what is asked is Prometheus' own series of alerts.
            count = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)'
            tests.append({"name": f"{name} {fires}", "interval": "1m", "input_series": inputs, "promql_expr_test": [
                {"expr": f"({count}) > bool 0", "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": int(fires)}]}]})
    file = tmp_path / "tests.yaml"
    # What is JSON is YAML.
    file.write_text(json.dumps({"rule_files": [ALERTS], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([f"{PROGRAMS}/promtool", "test", "rules", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prometheus(place, postgres):
    """A pooler with a client, and Prometheus, which has read it a few times; gives a function that asks."""
    stats, web = free_address(), free_address()
    poolers = Poolers(place, {"host": postgres.address[0], "port": postgres.address[1], "max_connections": 5})
    pooler = poolers(Route(pool="transaction", pool_size=2), globals={"stats_listen": f"{stats[0]}:{stats[1]}"})
    pooler.stats = f"{stats[0]}:{stats[1]}"
    wait_until(lambda: get(pooler, "/metrics"), "statistics are served")
    folder = place.directory("dashboard")
    with open(f"{folder}/prometheus.yml", "w") as file:
        file.write("global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\n"
                   f"rule_files: ['{ALERTS}']\n"
                   f"scrape_configs: [{{job_name: carom, static_configs: [{{targets: ['{pooler.stats}']}}]}}]\n")
    child = Child([f"{PROGRAMS}/prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address={web[0]}:{web[1]}"], f"{folder}/output")

    def ask(path, **query):
        try:
            asked = f"http://{web[0]}:{web[1]}/api/v1/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(asked, timeout=5) as found:
                return json.load(found)["data"]
        except urllib.error.HTTPError as error:
            # 503: it is not ready yet.
            assert error.code == 503, f"{query}: {error.read().decode()}"
            return None
        except OSError:
            return None

    try:
        with pooler.connect() as wire:
            wire.rows("begin")
            read = {"query": "count_over_time(carom_route_queries_total[1m]) >= 3"}
            wait_until(lambda: (ask("query", **read) or {}).get("result"), "it has read us three times", timeout=30)
            yield ask
    finally:
        child.stop()
        poolers.finish()


def targets():
    return [(panel["title"], target["expr"]) for panel in dashboard()["panels"] for target in panel["targets"]]


def test_each_panel_of_the_dashboard_shows_something(prometheus):
    assert len(targets()) > 20
    empty = []
    for title, expression in targets():
        for variable in ("instance", "database", "user"):
            expression = expression.replace(f"${variable}", ".*")
        expression = expression.replace("$__rate_interval", "10s")
        assert "$" not in expression
        if not prometheus("query", query=expression)["result"]:
            empty.append((title, expression))
    assert empty == []


def test_each_variable_of_the_dashboard_has_values(prometheus):
    for variable in dashboard()["templating"]["list"][1:]:
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        found = prometheus("series", **{"match[]": re.sub(r"\$\w+", ".*", series)})
        assert found and all(label in row for row in found), variable["name"]


def test_each_metric_of_the_alerts_is_there_and_none_of_them_fires(prometheus):
    known = set(prometheus("label/__name__/values"))
    wanted = {name for _, expression in alerts() for name in re.findall(r"\bcarom_\w+(?=[^\w=])", f"{expression} ")}
    assert len(wanted) > 10
    assert wanted - known == set()
    rules = prometheus("rules")["groups"][0]["rules"]
    assert [(rule["name"], rule["state"], rule["health"]) for rule in rules] == [
        (name, "inactive", "ok") for name, _ in alerts()]

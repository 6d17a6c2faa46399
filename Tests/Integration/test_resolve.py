# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""`carom resolve`: what resolvers see, told without a pooler."""

import subprocess

import pytest

from lib.nameserver import SERVICE, ZONE, NameServer, server_records
from lib.pooler import carom_binary
from lib.waiting import wait_until

pytestmark = pytest.mark.own

CONFIGURATION = """\
listen {{ host "127.0.0.1" port 6432 }}
resolver "known" {{ type "static" host "one 192.0.2.1 weight=3 zone=a" }}
resolver "records" {{ type "dns" srv "{service}" nameserver "{nameserver}" ttl_min 0.2 retry_min 0.2
    removal_answers 1 removal_answers_most 1 removal_spacing 0 }}
resolver "nobody" {{ type "dns" host "nobody.{zone}" nameserver "{nameserver}" etc_hosts no }}
resolver "broken" {{ type "dns" host "x.broken.example" nameserver "{nameserver}" etc_hosts no }}
resolver "all" {{ type "composite" resolvers "known, records" }}
storage "pg" {{ type "remote" resolver "all" }}
storage "own" {{ type "remote" host "192.0.2.9:1" }}
database default {{ user default {{ authentication "none" storage "pg" pool "session" }} }}
"""
SERVERS = [("192.0.2.11", 5001), ("192.0.2.12", 5002)]


@pytest.fixture(scope="module")
def nameserver(place):
    server = NameServer(place, server_records(SERVERS))
    yield server
    server.stop()


@pytest.fixture
def resolve(nameserver, tmp_path):
    file = tmp_path / "carom.conf"
    file.write_text(CONFIGURATION.format(service=SERVICE, zone=ZONE, nameserver=nameserver.text))
    return lambda *arguments: subprocess.run(
        [carom_binary(), "resolve", str(file), *arguments], capture_output=True, text=True, timeout=30)


def test_every_server_is_told_with_what_is_known_of_it(resolve, nameserver):
    done = resolve("all")
    assert done.returncode == 0, done
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["resolver", '"all"', "(composite):", "3", "servers"]
    assert lines[2][:6] == ["one", "192.0.2.1:5432", "0", "3", "-", "zone=a"]
    assert lines[3][:4] == [f"db1.{ZONE}", "192.0.2.11:5001", "0", "1"]
    assert 0 <= float(lines[3][4].removesuffix("s")) <= 2
    learnt = f'resolver "records": {SERVICE} SRV, db1.{ZONE} A at {nameserver.text}'
    assert " ".join(lines[3]).endswith(learnt)
    assert resolve("pg").stdout.splitlines()[0] == done.stdout.splitlines()[0]
    assert "192.0.2.9:1" in resolve("own").stdout


@pytest.mark.parametrize("name, words", [
    ("nobody", ["0 servers"]), ("broken", ["nothing is known yet", "x.broken.example A: SERVFAIL"])])
def test_a_resolver_without_servers_is_an_exit_code(resolve, name, words):
    done = resolve(name)
    assert done.returncode == 2 and all(word in done.stdout for word in words), done


def test_a_name_that_is_not_there_is_told_with_those_that_are(resolve):
    done = resolve("knwon")
    assert done.returncode == 1 and '"known"' in done.stderr and done.stdout == "", done


def test_changes_are_followed(resolve, nameserver, tmp_path):
    output = tmp_path / "output"
    with open(output, "w") as sink:
        following = subprocess.Popen(
            [carom_binary(), "resolve", str(tmp_path / "carom.conf"), "records", "--watch"], stdout=sink)
    try:
        wait_until(lambda: "2 servers" in output.read_text(), "the servers are told")
        nameserver.change(server_records([None, SERVERS[1], ("192.0.2.13", 5003)]))
        wait_until(lambda: f'+ resolver "records": db3.{ZONE} (192.0.2.13:5003)' in output.read_text()
                   and f'- resolver "records": db1.{ZONE} (192.0.2.11:5001)' in output.read_text(),
                   "both changes are told")
    finally:
        following.kill()
        following.wait()
        nameserver.change(server_records(SERVERS))

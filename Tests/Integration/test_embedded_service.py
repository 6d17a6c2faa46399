# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The example of a service with a pool inside: HTTP in front, PostgreSQL behind, servers from a file."""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

import pytest

from lib.places import local_port
from lib.pooler import carom_binary
from lib.process import Child
from lib.waiting import wait_until

pytestmark = pytest.mark.own

ROOT = pathlib.Path(__file__).parents[2]


class Service:
    def __init__(self, place, servers):
        self.folder = place.directory("embedded")
        self.file = os.path.join(self.folder, "servers")
        self.port, self.stats = local_port(), local_port()
        self.name(servers)
        program = os.path.join(os.path.dirname(carom_binary()), "carom-embedded-service")
        self.child = Child(
            [program, self.file, "--port", self.port, "--stats-port", self.stats], os.path.join(self.folder, "output"))

    def name(self, servers):
        """Replaces the file as a whole."""
        with open(self.file + ".new", "w") as file:
            file.write("".join(f"{name} {host}:{port}\n" for name, (host, port) in servers.items()))
        os.rename(self.file + ".new", self.file)

    def ask(self, path, body=None, port=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def sets(self):
        return json.loads(self.ask("/stats", port=self.stats)[1])["sets"]


@pytest.fixture
def service(place, postgres):
    service = Service(place, {"db": postgres.address})
    wait_until(lambda: service.ask("/health")[0] == 200 or not service.child.running, "the service is well")
    assert service.child.running, service.child.text()
    yield service
    service.child.stop()


def test_notes_are_kept(service):
    status, answer = service.ask("/notes", "größer als 'das' \"\\".encode())
    assert status == 201
    note = json.loads(answer)
    assert note["text"] == "größer als 'das' \"\\"
    assert json.loads(service.ask(f"/notes/{note['id']}")[1]) == note
    assert note in json.loads(service.ask("/notes")[1])


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"x" * 5000])
def test_what_is_no_note_is_refused(service, body):
    assert service.ask("/notes", body)[0] == 400


@pytest.mark.parametrize("path", ["/notes/999999999", "/notes/x", "/notes/-1", "/else"])
def test_what_is_not_there_is_not_found(service, path):
    assert service.ask(path)[0] == 404


def test_servers_change_under_the_running_service(service, postgres):
    # Nobody listens there.
    service.name({"nobody": ("127.0.0.1", 1)})
    wait_until(lambda: service.ask("/health")[0] == 503, "no server is left")
    service.name({"nobody": ("127.0.0.1", 1), "again": postgres.address})
    wait_until(lambda: service.ask("/health")[0] == 200, "a server is back")
    assert service.sets()["again"]["total_claims"] > 0
    assert service.sets()["nobody"]["total_claims"] == 0


def test_it_stops_when_told(service):
    assert service.child.stop() == 0


def test_it_shows_itself_by_one_command():
    program = os.path.join(os.path.dirname(carom_binary()), "carom-embedded-service")
    shown = subprocess.run(
        [os.path.join(ROOT, "examples", "embedded-demo"), "--binary", program, "--seconds", "1.5"],
        capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    report = json.loads(shown.stdout)
    for part in ["undisturbed", "standby leaves the file", "standby is killed"]:
        # What is under way on a server that is killed is lost: one request of each client.
        lost = 8 if part == "standby is killed" else 0
        assert report[part]["answered"] > 20 and report[part]["failed"] <= lost, report
    assert all(report["claims while undisturbed"][name] > 0 for name in ["db1", "db2"])

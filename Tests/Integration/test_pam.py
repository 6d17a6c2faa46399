# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Passwords that PAM checks: who gets in, what others notice of a slow module, and what the log gets to know."""

import os
import re
import subprocess
import threading
import time

import pytest

from lib.config import Route
from lib.logins import PASSWORD, attempt
from lib.places import free_address
from lib.pooler import carom_binary
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire

pytestmark = pytest.mark.own

SLOW = 3
#: `ann` and `slow` may come, `expired` has the right password and an account that is over, and nobody else is known.
SCRIPT = f"""#!/bin/sh
echo "$PAM_TYPE $PAM_SERVICE $PAM_USER [$PAM_RHOST]" >>{{log}}
echo "words that no client is shown"
if [ "$PAM_TYPE" = account ]; then [ "$PAM_USER" != expired ]; exit; fi
password=$(tr -d '\\000')
[ "$PAM_USER" != slow ] || sleep {SLOW}
case "$PAM_USER" in ann | slow | expired | ftp) ;; *) exit 1 ;; esac
[ "$password" = "{PASSWORD}" ]
"""
ASK = "required pam_exec.so quiet stdout expose_authtok {script}\n"


class Stack:
    """Services of the machine's PAM, for the time of the tests."""

    def __init__(self, directory):
        os.chmod(directory, 0o755)
        self.log, self.script = os.path.join(directory, "calls"), os.path.join(directory, "check")
        with open(self.script, "w") as file:
            file.write(SCRIPT.format(log=self.log))
        os.chmod(self.script, 0o755)
        self.paths = []

    def service(self, name, *lines):
        name = f"carom-test-{os.getpid()}-{name}"
        self.paths.append(os.path.join("/etc/pam.d", name))
        with open(self.paths[-1], "w") as file:
            file.write("\n".join(lines).format(script=self.script) + "\n")
        return name

    def calls(self):
        with open(self.log) as file:
            return file.read().splitlines()


@pytest.fixture(scope="module")
def stack(place):
    made = Stack(place.directory("pam"))
    yield made
    for path in made.paths:
        os.unlink(path)


@pytest.fixture(scope="module")
def service(stack):
    return stack.service("plain", f"auth {ASK}account required pam_exec.so quiet {{script}}")


def route(service, **options):
    return Route(authentication="clear_text", storage_user="bench", storage_db="postgres",
                 more={"auth_pam_service": service}, **{"database": "shop", **options})


def test_pam_lets_in_and_keeps_out_and_nobody_can_tell_why(start, service):
    pooler = start(route(service))
    assert attempt(pooler) == "in"
    for password in ("wrong", PASSWORD + "x", "x" * 5000, ""):
        assert attempt(pooler, password=password) == "28P01"
    refusals = {}
    for user, password in (("ann", "wrong"), ("nobody-at-all", PASSWORD), ("expired", PASSWORD)):
        with pytest.raises(ServerError) as refused:
            pooler.connect(user=user, database="shop", password=password)
        refusals[user] = re.sub(r"c[0-9a-f-]{30,}", "", str(refused.value)).replace(user, "USER")
        assert refused.value.code == "28P01"
    assert len(set(refusals.values())) == 1, refusals
    # Whoever proves to be somebody is told that there is nothing to be let into, and nobody else.
    assert attempt(pooler, database="nowhere") == "3D000"
    assert attempt(pooler, database="nowhere", password="wrong") == "28P01"
    log = pooler.log()
    assert PASSWORD not in log and "words that no client" not in log
    assert re.search(f'PAM service "{service}": pam_authenticate: ', log)
    assert re.search(f'PAM service "{service}": pam_acct_mgmt: ', log)


def test_pam_is_told_who_comes_from_where(start, service, stack):
    pooler = start(route(service))
    assert attempt(pooler, source="127.0.0.7") == "in"
    assert stack.calls()[-2:] == [f"{kind} {service} ann [127.0.0.7]" for kind in ("auth", "account")]


def test_a_password_answers_one_question_only(start, stack):
    """`pam_ftp` lets `ftp` in by any password, and asks for it itself."""
    once = stack.service("once", "auth required pam_ftp.so", "account required pam_permit.so")
    twice = stack.service("twice", f"auth {ASK}auth required pam_ftp.so", "account required pam_permit.so")
    pooler = start(route(once), route(twice, database="twice"))
    assert attempt(pooler, user="ftp") == "in"
    assert attempt(pooler, user="ftp", database="twice") == "28P01"


def test_a_service_that_nobody_has_set_up_lets_nobody_in(start):
    assert attempt(start(route("carom-test-no-such-service"))) == "28P01"


def test_slow_modules_hold_up_nobody_else(start, service):
    pooler = start(route(service), Route(database="open", storage_user="bench", storage_db="postgres"), workers=1)
    ended = []
    slow = [threading.Thread(target=lambda: ended.append(attempt(pooler, user="slow"))) for _ in range(4)]
    with pooler.connect(database="open") as wire:
        began = time.monotonic()
        for thread in slow:
            thread.start()
        longest = 0
        while len(ended) < len(slow):
            asked = time.monotonic()
            assert wire.value("select 1") == "1"
            assert not ended or asked - began > SLOW * 0.9
            longest = max(longest, time.monotonic() - asked)
            if not ended and asked - began < SLOW / 2:
                # Nor others whom PAM is asked about.
                assert attempt(pooler) == "in" and time.monotonic() - asked < SLOW / 2
        assert longest < 1
    for thread in slow:
        thread.join()
    assert ended == ["in"] * len(slow)
    assert time.monotonic() - began < 2 * SLOW


def test_the_time_for_a_login_ends_the_wait_and_the_late_answer_is_dropped(start, service, stack):
    pooler = start(route(service), globals={"client_login_timeout": 1000})
    began = time.monotonic()
    with pytest.raises((ServerError, ConnectionLost)):
        pooler.connect(user="slow", database="shop", password=PASSWORD)
    assert 0.9 < time.monotonic() - began < SLOW
    # The module has its say, to nobody.
    wait_until(lambda: stack.calls()[-1].startswith(f"account {service} slow"), "the late answer", timeout=3 * SLOW)
    assert attempt(pooler) == "in"


def test_a_client_that_leaves_is_not_asked_about(start, service, stack):
    pooler = start(route(service))
    before = len(stack.calls())
    # All threads are busy with somebody; those behind leave before their turn.
    busy = [threading.Thread(target=attempt, args=(pooler, "slow")) for _ in range(8)]
    for thread in busy:
        thread.start()
    wait_until(lambda: len(stack.calls()) == before + 8, "all threads are busy", timeout=SLOW)
    pooler.config.globals["client_login_timeout"] = 500
    pooler.reload()
    with pytest.raises((ServerError, ConnectionLost)):
        pooler.connect(user="nobody-at-all", database="shop", password=PASSWORD)
    for thread in busy:
        thread.join()
    assert attempt(pooler) == "in"
    assert not any("nobody-at-all" in call for call in stack.calls()[before:])


def test_failures_count_for_the_address(start, service):
    pooler = start(route(service), globals={"auth_failure_limit": 2, "auth_failure_period": 60_000})
    assert [attempt(pooler, password="wrong") for _ in range(2)] == ["28P01"] * 2
    assert attempt(pooler) == "28000"
    assert attempt(pooler, source="127.0.0.8") == "in"


def test_a_line_of_the_hba_file_has_pam_asked(start, service, stack, place):
    path = os.path.join(place.directory("pam-lines"), "hba")
    with open(path, "w") as file:
        file.write(f"host shop slow all reject\nhost shop bob all password\nhost shop,nowhere all all pam pamservice={service}\n")
    pooler = start(
        Route(database="shop", authentication="hba", password="another", storage_user="bench", storage_db="postgres"),
        globals={"hba_file": path})
    assert attempt(pooler) == "in"
    assert attempt(pooler, password="another") == "28P01"
    assert attempt(pooler, user="expired") == "28P01"
    assert attempt(pooler, user="slow") == "28000"
    assert attempt(pooler, user="bob", password="another") == "in"
    assert attempt(pooler, user="bob") == "28P01"
    assert attempt(pooler, database="nowhere") == "3D000"
    assert attempt(pooler, database="nowhere", password="wrong") == "28P01"


def test_an_ini_file_has_the_service_of_pgbouncer_asked(start, service, place, postgres):
    """The service `pgbouncer` is the machine's: its configuration is written by `carom convert` and asks another here."""
    path = os.path.join(place.directory("pam-ini"), "pgbouncer.ini")
    host, port = free_address()
    with open(path, "w") as file:
        file.write(f"[databases]\nshop = host={postgres.address[0]} port={postgres.address[1]} dbname=postgres user=bench\n"
                   f"[pgbouncer]\nauth_type = pam\nlisten_addr = {host}\nlisten_port = {port}\nunix_socket_dir =\n")
    converted = subprocess.run([carom_binary(), "convert", path], capture_output=True, text=True, check=True).stdout
    assert 'auth_pam_service "pgbouncer"' in converted
    with open(path.replace(".ini", ".conf"), "w") as file:
        file.write(converted.replace('auth_pam_service "pgbouncer"', f'auth_pam_service "{service}"'))
    process = subprocess.Popen([carom_binary(), "serve", path.replace(".ini", ".conf")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def code(password):
            try:
                Wire.open((host, port), user="ann", database="shop", password=password).close()
                return "in"
            except ServerError as refusal:
                return refusal.code
            except OSError:
                return None
        wait_until(lambda: code(PASSWORD) is not None, "the pooler listens")
        assert code(PASSWORD) == "in"
        assert code("wrong") == "28P01"
    finally:
        process.terminate()
        process.wait(20)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Passwords that servers of LDAP check: who gets in, whom nobody is asked about, and what becomes of servers that do not answer."""

import contextlib
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from lib import proc
from lib.certificates import Authority
from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.directory import Answers, BASE, PEOPLE, READER, READER_PASSWORD, Directory, person, unit
from lib.logins import PASSWORD, attempt
from lib.names import HostNames
from lib.places import free_address
from lib.pooler import carom_binary
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, cstring, dial, message, startup

pytestmark = pytest.mark.own

BOSS_PASSWORD = "the boss's own"
#: How long one server is waited for.
PATIENCE = 5
ENTRIES = [
    unit("people"), unit("hidden"), unit("admins", PEOPLE), person("ann", PASSWORD), person("bob", PASSWORD, mail="b@example.com"),
    person("a+b, Miller", PASSWORD), person("boss", BOSS_PASSWORD, where=f"ou=admins,{PEOPLE}"),
    person("twin", PASSWORD, mail="twins@example.com"), person("twin2", PASSWORD, mail="twins@example.com"),
    person("eve", PASSWORD, where=f"ou=hidden,{BASE}"), person("locked", None)]


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("ldap-authority"))


@pytest.fixture(scope="module")
def slapd(place, authority):
    server = Directory(place, ENTRIES, authority)
    yield server
    server.stop()


def simple(slapd, **more):
    """Names are put together."""
    return {"ldapserver": slapd.address[0], "ldapport": slapd.address[1], "ldapprefix": "uid=", "ldapsuffix": f",{PEOPLE}", **more}


def search(slapd, **more):
    """Entries are looked for."""
    return {"ldapserver": slapd.address[0], "ldapport": slapd.address[1], "ldapbasedn": PEOPLE, **more}


@pytest.fixture
def serve(start):
    """A pooler with a route `shop` that asks the endpoint `e`."""
    def begin(endpoint, **options):
        route = Route(database="shop", authentication="clear_text", storage_user="bench", storage_db="postgres",
                      more={"ldap_endpoint_name": "e"})
        return start(route, *options.pop("routes", []), ldap_endpoints={"e": endpoint, **options.pop("more", {})}, **options)
    return begin


def says(pooler, text):
    """The client is told first."""
    wait_until(lambda: re.search(text, pooler.log()), f"the log says {text}")


@contextlib.contextmanager
def silence(address):
    """A server that accepts and never says anything."""
    with socket.create_server(address) as server:
        yield server


def test_users_bind_and_nobody_can_tell_why_they_are_refused(serve, slapd):
    pooler = serve(simple(slapd))
    assert attempt(pooler) == "in"
    for password in ("wrong", PASSWORD + "x", "x" * 5000):
        assert attempt(pooler, password=password) == "28P01"
    refusals = {}
    for user in ("ann", "nobody-at-all", "locked"):
        with pytest.raises(ServerError) as refused:
            pooler.connect(user=user, database="shop", password="wrong")
        refusals[user] = re.sub(r"c[0-9a-f-]{30,}", "", str(refused.value)).replace(user, "USER")
        assert refused.value.code == "28P01"
    assert len(set(refusals.values())) == 1, refusals
    # Whoever proves to be somebody is told that there is nothing to be let into, and nobody else.
    assert attempt(pooler, database="nowhere") == "3D000"
    assert attempt(pooler, database="nowhere", password="wrong") == "28P01"
    says(pooler, f'LDAP ldap://{slapd.address[0]}:{slapd.address[1]}: bind as "uid=ann,{PEOPLE}": Invalid credentials')
    assert PASSWORD not in pooler.log()


def test_an_empty_password_never_reaches_a_server(serve, slapd):
    """Servers say yes to a name without a password, and have checked nothing (RFC 4513, 5.1.2)."""
    assert slapd.is_bound_as(f"uid=ann,{PEOPLE}", "") == "anonymous"
    assert slapd.is_bound_as(f"uid=ann,{PEOPLE}", PASSWORD) == f"dn:uid=ann,{PEOPLE}"
    before = len(slapd.binds())
    for endpoint in (simple(slapd), search(slapd)):
        assert attempt(serve(endpoint), password="") == "28P01"
    assert len(slapd.binds()) == before


def test_an_entry_is_looked_for_by_somebody_who_may(serve, slapd):
    anonymous = serve(search(slapd, ldapbasedn=BASE))
    assert attempt(anonymous) == "in" and attempt(anonymous, password="wrong") == "28P01"
    assert attempt(anonymous, user="eve") == "28P01"
    reader = serve(search(slapd, ldapbasedn=BASE, ldapbinddn=READER, ldapbindpasswd=READER_PASSWORD))
    assert attempt(reader, user="eve") == "in" and attempt(reader) == "in"
    assert attempt(reader, user="nobody-at-all") == "28P01"
    assert attempt(reader, user="locked") == "28P01"
    # Nobody is bound as who is not there.
    assert slapd.binds()[-3:] == [READER, READER, f"uid=locked,{PEOPLE}"]
    says(reader, r"search for \(uid=nobody-at-all\): no entry")
    log = reader.log()
    assert READER_PASSWORD not in log and PASSWORD not in log


def test_a_filter_or_another_attribute_says_who_is_meant(serve, slapd):
    by_mail = serve(search(slapd, ldapsearchattribute="mail"))
    assert attempt(by_mail, user="b@example.com") == "in" and attempt(by_mail, user="bob") == "28P01"
    # Which of the two would it be?
    assert attempt(by_mail, user="twins@example.com") == "28P01"
    says(by_mail, r"search for \(mail=twins@example.com\): more than one entry")
    both = serve(search(slapd, ldapsearchfilter="(&(objectClass=inetOrgPerson)(|(uid=$username)(mail=$username)))"))
    assert [attempt(both, user=user) for user in ("ann", "ann@example.com", "eve")] == ["in", "in", "28P01"]
    level = serve(search(slapd, ldapscope="one"))
    assert attempt(level, user="boss", password=BOSS_PASSWORD) == "28P01"
    assert attempt(serve(search(slapd)), user="boss", password=BOSS_PASSWORD) == "in"


def test_a_user_is_no_more_than_its_name(serve, slapd):
    searching = serve(search(slapd))
    before = len(slapd.searches())
    for name in ("*", "ann)(uid=*", "a*", "(ann", "ann\\", "ann/", "ann\\2a", "ann\t"):
        assert attempt(searching, user=name) == "28P01", name
    assert len(slapd.searches()) == before
    assert attempt(searching, user="a+b, Miller") == "in"
    binding = serve(simple(slapd))
    for name in ("ann\t", "ann\r", "ann\n", "\x0bann"):
        assert attempt(binding, user=name) == "28P01", name
    for name in ("boss,ou=admins", "boss\\,ou=admins", "ann,ou=people,dc=example,dc=com#", "ann+cn=ann", " ann#"):
        assert attempt(binding, user=name, password=BOSS_PASSWORD) == "28P01", name
        assert attempt(binding, user=name) == "28P01", name
    assert attempt(binding, user="a+b, Miller") == "in"
    whole = serve(simple(slapd, ldapprefix="uid=boss,ou=admins", ldapsuffix=f",{PEOPLE}"))
    assert attempt(whole, user=",dc=com", password=BOSS_PASSWORD) == "28P01"
    says(whole, "such characters in its name")


def test_tls_is_used_and_certificates_are_checked(serve, slapd, authority, place):
    stranger = Authority(place.directory("ldap-stranger"))
    ways = [simple(slapd, ldaptls=True), simple(slapd, ldapscheme="ldaps", ldapport=slapd.tls_address[1]),
            search(slapd, ldaptls=True, ldapbinddn=READER, ldapbindpasswd=READER_PASSWORD)]
    for endpoint in ways:
        known = serve(endpoint, environment={"LDAPTLS_CACERT": authority.cert})
        before = slapd.child.text().count("TLS established")
        assert attempt(known) == "in" and attempt(known, password="wrong") == "28P01", known.log()
        assert slapd.child.text().count("TLS established") >= before + 2
        before = len(slapd.binds())
        unknown = serve(endpoint, environment={"LDAPTLS_CACERT": stranger.cert})
        assert attempt(unknown) == "08006"
        assert len(slapd.binds()) == before
        says(unknown, "LDAP ldaps?://.*: perhaps a certificate that is over, .*that nobody vouches for")
    other = Directory(place, ENTRIES, authority, name=slapd.address[0])
    try:
        pooler = serve(simple(other, ldaptls=True), environment={"LDAPTLS_CACERT": authority.cert})
        assert attempt(pooler) == "08006" and other.binds() == []
        says(pooler, "StartTLS: Connect error")
        # Whoever wants that is told by the library's own means.
        assert attempt(serve(simple(other, ldaptls=True), environment={"LDAPTLS_REQCERT": "never"})) == "in"
    finally:
        other.stop()


def test_what_is_no_answer_is_told_apart_from_a_refusal(serve, slapd):
    """Nobody is counted as one who guesses because a server is away."""
    limits = {"auth_failure_limit": 1, "auth_failure_period": 60_000}
    misled = serve(search(slapd, ldapbinddn=READER, ldapbindpasswd="wrong"), globals=limits)
    assert [attempt(misled) for _ in range(3)] == ["08006"] * 3
    says(misled, f'bind as "{READER}": Invalid credentials')
    assert attempt(serve(search(slapd, ldapbasedn="dc=nowhere"))) == "08006"
    host, port = free_address()
    down = serve({**simple(slapd), "ldapserver": host, "ldapport": port}, globals=limits)
    assert [attempt(down) for _ in range(3)] == ["08006"] * 3
    says(down, f"LDAP ldap://{host}:{port}: connect: Connection refused")
    guesser = serve(simple(slapd), globals=limits)
    assert [attempt(guesser, password="wrong"), attempt(guesser)] == ["28P01", "28000"]


@pytest.mark.parametrize("code, result", [
    (0, "in"), (49, "28P01"), (48, "28P01"), (32, "28P01"), (34, "28P01"), (50, "28P01"), (19, "28P01"), (53, "28P01"),
    *((code, "08006") for code in (1, 2, 3, 4, 7, 8, 10, 11, 12, 13, 14, 51, 52, 54, 80, 123))])
def test_only_what_is_about_the_user_counts_as_a_wrong_password(serve, code, result):
    with Answers(code) as answers:
        pooler = serve({"ldapserver": answers.address[0], "ldapport": answers.address[1], "ldapprefix": "uid="},
                       globals={"auth_failure_limit": 1, "auth_failure_period": 60_000})
        assert attempt(pooler) == result
        assert attempt(pooler) == ("28000" if result == "28P01" else result)


def test_a_server_may_not_fill_the_memory(serve):
    """It is asked for two entries, and sends a hundred megabytes of them."""
    entry = b"\x30\x84\0\1\0\x0b" + b"\x02\x01\x01" + b"\x64\x84\0\1\0\2" + b"\x04\x82\xff\xf8" + b"x" * 0xFFF8 + b"\x30\x84\0\0\0\0"
    host, port = free_address()

    def flood():
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.recv(1000)
            for _ in range(1600):
                client.sendall(entry)

    with socket.create_server((host, port)) as server:
        threading.Thread(target=flood, daemon=True).start()
        pooler = serve({"ldapserver": host, "ldapport": port, "ldapbasedn": "dc=x"})
        before = proc.resident_bytes(pooler.pid)
        assert attempt(pooler) in ("28P01", "08006")
        assert proc.peak_resident_bytes(pooler.pid) < before + (20 << 20)


def test_another_answer_than_that_of_a_bind_lets_nobody_in(serve):
    with Answers(0, Answers.SEARCH_DONE) as answers:
        pooler = serve({"ldapserver": answers.address[0], "ldapport": answers.address[1], "ldapprefix": "uid="})
        assert attempt(pooler) == "08006"
        says(pooler, "Protocol error")


@pytest.mark.parametrize("more", [{}, {"ldaptls": True}, {"ldapscheme": "ldaps"}])
def test_a_server_that_never_answers_holds_up_nobody_who_asks_another(serve, slapd, more):
    """Though there are more who wait for it than may ask at a time."""
    with silence(free_address()) as deaf:
        host, port = deaf.getsockname()
        route = Route(database="shop2", authentication="clear_text", storage_user="bench", storage_db="postgres",
                      more={"ldap_endpoint_name": "good"})
        pooler = serve({**simple(slapd, **more), "ldapserver": host, "ldapport": port}, routes=[route],
                       more={"good": simple(slapd)}, workers=1)
        ended, began = [], time.monotonic()
        waiting = [threading.Thread(target=lambda: ended.append(attempt(pooler))) for _ in range(10)]
        for thread in waiting:
            thread.start()
        while time.monotonic() - began < PATIENCE / 2:
            asked = time.monotonic()
            assert attempt(pooler, database="shop2") == "in" and time.monotonic() - asked < 2
            assert not ended
        for thread in waiting:
            thread.join()
        assert ended == ["08006"] * 10 and 2 * PATIENCE * 0.9 < time.monotonic() - began < 3 * PATIENCE


def leave_while_asked(pooler, user="ann", until=lambda: True):
    """A client that goes when it has said its password."""
    with dial(pooler.address) as client:
        client.sendall(startup({"user": user, "database": "shop"}))
        assert client.recv(1000)[:1] == b"R"
        client.sendall(message(b"p", cstring(PASSWORD)))
        wait_until(until, "it may go")


def test_clients_that_leave_while_they_are_checked_take_no_place(serve, slapd):
    with silence(free_address()) as deaf:
        host, port = deaf.getsockname()
        pooler = serve({**simple(slapd), "ldapserver": host, "ldapport": port}, globals={"client_login_timeout": 60_000})
        # More than may wait: eight are asked about at a time, and a thousand stand behind them.
        for _ in range(1100):
            leave_while_asked(pooler)
        wait_until(lambda: not proc.connections_at(pooler.pid, pooler.address), "the clients' sockets are closed", timeout=PATIENCE / 2)
        assert "too many passwords" not in pooler.log()
        ended, began = [], time.monotonic()
        thread = threading.Thread(target=lambda: ended.append(attempt(pooler)))
        thread.start()
        thread.join()
        # Behind those that are asked about already, and nobody else.
        assert ended == ["08006"] and time.monotonic() - began < 3 * PATIENCE


def test_who_guesses_and_leaves_has_failed(serve):
    with Answers(49, delay=1) as answers:
        pooler = serve({"ldapserver": answers.address[0], "ldapport": answers.address[1], "ldapprefix": "uid="},
                       globals={"auth_failure_limit": 1, "auth_failure_period": 60_000})
        leave_while_asked(pooler, until=lambda: answers.asked == 1)
        wait_until(lambda: "too many failed logins from" in pooler.log(), "the failure is counted")
        assert attempt(pooler) == "28000" and answers.asked == 1


def test_the_time_for_a_login_ends_the_wait(serve, slapd):
    with silence(free_address()) as deaf:
        host, port = deaf.getsockname()
        pooler = serve({**simple(slapd), "ldapserver": host, "ldapport": port}, globals={"client_login_timeout": 1000})
        began = time.monotonic()
        with pytest.raises((ServerError, ConnectionLost)):
            pooler.connect(user="ann", database="shop", password=PASSWORD)
        assert 0.9 < time.monotonic() - began < PATIENCE * 0.8
        # What comes of it later is heard by nobody.
        time.sleep(PATIENCE)
    pooler.config.ldap_endpoints["e"] = simple(slapd)
    pooler.reload()
    assert attempt(pooler) == "in"


def test_the_next_server_of_the_list_is_asked(serve, slapd):
    gone = free_address()[0]
    pooler = serve(simple(slapd, ldapserver=f"{gone} {slapd.address[0]}"))
    assert attempt(pooler) == "in" and attempt(pooler, password="wrong") == "28P01"
    with silence((free_address()[0], slapd.address[1])) as deaf:
        pooler = serve(simple(slapd, ldapserver=f"{deaf.getsockname()[0]}  {slapd.address[0]}"))
        waits_once(pooler)


def waits_once(pooler):
    """The one that says nothing is waited for by the first client alone."""
    began = time.monotonic()
    assert attempt(pooler) == "in" and time.monotonic() - began > PATIENCE * 0.9
    for _ in range(3):
        began = time.monotonic()
        assert attempt(pooler) == "in" and attempt(pooler, password="wrong") == "28P01"
        assert time.monotonic() - began < PATIENCE / 2


def test_many_who_come_at_once_wait_once(serve, slapd):
    with silence((free_address()[0], slapd.address[1])) as deaf:
        name = deaf.getsockname()[0]
        # However often it is named.
        pooler = serve(simple(slapd, ldapserver=f"{name} {name} {name} {slapd.address[0]}"))
        for longest in (PATIENCE * 1.5, PATIENCE / 2):
            took = []

            def come():
                began = time.monotonic()
                assert attempt(pooler) == "in"
                took.append(time.monotonic() - began)

            threads = [threading.Thread(target=come) for _ in range(30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(took) == 30 and max(took) < longest
        says(pooler, "until it answers again others are asked first")


def test_a_server_that_answers_is_asked_in_its_turn_whatever_it_says(serve, slapd):
    """An answer about one user must not send the others to another server."""
    with Answers(51) as busy:
        pooler = serve({**simple(slapd), "ldapserver": f"{busy.address[0]} {slapd.address[0]}", "ldapport": busy.address[1]})
        assert attempt(pooler) == "08006" and attempt(pooler) == "08006" and busy.asked == 2
        assert "Server is busy; until it answers again" not in pooler.log()


def test_the_next_address_of_a_name_is_asked(serve, slapd, place):
    first, second = sorted([free_address()[0], slapd.address[0]])
    names = HostNames(place, {address: "directory.test" for address in (first, second)}, name="ldap-hosts")
    with silence((first if second == slapd.address[0] else second, slapd.address[1])):
        pooler = serve(simple(slapd, ldapserver="directory.test"), environment=names.environment)
        slow = 0
        for _ in range(4):
            began = time.monotonic()
            assert attempt(pooler) == "in"
            slow += time.monotonic() - began > PATIENCE / 2
        # The system says in which order they are asked.
        assert slow <= 1
        unknown = serve(simple(slapd, ldapserver=f"nowhere.test {slapd.address[0]}"), environment=names.environment)
        assert attempt(unknown) == "in" and attempt(unknown, password="wrong") == "28P01"
        says(unknown, "LDAP ldap://nowhere.test:.*address of nowhere.test.*until it answers again others are asked first")


def test_a_reload_changes_who_is_asked(serve, slapd):
    pooler = serve(simple(slapd))
    assert attempt(pooler) == "in" and attempt(pooler, user="boss", password=BOSS_PASSWORD) == "28P01"
    pooler.config.ldap_endpoints["e"] = simple(slapd, ldapsuffix=f",ou=admins,{PEOPLE}")
    assert any("ldapsuffix is" in line for line in pooler.reload())
    assert attempt(pooler) == "28P01" and attempt(pooler, user="boss", password=BOSS_PASSWORD) == "in"
    pooler.config.ldap_endpoints["e"] = search(slapd, ldapbinddn=READER, ldapbindpasswd="wrong")
    pooler.reload()
    assert attempt(pooler) == "08006"
    pooler.config.ldap_endpoints["e"] = search(slapd, ldapbinddn=READER, ldapbindpasswd=READER_PASSWORD)
    assert any("ldapbindpasswd changed" in line for line in pooler.reload())
    assert attempt(pooler) == "in"
    assert READER_PASSWORD not in pooler.log()


def test_lines_of_the_hba_file_say_who_is_asked(start, slapd, place):
    host, port = slapd.address
    path = os.path.join(place.directory("ldap-lines"), "hba")
    with open(path, "w") as file:
        file.write(
            f"host shop bob all password\n"
            f'host shop b@example.com all ldap ldapurl="ldap://{host}:{port}/{PEOPLE}?mail?one"\n'
            f'host shop boss all ldap ldapurl="ldap://{host}:{port}/{PEOPLE}?uid?one"\n'
            f'host shop eve all ldap ldapserver={host} ldapport={port} "ldapbasedn={BASE}" "ldapbinddn={READER}" '
            f'"ldapbindpasswd={READER_PASSWORD}" "ldapsearchfilter=(uid=$username)"\n'
            f'host shop,nowhere all all ldap ldapserver={host} ldapport={port} ldapprefix="uid=" ldapsuffix=",{PEOPLE}"\n')
    pooler = start(
        Route(database="shop", authentication="hba", password="another", storage_user="bench", storage_db="postgres"),
        globals={"hba_file": path})
    assert attempt(pooler) == "in" and attempt(pooler, password="another") == "28P01"
    assert attempt(pooler, user="bob", password="another") == "in" and attempt(pooler, user="bob") == "28P01"
    assert attempt(pooler, user="b@example.com") == "in" and attempt(pooler, user="eve") == "in"
    assert attempt(pooler, user="boss", password=BOSS_PASSWORD) == "28P01"
    assert attempt(pooler, password="") == "28P01"
    assert attempt(pooler, database="nowhere") == "3D000"
    assert attempt(pooler, database="nowhere", password="wrong") == "28P01"


def test_an_ini_file_has_servers_of_ldap_asked(slapd, place, postgres):
    directory = place.directory("ldap-ini")
    path, output = os.path.join(directory, "pgbouncer.ini"), os.path.join(directory, "output")
    host, port = free_address()
    options = (f'ldapserver={slapd.address[0]} ldapport={slapd.address[1]} ldapbasedn="{PEOPLE}" ldapbinddn="{READER}" '
               f'ldapbindpasswd="{READER_PASSWORD}"')
    with open(path, "w") as file:
        file.write(f"[databases]\nshop = host={postgres.address[0]} port={postgres.address[1]} dbname=postgres user=bench\n"
                   f"[pgbouncer]\nauth_type = ldap\nauth_ldap_options = {options}\nadmin_users = ann\n"
                   f"listen_addr = {host}\nlisten_port = {port}\nunix_socket_dir =\n")
    converted = subprocess.run([carom_binary(), "convert", path], capture_output=True, text=True, check=True).stdout
    assert 'ldap_endpoint_name "pgbouncer"' in converted and f'ldapbindpasswd "{READER_PASSWORD}"' in converted
    with open(output, "w") as sink:
        process = subprocess.Popen([carom_binary(), "serve", path], stdout=sink, stderr=sink)
    try:
        def code(password, database="shop"):
            try:
                Wire.open((host, port), user="ann", database=database, password=password).close()
                return "in"
            except ServerError as refusal:
                return refusal.code
            except OSError:
                return None
        wait_until(lambda: code(PASSWORD) is not None, "the pooler listens")
        assert code(PASSWORD) == "in" and code("wrong") == "28P01" and code("") == "28P01"
        with Wire.open((host, port), user="ann", database="pgbouncer", password=PASSWORD) as console:
            shown = {row[0]: row[1] for row in console.rows("show config")}
        assert shown["auth_ldap_options"] == "***" and shown["auth_type"] == "ldap"
    finally:
        process.terminate()
        process.wait(20)
    with open(output) as file:
        assert READER_PASSWORD not in file.read()


def test_the_console_shows_no_secret(serve, slapd):
    pooler = serve(search(slapd, ldapbinddn=READER, ldapbindpasswd=READER_PASSWORD), routes=[console()])
    with pooler.connect(user=OPERATOR, database="console", password=OPERATOR_PASSWORD) as wire:
        for table in ("config", "databases", "users"):
            assert READER_PASSWORD not in str(wire.rows(f"show {table}"))

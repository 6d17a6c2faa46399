# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""`carom upgrade`: a new process takes over, and clients do not notice."""

import dataclasses
import datetime
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from lib import tls
from lib.certificates import Authority
from lib.config import OPERATOR, OPERATOR_PASSWORD, Config, Route, console
from lib.pooler import carom_binary
from lib.upgrade import Busy, Idle, Upgradable
from lib.waiting import wait_until
from lib.wire import ConnectionLost, ServerError, Wire, error_fields, query, row_values, send_cancel, startup

pytestmark = pytest.mark.own
#: The long form has 1,000.
IDLE = int(os.environ.get("CAROM_UPGRADE_CLIENTS", "200"))
BUSY = 32


@pytest.fixture
def upgradable(place, postgres):
    """`upgradable(Route(...), workers=2)`: a pooler that can be taken over from; what is left of it and its successors is ended."""
    started = []

    def make(*routes, **options):
        config = Config(storage=postgres.address, routes=list(routes) or [Route(pool_size=16)], **options)
        started.append(Upgradable(place, config))
        return started[-1]

    def upgrade(before, **options):
        started.append(before.upgrade(**options))
        return started[-1]

    make.upgrade = upgrade
    yield make
    for pooler in started:
        pooler.child.kill()


def taken(pooler):
    """How many clients a process has taken over, by its log; nil as long as it does not say."""
    found = re.search(r"(\d+) clients came from it so far", pooler.child.text())
    return int(found[1]) if found else None


def shown(pooler):
    """What SHOW CLIENTS says of clients with a name: when each connected."""
    with pooler.connect(user=OPERATOR, database="console", password=OPERATOR_PASSWORD) as wire:
        messages = wire.exchange(query("show clients"))
    names = re.findall(rb"([a-z_]+)\0.{18}", next(body for kind, body in messages if kind == b"T")[2:], re.DOTALL)
    rows = [dict(zip(names, row_values(body))) for kind, body in messages if kind == b"D"]
    return {row[b"application_name"].decode(): datetime.datetime.fromisoformat(row[b"connect_time"].decode()[:19])
            for row in rows if row[b"application_name"]}


def sleeping(postgres):
    return int(postgres.value("select count(*) from pg_stat_activity where state = 'active' "
                              "and query like 'select pg_sleep%' and pid <> pg_backend_pid()"))


def lost_among(clients):
    """Those that are not what they were, or not there."""
    lost = []
    for client in clients:
        try:
            client.check()
        except (ConnectionLost, AssertionError, OSError):
            lost.append(client)
    return lost


def check_cancel(postgres, address, wire):
    wire.send(query("select pg_sleep(20)"))
    wait_until(lambda: sleeping(postgres) == 1, "the query runs")
    send_cancel(address, wire.key)
    with pytest.raises(ServerError) as refused:
        wire.result()
    assert refused.value.code == "57014"


def test_idle_and_busy_clients_notice_nothing(postgres, upgradable):
    old = upgradable(Route(pool_size=16), console(), workers=2)
    idle = [Idle(old, number) for number in range(IDLE)]
    busy = Busy(old, BUSY)
    wait_until(lambda: all(busy.done), "all busy clients have worked")
    connects, over = [], threading.Event()

    def connect():
        while not over.is_set():
            began = time.monotonic()
            Wire.open(old.address, user="bench", database="bench").close()
            connects.append(time.monotonic() - began)
    newcomers = threading.Thread(target=connect, daemon=True)
    newcomers.start()
    wait_until(lambda: len(connects) > 3, "clients come")
    known = {name: time for name, time in shown(old).items() if name.startswith(("idle", "busy"))}
    assert len(known) == IDLE + BUSY
    before = max(busy.stalls)
    busy.stalls = [0.0] * BUSY
    connects.clear()
    began = time.monotonic()
    new = upgradable.upgrade(old)
    assert old.ended() == 0, old.log()[-3000:]
    took = time.monotonic() - began
    done = list(busy.done)
    wait_until(lambda: all(now > then for now, then in zip(busy.done, done)), "all busy clients go on")
    over.set()
    newcomers.join(20)
    stall = max(busy.stalls)
    idle[0].check_unnamed()
    for client in idle:
        client.check()
    check_cancel(postgres, old.address, idle[-1].wire)
    busy.finish()
    assert not busy.errors
    now = shown(new)
    # Either is told in whole seconds.
    assert all(abs(now[name] - since).total_seconds() <= 1 for name, since in known.items()), "all are there, since the same time"
    assert taken(new) == IDLE + BUSY, new.child.text()[-2000:]
    print(f"\n{IDLE} idle and {BUSY} busy clients: old process gone after {took * 1000:.0f} ms; longest transaction "
          f"{stall * 1000:.0f} ms (before: {before * 1000:.0f} ms); longest of {len(connects)} connects {max(connects) * 1000:.0f} ms")
    assert stall < 5 and max(connects) < 5
    for client in idle:
        client.wire.close()
    busy.close()
    assert new.stop() == 0


def test_two_upgrades_in_a_row(postgres, upgradable):
    first = upgradable(workers=2)
    idle = [Idle(first, number) for number in range(20)]
    busy = Busy(first, 8)
    second = upgradable.upgrade(first)
    assert first.ended() == 0
    third = upgradable.upgrade(second)
    assert second.ended() == 0
    for client in idle:
        client.check()
    # And once more, with statements that no server of the third process has.
    fourth = upgradable.upgrade(third)
    assert third.ended() == 0
    idle[3].check()
    check_cancel(postgres, fourth.address, idle[3].wire)
    busy.finish()
    assert not busy.errors and all(busy.done)
    for client in idle:
        client.wire.close()
    busy.close()
    assert fourth.stop() == 0


def test_a_unix_socket_stays_where_it_is(place, postgres, upgradable):
    directory = place.directory("sockets")
    old = upgradable(unix_socket_dir=directory)
    client = Idle(old, 1, address=old.socket_path)
    new = upgradable.upgrade(old)
    assert old.ended() == 0
    client.check()
    with Wire.open(old.socket_path) as wire:
        assert wire.value("select 1") == "1"
    client.wire.close()
    assert new.stop() == 0
    assert not os.path.exists(old.socket_path), "the last process takes the file away"
    assert not os.path.exists(old.config.globals["upgrade_socket"])


def test_a_client_in_a_transaction_follows_when_that_is_over_and_can_be_cancelled_until_then(postgres, upgradable):
    old = upgradable()
    client = Idle(old, 1)
    client.wire.rows("begin")
    new = upgradable.upgrade(old)
    check_cancel(postgres, old.address, client.wire)
    time.sleep(0.3)
    assert old.child.running
    client.wire.rows("rollback")
    assert old.ended() == 0
    client.check()
    client.wire.close()
    assert new.stop() == 0


def test_half_a_message_goes_along(upgradable):
    old = upgradable()
    with old.connect() as wire:
        text = query("select 'both halves'")
        wire.send(text[:9])
        time.sleep(0.2)
        new = upgradable.upgrade(old)
        assert old.ended() == 0
        wire.send(text[9:])
        assert wire.result() == [["both halves"]]
    assert new.stop() == 0


def test_a_client_that_is_logging_in_finishes_that_and_follows(upgradable):
    old = upgradable()
    stream = socket.create_connection(old.address)
    # Part of a packet, for which the old process accepts it.
    packet = startup({"user": "bench", "database": "bench"})
    stream.sendall(packet[:5])
    with old.connect() as wire:
        wire.value("select 1")
    new = upgradable.upgrade(old)
    time.sleep(0.3)
    assert old.child.running
    client = Wire(stream, old.address)
    client.send(packet[5:])
    client.authenticate("bench", None)
    assert old.ended() == 0
    assert client.value("select 1") == "1"
    client.close()
    assert new.stop() == 0


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("upgrade-clients"))


def secured(pooler):
    wire = tls.secured(pooler.address)
    wire.send(startup({"user": "bench", "database": "bench"}))
    wire.authenticate("bench", None)
    return wire


@pytest.fixture
def with_tls(upgradable, authority):
    """A pooler whose clients may have TLS."""
    certificate = authority.issue("server", "127.0.0.1")
    return upgradable(listen={"tls": "allow", "tls_cert_file": certificate.cert, "tls_key_file": certificate.key}, workers=2)


def test_clients_with_tls_stay_and_go_on_until_they_leave(postgres, upgradable, with_tls):
    old = with_tls
    secure, plain = secured(old), Idle(old, 1)
    new = upgradable.upgrade(old)
    plain.check()
    assert secure.value("select 1") == "1"
    check_cancel(postgres, old.address, secure)
    assert old.child.running
    # A third process finds the client of the first, by way of the second.
    third = upgradable.upgrade(new)
    plain.check()
    check_cancel(postgres, old.address, secure)
    assert old.child.running and new.child.running
    secure.close()
    assert old.ended() == 0 and new.ended() == 0
    plain.check()
    plain.wire.close()
    assert third.stop() == 0


def test_upgrade_timeout_ends_those_who_stay(upgradable, with_tls):
    old = with_tls
    secure, plain = secured(old), Idle(old, 1)
    config = dataclasses.replace(old.config, globals={**old.config.globals, "upgrade_timeout": 1})
    new = upgradable.upgrade(old, config=config)
    assert secure.value("select 1") == "1"
    assert [error_fields(body)["C"] for _, body in secure.last_words()] == ["57P01"]
    assert old.ended() == 0
    plain.check()
    plain.wire.close()
    assert new.stop() == 0


def test_clients_of_session_pools_and_of_routes_that_are_gone_stay(upgradable):
    old = upgradable(Route(), Route(database="bench", pool="session"), Route(database="postgres", user="postgres"))
    held, gone = old.connect(user="bench", database="bench"), old.connect()
    plain = Idle(old, 1, database="template1")
    config = dataclasses.replace(old.config, routes=[Route(database="bench", pool="session"), Route(database="template1")])
    new = upgradable.upgrade(old, config=config)
    plain.check()
    assert held.value("select 1") == gone.value("select 1") == "1"
    wait_until(lambda: "is not found" in old.child.text(), "the old process says why")
    assert old.child.running
    gone.close()
    held.close()
    assert old.ended() == 0
    plain.wire.close()
    assert new.stop() == 0


def test_a_stop_of_the_new_process_stops_the_old_one(upgradable, with_tls):
    old = with_tls
    secure = secured(old)
    new = upgradable.upgrade(old)
    assert new.stop() == 0
    assert [error_fields(body)["C"] for _, body in secure.last_words()] == ["57P01"]
    assert old.ended() == 0
    with pytest.raises(OSError):
        socket.create_connection(old.address, 1)


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.02, 0.05, 0.2, 3.0])
def test_the_new_process_is_killed_in_the_middle(upgradable, moment):
    old = upgradable(workers=2)
    idle = [Idle(old, number) for number in range(60)]
    held = Idle(old, 1000)
    held.wire.rows("begin")
    new = upgradable.upgrade(old, wait=False)
    wait_until(lambda: "takes over from" in old.child.text() or not new.child.running, "the takeover begins", every=0.0005)
    time.sleep(moment)
    new.child.signal(signal.SIGKILL)
    new.child.process.wait(10)
    wait_until(lambda: "this one serves again" in old.child.text(), "the old process serves again")
    gone = int(re.search(r"(\d+) clients were served by the new process", old.child.text())[1])
    lost = lost_among(idle)
    print(f"\nkilled after {moment * 1000:g} ms: {gone} of 61 clients were served by the new process, {len(lost)} are lost")
    # Who has done nothing since is taken back, until it is certain that the new process goes on.
    assert len(lost) == (gone if moment > 2 else 0)
    held.wire.rows("commit")
    held.check()
    with old.connect() as wire:
        assert wire.value("select 1") == "1"
    # And it can be taken over from again.
    rest = [client for client in idle if client not in lost] + [held]
    newer = upgradable.upgrade(old)
    assert old.ended() == 0
    for client in rest:
        client.check()
        client.wire.close()
    assert newer.stop() == 0


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.05])
def test_the_old_process_is_killed_in_the_middle(upgradable, moment):
    old = upgradable(workers=2)
    idle = [Idle(old, number) for number in range(60)]
    new = upgradable.upgrade(old, wait=False)
    wait_until(lambda: "takes over from" in old.child.text(), "the takeover begins", every=0.0005)
    time.sleep(moment)
    old.child.signal(signal.SIGKILL)
    old.child.process.wait(10)
    wait_until(lambda: taken(new) is not None, "the new process knows")
    there, lost = taken(new), lost_among(idle)
    print(f"\nkilled after {moment * 1000:g} ms: {there} of 60 clients were with the new process, {len(lost)} are lost")
    assert len(lost) <= 60 - there
    with new.connect() as wire:
        assert wire.value("select 1") == "1"
    for client in idle:
        client.wire.abort()
    assert new.stop() == 0


def hand_over(path, *frames):
    """Says something to the socket of `path` and returns what comes back until the other side closes."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(10)
        stream.connect(path)
        stream.sendall(b"".join(frames))
        answer = b""
        try:
            while data := stream.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def hello(version):
    body = b"\1" + struct.pack("!I", 13) + b"carom-upgrade" + struct.pack("!H", version)
    return struct.pack("!I", len(body)) + body


@pytest.mark.parametrize("said, why", [
    (hello(999), b"speaks version 999 of the hand-over"), (query("select 1"), b"not the beginning of a hand-over"),
    (hello(1) + b"\0\0\0\1\xff", b"unknown message 0xff"), (hello(1) + hello(1), b"unexpected: hello"),
    (struct.pack("!I", 3) + b"\1\0\0", b"reaches beyond the end")])
def test_who_does_not_speak_the_same_is_refused_and_changes_nothing(upgradable, said, why):
    old = upgradable()
    client = Idle(old, 1)
    answer = hand_over(old.config.globals["upgrade_socket"], said)
    assert why in answer, answer
    client.check()
    with old.connect() as wire:
        assert wire.value("select 1") == "1"
    client.wire.close()
    assert old.stop() == 0


def test_a_new_process_that_hangs_before_it_begins_keeps_nobody_from_taking_over(upgradable):
    old = upgradable()
    client = Idle(old, 1)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.settimeout(20)
        hanging.connect(old.config.globals["upgrade_socket"])
        hanging.sendall(hello(1))
        assert hanging.recv(4096)
        new = upgradable.upgrade(old)
        said = b""
        while data := hanging.recv(4096):
            said += data
        assert b"another process came after it" in said, said
    assert old.ended() == 0
    client.check()
    client.wire.close()
    assert new.stop() == 0


def test_a_new_process_that_cannot_start_changes_nothing(upgradable, tmp_path):
    old = upgradable()
    client = Idle(old, 1)

    def upgrade(text):
        file = tmp_path / "carom.conf"
        file.write_text(text)
        return subprocess.run([carom_binary(), "upgrade", file], capture_output=True, text=True, timeout=30, cwd="/")
    text = old.config.for_carom(old.address)
    for wrong, why in [(text.replace("upgrade_socket", "pid_file"), "upgrade_socket is not set"),
                       (text.replace("workers 1", "workers 1\nnonsense 7"), "nonsense"),
                       (text.replace("workers 1", 'workers 1\npid_file "/nowhere/pid"'), "/nowhere/pid"),
                       (re.sub(r'upgrade_socket "[^"]*"', f'upgrade_socket "{tmp_path}/none"', text), "no pooler can be taken over from")]:
        done = upgrade(wrong)
        assert done.returncode == 1 and why in done.stderr, done
        client.check()
    with old.connect() as wire:
        assert wire.value("select 1") == "1"
    client.wire.close()
    assert old.stop() == 0


def test_pid_file_and_service_manager_follow(place, upgradable, tmp_path):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(20)
    pid_file = tmp_path / "pid"
    old = upgradable(globals={"pid_file": str(pid_file)})
    # The kernel takes connections for it a little earlier.
    wait_until(pid_file.exists, "it is written")
    assert pid_file.read_text() == f"{old.pid}\n"
    new = upgradable.upgrade(old, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert manager.recv(4096).decode().splitlines()[:2] == [f"MAINPID={new.pid}", "READY=1"]
    assert old.ended() == 0
    assert pid_file.read_text() == f"{new.pid}\n"
    assert new.stop() == 0
    assert not pid_file.exists()
    manager.close()

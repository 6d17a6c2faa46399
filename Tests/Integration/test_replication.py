# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Replication through the pooler: its tools get, byte for byte, what they get directly, and leave nothing behind.

CAROM_REPLICATION_MB is how much of WAL there is to receive.
"""

import filecmp
import os
import signal
import subprocess

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.load import environment
from lib.postgres import Postgres, binary
from lib.proc import descriptors
from lib.waiting import wait_until
from lib.wire import COPY_DONE, ConnectionLost, ServerError, copy_data, error_fields, query

pytestmark = pytest.mark.own

MEGABYTES = int(os.environ.get("CAROM_REPLICATION_MB", "20"))


@pytest.fixture(scope="module")
def source(place):
    server = Postgres.primary(place, "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\n", name="source")
    with server.connect() as admin:
        admin.rows("create role mirror login replication; create role nobody login")
        admin.rows("create table noted (number int, note text)")
    yield server
    server.stop()


@pytest.fixture
def front(start, source):
    def make(*routes, **options):
        return start(*(routes or [Route(pool_size=4, pool_timeout=10_000)]), console(), workers=2,
                     storage=source.address, **options)
    return make


def tool(address, name, *arguments, **options):
    """Starts one of PostgreSQL's programs."""
    variables = environment(address, user="mirror", database="postgres")
    del variables["PGDATABASE"]
    return subprocess.Popen([binary(name), *arguments], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, **options)


def done(process, seconds=120):
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    return output


def senders(source):
    return int(source.value("select count(*) from pg_stat_activity where backend_type = 'walsender'"))


def sessions(source):
    return int(source.value("select count(*) from pg_stat_activity where pid <> pg_backend_pid() "
                            "and backend_type in ('walsender', 'client backend')"))


def position(source):
    return source.value("select pg_current_wal_lsn()")


def write(source, megabytes):
    """So much WAL, to the end of a segment."""
    with source.connect() as wire:
        for _ in range(megabytes):
            wire.rows("select pg_logical_emit_message(false, 'filler', repeat(md5(random()::text), 32768))")
        wire.rows("select pg_switch_wal()")
        wire.rows("insert into noted values (0, 'behind')")
        return wire.value("select pg_current_wal_flush_lsn()")


def rows(pooler, command):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True, row_factory=psycopg.rows.dict_row) as operator:
        return operator.execute(command).fetchall()


def test_a_base_backup_is_that_of_the_server(front, source, tmp_path):
    pooler = front(Route(pool="statement", pool_size=2))
    source.rows("checkpoint")
    copies = {}
    for name, address in [("direct", source.address), ("pooled", pooler.address)]:
        copies[name] = str(tmp_path / name)
        done(tool(address, "pg_basebackup", "-D", copies[name], "-X", "stream", "-c", "fast", "--no-sync"))
    assert "backup successfully verified" in done(
        subprocess.Popen([binary("pg_verifybackup"), copies["pooled"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True))
    compared = 0
    for directory, _, files in os.walk(os.path.join(copies["direct"], "base")):
        there = os.path.join(copies["pooled"], os.path.relpath(directory, copies["direct"]))
        for file in files:
            assert filecmp.cmp(os.path.join(directory, file), os.path.join(there, file), shallow=False), file
        compared += len(files)
    assert compared > 500
    wait_until(lambda: senders(source) == 0, "nothing is left")


def test_wal_is_received_as_it_is_written(front, source, tmp_path):
    pooler = front(Route(pool="session", pool_size=2))
    receivers, began = [], position(source)
    for name, address in [("direct", source.address), ("pooled", pooler.address)]:
        (tmp_path / name).mkdir()
        receivers.append(tool(address, "pg_receivewal", "-D", str(tmp_path / name), "--no-loop", "--no-sync",
                              "--status-interval", "1"))
    wait_until(lambda: source.value("select count(*) from pg_stat_replication where state = 'streaming'") == "2", "both stream")
    assert source.value("select count(distinct application_name) from pg_stat_replication") == "1"
    end = write(source, MEGABYTES)
    wait_until(lambda: source.value(f"select bool_and(write_lsn >= '{end}') from pg_stat_replication") == "t", "both have all",
               timeout=120)
    for receiver in receivers:
        receiver.send_signal(signal.SIGINT)
        done(receiver)
    direct, pooled = [sorted(os.listdir(tmp_path / name)) for name in ("direct", "pooled")]
    assert direct == pooled and len(pooled) >= MEGABYTES // 16
    for file in pooled:
        assert filecmp.cmp(tmp_path / "direct" / file, tmp_path / "pooled" / file, shallow=False), file
    assert source.value(f"select pg_walfile_name('{began}')") <= pooled[0]
    wait_until(lambda: senders(source) == 0, "nothing is left")


def test_changes_are_decoded_as_they_are_made(front, source, tmp_path):
    pooler = front()
    files = {}
    for name, address in [("direct", source.address), ("pooled", pooler.address)]:
        done(tool(address, "pg_recvlogical", "-d", "postgres", "--slot", name, "--create-slot", "-P", "test_decoding"))
    with source.connect() as wire:
        wire.rows("set synchronous_commit = on")
        for number in range(200):
            wire.rows(f"insert into noted select n, repeat('x', {number}) from generate_series(1, 50) n")
    end = position(source)
    for name, address in [("direct", source.address), ("pooled", pooler.address)]:
        files[name] = tmp_path / name
        done(tool(address, "pg_recvlogical", "-d", "postgres", "--slot", name, "--start", "--endpos", end, "-f",
                  str(files[name]), "--no-loop"))
        done(tool(address, "pg_recvlogical", "-d", "postgres", "--slot", name, "--drop-slot"))
    assert files["pooled"].read_bytes() == files["direct"].read_bytes()
    assert files["pooled"].read_text().count("INSERT") == 10_000
    assert source.value("select count(*) from pg_replication_slots") == "0"
    wait_until(lambda: senders(source) == 0, "nothing is left")


def test_a_subscription_follows(front, source, postgres):
    """Its tables are copied by SQL over such connections."""
    host, port = front(Route(pool_size=6)).address
    source.rows("create table told (number int primary key); insert into told select generate_series(1, 1000)")
    source.rows("create publication news for table told")
    postgres.rows("create table told (number int primary key)")
    postgres.rows(f"create subscription news connection 'host={host} port={port} user=bench dbname=postgres' publication news")
    try:
        wait_until(lambda: postgres.value("select count(*) from told") == "1000", "it is copied", timeout=30)
        source.rows("insert into told values (1001)")
        wait_until(lambda: postgres.value("select count(*) from told") == "1001", "it is followed", timeout=30)
    finally:
        postgres.rows("drop subscription news")
        postgres.rows("drop table told")
    wait_until(lambda: senders(source) == 0, "nothing is left")
    assert source.value("select count(*) from pg_replication_slots") == "0"
    source.rows("drop publication news; drop table told")


def test_it_shows_and_counts_as_servers_of_its_route(front, source):
    pooler = front(Route(pool_size=2, pool_timeout=300))
    with pooler.connect("postgres", "mirror", replication="true", application_name="copy") as physical, \
            pooler.connect("postgres", "mirror", replication="database") as logical:
        assert physical.rows("IDENTIFY_SYSTEM")[0][3] is None and logical.rows("IDENTIFY_SYSTEM")[0][3] == "postgres"
        assert logical.value("select 1") == "1"
        assert physical.key[0] in [int(row[0]) for row in source.rows(
            "select pid from pg_stat_activity where backend_type = 'walsender' and application_name = 'copy'")]
        kinds = {"none", "physical", "logical"}
        assert {row["replication"] for row in rows(pooler, "SHOW CLIENTS")} == kinds
        assert sorted(row["replication"] for row in rows(pooler, "SHOW SERVERS")) == ["logical", "physical"]
        assert [row["application_name"] for row in rows(pooler, "SHOW CLIENTS") if row["replication"] == "physical"] == ["copy"]
        pool, = [row for row in rows(pooler, "SHOW POOLS") if row["database"] == "postgres"]
        assert (pool["cl_active"], pool["sv_active"]) == (2, 2)
        limit, = rows(pooler, "SHOW LIMITS")
        assert (limit["kind"], limit["max_servers"], limit["servers"]) == ("route", 2, 2)
        with pytest.raises(ServerError, match="all 2 that route") as refused:
            pooler.connect("postgres", "mirror").value("select 1")
        assert refused.value.code == "53300"
        with pytest.raises(ServerError) as refused:
            pooler.connect("postgres", "mirror", replication="database")
        assert refused.value.code == "53300" and sessions(source) == 2
    wait_until(lambda: senders(source) == 0, "nothing is left")
    with pooler.connect("postgres", "mirror") as ordinary:
        assert ordinary.value("select 1") == "1"
        # The idle server makes room.
        with pooler.connect("postgres", "mirror", replication="true"), \
                pooler.connect("postgres", "mirror", replication="true"):
            assert sessions(source) == 2


def test_what_the_server_refuses_is_told_as_it_says(front, source):
    pooler = front()
    with pytest.raises(ServerError) as direct:
        source.connect("postgres", "nobody", replication="true")
    with pytest.raises(ServerError) as pooled:
        pooler.connect("postgres", "nobody", replication="true")
    assert pooled.value.code == direct.value.code and pooled.value.fields["M"].endswith(direct.value.fields["M"])
    with pytest.raises(ServerError, match="work_mem"):
        pooler.connect("postgres", "mirror", replication="database", options="-c work_mem=much")
    with pooler.connect("postgres", "mirror", replication="database", options="-c work_mem=77kB", datestyle="german") as wire:
        assert wire.value("show work_mem") == "77kB"
        assert wire.parameters["DateStyle"] == "German, DMY"
        with pytest.raises(ServerError):
            wire.rows("START_REPLICATION SLOT nothing LOGICAL 0/0")
        assert wire.rows("IDENTIFY_SYSTEM")
    with pytest.raises(ServerError, match="3D000"):
        pooler.connect("console", "operator", password=OPERATOR_PASSWORD, replication="true")


def begin_nothing(wire, source):
    pass


def begin_asking(wire, source):
    wire.rows("IDENTIFY_SYSTEM")


def begin_streaming(wire, source):
    wire.send(query(f"START_REPLICATION PHYSICAL {position(source)}"))
    assert wire.receive()[0] == b"W"
    write(source, 1)


def begin_backup(wire, source):
    wire.send(query("BASE_BACKUP (LABEL 'x', CHECKPOINT 'fast')"))
    while wire.receive()[0] != b"d":
        pass


STAGES = [begin_nothing, begin_asking, begin_streaming, begin_backup]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_whoever_ends_it_nothing_is_left(front, source, stage):
    pooler = front(Route(pool_size=1))
    before = None
    for end in ("goodbye", "hang-up", "kill of the client", "kill of the server"):
        wire = pooler.connect("postgres", "mirror", replication="true", timeout=20)
        stage(wire, source)
        if end == "goodbye":
            wire.close()
        elif end == "hang-up":
            wire.abort()
        elif end == "kill of the client":
            client, = [row["id"] for row in rows(pooler, "SHOW CLIENTS") if row["replication"] == "physical"]
            host, port = pooler.address
            with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                                 autocommit=True) as operator:
                operator.execute(f"KILL_CLIENT {client}")
            wire.last_words()
        else:
            source.rows("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'")
            wire.last_words()
        wire.abort()
        wait_until(lambda: senders(source) == 0, f"after a {end} nothing is left at the server")
        wait_until(lambda: not rows(pooler, "SHOW SERVERS"), f"after a {end} nothing is left in the pooler")
        wait_until(lambda: len(rows(pooler, "SHOW CLIENTS")) == 1, f"after a {end} only the console is left")
        before = before or descriptors(pooler.pid)
        wait_until(lambda: descriptors(pooler.pid) <= before, f"after a {end} no descriptor is left")


def test_an_end_of_the_stream_is_agreed_on(front, source):
    """CopyDone both ways, and the session goes on."""
    pooler = front()
    with pooler.connect("postgres", "mirror", replication="true") as wire:
        for _ in range(2):
            wire.send(query(f"START_REPLICATION PHYSICAL {position(source)}"))
            assert wire.receive()[0] == b"W"
            wire.send(copy_data(b"r" + bytes(33)) + COPY_DONE)
            kinds = [kind for kind, _ in wire.until_ready()]
            assert kinds[-3:] == [b"c", b"C", b"Z"] or kinds[-4:] == [b"c", b"C", b"C", b"Z"], kinds
            assert wire.rows("IDENTIFY_SYSTEM")


def test_no_limit_of_time_ends_it(front, source):
    pooler = front(Route(pool_size=2, more={"query_timeout": 0.3, "client_idle_timeout": 0.3}))
    with pooler.connect("postgres", "mirror", replication="true") as wire:
        wire.send(query(f"START_REPLICATION PHYSICAL {position(source)}"))
        assert wire.receive()[0] == b"W"
        with pytest.raises(ServerError):
            pooler.connect("postgres", "mirror").rows("select pg_sleep(20)")
        write(source, 1)
        assert wire.receive()[0] == b"d"


def test_the_end_of_the_pooler_does_not_wait_for_a_stream(front, source):
    pooler = front()
    wire = pooler.connect("postgres", "mirror", replication="true")
    wire.send(query(f"START_REPLICATION PHYSICAL {position(source)}"))
    assert wire.receive()[0] == b"W"
    pooler.child.signal(signal.SIGTERM)
    kind, body = wire.last_words()[-1]
    assert kind == b"E" and error_fields(body)["C"] == "57P01"
    wire.abort()
    wait_until(lambda: not pooler.child.running, "it ends")
    wait_until(lambda: senders(source) == 0, "nothing is left")


def test_a_reload_leaves_it_alone_unless_its_route_goes(front, source):
    pooler = front(Route(pool_size=2))
    with pooler.connect("postgres", "mirror", replication="true") as wire:
        pooler.config.routes[0].pool_size = 3
        pooler.reload()
        assert wire.rows("IDENTIFY_SYSTEM")
        assert rows(pooler, "SHOW LIMITS")[0]["max_servers"] == 3
        pooler.config.routes[0].database = "elsewhere"
        pooler.reload()
        with pytest.raises((ServerError, ConnectionLost)):
            wire.rows("IDENTIFY_SYSTEM")
        wire.abort()
    wait_until(lambda: senders(source) == 0, "nothing is left")


def test_a_pause_waits_for_it_and_holds_up_the_next(front, source):
    pooler = front()
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True) as operator:
        wire = pooler.connect("postgres", "mirror", replication="true")
        wire.close()
        operator.execute("PAUSE postgres")
        assert senders(source) == 0
        process = tool(pooler.address, "pg_recvlogical", "-d", "postgres", "--slot", "paused", "--create-slot", "-P",
                       "test_decoding")
        wait_until(lambda: operator.execute("SHOW WAITERS").fetchall(), "it waits")
        operator.execute("RESUME postgres")
        done(process)
        source.rows("select pg_drop_replication_slot('paused')")


def test_a_standby_follows(front, source, place):
    pooler = front(Route(user="postgres", pool_size=3))
    standby = Postgres(place, "standby")
    host, port = pooler.address
    standby._run("pg_basebackup", "-h", host, "-p", str(port), "-U", "postgres", "-D", standby.data, "-R", "-X", "stream",
                 "-c", "fast", "--no-sync")
    standby.start()
    try:
        source.rows("create table followed (number int); insert into followed values (1)")
        wait_until(lambda: standby.value("select to_regclass('followed') is not null") == "t", "it follows", timeout=30)
        assert standby.value("select status from pg_stat_wal_receiver") == "streaming"
        source.rows("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'")
        source.rows("insert into followed values (2)")
        wait_until(lambda: standby.value("select count(*) from followed") == "2", "it comes back", timeout=30)
    finally:
        standby.stop()
    wait_until(lambda: senders(source) == 0, "nothing is left")

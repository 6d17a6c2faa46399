# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""An ini file of PgBouncer's in place of a configuration: served, read again, converted."""

import os
import subprocess
from dataclasses import dataclass

import psycopg
import pytest

from lib.config import Config
from lib.pooler import Pooler, carom_binary
from lib.postgres import PASSWORDS
from lib.waiting import wait_until
from lib.wire import ServerError, Wire

pytestmark = pytest.mark.own


@dataclass
class Ini(Config):
    """The text of an ini file, where {host}, {port} and {directory} stand for what is known later."""

    text: str = ""
    directory: str = ""
    extension: str = "ini"

    def for_carom(self, address):
        return self.text.format(host=address[0], port=address[1], directory=self.directory)


DATABASES = """
[databases]
; who is in the file logs in by it, the others by what the server knows
shop = host={pg_host} port={pg_port} dbname=postgres auth_user=bench
one = host={pg_host} port={pg_port} dbname=postgres user=bench pool_mode=transaction pool_size=1
* = host={pg_host} port={pg_port} auth_user=bench auth_dbname=shop
[users]
listed = pool_mode=statement
%include {{directory}}/main.ini
"""
MAIN = """[pgbouncer]
listen_addr = {host}
listen_port = 1
listen_port = {port}
unix_socket_dir =
auth_type = {auth_type}
auth_file = {directory}/users
auth_hba_file = {directory}/hba
admin_users = boss
default_pool_size = 2
pkt_buf = 4096
"""


@pytest.fixture
def pooler(place, postgres, request):
    """Of an `auth_type`."""
    directory = place.directory("ini")
    host, port = postgres.address
    files = {"users": '"bench" ""\n"listed" "sesame"\n"boss" "chief"\n', "hba": "host all all all scram-sha-256\n"}
    for name, text in files.items():
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
    config = Ini(text=DATABASES.format(pg_host=host, pg_port=port), directory=directory)

    def write_main(address):
        with open(os.path.join(directory, "main.ini"), "w") as file:
            file.write(MAIN.format(host=address[0], port=address[1], directory=directory, auth_type=request.param))
        return Ini.for_carom(config, address)
    config.for_carom = write_main
    pooler = Pooler(place, config, name=f"ini-{request.param}")
    yield pooler
    assert pooler.stop() == 0, pooler.log()


@pytest.mark.parametrize("pooler", ["scram-sha-256", "hba"], indirect=True)
def test_databases_users_and_secrets_are_as_the_file_says(pooler):
    def connect(database, user, password):
        return Wire.open(pooler.address, user=user, database=database, password=password)

    with connect("one", "listed", "sesame") as wire:
        assert wire.value("select current_user || current_database()") == "benchpostgres"
        with pytest.raises(ServerError, match="transaction"):
            wire.rows("begin")
    # Nobody has told the pooler this password, nor is there an entry for the second database.
    for database in ("shop", "bench"):
        with connect(database, "scram_user", PASSWORDS["scram_user"]) as wire:
            assert wire.value("select current_user") == "scram_user"
            assert wire.value("select current_database()") == ("postgres" if database == "shop" else "bench")
    for user, password in (("listed", "wrong"), ("scram_user", "wrong"), ("nobody_at_all", "x")):
        with pytest.raises(ServerError) as refusal:
            connect("shop", user, password)
        assert refusal.value.code == "28P01"
    with connect("one", "boss", "chief") as first, connect("one", "listed", "sesame") as second:
        # One server for both, as one user.
        first.rows("begin")
        second.send(b"Q" + (13).to_bytes(4, "big") + b"select 1\0")
        with connect("pgbouncer", "boss", "chief") as console:
            wait_until(lambda: waiting(console) == 1, "the second waits for the only server")
        first.rows("commit")
        second.until_ready()


def waiting(console):
    return sum(int(row[3]) for row in console.rows("show pools"))


@pytest.mark.parametrize("pooler", ["md5"], indirect=True)
def test_an_ini_file_is_read_again(pooler):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="boss", password="chief", dbname="pgbouncer", autocommit=True) as boss:
        def config():
            return {row[0]: row[1] for row in boss.execute("SHOW CONFIG").fetchall()}
        assert config()["max_client_conn"] == "100" and config()["server_idle_timeout"] == "600"
        boss.execute("SET max_client_conn = 50")
        assert config()["max_client_conn"] == "50"
        pooler.config.text += "max_client_conn = 70\npkt_bug = 1\n"
        assert any('unknown key "pkt_bug" in [pgbouncer]' in line for line in pooler.reload())
        assert config()["max_client_conn"] == "50"
        with pytest.raises(psycopg.errors.ConfigFileError, match="pkt_bug"):
            boss.execute("RELOAD")
        pooler.config.text = pooler.config.text.replace("pkt_bug = 1", "server_idle_timeout = 1.5")
        pooler.write()
        assert boss.execute("RELOAD").statusmessage == "RELOAD"
        assert config()["max_client_conn"] == "70" and config()["server_idle_timeout"] == "1.5"


@pytest.mark.parametrize("pooler", ["scram-sha-256"], indirect=True)
def test_keys_are_set_while_it_runs(pooler):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="boss", password="chief", dbname="pgbouncer", autocommit=True) as boss:
        def config():
            return {row[0]: row[1:] for row in boss.execute("SHOW CONFIG").fetchall()}

        def connect():
            return Wire.open(pooler.address, user="scram_user", database="shop", password=PASSWORDS["scram_user"])
        assert config()["pool_mode"] == ("session", "session", "yes") and "pkt_buf" not in config()
        assert config()["default_pool_size"] == ("2", "20", "yes") and config()["listen_backlog"][2] == "no"
        with connect() as wire:
            wire.rows("begin")
            wire.rows("commit")
        assert boss.execute("SET pool_mode = 'statement'").statusmessage == "SET"
        assert boss.execute("SET default_pool_size TO 0x5").statusmessage == "SET"
        assert config()["pool_mode"][0] == "statement" and config()["default_pool_size"][0] == "0x5"
        with connect() as wire, pytest.raises(ServerError, match="transaction"):
            wire.rows("begin")
        # What is in the file by now, and was not read again, is nobody's business.
        pooler.config.text += "max_client_conn = 70\n"
        pooler.write()
        boss.execute("SET log_query = yes")
        boss.execute("SET stats_users = 'somebody, else'")
        assert config()["max_client_conn"][0] == "100" and config()["pool_mode"][0] == "statement"
        assert config()["log_query"][0] == "yes" and config()["stats_users"][0] == "somebody, else"
        for text, error in (
                ("max_client_conn = many", psycopg.errors.InvalidParameterValue), ("client_max = 1", psycopg.errors.UndefinedObject),
                ("pidfile = '/tmp/x'", psycopg.errors.ObjectNotInPrerequisiteState), ("pkt_buf = 1", psycopg.errors.ObjectNotInPrerequisiteState),
                ("auth_file = '/nowhere/at/all'", psycopg.errors.ConfigFileError)):
            before = config()
            with pytest.raises(error) as refusal:
                boss.execute(f"SET {text}")
            assert config() == before
            if "many" in text:
                assert "expected" in str(refusal.value) and "'many'" in str(refusal.value).replace('"', "'")
        boss.execute("RELOAD")
        assert config()["pool_mode"][0] == "session" and config()["max_client_conn"][0] == "70"
        assert config()["log_query"][0] == "no" and config()["stats_users"][0] == ""
        with connect() as wire:
            wire.rows("begin")
            wire.rows("commit")


@pytest.mark.parametrize("pooler", ["scram-sha-256"], indirect=True)
def test_what_is_converted_says_the_same(pooler, tmp_path):
    converted = subprocess.run([carom_binary(), "convert", pooler.file], capture_output=True, text=True)
    assert converted.returncode == 0 and "'pkt_buf' has no effect" in converted.stderr
    again = tmp_path / "carom.conf"
    again.write_text(converted.stdout)
    same = subprocess.run([carom_binary(), "convert", again], capture_output=True, text=True)
    assert (same.returncode, same.stdout, same.stderr) == (0, converted.stdout, "")

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Users and their secrets in a file beside the configuration, as PgBouncer has it."""

import hashlib
import os

import pytest

from lib.config import Route
from lib.postgres import PASSWORDS
from lib.waiting import wait_until
from lib.wire import ServerError

pytestmark = pytest.mark.own


@pytest.fixture
def users(tmp_path):
    """`users(name=secret)` writes the file anew, as a whole; its path is `users.path`."""
    def write(text="", **secrets):
        lines = [f'"{name}" "{secret}"' for name, secret in secrets.items()]
        with open(write.path + ".new", "w") as file:
            file.write("; users\n" + "\n".join(lines) + text + "\n")
        os.rename(write.path + ".new", write.path)
    write.path = str(tmp_path / "users.txt")
    return write


def listed(users, method, **options):
    return Route(authentication=method, more={"auth_file": users.path}, storage_db="postgres", **options)


def refused(pooler, user, password):
    with pytest.raises(ServerError) as found:
        pooler.connect(user=user, password=password).close()
    return found.value


def secrets(postgres):
    hashed = "md5" + hashlib.md5(b"pencilhashed").hexdigest()
    verifier = postgres.value("select rolpassword from pg_authid where rolname = 'scram_user'")
    return {"plain": "pencil", 'quo""ted': 'a""b', "hashed": hashed, "verified": verifier, "empty": ""}


@pytest.mark.parametrize("method, let_in", [
    ("clear_text", {"plain", 'quo"ted', "hashed", "verified"}), ("md5", {"plain", 'quo"ted', "hashed"}),
    ("scram-sha-256", {"plain", 'quo"ted', "verified"})])
def test_every_form_of_secret_lets_in_where_it_can(start, postgres, users, method, let_in):
    users(**secrets(postgres))
    pooler = start(listed(users, method, storage_user="bench"))
    passwords = {"plain": "pencil", 'quo"ted': 'a"b', "hashed": "pencil", "verified": PASSWORDS["scram_user"], "empty": ""}
    for user, password in passwords.items():
        if user in let_in:
            with pooler.connect(user=user, password=password) as wire:
                assert wire.value("select current_user") == "bench"
        else:
            assert refused(pooler, user, password).code == "28P01"
        assert refused(pooler, user, password + "x").code == "28P01"
    assert refused(pooler, "stranger", "pencil").code == "28P01"
    wait_until(lambda: f'user "stranger" is not in {users.path}' in pooler.log(), "the log knows why")
    log = pooler.log()
    assert not any(secret in log for secret in ("pencil", 'a"b', PASSWORDS["scram_user"], secrets(postgres)["verified"]))


@pytest.mark.parametrize("server", ["clear_user", "md5_user", "scram_user"])
def test_the_file_says_how_to_log_in_to_servers(start, users, server):
    """As the client, or as `storage_user`."""
    users(**PASSWORDS, guest="welcome")
    pooler = start(listed(users, "scram-sha-256"), Route(
        database="postgres", user="guest", authentication="md5", more={"auth_file": users.path}, storage_user=server))
    for user, password in ((server, PASSWORDS[server]), ("guest", "welcome")):
        with pooler.connect(user=user, password=password) as wire:
            assert wire.value("select current_user") == server


@pytest.mark.parametrize("server", ["clear_user", "md5_user", "scram_user"])
def test_a_verifier_is_never_sent_as_a_password(start, postgres, users, server):
    verifier = secrets(postgres)["verified"]
    users(guest="welcome", **{server: verifier})
    pooler = start(listed(users, "md5", storage_user=server))
    error = refused(pooler, "guest", "welcome")
    assert error.code == "08006" and "only a SCRAM verifier is configured" in error.fields["D"]
    assert verifier not in pooler.log()


def test_a_change_holds_without_a_reload_and_a_broken_file_changes_nothing(start, users):
    users(guest="old")
    pooler = start(listed(users, "scram-sha-256", storage_user="bench"))
    with pooler.connect(user="guest", password="old") as first:
        users(guest="new", late="comer")
        wait_until(lambda: "read again" in pooler.log(), "the file is read again")
        assert refused(pooler, "guest", "old").code == "28P01"
        pooler.connect(user="guest", password="new").close()
        pooler.connect(user="late", password="comer").close()
        # Who is here stays.
        assert first.value("select 1") == "1"
    users('\n"late" comer', guest="newer")
    wait_until(lambda: f"auth_file: {users.path}:3: expected the secret in double quotes" in pooler.log(), "it is told")
    pooler.connect(user="guest", password="new").close()
    assert any(f"{users.path}:3" in line for line in pooler.reload())
    pooler.connect(user="guest", password="new").close()
    users(guest="newer")
    pooler.reload()
    pooler.connect(user="guest", password="newer").close()


def test_a_file_that_cannot_be_used_is_named_at_the_start(start, users):
    for prepare in (lambda: None, lambda: users('\n"a" "b', guest="x")):
        prepare()
        with pytest.raises(AssertionError) as failure:
            start(listed(users, "md5"))
        assert "auth_file" in str(failure.value) and users.path in str(failure.value)

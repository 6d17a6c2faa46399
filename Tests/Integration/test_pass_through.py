# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""SCRAM pass-through: a file of verifiers is all that the pooler needs, because a client's own keys open its servers."""

import pytest

from lib import proc
from lib.config import Route
from lib.postgres import PASSWORDS
from lib.waiting import wait_until
from lib.wire import ServerError

pytestmark = pytest.mark.own
USER = "scram_user"


def verifier(postgres, role=USER):
    return postgres.value(f"select rolpassword from pg_authid where rolname = '{role}'")


@pytest.fixture(params=["password", "auth_file"])
def known(request, postgres, tmp_path):
    """A route of `scram_user` that knows its verifier only, from either place."""
    def route(method="scram-sha-256", secret=None, **options):
        secret = secret or verifier(postgres)
        if request.param == "password":
            return Route(user=USER, authentication=method, password=secret, **options)
        path = tmp_path / "users.txt"
        path.write_text(f'"{USER}" "{secret}"\n')
        return Route(authentication=method, more={"auth_file": str(path), **options.pop("more", {})}, **options)
    return route


def refused(pooler, password=PASSWORDS[USER]):
    with pytest.raises(ServerError) as found:
        pooler.connect(user=USER, password=password).close()
    return found.value


@pytest.mark.parametrize("method", ["scram-sha-256", "clear_text"])
def test_a_client_opens_its_server_with_its_own_keys(start, postgres, known, method):
    pooler = start(known(method, pool="session"))
    # Before anybody has proved anything nobody gets a server.
    assert refused(pooler, "wrong").code == "28P01"
    with pooler.connect(user=USER, password=PASSWORDS[USER]) as one:
        assert one.value("select current_user") == USER
        # A second server, while the first is taken.
        with pooler.connect(user=USER, password=PASSWORDS[USER]) as two:
            assert two.value("select pg_backend_pid()") != one.value("select pg_backend_pid()")
    assert PASSWORDS[USER] not in pooler.log() and verifier(postgres) not in pooler.log()


def test_the_keys_open_servers_later_too(start, postgres, known):
    """The client is here; its server is lost."""
    pooler = start(known(pool_size=1))
    with pooler.connect(user=USER, password=PASSWORDS[USER]) as wire:
        first = wire.value("select pg_backend_pid()")
        postgres.value(f"select pg_terminate_backend({first})")
        wait_until(lambda: first not in str(postgres.backends(USER) if hasattr(postgres, "backends") else ""), "it is gone")

        def another():
            try:
                return wire.value("select pg_backend_pid()")
            except ServerError as error:
                assert error.code.startswith("57P") or error.code == "08006"
        assert wait_until(another, "there is another server") != first


def test_a_server_with_another_salt_is_not_shown_the_keys(start, postgres, known):
    other = verifier(postgres)
    with postgres.connect() as admin:
        # The same password, hashed anew.
        admin.rows("set password_encryption = 'scram-sha-256'")
        admin.rows(f"alter role {USER} password '{PASSWORDS[USER]}'")
    assert verifier(postgres) != other
    pooler = start(known(secret=other))
    error = refused(pooler)
    assert error.code == "08006" and "another salt or number of rounds" in error.fields["D"]


def test_a_verifier_without_a_client_of_its_name_opens_nothing(start, postgres, tmp_path):
    path = tmp_path / "users.txt"
    path.write_text(f'"guest" "welcome"\n"{USER}" "{verifier(postgres)}"\n')
    pooler = start(Route(authentication="scram-sha-256", storage_user=USER, more={"auth_file": str(path)}))
    with pytest.raises(ServerError) as found:
        pooler.connect(user="guest", password="welcome").close()
    assert found.value.code == "08006" and "only a SCRAM verifier is configured" in found.value.fields["D"]


def test_servers_are_not_opened_before_a_client_has_come(start, postgres, known):
    pooler = start(known(database="postgres", more={"min_pool_size": 2}))
    with pooler.connect(user=USER, password=PASSWORDS[USER]) as wire:
        assert wire.value("select 1") == "1"
    assert "only a SCRAM verifier" not in pooler.log()

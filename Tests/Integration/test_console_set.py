# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""SET: settings that are changed while the pooler runs."""

import psycopg
import pytest

from lib.config import OPERATOR_PASSWORD, Route, console
from lib.wire import ServerError

pytestmark = pytest.mark.own


@pytest.fixture
def pooler(start):
    return start(Route(), console(), workers=2)


@pytest.fixture
def operator(pooler):
    host, port = pooler.address
    with psycopg.connect(host=host, port=port, user="operator", password=OPERATOR_PASSWORD, dbname="console",
                         autocommit=True) as connection:
        yield connection


def config(operator):
    return {row[0]: (row[1], row[3]) for row in operator.execute("SHOW CONFIG").fetchall()}


def test_a_setting_takes_effect_at_once_until_the_file_is_read_again(pooler, operator):
    with pooler.connect() as client:
        # The operator and the client.
        assert operator.execute("SET client_max = 2").statusmessage == "SET"
        assert config(operator)["client_max"] == ("2", "yes") and config(operator)["max_client_conn"][0] == "2"
        with pytest.raises(ServerError, match="client_max is 2"):
            pooler.connect()
        assert client.value("select 1") == "1"
        operator.execute("SET max_client_conn TO 3")
        pooler.connect().close()
        operator.execute("SET log_query = yes")
        client.rows("select 'told of'")
        assert "select 'told of'" in pooler.log()
        operator.execute("RELOAD")
        assert config(operator)["client_max"][0] == "0" and config(operator)["log_query"][0] == "no"
        client.rows("select 'not told of'")
        assert "select 'not told of'" not in pooler.log()


def test_every_setting_that_is_changeable_can_be_set_to_what_it_is(operator):
    changed = 0
    for name, (value, changeable) in config(operator).items():
        if name == "unix_socket_dir" or value is None:
            continue
        if changeable == "yes":
            operator.execute(f"SET {name} = {value.replace(chr(34), chr(39))}")
            changed += 1
        else:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                operator.execute(f"SET {name} = {value.replace(chr(34), chr(39))}")
    assert changed > 10


@pytest.mark.parametrize(("text", "error"), [
    ("nothing = 1", psycopg.errors.UndefinedObject), ("client_max = many", psycopg.errors.InvalidParameterValue),
    ("client_max = -1", psycopg.errors.InvalidParameterValue), ("workers = 4", psycopg.errors.ObjectNotInPrerequisiteState),
    ("client_max", psycopg.errors.SyntaxError), ("client_max = 1 2", psycopg.errors.SyntaxError),
    ("pipeline = 1", psycopg.errors.UndefinedObject)])
def test_what_cannot_be_set_is_refused(operator, text, error):
    before = config(operator)
    with pytest.raises(error):
        operator.execute(f"SET {text}")
    assert config(operator) == before


def test_an_operator_that_takes_its_own_right_away_is_out(operator):
    with pytest.raises(psycopg.OperationalError):
        operator.execute("SET admin_users = 'somebody'")
        operator.execute("SHOW VERSION")

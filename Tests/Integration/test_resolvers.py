# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Servers that the DNS names come and go under load, and clients do not notice."""

import re
import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.rows import dict_row

from lib.config import OPERATOR, OPERATOR_PASSWORD, Route, console
from lib.load import environment
from lib.nameserver import SERVICE, ZONE, NameServer, server_records
from lib.postgres import Postgres, binary
from lib.waiting import wait_until
from lib.wire import ConnectionLost, error_fields, query

pytestmark = pytest.mark.own

TTL = 1
#: What is in the DNS holds as it says, and at once.
PROMPT = {"type": "dns", "srv": SERVICE, "ttl_min": TTL, "ttl_max": TTL, "ttl_negative": TTL, "spread": 0,
          "retry_min": 0.5, "retry_max": 0.5, "timeout_ms": 200, "removal_answers": 1, "removal_answers_most": 3,
          "removal_spacing": 0}


@pytest.fixture(scope="module")
def server(place):
    """One PostgreSQL at three addresses: three servers to a pooler."""
    server = Postgres.primary(place, name="three", addresses=3)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def everywhere(server):
    return [server.address, *server.more_addresses]


@pytest.fixture(scope="module")
def one_nameserver(place):
    server = NameServer(place)
    yield server
    server.stop()


@pytest.fixture
def nameserver(one_nameserver, everywhere):
    """With records of all three servers at the beginning."""
    if not one_nameserver.child.running:
        one_nameserver.start()
    one_nameserver.change(server_records(everywhere, TTL))
    return one_nameserver


@pytest.fixture
def found(start, nameserver):
    """Starts a pooler that finds its servers in the DNS."""
    def start_with(*routes, **options):
        resolver = {**PROMPT, **options, "nameserver": nameserver.text}
        return start(*routes, console(), storage={"resolver": "dns"}, resolvers={"dns": resolver}, workers=2)
    return start_with


def connections(address):
    """How many clients of a server there are, as the kernel has them."""
    host = "".join(f"{int(part):02X}" for part in reversed(address[0].split(".")))
    local = f"{host}:{address[1]:04X}"
    with open("/proc/net/tcp") as table:
        return sum(line.split()[1] == local and line.split()[3] == "01" for line in table)


def connect(pooler):
    """As the operator, to the console."""
    host, port = pooler.address
    return psycopg.connect(host=host, port=port, user=OPERATOR, password=OPERATOR_PASSWORD, dbname="console",
                           autocommit=True, row_factory=dict_row)


def text(address):
    return f"{address[0]}:{address[1]}"


def told(operator, address):
    """What SHOW RESOLVERS says of a server; none if it says nothing."""
    return next((row for row in operator.execute("SHOW RESOLVERS") if row["addr"] == text(address)), None)


def wait_until_settled(operator, servers):
    """All have their share, and nothing is held against any. On a machine with other work a login may be slow; then it is tried again
    after seconds."""
    wait_until(lambda: all(connections(server) == 2 and told(operator, server)["state"] == "online" for server in servers),
               "all are in use", timeout=40)


@pytest.fixture
def load(tmp_path):
    """`with load(pooler):` keeps clients asking while the body runs; that any of them gets an error fails."""
    script = tmp_path / "script"
    script.write_text("select 1\n")

    @contextmanager
    def asking(pooler, clients=16):
        with subprocess.Popen(
                [binary("pgbench"), "-n", "-c", str(clients), "-j", "2", "-T", "120", "-f", str(script)],
                env=environment(pooler.address), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                yield
            finally:
                ended = process.poll()
                process.terminate()
                said = process.communicate()[0]
        assert ended is None and "ERROR" not in said and "FATAL" not in said and "aborted" not in said, said
    return asking


def test_servers_leave_and_join_under_load(found, nameserver, everywhere, load):
    first, second, third = everywhere
    nameserver.change(server_records([first, second], TTL))
    pooler = found(Route(pool_size=8))
    with load(pooler), connect(pooler) as operator:
        wait_until(lambda: connections(first) >= 3 and connections(second) >= 3, "both have their share", timeout=40)
        nameserver.change(server_records([first, None, third], TTL))
        wait_until(lambda: connections(second) == 0, "nobody is left there", timeout=TTL + 2)
        wait_until(lambda: connections(third) >= 3 and told(operator, third)["state"] == "online", "the new one has its share",
                   timeout=40)
        row = told(operator, third)
        assert row["claims"] > 0 and row["source"].startswith(f"{SERVICE} SRV, db3"), row
        assert told(operator, second) is None
    assert re.search(rf'resolver "dns": new: db3.*{re.escape(text(third))}', pooler.log())
    assert re.search(rf'resolver "dns": gone: db2.*{re.escape(text(second))}', pooler.log())


#: What begins each, and the replies after which the pooler has taken one in: one question in a second is for the records of the
#: service, three for the addresses of its hosts.
TROUBLES = {
    "down": (lambda server: server.stop(), None),
    "SERVFAIL": (lambda server: server.refuse(), ("response-code[SERVFAIL]", 5)),
    "NXDOMAIN": (lambda server: server.change([]), ("response-code[NXDOMAIN]", 5)),
    "empty": (lambda server: server.change(['_pg._tcp TXT "x"']), ("reply-nodata[other]", 2)),
}


@pytest.mark.parametrize("kind", [*TROUBLES, "flapping"])
def test_trouble_with_the_dns_drops_no_connection(found, nameserver, everywhere, server, load, kind):
    pooler = found(Route(pool_size=6), removal_answers=4, removal_answers_most=6)
    with load(pooler), connect(pooler) as operator:
        wait_until_settled(operator, everywhere)
        before = wait_until(lambda: len(six := set(server.backends("bench"))) == 6 and six, "all six are logged in")
        if kind == "flapping":
            for _ in range(2):
                nameserver.change([])
                replies = nameserver.count("response-code[NXDOMAIN]")
                wait_until(lambda: nameserver.count("response-code[NXDOMAIN]") > replies, "there is no such name")
                nameserver.change(server_records(everywhere, TTL))
                replies = nameserver.count("response-code[NOERROR]")
                wait_until(lambda: nameserver.count("response-code[NOERROR]") > replies, "and there it is again")
        else:
            begin, replies = TROUBLES[kind]
            begin(nameserver)
            if replies:
                reply, wanted = replies[0], nameserver.count(replies[0]) + replies[1]
                wait_until(lambda: nameserver.count(reply) >= wanted, "it was said and heard")
            if kind in ("down", "SERVFAIL"):
                wait_until(lambda: told(operator, everywhere[0])["failures"] >= 2, "the failures are told")
                assert ZONE in told(operator, everywhere[0])["trouble"]
        assert all(told(operator, address)["state"] == "online" for address in everywhere)
        assert set(server.backends("bench")) == before


def test_a_session_may_keep_its_server_for_a_while(found, nameserver, everywhere):
    first, second, _ = everywhere
    nameserver.change(server_records([first], TTL))
    pooler = found(Route(user="postgres", pool="session", more={"server_drain_timeout": 1}),
                   Route(user="bench", pool="session"))
    with pooler.connect() as idle, pooler.connect() as busy, pooler.connect(user="bench") as keeper:
        backend = keeper.value("select pg_backend_pid()")
        assert idle.value("select 1") == "1"
        busy.rows("begin")
        nameserver.change(server_records([None, second], TTL))
        wait_until(lambda: connections(second) > 0 or pooler.connect().close(), "others go elsewhere")
        kind, body = idle.receive()
        assert kind == b"E" and error_fields(body)["C"] == "57P01"
        with pytest.raises(ConnectionLost):
            idle.receive()
        # A transaction is finished first.
        assert busy.value("select 7") == "7"
        busy.send(query("commit"))
        assert [kind for kind, _ in (busy.receive(), busy.receive())] == [b"C", b"Z"]
        kind, body = busy.receive()
        assert kind == b"E" and error_fields(body)["C"] == "57P01"
        assert keeper.value("select pg_backend_pid()") == backend


def test_an_operator_takes_a_server_out_and_in(found, nameserver, everywhere, load):
    pooler = found(Route(pool_size=6))
    first = everywhere[0]
    with load(pooler), connect(pooler) as operator:
        wait_until_settled(operator, everywhere)
        assert operator.execute(f"DRAIN '{text(first)}'").statusmessage == "DRAIN"
        wait_until(lambda: connections(first) == 0, "nobody is left there", timeout=2)
        assert told(operator, first)["state"] == "drained"
        assert operator.execute("RELOAD").statusmessage == "RELOAD"
        for command, code in ((f"DRAIN '{text(first)}'", "55000"), ("DRAIN nobody", "42704"),
                              ("UNDRAIN nobody", "55000"), ("DRAIN", "42601")):
            with pytest.raises(psycopg.Error) as refused:
                operator.execute(command)
            assert refused.value.sqlstate == code
        assert connections(first) == 0 and told(operator, first)["state"] == "drained"
        assert operator.execute(f"UNDRAIN '{text(first)}'").statusmessage == "UNDRAIN"
        wait_until(lambda: connections(first) == 2, "it has its share again", timeout=40)

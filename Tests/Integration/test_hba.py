# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Who may come from where: the lines of an hba_file mean to the pooler what they mean to PostgreSQL."""

import os
import pwd
import random
import re
import socket
import subprocess

import pytest

from lib import tls
from lib.certificates import Authority
from lib.config import Route
from lib.names import HostNames
from lib.places import free_address
from lib.pooler import carom_binary
from lib.postgres import Postgres
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, startup

pytestmark = pytest.mark.own
#: Lines that random files have in all; the long form is 10000.
LINES = int(os.environ.get("CAROM_HBA_LINES", "400"))
PASSWORD = "pencil"
USERS, DATABASES = ["ann", "bob", "all", "eve"], ["shop", "ann", "all", "sameuser", "crew"]
SOURCES = ["127.0.0.1", "127.0.0.2", "127.0.0.9", "127.1.0.1"]
#: What their hosts are called; the last has no name.
HOSTS = {"127.0.0.1": "localhost", "127.0.0.2": "app.example.com", "127.0.0.9": "Web.Example.com"}
#: Who is a member of what, one way or another: eve of ship by way of crew.
ROLES = ["create role crew", "create role ship", "create role shop", "grant crew to ann", "grant ship to crew",
         "create role deck noinherit", "grant crew to deck", "grant deck to eve", "grant shop to bob"]
#: What the server lets its administrator and the pooler in by, which no client is meant by.
ADMINISTRATOR = "host all,replication postgres 127.0.0.0/8 trust\n"


class Files:
    """The file of the pooler, and an include for both."""

    def __init__(self, place):
        self.directory = place.directory("access")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "hba")
        self.ident = os.path.join(self.directory, "ident")
        self.write("# to begin with\nlocal all all reject\n")
        with open(self.ident, "w") as file:
            file.write("")
        for name, text in {"people": "ann # and\nbob\n", "places": "shop, ann\n"}.items():
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(text)

    def write(self, text, path=None):
        with open(f"{path or self.path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path or self.path}.new", path or self.path)


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place.directory("hba-authority"))


@pytest.fixture(scope="module")
def files(place):
    return Files(place)


@pytest.fixture(scope="module")
def names(place):
    """What hosts are called, to the server and the pooler alike."""
    return HostNames(place, HOSTS)


@pytest.fixture(scope="module")
def peer(place, authority, names):
    """A PostgreSQL that judges by the same lines."""
    certificate = authority.issue("peer", "peer", ["127.0.0.1"])
    server = Postgres.primary(place, name="hba", environment=names.environment, settings=lambda made: (
        f"ssl = on\nssl_cert_file = '{made.data}/server.crt'\nssl_key_file = '{made.data}/server.key'\n"
        f"unix_socket_directories = '{made.data}'\n") if not place_key(certificate, made) else "")
    yield server
    server.stop()


def place_key(certificate, server):
    """The server reads its key itself, and nobody else may."""
    for source, name in ((certificate.cert, "server.crt"), (certificate.key, "server.key")):
        target = os.path.join(server.data, name)
        with open(source) as file, open(target, "w") as copy:
            copy.write(file.read())
        os.chmod(target, 0o600)
        if server.user:
            os.chown(target, *pwd.getpwnam("postgres")[2:4])


@pytest.fixture(scope="module")
def rulings(peer, files):
    """What the server judges by, with its own administrator let in by a line that nobody else is meant by."""
    with peer.connect() as admin:
        admin.rows("set password_encryption = 'scram-sha-256'")
        for user in USERS:
            admin.rows(f'create role "{user}" login replication password \'{PASSWORD}\'')
        for database in DATABASES:
            admin.rows(f'create database "{database}"')
        for statement in ROLES:
            admin.rows(statement)
    return peer


@pytest.fixture
def pooler(start, files, authority, rulings, names):
    host = free_address()[0]
    certificate = authority.issue(f"hba-{host}", "pooler", [host])
    return start(
        Route(authentication="hba", password=PASSWORD, storage_db="postgres", storage_user="postgres"),
        address=free_address(host), storage=rulings.address, environment=names.environment,
        globals={"hba_file": files.path, "ident_file": files.ident, "hba_role_query_db": "postgres",
                 "hba_role_query_user": "postgres"},
        listen={"tls": "allow", "tls_cert_file": certificate.cert, "tls_key_file": certificate.key,
                "tls_ca_file": authority.cert})


def attempt(address, source, user, database, password=PASSWORD, encrypted=False, certificate=None, **parameters):
    """`in`, or the SQLSTATE of the refusal."""
    stream = socket.socket()
    stream.settimeout(20)
    if source:
        stream.bind((source, 0))
    stream.connect(address)
    try:
        if encrypted:
            stream.sendall(tls.REQUEST)
            assert stream.recv(1) == b"S"
            stream = tls.context(certificate=certificate).wrap_socket(stream)
        wire = Wire(stream, address)
        wire.send(startup({"user": user, "database": database, **parameters}))
        wire.authenticate(user, password)
        return "in"
    except ServerError as refusal:
        return refusal.code
    finally:
        stream.close()


class Author:
    """Writes random lines."""

    DATABASES = ["all", "sameuser", "shop", "ann", '"all"', '"shop"', "shop,ann", "replication", "Shop", "@{0}/places",
                 '"sameuser",shop', "all,shop", "samerole", "samegroup,ann", '"samerole"']
    USERS = ["all", "ann", "bob", '"ann"', "ann,bob", '"all"', "@{0}/people", "Ann", "bob,all", "+crew", "+ship", "+shop",
             "+bob", '"+crew"', "+nobody", "bob,+deck", "+Crew"]
    ADDRESSES = ["all", "samehost", "samenet", "127.0.0.0/8", "127.0.0.1/32", "127.0.0.2/31", "0.0.0.0/0", "::/0",
                 "127.0.0.8 255.255.255.252", "127.1.0.0/16", "10.0.0.0/8", "127.0.0.9 255.0.0.255", "::1/128", "127.0.0.1/0",
                 "localhost", ".example.com", "app.example.com", "APP.example.COM", "example.com", ".host", '"web.example.com"',
                 "nowhere.example.com", ".com"]
    METHODS = ["trust", "trust", "reject", "reject", "scram-sha-256", "md5", "password"]
    #: In the place of a field, or behind the last.
    FAULTS = ["lokal", "10.0.0.0/33", "10.0.0.0/x", "1.2.3.4.5", "trust,reject", "map=x", "clientcert=verify-ca", "colour=red",
              "peer", "cert", "10.0.0.1", "", "kerberos", "clientcert=no", "::1/129", "255.255.255.0", "db.example/32",
              ".example.com", "+crew", "host.example", "a,b"]

    def __init__(self, seed, directory):
        self.random, self.directory = random.Random(seed), directory

    def fields(self):
        kind = self.random.choice(["host", "host", "hostssl", "hostnossl", "local"])
        found = [kind, self.random.choice(self.DATABASES), self.random.choice(self.USERS)]
        found += [] if kind == "local" else [self.random.choice(self.ADDRESSES)]
        return [field.format(self.directory) for field in found + [self.random.choice(self.METHODS)]]

    def line(self):
        text = self.random.choice([" ", "\t", "  "]).join(self.fields())
        return text + self.random.choice(["", "", " # and so on", "  ", "#x"])

    def faulty(self):
        """A line in which something may be wrong."""
        fields = self.fields()
        for _ in range(self.random.randint(0, 2)):
            place = self.random.randrange(len(fields) + 1)
            fields[place:place + self.random.randint(0, 1)] = [self.random.choice(self.FAULTS)]
        return " ".join(fields)


def compare(rulings, lines, tmp_path):
    """What PostgreSQL says of lines, in its view, and `carom check`; returns the numbers of those that are wrong."""
    rulings._write("pg_hba.conf", "\n".join(lines) + "\n")
    with rulings.connect() as admin:
        wrong = {int(row[0]): row[1] for row in admin.rows(
            "select line_number, error from pg_hba_file_rules where error is not null or type is null")}
    rulings._write("pg_hba.conf", ADMINISTRATOR)
    checked = tmp_path / "hba"
    checked.write_text("\n".join(lines) + "\n")
    config = tmp_path / "carom.conf"
    config.write_text(f'hba_file "{checked}"\nlisten {{ host "127.0.0.1" }}\n'
                      'hba_role_query_db "postgres"\nhba_role_query_user "postgres"\n'
                      'storage "s" { type "remote" host "127.0.0.1" }\n'
                      'database default { user default { authentication "none" storage "s" pool "session" } }\n')
    said = subprocess.run([carom_binary(), "check", str(config)], capture_output=True, text=True)
    found = {int(number): text for number, text in re.findall(r"hba:(\d+): (.*)", said.stdout + said.stderr)}
    differing = [(number, lines[number - 1], wrong.get(number), found.get(number))
                 for number in sorted(wrong.keys() ^ found.keys())]
    assert not differing, differing[:5]
    return wrong


def test_the_same_lines_are_wrong(rulings, files, tmp_path):
    author = Author(1, files.directory)
    lines = [author.faulty() for _ in range(max(LINES, 1000))]
    assert 100 < len(compare(rulings, lines, tmp_path)) < len(lines) - 100


#: Options of the method `ldap`, and what is wrong with some of them or with two at a time.
LDAP_OPTIONS = [
    "ldapserver=a", 'ldapserver="a b"', "ldapserver=", "ldapserver", "ldapport=389", "ldapport=0", "ldapport=x", "ldapport=3x",
    "ldapport=-1", "ldapport=70000", 'ldapport=" 7"', "ldapport=", "ldaptls=1", "ldaptls=0", "ldapscheme=ldap", "ldapscheme=ldaps",
    'ldapprefix="uid="', "ldapprefix=", 'ldapsuffix=",dc=x"', '"ldapsuffix=,dc=x"', "ldapbasedn=dc=x", 'ldapbasedn="dc=x,dc=y"',
    "ldapbasedn=dc=x,dc=y", "ldapbasedn=", "ldapbinddn=cn=x", "ldapbindpasswd=x", "ldapbindpasswd=x y", "ldapbindpasswd=x,y",
    "ldapbindpasswd=x#y", "ldapsearchattribute=mail", "ldapsearchfilter=(uid=$username)", "ldapscope=one", "pamservice=x",
    "map=x", "LDAPSERVER=a", "clientcert=verify-ca", "ldapurl=", "ldapurl=ldap"]
#: Pieces that a URL is put together of.
LDAP_URL = [["ldap://", "ldaps://", "LDAP://", "<ldap://", "URL:ldap://", "<url:ldap://", "ldapi://", "http://", "ldap:/", ""],
            ["h", "h", "", "[::1]", "[::1", "::1", "a%20b", "h%zz"],
            ["", "", ":389", ":", ":x", ":0", ":3x", ":%33", ": 3", ":1:2", ":70000"],
            ["", "/", "/dc=x", "/dc%3dx", "/dc=x,dc=y", "/dc%zz", "/a/b"],
            ["", "", "?", "?uid", "?uid,cn", "?%75id"],
            ["", "", "?", "?sub", "?SUB", "?one", "?base", "?onelevel", "?subtree", "?children", "?subord", "?s%75b", "?two", "?%00"],
            ["", "", "?", "?(uid=$username)", "?%28a=b", "?%00", "?%zz"],
            ["", "", "", "?", "?x", "?!x", "?x=1,!y", "?,", "?a?b"],
            ["", "", "", ">"]]


def test_the_same_lines_that_ask_ldap_are_wrong(rulings, tmp_path):
    draw, lines = random.Random(2), []
    for _ in range(max(LINES, 2000)):
        options = draw.sample(LDAP_OPTIONS, draw.choice([0, 1, 1, 2, 2, 3, 4]))
        if draw.random() < 0.5:
            url = "".join(draw.choice(pieces) for pieces in LDAP_URL)
            # Where the attributes are none, PostgreSQL 15 itself falls over.
            if not re.search(r"/[^/?]*\?(%00|%zz|,)", url.removeprefix("<")):
                options.insert(draw.randint(0, len(options)), f'ldapurl="{url}"')
        method = draw.choice(["ldap"] * 9 + ["md5"])
        lines.append(" ".join([draw.choice(["host all all all", "local all all"]), method, *options]))
    assert 100 < len(compare(rulings, lines, tmp_path)) < len(lines) - 100


@pytest.mark.parametrize("value", ["yes", "true", "on", "", "2", "01"])
def test_what_postgresql_takes_for_no_tls_in_silence_is_wrong_here(rulings, tmp_path, value):
    """Whoever writes `ldaptls=yes` wants no passwords to be sent in the clear."""
    # That it is wrong here alone.
    with pytest.raises(AssertionError, match=f'None, .*ldaptls="{value}"; allowed: "0", "1"'):
        compare(rulings, [f"host all all all ldap ldapbasedn=dc=x ldaptls={value}"], tmp_path)


def test_the_same_clients_are_let_in(rulings, files, pooler):
    """Random files, and random clients of each: by where they come from and what their host is called, by the roles that they have,
    under TLS or not, with the right password or not, for replication or not."""
    seed = random.randrange(1 << 32)
    author, counts = Author(seed, files.directory), {}
    for _ in range(max(1, LINES // 20)):
        lines = [author.line() for _ in range(20)]
        text = "\n".join(lines) + "\n"
        with rulings.connect() as admin:
            before = admin.value("select pg_conf_load_time()")
            rulings._write("pg_hba.conf", ADMINISTRATOR + text)
            admin.rows("select pg_reload_conf()")
        wait_until(lambda: rulings.value("select pg_conf_load_time()") != before, "it judges by the new lines")
        files.write(text)
        pooler.reload()
        for _ in range(20):
            client = (author.random.choice(SOURCES), author.random.choice(USERS), author.random.choice(DATABASES),
                      author.random.choice([PASSWORD, PASSWORD, "wrong"]), author.random.random() < 0.3)
            kind = {"replication": author.random.choice(["false", "false", "true", "database"])}
            direct, pooled = attempt(rulings.address, *client, **kind), attempt(pooler.address, *client, **kind)
            assert pooled == direct, f"seed {seed}: {client} {kind}: {pooled}, directly {direct}\n{text}"
            counts[direct] = counts.get(direct, 0) + 1
    assert {"in", "28000", "28P01"} <= counts.keys(), counts


def test_a_certificate_stands_for_a_user_by_its_map(rulings, files, pooler, authority):
    ann, shop = authority.issue("ann", "ann"), authority.issue("ann-shop", "ann@shop")
    text = "hostssl all ann all cert\nhostssl all bob all cert map=people\nhostssl all all all trust clientcert=verify-ca\n"
    files.write("people /^(.*)@shop$ bob\n", files.ident)
    files.write(text)
    pooler.reload()
    expected = {("ann", ann): "in", ("ann", shop): "28000", ("ann", None): "28000", ("bob", ann): "28000",
                ("bob", shop): "in", ("all", ann): "in", ("all", None): "28000"}
    for (user, certificate), result in expected.items():
        assert attempt(pooler.address, None, user, "shop", None, True, certificate) == result, (user, certificate)
    assert attempt(pooler.address, None, "ann", "shop") == "28000"


def test_a_user_of_the_machine_is_known_at_the_socket(start, files, place):
    me = pwd.getpwuid(os.geteuid()).pw_name
    files.write(f"people {me} bench\n", files.ident)
    files.write("local all bench peer map=people\nlocal all all peer\n")
    pooler = start(Route(authentication="hba", storage_user="bench"), unix_socket_dir=place.directory("hba-sockets"),
                   globals={"hba_file": files.path, "ident_file": files.ident})
    for user, result in (("bench", None), (me, None), ("ann", "28000")):
        try:
            Wire.open(pooler.socket_path, user=user).close()
            assert result is None
        except ServerError as refusal:
            assert refusal.code == result, refusal


def test_other_routes_ask_as_they_say_behind_the_lines(start, files):
    files.write("host all ann all reject\nhost all bob all trust\nhost all all all scram-sha-256\n")
    pooler = start(
        Route(authentication="clear_text", password=PASSWORD, storage_db="postgres", storage_user="bench"),
        Route(database="open", authentication="none", storage_db="postgres", storage_user="bench"),
        globals={"hba_file": files.path})
    expected = {("ann", "shop", PASSWORD): "28000", ("bob", "shop", "wrong"): "28P01", ("bob", "shop", PASSWORD): "in",
                ("bob", "open", None): "in", ("eve", "open", PASSWORD): "28000", ("eve", "shop", PASSWORD): "in"}
    for (user, database, password), result in expected.items():
        assert attempt(pooler.address, None, user, database, password) == result, (user, database)


def test_a_file_that_breaks_leaves_the_old_one(start, files):
    files.write("host all all all trust\n")
    pooler = start(Route(authentication="hba", storage_db="postgres", storage_user="bench"),
                   globals={"hba_file": files.path})
    assert attempt(pooler.address, None, "ann", "shop") == "in"
    files.write("host all all all reject\nhost all all nowhere/8 trust\n")
    wait_until(lambda: "hba:2: \"nowhere/8\" is no IP address" in pooler.log(), "the log names the line")
    # Nobody can be asked.
    files.write("host all all all reject\n\nhost all +crew all trust\n")
    wait_until(lambda: "hba:3: user \"+crew\": only servers know who is a member" in pooler.log(), "the log names the line")
    assert attempt(pooler.address, None, "ann", "shop") == "in"
    files.write("host all all all reject\n")
    wait_until(lambda: attempt(pooler.address, None, "ann", "shop") == "28000", "the new file counts, without a reload")

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A server of LDAP: slapd as Tests/run unpacks it, with entries of its own."""

import os
import socket
import subprocess
import threading
import time

from .places import free_address, reachable
from .pooler import ROOT
from .process import Child, command_as, unprivileged
from .waiting import wait_until

UNPACKED = os.path.join(ROOT, ".build", "directory")
BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
#: Who may look for entries.
READER, READER_PASSWORD = f"cn=reader,{BASE}", "a reader's secret"

CONFIGURATION = """
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb.so
{tls}
# As many servers are set up: whoever gives a name and no password is welcome, as nobody.
allow bind_anon_cred bind_anon_dn
database mdb
suffix "{base}"
directory {data}
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,{base}" by dn.exact="{reader}" read by * none
access to * by * read
"""
TLS = "TLSCACertificateFile {authority}\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}"


def person(name, password, where=PEOPLE, mail=None):
    """An entry, as LDIF."""
    escaped = name.replace("+", "\\+").replace(",", "\\,")
    lines = [f"dn: uid={escaped},{where}", "objectClass: inetOrgPerson", f"uid: {name}", f"cn: {name}", f"sn: {name}",
             f"mail: {mail or name + '@example.com'}"]
    return "\n".join(lines + ([f"userPassword: {password}"] if password else [])) + "\n\n"


def unit(name, where=BASE):
    return f"dn: ou={name},{where}\nobjectClass: organizationalUnit\nou: {name}\n\n"


class Directory:
    """A running slapd. `address` is in the open, `tls_address` encrypted from the start, if there is an authority."""

    def __init__(self, place, entries, authority=None, name=None):
        """`name` is what its certificate says, if that is not its address."""
        self.address = free_address()
        self.tls_address = free_address(self.address[0])
        self.programs = reachable(UNPACKED)
        libraries = [os.path.join(self.programs, path) for path in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")]
        self.environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        self.directory = place.directory(f"slapd-{self.address[0]}-{self.address[1]}")
        data = os.path.join(self.directory, "data")
        user = unprivileged()
        os.mkdir(data)
        os.chown(data, user.pw_uid, user.pw_gid)
        tls, uris = "", [f"ldap://{self.address[0]}:{self.address[1]}/"]
        if authority:
            issued = authority.issue(f"slapd-{self.address[1]}", "slapd", [name or self.address[0]]).copied_for(user, self.directory)
            tls = TLS.format(authority=self._copied(authority.cert), cert=issued.cert, key=issued.key)
            uris += [f"ldaps://{self.tls_address[0]}:{self.tls_address[1]}/"]
        self.file = self._write("slapd.conf", CONFIGURATION.format(
            root=self.programs, base=BASE, data=data, reader=READER, tls=tls))
        top = (f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n"
               f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
               f"userPassword: {READER_PASSWORD}\n\n")
        self._run("slapadd", "-f", self.file, "-l", self._write("entries", top + "".join(entries)))
        program = os.path.join(self.programs, "usr/sbin/slapd")
        # At this level it tells of each request.
        self.child = Child([program, "-f", self.file, "-h", " ".join(uris), "-d", "256"],
                           os.path.join(self.directory, "output"), user=user, env=self.environment)
        wait_until(self._accepts, "slapd listens", timeout=20)

    def _accepts(self):
        assert self.child.running, self.child.text()
        try:
            socket.create_connection(self.address, 1).close()
            return True
        except OSError:
            return False

    def _copied(self, path):
        with open(path) as file:
            return self._write("authority.crt", file.read())

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def _run(self, program, *arguments):
        slapd = os.path.join(self.programs, "usr/sbin/slapd")
        command = command_as(unprivileged(), [slapd, "-T", program.removeprefix("slap"), *arguments])
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def is_bound_as(self, name, password):
        """What a client of LDAP itself gets to know: who it is after it has bound."""
        host, port = self.address
        done = subprocess.run([os.path.join(self.programs, "usr/bin/ldapwhoami"), "-x", "-H", f"ldap://{host}:{port}", "-D", name,
                               "-w", password], env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def binds(self):
        """The names that somebody has wanted to bind as, in their order."""
        return [line.split('dn="')[1].split('"')[0] for line in self.child.text().splitlines()
                if " BIND dn=" in line and "method=128" in line]

    def searches(self):
        return [line.split('filter="')[1].rstrip('"') for line in self.child.text().splitlines() if " SRCH base=" in line]

    def stop(self):
        self.child.stop()


class Answers:
    """A server that says the same to everybody who binds: a result code, in a message of a type, after a time. Used in a `with`."""

    BIND, SEARCH_DONE = 0x61, 0x65

    def __init__(self, code, kind=BIND, delay=0):
        self.answer = bytes([kind, 7, 0x0A, 1, code, 4, 0, 4, 0])
        self.delay = delay
        self.asked = 0

    def __enter__(self):
        self._server = socket.create_server(free_address())
        self.address = self._server.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Whoever waits in accept() is woken by that.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            while request := client.recv(1 << 16):
                # Behind the length of all comes the message's number, a byte of it as long as there are few.
                start = 2 + (request[1] & 0x7F if request[1] & 0x80 else 0)
                if request[start + 3] == 0x42:
                    return
                self.asked += 1
                time.sleep(self.delay)
                body = request[start:start + 3] + self.answer
                try:
                    client.sendall(bytes([0x30, len(body)]) + body)
                except OSError:
                    return

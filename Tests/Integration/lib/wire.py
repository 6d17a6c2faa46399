# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A client that speaks the frontend/backend protocol byte by byte and can break every rule of it."""

import hashlib
import socket
import struct

from . import scram

PROTOCOL_3_0 = 196608
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class ServerError(Exception):
    """An ErrorResponse; `code` is its SQLSTATE, `fields` all of it."""

    def __init__(self, fields):
        self.fields = fields
        self.code = fields.get("C")
        super().__init__(f"{fields.get('S')} {self.code}: {fields.get('M')}")


class ConnectionLost(Exception):
    """The other side closed the connection."""


def message(kind, body=b""):
    """One frame: type byte (empty for the startup family), length, body."""
    return kind + struct.pack("!I", len(body) + 4) + body


def cstring(text):
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def startup(parameters, version=PROTOCOL_3_0):
    body = struct.pack("!I", version)
    for key, value in parameters.items():
        body += cstring(key) + cstring(value)
    return message(b"", body + b"\0")


def query(sql):
    return message(b"Q", cstring(sql))


def parse(name, sql, types=()):
    return message(b"P", cstring(name) + cstring(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(portal, statement, values=()):
    body = cstring(portal) + cstring(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"B", body + struct.pack("!H", 0))


def describe(kind, name):
    return message(b"D", kind + cstring(name))


def execute(portal="", limit=0):
    return message(b"E", cstring(portal) + struct.pack("!I", limit))


def close(kind, name):
    return message(b"C", kind + cstring(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")
COPY_DONE = message(b"c")


def copy_data(data):
    return message(b"d", data)


def copy_fail(reason):
    return message(b"f", cstring(reason))


def error_fields(body):
    """The fields of an ErrorResponse or NoticeResponse by their letter."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def row_values(body):
    """The columns of a DataRow; None for NULL."""
    count, at, values = struct.unpack_from("!H", body)[0], 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size])
        at += max(size, 0)
    return values


def dial(address, timeout=20, source=None):
    """A socket to (host, port), from `source` if that matters, or to a path when `address` is a string."""
    if isinstance(address, str):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(timeout)
        stream.connect(address)
        return stream
    stream = socket.create_connection(address, timeout, source_address=source and (source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def send_cancel(address, key, source=None):
    """Sends a CancelRequest for (process id, secret) and waits for the other side to close; returns what it sent."""
    with dial(address, source=source) as stream:
        stream.sendall(message(b"", struct.pack("!III", CANCEL_REQUEST, *key)))
        try:
            return stream.recv(100)
        except ConnectionResetError:
            return b""


class Wire:
    """A connection. Made by `Wire.open`, or from a bare socket for tests that misbehave from the first byte."""

    def __init__(self, stream, address=None):
        self.stream = stream
        self.address = address
        self.buffer = bytearray()
        self.parameters = {}
        self.key = None
        self.notices = []

    @classmethod
    def open(cls, address, user="postgres", database="postgres", password=None, timeout=20, source=None, **parameters):
        """Connects and logs in; raises ServerError when refused."""
        wire = cls(dial(address, timeout, source), address)
        try:
            wire.send(startup({"user": user, "database": database, **parameters}))
            wire.authenticate(user, password)
        except BaseException:
            wire.abort()
            raise
        return wire

    def send(self, data):
        try:
            self.stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # What the other side said before it closed is still readable and tells more than EPIPE.
            pass

    def receive(self):
        """The next message as (type, body)."""
        header = self.take(5)
        return header[:1], self.take(struct.unpack("!I", header[1:])[0] - 4)

    def take(self, size):
        while len(self.buffer) < size:
            try:
                data = self.stream.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise ConnectionLost(f"closed by the other side; unread: {bytes(self.buffer)!r}")
            self.buffer += data
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def authenticate(self, user, password):
        exchange = None
        while True:
            kind, body = self.receive()
            if kind == b"R":
                method = struct.unpack_from("!I", body)[0]
                if method == 3:
                    self.send(message(b"p", cstring(password)))
                elif method == 5:
                    inner = hashlib.md5((password + user).encode()).hexdigest()
                    outer = hashlib.md5(inner.encode() + body[4:8]).hexdigest()
                    self.send(message(b"p", cstring("md5" + outer)))
                elif method == 10:
                    exchange = scram.Client(password)
                    first = exchange.first()
                    self.send(message(
                        b"p", cstring("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
                elif method == 11:
                    self.send(message(b"p", exchange.final(body[4:])))
                elif method == 12:
                    exchange.verify(body[4:])
                elif method != 0:
                    raise ConnectionLost(f"authentication method {method} is unknown to this client")
            elif kind == b"Z":
                return
            else:
                self._note(kind, body)
                if kind == b"E":
                    raise ServerError(error_fields(body))

    def _note(self, kind, body):
        if kind == b"S":
            name, value, _ = body.split(b"\0")
            self.parameters[name.decode()] = value.decode()
        elif kind == b"K":
            # A secret of four bytes is a number; since protocol 3.2 there are longer ones, which stay bytes.
            number, secret = struct.unpack_from("!I", body)[0], body[4:]
            self.key = number, struct.unpack("!I", secret)[0] if len(secret) == 4 else secret
        elif kind == b"N":
            self.notices.append(error_fields(body))

    def until_ready(self, count=1):
        """All messages up to and including the `count`-th ReadyForQuery."""
        messages = []
        while count:
            kind, body = self.receive()
            self._note(kind, body)
            messages.append((kind, body))
            count -= kind == b"Z"
        return messages

    def exchange(self, data, ready=1):
        """Sends and returns everything up to the last expected ReadyForQuery."""
        self.send(data)
        return self.until_ready(ready)

    def rows(self, sql):
        """A simple query's rows as lists of text; raises ServerError."""
        self.send(query(sql))
        return self.result()

    def result(self):
        """The rows up to ReadyForQuery; an error is raised when ReadyForQuery or the end follows it."""
        found, failure = [], None
        while True:
            try:
                kind, body = self.receive()
            except ConnectionLost as lost:
                raise failure or lost from None
            self._note(kind, body)
            if kind == b"D":
                found.append([None if v is None else v.decode() for v in row_values(body)])
            elif kind == b"E":
                failure = failure or ServerError(error_fields(body))
            elif kind == b"Z":
                if failure:
                    raise failure
                return found

    def value(self, sql):
        return self.rows(sql)[0][0]

    def last_words(self):
        """Everything until the other side closes, as messages; a frame cut short is dropped."""
        messages = []
        try:
            while True:
                messages.append(self.receive())
        except ConnectionLost:
            return messages

    def abort(self):
        """Drops the connection without a word."""
        self.stream.close()

    def close(self):
        """Says Terminate and closes."""
        try:
            self.send(TERMINATE)
        except OSError:
            pass
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

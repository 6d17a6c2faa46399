# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A server that plays a script instead of being PostgreSQL, to see what a pooler does with a hostile or dying one."""

import socket
import struct
import threading

from .places import free_address
from .wire import ConnectionLost, Wire, cstring, message

AUTHENTICATION_OK = message(b"R", struct.pack("!I", 0))
READY = message(b"Z", b"I")
KEY = message(b"K", struct.pack("!II", 4242, 424242))
PARAMETERS = b"".join(message(b"S", cstring(name) + cstring(value)) for name, value in {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "TimeZone": "UTC", "integer_datetimes": "on", "standard_conforming_strings": "on", "application_name": "",
    "is_superuser": "off", "session_authorization": "fake", "IntervalStyle": "postgres"}.items())
GREETING = AUTHENTICATION_OK + PARAMETERS + KEY + READY


def answer(value, tag="SELECT 1"):
    """The reply to a simple query with one text column."""
    column = cstring("value") + struct.pack("!IHIhIH", 0, 0, 25, -1, 0xFFFFFFFF, 0)
    return (message(b"T", struct.pack("!H", 1) + column)
            + message(b"D", struct.pack("!Hi", 1, len(value)) + value)
            + message(b"C", cstring(tag)) + READY)


def error(fields):
    return message(b"E", fields)


class FakeServer:
    """Serves each connection with `login(wire)` and then `reply(sql)` for each simple query, on threads of its own.

    `login` sends what it likes after the startup packet. `reply` returns bytes, or None to close, or a list of
    bytes to close behind them. `on_cancel` keeps a CancelRequest's connection open until it returns. As long as
    `thawed` is not set it reads and says nothing.
    """

    def __init__(self, reply=None, greeting=GREETING, login=None, on_cancel=None, host=None):
        self.reply = reply or (lambda sql: answer(b"fine"))
        self.greeting, self.login, self.on_cancel = greeting, login, on_cancel
        self.address = free_address(host)
        self.connections = self.cancels = 0
        self.thawed = threading.Event()
        self.thawed.set()
        self.listener = socket.create_server(self.address, backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        wire = Wire(stream)
        try:
            while True:
                (length,) = struct.unpack("!I", wire.take(4))
                code = struct.unpack("!I", wire.take(length - 4)[:4])[0]
                if code == 196608:
                    break
                if code == 80877102:
                    self.cancels += 1
                    if self.on_cancel:
                        self.on_cancel()
                    return
                self.thawed.wait()
                stream.sendall(b"N")
            self.thawed.wait()
            if self.login:
                self.login(wire)
            else:
                stream.sendall(self.greeting)
            while True:
                kind, body = wire.receive()
                if kind == b"X":
                    return
                if kind == b"Q":
                    self.thawed.wait()
                    reply = self.reply(body.rstrip(b"\0").decode())
                    if reply is None:
                        return
                    if isinstance(reply, list):
                        stream.sendall(b"".join(reply))
                        return
                    stream.sendall(reply)
        except (OSError, ConnectionLost, struct.error):
            pass
        finally:
            stream.close()

    def close(self):
        self.listener.close()
        self.thawed.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

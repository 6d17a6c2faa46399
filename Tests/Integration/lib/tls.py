# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""TLS by hand: a raw client of Python's ssl module, in one piece or in as many as a test wants."""

import socket
import ssl
import struct
import threading

from .places import free_address
from .wire import CANCEL_REQUEST, SSL_REQUEST, Wire, dial, message

REQUEST = message(b"", struct.pack("!I", SSL_REQUEST))


def context(authority=None, certificate=None, alpn="postgresql", **options):
    """A client's settings: it checks the server only if it has an authority to do so by."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if authority:
        made.load_verify_locations(authority.cert)
        made.verify_mode = ssl.CERT_REQUIRED
    if certificate:
        made.load_cert_chain(certificate.cert, certificate.key)
    if alpn:
        made.set_alpn_protocols([alpn])
    for name, value in options.items():
        setattr(made, name, value)
    return made


def ask(address, timeout=20):
    """A socket whose request for TLS was sent, and the answer to it."""
    stream = dial(address, timeout)
    stream.sendall(REQUEST)
    return stream, stream.recv(1)


def secured(address, settings=None, direct=False, session=None, timeout=20):
    """A Wire over TLS, before its startup packet."""
    if direct:
        stream = dial(address, timeout)
    else:
        stream, answer = ask(address, timeout)
        assert answer == b"S", answer
    try:
        return Wire((settings or context()).wrap_socket(stream, session=session), address)
    except BaseException:
        stream.close()
        raise


def client_hello(settings=None):
    """The first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = (settings or context()).wrap_bio(incoming, outgoing)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without an answer was done")


def closed(stream, within=10):
    """Whatever comes until the other side closes; fails if it does not."""
    stream.settimeout(within)
    told = b""
    try:
        while data := stream.recv(65536):
            told += data
    except (ConnectionResetError, ssl.SSLError):
        pass
    except socket.timeout:
        raise AssertionError(f"not closed within {within} s; it said {told!r}") from None
    return told


def server_context(certificate):
    """A server's settings."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate.cert, certificate.key)
    return made


class Intruder:
    """A man in the middle with a certificate of his own: he ends TLS, looks, and goes on in TLS of his own."""

    def __init__(self, certificate, target):
        self.target = target
        self.settings = server_context(certificate)
        self.settings.sni_callback = lambda _, name, __: self.names.append(name)
        #: What clients called the server, and the first packet of each connection's inside.
        self.names, self.first = [], []
        self.address = free_address()
        self.listener = socket.create_server(self.address, backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def cancels(self):
        return sum(packet[4:8] == struct.pack("!I", CANCEL_REQUEST) for packet in self.first)

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            if stream.recv(8) != REQUEST:
                return stream.close()
            stream.sendall(b"S")
            near = self.settings.wrap_socket(stream, server_side=True)
            packet = near.recv(65536)
            self.first.append(packet)
            far = secured(self.target).stream
            far.sendall(packet)
            back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
            back.start()
            self._pass(near, far)
            back.join()
        except OSError:
            stream.close()

    @staticmethod
    def _pass(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

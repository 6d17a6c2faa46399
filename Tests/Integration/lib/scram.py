# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""SCRAM-SHA-256 without channel binding, client side (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import os


def _hmac(key, data):
    return hmac.digest(key, data, "sha256")


class Client:
    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18))
        self.bare = b"n=,r=" + self.nonce

    def first(self):
        return b"n,," + self.bare

    def final(self, server_first):
        parts = dict(part.split(b"=", 1) for part in server_first.split(b","))
        assert parts[b"r"].startswith(self.nonce), "the server's nonce does not extend ours"
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        without_proof = b"c=biws,r=" + parts[b"r"]
        transcript = b",".join([self.bare, server_first, without_proof])
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), transcript)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = _hmac(_hmac(salted, b"Server Key"), transcript)
        return without_proof + b",p=" + base64.b64encode(proof)

    def verify(self, server_final):
        assert server_final == b"v=" + base64.b64encode(self.expected), "the server does not know the password"

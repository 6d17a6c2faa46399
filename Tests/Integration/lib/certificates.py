# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates for one run: an authority, and what it has signed and taken back."""

import datetime
import ipaddress
import os
import shutil
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

KEYS = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _day(offset):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key, as OpenSSL reads them."""

    cert: str
    key: str
    serial: int

    def copied_for(self, user, directory):
        """Copies that `user` may read and nobody else, as PostgreSQL wants its key."""
        paths = [shutil.copy(path, directory) for path in (self.cert, self.key)]
        for path in paths:
            os.chmod(path, 0o600)
            shutil.chown(path, user.pw_uid, user.pw_gid)
        return Certificate(*paths, self.serial)


class Authority:
    """Signs certificates into a directory of its own; `cert` is its own one."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name = directory, name
        self.key = KEYS["ec"]()
        self.itself = (
            self._builder(_name(name), self.key, -1, 2)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256()))
        self.cert = self._write(f"{name}.crt", self._pem(self.itself))

    def issue(self, file, common_name, names=(), first=-1, last=2, kind="ec", digest=hashes.SHA256):
        """A certificate for `names`, good from the day `first` to the day `last`, counted from today."""
        key = KEYS[kind]()
        builder = self._builder(_name(common_name), key, first, last)
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        signed = builder.sign(self.key, digest())
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                   serialization.NoEncryption())
        return Certificate(self._write(f"{file}.crt", self._pem(signed)), self._write(f"{file}.key", secret),
                           signed.serial_number)

    def revoke(self, *certificates):
        """The path of a list of what was taken back."""
        builder = x509.CertificateRevocationListBuilder(
        ).issuer_name(self.itself.subject).last_update(_day(-1)).next_update(_day(2))
        for certificate in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(certificate.serial)
                .revocation_date(_day(-1)).build())
        return self._write(f"{self.name}.crl", self._pem(builder.sign(self.key, hashes.SHA256())))

    def _builder(self, subject, key, first, last):
        issuer = self.itself.subject if hasattr(self, "itself") else subject
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(_day(first)).not_valid_after(_day(last)))

    @staticmethod
    def _pem(thing):
        return thing.public_bytes(serialization.Encoding.PEM)

    def _write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o600)
        return path

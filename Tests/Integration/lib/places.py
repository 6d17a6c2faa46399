# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Addresses and directories nobody else uses."""

import itertools
import os
import shutil
import socket
import tempfile

from .process import unprivileged, when_all_ended

_last_octet = itertools.cycle(range(2, 250))
_middle_octet = 1 + os.getpid() % 250


def free_address(host=None):
    """A loopback address, `host` if that is given, and a port free on it.

    Listeners sit on 127.0.x.y: outgoing connections start from 127.0.0.1, so none can take the port meanwhile.
    """
    host = host or f"127.0.{_middle_octet}.{next(_last_octet)}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return host, probe.getsockname()[1]


class Workplace:
    """A temporary directory that the unprivileged user can reach and write."""

    def __init__(self, name="carom"):
        self.path = tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp")
        os.chmod(self.path, 0o755)
        when_all_ended(self.remove)

    def directory(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.chmod(path, 0o755)
        if os.geteuid() == 0:
            user = unprivileged()
            os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

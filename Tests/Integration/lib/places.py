# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Addresses and directories nobody else uses."""

import contextlib
import functools
import itertools
import os
import random
import shutil
import socket
import subprocess
import tempfile

from .process import command_as, unprivileged, when_all_ended

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


def local_port():
    """A port of 127.0.0.1 that is free for TCP and UDP, for servers that listen nowhere else.

    It is below those that outgoing connections start from, so none of them can take it meanwhile.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    while True:
        port = random.randrange(max(1024, first // 2), first)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port


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


@functools.cache
def reachable(path):
    """`path`, or a copy of it if the unprivileged user cannot get there: the clone may lie in a home that is closed to others."""
    if subprocess.run(command_as(unprivileged(), ["test", "-r", path]), cwd="/").returncode == 0:
        return path
    copy = os.path.join(Workplace("carom-copy").path, os.path.basename(path))
    if os.path.isdir(path):
        shutil.copytree(path, copy, symlinks=True)
    else:
        shutil.copy(path, copy)
    return copy

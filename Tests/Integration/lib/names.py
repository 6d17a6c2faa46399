# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What hosts are called, to programs that are started with this: a list of their own in the place of /etc/hosts and DNS."""

import os

from .places import Workplace, reachable
from .pooler import ROOT

#: What Tests/run unpacks of Debian's packages.
_WRAPPER = os.path.join(ROOT, ".build", "names", "usr", "lib", f"{os.uname().machine}-linux-gnu", "libnss_wrapper.so")


class HostNames:
    """`environment` is for Postgres and Pooler."""

    def __init__(self, place: Workplace, hosts, name="hosts"):
        assert os.path.exists(_WRAPPER), "Tests/run unpacks libnss-wrapper"
        directory = place.directory(name)
        self.path = os.path.join(directory, "hosts")
        self.write(hosts)
        os.chmod(directory, 0o755)
        self.environment = {"LD_PRELOAD": reachable(_WRAPPER), "NSS_WRAPPER_HOSTS": self.path}

    def write(self, hosts):
        with open(f"{self.path}.new", "w") as file:
            file.writelines(f"{address} {name}\n" for address, name in hosts.items())
        os.chmod(f"{self.path}.new", 0o644)
        os.rename(f"{self.path}.new", self.path)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a scenario plays on: a cluster, a pooler in front of it, a network that loses packets, and a ledger."""

import os
import random
import subprocess

from lib.clients import Crowd
from lib.cluster import Cluster, Discovery
from lib.ledger import LEDGER
from lib.load import pgbench
from lib.places import Workplace
from lib.pooler import Pooler
from lib.waiting import wait_until

POOL_SIZE = 16
READERS, WRITERS = 64, 32
SCALE = 10
#: Seconds: for an answer to a query, for a connect, and for a client that waits for a server. The same for each pooler.
QUERY_TIMEOUT, CONNECT_TIMEOUT, WAIT_TIMEOUT = 2, 2, 10

#: A name that is not there any more is believed at the twentieth answer, a server that is missing at the first.
RESOLVER = {"removal_answers_most": 20}
STORAGE = {"endpoints_status_poll_interval": 250, "server_check_timeout": 500, "server_check_busy": True}
ROUTE = {"pool_timeout": WAIT_TIMEOUT * 1000, "query_timeout": QUERY_TIMEOUT, "read_retry": 2}
GLOBALS = {"server_connect_timeout": CONNECT_TIMEOUT}
PEER = {"query_timeout": QUERY_TIMEOUT, "server_connect_timeout": CONNECT_TIMEOUT, "query_wait_timeout": WAIT_TIMEOUT,
        "tcp_user_timeout": QUERY_TIMEOUT * 1000, "tcp_keepidle": 1, "tcp_keepintvl": 1, "tcp_keepcnt": 2}


def enter_namespace(arguments):
    """Runs this program again in a network of its own, where packets may be lost and port 53 is free."""
    if os.environ.get("CAROM_OWN_NETWORK"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as file:
            file.write("0")
        return
    os.environ["CAROM_OWN_NETWORK"] = "yes"
    os.execvp("unshare", ["unshare", "--net", *arguments])


class Network:
    """Loses what goes to some servers and comes from them."""

    def __init__(self):
        self._run("add table ip lost; add chain ip lost in { type filter hook input priority 0; }")

    def lose(self, *servers):
        for server in servers:
            host = server.address[0]
            self._run(f"add rule ip lost in ip daddr {host} drop; add rule ip lost in ip saddr {host} drop")

    def heal(self):
        self._run("flush chain ip lost in")

    def _run(self, commands):
        subprocess.run(["nft", commands], check=True)


def read(_):
    """What `pgbench -S` does."""
    return [f"select abalance from pgbench_accounts where aid = {random.randint(1, SCALE * 100_000)}"]


class Stage:
    """`pooler_of(kind)` is a new pooler before the cluster."""

    def __init__(self, network, replicas, synchronous=False):
        self.place, self.network = Workplace("carom-failover"), network
        self.cluster = Cluster(self.place, replicas, synchronous, dns_port=53)
        pgbench(self.cluster.primary.address, "-i", "-s", SCALE, "-q")
        self.cluster.primary.rows(LEDGER, database="bench", user="bench")
        wait_until(self.cluster.caught_up, "the standbys have the tables", timeout=60)

    def pooler_of(self, kind):
        config = Discovery(self.cluster, POOL_SIZE, globals=GLOBALS, resolver=RESOLVER, storage=STORAGE, route=ROUTE, peer=PEER)
        return Pooler(self.place, config, kind=kind)

    def readers(self, pooler):
        return Crowd(pooler.address, READERS, read, database="app_read")

    def writers(self, pooler, ledger):
        return Crowd(pooler.address, WRITERS, ledger.write, database="app", told=ledger.told)

    def stop(self):
        self.network.heal()
        self.cluster.stop()
        self.place.remove()

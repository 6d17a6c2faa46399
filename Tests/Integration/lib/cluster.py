# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""A primary with its standbys, the DNS that names them, and the configurations of poolers that find them there."""

import os
from dataclasses import dataclass, field

from .config import Route, block, literal
from .nameserver import ZONE, NameServer
from .postgres import Postgres
from .waiting import wait_until

#: Commits wait until every standby has them, so that none is lost with the primary. A standby that is promoted waits for nobody.
_SYNCHRONOUS = "synchronous_commit = on\nsynchronous_standby_names = '{count} (*)'\n"
_ALONE = "synchronous_standby_names = ''\n"

#: What the DNS says holds for a second, and every answer counts at once.
TTL = 1
PROMPT = {"ttl_min": TTL, "ttl_max": TTL, "ttl_negative": TTL, "spread": 0, "retry_min": 1, "retry_max": 1,
          "timeout_ms": 500, "removal_answers": 1, "removal_answers_most": 3, "removal_spacing": 0}


class Cluster:
    """Servers with addresses of their own and one port; SRV records `_primary._tcp` and `_replica._tcp` lead to them.

    For poolers that know A records only, `primary` and `replicas` are names with the same addresses.
    """

    def __init__(self, place, replicas=2, synchronous=False, dns_port=None):
        self.primary = Postgres.primary(place)
        self.port = self.primary.address[1]
        self.replicas = [self.primary.replica(port=self.port, settings=_ALONE) for _ in range(replicas)]
        if synchronous:
            self.be_synchronous(replicas)
        self.servers = [self.primary, *self.replicas]
        self.nameserver = NameServer(place, port=dns_port)
        self.publish()

    def be_synchronous(self, count):
        """Commits wait for so many standbys from now on."""
        self.primary.add_settings(_SYNCHRONOUS.format(count=count))
        wait_until(lambda: self.primary.value("select count(*) from pg_stat_replication where sync_state = 'sync'")
                   == str(count), "they are synchronous", timeout=30)

    def publish(self, primary=None, replicas=None):
        """Lets the DNS name these servers; without an argument those that are it."""
        self.nameserver.change(self.records(primary or self.primary, self.replicas if replicas is None else replicas))

    def records(self, primary, replicas):
        lines = [f"db{n} {TTL} A {server.address[0]}" for n, server in enumerate(self.servers, 1)]
        for service, name, servers in (("_primary", "primary", [primary]), ("_replica", "replicas", replicas)):
            for server in servers:
                lines += [f"{service}._tcp {TTL} SRV 0 1 {self.port} db{self.servers.index(server) + 1}",
                          f"{name} {TTL} A {server.address[0]}"]
        return lines

    def caught_up(self):
        """The standbys have all that the primary has."""
        place = self.primary.value("select pg_current_wal_lsn()")
        return all(one.value(f"select pg_last_wal_replay_lsn() >= '{place}'") == "t" for one in self.replicas)

    def promote(self, standby):
        """A standby takes the primary's place; the others follow it. Returns the old primary, which follows nobody."""
        old = self.primary
        standby.promote()
        self.primary, self.replicas = standby, [one for one in self.replicas if one is not standby]
        for one in self.replicas:
            one.follow(standby)
        return old

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self.nameserver.stop()


@dataclass
class Discovery:
    """Database `app` is the primary, `app_read` its standbys; poolers find both in the cluster's DNS."""

    cluster: Cluster
    pool_size: int = 16
    workers: int = 2
    #: More for Carom: at the top of the file, and of its resolvers, storages and routes.
    globals: dict = field(default_factory=dict)
    resolver: dict = field(default_factory=dict)
    storage: dict = field(default_factory=dict)
    route: dict = field(default_factory=dict)
    #: More for PgBouncer.
    peer: dict = field(default_factory=dict)
    unix_socket_dir: str | None = None
    #: What the name of the file ends in.
    extension: str = "conf"

    @property
    def routes(self):
        return [Route(database=name, user="bench") for name in ("app", "app_read")]

    def for_carom(self, address):
        found = {"type": "dns", **PROMPT, **self.resolver, "nameserver": self.cluster.nameserver.text}
        lines = [f"workers {self.workers}", "log_to_stdout yes", 'log_format "%p %t %l [%i %s] (%c) %m\\n"',
                 "log_session no", *(f"{name} {literal(value)}" for name, value in self.globals.items()),
                 block("listen", {"host": address[0], "port": address[1]}),
                 block('resolver "primary"', {**found, "srv": f"_primary._tcp.{ZONE}"}),
                 block('resolver "replicas"', {**found, "srv": f"_replica._tcp.{ZONE}"}),
                 block('resolver "all"', {"type": "composite", "resolvers": "primary, replicas"}),
                 block('storage "primary"', {"type": "remote", "resolver": "all", "target_session_attrs": "primary",
                                             **self.storage}),
                 block('storage "replicas"', {"type": "remote", "resolver": "replicas",
                                              "target_session_attrs": "standby", **self.storage})]
        common = {"authentication": "none", "storage_db": "bench", "pool": "transaction", "pool_size": self.pool_size,
                  "pool_timeout": 10000, **self.route}
        for database, storage in (("app", "primary"), ("app_read", "replicas")):
            lines += [f'database "{database}" {{', block('user "bench"', {"storage": storage, **common}), "}"]
        return "\n".join(lines) + "\n"

    def for_pgbouncer(self, address, accounts):
        # It asks at port 53, whatever the file says.
        host, _ = self.cluster.nameserver.address
        resolv = os.path.join(os.path.dirname(accounts), "resolv.conf")
        with open(resolv, "w") as file:
            file.write(f"nameserver {host}\noptions timeout:1 attempts:1\n")
        options = {"listen_addr": address[0], "listen_port": address[1], "auth_type": "trust", "auth_file": accounts,
                   "unix_socket_dir": "", "pool_mode": "transaction", "default_pool_size": self.pool_size,
                   "max_client_conn": 2000, "log_connections": 0, "log_disconnections": 0, "resolv_conf": resolv,
                   "dns_max_ttl": TTL, "dns_nxdomain_ttl": TTL, "dns_zone_check_period": 1, "server_fast_close": 1,
                   "server_round_robin": 1, "server_login_retry": 1, "server_connect_timeout": 2, "query_wait_timeout": 10,
                   **self.peer}
        lines = ["[databases]"]
        lines += [f"{database} = host={name}.{ZONE} port={self.cluster.port} dbname=bench user=bench"
                  for database, name in (("app", "primary"), ("app_read", "replicas"))]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in options.items())]
        return "\n".join(lines) + "\n"

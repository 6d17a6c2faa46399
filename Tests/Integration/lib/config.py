# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a test wants of a pooler, written down once and rendered for each kind of pooler."""

from dataclasses import dataclass, field


#: A route with this storage leads to the console. `operator` may do everything there, the others may look.
CONSOLE = "console"
OPERATOR, WATCHERS = "operator", "postgres, stats"
#: Of the operator, where the route asks for one.
OPERATOR_PASSWORD = "an operator's secret"


@dataclass
class Route:
    """A database/user pair and its options; None leaves an option out."""

    database: str = "default"
    user: str = "default"
    authentication: str = "none"
    password: str | None = None
    storage: str = "pg"
    storage_db: str | None = None
    storage_user: str | None = None
    storage_password: str | None = None
    pool: str = "transaction"
    pool_size: int = 8
    pool_timeout: int | None = None
    client_max: int | None = None
    more: dict = field(default_factory=dict)

    def options(self):
        named = {name: getattr(self, name) for name in (
            "authentication", "password", "storage", "storage_db", "storage_user", "storage_password", "pool",
            "pool_size", "pool_timeout", "client_max")}
        return {name: value for name, value in {**named, **self.more}.items() if value is not None}


def console(database="console", **options):
    """A route to the console that asks for the operator's password."""
    return Route(database=database, storage=CONSOLE, authentication="scram-sha-256", password=OPERATOR_PASSWORD, **options)


@dataclass
class Config:
    #: An address, or the directives of the storage themselves.
    storage: tuple | dict = ("127.0.0.1", 5432)
    routes: list = field(default_factory=lambda: [Route()])
    workers: int = 1
    listen: dict = field(default_factory=dict)
    globals: dict = field(default_factory=dict)
    #: Of each database, by its name: what its block says beside its users.
    databases: dict = field(default_factory=dict)
    #: Sizes of shared pools, by their names.
    shared_pools: dict = field(default_factory=dict)
    unix_socket_dir: str | None = None
    #: Blocks by their names.
    resolvers: dict = field(default_factory=dict)
    #: Addresses of further listeners, as (host, port).
    more_addresses: list = field(default_factory=list)
    #: Further storages, by their names.
    more_storages: dict = field(default_factory=dict)
    #: Other poolers, by their numbers.
    peers: dict = field(default_factory=dict)
    #: Servers of LDAP, by the names of their blocks.
    ldap_endpoints: dict = field(default_factory=dict)
    #: What the name of the file ends in, which says its grammar.
    extension: str = "conf"

    def for_carom(self, address):
        """Odyssey's grammar."""
        servers = self.storage
        if not isinstance(servers, dict):
            servers = {"host": servers[0], "port": servers[1]}
        lines = [f"workers {self.workers}", "log_to_stdout yes",
                 'log_format "%p %t %l [%i %s] (%c) %m\\n"']
        users = {"admin_users": OPERATOR, "stats_users": WATCHERS}
        if not any(route.storage == CONSOLE for route in self.routes):
            users = {}
        lines += [f"{name} {literal(value)}" for name, value in {**users, **self.globals}.items()]
        if self.unix_socket_dir:
            lines += [f'unix_socket_dir "{self.unix_socket_dir}"', 'unix_socket_mode "0777"']
            lines += [f"listen {{ port {address[1]} }}"]
        listen = {"host": address[0], "port": address[1], **self.listen}
        lines += [block("listen", listen)]
        lines += [block("listen", {**listen, "host": host, "port": port}) for host, port in self.more_addresses]
        lines += [block(f'resolver "{title}"', options) for title, options in self.resolvers.items()]
        lines += [block(f'peer "{number}"', options) for number, options in self.peers.items()]
        lines += [block(f'ldap_endpoint "{title}"', options) for title, options in self.ldap_endpoints.items()]
        lines += [block('storage "pg"', {"type": "remote", **servers})]
        lines += [block(f'storage "{title}"', options) for title, options in self.more_storages.items()]
        if any(route.storage == CONSOLE for route in self.routes):
            lines += [block(f'storage "{CONSOLE}"', {"type": "local"})]
        lines += [block(f'shared_pool "{pool}"', {"pool_size": size}) for pool, size in self.shared_pools.items()]
        for database in dict.fromkeys(route.database for route in self.routes):
            lines += [f"database {name(database)} {{"]
            lines += [f"    {key} {literal(value)}" for key, value in self.databases.get(database, {}).items()]
            lines += [block(f"user {name(route.user)}", route.options())
                      for route in self.routes if route.database == database]
            lines += ["}"]
        return "\n".join(lines) + "\n"

    def for_pgbouncer(self, address, accounts):
        """The same for PgBouncer, as far as it can; `accounts` is the path of its user list."""
        host, port = self.storage
        lines = ["[databases]"]
        for route in self.routes:
            database = "*" if route.database == "default" else route.database
            user = "" if route.storage_user is None else f" user={route.storage_user}"
            secret = "" if route.storage_password is None else f" password={route.storage_password}"
            target = "" if route.storage_db is None else f" dbname={route.storage_db}"
            lines += [f"{database} = host={host} port={port} pool_mode={route.pool} "
                      f"pool_size={route.pool_size}{user}{secret}{target}"]
        first = self.routes[0]
        method = {"none": "trust", "clear_text": "plain", "block": "trust"}.get(
            first.authentication, first.authentication)
        lines += ["[pgbouncer]", f"listen_addr = {address[0]}", f"listen_port = {address[1]}",
                  f"auth_type = {'any' if first.storage_user and method == 'trust' else method}",
                  f"auth_file = {accounts}", f"unix_socket_dir = {self.unix_socket_dir or ''}",
                  "max_client_conn = 20000", "log_connections = 0", "log_disconnections = 0",
                  "ignore_startup_parameters = extra_float_digits", "server_reset_query = DISCARD ALL",
                  "server_login_retry = 1"]
        if self.listen.get("tls"):
            lines += [f"client_tls_sslmode = {self.listen['tls']}", f"client_tls_cert_file = {self.listen['tls_cert_file']}",
                      f"client_tls_key_file = {self.listen['tls_key_file']}"]
        return "\n".join(lines) + "\n"


def name(word):
    return word if word == "default" else f'"{word}"'


def literal(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else f'"{value}"'


def block(head, options):
    """A block; a value that is a dictionary is a block in it."""
    body = "".join(f"    {block(key, value)}\n" if isinstance(value, dict) else f"    {key} {literal(value)}\n"
                   for key, value in options.items())
    return f"{head} {{\n{body}}}"

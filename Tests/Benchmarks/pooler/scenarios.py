# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what Carom must reach."""

from dataclasses import dataclass

POOL_SIZE = 16
IDLE_CLIENTS = 4000
#: Of these OpenSSL needs some ten kilobytes each.
TLS_IDLE_CLIENTS = 1000

BIG = "select g, repeat('x', 200) from generate_series(1, 50000) g;\n"
ONE = "select 1;\n"


@dataclass(frozen=True)
class Load:
    """A load of pgbench. `must` and `aim` are ratios to PgBouncer's CPU time per transaction in the same run."""

    name: str
    title: str
    options: tuple
    must: float
    aim: float
    #: SQL of the only transaction, or None for what `options` choose among pgbench's own.
    script: str | None = None
    #: Both legs over Unix sockets: client to pooler and pooler to PostgreSQL.
    unix: bool = False
    #: Clients come over TLS.
    tls: bool = False
    #: What PgBouncer gets instead of `options`: Debian's knows no prepared statements in transaction pooling.
    peer_options: tuple | None = None


_TCP = [
    Load("simple", "simple, 16 clients", ("-S", "-M", "simple", "-c", 16), 1.00, 0.96),
    Load("extended", "extended, 16 clients", ("-S", "-M", "extended", "-c", 16), 1.00, 0.96),
    Load("prepared", "prepared, to PgBouncer's extended", ("-S", "-M", "prepared", "-c", 16), 1.35, 1.26,
         peer_options=("-S", "-M", "extended", "-c", 16)),
    Load("tpcb", "TPC-B, 16 clients", ("-b", "tpcb-like", "-M", "simple", "-c", 16), 1.00, 0.96),
    Load("single", "simple, 1 client", ("-S", "-M", "simple", "-c", 1), 0.95, 0.90),
    Load("queue", "simple, 64 clients on 16", ("-S", "-M", "simple", "-c", 64), 0.86, 0.75),
    Load("big", "big result (11 MB)", ("-M", "simple", "-c", 4), 0.30, 0.25, BIG),
    Load("connect", "connect, one query each", ("-C", "-c", 4), 1.00, 0.80, ONE),
]
_UNIX = [
    Load(f"unix-{load.name}", f"{load.title}, Unix", load.options, load.must, load.aim, load.script, unix=True)
    for load in _TCP
]
_TLS = [
    Load("tls-simple", "simple, 16 clients, TLS", ("-S", "-M", "simple", "-c", 16), 1.00, 0.96, tls=True),
    Load("tls-big", "big result (11 MB), TLS", ("-M", "simple", "-c", 4), 0.55, 0.50, BIG, tls=True),
    Load("tls-connect", "connect, one query each, TLS", ("-C", "-c", 4), 1.00, 0.90, ONE, tls=True),
]
LOADS = {load.name: load for load in _TCP + _UNIX + _TLS}


@dataclass(frozen=True)
class Resumed:
    """Connections over TLS of a client that resumes its session, one query each, to the peer's, which has to shake hands in full: PgBouncer
    gives no tickets that a client could use. The limits are ratios."""

    name: str
    version: str
    title: str
    must: float
    aim: float


RESUMED = {row.name: row for row in (
    Resumed("tls-resumed", "TLSv1_3", "connect, resumed, to PgBouncer's full", 0.30, 0.25),
    Resumed("tls-resumed-1.2", "TLSv1_2", "the same by clients of TLS 1.2", 0.30, 0.25),
)}


@dataclass(frozen=True)
class Workers:
    """Two workers against one of the same binary, under the load `simple`; the limits are ratios to one worker."""

    name: str
    title: str
    #: Whether the processes may use every CPU. If not, everything stays on the one CPU of the other rows: then the
    #: row shows what a second worker costs by itself, and not what it costs that two CPUs share memory.
    every_cpu: bool
    must: float | None
    aim: float | None


WORKERS = {row.name: row for row in (
    Workers("workers", "workers 2 : workers 1, one CPU", False, 1.15, 1.05),
    Workers("workers-cpus", "workers 2 : workers 1, all CPUs", True, None, None),
)}


@dataclass(frozen=True)
class Memory:
    """Resident bytes per client that asked one query and waits; the limits are bytes."""

    name: str
    title: str
    must: float
    aim: float
    #: Clients come over TLS; the limits are ratios to the peer then.
    tls: bool = False


MEMORY = {row.name: row for row in (
    Memory("idle", f"memory, {IDLE_CLIENTS:,} idle clients", 1300, 1000),
    Memory("tls-idle", f"memory, {TLS_IDLE_CLIENTS:,} idle clients, TLS", 1.00, 0.90, tls=True))}

ROWS = {**LOADS, **RESUMED, **WORKERS, **MEMORY}

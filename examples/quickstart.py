# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The part of examples/quickstart that comes after installing and building."""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))

from lib import proc  # noqa: E402
from lib.clients import Crowd  # noqa: E402
from lib.cluster import TTL, Cluster, Discovery  # noqa: E402
from lib.incident import BEFORE, Incident  # noqa: E402
from lib.load import environment, pgbench, transactions  # noqa: E402
from lib.places import Workplace, free_address  # noqa: E402
from lib.pooler import Pooler  # noqa: E402
from lib.postgres import binary  # noqa: E402
from lib.waiting import wait_until  # noqa: E402

POOL_SIZE = 8
READERS, WRITERS = 48, 16
SCALE = 10

#: As one would write it by hand; the names and options of `bench` are for the clients of this script.
CONFIGURATION = """\
# Two threads; every client lives on one of them.
workers 2
log_to_stdout yes
log_format "%p %t %l [%i %s] (%c) %m\\n"
log_session no

# Where clients connect.
listen {{ host "{host}" port {port} }}

# Where the servers are: what the DNS says, at most a second old, and believed at once. By default Carom is more patient.
resolver "primary" {{
    type "dns"
    srv "_primary._tcp.db.example"
    nameserver "{nameserver}"
    ttl_min 1   ttl_max 1   ttl_negative 1   spread 0
    removal_answers 1   removal_spacing 0
}}
resolver "replicas" {{
    type "dns"
    srv "_replica._tcp.db.example"
    nameserver "{nameserver}"
    ttl_min 1   ttl_max 1   ttl_negative 1   spread 0
    removal_answers 1   removal_spacing 0
}}
resolver "all" {{ type "composite" resolvers "primary, replicas" }}

# Which of them will do. Whether a server is the primary it says itself: a promotion is noticed before the DNS tells of it.
storage "writing" {{ type "remote" resolver "all" target_session_attrs "primary" }}
storage "reading" {{ type "remote" resolver "replicas" target_session_attrs "standby" }}

# Database "app" is the primary: clients prove their password here, Carom proves it to the server, and any number of
# clients shares {pool_size} server connections, one transaction at a time. While there is no primary they wait.
database "app" {{
    user "scram_user" {{
        authentication "scram-sha-256"
        password "scram-S3cret"
        storage "writing"   storage_db "bench"
        pool "transaction"   pool_size {pool_size}   pool_timeout 20000
    }}
    user "bench" {{ authentication "none" storage "writing" storage_db "bench" pool "transaction" pool_size {pool_size} pool_timeout 20000 }}
}}

# Database "app_read" is the same database on the replicas, for reading. What one of them had not begun to answer when it
# went, another one answers.
database "app_read" {{
    user "scram_user" {{
        authentication "scram-sha-256"
        password "scram-S3cret"
        storage "reading"   storage_db "bench"
        pool "transaction"   pool_size {pool_size}   pool_timeout 20000   read_retry 2
    }}
    user "bench" {{ authentication "none" storage "reading" storage_db "bench" pool "transaction" pool_size {pool_size} pool_timeout 20000 read_retry 2 }}
}}
"""


class Annotated(Discovery):
    """The configuration above."""

    def for_carom(self, address):
        return CONFIGURATION.format(host=address[0], port=address[1], nameserver=self.cluster.nameserver.text,
                                    pool_size=POOL_SIZE)


def step(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


class Report:
    """Lines, and whether one of them is a failure."""

    def __init__(self):
        self.failures = 0

    def expect(self, true, what):
        if not true:
            self.failures += 1
            print(f"  FAILED: {what}", flush=True)

    def load(self, title, direct, pooled):
        print(f"  {title:<34}{direct:>10,.0f}{pooled:>10,.0f}", flush=True)

    def incident(self, title, found):
        for who, one in found.items():
            errors = ", ".join(f"{count} × {code}" for code, count in one["errors"].items()) or "0"
            left = "-" if one["left"] is None or who != list(found)[0] else f"{one['left']:.1f} s"
            stall = f"{one['stall']:.2f} s"
            print(f"  {title:<38}{who:<9}{errors:<18}{stall:>13}{left:>12}", flush=True)
            title = ""


def read(_):
    return [f"select abalance from pgbench_accounts where aid = {random.randint(1, SCALE * 100_000)}"]


def write(_):
    """pgbench's own transaction."""
    account, teller = random.randint(1, SCALE * 100_000), random.randint(1, SCALE * 10)
    branch, delta = random.randint(1, SCALE), random.randint(-5000, 5000)
    return ["begin", f"update pgbench_accounts set abalance = abalance + {delta} where aid = {account}",
            f"select abalance from pgbench_accounts where aid = {account}",
            f"update pgbench_tellers set tbalance = tbalance + {delta} where tid = {teller}",
            f"update pgbench_branches set bbalance = bbalance + {delta} where bid = {branch}",
            "insert into pgbench_history (tid, bid, aid, delta, mtime) "
            f"values ({teller}, {branch}, {account}, {delta}, current_timestamp)", "commit"]


def queries(pooler, report):
    host, port = pooler.address
    login = {**os.environ, "PGHOST": host, "PGPORT": str(port), "PGUSER": "scram_user", "PGPASSWORD": "scram-S3cret",
             "PGSSLMODE": "disable"}

    def psql(database, *sql):
        words = [word for one in sql for word in ("-c", one)]
        return subprocess.run([binary("psql"), "-X", *words], env={**login, "PGDATABASE": database}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    print(psql("app", "create table greeting (text text)", "insert into greeting values ('hello through the pooler')",
               "select text, pg_is_in_recovery() as on_a_replica from greeting").stdout)
    wait_until(lambda: "hello" in psql("app_read", "table greeting").stdout, "the row can be read on a replica")
    print(psql("app_read", "select text, pg_is_in_recovery() as on_a_replica from greeting").stdout)
    refused = psql("app_read", "insert into greeting values ('no')")
    report.expect(refused.returncode and "read-only" in refused.stdout, "a replica took a write")


def loads(cluster, pooler, seconds, report):
    def rate(address, database, *arguments):
        output = pgbench(address, "-n", "-c", READERS, "-j", 2, "-T", seconds, *arguments, database=database)
        return transactions(output)[1]

    print(f"  {READERS} clients, {seconds} s each; tps{'direct':>14}{'Carom':>10}")
    report.load("TPC-B on the primary", rate(cluster.primary.address, "bench"), rate(pooler.address, "app"))
    wait_until(cluster.caught_up, "the replicas have caught up", timeout=60)
    report.load("reading on replicas (direct: on one)", rate(cluster.replicas[0].address, "bench", "-S"),
                rate(pooler.address, "app_read", "-S"))


def fail_over(cluster, end, mark):
    """The primary ends, a replica takes its place, and the DNS says so."""
    end()
    cluster.promote(cluster.replicas[0])
    mark("promoted")
    cluster.publish()


def incidents(cluster, pooler, report):
    first, second = cluster.replicas
    primary = cluster.primary

    def back_as_a_replica():
        primary.follow(cluster.primary)
        cluster.replicas.append(primary)
        cluster.publish()

    # What happens, to whom, and how that is put right again.
    events = [
        ("a replica leaves the DNS", lambda _: cluster.publish(replicas=[first]), second, cluster.publish),
        ("a replica is killed (kill -9)", lambda _: second.kill(), second, second.start),
        ("the primary stops for another", lambda mark: fail_over(cluster, primary.stop, mark), primary, back_as_a_replica),
        ("the primary is killed", lambda mark: fail_over(cluster, cluster.primary.kill, mark), first, lambda: None),
    ]
    print(f"  {'':<38}{'clients':<9}{'errors':<18}{'longest stall':>13}{'last left':>12}")
    with Crowd(pooler.address, READERS, read, database="app_read") as readers, \
            Crowd(pooler.address, WRITERS, write, database="app") as writers:
        for title, action, leaving, afterwards in events:
            time.sleep(1 + BEFORE)
            incident = Incident(pooler, leaving=leaving)
            incident.happen(action)
            found = {"readers": incident.report(readers), "writers": incident.report(writers)}
            if leaving is second:
                report.incident(title, found)
                judge_reading(title, found, report)
            else:
                found = dict(reversed(found.items()))
                report.incident(title, found)
                judge_writing(title, found, incident, report)
            afterwards()


def judge_reading(title, found, report):
    report.expect(not found["writers"]["errors"], f"{title}: that is nothing to writers")
    report.expect(found["readers"]["left"] is not None and found["readers"]["left"] <= TTL + 2,
                  f"{title}: connections to it were left after {TTL + 2} s")
    # Only what the server was answering when it died may fail.
    most = POOL_SIZE if "killed" in title else 0
    report.expect(sum(found["readers"]["errors"].values()) <= most, f"{title}: more than {most} readers had errors")


def judge_writing(title, found, incident, report):
    writers = found["writers"]
    report.expect(sum(writers["errors"].values()) <= POOL_SIZE, f"{title}: more than {POOL_SIZE} writers had errors")
    report.expect(writers["left"] is not None, f"{title}: connections to the old primary were left")
    report.expect(writers["stall"] <= incident.marks["promoted"] + 2,
                  f"{title}: writers waited for longer than 2 s after the promotion")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--stay", action="store_true")
    given = parser.parse_args()
    os.environ["CAROM_BINARY"] = given.binary
    began, report = time.monotonic(), Report()
    place = Workplace("carom-quickstart")

    step("Starting PostgreSQL and Knot DNS: a primary and two streaming replicas, and the records that name them")
    cluster = Cluster(place)
    pgbench(cluster.primary.address, "-i", "-s", SCALE, "-q")
    wait_until(cluster.caught_up, "the replicas have the tables", timeout=60)
    step("Starting Carom")
    pooler = Pooler(place, Annotated(cluster), address=free_address())
    print(subprocess.run([given.binary, "resolve", pooler.file, "all"], capture_output=True, text=True).stdout)
    step("Queries through Carom")
    queries(pooler, report)
    step("pgbench")
    loads(cluster, pooler, given.seconds, report)
    if "debug" in given.binary.split("/"):
        print("  This Carom is built for debugging, which is a third as fast: examples/quickstart --release takes longer to build.")
    step(f"Failover, with {READERS} clients reading and {WRITERS} writing (what pgbench does)")
    incidents(cluster, pooler, report)

    step("Report")
    sums = cluster.primary.rows("select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), "
                                "(select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history)",
                                database="bench")[0]
    report.expect(len(set(sums)) == 1, f"balances differ: {sums}")
    print(f"  balances of accounts, branches, tellers and history: {', '.join(map(str, sums))}")
    print(f"  pooler memory: {proc.resident_bytes(pooler.pid) / 1e6:.1f} MB")
    print(f"  {time.monotonic() - began:.0f} s after the build: "
          f"{f'{report.failures} failures, see above' if report.failures else 'everything worked'}")
    if given.stay:
        stay(pooler)
    code = pooler.stop()
    report.expect(code == 0, f"Carom ended with {code}")
    cluster.stop()
    return 1 if report.failures else 0


def stay(pooler):
    host, port = pooler.address
    step("Running until Ctrl-C")
    print("  export PGPASSWORD=scram-S3cret\n"
          f"  psql -h {host} -p {port} -U scram_user app          # the primary, through Carom\n"
          f"  psql -h {host} -p {port} -U scram_user app_read     # a replica, through Carom\n"
          f"  configuration and log: {pooler.directory}", flush=True)
    try:
        pooler.child.process.wait()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    # What was started is taken down at exit, also after a plain kill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

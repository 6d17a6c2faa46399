# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""docs/failover.adoc and its plot, from results."""

from lib.incident import BEFORE
from plot import plot
from scenarios import ALL, READING, WRITING
from stage import CONNECT_TIMEOUT, POOL_SIZE, QUERY_TIMEOUT, READERS, SCALE, WAIT_TIMEOUT, WRITERS

NAMES = {"carom": "Carom", "pgbouncer": "PgBouncer"}
#: Of which scenarios the plot shows the rates, one below the other.
PLOTTED = ("leaves", "killed", "black hole", "frozen", "all gone", "switchover", "failover", "demotion")

_HEAD = """\
= Failover
:toc:

What clients notice when servers come and go, beside PgBouncer in the same run. This page is written by one command, which measures everything anew:

----
Tests/Benchmarks/failover/bench                      # as root: it has a network of its own, in which packets can be lost
Tests/Benchmarks/failover/bench --only killed,frozen # some scenarios; the page keeps the others
----

== How it was measured

{versions}, on {machine}. PostgreSQL runs with streaming standbys on loopback addresses, Knot DNS names them with a TTL of one second. For each scenario each pooler is started anew and serves its clients for three seconds before it happens: {readers} that read (`pgbench -S`) from three standbys, or {writers} that write (TPC-B with a ledger) on a primary with two synchronous standbys. Both have {pool} server connections, and the same limits: {query} s for a query, {connect} s for a connect, {wait} s for a client that waits. A client whose session ends comes again after 50 ms. pgbench's scale is {scale}.

Carom finds its servers by SRV records. The writing route is given all servers of the DNS and asks for the primary (`target_session_attrs`), the reading one those of the replicas' name; `removal_answers 1`, `removal_answers_most 20`, `endpoints_status_poll_interval 250`, `server_check_timeout 500`, `server_check_busy yes`, `read_retry 2`. PgBouncer, which knows A records of one name, has `dns_max_ttl 1`, `dns_nxdomain_ttl 1`, `dns_zone_check_period 1`, `server_fast_close 1`, `server_round_robin 1`, `server_login_retry 1`, `tcp_user_timeout 2000` and keepalives of a second. Nobody tells either of them anything: an operator who says `PAUSE` and `RESUME` in time spares clients the errors of a planned switchover.

* _Errors_: what clients were told, by SQLSTATE; `lost` is a connection that ended without a word, or could not be made.
* _Longest stall_: the longest that any client had to wait from one success to its next.
* _Left_: seconds until the pooler's last connection to the server that left was closed. _Joined_: until the new one had half of its fair share.

What both serve per second is limited by the clients, on cores that they share with everything else; how it dips and comes back is in the plot below.{note}

== Readers

"""

_AFTER_READERS = """\

The DNS troubles last until the end of the scenario, eight seconds. A name that is gone is believed by Carom at the twentieth answer here, at the third by default (then five seconds apart). PgBouncer opens connections as clients need them and keeps those that it has, so a server that is added has none before another one goes.

What a server had not begun to answer when it was lost goes to another one, and so does, with Carom, what waits at one that answers nothing while the others do: it is given up after at most a poll and a check. PgBouncer ends that by `query_timeout` (two seconds; it says 08P01 for everything). When all servers are gone Carom has its clients wait for one, until they count as dead after five seconds, and PgBouncer refuses them at each attempt.

== Writers

Commits wait for both standbys, so a transaction that was confirmed is on the server that is promoted. _Lost_ transactions were confirmed and are not there, _doubled_ ones are there twice, _unasked_ ones are there although their clients were told that they failed before they said `COMMIT`. _Not in a transaction_ counts the errors of clients that had not begun one: they could have waited.

"""

_PLOT = """\

== Served per second

The red line is when it happens; those in a pooler's colour are when a server was promoted or back in its run.

image::failover.svg[Transactions per second over time, for each scenario and pooler]
"""


def seconds(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f} s"


def errors(found):
    told = found["errors"]
    return ", ".join(f"{count:,} × {code}" for code, count in sorted(told.items(), key=lambda one: -one[1])) or "0"


def table(columns, rows):
    widths = ",".join(str(width) for _, width in columns)
    lines = [f'[cols="{widths}"]', "|===", " ".join(f"|{title}" for title, _ in columns), ""]
    return "\n".join([*lines, *(" ".join(f"|{cell}" for cell in row) for row in rows), "|===", ""])


def reading(results):
    rows = []
    for name, scenario in READING.items():
        for kind, found in results.get(name, {}).items():
            if scenario.joining(_Anything()) is not None:
                moved = "joined: " + (seconds(found["joined"]) if found["joined"] is not None else "never")
            elif scenario.leaving(_Anything()) is not None:
                moved = "left: " + (seconds(found["left"]) if found["left"] is not None else "never")
            else:
                moved = f"served again after {seconds(found['served'], 2)}" if "served" in found else ""
            rows.append((scenario.title, NAMES[kind], errors(found), seconds(found["stall"], 2), moved))
    return table([("What happens", 3), ("Pooler", 1), ("Errors", 2), ("Longest stall", 1), ("Left, joined", 2)], rows)


def writing(results):
    rows = []
    for name, scenario in WRITING.items():
        for kind, found in results.get(name, {}).items():
            ledger = found["ledger"]
            outside = sum(found["errors"].values()) - found["in_transaction"]
            marks = found["marks"]
            rows.append((scenario.title, NAMES[kind], errors(found), f"{outside:,}", seconds(found["stall"], 2),
                         seconds(marks.get("promoted"), 2), f"{ledger['lost']} / {ledger['doubled']} / {ledger['unasked']}"
                         + ("" if ledger["balanced"] else ", out of balance"), f"{ledger['confirmed']:,}"))
    return table([("What happens", 3), ("Pooler", 1), ("Errors", 2), ("… not in a transaction", 1), ("Longest stall", 1),
                  ("Another is promoted after", 1), ("Lost / doubled / unasked", 1), ("Confirmed", 1)], rows)


class _Anything:
    """Stands for a stage, to see whether a scenario looks at a server."""

    def __getattr__(self, _):
        return self

    def __getitem__(self, _):
        return self


def write_page(kept, folder):
    results = kept["scenarios"]
    head = _HEAD.format(versions=", ".join(kept["versions"]), machine=kept["machine"], readers=READERS, writers=WRITERS,
                        pool=POOL_SIZE, query=QUERY_TIMEOUT, connect=CONNECT_TIMEOUT, wait=WAIT_TIMEOUT, scale=SCALE,
                        note=f" {kept['note']}" if "note" in kept else "")
    (folder / "failover.adoc").write_text(head + reading(results) + _AFTER_READERS + writing(results) + _PLOT)
    panels = [(ALL[name].title.replace("`", ""), {NAMES[kind]: found["series"] for kind, found in results[name].items()},
               {NAMES[kind]: found["marks"].values() for kind, found in results[name].items()}) for name in PLOTTED if name in results]
    (folder / "failover.svg").write_text(plot(panels, BEFORE))

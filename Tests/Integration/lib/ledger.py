# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Transactions that are counted on both sides: what clients were told, and what is there afterwards."""

import itertools
import random

#: Makes the table, without a key, so that a transaction that ran twice is there twice.
LEDGER = "create table ledger (number int, delta int)"


class Ledger:
    """What `pgbench` does, with an entry for each transaction: which were confirmed, and which of them are there?"""

    def __init__(self, scale=10):
        self.scale = scale
        self.numbers = itertools.count(1)
        self.current = {}
        #: Numbers of transactions by what their clients were told.
        self.confirmed, self.in_doubt = set(), set()

    def write(self, client):
        account, teller = random.randint(1, self.scale * 100_000), random.randint(1, self.scale * 10)
        branch, delta = random.randint(1, self.scale), random.randint(-5000, 5000)
        self.current[client] = next(self.numbers)
        return ["begin", f"update pgbench_accounts set abalance = abalance + {delta} where aid = {account}",
                f"update pgbench_tellers set tbalance = tbalance + {delta} where tid = {teller}",
                f"update pgbench_branches set bbalance = bbalance + {delta} where bid = {branch}",
                f"insert into ledger values ({self.current[client]}, {delta})", "commit"]

    def told(self, client, outcome, statements):
        number = self.current.get(client)
        if number is None or outcome.stage < 0:
            return
        if outcome.code is None:
            self.confirmed.add(number)
        elif outcome.stage == statements - 1:
            self.in_doubt.add(number)

    def audit(self, server):
        """Lost: confirmed and not there. Doubled: there twice. Unasked: there, though the client was told that it failed."""
        found = [int(row[0]) for row in server.rows("select number from ledger", database="bench")]
        there = set(found)
        sums = server.rows("select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), "
                           "(select sum(tbalance) from pgbench_tellers), (select sum(delta) from ledger)", database="bench")[0]
        return {"confirmed": len(self.confirmed), "lost": len(self.confirmed - there), "doubled": len(found) - len(there),
                "unasked": len(there - self.confirmed - self.in_doubt), "balanced": len(set(sums)) == 1}

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Something happens to the servers while clients are at work: what do they notice?"""

import threading
import time

from . import proc
from .clients import Account

#: Seconds of normal work before, with which the time after is compared.
BEFORE = 2
#: Rates are those of this many seconds, taken every tenth of a second.
WINDOW, STEP = 0.5, 0.1


#: How often connections are counted, in seconds. It takes some milliseconds, of which the clients have the less.
LOOK = 0.1


class Incident:
    """`happen` acts and looks on for `settle` seconds; the rest says what was seen in that time.

    Connections are counted from the beginning, so that the clients' rates before and after are slowed down by it alike.
    """

    def __init__(self, pooler, leaving=None, joining=None):
        self.pooler, self.leaving, self.joining = pooler, leaving, joining
        self.began, self.share, self._over = None, 1, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        if leaving or joining:
            self._watcher.start()
        #: Seconds from the action's begin until the pooler's last connection to `leaving` was closed, and until `joining` had
        #: half of its fair share of connections; None if that never came.
        self.left = self.joined = None
        #: Seconds from the action's begin until the action itself said that something was done, by its name.
        self.marks = {}

    def happen(self, action, settle=6, share=1):
        self.share, self.began = share, time.monotonic()
        action(self.mark)
        time.sleep(max(0, self.began + settle - time.monotonic()))
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self.ended = time.monotonic()

    def mark(self, name):
        self.marks[name] = time.monotonic() - self.began

    def _watch(self):
        seen = None
        while not self._over.wait(LOOK):
            began, now = self.began, time.monotonic()
            leaving = self.leaving and proc.connections_to(self.pooler.pid, self.leaving.address)
            joining = self.joining and proc.connections_to(self.pooler.pid, self.joining.address)
            if began is None:
                continue
            if self.leaving:
                if leaving == 0 and seen != 0:
                    self.left = now - began
                elif leaving:
                    self.left = None
                seen = leaving
            if self.joining and self.joined is None and joining >= self.share:
                self.joined = now - began

    def account(self, crowd):
        return Account(crowd, self.began, self.ended)

    def back(self, crowd):
        """Seconds until clients were served at 90 % of their rate before, counted from the action; 0 if they always were."""
        width = round(WINDOW / STEP)
        normal = Account(crowd, self.began - BEFORE, self.began).series(BEFORE)[0]
        bins = self.account(crowd).series(STEP)
        rates = [sum(bins[n:n + width]) / width for n in range(len(bins) - width + 1)]
        lowest = min(range(len(rates)), key=rates.__getitem__)
        if rates[lowest] >= 0.9 * normal:
            return 0.0
        return next((n * STEP for n in range(lowest, len(rates)) if rates[n] >= 0.9 * normal), None)

    def served_after(self, crowd, mark):
        """Seconds from what was marked until the next success of any client."""
        moment = self.began + self.marks[mark]
        return next((rounded(one.ended - moment) for one in crowd.outcomes if one.code is None and one.ended >= moment), None)

    def series(self, crowd):
        """Successes per second, in steps of a fifth of a second, from `BEFORE` seconds before the action on."""
        return [round(rate) for rate in Account(crowd, self.began - BEFORE, self.ended).series(0.2)]

    def report(self, crowd):
        """For a table or a file."""
        account = self.account(crowd)
        return {"errors": account.errors(), "in_transaction": sum(account.errors(lambda one: one.stage > 0).values()),
                "stall": round(account.longest_stall(), 3), "left": rounded(self.left), "joined": rounded(self.joined),
                "back": rounded(self.back(crowd)), "marks": {name: rounded(at) for name, at in self.marks.items()}}


def rounded(seconds):
    return None if seconds is None else round(seconds, 2)

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a round that found a difference as small as it can be while a difference stays."""

import time
from dataclasses import replace

from .rounds import run_round


class Shrinker:
    """`difference` is the one that the smallest round so far shows. `refresh` has the pooler take new servers, so that
    nothing of what earlier rounds did to them plays a part."""

    def __init__(self, lane, clients, difference, refresh=lambda: None, seconds=60, tries=3):
        self.lane, self.refresh = replace(lane, patience=min(lane.patience, 5)), refresh
        self.clients, self.difference = clients, difference
        self.signature = difference.signature()
        self.deadline = time.monotonic() + seconds
        self.tries = tries
        self.rounds = 0

    def run(self):
        guilty = next(client for client in self.clients if client.number == self.difference.client)
        first = replace(guilty, programs=guilty.programs[:self.difference.program + 1])
        others = [client for client in self.clients if client is not guilty]
        # What matters may be somebody else's doing: then at least those are left out who do not matter.
        if not (self._still([replace(first, programs=first.programs[-1:])]) or self._still([first])):
            self._still([first, *others])
            for client in others:
                self._still([kept for kept in self.clients if kept.number != client.number])
        for number in [client.number for client in self.clients]:
            self._shrink_programs(number)
            self._shrink_startup(number)
        return self.clients, self.difference

    def _still(self, clients):
        """Keeps `clients` if a difference of the same sort stays."""
        for _ in range(self.tries):
            if time.monotonic() > self.deadline:
                return False
            self.rounds += 1
            self.refresh()
            found = [one.difference for one in run_round(self.lane, clients)
                     if one.difference and one.difference.signature() == self.signature]
            if found:
                self.clients, self.difference = clients, found[0]
                return True
        return False

    def _with(self, number, **changes):
        return [replace(client, **changes) if client.number == number else client for client in self.clients]

    def _client(self, number):
        return next(client for client in self.clients if client.number == number)

    def _shrink_programs(self, number):
        for index in reversed(range(len(self._client(number).programs))):
            programs = self._client(number).programs
            self._still(self._with(number, programs=programs[:index] + programs[index + 1:]))
        for index in range(len(self._client(number).programs)):
            self._shrink_items(number, index)

    def _shrink_items(self, number, index):
        size = max(1, len(self._client(number).programs[index]) // 2)
        while True:
            at, smaller = 0, False
            while at < len(items := self._client(number).programs[index]):
                programs = [*self._client(number).programs]
                programs[index] = items[:at] + [item for item in items[at:at + size] if item.keep] + items[at + size:]
                if len(programs[index]) < len(items) and self._still(self._with(number, programs=programs)):
                    smaller = True
                else:
                    at += size
            if size == 1 and not smaller:
                return
            size = max(1, size // 2)

    def _shrink_startup(self, number):
        for name in [*self._client(number).startup]:
            if name not in ("user", "database"):
                startup = {**self._client(number).startup}
                del startup[name]
                self._still(self._with(number, startup=startup))


def listing(clients):
    """A round as text."""
    lines = []
    for client in clients:
        lines.append(f"client {client.number}, startup {client.startup}")
        for index, items in enumerate(client.programs):
            lines += [f"  program {index}:"]
            lines += [f"    {item.label}{' -- waits' if item.flushes and item.wait else ''}" for item in items]
    return "\n".join(lines)

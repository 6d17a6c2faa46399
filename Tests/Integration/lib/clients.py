# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Many clients at work, each of whose answers is timed: what a failover looks like from outside."""

import asyncio
import collections
import threading
import time

from .wire import error_fields, query, startup

#: The end of what a server says when all went well outside of a transaction.
_READY = b"Z\0\0\0\x05I"

#: One piece of work that ended. `code` is the SQLSTATE of its error, "lost" when the connection ended without a word,
#: None when it succeeded. `stage` is how many of its statements had been answered; -1 is the login.
Outcome = collections.namedtuple("Outcome", "client began ended code stage")


class _Client(asyncio.Protocol):
    """Does its work without a pause, and comes again when its session ends."""

    def __init__(self, crowd, number):
        self.crowd, self.number = crowd, number
        self.buffer, self.transport = bytearray(), None

    async def live(self):
        loop = asyncio.get_running_loop()
        while not self.crowd.ending:
            self.began, self.stage, self.code, self.work = time.monotonic(), -1, None, None
            self.over = loop.create_future()
            try:
                await loop.create_connection(lambda: self, *self.crowd.address)
                await self.over
            except OSError:
                self.ended("lost")
            # Whoever failed takes a breath, as clients do that are well behaved.
            await asyncio.sleep(0.05)

    def connection_made(self, transport):
        self.transport = transport
        self.buffer.clear()
        transport.write(startup({"user": self.crowd.user, "database": self.crowd.database}))

    def connection_lost(self, _):
        if not self.crowd.ending:
            self.ended(self.code or "lost")
        if not self.over.done():
            self.over.set_result(None)

    def data_received(self, data):
        if not self.buffer and data[:1] in b"TC" and data.endswith(_READY):
            return self.ready(b"I")
        self.buffer += data
        while len(self.buffer) >= 5:
            size = 1 + int.from_bytes(self.buffer[1:5], "big")
            if len(self.buffer) < size:
                return
            kind, body = self.buffer[:1], bytes(self.buffer[5:size])
            del self.buffer[:size]
            if kind == b"E":
                self.code = error_fields(body)["C"]
            elif kind == b"Z":
                self.ready(body)

    def ready(self, status):
        """The server waits for the next statement."""
        if self.stage >= 0 and self.work is None:
            pass  # A transaction that had failed is rolled back.
        elif self.code is not None:
            self.ended(self.code)
            self.work = None
            if status != b"I":
                self.code = None
                return self.transport.write(query("rollback"))
        elif self.stage < 0:
            self.stage = 0
        else:
            self.stage += 1
            if self.stage < len(self.work):
                return self.transport.write(self.work[self.stage])
            self.ended(None)
        if self.crowd.ending:
            return self.transport.close()
        self.began, self.stage, self.code, self.work = time.monotonic(), 0, None, self.crowd.next_work(self.number)
        self.transport.write(self.work[0])

    def ended(self, code):
        outcome = Outcome(self.number, self.began, time.monotonic(), code, self.stage)
        self.crowd.outcomes.append(outcome)
        self.crowd.told(self.number, outcome, len(self.work or ()))


class Crowd:
    """`with Crowd(address, 64, work) as crowd:` keeps 64 clients at work, on a thread of their own.

    `work(client)` is the list of statements that a client does next; `told(client, outcome, statements)` hears what came of it.
    """

    def __init__(self, address, clients, work, user="bench", database="bench", told=lambda *_: None):
        self.address, self.count, self.user, self.database = address, clients, user, database
        self.work, self.told, self.outcomes, self.ending = work, told, [], False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    async def _live(self):
        clients = [_Client(self, number) for number in range(self.count)]
        lives = [asyncio.ensure_future(client.live()) for client in clients]
        while not self.ending:
            await asyncio.sleep(0.05)
        # Who waits for an answer still gets a moment.
        _, waiting = await asyncio.wait(lives, timeout=1)
        for client in clients:
            if client.transport:
                client.transport.abort()
        for life in waiting:
            life.cancel()

    def next_work(self, client):
        return [query(sql) for sql in self.work(client)]

    def __enter__(self):
        self.began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ending, self.finished = True, time.monotonic()
        self._thread.join(10)

    def seen_since(self, moment):
        """How many pieces of work have succeeded since then."""
        return sum(one.code is None and one.ended >= moment for one in reversed(list(self.outcomes)))


class Account:
    """What came of the work between two moments."""

    def __init__(self, crowd, begin, end):
        self.begin, self.end = begin, end
        self.all = crowd.outcomes
        self.within = [one for one in self.all if begin <= one.ended < end]
        self.clients = crowd.count

    def errors(self, among=lambda outcome: True):
        """How many errors of each kind."""
        return dict(collections.Counter(one.code for one in self.within if one.code and among(one)))

    def longest_stall(self):
        """The longest that any client had to wait from one success to its next, of those waits that reach into this time."""
        last, longest = [self.begin] * self.clients, 0
        for one in self.all:
            if one.code is None:
                if one.ended >= self.begin:
                    longest = max(longest, min(one.ended, self.end) - last[one.client])
                last[one.client] = one.ended
        return max(longest, max(self.end - moment for moment in last))

    def series(self, width=0.1):
        """Successes per second, in steps of `width` from `begin`."""
        bins = [0] * max(1, round((self.end - self.begin) / width))
        for one in self.within:
            if one.code is None:
                bins[min(len(bins) - 1, int((one.ended - self.begin) / width))] += 1
        return [count / width for count in bins]

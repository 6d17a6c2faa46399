# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Other clients of the pool in which a suite runs.

A client that is alone in a pool keeps its server, and nothing of transaction pooling is tried. So there are as many
neighbours as servers, each always in a transaction: whoever wants a server gets the one that is free next. Each of them has
settings that break whatever they leak into, and statements under the names that drivers choose; and each looks whether all
of that is still its own.
"""

import threading

from lib.wire import SYNC, ConnectionLost, ServerError, Wire, bind, execute, parse, query

SETTINGS = {
    "DateStyle": "German, DMY", "TimeZone": "Pacific/Chatham", "IntervalStyle": "sql_standard", "bytea_output": "escape",
    "standard_conforming_strings": "off", "extra_float_digits": "-3", "client_encoding": "LATIN1",
    "default_transaction_read_only": "on", "default_transaction_isolation": "serializable", "statement_timeout": "7min",
    "array_nulls": "off", "lc_monetary": "POSIX", "transform_null_equals": "on"}
#: How asyncpg, psycopg, pg8000 and others call their statements, and the one that has no name.
NAMES = ["__asyncpg_stmt_1__", "__asyncpg_stmt_2__", "_pg3_0", "_pg3_1", "pg8000_statement_0", "pg8000_statement_1", "S_1", ""]
#: What a neighbour meets when a suite takes every server or ends sessions: it comes again.
PASSING = ("08", "53", "57")


class Neighbours:
    """`count` of them, from now to `leave`."""

    def __init__(self, address, database, count, seconds):
        self.address, self.database, self.seconds = address, database, seconds
        self.left, self.wrong, self.turns = threading.Event(), [], [0] * count
        self.threads = [threading.Thread(target=self._live, args=(number,), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def leave(self):
        self.left.set()
        for thread in self.threads:
            thread.join(60)

    def complaints(self):
        """What they saw that was not theirs, and who was never served."""
        idle = [f"neighbour {number} had no turn" for number, turns in enumerate(self.turns) if not turns]
        return self.wrong + idle

    def _live(self, number):
        while not self.left.is_set():
            try:
                with Wire.open(self.address, database=self.database, search_path=f"neighbour_{number}",
                               application_name=f"neighbour {number}") as wire:
                    self._stay(wire, number)
            except (ConnectionLost, OSError):
                pass
            except ServerError as error:
                if not error.code.startswith(PASSING):
                    self.wrong.append(f"neighbour {number}: {error}")
            self.left.wait(0.05)

    def _stay(self, wire, number):
        for name, value in SETTINGS.items():
            wire.rows(f"set {name} = '{value}'")
        for name in NAMES[:-1]:
            wire.exchange(parse(name, self._text(number, name)) + SYNC)
        expected = [f"neighbour_{number}", f"neighbour {number}", "7min", "German, DMY"]
        turn = number
        while not self.left.is_set():
            turn += 1
            wire.send(query(
                f"select current_setting('search_path'), current_setting('application_name'), "
                f"current_setting('statement_timeout'), current_setting('DateStyle') from pg_sleep({self.seconds:.4f})"))
            self._expect(number, wire.result(), [expected])
            name = NAMES[turn % len(NAMES)]
            start = parse("", self._text(number, name)) if name == "" else b""
            wire.send(start + bind("", name) + execute() + SYNC)
            self._expect(number, wire.result(), [[f"{name} of {number}"]])
            self.turns[number] += 1

    def _text(self, number, name):
        return f"select '{name} of {number}' from pg_sleep({self.seconds:.4f})"

    def _expect(self, number, seen, expected):
        if seen != expected and len(self.wrong) < 20:
            self.wrong.append(f"neighbour {number} got {seen} instead of {expected}")

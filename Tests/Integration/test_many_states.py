# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""500 clients share five servers, each with a session of its own: nobody ever sees anybody else's.

CAROM_STATES_SECONDS is how long; the long form is 60.
"""

import os
import random
import resource
import threading
import time

import pytest

from lib.config import Route
from lib.talk import rows_of, said
from lib.wire import SYNC, Wire, bind, close, execute, parse, query

SECONDS = float(os.environ.get("CAROM_STATES_SECONDS", "10"))
CLIENTS, SERVERS, THREADS, ROLES = 500, 5, 4, 16
ZONES = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/London", "Australia/Sydney", "Asia/Kolkata", "Africa/Cairo"]


@pytest.fixture(autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)) if hard > 0 else 4096, hard))


@pytest.fixture(scope="module")
def places(postgres):
    """A schema and a role for each few clients, and rows that only their role sees."""
    with postgres.connect() as owner:
        owner.rows("create role resident login; create schema residents; grant usage on schema residents to public; "
                   "create table residents.shared (owner text); grant select on residents.shared to public; "
                   "alter table residents.shared enable row level security; "
                   "create policy own on residents.shared using (owner = current_user)")
        for n in range(ROLES):
            owner.rows(f"create role resident_{n}; grant resident_{n} to resident; "
                       f"insert into residents.shared values ('resident_{n}'); "
                       f"create schema place_{n}; grant usage on schema place_{n} to public; "
                       f"create table place_{n}.mine as select 'place_{n}' as place; "
                       f"grant select on place_{n}.mine to public")
    return postgres


class Resident:
    """A client that knows what its session must be, and looks."""

    def __init__(self, address, number, dice):
        self.address, self.number, self.dice = address, number, dice
        self.move_in()

    def move_in(self):
        """Connects; part of its state comes with the login, the rest by SET."""
        n, dice = self.number, self.dice
        self.wanted = {"search_path": f"place_{dice.randrange(ROLES)}", "TimeZone": dice.choice(ZONES),
                       "role": f"resident_{dice.randrange(ROLES)}", "application_name": f"resident {n}",
                       "statement_timeout": str(100_000 + n), "work_mem": f"{1000 + n}kB"}
        at_login = {name: value for name, value in self.wanted.items() if dice.random() < 0.5}
        self.wire = Wire.open(self.address, user="resident", database="postgres", **at_login)
        self.statements = {}
        for name, value in self.wanted.items():
            if name not in at_login:
                self.set(name, value)

    def set(self, name, value):
        self.wanted[name] = value
        self.wire.rows(f"set {name} = '{value}'")

    def act(self):
        self.dice.choice([self.looks, self.looks, self.reads_rows, self.prepares, self.executes, self.executes,
                          self.executes, self.uses_unnamed, self.changes, self.changes_in_vain, self.uses_cursor,
                          self.forgets, self.moves])()

    def expect(self, seen, *rows):
        assert rows_of(seen) == [tuple(row) for row in rows], f"resident {self.number} of {self.wanted}: {seen}"

    def looks(self):
        names = [*self.wanted]
        self.dice.shuffle(names)
        sql = "select " + ", ".join(f"current_setting('{name}')" for name in names)
        # Settings in milliseconds and kilobytes are shown in the largest unit that fits.
        expected = [f"{self.wanted[name]}ms" if name == "statement_timeout" and self.wanted[name][-3:] != "000"
                    else f"{int(self.wanted[name]) // 1000}s" if name == "statement_timeout"
                    else f"{int(self.wanted[name][:-2]) // 1024}MB"
                    if name == "work_mem" and int(self.wanted[name][:-2]) % 1024 == 0 else self.wanted[name]
                    for name in names]
        if self.dice.random() < 0.5:
            self.expect(said(self.wire, query(sql)), expected)
        else:
            self.expect(said(self.wire, parse("", sql), bind("", ""), execute(), SYNC), expected)
        for name in ("TimeZone", "application_name"):
            assert self.wire.parameters[name] == self.wanted[name]

    def reads_rows(self):
        seen = said(self.wire, query("select place, owner, current_user, current_setting('TimeZone') "
                                     "from mine, residents.shared"))
        self.expect(seen, [self.wanted[name] for name in ("search_path", "role", "role", "TimeZone")])

    def prepares(self):
        name = self.dice.choice(["s", "t"])
        text = f"select '{self.number}/{self.dice.randrange(10**6)}', place, current_user, $1::int from mine"
        parts = [close(b"S", name)] if name in self.statements or self.dice.random() < 0.3 else []
        self.expect(said(self.wire, *parts, parse(name, text), SYNC))
        self.statements[name] = text.split("'")[1]

    def executes(self):
        if not self.statements:
            return self.prepares()
        name = self.dice.choice([*self.statements])
        value = str(self.dice.randrange(1000))
        self.expect(said(self.wire, bind("", name, [value.encode()]), execute(), SYNC),
                    [self.statements[name], self.wanted["search_path"], self.wanted["role"], value])
        return None

    def uses_unnamed(self):
        self.expect(said(self.wire, parse("", f"select '{self.number}', place from mine"), SYNC))
        self.expect(said(self.wire, bind("", ""), execute(), SYNC), [str(self.number), self.wanted["search_path"]])

    def changes(self):
        name = self.dice.choice(["search_path", "TimeZone", "role"])
        self.set(name, self._other(name))

    def changes_in_vain(self):
        """What a transaction set and took back does not count, nor what was for the transaction alone."""
        name = self.dice.choice(["search_path", "TimeZone", "role"])
        end = self.dice.choice(["rollback", "commit"])
        word = "set local" if end == "commit" else "set"
        self.wire.rows("begin")
        self.wire.rows(f"{word} {name} = '{self._other(name)}'")
        self.wire.rows(end)
        self.reads_rows()

    def _other(self, name):
        return self.dice.choice(ZONES) if name == "TimeZone" else (
            f"{'place' if name == 'search_path' else 'resident'}_{self.dice.randrange(ROLES)}")

    def uses_cursor(self):
        self.wire.rows("begin")
        self.wire.rows(f"declare c cursor for select {self.number} * 10 + g from generate_series(1, 5) g")
        self.expect(said(self.wire, query("fetch 2 from c")), *([str(self.number * 10 + g)] for g in (1, 2)))
        self.reads_rows()
        self.expect(said(self.wire, query("fetch 2 from c")), *([str(self.number * 10 + g)] for g in (3, 4)))
        self.wire.rows(self.dice.choice(["commit", "rollback"]))
        assert said(self.wire, query("fetch 1 from c"))[0][1] == "34000"

    def forgets(self):
        if self.dice.random() < 0.2:
            self.wire.rows("deallocate all")
            self.statements.clear()
            assert said(self.wire, bind("", "s"), SYNC)[0][1] == "26000"

    def moves(self):
        """Leaves, with or without a word, sometimes in the middle of a transaction, and comes back as somebody else."""
        if self.dice.random() < 0.1:
            if self.dice.random() < 0.3:
                self.wire.rows("begin; set local search_path = nowhere")
            self.dice.choice([self.wire.close, self.wire.abort])()
            self.move_in()


def live(address, count, threads, seconds):
    """All residents act in random turns; returns how often, and what went wrong."""
    residents, troubles, acts = [[] for _ in range(threads)], [], [0] * threads
    seed = int(os.environ.get("CAROM_SEED") or random.randrange(1 << 31))

    def run(thread):
        dice = random.Random(f"{seed}/{thread}")
        try:
            for number in range(thread, count, threads):
                residents[thread].append(Resident(address, number, dice))
            end = time.monotonic() + seconds
            for resident in residents[thread]:
                resident.reads_rows()
            while time.monotonic() < end and not troubles:
                dice.choice(residents[thread]).act()
                acts[thread] += 1
            for resident in residents[thread]:
                resident.looks()
        except Exception as trouble:
            troubles.append(f"CAROM_SEED={seed}: {trouble!r}")
    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for resident in (one for some in residents for one in some):
        resident.wire.close()
    return sum(acts), troubles


def test_forty_residents_directly(places):
    """What is expected of the pooler is what PostgreSQL does."""
    acts, troubles = live(places.address, 40, THREADS, 2)
    assert not troubles, "\n".join(troubles)
    assert acts > 100


@pytest.mark.own
@pytest.mark.timeout(SECONDS + 120)
def test_five_hundred_residents_on_five_servers(places, start):
    pooler = start(Route(pool_size=SERVERS), workers=2, globals={"log_session": False})
    acts, troubles = live(pooler.address, CLIENTS, THREADS, SECONDS)
    assert not troubles, "\n".join(troubles)
    assert acts > 50 * SECONDS
    assert len(places.backends("resident")) <= SERVERS


@pytest.mark.own
def test_a_hundred_residents_on_one_server(places, start):
    pooler = start(Route(pool_size=1), workers=2, globals={"log_session": False})
    acts, troubles = live(pooler.address, 100, THREADS, SECONDS / 4)
    assert not troubles, "\n".join(troubles)
    assert acts > 10 * SECONDS

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Rounds: several clients hold their conversations at the same time, each with the server and with the pooler."""

import threading
import time
from dataclasses import dataclass, field

from ..waiting import wait_until
from . import comparison
from .comparison import Difference
from .items import batches
from .party import Lost, Party

_READY = b"Z"

_FIXTURE = """
create function fixture.restore(place text) returns void language plpgsql security definer
set client_min_messages = error set search_path = pg_catalog set default_transaction_read_only = off as $$
begin
    execute format('set local search_path = %I', place);
    drop view if exists own_view;
    drop table if exists own_x, own_y cascade;
    delete from child;
    delete from item;
    delete from numbered;
    insert into item (id, name, price) select g, 'item ' || g, g * 1.5 from generate_series(1, 6) g;
    insert into child (id, item, note) select g, g % 6 + 1, 'note' from generate_series(1, 4) g;
    perform setval('counter', 1, false), setval('numbered_id_seq', 1, false);
    set local search_path = pg_catalog;
end $$
"""
_SCHEMA = """
create schema {0};
create table {0}.item (id int primary key, name text not null, price numeric default 1,
    at timestamptz default '2020-02-03 04:05:06+00');
create table {0}.child (id int primary key, item int references {0}.item deferrable initially deferred, note text);
create table {0}.numbered (id serial primary key, note text);
create sequence {0}.counter;
create function {0}.boom(int) returns int language plpgsql as
    'begin raise exception ''boom %'', $1 using detail = ''no more'', hint = ''less''; end';
create function {0}.noisy() returns int language plpgsql as 'begin raise notice ''noise''; return 1; end';
grant usage, create on schema {0} to fuzz, writer;
grant usage on schema {0} to reader;
grant all on all tables in schema {0} to fuzz, writer;
grant all on all sequences in schema {0} to fuzz, writer;
grant select on all tables in schema {0} to reader
"""
_ROLES = """
create role fuzz login; create role reader; create role writer; create role nobody; grant reader, writer to fuzz;
-- Compiling plans would take more time than all the rest.
alter role fuzz set jit = off
"""
_PUBLIC = """
create schema fixture; grant usage on schema fixture to public;
create table public.item (id int primary key, name text, price numeric, at timestamptz);
insert into public.item values (1, 'public', 1, '2020-01-01 00:00+00');
grant select on public.item to public
"""


def prepare_databases(server, lanes, most_clients):
    """Two databases for each lane with the same content, object identifiers included."""
    with server.connect() as admin:
        if admin.value("select count(*) from pg_database where datname = 'fixture'") == "1":
            return
        admin.rows(_ROLES)
        admin.rows("create database fixture")
    with server.connect(database="fixture") as owner:
        for script in [_PUBLIC, _FIXTURE, *(_SCHEMA.format(f"c{n}") for n in range(most_clients))]:
            owner.rows(script)
    with server.connect() as admin:
        for lane in range(lanes):
            for name in (direct_database(lane), pooled_database(lane)):
                admin.rows(f"create database {name} template fixture")


def servers_used(server, lane):
    """How many connections the pooler has to its database of a lane."""
    return int(server.value("select count(*) from pg_stat_activity where backend_type = 'client backend' "
                            f"and datname = '{pooled_database(lane)}'"))


def replace_servers(server, lane):
    """Ends the pooler's connections to its database of a lane."""
    pids = [row[0] for row in server.rows(
        f"select pid from pg_stat_activity where datname = '{pooled_database(lane)}'")]
    if pids:
        server.rows("; ".join(f"select pg_terminate_backend({pid})" for pid in pids))
        left = f"select count(*) from pg_stat_activity where pid in ({','.join(pids)})"
        wait_until(lambda: server.value(left) == "0", "the pooler's old servers are gone")
        # The pooler hears of it when its loop turns.
        time.sleep(0.02)


def direct_database(lane):
    return f"direct_{lane}"


def pooled_database(lane):
    return f"pooled_{lane}"


@dataclass
class Lane:
    """Where the two sides are."""

    direct: tuple
    pooled: tuple
    number: int = 0
    #: Parameters that only the pooled side sends, to see that a difference is noticed.
    spoil: dict = field(default_factory=dict)
    patience: float = 15


class Conversation:
    """One client of a round."""

    def __init__(self, lane, client):
        self.lane, self.client = lane, client
        self.difference, self.programs, self.messages = None, 0, 0
        self.history = []

    def run(self):
        lane, given = self.lane, self.client.startup
        direct = pooled = None
        try:
            direct = Party(lane.direct, {**given, "database": direct_database(lane.number)}, lane.patience)
            pooled = Party(lane.pooled, {**given, "database": pooled_database(lane.number), **lane.spoil},
                           lane.patience)
            if direct.refusal or pooled.refusal:
                self._refused(direct, pooled)
                return
            if not _reported_alike(direct, pooled):
                self._differ(0, f"ParameterStatus after login: {_unlike(direct.parameters, pooled.parameters)}")
                return
            for number, items in enumerate(self.client.programs):
                for batch in batches(items):
                    self.messages += len(batch)
                    if not self._say(direct, pooled, batch, number):
                        return
                self.programs += 1
        except OSError as error:
            self._differ(self.programs, f"cannot connect: {error}")
            self.difference.unreachable = True
        finally:
            for party in (direct, pooled):
                if party:
                    party.close()

    def _say(self, direct, pooled, batch, number):
        """Sends a batch to both; false when they part."""
        data = b"".join(item.data for item in batch)
        asked = "".join(item.asked for item in batch)
        direct.send(data, asked)
        pooled.send(data, asked)
        if batch[0].cancel:
            time.sleep(0.02)
            direct.cancel()
            pooled.cancel()
        one, other = _answer(direct), _answer(pooled)
        self.history.append((batch, one, other))
        if one != other and not comparison.same(one, other):
            if comparison.healed(one, other):
                return False
            if not (batch[0].cancel and comparison.slept_alike(one, other)):
                self._differ(number, "the answers differ")
                return False
        if one and one[-1][:1] == b"!":
            return False
        if one and one[-1][:1] == _READY and not _reported_alike(direct, pooled):
            self._differ(number, f"ParameterStatus: {_unlike(direct.parameters, pooled.parameters)}")
            return False
        return True

    def _refused(self, direct, pooled):
        """A startup parameter that nobody accepts: both end, with the same code."""
        code = pooled.refusal and pooled.refusal.get("C")
        if direct.refusal and not pooled.refusal:
            pooled.send(b"Q\0\0\0\x0dselect 1\0", "Q")
            code = next((comparison.error_fields(frame[5:]).get("C") for frame in _answer(pooled)
                         if frame[:1] == b"E"), None)
        expected = direct.refusal and direct.refusal.get("C")
        if code != expected:
            self._differ(0, f"startup {self.client.startup}: direct {expected}, pooled {code}: {pooled.refusal}")

    def _differ(self, number, reason):
        history = [([item.label for item in batch], one, other) for batch, one, other in self.history]
        kinds = [item.kind for item in self.history[-1][0]] if self.history else ["startup"]
        self.difference = Difference(self.client.number, number, f"{reason} (startup {self.client.startup})", history,
                                     kinds)


def _reported_alike(direct, pooled):
    """Whether all that the server reports is the same. The pooler may say more."""
    one, other = direct.parameters, pooled.parameters
    return one == other or all(other.get(name) == value for name, value in one.items())


def _unlike(one, other):
    names = sorted(one, key=str)
    return ", ".join(f"{name.decode()} is {_text(one.get(name))} directly and {_text(other.get(name))} pooled"
                     for name in names if one.get(name) != other.get(name))


def _text(value):
    return "missing" if value is None else repr(value.decode(errors="backslashreplace"))


def _answer(party):
    try:
        return party.replies()
    except Lost as lost:
        return [*lost.frames, b"!\0\0\0\0" + str(lost).encode()]


def run_round(lane, clients):
    """All clients at once; returns their conversations."""
    conversations = [Conversation(lane, client) for client in clients]
    if len(conversations) == 1:
        conversations[0].run()
        return conversations
    threads = [threading.Thread(target=conversation.run, daemon=True) for conversation in conversations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return conversations

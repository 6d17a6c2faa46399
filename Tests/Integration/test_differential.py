# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Eight clients hold random conversations at once, directly and through the pooler, and hear the same.

Tests/differential is the long form: it replays a seed, makes it smaller, and tries single kinds of statements.
"""

import os
import random

import pytest

from lib.config import Route
from lib.fuzz import campaign, programs
from lib.fuzz.rounds import Lane, prepare_databases, replace_servers, run_round, servers_used
from lib.fuzz.shrinking import Shrinker, listing

SECONDS = float(os.environ.get("CAROM_DIFFERENTIAL_SECONDS", "60"))
CLIENTS, LANES, SERVERS = 8, 2, 3
#: Where the rounds begin: 102,041 programs from here on were answered alike. CAROM_SEED takes another, or `random`.
SEED = 228260687


def first_seed():
    chosen = os.environ.get("CAROM_SEED") or SEED
    return random.randrange(1 << 31) if chosen == "random" else int(chosen)


@pytest.fixture(scope="module")
def prepared(postgres):
    prepare_databases(postgres, LANES, CLIENTS)
    return postgres


def lanes(server, pooled, **more):
    return [Lane(server.address, pooled, number, **more) for number in range(LANES)]


def kinds(pool):
    return programs.Kinds(without=programs.by_design(pool))


def told_alike(server, places, plan, pool, least):
    outcome = campaign.run(places, plan)
    if outcome.found:
        seed, difference = outcome.found[0]
        shrinker = Shrinker(places[0], programs.clients(seed, plan.clients, plan.kinds), difference,
                            refresh=lambda: replace_servers(server, 0), seconds=30)
        clients, smaller = shrinker.run()
        pytest.fail(f"Tests/differential --pool {pool} --seed {seed} (or all rounds, --from {plan.seed})\n"
                    f"{difference.text()}\n"
                    f"made smaller:\n{listing(clients)}\n{smaller.text()}", pytrace=False)
    assert outcome.programs >= least, "hardly anything was compared"


def test_two_direct_connections_tell_the_same(prepared):
    """What differs here is a fault of the programs."""
    plan = campaign.Plan(programs.Kinds(), first_seed(), CLIENTS, seconds=min(SECONDS, 5))
    told_alike(prepared, lanes(prepared, prepared.address), plan, "session --direct", least=20)


@pytest.mark.parametrize("spoil, kind", [({"application_name": "spoilt"}, "ParameterStatus"),
                                         ({"options": "-c extra_float_digits=-5"}, "answers"),
                                         ({"search_path": "public"}, "answers")])
def test_a_difference_is_noticed_and_made_small(prepared, spoil, kind):
    """One side has another setting. A few statements are left of a round, and they still show it."""
    place = lanes(prepared, prepared.address, spoil=spoil)[0]
    chosen = programs.Kinds(["simple", "unnamed", "select", "dml"])
    clients = programs.clients(1, CLIENTS, chosen)
    found = [one.difference for one in run_round(place, clients) if one.difference]
    assert found and all(kind in difference.reason for difference in found)
    smaller, difference = Shrinker(place, clients, found[0], seconds=20).run()
    assert len(smaller) == 1 and sum(map(len, smaller[0].programs)) <= 4, listing(smaller)
    assert kind in difference.reason


#: As users have it; with room for hardly a statement at a server; and with a reset at every change of clients. `part` is
#: how much of SECONDS each takes.
@pytest.mark.own
@pytest.mark.timeout(SECONDS + 200)
@pytest.mark.parametrize("options, part", [({}, 1), ({"max_prepared_statements": 1}, 1 / 4), ({"pool_discard": True}, 1 / 4)],
                         ids=["plain", "one_statement", "discard"])
def test_transaction_pooling_tells_the_same(prepared, start, options, part):
    pooler = start(Route(pool_size=SERVERS, more=options), workers=2, globals={"log_session": False})
    plan = campaign.Plan(kinds("transaction"), first_seed(), CLIENTS, seconds=SECONDS * part)
    places = lanes(prepared, pooler.address)
    chosen = "".join(f" --option {name}={'yes' if value is True else value}" for name, value in options.items())
    told_alike(prepared, places, plan, f"transaction{chosen}", least=10 * SECONDS * part)
    assert [servers_used(prepared, place.number) for place in places] == [SERVERS] * LANES


@pytest.mark.own
@pytest.mark.timeout(SECONDS + 200)
def test_session_pooling_tells_the_same(prepared, start):
    pooler = start(Route(pool="session", pool_size=CLIENTS), workers=2, globals={"log_session": False})
    plan = campaign.Plan(kinds("session"), first_seed(), CLIENTS, seconds=SECONDS / 4)
    told_alike(prepared, lanes(prepared, pooler.address), plan, "session", least=2 * SECONDS)

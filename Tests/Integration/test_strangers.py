# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Nobody learns which users and databases there are: who may not come is told what a wrong password is told, and as late."""

import base64
import random
import re
import struct
import time

import pytest

from lib import scram
from lib.config import Route
from lib.waiting import wait_until
from lib.wire import ServerError, Wire, cstring, dial, error_fields, message, startup

ID = re.compile(r"c[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Whom the poolers of this file know, and by what.
SECRETS = {
    "a plain password": "right",
    "a SCRAM verifier": None,
    "an MD5 hash": "md5" + "0" * 32,
}
#: Database and user of clients that shall not be told from one another.
WRONG_PASSWORD = ("shop", "bob00")
STRANGERS = {
    "unknown user": ("shop", "eve00"), "unknown database": ("ship", "bob00"), "both": ("ship", "eve00"),
    "blocked": ("shop", "dan00"),
}


def verifier(postgres):
    return postgres.value("select rolpassword from pg_authid where rolname = 'scram_user'")


def start_with(start, postgres, method, secret):
    password = SECRETS[secret] or verifier(postgres)
    options = {"authentication": method, "password": password, "storage_user": "bench", "storage_db": "bench"}
    return start(Route(database="shop", user="bob00", **options),
                 Route(database="shop", user="dan00", authentication="block", storage_user="bench"))


def exchange(address, names, password="wrong"):
    """All that the pooler says to a client with a wrong password, and how long it took."""
    database, user = names
    wire = Wire(dial(address))
    began = time.perf_counter()
    wire.send(startup({"user": user, "database": database}))
    said, client = [], None
    while True:
        kind, body = wire.receive()
        said.append((kind, body))
        if kind == b"E":
            break
        method = struct.unpack_from("!I", body)[0]
        if method == 3:
            wire.send(message(b"p", cstring(password)))
        elif method == 5:
            wire.send(message(b"p", cstring("md5" + "1" * 32)))
        elif method == 10:
            client = scram.Client(password)
            first = client.first()
            wire.send(message(b"p", cstring("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        elif method == 11:
            wire.send(message(b"p", client.final(body[4:])))
    took = time.perf_counter() - began
    assert wire.last_words() == []
    wire.close()
    return said, took


def salt(said):
    challenge = next(body[4:] for kind, body in said if kind == b"R" and body[3] == 11)
    return next(part[2:] for part in challenge.split(b",") if part.startswith(b"s="))


def without_chance(said, user):
    """What was said, but for what differs from one login to the next: nonces, MD5 salts, ids, and the client's own name."""
    plain = []
    for kind, body in said:
        if kind == b"R" and body[3] == 11:
            body = re.sub(rb"r=[^,]*,s=([^,]*)", lambda found: b"r=?,s=%d bytes" % len(
                base64.b64decode(found[1])), body)
        if kind == b"R" and body[3] == 5:
            body = body[:4]
        body = ID.sub("ID", body.decode("latin1")).replace(user, "USER")
        plain.append((kind, body))
    return plain


@pytest.mark.own
@pytest.mark.parametrize("method, secret", [
    ("scram-sha-256", "a plain password"), ("scram-sha-256", "a SCRAM verifier"), ("md5", "a plain password"),
    ("md5", "an MD5 hash"), ("clear_text", "a plain password"), ("clear_text", "a SCRAM verifier")])
def test_strangers_are_told_what_a_wrong_password_is_told(start, postgres, method, secret):
    pooler = start_with(start, postgres, method, secret)
    expected = without_chance(exchange(pooler.address, WRONG_PASSWORD)[0], WRONG_PASSWORD[1])
    assert 'C28P01\0' in expected[-1][1] and 'failed for user "USER"' in expected[-1][1]
    for name, names in STRANGERS.items():
        assert without_chance(exchange(pooler.address, names)[0], names[1]) == expected, name
    # It is written behind the answer.
    for reason in ("wrong password", "user blocked: shop dan00", "route for 'shop.eve00' is not found"):
        wait_until(lambda: f"login refused: {reason}" in pooler.log(), f"the log knows: {reason}")


@pytest.mark.own
def test_the_salt_of_a_name_is_always_the_same(start, postgres):
    pooler = start_with(start, postgres, "scram-sha-256", "a plain password")
    salts = {}
    for _ in range(3):
        for names in (WRONG_PASSWORD, *STRANGERS.values()):
            salts.setdefault(names[1], set()).add(salt(exchange(pooler.address, names)[0]))
        # A reload makes no others.
        pooler.reload()
    assert all(len(of_one) == 1 for of_one in salts.values()) and len(set.union(*salts.values())) == len(salts)


@pytest.mark.own
def test_who_has_proved_who_it_is_learns_why_it_may_not_come(start, postgres):
    pooler = start(
        Route(database="shop", user="bob00", authentication="scram-sha-256", password="right", storage_user="bench"),
        Route(database="till", user="bob00", authentication="block"))
    for database, code in (("ship", "3D000"), ("till", "28000")):
        with pytest.raises(ServerError) as refused:
            pooler.connect(database=database, user="bob00", password="right")
        assert refused.value.code == code
        said, _ = exchange(pooler.address, (database, "bob00"))
        assert error_fields(said[-1][1])["C"] == "28P01"


@pytest.mark.own
def test_where_nobody_is_asked_for_anything_strangers_are_refused_at_once(start):
    pooler = start(Route(database="postgres", user="bench"))
    said, _ = exchange(pooler.address, ("ship", "bench"))
    assert [kind for kind, _ in said] == [b"E"] and error_fields(said[0][1])["C"] == "3D000"


def advantage(some, others):
    """How much better than by tossing a coin one can tell a time of `some` from one of `others`: 0 not at all, 1 always
    (the area under the ROC curve, Mann and Whitney's U)."""
    ranked = sorted([(took, 0) for took in some] + [(took, 1) for took in others])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    above = ranks - len(some) * (len(some) + 1) / 2
    return abs(2 * above / (len(some) * len(others)) - 1)


def test_a_difference_in_time_would_be_found():
    """The measure of the next test sees a twentieth of a standard deviation in ten thousand tries, half of one in a thousand."""
    source = random.Random(3)
    plain = [source.gauss(100, 10) for _ in range(1000)]
    assert advantage(plain, [source.gauss(100, 10) for _ in range(1000)]) < 0.1
    assert advantage(plain, [source.gauss(105, 10) for _ in range(1000)]) > 0.2


@pytest.mark.own
@pytest.mark.parametrize("method, secret", [
    ("scram-sha-256", "a plain password"), ("md5", "a plain password"), ("clear_text", "a plain password"),
    ("clear_text", "a SCRAM verifier")])
def test_a_thousand_tries_do_not_tell_a_stranger_by_its_time(start, postgres, method, secret):
    pooler = start_with(start, postgres, method, secret)
    # The one that is known has logged in lately, which makes a login faster.
    if method != "clear_text" or secret == "a plain password":
        pooler.connect(database="shop", user="bob00", password="right").close()
    count = 1000 if secret == "a plain password" else 300
    source = random.Random(5)
    # Three standard errors of such a measure, and what a neighbour on the machine adds.
    limit = 0.12 if count == 1000 else 0.2

    def measure(names):
        times = {each: [] for each in (WRONG_PASSWORD, names)}
        for _ in range(count):
            # In turn and in random order, so that what else the machine does strikes both.
            for each in source.sample(list(times), 2):
                times[each].append(exchange(pooler.address, each)[1])
        return advantage(*times.values())

    for name in ("unknown user", "unknown database"):
        # A burst of something else lasts for one measure or two; what the pooler gives away is there in each.
        found = []
        while not found or min(found) >= limit and len(found) < 5:
            found.append(measure(STRANGERS[name]))
        print(f"{method}, {secret}, {name}: {found}")
        assert min(found) < limit, name

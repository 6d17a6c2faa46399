# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Many rounds, one after the other, in as many processes as there are lanes."""

import collections
import multiprocessing
import os
import random
import re
import time
from dataclasses import dataclass, field

from . import programs
from .comparison import Difference
from .rounds import run_round


@dataclass
class Plan:
    """How much is run, and of what."""

    kinds: programs.Kinds
    seed: int = 0
    clients: int = 8
    #: Programs and seconds at most, of all lanes together; None is no limit.
    most_programs: int | None = None
    seconds: float | None = None
    #: Rounds with a difference after which a lane stops.
    enough: int = 1


@dataclass
class Outcome:
    programs: int = 0
    messages: int = 0
    seconds: float = 0
    #: Pairs of seed and difference.
    found: list[tuple[int, Difference]] = field(default_factory=list)

    def kinds(self):
        """In how many of the batches where two sides parted each kind was."""
        return collections.Counter(
            kind for _, difference in self.found
            for kind in {part for kinds in difference.kinds for part in re.split(r"[/+]", kinds)})


def fresh_seed():
    """CAROM_SEED, or one that nobody has chosen."""
    return int(os.environ.get("CAROM_SEED") or random.randrange(1 << 31))


def run_lane(lane, plan, every=1, first=0):
    """Rounds `seed + first`, and every `every`-th after it."""
    outcome, began, seed, bad = Outcome(), time.monotonic(), plan.seed + first, 0
    share = None if plan.most_programs is None else plan.most_programs / every
    while bad < plan.enough:
        if plan.seconds is not None and time.monotonic() - began >= plan.seconds:
            break
        if share is not None and outcome.programs >= share:
            break
        conversations = run_round(lane, programs.clients(seed, plan.clients, plan.kinds))
        outcome.programs += sum(one.programs for one in conversations)
        outcome.messages += sum(one.messages for one in conversations)
        differences = [one.difference for one in conversations if one.difference]
        bad += bool(differences)
        outcome.found += [(seed, difference) for difference in differences]
        if len(differences) == len(conversations) and all(difference.unreachable for difference in differences):
            break
        seed += every
    outcome.seconds = time.monotonic() - began
    return outcome


def _child(pipe, *arguments):
    pipe.send(run_lane(*arguments))
    pipe.close()


def run(lanes, plan):
    """All lanes at once; their outcomes together."""
    if len(lanes) == 1:
        return run_lane(lanes[0], plan)
    pipes = []
    for index, lane in enumerate(lanes):
        mine, theirs = multiprocessing.Pipe(duplex=False)
        multiprocessing.get_context("fork").Process(
            target=_child, args=(theirs, lane, plan, len(lanes), index), daemon=True).start()
        theirs.close()
        pipes.append(mine)
    total = Outcome()
    for pipe in pipes:
        one = pipe.recv()
        total.programs += one.programs
        total.messages += one.messages
        total.seconds = max(total.seconds, one.seconds)
        total.found += one.found
    return total

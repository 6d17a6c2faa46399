# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What happens to the servers, and how long clients are watched for it."""

import time
from dataclasses import dataclass
from typing import Callable


def nothing(_):
    pass


@dataclass(frozen=True)
class Scenario:
    title: str
    #: Acts on the stage; `mark(name)` notes when something was done.
    act: Callable
    #: Before the pooler starts, and after the clients have left.
    prepare: Callable = nothing
    restore: Callable = nothing
    #: The server whose last connection is waited for, or the one that is to get its share.
    leaving: Callable = nothing
    joining: Callable = nothing
    writes: bool = False
    seconds: float = 6


def first(stage):
    return stage.cluster.replicas[0]


def publish(stage):
    stage.cluster.publish()


def without_first(stage, mark=None):
    stage.cluster.publish(replicas=stage.cluster.replicas[1:])


def all_die(stage, mark):
    for server in stage.cluster.replicas:
        server.kill()
    mark("gone")
    time.sleep(3)
    first(stage).start()
    mark("first back")


def others_start(stage):
    for server in stage.cluster.replicas[1:]:
        server.start()


def flap(stage, mark):
    for _ in range(5):
        stage.cluster.nameserver.change([])
        time.sleep(1)
        stage.cluster.publish()
        time.sleep(1)


def replace_primary(stage, end, mark, publishing=True):
    """Another one takes the primary's place, after `end`; the DNS says so unless that comes later."""
    old = stage.cluster.primary
    end(old)
    stage.cluster.promote(first(stage))
    mark("promoted")
    if publishing:
        stage.cluster.publish()
    return old


def demote(stage, mark):
    """The old primary is back at its address before anything else is told of the change."""
    old = replace_primary(stage, lambda server: server.stop(), mark, publishing=False)
    old.follow(stage.cluster.primary)
    mark("demoted")
    time.sleep(4)
    stage.cluster.replicas.append(old)
    stage.cluster.publish()
    mark("published")


READING = {
    "leaves": Scenario("a replica leaves the DNS", without_first, restore=publish, leaving=first),
    "joins": Scenario("a replica is added to the DNS", lambda stage, mark: publish(stage), prepare=without_first, joining=first),
    "killed": Scenario("a replica is killed (`kill -9`)", lambda stage, mark: first(stage).kill(),
                       restore=lambda stage: first(stage).start(), leaving=first),
    "black hole": Scenario("a replica's packets are lost", lambda stage, mark: stage.network.lose(first(stage)),
                           restore=lambda stage: stage.network.heal(), leaving=first, seconds=10),
    "frozen": Scenario("a replica stands still (SIGSTOP)", lambda stage, mark: first(stage).freeze(),
                       restore=lambda stage: first(stage).thaw(), leaving=first, seconds=10),
    "all gone": Scenario("all replicas are killed, one is back after 3 s", all_die, restore=others_start, seconds=10),
    "dns down": Scenario("the DNS server is down", lambda stage, mark: stage.cluster.nameserver.stop(),
                         restore=lambda stage: stage.cluster.nameserver.start(), seconds=8),
    "dns servfail": Scenario("the DNS server answers SERVFAIL", lambda stage, mark: stage.cluster.nameserver.refuse(),
                             restore=publish, seconds=8),
    "dns nxdomain": Scenario("the names are gone (NXDOMAIN)", lambda stage, mark: stage.cluster.nameserver.change([]),
                             restore=publish, seconds=8),
    "dns empty": Scenario("the names have no addresses", lambda stage, mark: stage.cluster.nameserver.change(
        [f'{name} TXT "x"' for name in ("_replica._tcp", "_primary._tcp", "replicas", "primary")]), restore=publish, seconds=8),
    "dns flaps": Scenario("the names come and go every second", flap, restore=publish, seconds=11),
}

WRITING = {
    "switchover": Scenario("the primary stops for another one", lambda stage, mark: replace_primary(
        stage, lambda server: server.stop(), mark), leaving=lambda stage: stage.cluster.primary, writes=True, seconds=8),
    "failover": Scenario("the primary is killed, one is promoted", lambda stage, mark: replace_primary(
        stage, lambda server: server.kill(), mark), leaving=lambda stage: stage.cluster.primary, writes=True, seconds=8),
    "demotion": Scenario("the primary becomes a standby, the DNS follows after 4 s", demote, writes=True, seconds=10),
}

ALL = {**READING, **WRITING}

# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""User instructions per transaction, counted by callgrind: exact where CPU time drifts."""

import collections
import os
import re
import subprocess

from contenders import Contender, run_load
from lib.load import transactions
from scenarios import LOADS

#: About how many transactions the two runs do. What start and end cost is in both and cancels out.
SHORT, LONG = 500, 2500


class Profile:
    """What one run of a program under callgrind did: its work, and its instructions in all and by function."""

    def __init__(self, count, file):
        self.count, self.file = count, file
        with open(file) as lines:
            totals = re.findall(r"^totals: (\d+)", lines.read(), re.MULTILINE)
        if not totals:
            raise RuntimeError(f"callgrind left no figures in {file}")
        self.instructions = sum(map(int, totals))

    def functions(self):
        done = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no", self.file],
                              capture_output=True, text=True, check=True)
        found = collections.Counter()
        for number, name in re.findall(r"^ *([\d,]+) +(\S.*?)(?: \[[^\]]*\])?$", done.stdout, re.MULTILINE):
            if name != "PROGRAM TOTALS":
                found[name.partition(":")[2] or name] += int(number.replace(",", ""))
        return found


class Difference:
    """A long run less a short one: instructions per unit of work, free of start and end."""

    def __init__(self, short, long):
        self.short, self.long = short, long
        self.count = long.count - short.count
        self.each = (long.instructions - short.instructions) / self.count

    def top(self, number):
        """The functions that cost most by themselves, as (instructions per unit, name)."""
        early, late = self.short.functions(), self.long.functions()
        costs = sorted(((late[name] - early[name]) / self.count, name) for name in late)[::-1][:number]
        names = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(name for _, name in costs),
                               capture_output=True, text=True, check=True).stdout.splitlines()
        return [(cost, name) for (cost, _), name in zip(costs, names)]


def under_callgrind(file):
    return ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={file}"]


def without_debug_information(program, directory):
    """A copy that Debian 12's valgrind can read: it gives up on the DWARF 5 of the static runtime. Names stay."""
    copy = os.path.join(directory, os.path.basename(program))
    subprocess.run(["strip", "--strip-debug", "-o", copy, program], check=True)
    return copy


def of_load(contender: Contender, name):
    """Instructions per transaction of a pooler that serves the load `name`."""
    load, ground = LOADS[name], contender.ground
    clients = load.options[load.options.index("-c") + 1]

    def run(wanted):
        directory = ground.place.directory(f"callgrind-{contender.kind}")
        file = os.path.join(directory, f"{name}.{wanted}")
        pooler = contender.start(load.unix, prefix=under_callgrind(file), encrypted=load.tls)
        output = run_load(ground, pooler, load, "-t", max(1, wanted // clients))
        code = pooler.stop()
        if code < 0:
            raise RuntimeError(f"{contender.title} under callgrind ended by signal {-code}:\n{pooler.log()[-2000:]}")
        return Profile(transactions(output)[0], file)

    return Difference(run(SHORT), run(LONG))


def of_claims(program, directory):
    """Instructions per claim and return of an idle pool: CaromClaimBenchmark, which does nothing else between the runs."""
    program = without_debug_information(program, directory)

    def run(pairs):
        file = os.path.join(directory, f"claims.{pairs}")
        subprocess.run([*under_callgrind(file), program, "--pairs", str(pairs)], check=True,
                       stdout=subprocess.DEVNULL)
        return Profile(pairs, file)

    return Difference(run(10_000), run(50_000))

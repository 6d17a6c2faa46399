# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""pgbench, and a look at the server while it runs."""

import os
import re
import subprocess
import threading

from .postgres import binary


def environment(address, user="bench", database="bench", password=None, sslmode="disable"):
    host, port = address
    variables = {"PGHOST": host, "PGPORT": str(port), "PGUSER": user, "PGDATABASE": database,
                 "PGSSLMODE": sslmode}
    if password is not None:
        variables["PGPASSWORD"] = password
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**kept, **variables}


def pgbench(address, *arguments, check=True, **options):
    """Runs pgbench to its end; returns its output. With `check`, anything but a clean run fails."""
    done = subprocess.run([binary("pgbench"), *map(str, arguments)], env=environment(address, **options),
                          capture_output=True, text=True)
    output = done.stdout + done.stderr
    if check and (done.returncode or "aborted" in output or "ERROR" in output or "FATAL" in output):
        raise AssertionError(f"pgbench {' '.join(map(str, arguments))} ended with {done.returncode}:\n{output}")
    return output


def transactions(output):
    """How many transactions a run did and how fast, from pgbench's report."""
    count = int(re.search(r"number of transactions actually processed: (\d+)", output)[1])
    rate = re.findall(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    return count, float(rate[-1])


class Sampler:
    """Asks the server one question over and over while the body runs; `values` holds the answers."""

    def __init__(self, server, sql, every=0.02):
        self.server, self.sql, self.every = server, sql, every
        self.values = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self):
        with self.server.connect() as wire:
            while not self._over.wait(self.every):
                self.values.append(wire.value(self.sql))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

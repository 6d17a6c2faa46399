# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a pooler tells of itself over HTTP; `pooler.stats` is where."""

import urllib.error
import urllib.request


OPENMETRICS = "application/openmetrics-text"


def get(pooler, path, accept=OPENMETRICS):
    try:
        wanted = urllib.request.Request(f"http://{pooler.stats}{path}", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(wanted, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError:
        raise
    except OSError:
        return None


def samples(text):
    """OpenMetrics text as {name and labels: value}; no row stands twice."""
    assert text.endswith("\n# EOF\n")
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len(dict(rows)) == len(rows)
    return {row: float(value) for row, value in rows}

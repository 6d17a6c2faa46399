# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The table that is printed: for each row the median of each contender, its spread, the ratios and the limits."""

import statistics

from contenders import median_ratio


def _cell(values):
    """Median and half of (highest - lowest) as a share of it."""
    if values is None:
        return f"{'–':>18}"
    median = statistics.median(values)
    return f"{median:>9,.1f} ±{(max(values) - min(values)) / median * 50:5.1f} %"


def _ratio(value):
    return f"{value:>7.2f}" if value is not None else f"{'–':>7}"


class Table:
    """`titles[0]` is Carom, the last is the peer; between them may be another Carom to compare with.

    `judged`: whether the limits apply.
    """

    def __init__(self, titles, judged=True):
        self.titles, self.judged = titles, judged
        self.missed = []
        ratios = [*(f"{title[:7]:>7}" for title in titles[:-1])]
        print(f"{'ratios are to the peer of the run':33} {'':10} " + " ".join(f"{title:>18}" for title in titles)
              + "  " + " ".join(ratios) + f" {'must':>7} {'aim':>7}")

    def row(self, row, unit, columns, against=None, absolute=False, note=""):
        """Prints a row of scenarios.py, and judges its first column.

        `against`: what each column is compared with if not with the last one. `absolute`: the limits are in `unit`.
        """
        peers = against or [columns[-1]] * len(columns)
        ratios = [median_ratio(column, peer) if column and peer else None
                  for column, peer in zip(columns[:-1], peers)]
        must, aim = (row.must, row.aim) if self.judged else (None, None)
        reached = statistics.median(columns[0]) if absolute else ratios[0]
        mark = ""
        if must is not None and reached > must:
            mark = f"MISSED by {(reached / must - 1) * 100:.0f} %"
            self.missed.append(row.name)
        elif aim is not None:
            mark = "aim reached" if reached <= aim else "ok"
        limits = [f"{limit:>7,}" if absolute and limit is not None else _ratio(limit) for limit in (must, aim)]
        print(f"{row.title:33} {unit:10} " + " ".join(map(_cell, columns)) + "  " + " ".join(map(_ratio, ratios))
              + f" {limits[0]} {limits[1]}  {mark:16} {note}".rstrip(), flush=True)

    def close(self):
        if not self.judged:
            return
        print(f"\nmusts missed: {', '.join(self.missed)}" if self.missed else "\nevery must is reached")

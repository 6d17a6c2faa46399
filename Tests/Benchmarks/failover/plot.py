# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Rates over time as an SVG: a panel for each scenario, a line for each pooler."""

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 110, 60, 26, 48
STEP = 0.2
COLOURS = ("#1f5fa8", "#d98a1f")


def plot(panels, before):
    """`panels` are (title, series by name, moments of marks by name); the event is `before` seconds after the begin."""
    whole = TOP + len(panels) * (HEIGHT + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEFT + 20} {whole}" font-family="sans-serif" '
             f'font-size="12">', f'<rect width="{WIDTH + LEFT + 20}" height="{whole}" fill="white"/>']
    for n, name in enumerate(panels[0][1] if panels else ()):
        parts.append(f'<text x="{LEFT + 110 * n}" y="14" fill="{COLOURS[n]}">{name}</text>')
    for n, panel in enumerate(panels):
        parts += _panel(panel, before, TOP + n * (HEIGHT + GAP) + 18)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel, before, top):
    title, columns, marks = panel
    longest = max(len(series) for series in columns.values()) * STEP
    highest = max(max(series) for series in columns.values()) or 1

    def x(moment):
        return LEFT + WIDTH * moment / longest

    def y(rate):
        return top + HEIGHT * (1 - rate / highest)

    yield f'<text x="{LEFT}" y="{top - 5}">{title}</text>'
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>'
    yield f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:,}</text>'
    yield f'<text x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>'
    for second in range(int(longest) + 1):
        yield f'<text x="{x(second):.1f}" y="{top + HEIGHT + 14}" text-anchor="middle" fill="#666">{second - before:g} s</text>'
    for name, colour in zip(columns, COLOURS):
        for moment in marks[name]:
            yield _line(x(before + moment), top, colour)
    yield _line(x(before), top, "#c00")
    for (_, series), colour in zip(columns.items(), COLOURS):
        points = " ".join(f"{x((n + 0.5) * STEP):.1f},{y(rate):.1f}" for n, rate in enumerate(series))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _line(at, top, colour):
    return f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{top + HEIGHT}" stroke="{colour}" stroke-dasharray="3 2"/>'

"""Curves as one small SVG file: nothing to install, nothing to load, readable in any browser and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = (
    "#0b6e4f", "#1f77b4", "#d62728", "#9467bd", "#ff7f0e", "#8c564b",
    "#17becf", "#7f7f7f", "#bcbd22", "#e377c2", "#393b79",
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 300, 240, 60, 40, 60
_KEY, _LETTER = 34, 6  # of a name in the legend: what stands before it, and a letter

Curve = Sequence[tuple[float, float]]
Band = Sequence[tuple[float, float, float]]  # (x, low, high)


def log_curves(
    panels: Mapping[str, Mapping[str, Curve]],
    x_title: str,
    y_title: str,
    y_range: tuple[float, float],
    *,
    bands: Mapping[str, Mapping[str, Band]] | None = None,
    note: str = "",
    ticks: Sequence[int] = (1, 10, 100, 1000, 10_000),
    levels: Sequence[float] = (),
) -> str:
    """Return panels side by side, each with named curves on logarithmic axes, or a linear one of y.

    Parameters
    ----------
    panels
        ``{title: {name: [(x, y), …]}}`` with x from the first tick; y is drawn inside `y_range`.
    y_range
        Lowest and highest y drawn; on a logarithmic axis both positive.
    bands
        ``{title: {name: [(x, low, high), …]}}``: shaded in the colour of the curve, below all curves.
    note
        A line under the legend; says what the bands are.
    ticks
        Marks of the x axis, the first of which is its left end.
    levels
        Marks of a linear y axis; without them it is logarithmic.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    x_most = max((x for curves in panels.values() for curve in curves.values() for x, _ in curve), default=10.0)
    left, right = math.log10(ticks[0]), math.log10(max(x_most, 10.0 * ticks[0]))

    def scaled(y: float) -> float:
        return y if levels else math.log10(max(y, 1e-300))

    low, high = map(scaled, y_range)
    marks = levels or [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]

    def place(x: float, y: float) -> str:
        across = (math.log10(max(x, ticks[0])) - left) / (right - left) * _WIDTH
        up = (min(max(scaled(y), low), high) - low) / (high - low) * _HEIGHT
        return f"{across:.1f},{_HEIGHT - up:.1f}"

    width = _LEFT + len(panels) * (_WIDTH + _GAP)
    longest = _KEY + _LETTER * max(map(len, names), default=0)
    columns = max(1, min(3, int((width - _LEFT) / longest)))
    height = _TOP + _HEIGHT + 60 + 18 * (math.ceil(len(names) / columns) + bool(note))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>'
    ]
    for i, (title, curves) in enumerate(panels.items()):
        out.append(f'<g transform="translate({_LEFT + i * (_WIDTH + _GAP)},{_TOP})">')
        out.append(f'<text x="{_WIDTH / 2}" y="-12" text-anchor="middle" font-weight="bold">{escape(title)}</text>')
        for mark in marks:
            y = place(1, mark).split(",")[1]
            out.append(f'<line x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#ddd"/>')
            out.append(f'<text x="-6" y="{y}" text-anchor="end" dominant-baseline="middle">{mark:g}</text>')
        for tick in (t for t in ticks if t <= x_most):
            x = place(tick, 1).split(",")[0]
            out.append(f'<line x1="{x}" x2="{x}" y2="{_HEIGHT}" stroke="#ddd"/>')
            out.append(f'<text x="{x}" y="{_HEIGHT + 16}" text-anchor="middle">{tick}</text>')
        for name, band in (bands or {}).get(title, {}).items():
            low_edge = _level_runs([place(x, bottom) for x, bottom, _ in band])
            high_edge = _level_runs([place(x, top) for x, _, top in band])
            colour = COLOURS[names.index(name) % len(COLOURS)]
            outline = " ".join([*low_edge, *reversed(high_edge)])
            out.append(f'<polygon points="{outline}" fill="{colour}" fill-opacity="0.13"/>')
        for name, curve in curves.items():
            points = " ".join(place(x, y) for x, y in curve)
            colour = COLOURS[names.index(name) % len(COLOURS)]
            thick = 2.5 if names.index(name) == 0 else 1.4
            out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{thick}"/>')
        out.append(f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#888"/>')
        out.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 34}" text-anchor="middle">{escape(x_title)}</text></g>')
    middle = _TOP + _HEIGHT / 2
    out.append(f'<text transform="translate(14,{middle}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>')
    for i, name in enumerate(names):
        x = _LEFT + (i % columns) * (width - _LEFT) / columns
        y = _TOP + _HEIGHT + 60 + 18 * (i // columns)
        colour = COLOURS[i % len(COLOURS)]
        out.append(f'<line x1="{x}" x2="{x + 22}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>')
        out.append(f'<text x="{x + 28}" y="{y}">{escape(name)}</text>')
    if note:
        out.append(f'<text x="{_LEFT}" y="{height - 6}" fill="#555">{escape(note)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _level_runs(points: list[str]) -> list[str]:
    """Leave out what lies between two points of the same height: bests so far are level most of the time."""
    heights = [point.split(",")[1] for point in points]
    ends = (0, len(points) - 1)
    kept = [i in ends or not heights[i - 1] == heights[i] == heights[i + 1] for i in range(len(points))]
    return [point for point, keep in zip(points, kept, strict=True) if keep]

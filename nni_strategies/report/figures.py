"""What all figures of a report share: colours, layout, ranges, and how they get into the page.

A figure is the plain dictionary ``{"data": [...], "layout": {...}}`` that plotly.js draws, so that making one needs
no plotting library in Python.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Figure = dict[str, Any]

INK = "#1f2933"
MUTED = "#66727f"
LINE = "#e4e8ed"
BLUE = "#2f6db3"
ORANGE = "#d9771f"
RED = "#b93a32"
GREEN = "#3b8f5d"
GREY = "#9aa5b1"
BAND = "#f1f3f6"

#: Light to dark blue: readable in print and for the colour-blind.
SCALE = [[0.0, "#d6e4f2"], [0.5, "#6fa3d4"], [1.0, "#14477f"]]

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def figure(data: list[Figure], *, x: Figure, y: Figure, height: int = 340, **layout: Any) -> Figure:
    """Put traces into the report's common layout.

    Parameters
    ----------
    data
        The traces.
    x, y
        Settings of the axes.
    height
        Pixels.
    layout
        Further settings.
    """
    axis = {"gridcolor": LINE, "linecolor": LINE, "zeroline": False, "automargin": True, "ticks": ""}
    common: Figure = {
        "height": height,
        "margin": {"l": 12, "r": 12, "t": 12, "b": 12},
        "font": {"family": _FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": LINE, "font": {"color": INK, "size": 12}, "align": "left"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12, "color": MUTED}},
        "showlegend": any(trace.get("showlegend") for trace in data),
        "xaxis": {**axis, **x},
        "yaxis": {**axis, **y},
    }
    return {"data": data, "layout": {**common, **layout}}


def title(text: str) -> Figure:
    """Return an axis title."""
    return {"text": text, "font": {"size": 12, "color": MUTED}, "standoff": 8}


def metric_range(values: Sequence[float], *, maximize: bool, reach: float = 1.5) -> tuple[list[float] | None, int]:
    """Return the range of a metric axis, and how many values lie outside.

    The good end is always shown; the bad end is cut at Tukey's fence (`reach` interquartile ranges beyond the
    quartile) when fewer than a fifth of the values lie beyond, so that one collapsed training does not flatten
    every curve.
    """
    array = np.asarray(values, dtype=float)
    if not len(array):
        return None, 0
    low, high = float(array.min()), float(array.max())
    with np.errstate(over="ignore"):
        q1, q3 = (float(q) for q in np.quantile(array, [0.25, 0.75]))
    if maximize:
        fence = q1 - reach * (q3 - q1)
        cut = int((array < fence).sum())
        low = float(array[array >= fence].min()) if 0 < cut < len(array) / 5 else low
    else:
        fence = q3 + reach * (q3 - q1)
        cut = int((array > fence).sum())
        high = float(array[array <= fence].max()) if 0 < cut < len(array) / 5 else high
    pad = 0.06 * (high - low) or abs(high) * 0.05 or 1.0
    low, high = low - pad, high + pad
    if not math.isfinite(high - low):
        return None, 0
    return [low, high], int(((array < low) | (array > high)).sum())


def number(value: Any, digits: int = 4) -> str:
    """Return a number as people write it: ``0.9812``, ``1,186``, ``2.3e-05``; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 100):
        return f"{int(value):,}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{digits}g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.2e}"


def duration(seconds: float | None) -> str:
    """Return a duration as text: ``42 s``, ``3 min 20 s``, ``5 h 07 min``, ``2 d 3 h``."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def embed(value: Any) -> str:
    """Return JSON that is safe inside a ``<script>`` element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

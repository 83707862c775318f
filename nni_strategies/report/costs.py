"""Metric against cost, with the Pareto front: what a little less accuracy would save."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from nni_strategies.report import figures
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure
from nni_strategies.report.records import ExperimentRecord, TrialRecord

_COST = re.compile(r"param|latenc|m_?adds?\b|flops|memory|energy|size|_ms$|_s$|time|duration", re.IGNORECASE)
_UNITS = {"params": "parameters", "latency_ms": "latency (ms)", "madds": "multiply-adds", "flops": "FLOPs"}
_MOST_COSTS = 4


def cost_names(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the reported metrics that are costs by name and differ between trials, the usual ones first."""
    names = dict.fromkeys(name for trial in trials for name in trial.metrics if _COST.search(name))
    usual = list(_UNITS)
    varying = [name for name in names if len({cost for t in trials if (cost := cost_of(t, name)) is not None}) > 1]
    return sorted(varying, key=lambda n: usual.index(n) if n in usual else len(usual))[:_MOST_COSTS]


def pareto_front(costs: Sequence[float], values: Sequence[float], *, maximize: bool = True) -> list[int]:
    """Return the points that no other point beats, by growing cost.

    A point is beaten by one that is at least as good in both and better in one; of equal points the first stays.
    """
    sign = 1.0 if maximize else -1.0
    front: list[int] = []
    best = float("-inf")
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -sign * values[i], i)):
        if sign * values[i] > best:
            front.append(i)
            best = sign * values[i]
    return front


def against_cost(experiment: ExperimentRecord, name: str) -> Figure:
    """Draw the metric against the cost `name`, coloured by the order of the trials."""
    done = [trial for trial in experiment.finished if cost_of(trial, name) is not None]
    costs = [cost_of(trial, name) or 0.0 for trial in done]
    values = [trial.metric or 0.0 for trial in done]
    front = pareto_front(costs, values, maximize=experiment.maximize)
    y_range, _ = figures.metric_range(values, maximize=experiment.maximize)
    points: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": costs,
        "y": values,
        "marker": {
            "color": [trial.id for trial in done],
            "colorscale": figures.SCALE,
            "size": 8 if len(done) <= 200 else 5,
            "line": {"color": "#ffffff", "width": 0.5},
        },
        "name": "trial (darker: later)",
        "showlegend": True,
        "hovertext": [hover(trial) for trial in done],
        "hoverinfo": "text",
    }
    line: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Pareto front",
        "showlegend": True,
        "x": [costs[i] for i in front],
        "y": [values[i] for i in front],
        "line": {"color": figures.ORANGE, "width": 2, "shape": "hv"},
        "marker": {"color": figures.ORANGE, "size": 10, "symbol": "circle-open", "line": {"width": 2}},
        "hovertext": [hover(done[i]) for i in front],
        "hoverinfo": "text",
    }
    x_axis = cost_axis(name, costs, values, y_range)
    return figures.figure([points, line], x=x_axis, y={"title": figures.title("metric"), "range": y_range})


def cost_axis(
    name: str, costs: Sequence[float], values: Sequence[float], y_range: Sequence[float] | None
) -> Figure:
    """Return the axis of a cost: as wide as what is in the metric's range, logarithmic where that differs much."""
    low, high = y_range or (min(values), max(values))
    shown = [cost for cost, value in zip(costs, values, strict=True) if low <= value <= high]
    logarithmic = min(shown) > 0 and max(shown) / min(shown) > 30
    ends = [math.log10(end) if logarithmic else end for end in (min(shown), max(shown))]
    pad = 0.04 * (ends[1] - ends[0]) or 0.5
    kind = "log" if logarithmic else "linear"
    return {"title": figures.title(cost_title(name)), "type": kind, "range": [ends[0] - pad, ends[1] + pad]}


def cost_title(name: str) -> str:
    """Return a cost as people read it."""
    return _UNITS.get(name, name)


def cost_of(trial: TrialRecord, name: str) -> float | None:
    """Return what a trial costs; None where it reported no number."""
    value = trial.metrics.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

"""The effect of each choice: how the metric spreads over the values of one label.

*Explained* is the correlation ratio ``eta^2 = 1 - SS_within / SS_total`` of the metric's ranks, with the
degrees of freedom of the groups taken off (epsilon squared), so that a label with many values does not win by
chance. It is a marginal view of trials a search has chosen, no causal statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from nni_strategies.ranks import average_ranks
from nni_strategies.report import figures
from nni_strategies.report.figures import Figure
from nni_strategies.report.records import ExperimentRecord

_MOST_VALUES = 10
_BINS = 5


@dataclass(frozen=True)
class Effect:
    """What a label does to the metric.

    Parameters
    ----------
    label
        The label, or ``label contains x`` for a choice of several values.
    values
        Its value in each trial, text for categories, numbers otherwise.
    metrics
        The metric of each trial.
    explained
        The share of the metric's rank variance that its values explain, 0..1.
    """

    label: str
    values: tuple[Any, ...]
    metrics: tuple[float, ...]
    explained: float

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers on an axis."""
        return not isinstance(self.values[0], str)


def effects(experiment: ExperimentRecord) -> list[Effect]:
    """Return the effect of every label with at least two values among the finished trials, the strongest first."""
    columns: dict[str, list[tuple[Any, float]]] = {}
    for trial in experiment.finished:
        for label, value in trial.configuration.items():
            columns.setdefault(label, []).append((value, trial.metric or 0.0))
    found = [effect for label, column in columns.items() for effect in _of_column(label, column)]
    return sorted(found, key=lambda effect: -effect.explained)


def _of_column(label: str, column: list[tuple[Any, float]]) -> list[Effect]:
    values, metrics = [value for value, _ in column], tuple(metric for _, metric in column)
    distinct = {json.dumps(value, sort_keys=True) for value in values}
    if len(distinct) < 2:
        return []
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values) and len(distinct) > _MOST_VALUES:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        return [Effect(label, tuple(values), metrics, explained(np.digitize(values, edges).tolist(), metrics))]
    if all(isinstance(value, list) for value in values) and len(distinct) > _MOST_VALUES:
        members = {json.dumps(member): member for value in values for member in value}
        out = []
        for text, member in sorted(members.items()):
            column = [("yes" if member in value else "no", m) for value, m in zip(values, metrics, strict=True)]
            out += _of_column(f"{label} contains {text}", column)
        return out
    texts = tuple(value if isinstance(value, str) else json.dumps(value) for value in values)
    return [Effect(label, texts, metrics, explained(texts, metrics))]


def explained(groups: Sequence[Any], metrics: Sequence[float]) -> float:
    """Return epsilon squared of the metric's ranks over groups, cut at 0."""
    ranks = average_ranks(np.asarray(metrics))
    total = float(((ranks - ranks.mean()) ** 2).sum())
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    n, k = len(ranks), len(names)
    if total == 0 or n <= k or k < 2:
        return 0.0
    means = np.bincount(index, ranks) / np.bincount(index)
    within = float(((ranks - means[index]) ** 2).sum())
    return max(0.0, 1.0 - (within / (n - k)) / (total / (n - 1)))


def effect_figure(effect: Effect, metric_range: list[float] | None, *, maximize: bool = True) -> Figure:
    """Draw one effect: a box, all trials and the mean for each value; a scatter for numbers."""
    if effect.numeric:
        logarithmic = min(effect.values) > 0 and max(effect.values) / min(effect.values) > 30
        x_axis: Figure = {"type": "log", "exponentformat": "power"} if logarithmic else {}
        points: Figure = {
            "type": "scatter",
            "mode": "markers",
            "x": list(effect.values),
            "y": list(effect.metrics),
            "marker": {"color": figures.BLUE, "size": 6, "opacity": 0.6},
            "hovertemplate": "%{x}: %{y}<extra></extra>",
        }
        return figures.figure([points], x=x_axis, y={"range": metric_range}, height=220)
    groups: dict[str, list[float]] = {}
    for value, metric in zip(effect.values, effect.metrics, strict=True):
        groups.setdefault(value, []).append(metric)
    sign = -1.0 if maximize else 1.0
    best_first = sorted(groups, key=lambda value: sign * float(np.mean(groups[value])))[:_MOST_VALUES]
    boxes: list[Figure] = [
        {
            "type": "box",
            "orientation": "h",
            "name": f"{escape(value if len(value) <= 24 else value[:23] + '…')} ({len(groups[value])})",
            "x": groups[value],
            "boxpoints": "all",
            "jitter": 0.6,
            "pointpos": 0,
            "boxmean": True,
            "marker": {"color": figures.BLUE, "size": 4, "opacity": 0.5},
            "line": {"color": figures.INK, "width": 1},
            "fillcolor": "rgba(47,109,179,0.12)",
            "hoverinfo": "x",
        }
        for value in best_first
    ]
    y_axis: Figure = {"type": "category", "autorange": "reversed", "tickfont": {"size": 12}, "showgrid": False}
    height = 50 + 32 * len(boxes)
    return figures.figure(boxes, x={"range": metric_range, "nticks": 5}, y=y_axis, height=height)

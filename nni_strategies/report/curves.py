"""How the search went on: best so far over trials, and trials over time."""

from __future__ import annotations

import heapq
import json
from html import escape
from itertools import accumulate

from nni_strategies.report import figures
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.records import ExperimentRecord, TrialRecord

_HOVER_LABELS = 12
_MOST_CURVES = 200


def hover(trial: TrialRecord) -> str:
    """Return what a trial's point says when pointed at."""
    lines = [f"<b>trial {trial.id}</b>" + (f" ({escape(', '.join(trial.nni_ids))})" if trial.nni_ids else "")]
    if trial.metric is not None:
        lines.append(f"metric {number(trial.metric)}")
    lines += [f"{escape(str(k))}: {escape(number(v)[:40])}" for k, v in trial.metrics.items() if k != "default"][:6]
    items = list(trial.configuration.items())
    lines += [f"<i>{escape(label)}</i> {escape(_short(value))}" for label, value in items[:_HOVER_LABELS]]
    if len(items) > _HOVER_LABELS:
        lines.append(f"… {len(items) - _HOVER_LABELS} more")
    return "<br>".join(lines)


def progress(experiment: ExperimentRecord) -> tuple[Figure, int]:
    """Draw the metric of each trial, and the best so far, in the order results came in.

    Returns
    -------
    tuple[Figure, int]
        The figure, and how many points lie outside its range.
    """
    done = experiment.finished
    values = [trial.metric or 0.0 for trial in done]
    best = list(accumulate(values, max if experiment.maximize else min))
    order = {trial.id: i for i, trial in enumerate(done, start=1)}
    y_range, outside = figures.metric_range(values, maximize=experiment.maximize)
    groups = [
        ("initial", "random phase", figures.MUTED, "circle-open"),
        ("search", "search", figures.BLUE, "circle"),
        ("import", "imported", figures.GREEN, "diamond"),
    ]
    size = 8 if len(done) <= 200 else 5
    traces: list[Figure] = []
    for phase, name, color, symbol in groups:
        members = [trial for trial in done if trial.phase == phase]
        if members:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "showlegend": True,
                    "x": [order[t.id] for t in members],
                    "y": [t.metric for t in members],
                    "marker": {"color": color, "size": size, "symbol": symbol, "opacity": 0.8},
                    "hovertext": [hover(t) for t in members],
                    "hoverinfo": "text",
                }
            )
    if y_range is not None and outside:
        low, high = y_range
        beyond = [trial for trial in done if not low <= (trial.metric or 0.0) <= high]
        edge = low + 0.02 * (high - low) if experiment.maximize else high - 0.02 * (high - low)
        symbol = "triangle-down-open" if experiment.maximize else "triangle-up-open"
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "outside the range",
                "showlegend": True,
                "x": [order[t.id] for t in beyond],
                "y": [edge] * len(beyond),
                "marker": {"color": figures.MUTED, "size": 7, "symbol": symbol},
                "hovertext": [hover(t) for t in beyond],
                "hoverinfo": "text",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "showlegend": True,
            "x": list(range(1, len(best) + 1)),
            "y": best,
            "line": {"color": figures.ORANGE, "width": 2.5, "shape": "hv"},
            "hovertemplate": "best after %{x}: %{y}<extra></extra>",
        }
    )
    shapes, notes = [], []
    blind = [order[trial.id] for trial in done if trial.phase == "initial"]
    if blind:
        end = max(blind) + 0.5
        shapes.append({"type": "rect", "xref": "x", "yref": "paper", "x0": 0.5, "x1": end, "y0": 0, "y1": 1})
        shapes[0].update({"fillcolor": figures.BAND, "line": {"width": 0}, "layer": "below"})
        notes.append({"x": 0.5, "xref": "x", "yref": "paper", "text": "random phase", "showarrow": False})
        notes[0].update({"y": 1, "xanchor": "left", "yanchor": "top", "font": {"size": 11, "color": figures.MUTED}})
    x_axis: Figure = {"title": figures.title("results, in the order they came"), "range": [0.5, len(done) + 0.5]}
    y_axis: Figure = {"title": figures.title("metric"), "range": y_range}
    return figures.figure(traces, x=x_axis, y=y_axis, height=380, shapes=shapes, annotations=notes), outside


def timeline(experiment: ExperimentRecord) -> Figure | None:
    """Draw when each trial ran, one row for each slot that was busy at a time; None without times."""
    timed = sorted((t for t in experiment.trials if t.started is not None), key=lambda t: t.started or 0.0)
    timed = [trial for trial in timed if trial.phase != "import"]
    if not timed:
        return None
    zero = min(trial.started or 0.0 for trial in timed)
    last = max([experiment.ended or 0.0, *(t.ended or t.started or 0.0 for t in timed)])
    units = [(180.0, 1.0, "seconds"), (7200.0, 60.0, "minutes"), (float("inf"), 3600.0, "hours")]
    unit, name = next((unit, name) for limit, unit, name in units if last - zero < limit)
    free: list[tuple[float, int]] = []
    slots: dict[int, int] = {}
    for trial in timed:
        start, end = trial.started or 0.0, trial.ended or last
        reusable = free and free[0][0] <= start + 1e-6
        slot = heapq.heappop(free)[1] if reusable else len(free)
        slots[trial.id] = slot
        heapq.heappush(free, (end, slot))
    groups = [
        ("finished", figures.BLUE),
        ("failed", figures.RED),
        ("stopped", figures.GREEN),
        ("running", figures.ORANGE),
        ("unfinished", figures.GREY),
    ]
    traces: list[Figure] = []
    for status, color in groups:
        members = [trial for trial in timed if trial.status == status]
        if members:
            spans = [(t.ended or last) - (t.started or 0.0) for t in members]
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": status,
                    "showlegend": True,
                    "base": [((t.started or 0.0) - zero) / unit for t in members],
                    "x": [span / unit for span in spans],
                    "y": [slots[t.id] + 1 for t in members],
                    "marker": {"color": color, "opacity": 0.75, "line": {"color": "#ffffff", "width": 1}},
                    "hovertext": [
                        f"{hover(t)}<br>{figures.duration(s)}" for t, s in zip(members, spans, strict=True)
                    ],
                    "hoverinfo": "text",
                }
            )
    n_slots = max(slots.values()) + 1
    x_axis: Figure = {"title": figures.title(f"{name} since the first trial started"), "rangemode": "tozero"}
    y_axis: Figure = {"title": figures.title("slot"), "dtick": max(1, n_slots // 8), "range": [n_slots + 0.6, 0.4]}
    height = 120 + 34 * min(n_slots, 12)
    return figures.figure(traces, x=x_axis, y=y_axis, height=height, barmode="overlay", bargap=0.25)


def learning_curves(experiment: ExperimentRecord) -> Figure | None:
    """Draw the intermediate results of up to 200 trials, the five best in colour; None when there are no curves."""
    curves = [trial for trial in experiment.ranked if len(trial.intermediates) > 1][:_MOST_CURVES]
    if not curves:
        return None
    shades = ["#14477f", "#2f6db3", "#d9771f", "#3b8f5d", "#8d7bb8"]
    traces: list[Figure] = []
    for rank, trial in reversed(list(enumerate(curves))):
        best = rank < len(shades)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"#{rank + 1}, trial {trial.id}",
                "showlegend": best,
                "x": list(range(1, len(trial.intermediates) + 1)),
                "y": list(trial.intermediates),
                "line": {"color": shades[rank] if best else "#cbd2d9", "width": 2 if best else 1},
                "hovertemplate": f"trial {trial.id}, report %{{x}}: %{{y}}<extra></extra>",
            }
        )
    every = [value for trial in curves for value in trial.intermediates]
    y_range, _ = figures.metric_range(every, maximize=experiment.maximize, reach=5.0)
    y_axis: Figure = {"title": figures.title("intermediate result"), "range": y_range}
    drawn = figures.figure(traces, x={"title": figures.title("report (usually an epoch)")}, y=y_axis)
    drawn["layout"]["legend"]["traceorder"] = "reversed"
    return drawn


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"

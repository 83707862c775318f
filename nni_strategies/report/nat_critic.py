"""What NAT's critic expected of trials, beside what they reached."""

from __future__ import annotations

from collections.abc import Sequence

from nni_strategies.report import figures, html
from nni_strategies.report.correlation import spearman
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.nat import Proposal, Transformations
from nni_strategies.report.records import ExperimentRecord


def critic_section(found: Transformations, experiment: ExperimentRecord) -> str:
    """Return what the critic predicted beside what was measured; nothing where it was not asked."""
    known = [one for one in found.proposals if one.predicted is not None and one.trial.metric is not None]
    outputs = [one for one in known if one.phase == "output"]
    if not known:
        return ""
    lead = "What the critic expected of a trial before it ran. It chooses outputs by that; on the line it was right."
    drawn, outside = _predictions(known, experiment)
    shown = html.figure(drawn, "measured against predicted metric")
    said = "Poor results lie outside the range of the figure; double-click to see all."
    note = f'<p class="note">{said}</p>' if outside else ""
    return html.section("critic", "Predicted and measured", lead, f"<p>{agreement(outputs)}</p>", shown, note)


def agreement(outputs: Sequence[Proposal]) -> str:
    """Return how predictions of outputs agree with results, as HTML."""
    found = spearman([one.predicted or 0.0 for one in outputs], [one.trial.metric or 0.0 for one in outputs])
    if found.value is None:
        return "Of too few outputs both are known, or they are all the same: Spearman’s correlation is not defined."
    interval = f" (95 % interval {found.interval[0]:.2f} to {found.interval[1]:.2f})" if found.interval else ""
    return (
        f"Spearman’s correlation over {found.n} outputs is <b>{found.value:.2f}</b>{interval}. They are the best "
        "that was expected: in so narrow a range ranks tend to agree less than over all architectures."
    )


def _predictions(known: Sequence[Proposal], experiment: ExperimentRecord) -> tuple[Figure, int]:
    """Return the figure, and how many points lie outside its range."""
    groups = (("query", "queries", figures.GREY, "circle-open"), ("output", "outputs", figures.BLUE, "circle"))
    traces = []
    for phase, name, color, symbol in groups:
        members = [one for one in known if one.phase == phase]
        if members:
            traces.append(_points(members, [one.predicted or 0.0 for one in members], name, color, symbol))
    measured = [one.trial.metric or 0.0 for one in known]
    y_range, below = figures.metric_range(measured, maximize=experiment.maximize)
    x_range, left = figures.metric_range([one.predicted or 0.0 for one in known], maximize=experiment.maximize)
    ends = [min(y_range[0], x_range[0]), max(y_range[1], x_range[1])] if y_range and x_range else [0.0, 1.0]
    same: Figure = {
        "type": "scatter",
        "mode": "lines",
        "name": "predicted = measured",
        "showlegend": True,
        "x": ends,
        "y": ends,
        "line": {"color": figures.GREY, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    x_axis: Figure = {"title": figures.title("predicted metric"), "range": x_range}
    y_axis: Figure = {"title": figures.title("measured metric"), "range": y_range}
    return figures.figure([same, *traces], x=x_axis, y=y_axis, height=320), below + left


def _points(members: Sequence[Proposal], x: Sequence[float], name: str, color: str, symbol: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "showlegend": True,
        "x": list(x),
        "y": [one.trial.metric for one in members],
        "marker": {"color": color, "size": 8, "symbol": symbol, "opacity": 0.85},
        "hovertext": [f"{hover(one.trial)}<br>predicted {number(at)}" for one, at in zip(members, x, strict=True)],
        "hoverinfo": "text",
    }

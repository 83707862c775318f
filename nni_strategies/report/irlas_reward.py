"""The metric that trials reported beside the shaped one that the search was told."""

from __future__ import annotations

from collections.abc import Sequence

from nni_strategies.report import figures, html
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.irlas import Guidance, ranks
from nni_strategies.report.records import ExperimentRecord, TrialRecord

_LISTED = 10


def reward_section(guided: Guidance, experiment: ExperimentRecord) -> str:
    """Return the section; nothing where the two are the same."""
    done = [trial for trial in experiment.ranked if trial.id in guided.shaped]
    if not done:
        return ""
    shaped = [guided.shaped[trial.id] for trial in done]
    places = dict(zip((t.id for t in done), ranks(shaped, maximize=experiment.maximize), strict=True))
    lead = "The search was told the shaped metric. All else on this page is by the raw one, which trials reported."
    rows = [
        [
            str(rank),
            str(trial.id),
            f"<b>{html.text(trial.metric)}</b>",
            html.text(guided.shaped[trial.id]),
            str(places[trial.id]),
            f"{guided.stimuli[trial.id]:.2f}" if trial.id in guided.stimuli else "–",
        ]
        for rank, trial in enumerate(done[:_LISTED], start=1)
    ]
    columns = ["by raw", "trial", "raw", "shaped", "by shaped", "S"]
    listed = html.table(columns, rows, classes=["n"] * len(columns))
    drawn = html.figure(_figure(guided, done, experiment), "shaped against raw metric")
    sides = f'<div class="pair"><div>{drawn}</div><div>{listed}</div></div>'
    return html.section("shaped", "Raw and shaped metric", lead, f"<p>{_said(done, places)}</p>", sides)


def _said(done: Sequence[TrialRecord], places: dict[int, int]) -> str:
    best = done[0]
    told = min(done, key=lambda trial: (places[trial.id], trial.id))
    if told.metric == best.metric:
        return f"Trial {told.id} is the best by both."
    lost = abs((best.metric or 0.0) - (told.metric or 0.0))
    return (
        f"By the shaped metric trial {told.id} is the best, by the raw one trial {best.id}. That is better by "
        f"{number(lost)}, and number {places[best.id]} by the shaped one."
    )


def _figure(guided: Guidance, done: Sequence[TrialRecord], experiment: ExperimentRecord) -> Figure:
    raw, shaped = [trial.metric or 0.0 for trial in done], [guided.shaped[trial.id] for trial in done]
    points: Figure = {
        "type": "scatter",
        "mode": "markers",
        "name": "trial",
        "showlegend": True,
        "x": raw,
        "y": shaped,
        "marker": {
            "color": [guided.stimuli.get(trial.id, 0.0) for trial in done],
            "colorscale": figures.SCALE,
            "colorbar": {"title": {"text": "S"}, "thickness": 10, "outlinewidth": 0, "len": 0.9},
            "size": 7 if len(done) <= 200 else 5,
            "line": {"color": "#ffffff", "width": 0.5},
        },
        "hovertext": [f"{hover(trial)}<br>shaped {number(guided.shaped[trial.id])}" for trial in done],
        "hoverinfo": "text",
    }
    x_range, _ = figures.metric_range(raw, maximize=experiment.maximize)
    y_range, _ = figures.metric_range(shaped, maximize=experiment.maximize)
    ends = x_range or [min(raw), max(raw)]
    same: Figure = {
        "type": "scatter",
        "mode": "lines",
        "name": "shaped = raw",
        "showlegend": True,
        "x": ends,
        "y": ends,
        "line": {"color": figures.GREY, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    x_axis: Figure = {"title": figures.title("raw metric"), "range": x_range}
    y_axis: Figure = {"title": figures.title("shaped metric"), "range": y_range}
    return figures.figure([same, points], x=x_axis, y=y_axis, height=320)

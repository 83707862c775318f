"""Whether experts were trusted: z against the results of the first trials, and what the gate made of them."""

from __future__ import annotations

from collections.abc import Sequence

from nni_strategies.report import figures, html
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure
from nni_strategies.report.irlas import Gate, Guidance
from nni_strategies.report.records import ExperimentRecord, TrialRecord


def gate_section(guided: Guidance, gate: Gate, experiment: ExperimentRecord) -> str:
    """Return the section."""
    lead = (
        "Before experts guide all of a search its first results must agree with them. z is where S lies among random "
        "networks, on the scale of a normal distribution."
    )
    every, outside = _all(guided, experiment)
    shown = html.figure(every, "metric of all trials against S")
    if gate.z:
        first, more = _first(gate, experiment)
        shown, outside = html.figure(first, "result of the first trials against z") + shown, max(outside, more)
    said = "Poor results lie outside the range of the figures; double-click to see all."
    note = f'<p class="note">{said}</p>' if outside else ""
    pair = f'<div class="pair">{shown}</div>'
    return html.section("gate", "Were the experts trusted?", lead, f"<p>{verdict(gate)}</p>", pair, note)


def verdict(gate: Gate) -> str:
    """Return what the gate decided and by what, as HTML."""
    if not gate.size:
        return "<b>Trusted without asking</b>: this search has no gate."
    found = gate.correlation
    interval = f" (95 % interval {found.interval[0]:.2f} to {found.interval[1]:.2f})" if found.interval else ""
    value = "not defined, which counts as 0" if found.value is None else f"{found.value:.2f}{interval}"
    said = f"Spearman’s correlation of z with the first {len(gate.z)} results is {value}"
    if gate.trusted is None:
        known = f"{len(gate.z)} of the {gate.size} results it takes are known; until then half of the draws are guided"
        return f"<b>Not decided</b>: {known}." + (f" {said} so far." if found.value is not None else "")
    if gate.trusted:
        return f"<b>Trusted</b>: {said}, above {gate.threshold:g}. All later blind draws prefer what resembles them."
    return f"<b>Not trusted</b>: {said}, not above {gate.threshold:g}. All later blind draws are uniform."


def _first(gate: Gate, experiment: ExperimentRecord) -> tuple[Figure, int]:
    """Return the figure, and how many points lie outside its range."""
    by_id = {trial.id: trial for trial in experiment.trials}
    points = _points([by_id[i] for i in gate.trials], gate.z, gate.values, "the first trials", figures.ORANGE, 9)
    return _against("z", [points], gate.values, experiment)


def _all(guided: Guidance, experiment: ExperimentRecord) -> tuple[Figure, int]:
    """Return the figure, and how many points lie outside its range."""
    done = [trial for trial in experiment.finished if trial.id in guided.stimuli]
    size = 7 if len(done) <= 200 else 5
    traces = []
    for blind, name, color in ((True, "random phase", figures.GREY), (False, "search", figures.BLUE)):
        members = [trial for trial in done if (trial.phase == "initial") is blind]
        scores, values = [guided.stimuli[trial.id] for trial in members], [trial.metric or 0.0 for trial in members]
        if members:
            traces.append(_points(members, scores, values, name, color, size))
    return _against("S", traces, [trial.metric or 0.0 for trial in done], experiment)


def _against(
    name: str, traces: list[Figure], values: Sequence[float], experiment: ExperimentRecord
) -> tuple[Figure, int]:
    y_range, outside = figures.metric_range(values, maximize=experiment.maximize)
    y_axis: Figure = {"title": figures.title("metric"), "range": y_range}
    return figures.figure(traces, x={"title": figures.title(name)}, y=y_axis, height=320), outside


def _points(
    trials: Sequence[TrialRecord], x: Sequence[float], y: Sequence[float], name: str, color: str, size: int
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "showlegend": True,
        "x": list(x),
        "y": list(y),
        "marker": {"color": color, "size": size, "opacity": 0.75},
        "hovertext": [hover(trial) for trial in trials],
        "hoverinfo": "text",
    }

"""Several searches side by side: metric against cost with the Pareto front of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.report import figures, html
from nni_strategies.report.costs import cost_axis, cost_names, cost_of, cost_title, pareto_front
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure
from nni_strategies.report.locate import SHAPING, find_journal
from nni_strategies.report.records import ExperimentRecord, read_experiment, read_journal

_COLORS = (figures.BLUE, figures.ORANGE, figures.GREEN, "#8d7bb8", figures.RED, figures.MUTED)


def read_others(names: Sequence[str], own: ExperimentRecord, directory: Path | str | None) -> list[ExperimentRecord]:
    """Read what an experiment is compared with.

    Parameters
    ----------
    names
        NNI's ids, folders of experiments, or journals.
    own
        The experiment.
    directory
        Where experiments are that are given by their ids.

    Raises
    ------
    InvalidArgument
        There is no such experiment, it optimizes in the other direction, or there are more than can be told apart.
    DataMissing, JournalError
        Its files cannot be read.
    """
    if len(names) >= len(_COLORS):
        raise InvalidArgument("compare", list(names), f"at most {len(_COLORS) - 1} experiments")
    others = [_read(name, directory) for name in names]
    for name, other in zip(names, others, strict=True):
        if other.maximize != own.maximize:
            direction = "maximizes" if own.maximize else "minimizes"
            raise InvalidArgument("compare", name, f"an experiment that {direction}, as {own.id} does")
    return others


def _read(name: str, directory: Path | str | None) -> ExperimentRecord:
    path = Path(name)
    if path.is_dir():
        folder = path.resolve()
        if (folder / "db" / "nni.sqlite").exists():
            return read_experiment(folder.name, folder)
        journal = find_journal(folder) or find_journal(folder, SHAPING)
        if journal is None:
            raise DataMissing(f"{path} has neither db/nni.sqlite nor a journal")
        return read_journal(journal)
    return read_journal(path) if path.is_file() else read_experiment(name, directory)


def comparison(experiment: ExperimentRecord, others: Sequence[ExperimentRecord]) -> str:
    """Return the section."""
    compared = [one for one in (experiment, *others) if one.finished]
    named = {name: None for one in compared for name in cost_names(one.finished)}
    costs = [name for name in named if sum(name in cost_names(one.finished) for one in compared) > 1]
    lead = "Each search in its own colour, its line the Pareto front: what no other trial of it beats in both respects."
    titles = _titles(compared)
    drawn = "".join(
        html.figure(_figure(compared, titles, name), f"metric against {name} of {len(compared)} searches")
        for name in costs
    )
    if not costs:
        lead = "They report no cost in common, so there are no fronts to compare."
    columns = ["search", "trials", "best metric", *(f"on the joint front: {cost_title(name)}" for name in costs)]
    shares = [_shares(compared, name) for name in costs]
    rows = [
        [
            f'<span class="key"><i style="background:{color}"></i>{escape(titles[i])}</span>',
            f"{len(one.finished):,}",
            f"<b>{html.text(one.ranked[0].metric)}</b>",
            *(share[i] for share in shares),
        ]
        for i, (one, color) in enumerate(zip(compared, _COLORS, strict=False))
    ]
    listed = html.table(columns, rows, classes=["", "n", "n", *["n"] * len(costs)])
    said = "The joint front is that of all searches together; a point that several found counts for each of them."
    note = f'<p class="note">{said}</p>' if costs else ""
    pair = f'<div class="pair">{drawn}</div>'
    return html.section("compare", "Compared with other searches", lead, pair, listed, note)


def _titles(compared: Sequence[ExperimentRecord]) -> list[str]:
    """Return a name for each: with its id where names are the same."""
    names = [one.name for one in compared]
    said = []
    for one in compared:
        name = one.name if names.count(one.name) == 1 else f"{one.name} {one.id}"
        mode = one.config.get("mode")
        said.append(f"{name} ({one.algorithm}{f', {mode}' if isinstance(mode, str) else ''})")
    return said


def _costed(one: ExperimentRecord, name: str) -> list[tuple[float, float, Any]]:
    """Return cost, metric and trial of all that report both."""
    known = [(cost_of(trial, name), trial.metric, trial) for trial in one.finished]
    return [(cost, metric, trial) for cost, metric, trial in known if cost is not None and metric is not None]


def _front(points: Sequence[tuple[float, float, Any]], *, maximize: bool) -> list[tuple[float, float, Any]]:
    found = pareto_front([cost for cost, _, _ in points], [metric for _, metric, _ in points], maximize=maximize)
    return [points[i] for i in found]


def _shares(compared: Sequence[ExperimentRecord], name: str) -> list[str]:
    """Return how many points of the front of all searches together each has found."""
    each = [_costed(one, name) for one in compared]
    maximize = compared[0].maximize
    joint = {(cost, metric) for cost, metric, _ in _front([p for points in each for p in points], maximize=maximize)}
    return [f"{len(joint & {(c, m) for c, m, _ in points})} of {len(joint)}" if points else "–" for points in each]


def _figure(compared: Sequence[ExperimentRecord], titles: Sequence[str], name: str) -> Figure:
    traces: list[Figure] = []
    lines: list[Figure] = []
    costs: list[float] = []
    values: list[float] = []
    for one, title, color in zip(compared, titles, _COLORS, strict=False):
        points = _costed(one, name)
        if not points:
            continue
        costs += [cost for cost, _, _ in points]
        values += [metric for _, metric, _ in points]
        drawn = _trace(points, title)
        marker = {"color": color, "size": 5, "opacity": 0.3}
        traces.append({**drawn, "mode": "markers", "marker": marker, "showlegend": False})
        front = _trace(_front(points, maximize=one.maximize), title)
        line = {"color": color, "width": 2.5, "shape": "hv"}
        lines.append({**front, "mode": "lines+markers", "line": line, "marker": {"color": color, "size": 7}})
    y_range, _ = figures.metric_range(values, maximize=compared[0].maximize)
    x_axis = cost_axis(name, costs, values, y_range)
    y_axis: Figure = {"title": figures.title("metric"), "range": y_range}
    return figures.figure([*traces, *lines], x=x_axis, y=y_axis, height=400)


def _trace(points: Sequence[tuple[float, float, Any]], title: str) -> Mapping[str, Any]:
    return {
        "type": "scatter",
        "name": title,
        "showlegend": True,
        "x": [cost for cost, _, _ in points],
        "y": [metric for _, metric, _ in points],
        "hovertext": [f"{escape(title)}<br>{hover(trial)}" for _, _, trial in points],
        "hoverinfo": "text",
    }

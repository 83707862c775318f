"""The best architectures, drawn where their labels make a graph, else as a list of choices."""

from __future__ import annotations

from collections import Counter
from html import escape

from nni_strategies.report import html
from nni_strategies.report.best import symbol_path
from nni_strategies.report.drawing import draw
from nni_strategies.report.figures import number
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.topology.cells import Loose, cells_of
from nni_strategies.topology.graph import TopologyGraph

_SHOWN = 3
_LISTED = 10
_MOST_GRAPHS = 2_000  # canonical graphs take about 0.1 ms each
_CONCAT_ALL = ("DARTS", "ENAS")


def canonical_cells(experiment: ExperimentRecord, trial: TrialRecord) -> dict[str, TopologyGraph]:
    """Return a trial's cells in canonical form; empty when its labels make no graph."""
    cells = cells_of(trial.configuration, concat=concat_of(experiment))
    return {name: cell.canonical() for name, cell in cells.items()}


def concat_of(experiment: ExperimentRecord) -> Loose:
    """Return which nodes make up the output of a cell of NNI's, which its labels do not say."""
    path = symbol_path((experiment.model_space or {}).get("model_symbol", ""))
    return "all" if path.rpartition(".")[2] in _CONCAT_ALL else "loose_end"


def architectures(experiment: ExperimentRecord) -> str:
    """Return the best distinct architectures drawn, and a table of the best trials."""
    cards: list[str] = []
    shown: list[dict[str, TopologyGraph]] = []
    for trial in experiment.ranked:
        cells = canonical_cells(experiment, trial)
        if cells and cells in shown:
            continue
        shown.append(cells)
        cards.append(_card(experiment, trial, cells, len(shown)))
        if len(shown) == _SHOWN:
            break
    reported = [name for name in experiment.ranked[0].metrics if name != "default"]
    names = sorted(reported, key=lambda name: name not in ("P", "TG"))[:5]  # what a teacher said comes first
    rows = [
        [str(i), f"trial {trial.id}", f"<b>{html.text(trial.metric)}</b>"]
        + [html.text(trial.metrics[name]) if name in trial.metrics else "–" for name in names]
        + [escape(_compact(trial))]
        for i, trial in enumerate(experiment.ranked[:_LISTED], start=1)
    ]
    columns = ["", "", "metric", *names, "configuration"]
    listed = html.table(columns, rows, classes=["n", "", "n", *["n"] * len(names), "wide mono"])
    parts = [*cards, html.fold(f"The best {len(rows)} trials as a table", listed)]
    title = "Best architectures" if shown[0] else "Best configurations"
    return html.section("architectures", title, _lead(experiment, bool(shown[0])), *parts, long=True)


def _card(experiment: ExperimentRecord, trial: TrialRecord, cells: dict[str, TopologyGraph], rank: int) -> str:
    facts = [f"{escape(name)} {html.text(value)}" for name, value in trial.metrics.items() if name != "default"]
    head = f"<b>{html.text(trial.metric)}</b><span>#{rank}, trial {trial.id}</span>"
    head += f'<span class="facts">{" · ".join(facts[:6])}</span>'
    drawings = "".join(
        f'<figure><div class="scroll">{draw(cell, f"cell {name} of trial {trial.id}")}</div>'
        f"{f'<figcaption>{escape(name)}</figcaption>' if len(cells) > 1 else ''}</figure>"
        for name, cell in cells.items()
    )
    choices = html.chips(trial.configuration)
    if len(trial.configuration) > 12 and cells:
        choices = html.fold(f"{len(trial.configuration)} choices", choices)
    body = (f'<div class="cells">{drawings}</div>' if drawings else "") + choices
    return f'<article class="architecture"><header>{head}</header>{body}</article>'


def _lead(experiment: ExperimentRecord, drawn: bool) -> str:
    if not drawn:
        return "Their labels describe no graph that could be drawn."
    lead = (
        "What is computed, from left to right: zero operations and what only they feed are cut, skips are drawn as "
        "lines, + is a sum and ‖ a concatenation."
    )
    graphs = [frozenset(canonical_cells(experiment, t).items()) for t in experiment.finished[:_MOST_GRAPHS]]
    repeated = sum(count - 1 for count in Counter(graphs).values())
    if repeated:
        lead += f" {repeated} of {len(graphs)} trials turned out to be the same network as an earlier one."
    return lead


def _compact(trial: TrialRecord) -> str:
    return ", ".join(f"{label}: {number(value)}" for label, value in trial.configuration.items())

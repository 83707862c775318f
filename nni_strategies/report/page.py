"""One self-contained HTML page about an experiment: no network, no server, readable on a phone and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

from nni_strategies.report import figures, html
from nni_strategies.report.architectures import architectures
from nni_strategies.report.compare import comparison
from nni_strategies.report.costs import against_cost, cost_names
from nni_strategies.report.curves import learning_curves, progress, timeline
from nni_strategies.report.effects import effect_figure, effects
from nni_strategies.report.figures import duration, number
from nni_strategies.report.irlas import Guidance, guidance
from nni_strategies.report.irlas_gate import gate_section
from nni_strategies.report.irlas_networks import imitation, networks_section
from nni_strategies.report.irlas_reward import reward_section
from nni_strategies.report.nat import Transformations, transformations
from nni_strategies.report.nat_critic import critic_section
from nni_strategies.report.nat_gains import arrows_section, gains_section
from nni_strategies.report.nat_pairs import transformations_section
from nni_strategies.report.rdm_pictures import details_sections
from nni_strategies.report.records import ExperimentRecord
from nni_strategies.report.summary import footer, head, numbers
from nni_strategies.report.teacher import teacher_sections
from nni_strategies.report.teacher_files import TeacherDetails
from nni_strategies.report.tree import tree_figure, tree_nodes

_MOST_EFFECTS = 24
_MOST_ROWS = 1_000
_FEW_NODES = 40

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
{scripts}
</body>
</html>
"""


def render_page(
    experiment: ExperimentRecord,
    tree: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    details: TeacherDetails | None = None,
    others: Sequence[ExperimentRecord] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    experiment
        The records.
    tree
        The searcher's tree as nested ``{size, visits, mean, split, children}``; its section is left out when None.
    notes
        What could not be shown, and why.
    details
        How the layers of a candidate resemble a teacher's.
    others
        Experiments it is compared with.

    Raises
    ------
    JournalError
        The experiments' journal names experts that make no graphs.
    """
    guided = guidance(experiment)
    warning = imitation(guided, experiment) if guided else None
    notes = [*notes, *([warning] if warning else [])]
    found = transformations(experiment)
    parts = [head(experiment), numbers(experiment, found)]
    parts += [f'<section class="warning"><p>{escape(note)}</p></section>' for note in notes]
    if experiment.finished:
        sections = [
            _progress(experiment),
            *_nat(experiment, found),
            architectures(experiment),
            *_irlas(experiment, guided),
            _costs(experiment),
            comparison(experiment, others) if others else "",
            *_teacher(experiment, details),
            _effects(experiment),
            _curves(experiment),
            _timeline(experiment),
            _tree(tree),
            _trials(experiment),
        ]
    else:
        sections = [
            html.section("progress", "No result yet", "The page fills when the first trial reports its final result."),
            _timeline(experiment),
            _trials(experiment),
        ]
    parts += [*filter(None, sections), footer(experiment)]
    return document(f"{experiment.name} · {experiment.id}", parts)


def document(title: str, parts: Sequence[str]) -> str:
    """Return a whole page: its title as text, and its parts, which are HTML already."""
    scripts = [_plotly(), _own("page.js")]
    return _PAGE.format(
        title=escape(title),
        style=_own("style.css"),
        body="\n".join(parts),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # 4.8 MB of text: read only when a page is made

    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _own(name: str) -> str:
    return (resources.files("nni_strategies.report") / name).read_text(encoding="utf-8")


def _progress(experiment: ExperimentRecord) -> str:
    drawn, outside = progress(experiment)
    blind = any(trial.phase == "initial" for trial in experiment.finished)
    band = "; the grey band is the random phase" if blind else ""
    lead = f"Each point is a trial, the line the best so far{band}."
    said = f"{outside} poor results lie outside the range (triangles); double-click to see all."
    note = f'<p class="note">{said}</p>' if outside else ""
    shown = html.figure(drawn, "metric of each trial and best so far")
    return html.section("progress", "Progress", lead, shown, note)


def _costs(experiment: ExperimentRecord) -> str:
    names = cost_names(experiment.finished)
    if not names:
        return ""
    lead = "Upper left is better." if experiment.maximize else "Lower left is better."
    lead += " No trial beats one on the Pareto front in both respects."
    drawn = "".join(html.figure(against_cost(experiment, name), f"metric against {name}") for name in names)
    return html.section("cost", "Metric against cost", lead, f'<div class="pair">{drawn}</div>')


def _irlas(experiment: ExperimentRecord, guided: Guidance | None) -> list[str]:
    if guided is None:
        return []
    gate = gate_section(guided, guided.gate, experiment) if guided.gate else ""
    return [networks_section(guided, experiment), gate, reward_section(guided, experiment)]


def _nat(experiment: ExperimentRecord, found: Transformations | None) -> list[str]:
    if found is None:
        return []
    sections = (transformations_section, gains_section, critic_section, arrows_section)
    return [section(found, experiment) for section in sections]


def _teacher(experiment: ExperimentRecord, details: TeacherDetails | None) -> list[str]:
    sections = teacher_sections(experiment)
    if sections and details is None:
        lead = "Not shown: no trial left its files here. Trials on other machines keep theirs."
        return [*sections, html.section("layers", "Which layers match", lead)]
    return [*sections, *details_sections(details)]


def _effects(experiment: ExperimentRecord) -> str:
    found = effects(experiment)
    if not found or len(experiment.finished) < 3:
        return ""
    values = [trial.metric for trial in experiment.finished if trial.metric is not None]
    y_range, _ = figures.metric_range(values, maximize=experiment.maximize)
    shown = ""
    for effect in found[:_MOST_EFFECTS]:
        drawn = html.figure(effect_figure(effect, y_range, maximize=experiment.maximize), f"effect of {effect.label}")
        shown += f'<div class="effect"><h3>{escape(effect.label)}<span>explains {effect.explained:.0%}</span></h3>'
        shown += f'<div class="meter"><i style="width:{100 * effect.explained:.0f}%"></i></div>{drawn}</div>'
    lead = (
        "The metric by the value of one choice, best mean first; the dashed line is the mean, the number in brackets "
        "counts the trials. “Explains” is the share of the metric’s rank variance between values, corrected for their "
        "number; a search looks where it is good, so read it as a hint, not as a cause."
    )
    rest = len(found) - _MOST_EFFECTS
    note = f'<p class="note">{rest} choices with less effect are not drawn.</p>' if rest > 0 else ""
    return html.section("effects", "Effect of each choice", lead, f'<div class="many">{shown}</div>', note, long=True)


def _curves(experiment: ExperimentRecord) -> str:
    drawn = learning_curves(experiment)
    lead = "What trials reported on the way; the five best in colour."
    return "" if drawn is None else html.section("curves", "Training curves", lead, html.figure(drawn, "curves"))


def _timeline(experiment: ExperimentRecord) -> str:
    drawn = timeline(experiment)
    lead = "When each trial ran. Gaps in a row are time in which nothing was trained there."
    return "" if drawn is None else html.section("time", "Trials over time", lead, html.figure(drawn, "trials in time"))


def _tree(tree: dict[str, Any] | None) -> str:
    if tree is None:
        return ""
    nodes = tree_nodes(tree)
    lead = (
        "How the search divides what it has seen. Width is the number of trials, colour their mean value as the search "
        "sees it; each split is learned, its good side comes first."
    )
    rows = [
        [
            f'<span style="padding-left:{14 * node.depth}px">{escape(node.name)}</span>',
            str(node.size),
            "–" if node.mean is None else html.text(node.mean),
            "–" if node.visits is None else str(node.visits),
            escape(node.split) or "leaf",
        ]
        for node in nodes
    ]
    columns = ["node", "trials", "mean", "visits", "split: features and weights"]
    listed = html.table(columns, rows, classes=["", "n", "n", "n", "wide mono"])
    drawn = html.figure(tree_figure(nodes), "the search tree")
    every = html.fold(f"All {len(nodes)} nodes", listed, opened=len(nodes) <= _FEW_NODES)
    return html.section("tree", "Search tree", lead, drawn, every, long=True)


def _trials(experiment: ExperimentRecord) -> str:
    if not experiment.trials:
        return ""
    shown = experiment.trials[:_MOST_ROWS]
    rows = [
        [
            str(trial.id),
            escape(", ".join(trial.nni_ids)) or "–",
            escape(trial.status),
            escape(trial.phase),
            "–" if trial.metric is None else html.text(trial.metric),
            duration(trial.ended - trial.started if trial.ended and trial.started else None),
            escape(trial.failure or ", ".join(f"{k}: {number(v)}" for k, v in trial.configuration.items())),
        ]
        for trial in shown
    ]
    columns = ["trial", "NNI id", "status", "phase", "metric", "time", "configuration, or why it failed"]
    listed = html.table(columns, rows, classes=["n", "mono", "", "", "n", "n", "wide mono"])
    name = f"All {len(experiment.trials):,} trials" if len(rows) == len(experiment.trials) else f"First {_MOST_ROWS:,}"
    return html.section("trials", "Trials", "", html.fold(name, listed), long=True)

"""Inputs and outputs of NAT: what became of each in numbers, and the cells before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any

from nni_strategies.report import html
from nni_strategies.report.architectures import concat_of
from nni_strategies.report.drawing import tidy
from nni_strategies.report.figures import number
from nni_strategies.report.nat import PHASES, Transformations, Transformed
from nni_strategies.report.nat_cells import CellPair, cell_pairs, draw_pair
from nni_strategies.report.records import ExperimentRecord

_DRAWN = 3
_ROWS = 12
_CELLS = 4  # of one input
_WIDE = 660  # pixels: two drawings stand side by side up to here

_COLUMNS = ("input", "trials", "metric", "gain", "MAdds", "parameters", "changed edges", "outputs tried", "failed")


def transformations_section(found: Transformations, experiment: ExperimentRecord) -> str:
    """Return the section."""
    rest = [one for one in found.inputs if one.gain is None]
    rows = [_row(one, found) for one in (*found.measured, *rest)]
    kinds = ["n", "n line", "n line", "n", "n line", "n line", "n", "n", "n"]
    listed = html.table(_COLUMNS, rows[:_ROWS], classes=kinds)
    if len(rows) > _ROWS:
        more = html.table(_COLUMNS, rows[_ROWS:], classes=kinds)
        listed += html.fold(f"The other {len(rows) - _ROWS} inputs", more)
    changed = [one for one in found.measured if one.changed] or [one for one in rest if one.changed]
    cards = "".join(_card(one, found, experiment) for one in changed[:_DRAWN])
    lead = (
        "NAT replaces operations of a given architecture, the input; where edges go stays. The output is the best that "
        "was evaluated of all the input can become, itself among them, and of equally good ones the cheapest: it is "
        "never worse. Sorted by gain."
    )
    said = f"<p>{summary(found)}</p>"
    note = f'<p class="note">{_costs_note(found, experiment)}</p>'
    largest = f'<h3 class="apart">Before and after</h3><p class="lead">The largest gains. {LEGEND}</p>{cards}'
    drawn = largest if cards else ""
    return html.section("transformed", "Inputs and outputs", lead, said, listed, note, drawn, long=True)


LEGEND = (
    "Data flows downwards. A changed operation has a heavy frame, and below its name what it "
    "becomes or was. What carries nothing is dashed: a null, and what only nulls feed or read."
)


def summary(found: Transformations) -> str:
    """Return means over inputs, and what they took, as HTML."""
    known = found.measured
    counts = {phase: sum(one.phase == phase for one in found.proposals) for phase in PHASES}
    done = sum(one.trial.metric is not None for one in found.proposals)
    failed = sum(one.failed for one in found.proposals)
    kinds = ", ".join(_counted(counts[phase], phase) for phase in PHASES if counts[phase] or phase != "import")
    spent = f"{_counted(done, 'evaluation')} in all, {_counted(failed, 'failure')}; proposed were {kinds}."
    if not known:
        return f"No input is measured yet: its gain is known then. {spent}"
    parts = [f"{fmean(one.gain or 0.0 for one in known):+.4g} metric"]
    if has_costs(found):
        parts += [f"{_mean_change(known, i)} {name}" for i, name in enumerate(("MAdds", "parameters"))]
    better = sum((one.gain or 0.0) > 0 for one in known)
    cheaper = sum(not one.gain and one.cost < one.cost_before for one in known)
    also = f", {cheaper} cheaper and as good" if cheaper else ""
    means = f"On average over {_counted(len(known), 'measured input')}: <b>{'</b>, <b>'.join(parts)}</b>."
    return f"{means} {better} of them became better{also}. {spent}"


def has_costs(found: Transformations) -> bool:
    """Whether anything costs anything."""
    return any(sum(one.parent_cost) > 0 for one in found.proposals)


def _counted(n: int, word: str) -> str:
    plural = "queries" if word == "query" else f"{word}s"
    return f"{n:,} {word if n == 1 else plural}"


def _mean_change(known: Sequence[Transformed], part: int) -> str:
    return percent(fmean(_change(one, part) for one in known))


def _change(one: Transformed, part: int) -> float:
    before = one.cost_before[part]
    return one.cost[part] / before - 1.0 if before else 0.0


def percent(share: float) -> str:
    """Return a relative change: ``−12 %``, ``±0 %``."""
    whole = round(100 * share)
    return f"{'+' if whole > 0 else '−' if whole < 0 else '±'}{abs(whole)} %"


def amount(value: float) -> str:
    """Return a cost as people write it: ``528.4 M``, ``3.349 M``, ``12.5 k``, ``96``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return number(value)


def _row(one: Transformed, found: Transformations) -> list[str]:
    trials = "–" if one.trial is None else str(one.trial.id)
    costs = [_cost(one, part) if has_costs(found) else "–" for part in (0, 1)]
    return [
        str(one.number),
        trials if one.best is None else f"{trials} → {one.best.trial.id}",
        _metrics(one),
        f"<b>{_gain(one)}</b>",
        *costs,
        str(len(one.changed)),
        str(one.n_outputs),
        str(one.n_failed) if one.n_failed else "–",
    ]


def _gain(one: Transformed) -> str:
    return "–" if one.gain is None else f"{one.gain:+.4g}" if one.gain else "0"


def _metrics(one: Transformed) -> str:
    before = "–" if one.metric_before is None else html.text(one.metric_before)
    return before if one.best is None else f"{before} → {html.text(one.metric)}"


def _cost(one: Transformed, part: int) -> str:
    before, after = one.cost_before[part], one.cost[part]
    return amount(before) if before == after else f"{amount(before)} → {amount(after)} ({percent(_change(one, part))})"


def _costs_note(found: Transformations, experiment: ExperimentRecord) -> str:
    if not has_costs(found):
        return "What operations cost is not known in this search."
    if experiment.config.get("costs") is not None:
        return "Costs are those of the operations alone, as they were given."
    return "Costs are nominal: all chosen operations count, those too that carry nothing."


def _card(one: Transformed, found: Transformations, experiment: ExperimentRecord) -> str:
    facts = [f"input {one.number}", f"metric {_metrics(one)}"]
    if has_costs(found):
        facts += [f"{name} {_cost(one, part)}" for part, name in enumerate(("MAdds", "parameters"))]
    head = f"<b>{_gain(one)}</b><span>{facts[0]}</span><span class='facts'>{' · '.join(facts[1:])}</span>"
    pairs = [pair for pair in cell_pairs(one.before, one.after, concat_of(experiment)) if pair.changed]
    return f'<article class="architecture"><header>{head}</header>{drawn_pairs(pairs)}{changes(one.changed)}</article>'


def drawn_pairs(pairs: Sequence[CellPair]) -> str:
    """Return cells before and after, side by side; the first few of many."""
    body = "".join(_pair(pair, many=len(pairs) > 1) for pair in pairs[:_CELLS])
    if len(pairs) > _CELLS:
        body += f'<p class="note">{len(pairs) - _CELLS} more cells were changed and are not drawn.</p>'
    return body


def _pair(pair: CellPair, *, many: bool) -> str:
    first, second, width = draw_pair(pair)
    name = f", {escape(pair.name)}" if many else ""
    drawn = "".join(
        f'<figure><figcaption>{when}{name}</figcaption><div class="scroll">{svg}</div></figure>'
        for when, svg in (("before", first), ("after", second))
    )
    return f'<div class="beside{" wide" if width > _WIDE else ""}">{drawn}</div>'


def changes(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """Return what was changed, in words: label -> operation before and after."""
    pairs = "".join(
        f"<span><i>{escape(label)}</i>{_word(old)} → {_word(new)}</span>" for label, (old, new) in changed.items()
    )
    return f'<div class="chips mono">{pairs}</div>'


def _word(operation: Any) -> str:
    return escape(tidy(str(operation)))

"""One architecture before and after NAT as a page of its own: drawn with its changes, costs and scores, the search.

It is made of what :meth:`~nni_strategies.nat.transform.TransformResult.to_json` says, so a file of that is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nni_strategies.report import figures, html
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.nat_cells import cell_pairs
from nni_strategies.report.nat_gains import idle_at_the_end, queries_band
from nni_strategies.report.nat_pairs import LEGEND, amount, changes, drawn_pairs, percent
from nni_strategies.report.page import document

_COSTS = (("madds", "MAdds"), ("params", "parameters"))


def transform_page(told: Mapping[str, Any], title: str, more: Sequence[Sequence[str]] = ()) -> str:
    """Return the page.

    Parameters
    ----------
    told
        The result of a transformation, as JSON types.
    title
        Its heading.
    more
        Further rows about both architectures, such as accuracies alone: name, before, after.
    """
    rows = [(name, *(amount(told[f"cost_{when}"][key]) for when in ("before", "after"))) for key, name in _COSTS]
    rows = [(*row, _change(told, key)) for row, (key, _) in zip(rows, _COSTS, strict=True)]
    scores = told["score_before"], told["score_after"]
    rows.append(("score", *("not known" if score is None else number(score) for score in scores), _gain(*scores)))
    rows += [(escape(name), escape(before), escape(after), "") for name, before, after in more]
    numbers = html.table(("", "before", "after", "change"), rows, classes=["", "n", "n", "n"])
    spent = f"{told['evaluations']:,} architectures were scored."
    parts = [f"<h1>{escape(title)}</h1>", html.section("numbers", "In numbers", spent, numbers)]
    return document(title, [*parts, _drawn(told), _curve(told)])


def _drawn(told: Mapping[str, Any]) -> str:
    before, after = told["before"], told["after"]
    changed = {label: (value, after[label]) for label, value in before.items() if value != after[label]}
    if not changed:
        return html.section("changed", "Before and after", "Nothing better was found: nothing was changed.")
    pairs = [pair for pair in cell_pairs(before, after) if pair.changed]
    card = f'<article class="architecture">{drawn_pairs(pairs)}{changes(changed)}</article>'
    return html.section("changed", "Before and after", LEGEND if pairs else "", card, long=True)


def _curve(told: Mapping[str, Any]) -> str:
    if told["score_before"] is None or not told.get("scores"):
        return ""
    lead = (
        "The gain is how much better the best is that was scored so far. The architecture itself is scored after the "
        "queries, which the grey band holds, so gains before are hindsight."
    )
    figure = html.figure(gain_figure(told), "gain by evaluations")
    return html.section("gain", "Gain against evaluations", lead, figure, _outlook(told.get("outlook") or []))


def _outlook(rounds: Sequence[float]) -> str:
    """Return whether the last round of queries was worth it, as far as the critic can tell; nothing of none."""
    if idle := idle_at_the_end(rounds):
        last = "last round" if idle == 1 else f"last {idle} rounds"
        return f"<p>In the {last} of queries nothing that it may become was worth one: fewer would have done.</p>"
    told = "When the last round of queries began, the critic still saw outputs that might be better than all it knew."
    return f"<p>{told}</p>" if rounds else ""


def gain_figure(told: Mapping[str, Any]) -> Figure:
    """Draw the gain by the number of scores."""
    best, gains = 0.0, [0.0]
    for score in told["scores"]:
        best = max(best, score - told["score_before"])
        gains.append(best)
    line = {"color": figures.ORANGE, "width": 3, "shape": "hv"}
    trace: Figure = {"x": list(range(len(gains))), "y": gains, "mode": "lines", "line": line, "name": "gain"}
    trace |= {"type": "scatter", "hovertemplate": "after %{x}: %{y:.4g}<extra></extra>", "showlegend": False}
    x_axis: Figure = {"title": figures.title("evaluations"), "range": [0, len(gains) - 0.5]}
    band = queries_band(told["queried"] + 0.5) if told.get("queried") else {}
    return figures.figure([trace], x=x_axis, y={"title": figures.title("gain"), "rangemode": "tozero"}, **band)


def _change(told: Mapping[str, Any], key: str) -> str:
    before, after = told["cost_before"][key], told["cost_after"][key]
    return percent(after / before - 1.0) if before else ""


def _gain(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{after - before:+.4g}"

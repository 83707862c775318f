"""What NAT gained against what it took: gain by the number of evaluations, and metric by cost before and after."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nni_strategies.report import figures, html
from nni_strategies.report.costs import cost_axis
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.nat import Transformations, Transformed
from nni_strategies.report.nat_pairs import amount, has_costs
from nni_strategies.report.records import ExperimentRecord

_LINES = 30

Step = tuple[int, float]  # after how many results a gain is how much


def gains_section(found: Transformations, experiment: ExperimentRecord) -> str:
    """Return the section; nothing before a gain is known."""
    if not found.measured:
        return ""
    lead = (
        "The gain of an input is how much better the best is of its outputs that were evaluated so far. A trial counts "
        "for each input that it is an output of. Inputs are measured after the queries, so gains before are hindsight."
    )
    curve = html.figure(gain_curve(found, experiment), "gain against evaluations")
    note = f'<p class="note">{_LINES} of {len(found.measured)} inputs are drawn, all are in the mean.</p>'
    more = note if len(found.measured) > _LINES else ""
    told = outlook_line([one.outlook for one in found.proposals if one.outlook is not None])
    return html.section("gain", "Gain against evaluations", lead, curve, more, f"<p>{told}</p>" if told else "")


def outlook_line(outlooks: Sequence[float]) -> str:
    """Return whether there was something left to learn, from the outlook of each query in order; nothing of none."""
    if not outlooks:
        return ""
    if idle := idle_at_the_end(outlooks):
        return f"For the last {idle} queries no input had an output that was worth one: fewer would have done."
    share = round(100 * outlooks[-1])
    return f"When the last query was chosen, of inputs drawn at random {share} % had an output worth one."


def idle_at_the_end(outlooks: Sequence[float]) -> int:
    """Return for how long nothing was worth a query, to the end."""
    return len(list(itertools.takewhile(lambda share: share == 0, reversed(outlooks))))


def gain_curve(found: Transformations, experiment: ExperimentRecord) -> Figure:
    """Draw the gain of each input and the mean over inputs, by the number of results."""
    order = {trial.id: place for place, trial in enumerate(experiment.finished, start=1)}
    n = len(order)
    steps = gain_steps(found, experiment)
    traces: list[Figure] = [
        {
            **_line([*(place for place, _ in line), n], [*(gain for _, gain in line), line[-1][1]], figures.GREY, 1),
            "name": "each input",
            "showlegend": i == 0,
            "legendgroup": "each",
            "hovertemplate": f"input {number}, after %{{x}}: %{{y:.4g}}<extra></extra>",
        }
        for i, (number, line) in enumerate(list(steps.items())[:_LINES])
    ]
    traces.append(
        {
            **_line(list(range(n + 1)), mean_gains(list(steps.values()), n), figures.ORANGE, 3),
            "name": f"mean over {len(steps)} inputs" if len(steps) > 1 else "the input",
            "showlegend": True,
            "hovertemplate": "mean after %{x}: %{y:.4g}<extra></extra>",
        }
    )
    queries = [order[one.trial.id] for one in found.proposals if one.phase == "query" and one.trial.id in order]
    band = queries_band(max(queries) + 0.5) if queries else {}
    x_axis: Figure = {"title": figures.title("evaluations"), "range": [0, n + 0.5]}
    return figures.figure(traces, x=x_axis, y={"title": figures.title("gain"), "rangemode": "tozero"}, **band)


def gain_steps(found: Transformations, experiment: ExperimentRecord) -> dict[int, list[Step]]:
    """Return how the gain of each measured input rose, those of the largest gain first."""
    sign = 1.0 if experiment.maximize else -1.0
    own = {one.number: one.metric_before or 0.0 for one in found.measured}
    output_of = {one.trial.id: one.output_of for one in found.proposals}
    steps: dict[int, list[Step]] = {number: [(0, 0.0)] for number in own}
    for place, trial in enumerate(experiment.finished, start=1):
        for one in output_of.get(trial.id, frozenset()) & own.keys():
            gain = sign * ((trial.metric or 0.0) - own[one])
            if gain > steps[one][-1][1]:
                steps[one].append((place, gain))
    return steps


def mean_gains(lines: Sequence[Sequence[Step]], n: int) -> list[float]:
    """Return the mean gain after 0, 1, …, `n` results."""
    rises = [0.0] * (n + 1)
    for line in lines:
        for (_, before), (place, gain) in itertools.pairwise(line):
            rises[place] += (gain - before) / len(lines)
    return list(itertools.accumulate(rises))


def _line(x: Sequence[float], y: Sequence[float], color: str, width: float) -> Figure:
    line = {"color": color, "width": width, "shape": "hv"}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": line}


def queries_band(end: float) -> Figure:
    """Return what marks the queries in a layout, up to a number of evaluations."""
    shape = {"type": "rect", "xref": "x", "yref": "paper", "x0": 0, "x1": end, "y0": 0, "y1": 1}
    text = {"x": 0, "xref": "x", "yref": "paper", "text": "queries", "showarrow": False, "y": 1}
    font = {"size": 11, "color": figures.MUTED}
    return {
        "shapes": [{**shape, "fillcolor": figures.BAND, "line": {"width": 0}, "layer": "below"}],
        "annotations": [{**text, "xanchor": "left", "yanchor": "top", "font": font}],
    }


def arrows_section(found: Transformations, experiment: ExperimentRecord) -> str:
    """Return metric against cost with an arrow from each input to its output; nothing where costs are not known."""
    moved = [one for one in found.measured if one.best is not None]
    if not moved or not has_costs(found):
        return ""
    lead = "An arrow leads from an input to its output. Upward is better and to the left is cheaper."
    if not experiment.maximize:
        lead = "An arrow leads from an input to its output. Downward is better and to the left is cheaper."
    names = ("MAdds", "parameters")
    drawn = "".join(
        html.figure(_arrows(found, moved, part, name, experiment), f"metric against {name}")
        for part, name in enumerate(names)
    )
    same = len(found.measured) - len(moved)
    note = f'<p class="note">Circles without an arrow are inputs that stayed as they are: {same}.</p>' if same else ""
    return html.section("moves", "Metric and cost, before and after", lead, f'<div class="pair">{drawn}</div>', note)


def _arrows(
    found: Transformations, moved: Sequence[Transformed], part: int, name: str, experiment: ExperimentRecord
) -> Figure:
    measured = found.measured
    lines: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "output (arrow head)",
        "showlegend": True,
        "x": [x for one in moved for x in (one.cost_before[part], one.cost[part], None)],
        "y": [y for one in moved for y in (one.metric_before, one.metric, None)],
        "line": {"color": figures.BLUE, "width": 1.5},
        "marker": {
            "color": figures.BLUE,
            "symbol": ["circle", "arrow", "circle"] * len(moved),
            "size": [0, 13, 0] * len(moved),
            "angleref": "previous",
            "opacity": 1,
        },
        "hovertext": [text for one in moved for text in ("", _said(one), "")],
        "hoverinfo": "text",
    }
    inputs: Figure = {
        "type": "scatter",
        "mode": "markers",
        "name": "input",
        "showlegend": True,
        "x": [one.cost_before[part] for one in measured],
        "y": [one.metric_before for one in measured],
        "marker": {"color": figures.MUTED, "size": 8, "symbol": "circle-open", "line": {"width": 1.5}},
        "hovertext": [_said(one) for one in measured],
        "hoverinfo": "text",
    }
    costs = [cost for one in measured for cost in (one.cost_before[part], one.cost[part])]
    values = [value or 0.0 for one in measured for value in (one.metric_before, one.metric)]
    x_axis = cost_axis(name, costs, values, None)
    y_range, _ = figures.metric_range(values, maximize=experiment.maximize, reach=float("inf"))
    return figures.figure([lines, inputs], x=x_axis, y={"title": figures.title("metric"), "range": y_range})


def _said(one: Transformed) -> str:
    lines = [f"<b>input {one.number}</b>", f"metric {number(one.metric_before)} → {number(one.metric)}"]
    for part, name in enumerate(("MAdds", "parameters")):
        lines.append(f"{name} {amount(one.cost_before[part])} → {amount(one.cost[part])}")
    return "<br>".join([*lines, f"{len(one.changed)} edges changed"])

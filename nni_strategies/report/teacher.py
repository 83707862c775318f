"""P against TG of the trials a teacher judged, and how early each tells what the trials reach in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nni_strategies.report import figures, html
from nni_strategies.report.correlation import Correlation, spearman
from nni_strategies.report.curves import hover
from nni_strategies.report.figures import Figure, number
from nni_strategies.report.guided import Guided, RankCurve, guided, rank_curve, value_of
from nni_strategies.report.records import ExperimentRecord, TrialRecord

_LINES = {  # dashed, default lets P be seen below where they are the same
    "P": {"color": figures.BLUE, "symbol": "circle", "dash": "solid"},
    "TG": {"color": figures.GREEN, "symbol": "diamond", "dash": "solid"},
    "default": {"color": figures.ORANGE, "symbol": "square", "dash": "dash"},
}
_FEW_STEPS = 20  # with more, intervals are bands: bars would be a comb


def teacher_sections(experiment: ExperimentRecord) -> list[str]:
    """Return the sections about P and TG; none in an experiment without a teacher."""
    judged = guided(experiment)
    if judged is None:
        return []
    curve = rank_curve(judged)
    if curve is not None and curve.steps == 1 and judged.outcome is None:
        curve = None  # P after the only step against itself
    return [_against(judged), *([] if curve is None else [_curve(judged, curve)])]


def _against(judged: Guided) -> str:
    lead = (
        "P is the performance a trial was judged by, TG how much its layers resemble the teacher’s (1: alike). Where "
        "both say the same, the points lie on a rising line and a teacher adds nothing."
    )
    if not judged.trials:
        said = f"No trial could be scored: tg_ok is 0 in all {judged.unscored}."
        return html.section("teacher", "Performance and teacher", lead, f"<p>{said}</p>")
    drawn = html.figure(against(judged, None), "P against TG, coloured by the reported metric")
    if judged.outcome is not None:
        drawn += html.figure(against(judged, judged.outcome), f"P against TG, coloured by {judged.outcome}")
    rows = [
        [escape(name), _value(found), _interval(found), str(found.n)] for name, found in correlations(judged).items()
    ]
    columns = ["rank correlation of", "Spearman", "95 % interval", "trials"]
    listed = html.table(columns, rows, classes=["", "n", "n", "n"])
    notes = [_weights(judged.trials)]
    if judged.unscored:
        notes.append(f"Left out, as their TG could not be computed (tg_ok = 0): {judged.unscored}.")
    note = f'<p class="note">{escape(" ".join(filter(None, notes)))}</p>'
    return html.section("teacher", "Performance and teacher", lead, f'<div class="pair">{drawn}</div>', listed, note)


def correlations(judged: Guided) -> dict[str, Correlation]:
    """Return the rank correlations of what trials reported in the end, by what they are between."""
    values = {
        "P": [value_of(t.metrics, "P") for t in judged.trials],
        "TG": [value_of(t.metrics, "TG") for t in judged.trials],
        "default": [None if t.metric is None else judged.sign * t.metric for t in judged.trials],
    }
    found = {"P and TG": _of_pairs(values["P"], values["TG"])}
    if judged.outcome is not None:
        reached = [judged.reached(t) for t in judged.trials]
        found |= {f"{name} and {judged.outcome}": _of_pairs(side, reached) for name, side in values.items()}
    return found


def against(judged: Guided, outcome: str | None) -> Figure:
    """Draw P against TG, coloured by the metric, or by `outcome`; trials without it are hollow."""
    shown = outcome or "default"
    values = [t.metric if outcome is None else value_of(t.metrics, outcome) for t in judged.trials]
    coloured = [trial for trial, value in zip(judged.trials, values, strict=True) if value is not None]
    hollow = [trial for trial, value in zip(judged.trials, values, strict=True) if value is None]
    size = 9 if len(judged.trials) <= 200 else 6
    title: Figure = {"text": escape(shown), "side": "right", "font": figures.title("")["font"]}
    filled: Figure = {
        "color": [value for value in values if value is not None],
        "colorscale": figures.SCALE,
        "reversescale": judged.direction(shown) < 0,  # dark is good
        "showscale": True,
        "colorbar": {"title": title, "thickness": 10, "outlinewidth": 0},
        "size": size,
        "line": {"color": "#ffffff", "width": 0.5},
    }
    traces = [_points(coloured, filled)]
    if hollow:
        traces.append(_points(hollow, {"color": figures.MUTED, "size": size, "symbol": "circle-open"}))
    return figures.figure(traces, x={"title": figures.title("P")}, y={"title": figures.title("TG")})


def _points(trials: Sequence[TrialRecord], marker: Figure) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [value_of(trial.metrics, "P") for trial in trials],
        "y": [value_of(trial.metrics, "TG") for trial in trials],
        "marker": marker,
        "hovertext": [hover(trial) for trial in trials],
        "hoverinfo": "text",
    }


def _curve(judged: Guided, curve: RankCurve) -> str:
    steps = "the step" if curve.steps == 1 else f"all {curve.steps} steps"
    lead = (
        f"How well the ranks of trials at each step agree with those by {escape(judged.outcome or 'P')} in the end "
        f"(Spearman), over the {curve.n} trials that have {steps}; 95 % intervals as if trials were independent draws."
    )
    notes = [_meaning_of_the_end(judged, curve)]
    if curve.left_out:
        notes.append(f"Left out, as they have fewer steps, or gaps: {curve.left_out}.")
    drawn = html.figure(curve_figure(curve), "rank correlation with the end, by step")
    shown = f'<p class="note">{escape(" ".join(notes))}</p>'
    return html.section("ranks", "How early the ranking is known", lead, drawn, shown)


def _meaning_of_the_end(judged: Guided, curve: RankCurve) -> str:
    last = str(curve.steps) if curve.longest == curve.steps else f"{curve.steps} to {curve.longest}"
    said = (
        f"These trials ended after step {last}, which is what “in the end” means: nothing is known of longer training."
    )
    if judged.outcome is None:
        said += " No trial reports a test result, so P is compared with its own last value, and its line ends near 1."
    return said


def curve_figure(curve: RankCurve) -> Figure:
    """Draw a line each for P, TG and ``default``, with intervals."""
    few = curve.steps <= _FEW_STEPS
    traces: list[Figure] = []
    for at, name in enumerate(_LINES):
        known = {i: c for i, c in enumerate(curve.lines[name], start=1) if c is not None and c.value is not None}
        if known:
            traces += _line(name, known, 0.06 * (at - 1)) if few else _line_in_band(name, known)
    x_axis: Figure = {"title": figures.title("step (intermediate result)"), "range": [0.6, curve.steps + 0.4]}
    x_axis |= {"dtick": 1} if few else {}
    y_axis: Figure = {"title": figures.title("rank correlation with the end"), "zeroline": True}
    y_axis["zerolinecolor"] = figures.GREY
    return figures.figure(traces, x=x_axis, y=y_axis)


def _line(name: str, known: Mapping[int, Correlation], shift: float = 0.0) -> list[Figure]:
    """Return a line with intervals as bars; `shift` puts those of several lines side by side."""
    color, values = _LINES[name]["color"], [found.value or 0.0 for found in known.values()]
    spans = [found.interval or (value, value) for found, value in zip(known.values(), values, strict=True)]
    error: Figure = {"type": "data", "symmetric": False, "color": color, "thickness": 1, "width": 3}
    error["array"] = [high - value for (_, high), value in zip(spans, values, strict=True)]
    error["arrayminus"] = [value - low for (low, _), value in zip(spans, values, strict=True)]
    line: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "showlegend": True,
        "x": [step + shift for step in known],
        "y": values,
        "error_y": error,
        "line": {"color": color, "dash": _LINES[name]["dash"], "width": 2},
        "marker": {"color": color, "symbol": _LINES[name]["symbol"], "size": 8},
        "hovertext": [_told(name, step, found) for step, found in known.items()],
        "hoverinfo": "text",
    }
    return [line]


def _line_in_band(name: str, known: Mapping[int, Correlation]) -> list[Figure]:
    """Return a line with intervals as a band."""
    (line,) = _line(name, known)
    line["marker"]["size"] = 5
    error = line.pop("error_y")
    high = [value + up for value, up in zip(line["y"], error["array"], strict=True)]
    low = [value - down for value, down in zip(line["y"], error["arrayminus"], strict=True)]
    band: Figure = {
        "type": "scatter",
        "mode": "lines",
        "x": [*line["x"], *reversed(line["x"])],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": line["line"]["color"],
        "opacity": 0.15,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, line]


def _told(name: str, step: int, found: Correlation) -> str:
    return f"<b>{name}</b> at step {step}<br>{_value(found)} {_interval(found)}<br>{found.n} trials"


def _of_pairs(x: Sequence[float | None], y: Sequence[float | None]) -> Correlation:
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
    return spearman([a for a, _ in pairs], [b for _, b in pairs])


def _value(found: Correlation) -> str:
    return "–" if found.value is None else f"{found.value:.2f}"


def _interval(found: Correlation) -> str:
    return "–" if found.interval is None else f"[{found.interval[0]:.2f}, {found.interval[1]:.2f}]"


def _weights(trials: Sequence[TrialRecord]) -> str:
    """Say how much TG counted in ``default``; nothing of trials without ``alpha``, judged by ranks."""
    alphas = sorted(alpha for trial in trials if (alpha := value_of(trial.metrics, "alpha")) is not None)
    without = sum(alpha == 0.0 for alpha in alphas)
    others = list(dict.fromkeys(number(alpha, 3) for alpha in alphas if alpha != 0.0))
    span = " to ".join(dict.fromkeys([*others[:1], *others[-1:]]))
    parts = [*([f"{span} in {len(alphas) - without}"] if others else []), *([f"0 in {without}"] if without else [])]
    return f"Weight of TG in default (alpha), by trials: {', '.join(parts)}." if parts else ""

"""The table and the plot of :mod:`experiments.benchmarks.functions`, from its CSV alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from experiments.benchmarks import common, svg
from experiments.benchmarks.functions_cases import FUNCTIONS, METHODS

Rows = list[dict[str, str]]

_PLOTTED = ("LaNAS", "no tree", "tree, uniform draws", "random search", "NNI TPE")
_OPTIMA = {"Hartmann-6": -3.32237}
_MOST_MS = 100.0
_Y_RANGE = (1e-4, 1e1)


def curves(rows: Rows, method: str, name: str) -> npt.NDArray[np.float64]:
    """Return the lowest value so far after each evaluation, ``[n_runs, n_evaluations]``."""
    found = []
    for row in rows:
        if (row["method"], row["function"]) == (method, name):
            curve = np.full(FUNCTIONS[name].evaluations, np.nan)
            for step in row["improvements"].split():
                evaluation, value = step.split(":")
                curve[int(evaluation) - 1 :] = float(value)
            found.append(curve)
    return np.array(found).reshape(-1, FUNCTIONS[name].evaluations)


def table(rows: Rows) -> str:
    """Return the results as Markdown, the verdict on each target first."""
    lines = ["# Lowest value of continuous functions", "", common.machine(), ""]
    lines += ["The protocol is in `functions.py`. The machine had other work: compare processor milliseconds.", ""]
    lines += ["## Targets", "", *verdicts(rows), ""]
    for name, function in FUNCTIONS.items():
        looks = sorted({50, 100, function.evaluations})
        lines += [f"## {name}", ""]
        lines += ["| method | runs | " + " | ".join(f"median@{n}" for n in looks)]
        lines[-1] += " | best and worst at the end | CPU ms a proposal | clock ms |"
        lines += ["|" + "---|" * (len(looks) + 5)]
        lines += [line for method in METHODS if (line := _line(rows, method, name, looks))]
        lines += [""]
    return "\n".join(lines)


def _line(rows: Rows, method: str, name: str, looks: list[int]) -> str:
    lowest = curves(rows, method, name)
    if not len(lowest):
        return ""
    own = [row for row in rows if (row["method"], row["function"]) == (method, name)]
    cells = [method, str(len(lowest)), *(f"{np.median(lowest[:, n - 1]):.4g}" for n in looks)]
    cells += [f"{lowest[:, -1].min():.4g} … {lowest[:, -1].max():.4g}"]
    cells += [f"{np.median([float(row[key]) for row in own]):.3g}" for key in ("cpu_ms", "clock_ms")]
    return "| " + " | ".join(cells) + " |"


def verdicts(rows: Rows) -> list[str]:
    """Return a line for each target that was fixed beforehand."""
    lines = []
    for name, function in FUNCTIONS.items():
        lowest = curves(rows, "LaNAS", name)
        for evaluations, target in function.targets.items():
            if len(lowest):
                median = float(np.median(lowest[:, evaluations - 1]))
                told = f"median {median:.4g} after {evaluations} evaluations, target {target:g}"
                lines.append(f"- {_mark(median <= target)} {name}: {told} ({len(lowest)} seeds).")
        lines += _against_random(rows, name)
    own = [float(row["cpu_ms"]) for row in rows if (row["method"], row["function"]) == ("LaNAS", "Ackley-10")]
    if own:
        told = f"{np.median(own):.3g} ms of processor a proposal, target {_MOST_MS:g}"
        lines.append(f"- {_mark(float(np.median(own)) <= _MOST_MS)} Ackley-10: {told}.")
    return lines


def _against_random(rows: Rows, name: str) -> list[str]:
    ours, blind = (curves(rows, method, name) for method in ("tree, uniform draws", "random search"))
    if not (len(ours) and len(blind)):
        return []
    medians = [float(np.median(lowest[:, -1])) for lowest in (ours, blind)]
    told = f"{medians[0]:.4g} against {medians[1]:.4g} after {FUNCTIONS[name].evaluations}"
    return [f"- {_mark(medians[0] < medians[1])} {name}, tree with uniform draws against random search: {told}."]


def _mark(good: bool) -> str:
    return "reached:" if good else "**NOT reached**:"


def plot(rows: Rows) -> str:
    """Return the distance to the minimum against evaluations as SVG, one panel a function: median and quartiles.

    Distances are divided by that of random search at the end, so that one axis serves all functions.
    """
    panels, bands, seeds = {}, {}, []
    methods = [*_PLOTTED, *(name for name in METHODS if name.startswith("Optuna"))]
    for name, function in FUNCTIONS.items():
        panel, band = {}, {}
        blind = curves(rows, "random search", name)
        unit = float(np.median(blind[:, -1])) - _OPTIMA.get(name, 0.0) if len(blind) else 1.0
        for method in methods:
            lowest = curves(rows, method, name)
            if len(lowest):
                seeds.append(len(lowest))
                told = [np.median(lowest, axis=0), *np.percentile(lowest, [25, 75], axis=0)]
                gap, low, high = (np.maximum(values - _OPTIMA.get(name, 0.0), 0.0) / unit for values in told)
                panel[method] = [(n + 1.0, float(gap[n])) for n in range(function.evaluations)]
                band[method] = [(n + 1.0, float(low[n]), float(high[n])) for n in range(function.evaluations)]
        panels[name], bands[name] = panel, band
    title = "distance to the minimum (random: 1)"
    note = f"{common.band_note(seeds)} What is below {_Y_RANGE[0]:g} is drawn there."
    return svg.log_curves(panels, "evaluations", title, _Y_RANGE, bands=bands, note=note)

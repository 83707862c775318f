"""The table and the plot of :mod:`experiments.benchmarks.irlas_benefit`, from its rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

from experiments.benchmarks import common, svg
from search_spaces.nasbench201 import DATASETS, load_latencies, load_table

Rows = list[dict[str, str]]
Array = npt.NDArray[np.float64]
Key = tuple[str, str, str, str]  # agent, arm, variant, dataset

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
DEVICES = ("titanxp_32", "gold_6226", "pixel2", "raspi4")
EVALUATIONS, NEVER, EARLY = 300, 301, 100


class Runs:
    """What the rows hold, by agent, arm, variant and dataset; seeds in order.

    Parameters
    ----------
    rows
        Of the CSV.
    """

    def __init__(self, rows: Rows) -> None:
        grouped: dict[Key, list[dict[str, str]]] = defaultdict(list)
        for row in rows:
            grouped[row["agent"], row["arm"], row["variant"], row["dataset"]].append(row)
        self._rows = {key: sorted(own, key=lambda row: int(row["seed"])) for key, own in grouped.items()}
        self._bests: dict[Key, Array] = {}

    def has(self, agent: str, arm: str, dataset: str, variant: str = "") -> bool:
        """Whether there are runs of a case."""
        return (agent, arm, variant, dataset) in self._rows

    def variants(self, agent: str, arm: str, dataset: str) -> list[str]:
        """Return the variants of an arm."""
        return [v for a, b, v, d in self._rows if (a, b, d) == (agent, arm, dataset)]

    def best(self, agent: str, arm: str, dataset: str, variant: str = "") -> Array:
        """Return the best accuracy so far, in per cent, ``[n_seeds, EVALUATIONS]``."""
        key = (agent, arm, variant, dataset)
        if key not in self._bests:
            curves = np.zeros((len(self._rows[key]), EVALUATIONS))
            for curve, row in zip(curves, self._rows[key], strict=True):
                for step in row["improvements"].split():
                    number, value = step.split(":")
                    curve[int(number) - 1 :] = float(value)
            self._bests[key] = curves
        return self._bests[key]

    def cells(self, agent: str, arm: str, dataset: str, variant: str = "") -> npt.NDArray[np.int64]:
        """Return the first cells of each run, ``[n_seeds, 100]``."""
        return np.array([[int(c) for c in row["cells"].split()] for row in self._rows[agent, arm, variant, dataset]])

    def goal(self, agent: str, dataset: str, at: int = EARLY) -> float:
        """Return the unshaped arm's median best after so many evaluations, in per cent."""
        return float(np.median(self.best(agent, "unshaped", dataset)[:, at - 1]))

    def needed(self, agent: str, arm: str, dataset: str, variant: str = "", at: int = EARLY) -> Array:
        """Return how many evaluations each run needs to reach the goal, 301 where it never does."""
        reached = self.best(agent, arm, dataset, variant) >= self.goal(agent, dataset, at)
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, NEVER).astype(float)

    def fastest(self, agent: str, arm: str, dataset: str, device: str, variant: str = "") -> Array:
        """Return L@100 of each run, in ms; infinity where no cell is good enough."""
        cells = self.cells(agent, arm, dataset, variant)
        good = load_table(dataset).accuracies[cells] >= self.goal(agent, dataset) - 1.0
        return np.where(good, load_latencies(device)[cells], np.inf).min(axis=1)

    def hypervolume(self, agent: str, arm: str, dataset: str, device: str, variant: str = "") -> Array:
        """Return the area each run's first cells dominate, above the median accuracy, below the highest latency."""
        latencies, accuracies = load_latencies(device), load_table(dataset).accuracies
        low, slow = float(np.median(accuracies)), float(latencies.max())
        cells = self.cells(agent, arm, dataset, variant)
        return np.array([_area(latencies[c], accuracies[c], slow, low) for c in cells])


def _area(latency: Array, accuracy: Array, slow: float, low: float) -> float:
    order, area, best = np.lexsort((-accuracy, latency)), 0.0, low
    for i in order:
        if accuracy[i] > best:
            area += (slow - float(latency[i])) * (float(accuracy[i]) - best)
            best = float(accuracy[i])
    return area


def less(a: Array, b: Array) -> float:
    """Return the one-sided Wilcoxon p that `a` is less than `b`, paired; 1 where all pairs are equal."""
    a, b = (np.where(np.isfinite(x), x, 1e6) for x in (a, b))
    return 1.0 if np.array_equal(a, b) else float(wilcoxon(a, b, alternative="less").pvalue)


def ratio(a: Array, b: Array) -> float:
    """Return the ratio of medians; infinity where `a` has none."""
    return float(np.median(a) / np.median(b)) if np.isfinite(np.median(a)) else float("inf")


@lru_cache(maxsize=3)
def optimum(dataset: str) -> float:
    """Return the highest accuracy of a dataset, as rows have it."""
    return round(load_table(dataset).optimum, 4)


def verdicts(runs: Runs) -> list[str]:
    """Return a line for each target that was fixed beforehand."""
    lines = [*_speed(runs), *_latency(runs), *_final(runs), *_placebos(runs), *_lanas(runs), *_gate(runs)]
    told_of = [f"- {'reached' if good else '**NOT reached**'}: {told}" for good, told in lines]
    return [*told_of, *([] if _complete(runs, "LaNAS") else ["- not run: LaNAS with the prior"])]


def _complete(runs: Runs, agent: str, arm: str = "prior") -> list[str]:
    return [d for d in DATASETS if runs.has(agent, "unshaped", d) and runs.has(agent, arm, d)]


def _speed(runs: Runs) -> list[tuple[bool, str]]:
    out = []
    for agent, most, least_p, wanted in (("QL", 0.33, 0.01, 3), ("RE", 0.85, 0.05, 2)):
        told, good = [], 0
        for dataset in _complete(runs, agent):
            ours, theirs = runs.needed(agent, "prior", dataset), runs.needed(agent, "unshaped", dataset)
            r, p = ratio(ours, theirs), less(ours, theirs)
            good += r <= most and p < least_p
            told.append(f"{TITLES[dataset]} {np.median(theirs):g} to {np.median(ours):g} ({r:.2f}, p {p:.1g})")
        out.append((good >= wanted, f"{agent}, evaluations to the unshaped best@100, at most {most} on {wanted} of 3: "
                    + "; ".join(told)))  # fmt: skip
    return out


def _latency(runs: Runs) -> list[tuple[bool, str]]:
    out = []
    for agent, most, n_devices, wanted, with_p in (
        ("QL", 0.90, 4, tuple(DATASETS), False),
        ("RE", 0.93, 3, ("cifar100", "cifar10"), True),
    ):
        told, good = [], True
        for dataset in _complete(runs, agent):
            pairs = [tuple(runs.fastest(agent, arm, dataset, d) for arm in ("prior", "unshaped")) for d in DEVICES]
            ratios = [ratio(*pair) for pair in pairs]
            held = sum(r <= most and (not with_p or less(*pair) < 0.05) for r, pair in zip(ratios, pairs, strict=True))
            good &= held >= n_devices or dataset not in wanted
            told.append(f"{TITLES[dataset]} {' '.join(f'{r:.2f}' for r in ratios)}")
        out.append((good, f"{agent}, L@100 on {', '.join(DEVICES)}, at most {most} on {n_devices}: " + "; ".join(told)))
    return out


def _final(runs: Runs) -> list[tuple[bool, str]]:
    out = []
    for agent in ("QL", "RE"):
        gains = {
            TITLES[d]: float((runs.best(agent, "prior", d)[:, -1] - runs.best(agent, "unshaped", d)[:, -1]).mean())
            for d in _complete(runs, agent)
        }
        told = ", ".join(f"{name} {gain:+.2f}" for name, gain in gains.items())
        good = min(gains.values()) >= -0.05
        out.append((good, f"{agent}, final best against unshaped, at least -0.05 point: {told}"))
    return out


def _placebos(runs: Runs) -> list[tuple[bool, str]]:
    out = []
    for kind in ("random", "cost"):
        told, good = [], True
        for dataset in _complete(runs, "QL", kind) or [d for d in DATASETS if runs.variants("QL", kind, d)]:
            variants = runs.variants("QL", kind, dataset)
            n_seeds = len(runs.best("QL", kind, dataset, variants[0]))
            ours = float(np.median(runs.needed("QL", "prior", dataset)[:n_seeds]))
            as_fast = sum(float(np.median(runs.needed("QL", kind, dataset, v))) <= ours for v in variants)
            good &= as_fast <= 2
            told.append(f"{TITLES[dataset]} {as_fast} of {len(variants)}")
        if told:
            out.append((good, f"placebos ({kind}) as fast as the experts, at most 2 of 20: {', '.join(told)}"))
    return out


def _lanas(runs: Runs) -> list[tuple[bool, str]]:
    told, good = [], True
    if not _complete(runs, "LaNAS"):
        return []
    for dataset in _complete(runs, "LaNAS"):
        ours, theirs = (runs.needed("LaNAS", arm, dataset, at=25) for arm in ("prior", "unshaped"))
        bests = [runs.best("LaNAS", arm, dataset)[:, 149] for arm in ("prior", "unshaped")]
        found = [float((best >= optimum(dataset) - 1e-3).mean()) for best in bests]
        good &= ratio(ours, theirs) <= 0.85 and found[0] >= found[1] - 0.05
        told.append(f"{TITLES[dataset]} {np.median(theirs):g} to {np.median(ours):g}, found by 150 in {found[1]:.0%} "
                    f"and {found[0]:.0%}")  # fmt: skip
    return [(good, "LaNAS, evaluations to its best@25 at most 0.85, optimum not missed more often: " + "; ".join(told))]


def _gate(runs: Runs) -> list[tuple[bool, str]]:
    told, good = [], True
    for dataset in DATASETS:
        variants = runs.variants("QL", "random", dataset)
        if variants:
            n_seeds = len(runs.best("QL", "random", dataset, variants[0]))
            base = runs.best("QL", "unshaped", dataset)[:n_seeds, -1]
            cost = float(np.mean([base - runs.best("QL", "random", dataset, v)[:, -1] for v in variants]))
            good &= cost <= 0.2
            told.append(f"{TITLES[dataset]} {cost:+.2f}")
    said = "a random placebo costs at most 0.2 point of final best, with the gate: " + ", ".join(told)
    return [(good, said)] if told else []


def table(rows: Rows) -> str:
    """Return the results as Markdown, the verdict on each target first."""
    runs = Runs(rows)
    lines = ["# Guidance by expert networks on NAS-Bench-201", "", common.machine(), ""]
    lines += ["Protocol and targets are in `irlas_benefit.py`. Latencies were measured by others on the devices.", ""]
    lines += ["## Targets", "", *verdicts(runs), ""]
    for dataset in DATASETS:
        lines += [f"## {TITLES[dataset]}", ""]
        titles = ["agent", "arm", "seeds", "evaluations to goal", "best@100", "best@300"]
        titles += ["L@100, ratio on the devices", "hypervolume, ratio"]
        lines += ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
        for agent in ("QL", "RE", "LaNAS"):
            lines += _agent_lines(runs, agent, dataset)
        lines += [""]
    lines += [
        f"Goal: the agent's own unshaped median best@100; median evaluations with quartiles, {NEVER} for never. Best: "
        "mean validation accuracy, per cent (LaNAS: @150). Ratios are to unshaped, on "
        f"{', '.join(DEVICES)}; a latency arm's is on its own device. Controls: median over triples of each triple's "
        "median; in brackets how many have one of at most the prior's.",
    ]
    return "\n".join(lines) + "\n"


def _agent_lines(runs: Runs, agent: str, dataset: str) -> list[str]:
    lines = []
    for arm in ("unshaped", "prior", "paper"):
        if runs.has(agent, arm, dataset) and runs.has(agent, "unshaped", dataset):
            fast = _ratios(runs, runs.fastest, agent, arm, dataset) if arm != "unshaped" else ""
            volume = _ratios(runs, runs.hypervolume, agent, arm, dataset) if arm != "unshaped" else ""
            lines.append(_line(runs, agent, arm, dataset, "", arm, fast, volume))
    for arm in ("latency", "prior+latency"):
        for device in runs.variants(agent, arm, dataset):
            fast, volume = (
                f"{ratio(f(agent, arm, dataset, device, device), f(agent, 'unshaped', dataset, device)):.2f}"
                for f in (runs.fastest, runs.hypervolume)
            )
            lines.append(_line(runs, agent, arm, dataset, device, f"{arm}, {device}", fast, volume))
    for kind in ("flops", "random", "ungated", "cost", "good"):
        variants = runs.variants(agent, kind, dataset)
        if variants and runs.has(agent, "prior", dataset):
            lines.append(_control_line(runs, agent, kind, dataset, variants))
    return lines


def _ratios(runs: Runs, measure: Callable[..., Array], agent: str, arm: str, dataset: str) -> str:
    return " ".join(
        f"{ratio(measure(agent, arm, dataset, d), measure(agent, 'unshaped', dataset, d)):.2f}" for d in DEVICES
    )


def _line(runs: Runs, agent: str, arm: str, dataset: str, variant: str, name: str, fast: str, volume: str) -> str:
    best, needed = runs.best(agent, arm, dataset, variant), runs.needed(agent, arm, dataset, variant)
    low, middle, high = np.percentile(needed, [25, 50, 75], method="inverted_cdf")
    cells = [agent, name, str(len(best)), f"{middle:g} ({low:g}–{high:g})"]
    cells += [f"{best[:, EARLY - 1].mean():.2f}", f"{best[:, -1].mean():.2f} ± {best[:, -1].std():.2f}", fast, volume]
    return "| " + " | ".join(cells) + " |"


def _control_line(runs: Runs, agent: str, kind: str, dataset: str, variants: list[str]) -> str:
    medians = np.array([np.median(runs.needed(agent, kind, dataset, v)) for v in variants])
    n_seeds = len(runs.best(agent, kind, dataset, variants[0]))
    ours = float(np.median(runs.needed(agent, "prior", dataset)[:n_seeds]))
    early, final = (np.mean([runs.best(agent, kind, dataset, v)[:, at] for v in variants]) for at in (EARLY - 1, -1))
    told = f"{np.median(medians):g} ({int((medians <= ours).sum())} of {len(variants)} as fast)"
    ratios = ["", ""]
    if kind in ("flops", "good"):
        ratios = [
            " ".join(f"{_control_ratio(runs, measure, kind, dataset, variants, device):.2f}" for device in DEVICES)
            for measure in (runs.fastest, runs.hypervolume)
        ]
    cells = [agent, f"{kind}, {len(variants)} x", str(n_seeds), told, f"{early:.2f}", f"{final:.2f}", *ratios]
    return "| " + " | ".join(cells) + " |"


def _control_ratio(
    runs: Runs, measure: Callable[..., Array], kind: str, dataset: str, variants: list[str], device: str
) -> float:
    """Return the median over a control's triples of the ratio to the unshaped runs of the same seeds."""
    each = [measure("QL", kind, dataset, device, variant) for variant in variants]
    base = measure("QL", "unshaped", dataset, device)[: len(each[0])]
    return float(np.median([ratio(own, base) for own in each]))


def plot(rows: Rows) -> str:
    """Return mean regret against evaluations as SVG, one panel a dataset."""
    runs, panels = Runs(rows), {}
    shown: Mapping[str, tuple[str, str]] = {
        "QL with the prior": ("QL", "prior"), "QL": ("QL", "unshaped"), "QL, paper's reward": ("QL", "paper"),
        "RE with the prior": ("RE", "prior"), "RE": ("RE", "unshaped"),
        "LaNAS with the prior": ("LaNAS", "prior"), "LaNAS": ("LaNAS", "unshaped"),
    }  # fmt: skip
    for dataset in DATASETS:
        curves = {}
        for name, (agent, arm) in shown.items():
            if runs.has(agent, arm, dataset):
                mean = optimum(dataset) - runs.best(agent, arm, dataset).mean(axis=0)
                curves[name] = [(float(i + 1), float(max(value, 1e-3))) for i, value in enumerate(mean)]
        panels[TITLES[dataset]] = curves
    return svg.log_curves(panels, "evaluations", "mean regret, points of validation accuracy", (0.01, 30.0))

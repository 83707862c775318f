"""The table and the plot of :mod:`experiments.benchmarks.nat_benefit`, from its rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.benchmarks import common, svg

Rows = list[dict[str, str]]
Array = npt.NDArray[np.float64]

KEY = ("problem", "rule", "arm", "queries", "seed")
TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16-120": "ImageNet16-120",
    "noisy": "CIFAR-10 by 12 epochs",
    "product": "two cells",
}
RULES = ("nat", "cost")
ARMS = {
    "recipe": "recipe",
    "no_policy": "recipe, no policy",
    "paper_line_graph": "paper's learner, line graph",
    "paper_lstm": "paper's learner, LSTM",
    "paper_official": "paper's learner, official-style",
    "random": "random outputs",
    "local": "local search",
    "shared": "shared cache, no learning",
}
# the K of the long tables; the others serve to compare at equal totals
SHOWN = {"random": (1, 10, 11), "local": (1, 3, 10, 30)}
# what the oracle gained where the targets come from
ORACLES = {"cifar10": 4.44, "cifar100": 6.06, "imagenet16-120": 6.36, "noisy": 4.38, "product": 7.08}
# problem, arm, queries, K and the gain wanted
TARGETS = (
    *(("cifar10", "recipe", 100, k, gain) for k, gain in ((1, 4.25), (10, 4.33), (0, 4.1))),
    ("cifar100", "recipe", 100, 1, 5.55),
    ("imagenet16-120", "recipe", 100, 1, 5.9),
    ("noisy", "recipe", 100, 1, 4.15),
    ("cifar10", "recipe", 300, 1, 4.33),
    ("cifar100", "recipe", 300, 1, 5.75),
    ("imagenet16-120", "recipe", 300, 1, 6.1),
    ("noisy", "recipe", 300, 1, 4.25),
    ("product", "recipe", 100, 0, 5.9),
    ("product", "recipe", 100, 10, 6.45),
    ("product", "recipe", 300, 10, 6.8),
    ("cifar10", "paper_line_graph", 1000, 10, 4.0),
)
POLICY_MARGIN = 0.2
MARGIN_TABLES = ("cifar10", "cifar100", "imagenet16-120", "noisy")


class Result(NamedTuple):
    """What one run gained, over all and over living inputs, by how many evaluations; how far it kept its promises."""

    gain: float
    living: float
    evaluations: float
    kept: float
    dearer: float


class Runs:
    """What the rows hold.

    Parameters
    ----------
    rows
        Of the CSV.
    """

    def __init__(self, rows: Rows) -> None:
        self._found: dict[tuple[str, str, str, int, int], list[Result]] = defaultdict(list)
        for row in rows:
            for text in row["results"].split():
                setting, *numbers = text.split(":")
                key = row["problem"], row["rule"], row["arm"], int(row["queries"]), int(setting)
                self._found[key].append(Result(*map(float, numbers)))

    def settings(self, problem: str, rule: str, arm: str) -> list[tuple[int, int]]:
        """Return the (queries, setting) an arm was run with, in order."""
        return sorted(key[3:] for key in self._found if key[:3] == (problem, rule, arm))

    def results(self, problem: str, rule: str, arm: str, queries: int, setting: int) -> list[Result]:
        """Return the runs of one setting, in the order of the rows."""
        return self._found[problem, rule, arm, queries, setting]

    def mean(self, problem: str, rule: str, arm: str, queries: int, setting: int) -> Result:
        """Return the mean over seeds."""
        return Result(*np.mean(self.results(problem, rule, arm, queries, setting), axis=0))

    def oracle(self, problem: str, rule: str) -> Result:
        """Return what exhaustion gains."""
        return self.mean(problem, rule, "oracle", 0, 0)

    def shares(self, problem: str, rule: str, arm: str, queries: int, setting: int) -> tuple[float, float]:
        """Return an arm's gain as share of the oracle's, over all inputs and over living ones."""
        ours, best = self.mean(problem, rule, arm, queries, setting), self.oracle(problem, rule)
        return ours.gain / best.gain, ours.living / best.living

    def shared_at(self, problem: str, rule: str, evaluations: float) -> float:
        """Return the mean gain of ``shared`` at a total of evaluations, interpolated."""
        points = [self.mean(problem, rule, "shared", *setting) for setting in self.settings(problem, rule, "shared")]
        return float(np.interp(evaluations, [p.evaluations for p in points], [p.gain for p in points]))

    def least_shared(self, problem: str, rule: str) -> float:
        """Return the fewest evaluations that ``shared`` was run with, infinity where it was not."""
        settings = self.settings(problem, rule, "shared")
        least = [self.mean(problem, rule, "shared", *setting).evaluations for setting in settings]
        return min(least, default=float("inf"))

    def all_of(self) -> dict[tuple[str, str, str, int, int], list[Result]]:
        """Return everything by problem, rule, arm, queries and setting."""
        return self._found


def verdicts(runs: Runs) -> list[str]:
    """Return a line for each target that was fixed beforehand and of which there are runs."""
    lines = [*_shares(runs), *_policy(runs), *_margins(runs), *_promises(runs)]
    return [f"- {'reached' if good else '**NOT reached**'}: {told}" for good, told in lines]


def _rules_of(runs: Runs, problem: str, arm: str, setting: tuple[int, int]) -> list[str]:
    return [rule for rule in RULES if setting in runs.settings(problem, rule, arm)]


def _shares(runs: Runs) -> list[tuple[bool, str]]:
    out = []
    for problem, arm, queries, k, gain in TARGETS:
        rules = _rules_of(runs, problem, arm, (queries, k))
        if rules:
            wanted = gain / ORACLES[problem]
            shares = {rule: runs.shares(problem, rule, arm, queries, k) for rule in rules}
            told = "; ".join(f"{rule} {a:.1%}, living {b:.1%}" for rule, (a, b) in shares.items())
            good = min(min(pair) for pair in shares.values()) >= wanted
            case = f"{TITLES[problem]}, {ARMS[arm]}, {queries} queries, K = {k}"
            out.append((good, f"{case}: at least {wanted:.1%} of the oracle's gain: {told}"))
    return out


def _policy(runs: Runs) -> list[tuple[bool, str]]:
    rules = _rules_of(runs, "product", "no_policy", (100, 10))
    if not rules:
        return []
    margins = {
        rule: [a - b for a, b in zip(*(runs.shares("product", rule, arm, 100, 10) for arm in ("recipe", "no_policy")),
                                     strict=True)]
        for rule in rules
    }  # fmt: skip
    wanted = POLICY_MARGIN / ORACLES["product"]
    told = "; ".join(f"{rule} {a:+.1%}, living {b:+.1%}" for rule, (a, b) in margins.items())
    good = min(min(pair) for pair in margins.values()) >= wanted
    case = "two cells, 100 queries, K = 10"
    return [(good, f"{case}: the policy adds at least {wanted:.1%} of the oracle's gain: {told}")]


def _margins(runs: Runs) -> list[tuple[bool, str]]:
    told = {}
    for problem in MARGIN_TABLES:
        for rule in _rules_of(runs, problem, "recipe", (100, 1)):
            if runs.settings(problem, rule, "shared"):
                ours = runs.mean(problem, rule, "recipe", 100, 1)
                told[f"{TITLES[problem]} {rule}"] = ours.gain - runs.shared_at(problem, rule, ours.evaluations)
    if not told:
        return []
    said = ", ".join(f"{name} {margin:+.2f}" for name, margin in told.items())
    case = "100 queries, K = 1, points above the shared cache at equal total evaluations"
    return [(min(told.values()) > 0, f"{case}: {said}")]


def _promises(runs: Runs) -> list[tuple[bool, str]]:
    found = runs.all_of()
    unmeasured = {key for key in found if key[2] in ("recipe", "no_policy") and key[4] == 0}
    kept = [r.kept for key, rs in found.items() for r in rs if key not in unmeasured]
    dearer = [r.dearer for rs in found.values() for r in rs]
    said = f"with K of 1 or more no output is below its input by validation (least change {min(kept):+.2f})"
    return [(min(kept) >= 0 and max(dearer) <= 0, f"{said}; none is costlier (most {max(dearer):+.0f})")]


def table(rows: Rows, gates: Sequence[str] = (), equal: Sequence[str] = ()) -> str:
    """Return the results as Markdown: verdicts on each target and gate, arms at equal totals, then all of them."""
    runs = Runs(rows)
    n_seeds = len({row["seed"] for row in rows})
    lines = ["# Transforming many architectures with few evaluations", "", common.machine(), ""]
    lines += [f"Protocol and targets are in `nat_benefit.py`. {n_seeds} seeds.", ""]
    lines += ["## Targets", "", *verdicts(runs), ""]
    if gates:
        lines += ["## Gates of the paper's learner (`nat_benefit_gates.py`)", "", *gates, ""]
    if equal:
        told = "Points gained by as many evaluations in all as the recipe took (`nat_equal_totals.py` says how)."
        lines += ["## At equal totals of evaluations", "", told, "", *equal, ""]
    lines += ["## Share of inputs with an output worth a query, by round of 1,000 queries", "", *_outlooks(rows), ""]
    for problem, title in TITLES.items():
        told = [line for rule in RULES for line in lines_of(runs, problem, rule)]
        if told:
            lines += [f"## {title}", ""]
            columns = ("rule", "arm", "queries", "K", "evaluations", "gain", "of living inputs", "shared at as many")
            lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|", *told, ""]
    lines += [
        "Evaluations: all, the inputs included. Gain: mean points of test accuracy over 1,000 inputs, mean ± standard "
        "deviation over seeds. K: outputs evaluated of each input; of local search, evaluations beside the input's. "
        "Shared at as many: what inputs gain from a shared cache of random evaluations, as many in all, without "
        "learning, linear between its totals. Learning pays off over many inputs; for one, a local search needs fewer "
        "evaluations.",
    ]
    return "\n".join(lines) + "\n"


def lines_of(runs: Runs, problem: str, rule: str) -> list[str]:
    """Return the lines of a table, one for each budget of each arm."""
    lines = []
    if runs.settings(problem, rule, "oracle"):
        best = runs.oracle(problem, rule)
        lines.append(f"| {rule} | oracle | | | | {best.gain:.2f} | {best.living:.2f} | |")
    for arm, name in ARMS.items():
        for queries, setting in runs.settings(problem, rule, arm):
            if arm != "shared" and setting not in SHOWN.get(arm, (0, 1, 10)):
                continue
            found = runs.results(problem, rule, arm, queries, setting)
            mean, sd = runs.mean(problem, rule, arm, queries, setting), np.std([r.gain for r in found])
            shared = ""
            if arm != "shared" and mean.evaluations >= runs.least_shared(problem, rule):
                shared = f"{runs.shared_at(problem, rule, mean.evaluations):.2f}"
            cells = [rule, name, str(queries or ""), str(setting) if arm != "shared" else "", f"{mean.evaluations:.0f}"]
            cells += [f"{mean.gain:.2f} ± {sd:.2f}", f"{mean.living:.2f}", shared]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _outlooks(rows: Rows) -> list[str]:
    """Return by round the share of inputs with an output worth a query, and the runs in which it fell to nothing."""
    lines = []
    for problem, title in TITLES.items():
        for rule in RULES:
            case = (problem, rule, "recipe", "1000")
            own = [row for row in rows if tuple(row[name] for name in KEY[:4]) == case]
            if own:
                shares = np.array([[float(share) for share in row["outlook"].split()] for row in own])
                told = " ".join(f"{share:.2f}" for share in shares.mean(axis=0))
                n_idle = int((shares == 0).any(axis=1).sum())
                lines.append(f"- {title}, {rule}: {told}; nothing in {n_idle} of {len(own)} runs")
    return lines


def plot(rows: Rows) -> str:
    """Return what is missed of the oracle's gain against all evaluations as SVG, one panel a problem, by ``cost``."""
    runs, panels = Runs(rows), {}
    for problem, title in TITLES.items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for arm, name in ARMS.items():
            settings = runs.settings(problem, "cost", arm) if runs.settings(problem, "cost", "oracle") else []
            for queries in sorted({queries for queries, _ in settings}):
                points = [runs.mean(problem, "cost", arm, queries, k) for q, k in settings if q == queries]
                missed = [(p.evaluations, max(runs.oracle(problem, "cost").gain - p.gain, 1e-3)) for p in points]
                if not arm.startswith("paper") or queries == 1000:
                    curves[f"{name}, {queries} queries" if queries else name] = sorted(missed)
        if curves:
            panels[title] = curves
    ticks = (100, 1000, 10_000)
    note = "Mean over seeds, rule cost."
    return svg.log_curves(panels, "evaluations in all", "points missed of the oracle's gain", (0.01, 10.0), note=note,
                          ticks=ticks)  # fmt: skip

"""Continuous test functions (LA-MCTS's benchmark): how low after 100 evaluations, and what a proposal costs.

    OMP_NUM_THREADS=1 python -m experiments.benchmarks.functions run     # resumable; --methods, --functions, --seeds
    OMP_NUM_THREADS=1 python -m experiments.benchmarks.functions table   # results/functions.md and .html from the CSV

Protocol, written before the first run
--------------------------------------
Ackley in 10 and 20 dimensions on [-5, 10]^d, Hartmann in 6 on [0, 1]^6, Rosenbrock in 10 on [-10, 10]^10, Levy in 10 on
[-10, 10]^10, all minimised; 100 evaluations, Ackley-20 also 200; seeds 0 to 9; no noise; one trial at a time. Every
method draws its own start. Settings of LaNAS were chosen with seeds from 1,000 on these functions and on Rastrigin,
Styblinski-Tang, Griewank, a Hartmann-6 with 14 idle dimensions and an ellipsoid: nothing was looked at with seeds 0 to
9. Optuna's GP costs so much that it may get fewer seeds, the first ones: the table says how many.

A mixed function of four numbers and six choices (`mixed_function.py`) was added later, before it was first run; others
of its kind had been looked at, with other coefficients and seeds from 1,000. It has no target.

Reported: median, best and worst of the lowest value, milliseconds of processor and of clock a proposal (ask and tell,
median over the runs of a run's mean), all on one thread. Differences smaller than the spread of ten runs mean nothing.

Targets, fixed beforehand, medians: Ackley-10 at most 2.6 (official LA-MCTS reaches 2.5, 2.6, 2.6 at 0.8 to 1.6 s a
proposal) at no more than 0.1 s a proposal; Ackley-20 at most 8.5, after 200 at most 7; Hartmann-6 at most -2.8 (optimum
-3.322); Rosenbrock-10 at most 25,000; Levy-10 none. The tree with uniform draws is below random search on all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.benchmarks import common, peers
from experiments.benchmarks.mixed_function import MixedFunction
from nni_strategies.errors import InvalidArgument
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Numerical
from nni_strategies.space.search_space import SearchSpace

RESULTS = common.RESULTS / "functions.csv"
SEEDS = 10

Array = npt.NDArray[np.float64]

_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


def ackley(x: Array) -> float:
    """0 at the origin."""
    bowl = -20.0 * np.exp(-0.2 * np.sqrt((x**2).mean()))
    return float(bowl - np.exp(np.cos(2 * np.pi * x).mean()) + 20.0 + np.e)


def hartmann6(x: Array) -> float:
    """-3.32237 at (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)."""
    return -float((_ALPHA * np.exp(-(_A * (x - _P) ** 2).sum(axis=1))).sum())


def rosenbrock(x: Array) -> float:
    """0 at (1, …, 1)."""
    return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())


def levy(x: Array) -> float:
    """0 at (1, …, 1)."""
    w = 1.0 + (x - 1.0) / 4.0
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)).sum()
    return float(np.sin(np.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


@dataclass(frozen=True)
class Function:
    """A function on a cube, with how often it is evaluated and the targets ``{evaluations: median at most}``."""

    call: Callable[[Array], float]
    dimensions: int
    low: float
    high: float
    evaluations: int
    targets: dict[int, float]

    def space(self) -> SearchSpace:
        """Return the cube."""
        cube = Distribution("uniform", self.low, self.high)
        return SearchSpace(tuple(Numerical(f"x{i}", distribution=cube) for i in range(self.dimensions)))

    def negated(self, configuration: dict[str, Any]) -> float:
        """Return what is maximised."""
        return -self.call(np.array([configuration[f"x{i}"] for i in range(self.dimensions)]))


FUNCTIONS: dict[str, Function | MixedFunction] = {
    "Ackley-10": Function(ackley, 10, -5.0, 10.0, 100, {100: 2.6}),
    "Hartmann-6": Function(hartmann6, 6, 0.0, 1.0, 100, {100: -2.8}),
    "Rosenbrock-10": Function(rosenbrock, 10, -10.0, 10.0, 100, {100: 25_000.0}),
    "Levy-10": Function(levy, 10, -10.0, 10.0, 100, {}),
    "Ackley-20": Function(ackley, 20, -5.0, 10.0, 200, {100: 8.5, 200: 7.0}),
    "Mixed-10": MixedFunction(),
}
METHODS: dict[str, peers.PeerFactory] = {
    "LaNAS": peers.ours(LaNASSearcher),
    "no tree": peers.ours(LaNASSearcher, height=1),
    "no escape": peers.ours(LaNASSearcher, stagnation=0),
    "linear splits": peers.ours(LaNASSearcher, quadratic=False),
    "tree, mutations instead of the GP": peers.ours(LaNASSearcher, local_sampler="mutation"),
    "tree, uniform draws": peers.ours(LaNASSearcher, local_sampler="uniform"),
    "random search": peers.ours(RandomSearch),
    "NNI TPE": peers.nni_tpe,
    "Optuna TPE (multivariate)": peers.optuna_tpe,
    "Optuna GP": peers.optuna_gp,
}


def run(methods: list[str], functions: list[str], seeds: range) -> None:
    """Make the runs that the CSV does not hold yet."""
    done = {(r["method"], r["function"], r["seed"]) for r in common.read_rows(RESULTS)}
    for method in methods:
        for seed in seeds:
            for name in functions:
                if (method, name, str(seed)) not in done:
                    row = one_run(method, name, seed)
                    common.append_row(RESULTS, row)
                    print(", ".join(f"{key} {row[key]}" for key in list(row)[:6]), flush=True)


def one_run(method: str, name: str, seed: int) -> dict[str, Any]:
    """Return the CSV's line of one run; `improvements` are ``evaluation:value`` pairs."""
    function = FUNCTIONS[name]
    result = peers.search(METHODS[method](function.space(), seed), function.negated, function.evaluations)
    lowest = -np.array(result.best)
    steps = [i for i in range(len(lowest)) if i == 0 or lowest[i] < lowest[i - 1]]
    return {
        "method": method,
        "function": name,
        "seed": seed,
        "lowest": f"{lowest[-1]:.6g}",
        "cpu_ms": f"{1e3 * np.mean(result.cpu_seconds):.3g}",
        "clock_ms": f"{1e3 * np.mean(result.seconds):.3g}",
        "evaluations": len(lowest),
        "improvements": " ".join(f"{i + 1}:{lowest[i]:.6g}" for i in steps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--methods", default="|".join(METHODS), help="separated by |")
    parser.add_argument("--functions", default="|".join(FUNCTIONS), help="separated by |")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="the first so many")
    arguments = parser.parse_args()
    methods, functions = arguments.methods.split("|"), arguments.functions.split("|")
    for field, given, known in (("methods", methods, METHODS), ("functions", functions, FUNCTIONS)):
        for name in given:
            if name not in known:
                raise InvalidArgument(field, name, f"some of {list(known)}", known)
    if arguments.what == "run":
        run(methods, functions, range(arguments.seeds))
    else:
        from experiments.benchmarks import functions_table  # imports this module

        functions_table.write(RESULTS)


if __name__ == "__main__":
    main()

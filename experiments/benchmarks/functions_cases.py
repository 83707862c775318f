"""What :mod:`experiments.benchmarks.functions` compares: the functions with their targets, and the methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.benchmarks import peers
from experiments.benchmarks.mixed_function import MixedFunction
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Numerical
from nni_strategies.space.search_space import SearchSpace

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

"""A function of numbers and choices whose minimum is known: 0, by enumerating the choices.

``0.05 |x - s(c_0)|^2 + max_c' T(c') - T(c)`` with four numbers x in [-5, 10], six choices c of five operations,
a valley s that the first choice moves, and ``T(c) = sum_i W_i(c_i) + sum_i P_i(c_i, c_{i+1})`` with neighbours taken
in a circle. W, P and s are drawn once, from a fixed seed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical
from nni_strategies.space.search_space import SearchSpace

OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "pool")
_NUMBERS, _CHOICES, _SEED = 4, 6, 20260


@dataclass(frozen=True)
class MixedFunction:
    """See the module; the same interface as a continuous function of the benchmark."""

    evaluations: int = 100
    targets: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng, k = np.random.default_rng(_SEED), len(OPERATIONS)
        object.__setattr__(self, "_alone", rng.normal(size=(_CHOICES, k)))
        object.__setattr__(self, "_pairs", 0.4 * rng.normal(size=(_CHOICES, k, k)))
        object.__setattr__(self, "_valley", rng.uniform(-2.0, 5.0, size=(k, _NUMBERS)))
        most = max(self._total(c) for c in itertools.product(range(k), repeat=_CHOICES))
        object.__setattr__(self, "_most", most)

    def _total(self, c: tuple[int, ...]) -> float:
        alone, pairs = self._alone, self._pairs  # type: ignore[attr-defined]  # set in __post_init__
        after = c[1:] + c[:1]
        return float(sum(alone[i, c[i]] + pairs[i, c[i], after[i]] for i in range(_CHOICES)))

    def space(self) -> SearchSpace:
        """Return four numbers, then six choices."""
        numbers = [Numerical(f"x{i}", distribution=Distribution("uniform", -5.0, 10.0)) for i in range(_NUMBERS)]
        return SearchSpace((*numbers, *(Categorical(f"op_{i}", choices=OPERATIONS) for i in range(_CHOICES))))

    def negated(self, configuration: dict[str, Any]) -> float:
        """Return what is maximised; 0 at best."""
        c = tuple(OPERATIONS.index(configuration[f"op_{i}"]) for i in range(_CHOICES))
        x = np.array([configuration[f"x{i}"] for i in range(_NUMBERS)])
        valley, most = self._valley[c[0]], self._most  # type: ignore[attr-defined]
        return self._total(c) - most - 0.05 * float(((x - valley) ** 2).sum())

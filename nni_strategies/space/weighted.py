"""Parameters whose values are not equally likely, as NNI's ``weights`` say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.parameters import Categorical, Codes, Subset


@dataclass(frozen=True)
class WeightedCategorical(Categorical):
    """One of a list of values, drawn with given probabilities.

    Parameters
    ----------
    weights
        One probability a value; they are scaled to sum to 1. Mutations move uniformly to values of positive weight.
    """

    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.label, self.weights, len(self.choices))

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        probabilities = np.array(self.weights) / sum(self.weights)
        return rng.choice(self.size, size=(n, 1), p=probabilities).astype(np.float64)

    def codes_at(self, u: Codes) -> Codes:
        edges = np.cumsum(self.weights) / sum(self.weights)
        return np.minimum(np.searchsorted(edges, u, side="right"), np.max(np.flatnonzero(self.weights))).astype(float)

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        likely = np.array(self.weights) > 0  # the others are in the space, and never chosen blindly
        moved = super().mutate_codes(codes, rng)
        for row in np.flatnonzero(~likely[moved[:, 0].astype(int)]).tolist():
            options = np.flatnonzero(likely & (np.arange(self.size) != codes[row, 0]))
            moved[row, 0] = rng.choice(options) if len(options) else codes[row, 0]
        return moved

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "weights": list(self.weights)}


@dataclass(frozen=True)
class WeightedSubset(Subset):
    """Some of a list of values, drawn with given probabilities.

    Parameters
    ----------
    weights
        With free count: each value's own probability to be taken. With `n_chosen`: values are taken one after
        another without replacement with probabilities proportional to their weights, as NNI does.
    """

    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.label, self.weights, len(self.choices))

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        weights = np.array(self.weights)
        if self.n_chosen is None:
            return (rng.random((n, self.n_codes)) < weights).astype(np.float64)
        # The largest perturbed log-weights are a draw without replacement (the Gumbel top-k identity).
        with np.errstate(divide="ignore"):
            keys = np.log(weights) + rng.gumbel(size=(n, self.n_codes))
        taken: Codes = ((-keys).argsort(axis=1).argsort(axis=1) < self.n_chosen).astype(np.float64)
        return taken

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "weights": list(self.weights)}


def _check(label: str, weights: tuple[float, ...], n: int) -> None:
    if len(weights) != n or not all(w >= 0 and np.isfinite(w) for w in weights) or sum(weights) <= 0:
        raise InvalidSearchSpace(f"{label}.weights", list(weights), f"{n} numbers >= 0, not all zero")

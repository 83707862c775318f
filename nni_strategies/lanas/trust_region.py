"""Where candidates with numbers come from: a box around the region's best that widens and narrows with success.

The box follows TuRBO [Eriksson et al. 2019, 1910.01739]: its sides are proportional to the surrogate's length scales,
it doubles after three successes in a row, halves after ``max(4, n_numbers)`` failures, and starts again when it has
become too small. Deviations: the numbers of a candidate that are changed are many in one half of the candidates and
about three in the other; some are small Gaussian steps; now and then the box is the whole range, since a box alone
keeps to the first valley it finds (Levy's function shows it); and the candidates must be in the tree's region too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.candidates import breed
from nni_strategies.search.searcher import Prior
from nni_strategies.space.parameters import INACTIVE, Codes, Numerical
from nni_strategies.space.search_space import SearchSpace

Array = npt.NDArray[np.float64]

_FIRST, _LARGEST, _SMALLEST = 0.8, 1.6, 2.0**-6  # side of the box, in quantiles
_SUCCESSES = 3
_CENTRES = 5  # candidates start from so many of the best
_MANY, _FEW = 20.0, 3.0  # numbers changed
_STEPS = (0.02, 0.05, 0.1)  # Gaussian steps, in sides of the box
_FRESH = 0.05  # share of candidates drawn from the prior


class TrustRegion:
    """The side of the box, a fold over the results.

    Parameters
    ----------
    n_numbers
        How many numbers are searched.
    """

    def __init__(self, n_numbers: int) -> None:
        self.length = _FIRST
        self._patience = max(4, n_numbers)
        self._successes = self._failures = 0
        self._best = -np.inf

    def add(self, value: float, searching: bool) -> None:
        """Take in a result; only results of the search, not of its random start, move the side."""
        success, self._best = value > self._best, max(value, self._best)
        if not searching:
            return
        self._successes, self._failures = (self._successes + 1, 0) if success else (0, self._failures + 1)
        if self._successes == _SUCCESSES:
            self.length, self._successes = min(_LARGEST, 2.0 * self.length), 0
        elif self._failures == self._patience:
            self.length, self._failures = self.length / 2.0, 0
        if self.length < _SMALLEST:
            self.length = _FIRST

    def box(self, centre: Array, lengths: Array) -> Box:
        """Return the box around the numbers ``[n_numbers]`` of a point, given the surrogate's length scales."""
        half = 0.5 * self.length * lengths / np.exp(np.log(lengths).mean())
        return Box(np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0), self.length)


@dataclass
class Box:
    """Bounds of the numbers in quantiles, ``[n_numbers]`` each, and the side they came from."""

    low: Array
    high: Array
    length: float

    @classmethod
    def whole(cls, n_numbers: int) -> Box:
        """Return the box of everything."""
        return cls(np.zeros(n_numbers), np.ones(n_numbers), 1.0)


def number_codes(space: SearchSpace) -> npt.NDArray[np.intp]:
    """Return the code columns of the numbers, in the order of the parameters."""
    return np.array([space.columns[p.label].start for p in space.parameters if isinstance(p, Numerical)], dtype=np.intp)


def propose_in_box(
    space: SearchSpace, prior: Prior, parents: Codes, box: Box, count: int, rng: np.random.Generator
) -> Codes:
    """Return about `count` candidates.

    Parameters
    ----------
    parents
        Best first, ``[n_parents, n_codes]``, at least one.
    """
    columns = number_codes(space)
    n_fresh = max(round(_FRESH * count), 1)
    centres = parents[rng.integers(min(_CENTRES, len(parents)), size=count - n_fresh)]
    still = np.zeros(len(centres), dtype=bool)
    if len(columns) < len(space.parameters):
        # With choices: a third of the candidates move numbers, a third is bred, a third is bred and then moves numbers.
        bred = breed(space, prior, parents, 2 * count // 3, rng)[: 2 * count // 3]
        centres = np.vstack([centres[: count - n_fresh - len(bred)], bred])
        still = np.arange(len(centres)) >= len(centres) - len(bred) // 2
    moved = centres.copy()
    moved[:, columns] = np.where(still[:, None], centres[:, columns], _move(centres[:, columns], box, rng))
    moved = np.where(centres == INACTIVE, INACTIVE, moved)
    return np.vstack([space.only_valid(snap(space, moved)), prior.sample_codes(rng, n_fresh)])


def _move(u: Array, box: Box, rng: np.random.Generator) -> Array:
    n, d = u.shape
    often = np.where(rng.random((n, 1)) < 0.5, min(1.0, _MANY / d), min(1.0, _FEW / d))
    chosen = rng.random((n, d)) < often
    chosen[np.arange(n), rng.integers(d, size=n)] = True
    inside = np.clip(u, box.low, box.high)
    uniform = box.low + (box.high - box.low) * rng.random((n, d))
    step = box.length * rng.choice(_STEPS, size=(n, 1)) * rng.normal(size=(n, d))
    near = np.clip(inside + step, box.low, box.high)
    return np.where(chosen, np.where(rng.random((n, 1)) < 0.25, near, uniform), inside)


def snap(space: SearchSpace, codes: Codes) -> Codes:
    """Move the numbers of codes ``[n, n_codes]`` onto their grids, in place; return the codes."""
    for parameter in space.parameters:
        if isinstance(parameter, Numerical):
            column = space.columns[parameter.label]
            active = codes[:, column.start] != INACTIVE
            codes[active, column] = parameter.snap(codes[active, column])
    return codes

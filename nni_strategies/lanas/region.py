"""A region: the points that satisfy every boundary of a path; and uniform draws from it, which always end.

Draws are, in this order: (a) batched rejection of draws from the prior; (b) a Markov chain over the labels, started
inside; (c) nothing, and the caller relaxes the deepest boundary. Gibbs steps keep the uniform distribution: a choice
moves to any of its values that stay inside, a number to the first of several uniform draws that does, a subset by a
swap that is taken when it stays inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.features import Features
from nni_strategies.lanas.splits import Split
from nni_strategies.search.searcher import Prior
from nni_strategies.space.parameters import INACTIVE, Categorical, Codes, Numerical, Parameter

Mask = npt.NDArray[np.bool_]

BATCH = 2048
BATCHES = 4
_CHAINS = 8
_BURN_IN = 2
_SWEEPS = 8
_ENUMERATED = 32
_LINE_DRAWS = 16


class Region:
    """The conjunction of the boundaries of a path.

    Parameters
    ----------
    features
        Codes -> features.
    path
        Boundaries with the side taken, True for the good one; empty for the whole space.
    """

    def __init__(self, features: Features, path: tuple[tuple[Split, bool], ...]) -> None:
        self.features = features
        self.path = path

    def relaxed(self) -> Region:
        """Return the region without its deepest boundary."""
        return Region(self.features, self.path[:-1])

    def prefix(self, depth: int) -> Region:
        """Return the region of the first `depth` boundaries."""
        return Region(self.features, self.path[:depth])

    def violation(self, codes: Codes) -> npt.NDArray[np.float64]:
        """Return by how much each row ``[n, n_codes]`` is outside, summed over the boundaries; 0 is inside."""
        return self.violation_of_features(self.features.transform(codes))

    def violation_of_features(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the same of features ``[n, n_columns]``."""
        total = np.zeros(len(x))
        for split, good in self.path:
            margin = split.margin(x)
            # The bad side is open: a margin of exactly 0 belongs to the good one.
            total += np.maximum(-margin, 0.0) if good else np.where(margin >= 0, margin + 1e-300, 0.0)
        return total

    def contains(self, codes: Codes) -> Mask:
        """Whether each row ``[n, n_codes]`` is inside."""
        if not self.path or not len(codes):
            return np.ones(len(codes), dtype=bool)
        inside: Mask = self.violation(codes) == 0.0
        return inside


def draw_inside(
    region: Region,
    prior: Prior,
    starts: Codes,
    fresh: Callable[[Codes], Codes],
    rng: np.random.Generator,
) -> Codes:
    """Draw points inside a region that were not proposed before.

    Parameters
    ----------
    region
        Where to draw.
    prior
        What is drawn from before rejection.
    starts
        Points known to be inside, for the chains; may be empty ``[0, n_codes]``.
    fresh
        Keeps the rows that were not proposed yet.

    Returns
    -------
    Codes
        At least one row, or none where nothing was found; the work is bounded.
    """
    nearest = starts[:0]
    for _ in range(BATCHES):
        codes = prior.sample_codes(rng, BATCH if region.path else BATCH // 16)
        if region.path:
            violation = region.violation(codes)
            if not len(starts):
                pool = np.vstack([nearest, codes])
                order = np.argsort(np.concatenate([region.violation(nearest), violation]), kind="stable")
                nearest = pool[order[:_CHAINS]]
            codes = codes[violation == 0.0]
        found = fresh(codes)
        if len(found):
            return found
    return walk(region, starts if len(starts) else nearest, fresh, rng) if region.path else starts[:0]


def walk(region: Region, starts: Codes, fresh: Callable[[Codes], Codes], rng: np.random.Generator) -> Codes:
    """Run chains over the labels from `starts` until one is at a point not proposed before.

    A chain that starts outside moves only to where it is outside by less, hence inside in the end or nowhere.
    """
    if not len(starts):
        return starts
    chains = starts[rng.integers(len(starts), size=_CHAINS)].copy()
    for sweep in range(_BURN_IN + _SWEEPS):
        for i in rng.permutation(len(region.features.space.parameters)):
            chains = _gibbs_step(region, chains, region.features.space.parameters[i], rng)
        if sweep + 1 >= _BURN_IN:
            found = fresh(chains[region.contains(chains)])
            if len(found):
                return found
    return chains[:0]


def _gibbs_step(region: Region, chains: Codes, parameter: Parameter, rng: np.random.Generator) -> Codes:
    """Move one label of every chain; returns codes ``[n_chains, n_codes]``."""
    space = region.features.space
    columns = space.columns[parameter.label]
    if parameter.size == 1:
        return chains
    options = _options(parameter, chains[:, columns], rng)  # [n_options, n_chains, n_codes of the parameter]
    n_options, n = len(options), len(chains)
    moved = np.repeat(chains[None], n_options, axis=0)
    moved[:, :, columns] = options
    flat = space.repair(moved.reshape(n_options * n, -1), rng)
    limit = np.tile(region.violation(chains), n_options)
    active = np.tile(chains[:, columns.start] != INACTIVE, n_options)
    rows = np.flatnonzero((region.violation(flat) <= limit) & active)
    if space.constraints:
        rows = rows[space.valid(flat[rows])]
    ok = np.zeros((n_options, n), dtype=bool)
    ok.flat[rows] = True
    if isinstance(parameter, Categorical) or _grid(parameter) is not None:
        score = np.where(ok, rng.random(ok.shape), -1.0)  # any of the allowed values
    else:
        score = np.where(ok, np.arange(n_options, 0, -1)[:, None], -1.0)  # the first allowed draw
    best = score.argmax(axis=0)
    chosen = flat.reshape(n_options, n, -1)[best, np.arange(n)]
    return np.where(np.any(ok, axis=0, keepdims=True).T, chosen, chains)


def _grid(parameter: Parameter) -> npt.NDArray[np.float64] | None:
    if isinstance(parameter, Numerical):
        levels = parameter.distribution.levels
        if levels is not None and len(levels) <= _ENUMERATED:
            return np.asarray(parameter.distribution.cdf(levels))
    return None


def _options(parameter: Parameter, codes: Codes, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    n = len(codes)
    grid = np.arange(parameter.size) if isinstance(parameter, Categorical) else _grid(parameter)
    if grid is not None:
        return np.broadcast_to(grid[:, None, None], (len(grid), n, 1))
    if isinstance(parameter, Numerical):
        return parameter.snap(rng.random((_LINE_DRAWS * n, 1))).reshape(_LINE_DRAWS, n, 1)
    swapped: npt.NDArray[np.float64] = parameter.mutate_codes(codes, rng)[None]
    return swapped

"""The local sampler where numbers are searched: a box around the best of a region, a Gaussian process inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.candidates import distinct
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.gp import half_best
from nni_strategies.lanas.mixed_kernel import MixedKernel
from nni_strategies.lanas.numerical import Posterior, fit
from nni_strategies.lanas.region import Region
from nni_strategies.lanas.results import Results
from nni_strategies.lanas.trust_region import Box, TrustRegion, number_codes, propose_in_box, snap
from nni_strategies.search.searcher import Prior
from nni_strategies.space.parameters import INACTIVE, Codes
from nni_strategies.space.search_space import SearchSpace

Array = npt.NDArray[np.float64]

_EVERYWHERE = 0.3  # how often the box is the whole range
_CLIMBS = 3  # of the best candidates so many are improved by L-BFGS
_CANDIDATES = 2  # times the configuration's n_candidates, since numbers have more directions than choices
_ENOUGH = 10


class NumericalSampler:
    """Chooses a point of a region by log expected improvement.

    Parameters
    ----------
    space, prior, features
        What is searched.
    n_candidates
        Candidates of the discrete sampler; here twice as many.
    max_points, fit_points
        Most results in the Gaussian process (half of them the best) and in the fit of its hyper-parameters. While
        there are no more than `fit_points` results the fit is renewed at each, later when the tree is re-learned.
    """

    def __init__(
        self, space: SearchSpace, prior: Prior, features: Features, n_candidates: int, max_points: int, fit_points: int
    ) -> None:
        self.trust_region = TrustRegion(len(number_codes(space)))
        self._space, self._prior, self._features = space, prior, features
        self._kernel = MixedKernel(features)
        self._count = _CANDIDATES * n_candidates
        self._max_points, self._fit_points = max_points, fit_points
        self._theta: tuple[tuple[int, int], Array] | None = None  # with which results: a cache, not a state
        self._columns = number_codes(space)

    def hyper_parameters(self, results: Results, n_learned: int) -> Array:
        """Return the kernel's hyper-parameters, which depend on the first results only."""
        n = results.n if results.n <= self._fit_points else max(n_learned, self._fit_points)
        which = n, results.n_corrected
        if self._theta is None or self._theta[0] != which:
            values = results.values[:n]
            rows = half_best(values, self._fit_points, np.random.default_rng(n))
            self._theta = which, fit(self._kernel, results.x[rows], values[rows])
        return self._theta[1]

    def propose(
        self,
        region: Region,
        parents: Codes,
        results: Results,
        n_learned: int,
        pending: npt.NDArray[Any],
        fresh: Callable[[Codes], Codes],
        rng: np.random.Generator,
    ) -> Codes:
        """Return one new point of the region, ``[1, n_codes]``, or none where too few candidates were inside.

        Parameters
        ----------
        region
            Where the point must be.
        parents
            The best results inside, best first, ``[n_parents, n_codes]``.
        results
            All results.
        n_learned
            How many there were at the last re-learn.
        pending
            Features of the trials under way, ``[n_pending, n_columns]``.
        fresh
            Keeps the rows that were not proposed yet.
        """
        theta = self.hyper_parameters(results, n_learned)
        rows = half_best(results.values, self._max_points, np.random.default_rng(results.n))
        posterior = Posterior(self._kernel, theta, results.x[rows], results.values[rows], pending)
        everywhere = rng.random() < _EVERYWHERE
        centre = np.where(parents[0, self._columns] == INACTIVE, 0.5, parents[0, self._columns])
        whole = Box.whole(len(self._columns))
        box = whole if everywhere else self.trust_region.box(centre, posterior.lengths)
        codes = propose_in_box(self._space, self._prior, parents, box, self._count, rng)
        codes = distinct(fresh(codes[region.contains(codes)]))
        if len(codes) < (_ENOUGH if region.path else 1):
            return codes[:0]
        gain = posterior.log_expected_improvement(self._features.transform(codes))
        best_first = np.argsort(-np.round(gain, 9), kind="stable")[:_CLIMBS]
        chosen, most = codes[best_first[:1]], float(gain[best_first[0]])
        for i in best_first:
            better = self._climb(codes[i], box, region, posterior, fresh)
            if len(better):
                reached = float(posterior.log_expected_improvement(self._features.transform(better))[0])
                if reached > most:
                    chosen, most = better, reached
        return chosen

    def _climb(
        self, start: Codes, box: Box, region: Region, posterior: Posterior, fresh: Callable[[Codes], Codes]
    ) -> Codes:
        """Follow the gain uphill as far as the region goes; ``[1, n_codes]``, or none."""
        u = start[self._columns]
        # Draws from the prior lie outside the box: they climb where they are. What is switched off counts as 1/2.
        off = u == INACTIVE
        low, high = np.where(off, 0.5, np.minimum(box.low, u)), np.where(off, 0.5, np.maximum(box.high, u))
        end = posterior.climb(self._features.transform(start[None, :])[0], low, high)
        shares = np.array([1.0, 0.5, 0.25, 0.1])[:, None]
        path = np.repeat(start[None, :], len(shares), axis=0)
        path[:, self._columns] = np.where(off, INACTIVE, u + shares * (end - u))
        path = self._space.only_valid(snap(self._space, path))
        return fresh(path[region.contains(path)])[:1]

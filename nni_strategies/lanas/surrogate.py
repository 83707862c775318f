"""The surrogate of discrete spaces: a Gaussian process whose hyper-parameters are learned when a proposal needs them.

Each re-learn starts from the hyper-parameters of the one before, so those in force depend on all of them. One that
falls due while nothing is proposed (results imported by the thousand) is never made. What a proposal used is written
down with it (:meth:`Surrogate.memo`): a replay need not repeat the re-learns of a long search.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.gp import GaussianProcess
from nni_strategies.lanas.kernel import HammingHistogramKernel
from nni_strategies.lanas.results import Results

Array = npt.NDArray[np.float64]


class Surrogate:
    """Hyper-parameters as a fold over re-learns, and the Gaussian process that has them.

    A re-learn is known by how many results there were.

    Parameters
    ----------
    features
        Codes -> features.
    config
        How many points and steps.
    """

    def __init__(self, features: Features, config: LaNASConfig) -> None:
        kernel = HammingHistogramKernel(features)
        self._gp = GaussianProcess(kernel, config.gp_points, config.gp_fit_points, config.gp_steps)
        self._theta: tuple[int, Array] = 0, kernel.start  # the last re-learn that was settled
        self._used: list[int] = []  # later ones, each used by a proposal
        self._due: int | None = None  # and the one that is due
        self._made: tuple[int, Array] | None = None  # the latest that was made: a cache, not a state
        self._conditioned: int | None = None  # the one whose points the process has: likewise

    def due(self, n: int) -> None:
        """Note that it is time to re-learn from the first `n` results."""
        self._due = n

    def used(self) -> None:
        """Note that a proposal was made."""
        if self._due is not None:
            self._used.append(self._due)
            self._due = None

    def settle(self, results: Results) -> None:
        """Make the re-learns that proposals used, while the results still are what they were."""
        self._theta, self._used = self._after(self._used, results), []
        self._made = self._conditioned = None

    def memo(self) -> dict[str, Any] | None:
        """Return the latest hyper-parameters as JSON types; None where :meth:`recall` was told of them."""
        if self._made is None or self._made[0] == self._theta[0]:
            return None
        return {"results": self._made[0], "theta": self._made[1].tolist()}

    def recall(self, memo: dict[str, Any]) -> None:
        """Take what an earlier run's :meth:`memo` returned when the same results were known.

        Raises
        ------
        ValueError
            It is of another search.
        """
        n, theta = memo["results"], np.array(memo["theta"], dtype=np.float64)
        if n not in self._used or theta.shape != self._gp.kernel.start.shape or not np.isfinite(theta).all():
            raise ValueError(f"no re-learn at {n} results, or other hyper-parameters")
        self._theta, self._used = (n, theta), [later for later in self._used if later > n]

    def expected_improvement(self, candidates: npt.NDArray[Any], results: Results, pending: npt.NDArray[Any]) -> Array:
        """Return the expected improvement over the best result, ``[n_candidates]``.

        Parameters
        ----------
        candidates, pending
            Features, ``[n_candidates, n_columns]`` and ``[n_pending, n_columns]``.
        results
            All results.
        """
        n, theta = self._after(self._used if self._due is None else [*self._used, self._due], results)
        self._made = n, theta
        if self._conditioned != n:
            self._gp.condition(theta, results.values[:n], _generator(n, results))
            self._conditioned = n
        return self._gp.expected_improvement(candidates, results.x, results.values, pending)

    def _after(self, relearns: list[int], results: Results) -> tuple[int, Array]:
        if self._made is not None and relearns and self._made[0] == relearns[-1]:
            return self._made
        at, theta = self._theta
        for n in relearns:
            if self._made is not None and self._made[0] == n:
                theta = self._made[1]
            else:
                theta = self._gp.moved(theta, results.x[:n], results.values[:n], _generator(n, results))
            at = n
        return at, theta


def _generator(n: int, results: Results) -> np.random.Generator:
    """Return a generator seeded by what was known, so that a replay takes the same steps."""
    return np.random.default_rng([n, zlib.crc32(results.codes[:n].data)])

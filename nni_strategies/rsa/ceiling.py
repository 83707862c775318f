"""Noise ceilings: how similar a perfect model could be to RDMs of several subjects, or of repeated measurements.

Nili et al. 2014, PLoS Comput Biol. upper = mean over subjects s of sim(v_s, pooled of all), lower = the same with s
left out of the pool. RDMs are ranked (Spearman, rho-a), standardised (Pearson) or scaled (cosine) before they are
pooled, so that no subject outweighs others. One subject alone: the split halves' r, 2 r / (1 + r) (Spearman-Brown),
whose root is what a perfect model reaches.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.ranks import average_ranks
from nni_strategies.rsa.similarity import RANKED, compare, signature

Array = npt.NDArray[np.float64]


def noise_ceiling(rdms: npt.NDArray[np.float64], method: str = "spearman") -> tuple[float, float]:
    """Return the lower and the upper noise ceiling.

    Parameters
    ----------
    rdms
        ``[n_subjects, n_pairs]``.
    method
        ``pearson``, ``spearman``, ``rho-a`` or ``cosine``.

    Raises
    ------
    InvalidArgument
        Fewer than two subjects.
    """
    if rdms.ndim != 2 or len(rdms) < 2:
        raise InvalidArgument("rdms", list(rdms.shape), "the RDMs of at least two subjects, [n_subjects, n_pairs]")
    # ranks as they are: their sums keep the ties that rounded ones would break
    pool = average_ranks if method in RANKED else lambda rdm: signature(rdm, method)
    pooled = np.stack([pool(rdm) for rdm in rdms])
    total = pooled.sum(axis=0)
    upper = compare(rdms, total, method).mean()
    others = [compare(rdm, total - own, method)[0, 0] for rdm, own in zip(rdms, pooled, strict=True)]
    return float(np.mean(others)), float(upper)


def split_half_ceiling(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], method: str) -> float:
    """Return a perfect model's similarity to the mean of two halves' RDMs ``[n_pairs]``; 0 where they disagree."""
    return of_halves(float(compare(first, second, method)[0, 0]))


def of_halves(r: float) -> float:
    """Return a perfect model's similarity to the mean of two halves whose similarity is r."""
    return math.sqrt(max(2.0 * r / (1.0 + r), 0.0)) if r > -1.0 else 0.0

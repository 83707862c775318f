r"""Maximum-margin apprenticeship learning by cutting planes, and the certificate that it gives.

    max over w, t of t   subject to   w.(mu_E - mu_j) >= t for all j,   ||w|| <= 1          (Abbeel & Ng, ICML 2004)

The dual is the point of least norm x in the hull of mu_E - mu_j: t = ||x|| and w = x / ||x||. Each iteration adds the
best responses to w, those of each length, which the constraints so far overrate. ||x|| bounds every margin from above,
whatever the solver's precision, and never rises; the margin of each w to its best response bounds the largest from
below. It ends when the bounds meet (the expert is extreme) or ||x|| is 0 (no weights prefer it).

The point of least norm is a non-negative least-squares problem: u >= 0 that minimises ||D^T u||^2 + (1 - sum u)^2 is
a multiple of the convex combination sought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.report import Certificate, IRLReport, Verdict
from nni_strategies.irlas.nsc_features import Array

_NOT_EXTREME = 1e-6


@dataclass(frozen=True)
class CuttingPlanes:
    """What cutting planes found.

    Parameters
    ----------
    weights
        Those of the largest margin, of norm 1.
    bounds
        The upper bound of the margin by iteration.
    margins
        The margin of the weights by iteration; one less where the last bound is 0.
    certificate
        What they say together.
    """

    weights: Array
    bounds: tuple[float, ...]
    margins: tuple[float, ...]
    certificate: Certificate


def max_margin(demonstration: Demonstration, *, tolerance: float = 1e-3, max_iterations: int = 50) -> IRLReport:
    """Learn the weights of the largest margin.

    Parameters
    ----------
    demonstration
        The expert among other blocks.
    tolerance
        How near the bounds have to come.
    max_iterations
        When to give up; the verdict is ``undecided`` then.
    """
    found = cutting_planes(demonstration, tolerance=tolerance, max_iterations=max_iterations)
    return demonstration.report("max_margin", found.weights, found.certificate, found.bounds)


def cutting_planes(demonstration: Demonstration, *, tolerance: float = 1e-3, max_iterations: int = 50) -> CuttingPlanes:
    """Bound the largest margin from both sides, see :func:`max_margin`."""
    expert = demonstration.expert_counts
    differences = [expert - demonstration.random_counts.mean(axis=0)]
    weights = differences[0] / np.linalg.norm(differences[0])
    bounds: list[float] = []
    margins: list[float] = []
    for _ in range(max_iterations):
        nearest = least_norm(np.array(differences))
        bounds.append(float(np.linalg.norm(nearest)))
        if bounds[-1] < _NOT_EXTREME:
            break
        direction = nearest / bounds[-1]
        responses = demonstration.best_others(direction)
        margins.append(float(expert @ direction) - max(response.value for response in responses))
        if margins[-1] >= max(margins):
            weights = direction
        if margins[-1] > 0 and bounds[-1] - margins[-1] <= tolerance:
            break
        differences += [expert - response.counts for response in responses]
    lower = max(margins, default=0.0)
    verdict: Verdict = "extreme" if lower > 0 else "not extreme" if bounds[-1] < _NOT_EXTREME else "undecided"
    return CuttingPlanes(weights, tuple(bounds), tuple(margins), Certificate(lower, bounds[-1], verdict))


def least_norm(points: Array) -> Array:
    """Return the point of least norm in the hull of points ``[n, d]``."""
    system = np.vstack([points.T, np.ones(len(points))])
    target = np.zeros(len(system))
    target[-1] = 1.0
    solution, _ = nnls(system, target)
    return np.asarray(solution / solution.sum() @ points)

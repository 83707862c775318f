"""Apprenticeship learning by projection: feature matching without a solver (Abbeel & Ng, ICML 2004, section 3.1).

From mu_bar_0, the mean of random blocks, iterate

    w_i      = mu_E - mu_bar_(i-1)
    mu_i     = counts of the best response to w_i
    mu_bar_i = the point of the segment from mu_bar_(i-1) to mu_i nearest to mu_E.

The gap ||mu_E - mu_bar|| never rises and bounds every margin from above. Of all w_i that of the largest margin is kept;
one iteration gives w = mu_E - mean(mu). The policy is a mixture of the responses; the responses are other blocks than
the expert, which would end the iteration at once and teach nothing.
"""

from __future__ import annotations

import numpy as np

from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.max_margin import cutting_planes
from nni_strategies.irlas.irl.report import IRLReport


def projection(demonstration: Demonstration, *, tolerance: float = 1e-3, max_iterations: int = 300) -> IRLReport:
    """Learn weights by projection.

    Parameters
    ----------
    demonstration
        The expert among other blocks.
    tolerance
        The gap that is near enough.
    max_iterations
        When to stop otherwise.
    """
    expert = demonstration.expert_counts
    mixture = demonstration.random_counts.mean(axis=0)
    weights = expert - mixture
    gaps: list[float] = []
    largest = -np.inf
    for _ in range(max_iterations):
        towards = expert - mixture
        gaps.append(float(np.linalg.norm(towards)))
        if gaps[-1] <= tolerance:
            break
        direction = towards / gaps[-1]
        response = demonstration.best_other(direction)
        margin = float(expert @ direction) - response.value
        if margin > largest:
            largest, weights = margin, direction
        step = response.counts - mixture
        mixture = mixture + np.clip(step @ towards / max(step @ step, 1e-300), 0.0, 1.0) * step
    return demonstration.report("projection", weights, cutting_planes(demonstration).certificate, gaps)

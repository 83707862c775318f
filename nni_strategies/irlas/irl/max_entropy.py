r"""Maximum entropy inverse reinforcement learning by maximum likelihood (Ziebart et al., AAAI 2008), exactly.

Blocks are distributed as p(b) = exp(w.mu(b)) / Z, all blocks of at most T layers counting alike. What is minimised,

    log Z - w.mu_E + ridge/2 ||w||^2,   with gradient   E_p[mu] - mu_E + ridge w,

is convex. For a fixed length p factorises over the steps, so Z and E_p[mu] are sums over lengths and steps (a soft
dynamic program whose state is the step's index). L-BFGS never lets the objective rise; the gap ||E_p[mu] - mu_E|| may
rise on the way, and would end at ridge ||w||. It stops when the gap is a hundredth of what it was.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.max_margin import cutting_planes
from nni_strategies.irlas.irl.report import IRLReport
from nni_strategies.irlas.nsc_features import Array

RIDGE = 1e-4


def max_entropy(
    demonstration: Demonstration, *, ridge: float = RIDGE, tolerance: float = 0.01, max_iterations: int = 200
) -> IRLReport:
    """Learn the weights under which the expert is most likely.

    Parameters
    ----------
    demonstration
        The expert among other blocks; with `per_length` its counts and those of the distribution are centred.
    ridge
        Penalty on the weights, above 0.
    tolerance
        Which part of the first gap is near enough; 0 goes on to the optimum.
    max_iterations
        Most steps of L-BFGS.

    Raises
    ------
    InvalidArgument
        No ridge: an expert on the hull has no finite weights then.
    """
    if not ridge > 0:
        raise InvalidArgument("ridge", ridge, "a number above 0")
    objectives: list[float] = []
    gaps: list[float] = []

    def loss(weights: Array) -> tuple[float, Array]:
        return negative_log_likelihood(demonstration, weights, ridge)

    def note(weights: Array) -> None:
        value, gradient = loss(weights)
        objectives.append(value)
        gaps.append(float(np.linalg.norm(gradient - ridge * weights)))
        if gaps[-1] <= tolerance * gaps[0]:
            raise StopIteration

    start = np.zeros(len(demonstration.expert_counts))
    note(start)
    options = {"maxiter": max_iterations, "ftol": 1e-15, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", callback=note, options=options)
    return demonstration.report("max_entropy", found.x, cutting_planes(demonstration).certificate, gaps, objectives)


def negative_log_likelihood(demonstration: Demonstration, weights: Array, ridge: float) -> tuple[float, Array]:
    """Return the objective and its gradient ``[n_features]``."""
    log_z, mean = partition(demonstration, weights)
    value = log_z - float(weights @ demonstration.expert_counts) + 0.5 * ridge * float(weights @ weights)
    return value, mean - demonstration.expert_counts + ridge * weights


def partition(demonstration: Demonstration, weights: Array) -> tuple[float, Array]:
    """Return log Z and E_p[mu] ``[n_features]``."""
    legal = demonstration.legal
    soft = [_soft_step(rewards, phi) for rewards, phi in zip(legal.rewards(weights), legal.phi, strict=True)]
    log_z = legal.terminal_rewards(weights) - demonstration.length_means @ weights
    means = -demonstration.length_means
    for row, length in enumerate(legal.lengths):
        rests = legal.rests(length)
        log_z[row] += sum(soft[u][0][r] for u, r in enumerate(rests))
        means[row] += legal.mean_counts([soft[u][1][r] for u, r in enumerate(rests)])
    return float(logsumexp(log_z)), np.asarray(softmax(log_z) @ means)


def _soft_step(rewards: Array, phi: Array) -> tuple[Array, Array]:
    """Return log sum exp of rewards ``[n_layers, n]``, and the mean phi ``[n, step_size]`` under their softmax."""
    top = rewards.max(axis=0)
    p = np.exp(rewards - top)
    total = p.sum(axis=0)
    return top + np.log(total), (p / total).T @ phi

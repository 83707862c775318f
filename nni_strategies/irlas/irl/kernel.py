r"""Learning which of the expert's neighbourhoods matter: a weighted Jaccard similarity whose label weights are fitted.

    F(b) = sum over rounds r of c_r (sum_j theta_j min(x_j(b), x_j(E))) / (sum_j theta_j max(x_j(b), x_j(E))),

x_j(b) counting label j of round r in b, c = (.25, .35, .40). theta_j is 1 for labels that the expert does not have, so
those count by their number alone; for the expert's it minimises

    mean_b log(1 + exp((F(b) - 0.5) / 0.05)) + 0.1 ||theta - 1||^2

by projected gradient on theta >= 0.05 with mean 1 in each round. F(E) = 1 and F(b) < 1 for every other histogram,
whatever theta is: the expert is extreme by construction, and what is learned is its lead over the runner-up. Where
best responses to F can be found, they take the place of half of the random blocks and it is fitted on, twice. When the
runner-up among all blocks seen rises, theta = 1 is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.report import Certificate, IRLReport, percentile
from nni_strategies.irlas.nsc_features import Array

ROUND_WEIGHTS = (0.25, 0.35, 0.40)

Counts: TypeAlias = npt.NDArray[np.int64]

_TEMPERATURE = 0.05
_MIDDLE = 0.5
_PENALTY = 0.1
_LEAST = 0.05
_RATE = 0.05


@dataclass(frozen=True)
class Histograms:
    """How often blocks have the expert's labels.

    Parameters
    ----------
    counts
        One array a round, ``[n, n_labels_r]``.
    sizes
        Number of nodes of each block, those with other labels included, ``[n]``.
    """

    counts: tuple[Counts, ...]
    sizes: Counts

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | slice) -> Histograms:
        return Histograms(tuple(counts[chosen] for counts in self.counts), self.sizes[chosen])

    def joined(self, others: Histograms) -> Histograms:
        """Return these and others."""
        counts = zip(self.counts, others.counts, strict=True)
        return Histograms(tuple(np.concatenate(pair) for pair in counts), np.concatenate([self.sizes, others.sizes]))


@dataclass(frozen=True)
class KernelScore:
    """The similarity F to one expert.

    Parameters
    ----------
    expert
        Its histograms, one a round, ``[n_labels_r]``.
    theta
        Weights of its labels, likewise, above 0.
    round_weights
        c, one a round.
    """

    expert: tuple[Counts, ...]
    theta: tuple[Array, ...]
    round_weights: tuple[float, ...] = ROUND_WEIGHTS

    def scores(self, blocks: Histograms) -> Array:
        """Return F in [0, 1], ``[n]``."""
        return self.scores_by_theta(blocks)[0]

    def scores_by_theta(self, blocks: Histograms) -> tuple[Array, Array]:
        """Return F ``[n]`` and its derivatives by theta, round after round, ``[n, n_labels]``."""
        total = np.zeros(len(blocks))
        gradients = []
        for x, e, theta, c in zip(blocks.counts, self.expert, self.theta, self.round_weights, strict=True):
            low, high = np.minimum(x, e), np.maximum(x, e)
            shared = low @ theta
            united = high @ theta + (blocks.sizes - x.sum(axis=1))
            total += c * shared / united
            gradients.append(c * (low - high * (shared / united)[:, None]) / united[:, None])
        return total, np.concatenate(gradients, axis=1)

    def differ(self, blocks: Histograms) -> npt.NDArray[np.bool_]:
        """Whether the histograms of each block are others than the expert's, ``[n]``."""
        same = blocks.sizes == self.expert[0].sum()
        for x, e in zip(blocks.counts, self.expert, strict=True):
            same &= (x == e).all(axis=1)
        return np.asarray(~same)


def fit_kernel(
    expert: Sequence[Counts],
    randoms: Histograms,
    respond: Callable[[KernelScore], Histograms] | None = None,
    *,
    round_weights: tuple[float, ...] = ROUND_WEIGHTS,
    n_fit: int = 2000,
    steps: int = 200,
    outer_rounds: int = 2,
) -> tuple[KernelScore, IRLReport]:
    """Learn the weights of an expert's labels.

    Parameters
    ----------
    expert
        Its histograms, one a round, ``[n_labels_r]``.
    randoms
        Those of random blocks; copies of the expert are left out.
    respond
        Finds blocks with a high F; None: the weights are fitted to random blocks alone.
    round_weights
        c, one a round, of sum 1.
    n_fit
        Blocks that the weights are fitted to, the first of the random ones.
    steps
        Gradient steps in each outer round.
    outer_rounds
        How often best responses are looked for.

    Raises
    ------
    InvalidArgument
        Rounds that do not fit together, or no random block that differs from the expert.
    """
    histograms = tuple(np.asarray(row) for row in expert)
    if not len(histograms) == len(randoms.counts) == len(round_weights):
        raise InvalidArgument("round_weights", list(round_weights), f"one for each of {len(histograms)} rounds")
    start = KernelScore(histograms, tuple(np.ones(len(row)) for row in histograms), round_weights)
    randoms = randoms[start.differ(randoms)]
    if not len(randoms):
        raise InvalidArgument("randoms", 0, "at least one block that differs from the expert")
    seen, learned = randoms, start
    objectives: list[float] = []
    leads = [1.0 - _runner_up(start, seen)]
    for outer in range(1 + (outer_rounds if respond else 0)):
        blocks = randoms[:n_fit]
        if outer and respond:
            responses = respond(learned)
            responses = responses[start.differ(responses)][: len(blocks) // 2]
            seen, blocks = seen.joined(responses), blocks[len(responses) :].joined(responses)
        learned = _descended(learned, blocks, steps, objectives)
        leads.append(1.0 - _runner_up(learned, seen))
    accepted = _runner_up(learned, seen) <= _runner_up(start, seen)
    chosen = learned if accepted else start
    return chosen, _report(chosen, randoms, seen, leads, objectives, accepted)


def _descended(score: KernelScore, blocks: Histograms, steps: int, objectives: list[float]) -> KernelScore:
    """Return the score after projected gradient steps; the objective before each is appended."""
    cuts = np.cumsum([len(theta) for theta in score.theta])[:-1]
    fixed = np.concatenate(score.expert) == 0
    for _ in range(steps):
        value, gradient = loss(score, blocks)
        objectives.append(value)
        moved = np.concatenate(score.theta) - _RATE * np.where(fixed, 0.0, gradient)
        free = np.split(~fixed, cuts)
        theta = tuple(_projected(part, learns) for part, learns in zip(np.split(moved, cuts), free, strict=True))
        score = KernelScore(score.expert, theta, score.round_weights)
    return score


def loss(score: KernelScore, blocks: Histograms) -> tuple[float, Array]:
    """Return what is minimised and its gradient by theta, round after round, ``[n_labels]``."""
    theta = np.concatenate(score.theta)
    f, by_theta = score.scores_by_theta(blocks)
    z = (f - _MIDDLE) / _TEMPERATURE
    value = float(np.logaddexp(0.0, z).mean()) + _PENALTY * float(((theta - 1.0) ** 2).sum())
    slope = 1.0 / (1.0 + np.exp(-z)) / _TEMPERATURE
    return value, slope @ by_theta / len(blocks) + 2.0 * _PENALTY * (theta - 1.0)


def _projected(theta: Array, learns: npt.NDArray[np.bool_]) -> Array:
    """Return the nearest weights of at least 0.05 and mean 1 among those that are learned."""
    above = theta[learns] - _LEAST
    total = len(above) * (1.0 - _LEAST)
    falling = np.sort(above)[::-1]
    shifts = (np.cumsum(falling) - total) / np.arange(1, len(above) + 1)
    shift = shifts[falling > shifts][-1]
    projected = theta.copy()
    projected[learns] = np.maximum(above - shift, 0.0) + _LEAST
    return projected


def _runner_up(score: KernelScore, blocks: Histograms) -> float:
    return float(score.scores(blocks).max())


def _report(
    score: KernelScore,
    randoms: Histograms,
    seen: Histograms,
    leads: Sequence[float],
    objectives: Sequence[float],
    accepted: bool,
) -> IRLReport:
    margin = 1.0 - _runner_up(score, seen)
    return IRLReport(
        method="kernel",
        features="wl",
        weights=tuple(np.concatenate(score.theta).tolist()),
        margin=margin,
        certificate=Certificate(margin, 1.0, "extreme"),
        expert_percentile=percentile(1.0, score.scores(randoms)),
        gaps=tuple(leads),
        iterations=len(objectives),
        objectives=tuple(objectives),
        accepted=accepted,
    ).warned()

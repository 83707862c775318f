"""What inverse reinforcement learning starts from: an expert's block among all others.

With `per_length` the mean of mu over all blocks of a length is subtracted from the counts of each block of that length.
Without it a reward can be raised by length alone: maximum entropy may prefer a block of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.best_response import BestResponse, Response
from nni_strategies.irlas.irl.report import Certificate, IRLReport, percentile
from nni_strategies.irlas.nsc_features import Array, BlockArray, NSCFeatures
from nni_strategies.topology.nsc import Block


class Demonstration:
    """An expert's block, random ones to compare with, and the features that all are seen by.

    Parameters
    ----------
    features
        What the reward is linear in.
    expert
        The block to learn from, parsed.
    randoms
        Random blocks of the space, parsed; those with the expert's features are left out.
    max_length
        T, the most layers of a block, the terminal included.
    per_length
        Whether to subtract the mean of each length.

    Attributes
    ----------
    expert_counts
        ``[n_features]``.
    random_counts
        ``[n_others, n_features]``.

    Raises
    ------
    InvalidArgument
        A block that is too long, an expert that does not end, or no random block that differs from it.
    """

    def __init__(
        self,
        features: NSCFeatures,
        expert: Block,
        randoms: Sequence[Block],
        max_length: int = 12,
        *,
        per_length: bool = False,
    ) -> None:
        self.features = features
        self.responses = BestResponse(features, max_length, expert)
        self.legal = self.responses.legal
        self.length = len(expert)
        means = self.legal.length_means()
        self.length_means = means if per_length else np.zeros_like(means)
        own = features.counts(BlockArray.of([expert]))[0]
        blocks = BlockArray.of(randoms)
        if blocks.lengths.max(initial=0) > max_length:
            raise InvalidArgument("randoms", int(blocks.lengths.max()), f"blocks of at most {max_length} layers")
        counts = features.counts(blocks)
        differs = np.abs(counts - own).max(axis=1, initial=0.0) > 1e-9
        if not differs.any():
            raise InvalidArgument("randoms", len(randoms), "at least one block that differs from the expert")
        self.expert_counts = own - self.length_means[self.length - 2]
        self.random_counts = (counts - self.length_means[blocks.lengths - 2])[differs]

    def best_others(self, weights: Array) -> list[Response]:
        """Return the best response of each length that is not the expert."""
        found = self.responses.by_length(weights)
        return [
            replace(response, counts=response.counts - mean, value=response.value - float(mean @ weights))
            for response, mean in zip(found, self.length_means, strict=True)
        ]

    def best_other(self, weights: Array) -> Response:
        """Return the best response that is not the expert, the shortest of equally good ones."""
        return max(self.best_others(weights), key=lambda response: response.value)

    def margin(self, weights: Array) -> float:
        """Return w.mu(expert) less that of the best other block."""
        return float(self.expert_counts @ weights) - self.best_other(weights).value

    def report(
        self,
        method: str,
        weights: Array,
        certificate: Certificate,
        gaps: Sequence[float],
        objectives: Sequence[float] = (),
    ) -> IRLReport:
        """Return the report on weights that a method found, the warning logged."""
        weights = weights / np.linalg.norm(weights)
        offsets = self.length_means @ weights if self.length_means.any() else np.zeros(0)
        return IRLReport(
            method=method,
            features=self.features.name,
            weights=tuple(weights.tolist()),
            margin=self.margin(weights),
            certificate=certificate,
            expert_percentile=percentile(float(self.expert_counts @ weights), self.random_counts @ weights),
            gaps=tuple(map(float, gaps)),
            iterations=len(gaps),
            objectives=tuple(map(float, objectives)),
            length_offsets=tuple(offsets.tolist()),
            gamma=self.features.gamma,
        ).warned()

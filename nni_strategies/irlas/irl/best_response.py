"""The exact best response to a linear reward: the NSC block with the highest w.mu(b), step by step.

For a fixed length the reward is a sum over independent steps (see ``legal_steps``), so the best block of that length
takes the best layer of each: O(T^2 |A|) in all. The paper trains its agent on w.phi; this is the optimum that the agent
would come near.

Margins ask for the best block *other than the expert*, which always has margin zero to itself. Other means: different
features at one step at least. Its best is the best of all or, where that looks like the expert, the one that gives up
least at a single step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.legal_steps import LegalSteps
from nni_strategies.irlas.nsc_features import Array, BlockArray, NSCFeatures
from nni_strategies.topology.nsc import TERMINAL, Block, Layer


@dataclass(frozen=True)
class Response:
    """A best response.

    Parameters
    ----------
    block
        The block.
    counts
        Its feature counts, ``[n_features]``.
    value
        w.mu.
    """

    block: Block
    counts: Array
    value: float


class BestResponse:
    """Best responses among the blocks of at most `max_length` layers, the terminal included.

    Parameters
    ----------
    features
        What the reward is linear in.
    max_length
        T, at least 2.
    expert
        A block that is no response, nor is any with its features; None: all are.

    Raises
    ------
    InvalidArgument
        Too short, or an expert that is no block of this length.
    """

    def __init__(self, features: NSCFeatures, max_length: int, expert: Block | None = None) -> None:
        self.legal = LegalSteps(features, max_length)
        self._expert_length = 0
        self._differs: list[npt.NDArray[np.bool_]] = []
        if expert is not None:
            if len(expert) not in self.legal.lengths or expert[-1].type != TERMINAL:
                raise InvalidArgument("expert", list(expert), f"2 to {max_length} layers, the last one the terminal")
            own = features.step_features(np.array(expert[:-1]))
            self._expert_length = len(expert)
            self._differs = [(phi != row).any(axis=1) for phi, row in zip(self.legal.phi, own, strict=False)]

    def by_length(self, weights: Array) -> list[Response]:
        """Return the best response of each length 2..T, `weights` being ``[n_features]``."""
        rewards = self.legal.rewards(weights)
        lengths = np.array(self.legal.lengths)
        steps = np.zeros((len(lengths), self.legal.max_length, 5), dtype=np.int64)
        for block, length in zip(steps, self.legal.lengths, strict=True):
            tables = [rewards[u][:, r] for u, r in enumerate(self.legal.rests(length))]
            chosen = self._other(tables) if length == self._expert_length else [int(r.argmax()) for r in tables]
            block[: length - 1] = [self.legal.layers[u][layer] for u, layer in enumerate(chosen)]
            block[length - 1] = self.legal.terminals[length - 2]
        counts = self.legal.features.counts(BlockArray(steps, lengths))
        return [
            Response(tuple(Layer(*layer) for layer in block[:length].tolist()), mu, float(mu @ weights))
            for block, length, mu in zip(steps, self.legal.lengths, counts, strict=True)
        ]

    def best(self, weights: Array) -> Response:
        """Return the best response of any length, the shortest of equally good ones."""
        return max(self.by_length(weights), key=lambda response: response.value)

    def _other(self, rewards: list[Array]) -> list[int]:
        """Return the best layers that do not all look like the expert's."""
        best = [int(r.argmax()) for r in rewards]
        if any(differs[layer] for differs, layer in zip(self._differs, best, strict=True)):
            return best
        others = [np.where(differs, r, -np.inf) for differs, r in zip(self._differs, rewards, strict=True)]
        losses = [r[layer] - other.max() for other, r, layer in zip(others, rewards, best, strict=True)]
        step = int(np.argmin(losses))
        return [*best[:step], int(others[step].argmax()), *best[step + 1 :]]

r"""The layers that may stand at each place of an NSC block, and what a linear reward gives for each.

What is legal at a step depends on its index alone, so for blocks of a fixed length L a linear reward is a sum over
independent steps, the four-step window included:

    w.mu(b) = sum over u < L of gamma^u phi(s_u).v_r,   v_r = sum over k <= r of gamma^k w_k,   r = min(L-1-u, 3).

Its maximum, the logarithm of its sum of exponentials over all blocks and the mean of mu are sums too, over T lengths of
T steps. Every block ends with the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.nsc_features import Array, Integers, NSCFeatures
from nni_strategies.topology.nsc import OPERATIONS, TERMINAL
from nni_strategies.topology.nsc_space import END, Action, nsc_space


class LegalSteps:
    """The steps of blocks of at most `max_length` layers, the terminal included.

    Parameters
    ----------
    features
        What the reward is linear in.
    max_length
        T, at least 2.

    Attributes
    ----------
    layers
        What may stand at index 1..T-1 before the terminal, each ``[n_layers, 5]``.
    phi
        Their features without the window, each ``[n_layers, step_size]``.
    terminals
        The terminal of each length 2..T, ``[T-1, 5]``.
    terminal_phi
        Their features, ``[T-1, step_size]``.

    Raises
    ------
    InvalidArgument
        Too short.
    """

    def __init__(self, features: NSCFeatures, max_length: int) -> None:
        if max_length < 2:
            raise InvalidArgument("max_length", max_length, "2 at least: a layer and the terminal")
        self.features = features
        self.max_length = max_length
        space = nsc_space(max_length - 1, tuple(OPERATIONS))
        before: list[list[Action]] = [[("identity", 0, None)] * u for u in range(max_length - 1)]  # any layers do
        self.layers = [_layers(len(prefix) + 1, space.legal_actions(prefix)) for prefix in before]
        self.phi = [features.step_features(layers) for layers in self.layers]
        self.terminals = np.array([(length, TERMINAL, 0, 0, 0) for length in self.lengths])
        self.terminal_phi = features.step_features(self.terminals)

    @property
    def lengths(self) -> range:
        """The lengths that a block may have."""
        return range(2, self.max_length + 1)

    def rests(self, length: int) -> list[int]:
        """Return r of each step before the terminal: by how many it is followed, as far as the window goes."""
        return [min(length - 1 - u, self.features.window - 1) for u in range(length - 1)]

    def rewards(self, weights: Array) -> list[Array]:
        """Return gamma^u phi.v_r of what may stand at each place, each ``[n_layers, window]``, by r."""
        by_rest = self.features.rewards_by_rest(weights).T
        discounts = self.features.discounts(self.max_length)
        return [discount * (phi @ by_rest) for discount, phi in zip(discounts, self.phi, strict=False)]

    def terminal_rewards(self, weights: Array) -> Array:
        """Return the reward of the terminal of each length, ``[T-1]``."""
        ends = self.terminal_phi @ self.features.rewards_by_rest(weights)[0]
        return np.asarray(self.features.discounts(self.max_length)[1:] * ends)

    def mean_counts(self, means: Sequence[Array]) -> Array:
        """Return the mean of mu, ``[n_features]``, of blocks of one length.

        Parameters
        ----------
        means
            The mean of phi at each step before the terminal, each ``[step_size]``.
        """
        length, gamma = len(means) + 1, self.features.gamma
        discounted = np.array([*means, self.terminal_phi[length - 2]]) * self.features.discounts(length)[:, None]
        parts = [gamma**k * discounted[: max(length - k, 0)].sum(axis=0) for k in range(self.features.window)]
        return np.concatenate(parts)

    def length_means(self) -> Array:
        """Return the mean of mu over all blocks of each length 2..T, ``[T-1, n_features]``."""
        means = [phi.mean(axis=0) for phi in self.phi]
        return np.array([self.mean_counts(means[: length - 1]) for length in self.lengths])


def _layers(index: int, actions: Sequence[Action]) -> Integers:
    layers = [(index, *OPERATIONS[name], first or 0, second or 0) for name, first, second in actions if name != END]
    return np.array(layers)

"""REINFORCE on transitions: how a policy learns from what children were worth.

A parent b becomes a child a with log pi(a | b) = sum over its edges. For m parents with n children each,

    loss = -1/(mn) sum_ij A_ij log pi(a_ij | b_i) - lambda / m sum_i H_i,

H the entropy, summed over edges. The advantage A compares children of one parent (Kool et al., 2019):

    A_ij = R_ij - mean of R_ik over k != j        n >= 2,
    A_i1 = R_i1 - B                               n = 1,   B <- 0.99 B + 0.01 mean R.

What is the same for all children of a parent, such as its own value, cancels in the first. A is divided by its
standard deviation over the batch, unless told otherwise. A reward that is NaN, that of a failed child, is left out.

Deviation from the released code, which feeds its average B the rewards less B, so that it settles at half of what it
should (nat.md D2): here it averages the rewards. Source: NAT (1910.14488), section 4.3; nat.md 1.3 and 5.4.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures, Flags, Integers
from nni_strategies.nat.policy.masked import Masked
from nni_strategies.nat.sampling import drawn_operations

Rewards = npt.NDArray[np.float64]

DECAY = 0.99

_LEAST_SD = 1e-8  # of a single child, or of rewards that differ by rounding alone, there is none to divide by


@dataclass(frozen=True)
class Progress:
    """What a step of the gradient saw.

    Parameters
    ----------
    loss
        See above.
    entropy
        Of the policy at a parent, in nats, mean over parents.
    reward
        Mean over children.
    """

    loss: float
    entropy: float
    reward: float


class PolicyGradient:
    """Draws children of architectures from a policy, and improves it by their rewards.

    Parameters
    ----------
    policy
        From operations and sources ``[n, n_edges]`` to logits ``[n, n_edges, n_operations]``.
    learning_rate, betas, weight_decay
        Of Adam.
    entropy
        lambda.
    standardise
        Whether advantages are divided by their standard deviation.
    seed
        Of the draws.

    Raises
    ------
    InvalidArgument
        A learning rate or an entropy weight that is not a number from 0.
    """

    def __init__(
        self,
        policy: nn.Module,
        *,
        learning_rate: float = 2e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 0.0,
        entropy: float = 0.01,
        standardise: bool = True,
        seed: int = 0,
    ) -> None:
        for field, value in (("learning_rate", learning_rate), ("entropy", entropy), ("weight_decay", weight_decay)):
            if not 0 <= value < float("inf"):
                raise InvalidArgument(field, value, "a finite number, 0 or more")
        self.policy, self.entropy, self.standardise = policy, entropy, standardise
        self.baseline: float | None = None
        self._generator = torch.Generator().manual_seed(seed)
        weights = list(policy.parameters())
        # a policy without weights, the random one, draws and never learns
        self._adam = (
            torch.optim.Adam(weights, lr=learning_rate, betas=betas, weight_decay=weight_decay) if weights else None
        )

    def sample(self, parents: Architectures, allowed: Flags, n_children: int) -> Integers:
        """Draw the operations of children, dead ones among them (:func:`~.sampling.revived`).

        Parameters
        ----------
        parents
            `n_parents` architectures.
        allowed
            What their edges may carry, ``[n_parents, n_edges, n_operations]``.
        n_children
            How many of each.

        Returns
        -------
        Integers
            ``[n_parents, n_children, n_edges]``, places in the view's operations; -1 where nothing is allowed.
        """
        return drawn_operations(self.policy, parents, allowed, n_children, self._generator)

    def loss(self, parents: Architectures, allowed: Flags, children: Integers, rewards: Rewards) -> Tensor:
        """Return the loss of what :meth:`step` is told, before the step.

        Parameters
        ----------
        parents, allowed
            `m` architectures, and what their edges may become, ``[m, n_edges, n_operations]``.
        children, rewards
            Operations that were drawn, ``[m, n, n_edges]``, and what they are worth, ``[m, n]``; NaN where unknown.

        Returns
        -------
        torch.Tensor
            A scalar, with gradients; see the module. NaN where no child can be compared with anything.
        """
        return self._terms(parents, allowed, children, rewards)[0]

    def step(self, parents: Architectures, allowed: Flags, children: Integers, rewards: Rewards) -> Progress | None:
        """Learn from children.

        Parameters
        ----------
        parents
            `m` architectures.
        allowed
            What their edges may become, ``[m, n_edges, n_operations]``.
        children
            The operations that were drawn, ``[m, n, n_edges]``, as :meth:`sample` returned them: what was done to
            a child afterwards belongs to its reward.
        rewards
            ``[m, n]``; NaN for a child that has none.

        Returns
        -------
        Progress | None
            None where no child could be compared with anything.
        """
        rewards = np.asarray(rewards, dtype=np.float64)
        if np.isnan(self.advantages(rewards)).all():
            return None
        loss, entropy = self._terms(parents, allowed, children, rewards)
        reward = float(np.nanmean(rewards))
        if self._adam is not None:
            self._adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._adam.step()
        if rewards.shape[1] == 1:
            self.baseline = reward if self.baseline is None else DECAY * self.baseline + (1 - DECAY) * reward
        return Progress(float(loss.detach()), float(entropy.detach()), reward)

    def advantages(self, rewards: Rewards) -> Rewards:
        """Return A of rewards ``[m, n]``, before it is standardised; NaN where there is nothing to compare with."""
        if rewards.shape[1] > 1:
            return leave_one_out(rewards)
        known = rewards[~np.isnan(rewards)]
        mean = float(known.mean()) if len(known) else np.nan
        return rewards - (mean if self.baseline is None else self.baseline)

    def _terms(
        self, parents: Architectures, allowed: Flags, children: Integers, rewards: Rewards
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and the mean entropy."""
        advantages = self.advantages(np.asarray(rewards, dtype=np.float64))
        if self.standardise:
            sd = float(np.nanstd(advantages))
            advantages = advantages / (sd if sd > _LEAST_SD else 1.0)
        logits = self.policy(torch.from_numpy(parents.operations), torch.from_numpy(parents.sources))
        decisions = Masked(logits, torch.from_numpy(allowed))
        entropy = decisions.entropy().sum(-1)
        chosen = decisions.log_probability(torch.from_numpy(children).transpose(0, 1)).sum(-1).T
        known = ~np.isnan(advantages)
        return surrogate(chosen[known], torch.from_numpy(advantages[known]), entropy, self.entropy), entropy.mean()

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that later draws and steps depend on: tensors, numbers and dictionaries of them."""
        state = {
            "policy": self.policy.state_dict(),
            "adam": None if self._adam is None else self._adam.state_dict(),
            "baseline": self.baseline,
            "generator": self._generator.get_state(),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict` of the same policy and settings."""
        self.policy.load_state_dict(state["policy"])
        if self._adam is not None:
            self._adam.load_state_dict(state["adam"])
        self.baseline = state["baseline"]
        self._generator.set_state(state["generator"])


def leave_one_out(rewards: Rewards) -> Rewards:
    """Return each reward of ``[m, n]`` less the mean of the others of its row, NaN where it has no others."""
    known = ~np.isnan(rewards)
    count = known.sum(1, keepdims=True)
    mean = np.where(known, rewards, 0.0).sum(1, keepdims=True) / np.maximum(count, 1)
    return np.where(count > 1, (rewards - mean) * count / np.maximum(count - 1, 1), np.nan)


def surrogate(log_probabilities: Tensor, advantages: Tensor, entropies: Tensor, weight: float) -> Tensor:
    """Return a loss whose gradient is the policy gradient.

    Parameters
    ----------
    log_probabilities, advantages
        Of children, same shape.
    entropies
        Of the policy at parents, ``[m]``.
    weight
        lambda.
    """
    gain = (advantages.to(log_probabilities.dtype) * log_probabilities).mean()
    return -gain - weight * entropies.mean()

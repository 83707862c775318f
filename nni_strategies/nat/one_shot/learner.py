"""A policy that learns from the accuracies of a supernet, one batch at a time.

Of m uniform architectures b (with ``paths="outputs"``: of the one to be transformed, m times), n outputs a each are
drawn from the policy. On one and the same batch, with the shared weights w of now,

    R(a | b) = accuracy(a, w) - accuracy(b, w),

and the policy takes a step (:mod:`..gradient`). The paper judges an output and its input on one batch too, with m = n =
1. Judging leaves the supernet as it is: no gradient, layers as in evaluation, batch norm with the statistics of the
batch alone.

Deviations from the released code: null is drawn like any operation (nat.md D4) and dead architectures are not; several
outputs of an input are compared with each other (D2); nothing is judged in training mode (D6).

Source: Guo et al.: NAT, NeurIPS 2019, 1910.14488, algorithm 1; nat.md 1.3, 1.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nni_strategies.module_modes import evaluating
from nni_strategies.nat.contenders import neighbours
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import identities, joined
from nni_strategies.nat.gradient import PolicyGradient, Progress
from nni_strategies.nat.one_shot.settings import OneShotSettings
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.sampling import revived, sampled_outputs, torch_generator
from nni_strategies.nat.supernet_paths import living, outputs_of
from nni_strategies.nat.transitions import Transitions
from nni_strategies.supernet.batch_norm import batch_norms, of_the_batch
from nni_strategies.supernet.network import Supernet

WEIGHT_DECAY = 5e-4  # of the policy's Adam, as released

_PATHS, _DERIVE = 1, 2  # what is drawn
_DRAWS = 10  # for each output that is wanted: a policy that has learned draws few different ones


class OneShotLearner:
    """The policy, and what draws the supernet's paths.

    Parameters
    ----------
    transitions
        Of the supernet's space.
    supernet
        Whose weights judge.
    settings
        How it learns.
    parent
        The architecture to transform, a batch of one.

    Attributes
    ----------
    gradient
        The policy and what improves it.
    norms
        The supernet's batch norms.
    """

    def __init__(
        self, transitions: Transitions, supernet: Supernet, settings: OneShotSettings, parent: Architectures
    ) -> None:
        self.transitions, self.supernet, self.settings, self.parent = transitions, supernet, settings, parent
        self._of_one = settings.paths == "outputs"
        self._paths = outputs_of(transitions, parent, settings.kept) if self._of_one else living(transitions)
        self.gradient = PolicyGradient(
            make_policy(settings.policy, transitions.view, settings.seed, settings.hidden),
            learning_rate=settings.learning_rate,
            weight_decay=WEIGHT_DECAY,
            entropy=settings.entropy,
            seed=settings.seed,
        )
        self._rng = np.random.default_rng([settings.seed, _PATHS])
        self._modules = list(supernet.network.modules())
        self.norms = batch_norms(supernet.network)

    def draw_path(self) -> dict[str, Any]:
        """Have the supernet run an architecture that is drawn, none that is dead; return the architecture."""
        (configuration,) = self._paths(self.transitions.view.space, self._rng, 1)
        self.supernet.set(configuration)
        return configuration

    def learn(self, images: Tensor, labels: Tensor) -> Progress | None:
        """Take a step of the policy by a batch on the supernet's device.

        Parameters
        ----------
        images, labels
            ``[b, ...]`` and ``[b]``.

        Returns
        -------
        Progress | None
            None where nothing could be learned: all accuracies of outputs are missing.
        """
        n = self.settings.n_inputs
        parents = self.parent[[0] * n] if self._of_one else self.transitions.inputs(self._rng, n)
        allowed = self.transitions.allowed(parents)
        drawn = self.gradient.sample(parents, allowed, self.settings.n_outputs)
        rewards = self.rewards(parents, revived(self.transitions, parents, drawn), images, labels)
        return self.gradient.step(parents, allowed, drawn, rewards)

    def rewards(
        self, parents: Architectures, children: Architectures, images: Tensor, labels: Tensor
    ) -> npt.NDArray[np.float64]:
        """Return what children gain on a batch, ``[m, n]``; NaN where logits of one or its parent are not finite.

        Parameters
        ----------
        parents, children
            `m` architectures, and ``m * n``, those of one parent together.
        """
        accuracies = self.accuracies(joined([parents, children]), images, labels)
        before, after = np.split(accuracies, [len(parents)])
        return after.reshape(len(parents), -1) - before[:, None]

    def accuracies(self, architectures: Architectures, images: Tensor, labels: Tensor) -> npt.NDArray[np.float64]:
        """Return accuracies on a batch; equal architectures are run once.

        Afterwards the supernet is as before but for the path that is set.

        Parameters
        ----------
        architectures
            `n` of them, at least one.
        images, labels
            ``[b, ...]`` and ``[b]``, on the supernet's device.

        Returns
        -------
        numpy.ndarray
            ``[n]``, 0 to 1; NaN where logits are not finite.
        """
        keys = identities(self.transitions.view, architectures)
        places = {key: row for row, key in reversed(list(enumerate(keys)))}
        found = []
        with torch.no_grad(), evaluating(self._modules), of_the_batch(self.norms):
            for configuration in self.transitions.view.decode(architectures[list(places.values())]):
                logits = self.supernet.set(configuration)(images)
                right = (logits.argmax(dim=1) == labels).double().mean()
                found.append(torch.where(torch.isfinite(logits).all(), right, torch.nan))
        # together: each number would wait for its forward pass
        known = dict(zip(places, torch.stack(found).tolist(), strict=True))
        return np.array([known[key] for key in keys])

    def offers(self) -> Architectures:
        """Return `k` outputs for the parent, distinct and without itself, always the same; fewer where it has fewer.

        First those that the policy draws, ten draws for each. A policy that has made up its mind draws few: the rest
        are random ones of what a single changed edge makes of the parent.
        """
        rng, k = np.random.default_rng([self.settings.seed, _DERIVE]), self.settings.k
        generator = torch_generator(rng)
        drawn = sampled_outputs(self.gradient.policy, self.transitions, self.parent, _DRAWS * k, generator)
        near, _ = neighbours(self.transitions, self.parent, self.parent.operations)
        pool = joined([self.parent, drawn, near[rng.permutation(len(near))]])
        _, first = np.unique(pool.operations, axis=0, return_index=True)
        return pool[np.sort(first)[1 : k + 1]]

    def state_dict(self) -> dict[str, Any]:
        """Return what later draws and steps depend on, but for the supernet: tensors and plain values."""
        return {"gradient": self.gradient.state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict` of the same space and settings."""
        self.gradient.load_state_dict(state["gradient"])
        self._rng.bit_generator.state = state["rng"]

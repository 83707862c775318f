"""What NNI's strategy ``PolicyBasedRL`` tries first: models of a prior, as if its policy had chosen them.

Its policy makes a model by one action a choice. While the first `n_initial` are made, each action is that of a sample
of the prior in place of the one drawn; updates take them for the policy's own, so that what was good among them is what
the policy learns to choose first. Afterwards the policy acts by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nni_strategies.irlas.prior_first import SEED_WORDS, FirstDraws
from nni_strategies.search.searcher import Prior
from nni_strategies.space.from_nni import ModelSpaceView


class PolicyWithPrior(FirstDraws):
    """Lets the policy of a ``PolicyBasedRL`` begin with models of a prior, until :meth:`release`.

    Parameters
    ----------
    strategy
        The strategy, initialized. Draws are seeded by torch's generator, as its actions are.
    model_space
        An ``nni.nas`` executable model space.
    view, prior, n_initial
        As of :class:`~.prior_first.FirstDraws`.
    """

    def __init__(self, strategy: Any, model_space: Any, view: ModelSpaceView, prior: Prior, n_initial: int) -> None:
        words = torch.randint(2**31, (SEED_WORDS,)).tolist()
        super().__init__(view, prior, n_initial, np.random.default_rng(words))
        found = model_space.simplify().items()
        self._choices = {label: choice for label, choice in found if hasattr(choice, "values")}  # constraints have none
        self._policy, self._forward = strategy._policy, strategy._policy.forward
        self._actions: list[int] = []
        self._policy.forward = self._acted

    def release(self) -> None:
        """Give the policy its own actions back; harmless when repeated."""
        vars(self._policy).pop("forward", None)

    def _acted(self, batch: Any, *arguments: Any, **options: Any) -> Any:
        result = self._forward(batch, *arguments, **options)
        if not self._policy.updating:
            step = int(batch.obs.cur_step[0])
            if step == 0:
                sample = self.next()
                self._actions = [] if sample is None else self._actions_of(sample)
            if self._actions:
                result.act = torch.full_like(result.act, self._actions[step])
        return result

    def _actions_of(self, sample: dict[str, Any]) -> list[int]:
        """Return the actions that make a sample, in NNI's order: a place in the values, or 0 for each value chosen."""
        actions: list[int] = []
        for label, choice in self._choices.items():
            if not hasattr(choice, "n_chosen"):
                actions.append(choice.values.index(sample[label]))
            elif choice.n_chosen == 1:
                actions.append(choice.values.index(sample[label][0]))
            else:
                actions += [int(value not in sample[label]) for value in choice.values]
        return actions

"""A model space whose random members come from a prior.

NNI's strategies ``Random`` and ``RegularizedEvolution`` draw by ``model_space.random(memo, random_state)``. The model
space object gets a method of that name of its own, which draws a configuration from the prior and freezes the model
with it. Its generator is seeded by the strategy's, so the same seed draws the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np

from nni_strategies.search.searcher import Prior
from nni_strategies.space.from_nni import ModelSpaceView

_SEED_WORDS = 4


class GuidedDraws:
    """Makes a model space draw from a prior, until :meth:`release`.

    Parameters
    ----------
    model_space
        An ``nni.nas`` executable model space.
    view
        The search space the prior sees of it.
    prior
        Where random members come from.

    Attributes
    ----------
    count
        How many were drawn.
    """

    def __init__(self, model_space: Any, view: ModelSpaceView, prior: Prior) -> None:
        self._model_space, self._view, self._prior = model_space, view, prior
        self._stock = model_space.random
        self.count = 0
        model_space.random = self.random

    def random(self, memo: MutableMapping[str, Any] | None = None, random_state: Any = None) -> Any:
        """Return a model, as NNI's ``Mutable.random`` does; `memo` gets its sample.

        Values that `memo` holds already are kept: then the draw is NNI's own.
        """
        if memo:
            return self._stock(memo, random_state)
        words = None if random_state is None else random_state.randint(2**32, size=_SEED_WORDS, dtype=np.uint32)
        codes = self._prior.sample_codes(np.random.default_rng(words), 1)
        self.count += 1
        sample = self._view.sample(self._view.space.decode(codes)[0])
        if memo is not None:
            memo.update(sample)
        return self._model_space.freeze(sample)

    def release(self) -> None:
        """Give the model space its own method back; harmless when repeated."""
        if vars(self._model_space).get("random") == self.random:
            del self._model_space.random

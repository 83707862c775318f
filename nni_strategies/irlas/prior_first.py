"""What NNI's strategies ``TPE`` and ``GridSearch`` try first: models of a prior.

Neither draws from the model space at random: ``TPE`` asks its tuner for every model, ``GridSearch`` goes through a
grid. Here `n_initial` configurations of the prior, different from each other, come before that. Their results are
handed to the tuner by ``import_data``; ``GridSearch`` tries nothing twice, and shuffles them among the first models of
its grid.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

from nni_strategies.search.searcher import Prior
from nni_strategies.space.from_nni import ModelSpaceView

_TRIES = 64  # draws for a configuration that was not tried
SEED_WORDS = 4


class FirstDraws:
    """Different samples of a prior, so many.

    Parameters
    ----------
    view
        The search space the prior sees of a model space.
    prior
        Where they come from.
    n
        How many at most.
    rng
        What draws them.

    Attributes
    ----------
    count
        How many were drawn.
    """

    def __init__(self, view: ModelSpaceView, prior: Prior, n: int, rng: np.random.Generator) -> None:
        self._view, self._prior, self._n, self._rng = view, prior, n, rng
        self._seen: set[str] = set()
        self.count = 0

    def next(self) -> dict[str, Any] | None:
        """Return a sample, or None when there are no more."""
        space = self._view.space
        for _ in range(_TRIES if self.count < self._n else 0):
            (configuration,) = space.decode(self._prior.sample_codes(self._rng, 1))
            key = space.key(configuration)
            if key not in self._seen:
                self._seen.add(key)
                self.count += 1
                return self._view.sample(configuration)
        return None


class TunerWithPrior(FirstDraws):
    """Stands in for the tuner of an ``HPOTunerStrategy``, until :meth:`release`.

    Parameters
    ----------
    strategy
        The strategy. Draws are seeded by its tuner's generator, where it has one.
    view, prior, n_initial
        As of :class:`FirstDraws`.
    """

    def __init__(self, strategy: Any, view: ModelSpaceView, prior: Prior, n_initial: int) -> None:
        self._strategy, self._tuner = strategy, strategy.tuner
        own = getattr(self._tuner, "rng", None)
        words = own.integers(2**32, size=SEED_WORDS) if isinstance(own, np.random.Generator) else None
        super().__init__(view, prior, n_initial, np.random.default_rng(words))
        self._drawn: set[int] = set()  # parameter ids
        strategy.tuner = self

    def release(self) -> None:
        """Give the strategy its tuner back; harmless when repeated."""
        if self._strategy.tuner is self:
            self._strategy.tuner = self._tuner

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Any:
        """Return the sample of a model: the prior's, then the tuner's."""
        sample = self.next()
        if sample is None:
            return self._tuner.generate_parameters(parameter_id, **kwargs)
        self._drawn.add(parameter_id)
        return sample

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
        """Hand on a result."""
        if parameter_id in self._drawn:
            self._tuner.import_data([{"parameter": parameters, "value": value}])
        else:
            self._tuner.receive_trial_result(parameter_id, parameters, value, **kwargs)

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Hand on the end of a trial that the tuner proposed."""
        if parameter_id not in self._drawn:
            self._tuner.trial_end(parameter_id, success, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the tuner has."""
        return getattr(self._tuner, name)


class GridWithPrior(FirstDraws):
    """Puts models of a prior before a model space's grid, until :meth:`release`.

    Parameters
    ----------
    strategy
        A ``GridSearch``: draws are seeded by what shuffles its models.
    model_space
        An ``nni.nas`` executable model space.
    view, prior, n_initial
        As of :class:`FirstDraws`.
    """

    def __init__(self, strategy: Any, model_space: Any, view: ModelSpaceView, prior: Prior, n_initial: int) -> None:
        words = strategy._random_state.randint(2**32, size=SEED_WORDS, dtype=np.uint32)
        super().__init__(view, prior, n_initial, np.random.default_rng(words))
        self._model_space, self._stock = model_space, model_space.grid
        model_space.grid = self.grid

    def grid(self, memo: MutableMapping[str, Any] | None = None, granularity: int | None = None) -> Iterator[Any]:
        """Yield models, as NNI's ``Mutable.grid`` does; where `memo` holds values already, NNI's alone."""
        while not memo and (sample := self.next()) is not None:
            yield self._model_space.freeze(sample)
        yield from self._stock(memo, granularity)

    def release(self) -> None:
        """Give the model space its own method back; harmless when repeated."""
        if vars(self._model_space).get("grid") == self.grid:
            del self._model_space.grid

"""Searchers that misbehave on purpose, to test what runs searchers: the study, the tuner, the strategy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.searcher import Trial
from nni_strategies.space.search_space import Configuration, SearchSpace


class DeliberateError(Exception):
    """What a :class:`RaisingSearcher` raises."""


class RaisingSearcher(RandomSearch):
    """Random search that raises in one of its methods.

    Parameters
    ----------
    space
        What is searched.
    method
        ``propose``, ``proposed``, ``finished``, ``failed`` or ``phase``.
    first_calls
        How many calls of it work before the first that raises.
    """

    algorithm: ClassVar[str] = "raising"
    METHODS: ClassVar[tuple[str, ...]] = ("propose", "proposed", "finished", "failed", "phase")

    def __init__(self, space: SearchSpace, method: str, first_calls: int = 0) -> None:
        super().__init__(space)
        self._method = method
        self._calls_left = first_calls

    @property
    def phase(self) -> str:
        """Raise if told so."""
        self._called("phase")
        return "initial"

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Draw, or raise if told so."""
        self._called("propose")
        return super().propose(rng)

    def proposed(self, trial: Trial) -> None:
        """Remember the point, or raise if told so."""
        self._called("proposed")
        super().proposed(trial)

    def finished(self, trial: Trial) -> None:
        """Raise if told so."""
        self._called("finished")

    def failed(self, trial: Trial) -> None:
        """Raise if told so."""
        self._called("failed")

    def _called(self, method: str) -> None:
        if method == self._method:
            self._calls_left -= 1
            if self._calls_left < 0:
                raise DeliberateError(f"{method} raises on purpose")


class InvalidSearcher(RandomSearch):
    """Proposes what is not of the space: an unknown label, a value out of range, no dictionary at all."""

    algorithm: ClassVar[str] = "invalid"

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Return one of four wrong proposals."""
        good = self.space.sample(rng)
        label = next(iter(good))
        wrong: list[object] = [{**good, "no such label": 1}, {**good, label: object()}, {}, [good]]
        return wrong[int(rng.integers(len(wrong)))]  # type: ignore[return-value]  # on purpose


class StubbornSearcher(RandomSearch):
    """Proposes the same point again and again."""

    algorithm: ClassVar[str] = "stubborn"

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Return what it always returns."""
        return self.space.sample(np.random.default_rng(0))

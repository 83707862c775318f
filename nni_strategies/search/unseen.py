"""Which points of a space nobody proposed yet: what a study falls back to, and how it knows it is done."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.search_space import Configuration, SearchSpace

_DRAWS = (8, 256, 2_000)
_ENUMERABLE = 30_000  # in a third of a second

_logger = logging.getLogger(__name__)


class Unseen:
    """Draws points that are not in a set of keys, which only grows.

    What is drawn depends on the set and on the generator alone, not on earlier draws: so a replayed search goes on
    as the uninterrupted one.

    Parameters
    ----------
    space
        The space; at most 30,000 points are told one by one, in a larger one a point is unseen when 2,264 draws
        find it.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._table: _Table | None = None

    def draw(self, seen: Mapping[str, int], rng: np.random.Generator) -> Configuration | None:
        """Return an unseen point, None when there is none.

        Parameters
        ----------
        seen
            The keys of all points that were seen, in the order they were added; none is ever taken out.
        rng
            What is drawn from.
        """
        enumerable = self._space.size is not None and self._space.size <= _ENUMERABLE
        try:
            for n in _DRAWS[:1] if enumerable else _DRAWS:
                for configuration in self._space.decode(self._space.sample_codes(rng, n)):
                    if self._space.key(configuration) not in seen:
                        return configuration
        except InvalidSearchSpace as error:  # constraints that hardly any draw satisfies
            _logger.debug("no blind draw: %s", error)
        if not enumerable:
            return None
        if self._table is None:
            self._table = _Table(self._space)
        return self._table.draw(seen, rng)


class _Table:
    """Every point of a small space, and which are left."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        points = list(space.enumerate())
        self._codes = space.encode(points)
        self._index = {space.key(point): i for i, point in enumerate(points)}
        self._left: npt.NDArray[np.bool_] = np.ones(len(points), dtype=bool)
        self._n_seen = 0

    def draw(self, seen: Mapping[str, int], rng: np.random.Generator) -> Configuration | None:
        keys = list(seen)
        for key in keys[self._n_seen :]:
            index = self._index.get(key)
            if index is not None:
                self._left[index] = False
        self._n_seen = len(keys)
        left = np.flatnonzero(self._left)
        if not len(left):
            return None
        return self._space.decode(self._codes[left[int(rng.integers(len(left)))]][None, :])[0]

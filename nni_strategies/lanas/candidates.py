"""Candidates for the next proposal: mutations and crossovers of a region's best, and a few draws from the prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.region import Region
from nni_strategies.search.searcher import Prior
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import SearchSpace

Array = npt.NDArray[np.float64]

_AT_ONCE = 1024  # points whose keys are made together
CODE_DIGITS = 9  # decimals to which codes are compared

_ROUNDS = 4
# Shares of a round: one change, two changes, crossover (a third of it mutated); the rest is drawn from the prior.
_ONE, _TWO, _CROSS = 0.60, 0.25, 0.10


def breed(space: SearchSpace, prior: Prior, parents: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Return about `count` candidates.

    Parameters
    ----------
    parents
        Best first, ``[n_parents, n_codes]``; the r-th is taken with weight 1 / (1 + r). May be empty.
    """
    if not len(parents):
        return prior.sample_codes(rng, count)
    weight = 1.0 / (1.0 + np.arange(len(parents)))
    weight /= weight.sum()

    def pick(share: float) -> Codes:
        return parents[rng.choice(len(parents), size=round(count * share), p=weight)]

    ones = space.mutate_codes(pick(_ONE), rng, 1)
    twos = space.mutate_codes(pick(_TWO), rng, 2)
    crossed = space.cross_codes(pick(_CROSS), pick(_CROSS), rng)
    third = len(crossed) // 3
    changed = space.mutate_codes(crossed[:third], rng, 1) if third else crossed[:0]
    rest = max(count - round(count * _ONE) - round(count * _TWO) - round(count * _CROSS), 1)
    with suppress(InvalidSearchSpace):  # constraints that hardly any draw satisfies: mutations find more
        crossed = np.vstack([crossed, prior.sample_codes(rng, rest)])
    return np.vstack([ones, twos, changed, crossed[third:]])


def collect(
    space: SearchSpace,
    prior: Prior,
    region: Region,
    parents: Codes,
    fresh: Callable[[Codes], Codes],
    config: LaNASConfig,
    rng: np.random.Generator,
) -> Codes:
    """Breed until enough candidates are new and inside the region, at most four rounds; may return none."""
    found: list[Codes] = []
    for _ in range(_ROUNDS):
        codes = fresh(breed(space, prior, parents, config.n_candidates, rng))
        codes = codes[region.contains(codes)]
        found.append(codes)
        if sum(map(len, found)) >= config.enough_candidates:
            break
    return distinct(np.vstack(found))


def row_keys(codes: Codes) -> list[bytes]:
    """Return one key a row, equal for codes that are equal up to rounding, different for others (but for 2^-100)."""
    return [key.tobytes() for key in row_hashes(codes)]


def row_hashes(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return two hashes a row, ``[n, 2]``, equal for codes that are equal up to rounding."""
    units = np.rint(codes * 10.0**CODE_DIGITS).astype(np.int64).view(np.uint64)
    return np.stack([(units * row).sum(axis=1, dtype=np.uint64) for row in _multipliers(codes.shape[1])], axis=1)


@cache
def _multipliers(n_codes: int) -> npt.NDArray[np.uint64]:
    return np.random.default_rng(0).integers(2**64, size=(2, n_codes), dtype=np.uint64) | np.uint64(1)


def distinct(codes: Codes) -> Codes:
    """Keep the first of equal rows ``[n, n_codes]``, in order."""
    first = {key: i for i, key in reversed(list(enumerate(row_keys(codes))))}
    return codes[sorted(first.values())]


class Seen:
    """The points that were proposed, up to rounding."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._new: list[Codes] = []  # not among the keys yet: many at once are faster

    def add(self, codes: Codes) -> None:
        """Add rows ``[n, n_codes]``."""
        self._new.append(codes)
        if len(self._new) == _AT_ONCE:
            self._settle()

    def fresh(self, codes: Codes) -> Codes:
        """Keep the rows ``[n, n_codes]`` that were not added, the first of equal ones."""
        if self._new:
            self._settle()
        first = {key: i for i, key in reversed(list(enumerate(row_keys(codes)))) if key not in self._keys}
        return codes[sorted(first.values())]

    def _settle(self) -> None:
        self._keys.update(row_keys(np.vstack(self._new)))
        self._new.clear()


def best_members(members: Iterable[int], values: Array, count: int) -> npt.NDArray[np.intp]:
    """Return the indices of the `count` best of the results `members`, best first, ties in their order."""
    index = np.fromiter(members, dtype=np.intp)
    return index[np.argsort(-values[index], kind="stable")[:count]]

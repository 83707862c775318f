"""A search space whose constraints are checked on codes, many points at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

_FIRST_BATCH = 16
_LARGEST_BATCH = 1024
_MOST_DRAWS = 65_536  # plus 64 for each point asked for


class CodeConstraint(Protocol):
    """A constraint that can also look at codes."""

    def violation(self, configuration: Configuration) -> str | None:
        """Say what is wrong with `configuration`, or None when it satisfies the constraint."""

    def valid_codes(self, space: SearchSpace, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row of codes ``[n, n_codes]`` satisfies the constraint, ``[n]``."""

    def describe(self) -> Any:
        """Return what defines the constraint, as JSON types."""


@dataclass(frozen=True)
class ConstrainedSpace(SearchSpace):
    """A search space that draws by batched rejection, so that rare valid points are found too.

    Its constraints are :class:`CodeConstraint`.

    Raises
    ------
    InvalidSearchSpace
        From drawing: none of 65,536 draws satisfied the constraints.
    """

    def valid(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row satisfies the constraints, ``[n]``."""
        constraints: Sequence[Any] = self.constraints
        ok = np.ones(len(codes), dtype=bool)
        for constraint in constraints:
            ok[ok] = constraint.valid_codes(self, codes[ok])
        return ok

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` valid points as codes ``[n, n_codes]``; fewer where constraints reject nearly all."""
        if not self.constraints or n == 0:
            return super().sample_codes(rng, n)
        found: list[Codes] = []
        n_found, drawn, batch = 0, 0, max(n, _FIRST_BATCH)
        while n_found < n and drawn < _MOST_DRAWS + 64 * n:
            codes = np.hstack([parameter.sample_codes(rng, batch) for parameter in self.parameters])
            found.append(self.only_valid(self.repair(codes, rng)))
            n_found, drawn = n_found + len(found[-1]), drawn + batch
            batch = min(2 * batch, max(n, _LARGEST_BATCH))
        if not n_found:
            raise InvalidSearchSpace("constraints", self.describe()["constraints"], "satisfiable by random draws")
        return np.vstack(found)[:n]


def rows_where(
    space: SearchSpace, codes: Codes, violation: Callable[[Configuration], str | None]
) -> npt.NDArray[np.bool_]:
    """Check a constraint row by row, for those that know configurations only, ``[n]``."""
    return np.array([violation(one) is None for one in space.decode(codes)], dtype=bool)

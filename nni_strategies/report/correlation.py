"""Spearman's rank correlation, and how sure one can be of it.

The interval is that of Bonett and Wright (2000): ``tanh(atanh r ± z sqrt((1 + r^2 / 2) / (n - 3)))``. It takes the
trials for independent draws, which those of a search are not quite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nni_strategies.ranks import average_ranks

_Z = 1.959963984540054  # two-sided 95 %
_FEWEST = 5  # below, an interval says nothing


@dataclass(frozen=True)
class Correlation:
    """A rank correlation.

    Parameters
    ----------
    value
        In [-1, 1]; None of fewer than 3 pairs, or where one side does not vary.
    n
        Pairs.
    """

    value: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval; None for fewer than 5 pairs, or where the ranks agree or disagree entirely."""
        r = self.value
        if r is None or self.n < _FEWEST or abs(r) > 1.0 - 1e-12:
            return None
        half = _Z * math.sqrt((1.0 + r * r / 2.0) / (self.n - 3))
        return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def spearman(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Return the rank correlation of pairs ``[n]``, ``[n]``, ties averaged."""
    n = len(x)
    if n < 3:
        return Correlation(None, n)
    a, b = (average_ranks(np.asarray(values, dtype=float)) - (n - 1) / 2.0 for values in (x, y))
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return Correlation(float(np.clip(a @ b / norm, -1.0, 1.0)) if norm > 0.0 else None, n)

"""Ranks with ties averaged, for every floor: `scipy.stats` has them too, but takes a second to import."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def average_ranks(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the ranks of values ``[n]`` from 0 to n - 1, equal values sharing the mean of theirs."""
    order = np.argsort(values)  # not stable: four times as fast, and equal values share their rank
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(starts, append=len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (counts - 1) / 2.0, counts)
    return ranks

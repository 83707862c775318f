"""Upper confidence bounds of a node's children, with trials under way counted in.

LaNAS:    ucb = mean + 2 cp sqrt(2 ln(N) / n)        [1906.06832]
LA-MCTS:  ucb = mean + 2 cp sqrt(2 sqrt(N) / n)      [2007.00708]

N and n are the visits of the parent and of the child. Trials under way are added to both, as in WU-UCT
[1810.11755], so that parallel proposals spread; the mean is left alone unless a lie is asked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def ucb_scores(
    means: npt.ArrayLike, visits: npt.ArrayLike, parent_visits: float, cp: float, form: str = "log"
) -> Array:
    """Return the bounds of all children, ``[n_children]``; +inf where a child was never visited.

    Parameters
    ----------
    means
        Mean value of each child, ``[n_children]``.
    visits
        Visits of each child, pending ones included, ``[n_children]``.
    parent_visits
        Visits of their parent, pending ones included.
    cp
        Exploration constant, >= 0.
    form
        ``log`` or ``sqrt``.
    """
    mean, n = np.asarray(means, dtype=np.float64), np.asarray(visits, dtype=np.float64)
    growth = np.log(max(parent_visits, 1.0)) if form == "log" else np.sqrt(parent_visits)
    explore = 2.0 * cp * np.sqrt(2.0 * growth / np.maximum(n, 1.0))
    return np.where(n > 0, mean + explore, np.inf)


def pick_best(scores: Array, rng: np.random.Generator) -> int:
    """Return the index of the highest score, ties at random."""
    best = np.flatnonzero(scores == scores.max())
    return int(best[rng.integers(len(best))]) if len(best) > 1 else int(best[0])

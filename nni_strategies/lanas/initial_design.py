"""Initial designs drawn as a whole: a Latin hypercube, with which official LA-MCTS begins."""

from __future__ import annotations

import numpy as np

from nni_strategies.space.parameters import Categorical, Codes, Numerical
from nni_strategies.space.search_space import SearchSpace


def latin_hypercube(space: SearchSpace, rng: np.random.Generator, n: int) -> Codes:
    """Draw `n` points that spread evenly over each parameter by itself.

    Of n numbers one lies in each n-th of the distribution, and values of a choice come as often as their probability
    says, up to rounding. Subsets are drawn independently.

    Returns
    -------
    Codes
        ``[n, n_codes]``; fewer where constraints reject some.
    """
    from scipy.stats import qmc  # half a second to import, for presets only

    quantiles = qmc.LatinHypercube(len(space.parameters), seed=rng).random(n)
    columns = []
    for u, parameter in zip(quantiles.T[:, :, None], space.parameters, strict=True):
        if isinstance(parameter, Categorical):
            columns.append(parameter.codes_at(u))
        elif isinstance(parameter, Numerical):
            columns.append(parameter.snap(u))
        else:
            columns.append(parameter.sample_codes(rng, n))
    return space.only_valid(space.repair(np.hstack(columns), rng))

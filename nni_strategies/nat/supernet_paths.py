"""What a supernet that serves NAT learns: paths of the whole space, or of what one architecture can become.

Outputs of one architecture are far fewer than a space's architectures, so that each of their operations is trained for
longer. A supernet of them can judge nothing else.

Source: the whole space is the paper's, Guo et al.: NAT, NeurIPS 2019, algorithm 1; outputs of one are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.nearness import partly_kept
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.supernet.training import Paths

LearnedPaths = Literal["space", "outputs"]  # what a supernet learns
LEARNED_PATHS: tuple[LearnedPaths, ...] = get_args(LearnedPaths)


def living(transitions: Transitions) -> Paths:
    """Return what draws paths uniformly among those without a dead cell."""
    return lambda space, rng, n: transitions.view.decode(transitions.inputs(rng, n))


def outputs_of(transitions: Transitions, parent: Architectures, kept: float = 0.0) -> Paths:
    """Return what draws paths among what one architecture can become, itself included.

    Each edge draws uniformly among what it may carry, or keeps what it has.

    Parameters
    ----------
    transitions
        Say what it can become.
    parent
        The architecture, a batch of one; not dead.
    kept
        Probability with which an edge keeps its operation without a draw, 0 to below 1. In a network of many sums, such
        as a ResNet, outputs that differ everywhere have features of another size, and hardly any of them learns.

    Raises
    ------
    InvalidArgument
        A probability out of range; when paths are drawn, a dead architecture.
    """
    check_kept(kept)

    def draw(space: SearchSpace, rng: np.random.Generator, n: int) -> Sequence[Configuration]:
        children = transitions.random_children(parent, n, rng)
        if kept:
            children = partly_kept(transitions, parent[[0] * n], children, kept, rng)
        return transitions.view.decode(children)

    return draw


def check_kept(kept: object) -> None:
    """Raise InvalidArgument unless it is a probability below 1."""
    if isinstance(kept, bool) or not isinstance(kept, (int, float)) or not 0 <= kept < 1:
        raise InvalidArgument("kept", kept, "a probability, 0 to below 1")

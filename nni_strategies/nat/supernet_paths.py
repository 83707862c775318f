"""What a supernet that serves NAT learns: paths of the whole space, or of what one architecture can become.

Outputs of one architecture are far fewer than a space's architectures, so that each of their operations is trained for
longer. A supernet of them can judge nothing else.

Source: the whole space is the paper's, Guo et al.: NAT, NeurIPS 2019, algorithm 1; outputs of one are ours.
"""

from __future__ import annotations

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.transitions import Transitions
from nni_strategies.supernet.training import Paths


def living(transitions: Transitions) -> Paths:
    """Return what draws paths uniformly among those without a dead cell."""
    return lambda space, rng, n: transitions.view.decode(transitions.inputs(rng, n))


def outputs_of(transitions: Transitions, parent: Architectures) -> Paths:
    """Return what draws paths among what one architecture can become, itself included.

    Each edge draws uniformly among what it may carry.

    Parameters
    ----------
    transitions
        Say what it can become.
    parent
        The architecture, a batch of one; not dead.

    Raises
    ------
    InvalidArgument
        When paths are drawn, of a dead architecture.
    """
    return lambda space, rng, n: transitions.view.decode(transitions.random_children(parent, n, rng))

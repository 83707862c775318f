"""Outputs of large architectures that still have something in common with them.

An output that draws each edge differs from its input nearly everywhere. Of a cell, that is a cell of the same space; of
a network of seventy edges it is a ruin, and a learner that has seen ruins alone can say nothing of what lies near. So
outputs of inputs with more than 20 edges that can change keep what most edges have: how many are drawn anew is itself
drawn, from 1 to 20, small numbers more often (log-uniform). Up to 20 edges, which is the cells of NNI's hub, nothing is
kept and nothing drawn.

Source: ours. The paper (Guo et al., NeurIPS 2019, 1910.14488) transforms cells, and networks whose blocks share
choices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.transitions import Transitions

MOST_DRAWN = 20  # edges


def nearer(
    transitions: Transitions, inputs: Architectures, outputs: Architectures, rng: np.random.Generator
) -> Architectures:
    """Return outputs of which the edges of large inputs are, but for a few, as they were.

    Parameters
    ----------
    transitions
        What inputs can become.
    inputs
        A batch of `n`, none of them dead.
    outputs
        As many of each, those of one input side by side.
    rng
        Nothing is drawn of it where no input is large.
    """
    changeable = (transitions.allowed(inputs).sum(axis=2) > 1).sum(axis=1)
    if changeable.max() <= MOST_DRAWN:
        return outputs
    places = np.repeat(np.arange(len(inputs)), len(outputs) // len(inputs))
    drawn = MOST_DRAWN ** rng.random(len(outputs))
    n_edges = changeable[places]
    kept = np.where(n_edges > MOST_DRAWN, 1.0 - drawn / np.maximum(n_edges, 1), 0.0)
    return partly_kept(transitions, inputs[places], outputs, kept, rng)


def partly_kept(
    transitions: Transitions,
    parents: Architectures,
    children: Architectures,
    kept: float | npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> Architectures:
    """Return children of which each edge is as it was with a probability, one for all or ``[n]``; none is dead.

    Parameters
    ----------
    transitions
        What parents can become.
    parents, children
        `n` of both, one child of each parent; none of the parents is dead.
    kept
        The probability.
    rng
        What is kept is drawn with it.
    """
    stays = rng.random(children.operations.shape) < np.reshape(kept, (-1, 1))
    mixed = np.where(stays, parents.operations, children.operations)
    return parents.replaced(transitions.repaired(parents, mixed))

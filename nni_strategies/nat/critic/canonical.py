"""One form for architectures that compute the same: an edge on no live path carries nothing."""

from __future__ import annotations

from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView
from nni_strategies.nat.liveness import live_edges
from nni_strategies.nat.operation_classes import OperationClasses


def canonical(view: EdgeView, classes: OperationClasses, architectures: Architectures) -> Architectures:
    """Return the architectures with ``ABSENT``, from node 0, on each edge that is null or on no live path.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    architectures
        A batch of `n`.
    """
    live = live_edges(view, classes, architectures)
    operations = architectures.operations.copy()
    sources = architectures.sources.copy()
    operations[~live], sources[~live] = ABSENT, 0
    return Architectures(operations, sources, architectures.rest)

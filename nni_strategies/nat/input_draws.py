"""Architectures for NAT to learn on: uniform draws of the space.

The paper draws every operation but null. Networks written as cells are full of nulls, so a policy that never saw one
cannot transform them: here null has its uniform share, or the one that is asked for.

A dead cell is drawn again by itself, as of many cells one is nearly always dead. Since cells are drawn independently,
what comes out is uniform among the architectures that are alive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView, Flags, Integers
from nni_strategies.nat.liveness import alive_cells, cell_edges
from nni_strategies.nat.operation_classes import NULL, OperationClasses

_ROUNDS = 200


def draw_inputs(
    view: EdgeView,
    classes: OperationClasses,
    rng: np.random.Generator,
    n: int,
    null_probability: float | None = None,
) -> Architectures:
    """Return `n` uniform draws of the space that are alive.

    Parameters
    ----------
    null_probability
        Of null on each edge that can carry it; None: as of any other operation. The others stay uniform.

    Raises
    ------
    InvalidArgument
        Not in [0, 1), or so many nulls that hardly any architecture is alive.
    """
    check_null_probability(null_probability)
    drawn = _draw(view, classes, rng, n, null_probability)
    for _ in range(_ROUNDS):
        dead = ~alive_cells(view, classes, drawn)
        rows = np.flatnonzero(dead.any(axis=1))
        if not len(rows):
            return drawn
        drawn = _patched(view, drawn, rows, dead[rows], _draw(view, classes, rng, len(rows), null_probability))
    raise InvalidArgument("null_probability", null_probability, "small enough that draws are alive: some never were")


def check_null_probability(value: Any) -> None:
    """Raise `InvalidArgument` for what is neither None nor a number from 0 to below 1."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value < 1):
        raise InvalidArgument("null_probability", value, "a probability, 0 to below 1, or None")


def _draw(
    view: EdgeView, classes: OperationClasses, rng: np.random.Generator, n: int, null_probability: float | None
) -> Architectures:
    drawn = view.encode(view.space.decode(view.space.sample_codes(rng, n)))
    if null_probability is None:
        return drawn
    return drawn.replaced(_with_nulls(classes, drawn.operations, null_probability, rng))


def _patched(view: EdgeView, drawn: Architectures, rows: Integers, dead: Flags, fresh: Architectures) -> Architectures:
    """Replace the dead cells of some rows by those of fresh draws; whole rows where not every draw is a point."""
    operations, sources, rest = drawn.operations.copy(), drawn.sources.copy(), list(drawn.rest)
    places = [edges for _, edges in cell_edges(view)]
    for i, row in enumerate(rows.tolist()):
        edges = [e for c in np.flatnonzero(dead[i]) for e in places[c]]
        in_use = fresh.operations[i, edges] != ABSENT
        if view.space.constraints or ((operations[row, edges] != ABSENT) != in_use).any():
            operations[row], sources[row], rest[row] = fresh.operations[i], fresh.sources[i], fresh.rest[i]
            continue
        operations[row, edges], sources[row, edges] = fresh.operations[i, edges], fresh.sources[i, edges]
        rest[row] = _with_sources(view, edges, rest[row], fresh.rest[i])
    return Architectures(operations, sources, tuple(rest))


def _with_sources(
    view: EdgeView, edges: list[int], rest: Mapping[str, Any], fresh: Mapping[str, Any]
) -> Mapping[str, Any]:
    labels = (view.edges[e].source_label for e in edges)
    return {**rest, **{label: fresh[label] for label in labels if label is not None and label in fresh}}


def _with_nulls(
    classes: OperationClasses, operations: Integers, probability: float, rng: np.random.Generator
) -> Integers:
    """Draw all operations anew, null with a probability of its own."""
    null = classes.roles == NULL
    weights = np.where(null, probability / np.maximum(null.sum(axis=1, keepdims=True), 1), 0.0)
    real = classes.roles > NULL
    rest = np.where(null.any(axis=1, keepdims=True), 1 - probability, 1.0)
    weights = weights + real * rest / np.maximum(real.sum(axis=1, keepdims=True), 1)
    bounds = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    draws = (rng.random(operations.shape)[..., None] >= bounds).sum(axis=2)
    last = bounds.shape[1] - 1 - np.argmax((weights > 0)[:, ::-1], axis=1)  # a draw beyond a bound that is not quite 1
    return np.where(operations == ABSENT, ABSENT, np.minimum(draws, last))

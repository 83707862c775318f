"""The tree of latent actions: each node halves its region into better and worse by what was learned there.

A node's region is the set of points that satisfy every boundary on its path; results are sent down by the same
boundaries, so that a node's mean describes its own region. Deviations from the official code, which mends this:
closed-form splits, routing by prediction, regions that are the conjunction of all constraints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.splits import LinearSplit, Split, fit_split
from nni_strategies.lanas.ucb import pick_best, ucb_scores
from nni_strategies.lanas.values import ValueTransform

Array = npt.NDArray[np.float64]
_TOP_WEIGHTS = 5


@dataclass
class Node:
    """One region.

    Parameters
    ----------
    path
        The boundaries from the root with the side taken: True is the good one.
    members
        Indices of the results inside.
    total
        Sum of their transformed values.
    split, good, bad
        The node's own boundary and its children; None at a leaf.
    pending, lie
        Trials under way inside, and the sum of the values they are taken for where lies are told.
    leaves
        First and one past the last number of the leaves below, counted from the good side; a leaf's is its own.
    visits
        Results inside.
    """

    path: tuple[tuple[Split, bool], ...]
    members: list[int]
    total: float
    split: Split | None = None
    good: Node | None = None
    bad: Node | None = None
    pending: int = 0
    lie: float = 0.0
    leaves: tuple[int, int] = (0, 1)
    visits: int = field(init=False)

    def __post_init__(self) -> None:
        self.visits = len(self.members)

    @property
    def mean(self) -> float:
        """Mean transformed value; 0 while empty."""
        return self.total / self.visits if self.visits else 0.0

    @property
    def children(self) -> tuple[Node, ...]:
        """The good child, then the bad one; empty for a leaf."""
        return (self.good, self.bad) if self.good is not None and self.bad is not None else ()

    def child(self, margin: float) -> Node:
        """Return the child on the side a margin says."""
        assert self.good is not None and self.bad is not None
        return self.good if margin >= 0 else self.bad


class LatentActionTree:
    """Learned from results, then kept up to date result by result until it is learned anew.

    Parameters
    ----------
    x
        Features, ``[n, n_columns]``.
    values
        Metrics, ``[n]``, higher is better.
    config
        Height, splits, exploration.
    """

    def __init__(self, x: npt.NDArray[Any], values: Array, config: LaNASConfig) -> None:
        self.config = config
        self.transform = ValueTransform(config.value_transform, values)
        self.n_learned = self.n_results = len(values)
        self._with_pending: list[Node] = []
        v = self.transform(values)
        self.root = self._grow(x, v, np.arange(len(values)), ())
        _number_leaves(self.root, 0)

    def _grow(
        self, x: npt.NDArray[Any], v: Array, members: npt.NDArray[np.intp], path: tuple[tuple[Split, bool], ...]
    ) -> Node:
        node = Node(path, members.tolist(), float(v[members].sum()))
        if len(path) + 1 >= self.config.height or len(members) < self.config.min_split:
            return node
        split = fit_split(x[members], v[members], self.config)
        if split is None:
            return node
        good = split.margin(x[members]) >= 0
        if self.config.training_route == "actual" and isinstance(split, LinearSplit):
            good = v[members] >= v[members].mean()
        sides = int(good.sum()), int((~good).sum())
        # A boundary with the worse half on its good side has learned nothing.
        if min(sides) < self.config.min_leaf or v[members][good].mean() < v[members][~good].mean():
            return node
        node.split = split
        node.good = self._grow(x, v, members[good], (*path, (split, True)))
        node.bad = self._grow(x, v, members[~good], (*path, (split, False)))
        return node

    # -- keeping up to date -----------------------------------------------------------------------

    def route(self, x: npt.NDArray[Any]) -> list[Node]:
        """Return the nodes from the root to the leaf of one point ``[n_columns]``."""
        node, nodes = self.root, [self.root]
        while node.split is not None:
            node = node.child(float(node.split.margin(x[None, :])[0]))
            nodes.append(node)
        return nodes

    def add(self, x: npt.NDArray[Any], value: float) -> None:
        """Count a result that came after the tree was learned; `x` is ``[n_columns]``."""
        v = float(self.transform(np.array([value]))[0])
        for node in self.route(x):
            node.members.append(self.n_results)
            node.total += v
            node.visits += 1
        self.n_results += 1

    def set_pending(self, x: npt.NDArray[Any]) -> None:
        """Count the trials under way, ``[n_pending, n_columns]``, instead of those counted before."""
        for node in self._with_pending:
            node.pending, node.lie = 0, 0.0
        self._with_pending = []
        if len(x):
            self._count_pending(self.root, x)

    def _count_pending(self, node: Node, x: npt.NDArray[Any]) -> float:
        """Count trials under way in a node and below; returns the sum of their lies."""
        self._with_pending.append(node)
        node.pending = len(x)
        if node.split is None:
            lie = self.transform.lowest if self.config.pending == "virtual_loss" else node.mean
            node.lie = lie * len(x)
            return node.lie
        good = node.split.margin(x) >= 0
        for child, rows in zip(node.children, (x[good], x[~good]), strict=True):
            node.lie += self._count_pending(child, rows) if len(rows) else 0.0
        return node.lie

    # -- searching --------------------------------------------------------------------------------

    def select(self, rng: np.random.Generator) -> Node:
        """Return the leaf that the upper confidence bounds lead to."""
        node = self.root
        while node.children:
            node = node.children[pick_best(self.scores(node), rng)]
        return node

    def scores(self, node: Node) -> Array:
        """Return the bounds of a node's children, good first."""
        config = self.config
        visits = [child.visits + child.pending for child in node.children]
        if config.pending == "count":
            means = [child.mean for child in node.children]
        else:
            means = [(c.total + c.lie) / max(n, 1) for c, n in zip(node.children, visits, strict=True)]
        return ucb_scores(means, visits, node.visits + node.pending, config.cp, config.ucb)

    # -- looking ----------------------------------------------------------------------------------

    def describe(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the tree as nested dictionaries of JSON types, for reports.

        Each node has ``size``, ``pending``, ``mean`` (transformed), ``split`` (the most telling features with their
        weights, None at a leaf) and ``children`` (good first).
        """

        def told(node: Node) -> dict[str, Any]:
            top = None if node.split is None else node.split.top_weights(list(names), _TOP_WEIGHTS)
            return {
                "size": len(node.members),
                "visits": node.visits,
                "pending": node.pending,
                "mean": node.mean,
                "split": None if top is None else [{"feature": name, "weight": weight} for name, weight in top],
                "children": [told(child) for child in node.children],
            }

        return told(self.root)


def _number_leaves(node: Node, first: int) -> int:
    end = first
    for child in node.children:
        end = _number_leaves(child, end)
    node.leaves = first, max(end, first + 1)
    return node.leaves[1]

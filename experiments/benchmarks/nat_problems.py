"""What :mod:`experiments.benchmarks.nat_benefit` transforms: NAS-Bench-201's cell, and two of them side by side.

Inputs are uniform over all cells, those without a live path among them, 2.2 %: so the protocol has it that the targets
come from. Such a cell reaches what guessing does, and any living output of it gains very much; gains are therefore also
given over living inputs alone, which are all that the package itself takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import Architectures, EdgeView, Flags, Integers
from nni_strategies.nat.liveness import alive_cells, cell_edges
from nni_strategies.nat.operation_classes import SKIP, classes_by_name
from nni_strategies.nat.revival import revert_cheapest
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from search_spaces.nasbench201 import EDGES, OPERATIONS, load_table

Array = npt.NDArray[np.float64]

# thousands of MAdds of an operation in all 15 cells together: 7.783 M + 3.932 M a 1x1 + 35.389 M a 3x3
COSTS = {"nor_conv_1x1": (3_932, 0), "nor_conv_3x3": (35_389, 0)}
PRODUCT = "product"
PROBLEMS = ("cifar10", "cifar100", "imagenet16-120", "noisy", PRODUCT)
N_INPUTS, INPUT_SEED = 1000, 2026

_PLACE = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)


class AnyInput(Transitions):
    """Transitions whose inputs may be dead: a dead output of a dead cell gets a skip from its input to its output.

    A cell is dead only if that edge is null, and null may become a skip by any rule.
    """

    def refuse_dead(self, architectures: Architectures) -> None:
        """Refuse none."""

    def repaired(self, parents: Architectures, operations: Integers) -> Integers:
        """Return children's operations without dead cells."""
        living = alive_cells(self.view, self.classes, parents)
        kept = operations.copy()
        for kind, (cell, edges) in enumerate(cell_edges(self.view)):
            across = next(
                e for e in edges if self.view.edges[e].source == 0 and self.view.edges[e].node == cell.n_nodes - 1
            )
            dead = ~living[:, kind] & ~alive_cells(self.view, self.classes, parents.replaced(kept))[:, kind]
            kept[dead, across] = int(np.flatnonzero(self.classes.roles[across] == SKIP)[0])
        rows = np.flatnonzero(~self.alive(parents.replaced(kept)))
        if len(rows):
            kept[rows] = revert_cheapest(self.view, self.classes, self.costs, parents[rows], kept[rows])
        return kept


@dataclass(frozen=True)
class Problem:
    """A table of architectures to transform.

    Parameters
    ----------
    name
        Of `PROBLEMS`.
    rule
        Which operation may become which.
    """

    name: str
    rule: Rule

    @cached_property
    def view(self) -> EdgeView:
        """One cell, or two."""
        cells = ("a", "b") if self.name == PRODUCT else ("cell",)
        labels = [f"{cell}.edge_{i}_{j}" for cell in cells for i, j in EDGES]
        return edge_view(SearchSpace(tuple(Categorical(label, OPERATIONS) for label in labels)))

    @cached_property
    def transitions(self) -> AnyInput:
        """By nominal cost."""
        costs = CostTable.by_operation(self.view, COSTS)
        return AnyInput(self.view, classes_by_name(self.view), costs, self.rule)

    def valid(self, architectures: Architectures) -> Array:
        """Return what is searched by, in per cent, ``[n]``: validation accuracy."""
        return self._looked_up(architectures, tables(self.name, "valid"))

    def test(self, architectures: Architectures) -> Array:
        """Return what is reported, in per cent, ``[n]``: test accuracy after 200 epochs."""
        return self._looked_up(architectures, tables(self.name, "test"))

    def _looked_up(self, architectures: Architectures, columns: tuple[Array, ...]) -> Array:
        """Return the geometric mean over cells of their accuracies."""
        cells = np.split(architectures.operations, len(columns), axis=1)
        found = np.stack([column[cell @ _PLACE] for column, cell in zip(columns, cells, strict=True)])
        return np.asarray(found[0] if len(found) == 1 else np.sqrt(found.prod(axis=0)))

    def inputs(self, n: int = N_INPUTS, seed: int = INPUT_SEED) -> Architectures:
        """Return uniform draws, dead cells among them."""
        view = self.view
        return view.encode(view.space.decode(view.space.sample_codes(np.random.default_rng(seed), n)))

    def best(self, inputs: Architectures) -> Architectures:
        """Return the valid output of each input with the highest value of :meth:`valid`."""
        chosen = inputs.operations.copy()
        n_edges = len(EDGES)
        for kind, column in enumerate(tables(self.name, "valid")):
            edges = slice(kind * n_edges, (kind + 1) * n_edges)
            for row, allowed in enumerate(self.transitions.allowed(inputs)[:, edges]):
                outputs = enumerated(allowed)
                chosen[row, edges] = outputs[column[outputs @ _PLACE].argmax()]
        return inputs.replaced(chosen)


def enumerated(allowed: Flags) -> Integers:
    """Return all choices of operations, ``[m, n_edges]``, that are allowed, ``[n_edges, n_operations]``."""
    grid = np.meshgrid(*[np.flatnonzero(edge) for edge in allowed], indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, len(allowed))


@lru_cache(maxsize=16)
def tables(name: str, split: str) -> tuple[Array, ...]:
    """Return the accuracies of each cell of a problem."""
    if name == PRODUCT:
        return tuple(load_table(dataset, split).accuracies for dataset in ("cifar10", "cifar100"))
    if name == "noisy":
        return (load_table("cifar10", split, epochs=12 if split == "valid" else 200).accuracies,)
    return (load_table(name, split).accuracies,)


Score = Callable[[Architectures], Array]

"""What an architecture may become: the action space of NAT, and the guarantee that it never costs more.

Each edge chooses for itself. Operation v may replace u on an edge that leaves node s when the rule allows it
(:mod:`.rules`) and, with ``cost_rule="strict"``,

    c(edge, s, v) <= c(edge, s, u)  for MAdds and for parameters.

As an architecture costs the sum of its edges and a base that stays as it is, none of its costs can rise. Deviation from
the paper, whose order c(O) > c(S) > c(N) is false where a skip is a strided convolution; ``cost_rule="paper"`` asks the
rule alone.

MAdds count convolutions and linear layers, so pooling is as free as a skip. Where both costs tie, what they do not
count decides: no move makes a null or a skip a real operation, nor a pooling window larger.

A child that has a dead cell (:mod:`.liveness`) is no valid one.

Source: Guo et al.: NAT, NeurIPS 2019, sections 3.1 and 3.3.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView, Flags, Integers
from nni_strategies.nat.input_draws import draw_inputs
from nni_strategies.nat.liveness import alive, refuse_dead
from nni_strategies.nat.operation_classes import NULL, SKIP, OperationClasses
from nni_strategies.nat.revival import revert_cheapest
from nni_strategies.nat.rules import Rule, allowed_by_rule

CostRule = Literal["strict", "paper"]
COST_RULES: tuple[CostRule, ...] = ("strict", "paper")

REDRAWS = 50
LARGEST_ENUMERATION = 2_000_000


class Transitions:
    """The moves of a space under a rule.

    Parameters
    ----------
    view
        The edges.
    classes
        What their operations are.
    costs
        What their operations cost.
    rule
        See :mod:`.rules`.
    cost_rule
        ``strict``: no cost of any edge rises. ``paper``: the rule alone.

    Raises
    ------
    InvalidArgument
        An unknown rule, or ``cost`` without the cost test.
    """

    def __init__(
        self,
        view: EdgeView,
        classes: OperationClasses,
        costs: CostTable,
        rule: Rule = "cost",
        cost_rule: CostRule = "strict",
    ) -> None:
        if cost_rule not in COST_RULES:
            raise InvalidArgument("cost_rule", cost_rule, f"one of {', '.join(COST_RULES)}", COST_RULES)
        if rule == "cost" and cost_rule == "paper":
            raise InvalidArgument("cost_rule", cost_rule, 'strict: the rule "cost" allows everything by itself')
        self.view, self.classes, self.costs = view, classes, costs
        self.rule: Rule = rule
        self.cost_rule: CostRule = cost_rule
        self._by_rule = allowed_by_rule(rule, classes)
        self._moves: dict[int, tuple[Integers, Flags]] = {}  # by table, which is kept as its number is its name

    def moves(self, table: Integers) -> Flags:
        """Return what may become what, ``[n_edges, n_nodes, n_operations (from), n_operations (to)]``.

        Parameters
        ----------
        table
            Costs ``[n_edges, n_nodes, n_operations, 2]``; nodes are those that an edge leaves.
        """
        if id(table) not in self._moves:
            self._moves[id(table)] = (table, self._moves_at(table))
        return self._moves[id(table)][1]

    def _moves_at(self, table: Integers) -> Flags:
        by_rule = self._by_rule[:, None]
        if self.cost_rule == "paper":
            return np.broadcast_to(by_rule, (*table.shape[:2], *by_rule.shape[2:]))
        old, new = table[:, :, :, None], table[:, :, None, :]
        tie = (new == old).all(axis=-1)
        return np.asarray(by_rule & (new <= old).all(axis=-1) & ~(tie & self._dearer_uncounted[:, None]))

    @cached_property
    def _dearer_uncounted(self) -> Flags:
        """Which moves cost more of what is not counted, ``[n_edges, n_operations, n_operations]``."""
        roles, kernels = self.classes.roles, self.classes.kernels
        windows = np.where(np.isin(self.classes.families, ("maxpool", "avgpool")), kernels, 0)
        rises = roles[:, None, :] > roles[:, :, None]
        free = (roles[:, :, None] == NULL) & (roles[:, None, :] == SKIP)
        same_role = roles[:, None, :] == roles[:, :, None]
        return np.asarray((rises & ~free) | (same_role & (windows[:, None, :] > windows[:, :, None])))

    def allowed(self, architectures: Architectures) -> Flags:
        """Return what each edge may carry, ``[n, n_edges, n_operations]``; nothing where it is not in use."""
        operations = architectures.operations
        edges = np.arange(self.view.n_edges)
        allowed = np.empty((*operations.shape, len(self.view.operations)), dtype=bool)
        for table, rows in self.costs.tables(architectures):
            allowed[rows] = self.moves(table)[edges, architectures.sources[rows], np.maximum(operations[rows], 0)]
        return np.asarray(allowed & (operations != ABSENT)[..., None])

    def alive(self, architectures: Architectures) -> Flags:
        """Return which architectures have no dead cell, ``[n]``."""
        return alive(self.view, self.classes, architectures)

    def refuse_dead(self, architectures: Architectures) -> None:
        """Refuse architectures with a dead cell; raises InvalidArgument that names it."""
        refuse_dead(self.view, self.classes, architectures)

    def valid(self, parents: Architectures, children: Architectures) -> Flags:
        """Return which children their parents may become, ``[n]``."""
        unused = parents.operations == ABSENT
        kept = (children.sources == parents.sources) & ((children.operations == ABSENT) == unused)
        chosen = np.maximum(children.operations, 0)[..., None]
        moves = np.take_along_axis(self.allowed(parents), chosen, axis=2)[..., 0]
        return np.asarray((kept & (moves | unused)).all(axis=1) & self.alive(children))

    def keep_alive(self, parents: Architectures, operations: Integers) -> Integers:
        """Return children's operations without dead cells.

        A dead cell gets its parent's operations back along one path: the one on which these cost least.

        Parameters
        ----------
        parents
            `n` architectures.
        operations
            Of their children, ``[n, n_edges]``.

        Raises
        ------
        InvalidArgument
            A parent of a dead child is dead itself.
        """
        dead = ~self.alive(parents.replaced(operations))
        if not dead.any():
            return operations
        rows = np.flatnonzero(dead)
        self.refuse_dead(parents[rows])
        repaired = operations.copy()
        repaired[rows] = revert_cheapest(self.view, self.classes, self.costs, parents[rows], operations[rows])
        return repaired

    def random_children(self, parents: Architectures, n_each: int, rng: np.random.Generator) -> Architectures:
        """Return children that draw each operation uniformly among the allowed ones.

        A dead child is drawn again, at most 50 times, then repaired (:meth:`keep_alive`).

        Parameters
        ----------
        parents
            `n` architectures, none of them dead.
        n_each
            Children of each.

        Returns
        -------
        Architectures
            ``n * n_each`` children, those of one parent together.

        Raises
        ------
        InvalidArgument
            A parent is dead.
        """
        self.refuse_dead(parents)
        repeated = parents[np.repeat(np.arange(len(parents)), n_each)]
        allowed = self.allowed(repeated)
        operations = self._draw(repeated, allowed, rng)
        for _ in range(REDRAWS):
            dead = np.flatnonzero(~self.alive(repeated.replaced(operations)))
            if not len(dead):
                break
            operations[dead] = self._draw(repeated[dead], allowed[dead], rng)
        return repeated.replaced(self.keep_alive(repeated, operations))

    def _draw(self, parents: Architectures, allowed: Flags, rng: np.random.Generator) -> Integers:
        keys = np.where(allowed, rng.random(allowed.shape), -1.0)
        return np.where(parents.operations == ABSENT, ABSENT, keys.argmax(axis=2))

    def n_moves(self, architectures: Architectures) -> list[int]:
        """Return how many outputs each architecture has, length `n`; dead ones and itself are counted."""
        counts = np.maximum(self.allowed(architectures).sum(axis=2), 1)
        return [int(np.prod(row, dtype=object)) for row in counts]

    def reachable(self, parent: Architectures) -> Integers:
        """Return all valid outputs of one architecture, itself among them, ``[m, n_edges]``.

        Raises
        ------
        InvalidArgument
            Not one architecture, a dead one, or one with more than two million outputs.
        """
        if len(parent) != 1:
            raise InvalidArgument("parent", len(parent), "one architecture")
        self.refuse_dead(parent)
        size = self.n_moves(parent)[0]
        if size > LARGEST_ENUMERATION:
            raise InvalidArgument("reachable", size, f"at most {LARGEST_ENUMERATION:,} outputs to enumerate")
        choices = [
            np.flatnonzero(allowed) if allowed.any() else np.array([ABSENT]) for allowed in self.allowed(parent)[0]
        ]
        grid = np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(size, -1).astype(np.int64)
        repeated = Architectures(grid, np.broadcast_to(parent.sources, grid.shape), parent.rest * size)
        return grid[self.alive(repeated)]

    def inputs(self, rng: np.random.Generator, n: int, null_probability: float | None = None) -> Architectures:
        """Return `n` uniform draws of the space that are alive; see :func:`.input_draws.draw_inputs`."""
        return draw_inputs(self.view, self.classes, rng, n, null_probability)

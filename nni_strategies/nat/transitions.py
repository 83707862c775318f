"""What an architecture may become: the action space of NAT, and the guarantee that it never costs more.

Each edge chooses for itself. Operation v may replace u on an edge that leaves node s when the rule allows it
(:mod:`.rules`) and, with ``cost_rule="strict"``,

    c(edge, s, v) <= c(edge, s, u)  for MAdds and for parameters.

As an architecture costs the sum of its edges and a base that stays as it is, none of its costs can rise. Deviation from
the paper, whose order c(O) > c(S) > c(N) is false where a skip is a strided convolution; ``cost_rule="paper"`` asks the
rule alone.

MAdds count convolutions and linear layers, so pooling is as free as a skip. Where both costs tie, what they do not
count decides: no move makes a null or a skip a real operation, nor a pooling window larger.

A child that has a dead cell (:mod:`.liveness`) is no valid one; nor is one whose live costs rise, where those are
counted (:mod:`.live_costs`).

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
from nni_strategies.nat.live_costs import COST_MODES, CostMode, live_costs, without_costly_links
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
    cost_mode
        ``nominal``: all that is chosen counts. ``live``: what reaches a cell's output must not cost more either.

    Raises
    ------
    InvalidArgument
        An unknown rule or mode, or ``cost`` or ``live`` without the cost test.
    """

    def __init__(
        self,
        view: EdgeView,
        classes: OperationClasses,
        costs: CostTable,
        rule: Rule = "cost",
        cost_rule: CostRule = "strict",
        cost_mode: CostMode = "nominal",
    ) -> None:
        check_cost_rules(rule, cost_rule, cost_mode)
        self.view, self.classes, self.costs = view, classes, costs
        self.rule: Rule = rule
        self.cost_rule: CostRule = cost_rule
        self.cost_mode: CostMode = cost_mode
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

    def live_costs(self, architectures: Architectures) -> Integers:
        """Return what the operations of each architecture cost that reach an output, ``[n, 2]``."""
        return live_costs(self.view, self.classes, self.costs, architectures)

    def sound(self, parents: Architectures, children: Architectures) -> Flags:
        """Return which children of allowed operations are valid as a whole, ``[n]``: alive, by live costs no dearer.

        Parameters
        ----------
        parents
            `n` architectures, or the one parent of all.
        """
        sound = self.alive(children)
        if self.cost_mode == "live":
            sound &= (self.live_costs(children) <= self.live_costs(parents)).all(axis=1)
        return sound

    def refuse_dead(self, architectures: Architectures) -> None:
        """Refuse architectures with a dead cell; raises InvalidArgument that names it."""
        refuse_dead(self.view, self.classes, architectures)

    def valid(self, parents: Architectures, children: Architectures) -> Flags:
        """Return which children their parents may become, ``[n]``.

        Parameters
        ----------
        parents, children
            `n` of both, one child of each parent.
        """
        unused = parents.operations == ABSENT
        kept = (children.sources == parents.sources) & ((children.operations == ABSENT) == unused)
        chosen = np.maximum(children.operations, 0)[..., None]
        moves = np.take_along_axis(self.allowed(parents), chosen, axis=2)[..., 0]
        return np.asarray((kept & (moves | unused)).all(axis=1) & self.sound(parents, children))

    def repaired(self, parents: Architectures, operations: Integers) -> Integers:
        """Return children's operations, each of them allowed, as those of valid children.

        A dead cell gets its parent's operations back along one path: the one on which these cost least. Where live
        costs count, too, links that make them rise are given back.

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
        repaired = self._revived(parents, operations)
        if self.cost_mode == "live":
            return without_costly_links(self.view, self.classes, self.costs, parents, repaired)
        return repaired

    def _revived(self, parents: Architectures, operations: Integers) -> Integers:
        dead = ~self.alive(parents.replaced(operations))
        if not dead.any():
            return operations
        rows = np.flatnonzero(dead)
        self.refuse_dead(parents[rows])
        revived = operations.copy()
        revived[rows] = revert_cheapest(self.view, self.classes, self.costs, parents[rows], operations[rows])
        return revived

    def random_children(self, parents: Architectures, n_each: int, rng: np.random.Generator) -> Architectures:
        """Return children that draw each operation uniformly among the allowed ones.

        A child that is not valid is drawn again, at most 50 times, then repaired (:meth:`repaired`).

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
            unsound = np.flatnonzero(~self.sound(repeated, repeated.replaced(operations)))
            if not len(unsound):
                break
            operations[unsound] = self._draw(repeated[unsound], allowed[unsound], rng)
        return repeated.replaced(self.repaired(repeated, operations))

    def _draw(self, parents: Architectures, allowed: Flags, rng: np.random.Generator) -> Integers:
        keys = np.where(allowed, rng.random(allowed.shape), -1.0)
        return np.where(parents.operations == ABSENT, ABSENT, keys.argmax(axis=2))

    def n_moves(self, architectures: Architectures) -> list[int]:
        """Return how many outputs each architecture has, length `n`; what is not sound and itself are counted."""
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
        return grid[self.sound(parent, repeated)]

    def inputs(self, rng: np.random.Generator, n: int, null_probability: float | None = None) -> Architectures:
        """Return `n` uniform draws of the space that are alive; see :func:`.input_draws.draw_inputs`.

        Parameters
        ----------
        rng
            What they are drawn with.
        n
            How many.
        null_probability
            Of null on each edge that can carry it; None: as of any other operation.
        """
        return draw_inputs(self.view, self.classes, rng, n, null_probability)


def check_cost_rules(rule: str, cost_rule: str, cost_mode: str) -> None:
    """Refuse what costs cannot be compared by.

    Parameters
    ----------
    rule
        Which operation may become which.
    cost_rule, cost_mode
        See :class:`Transitions`.

    Raises
    ------
    InvalidArgument
        An unknown name, or ``cost`` or ``live`` without the cost test, which they rest on.
    """
    for name, value, words in (("cost_rule", cost_rule, COST_RULES), ("cost_mode", cost_mode, COST_MODES)):
        if value not in words:
            raise InvalidArgument(name, value, f"one of {', '.join(words)}", words)
    if rule == "cost" and cost_rule == "paper":
        allowed = "strict: the rule cost allows everything by itself; with costs unknown take rule nat++ or nat"
        raise InvalidArgument("cost_rule", cost_rule, allowed)
    if cost_mode == "live" and cost_rule == "paper":
        raise InvalidArgument("cost_mode", cost_mode, "nominal beside cost_rule paper, which lets costs rise")

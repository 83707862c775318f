"""The costs of a model space's operations, measured once on the meta device.

The network is frozen and run once to learn what reaches each place; then each candidate is run alone with what it
could get there. An architecture costs the sum of its operations and a base, which is measured with the first
operation on every edge. Sources move the base only by what the outputs of cells are made of.

Choices that are neither operations nor sources (depth, widths) are context: in each context that comes up everything
is measured anew.

Where a candidate changes the shape of what those after it get, or shares weights with them, costs do not add up, and a
sum of falling costs may rise. The first is refused wherever it is met; the rest :meth:`MeasuredCosts.refuse_uneven`
finds on whole networks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import N_COSTS, CostTable, summed
from nni_strategies.nat.counter import Cost, count, counted_call
from nni_strategies.nat.edges import ABSENT, Architectures, Edge, Flags, Integers
from nni_strategies.nat.model_space.candidates import frozen_candidate
from nni_strategies.nat.model_space.shapes import Recorded, record
from nni_strategies.nat.model_space.signature import shapes, signature
from nni_strategies.nat.model_space.sites import ModelEdges, Site
from nni_strategies.space.search_space import Configuration


@dataclass
class _Context:
    """What is known where all choices but operations and sources are the same."""

    table: Integers
    even: Mapping[str, bool]  # by cell: whether all its nodes have one shape
    bases: dict[bytes, Integers] = field(default_factory=dict)  # by what the cells' outputs are made of


class MeasuredCosts(CostTable):
    """Costs of a model space's operations.

    Parameters
    ----------
    edges
        The model space.
    input_shape
        One input of the network without the batch, such as ``(3, 32, 32)``.

    Raises
    ------
    InvalidArgument
        When first asked: the network cannot be run with such an input, or the operations of a choice give different
        shapes.
    """

    def __init__(self, edges: ModelEdges, input_shape: Sequence[int]) -> None:
        self.view = edges.view
        self.edges = edges
        self.input_shape = tuple(input_shape)
        own = {label for edge in self.view.edges for label in (edge.label, edge.source_label)}
        reading = {edge.cell for edge in self.view.edges if edge.source_label is not None}
        # of cells whose output is what nobody reads, and differs: its edges, and its nodes
        self._loose = {
            cell.name: (
                np.flatnonzero([edge.cell == cell.name for edge in self.view.edges]),
                np.arange(cell.n_inputs, cell.n_nodes),
            )
            for cell in self.view.cells
            if cell.outputs is None and cell.name in reading
        }
        self._context_labels = [label for label in self.view.space.labels if label not in own]
        self._contexts: dict[str, _Context] = {}
        self._known: dict[Hashable, tuple[Cost, Hashable, nn.Module]] = {}

    @property
    def edge_costs(self) -> Integers:
        """Those of the first context that came up, or of one that is drawn."""
        if not self._contexts:
            self._context(self.view.space.sample(np.random.default_rng(0)))
        return next(iter(self._contexts.values())).table

    def tables(self, architectures: Architectures) -> list[tuple[Integers, Any]]:
        return [(context.table, rows) for context, rows in self._groups(architectures)]

    def bases(self, architectures: Architectures) -> Integers:
        bases = np.empty((len(architectures), N_COSTS), dtype=np.int64)
        for context, rows in self._groups(architectures):
            bases[rows] = self._bases(context, architectures, rows)
        return bases

    def total(self, architectures: Architectures) -> Integers:
        costs = np.empty((len(architectures), N_COSTS), dtype=np.int64)
        for context, rows in self._groups(architectures):  # once for both parts of the sum
            chosen = summed(context.table, architectures.operations[rows], architectures.sources[rows])
            costs[rows] = chosen + self._bases(context, architectures, rows)
        return costs

    def _bases(self, context: _Context, architectures: Architectures, rows: Any) -> Integers:
        """Return the bases of rows that have one context, in order."""
        kinds = self._outputs(architectures.sources[rows], context.even)
        for kind, place in {kind: place for place, kind in enumerate(kinds)}.items():
            if kind not in context.bases:
                plain = self._plain(architectures.rest[np.arange(len(architectures))[rows][place]])
                context.bases[kind] = self.measured(plain) - self.chosen(self.view.encode([plain]))[0]
        return np.array([context.bases[kind] for kind in kinds], dtype=np.int64)

    def measured(self, configuration: Mapping[str, Any]) -> Integers:
        """Return what an architecture costs by freezing and running all of it, ``[2]``."""
        return np.array(count(self._frozen(configuration), self.input_shape), dtype=np.int64)

    def agrees(self, architectures: Architectures) -> Flags:
        """Return for which architectures the table has exactly what :meth:`measured` finds, ``[n]``."""
        full = [self.measured(configuration) for configuration in self.view.decode(architectures)]
        return np.asarray((self.total(architectures) == np.reshape(full, (-1, N_COSTS))).all(axis=1))

    def refuse_uneven(self, architectures: Architectures | None = None) -> None:
        architectures = self._drawn() if architectures is None else architectures
        for row, (agreed, configuration) in enumerate(
            zip(self.agrees(architectures), self.view.decode(architectures), strict=True)
        ):
            if not agreed:
                table, full = self.total(architectures[[row]])[0].tolist(), self.measured(configuration).tolist()
                allowed = (
                    f"operations whose costs add up: their sum is {table} (MAdds, parameters), the whole network costs "
                    f"{full}. Weights, labels or a module may be shared between choices"
                )
                raise InvalidArgument("model_space", configuration, allowed)

    def _drawn(self) -> Architectures:
        """Return architectures of one context that differ in operations alone; the smaller the network the more."""
        n_modules = sum(1 for _ in self.edges.module.modules())
        n, rng, present = min(20, max(2, 2_000 // n_modules)), np.random.default_rng(0), self.view.present
        some = self.view.encode([self.view.space.sample(rng)])[[0] * n]
        drawn = np.where(present, rng.random((n, *present.shape)), -1.0).argmax(axis=2)
        return some.replaced(np.where(some.operations == ABSENT, ABSENT, drawn))

    def _groups(self, architectures: Architectures) -> list[tuple[_Context, Any]]:
        """Return the contexts of architectures, each with the places of its own."""
        rows: dict[str, list[int]] = defaultdict(list)
        if len(architectures) == 1 or (len(architectures) and not self._context_labels):
            return [(self._context(architectures.rest[0]), slice(None))]
        for row, rest in enumerate(architectures.rest):
            rows[self._key(rest)].append(row)
        return [(self._context(architectures.rest[some[0]]), np.array(some)) for some in rows.values()]

    def _key(self, configuration: Mapping[str, Any]) -> str:
        if not self._context_labels:
            return ""
        return json.dumps([configuration.get(label) for label in self._context_labels])

    def _context(self, configuration: Mapping[str, Any]) -> _Context:
        key = self._key(configuration)
        if key not in self._contexts:
            self._contexts[key] = self._measure(self._plain(configuration))
        return self._contexts[key]

    def _plain(self, configuration: Mapping[str, Any]) -> Configuration:
        """Return a configuration with the first operation on every edge."""
        return {**configuration, **{e.label: e.choices[0] for e in self.view.edges if e.label in configuration}}

    def _frozen(self, configuration: Mapping[str, Any]) -> nn.Module:
        sample = self.edges.samples.sample(configuration)
        with torch.device("meta"):
            network: nn.Module = self.edges.module.freeze(sample)  # type: ignore[operator]
        return network

    def _measure(self, plain: Configuration) -> _Context:
        view, sites = self.view, self.edges.sites
        sample = self.edges.samples.sample(plain)
        recorded = record(self._frozen(plain), (site for each in sites for site in each), self.input_shape)
        n_nodes = max(cell.n_nodes for cell in view.cells)
        table = np.zeros((view.n_edges, n_nodes, len(view.operations), N_COSTS), dtype=np.int64)
        even = {cell.name: True for cell in view.cells}
        for e, edge in enumerate(view.edges):
            for site in sites[e]:
                even[edge.cell] &= len(recorded.shapes.get(site.name, ())) <= 1
                factories = getattr(recorded.cells.get(site.name), "op_candidates_factory", None)
                for places, source, given in _given(recorded, site, edge):
                    made: dict[str, Hashable] = {}
                    for name in edge.names:
                        module = frozen_candidate(site, edge, name, source, factories, sample)
                        cost, made[name] = self._cost(module, given)
                        table[e, places, view.operations.index(name)] += cost
                    _refuse_other_shapes(edge, made)
        context = _Context(table, even)
        architectures = view.encode([plain])
        chosen = table[np.arange(view.n_edges), architectures.sources[0], architectures.operations[0]]
        context.bases[self._outputs(architectures.sources, even)[0]] = np.array(recorded.cost) - chosen.sum(axis=0)
        return context

    def _outputs(self, sources: Integers, even: Mapping[str, bool]) -> list[bytes]:
        """Return what is equal where the cells' outputs are made of the same nodes, or of as many of even ones."""
        if not self._loose:
            return [b""] * len(sources)
        parts = []
        for name, (edges, nodes) in self._loose.items():
            loose = (sources[:, edges, None] != nodes).all(axis=1)
            parts.append(loose.sum(axis=1, keepdims=True) if even[name] else loose.astype(np.int64))
        return [row.tobytes() for row in np.concatenate(parts, axis=1)]

    def _cost(self, module: nn.Module, given: tuple[Any, ...]) -> tuple[Cost, Hashable]:
        """Return what a module costs, and the shapes that it gives."""
        key = (signature(module), shapes(given))
        if key not in self._known:
            cost, made = counted_call(module, *given)
            self._known[key] = cost, shapes(made), module
        return self._known[key][:2]


def _refuse_other_shapes(edge: Edge, made: Mapping[str, Hashable]) -> None:
    first, *others = made
    for other in others:
        if made[other] != made[first]:
            allowed = f"operations that give one shape, or costs do not add up: {first} and {other} give different ones"
            raise InvalidArgument(f"model_space, {edge.label}", list(made), allowed)


def _given(recorded: Recorded, site: Site, edge: Edge) -> list[tuple[Any, int, tuple[Any, ...]]]:
    """Return places of the table, one source they are for, and what an operation is called with there.

    There are none where the network does not have the site.
    """
    if site.cell:
        return [(s, s, (tensor,)) for s, tensor in enumerate(recorded.nodes.get(site.name, [])[: edge.node])]
    if site.name not in recorded.inputs:
        return []
    # in a chain it is given the same, whichever layer is the last before it
    return [(slice(edge.node) if edge.source is None else edge.source, 0, recorded.inputs[site.name])]

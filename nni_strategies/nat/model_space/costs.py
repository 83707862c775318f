"""The costs of a model space's operations, measured once on the meta device.

The network is frozen and run once to learn what reaches each place; then each candidate is run alone with what it
could get there. An architecture costs the sum of its operations and a base, which is measured with the first
operation on every edge. Sources move the base only by what the outputs of cells are made of.

Choices that are neither operations nor sources (depth, widths) are context: in each context that comes up everything
is measured anew. Where a candidate changes what those after it get, costs do not add up;
:meth:`MeasuredCosts.agrees` tells.
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

from nni_strategies.nat.cost_table import N_COSTS, CostTable
from nni_strategies.nat.counter import Cost, count, count_call
from nni_strategies.nat.edges import Architectures, EdgeView, Flags, Integers
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
    """

    def __init__(self, edges: ModelEdges, input_shape: Sequence[int]) -> None:
        self.view = edges.view
        self.edges = edges
        self.input_shape = tuple(input_shape)
        own = {label for edge in self.view.edges for label in (edge.label, edge.source_label)}
        self._context_labels = [label for label in self.view.space.labels if label not in own]
        self._contexts: dict[str, _Context] = {}
        self._known: dict[Hashable, tuple[Cost, nn.Module]] = {}

    @property
    def edge_costs(self) -> Integers:
        """Those of the first context that came up, or of one that is drawn."""
        if not self._contexts:
            self._context(self.view.space.sample(np.random.default_rng(0)))
        return next(iter(self._contexts.values())).table

    def tables(self, architectures: Architectures) -> list[tuple[Integers, Integers]]:
        return [(context.table, rows) for context, rows in self._groups(architectures)]

    def bases(self, architectures: Architectures) -> Integers:
        bases = np.empty((len(architectures), N_COSTS), dtype=np.int64)
        for context, rows in self._groups(architectures):
            made = _outputs(self.view, architectures.sources[rows], context.even)
            for kind, row in zip(made, rows, strict=True):
                if kind not in context.bases:
                    plain = self._plain(architectures.rest[row])
                    context.bases[kind] = self.measured(plain) - self.chosen(self.view.encode([plain]))[0]
            bases[rows] = [context.bases[kind] for kind in made]
        return bases

    def measured(self, configuration: Mapping[str, Any]) -> Integers:
        """Return what an architecture costs by freezing and running all of it, ``[2]``."""
        return np.array(count(self._frozen(configuration), self.input_shape), dtype=np.int64)

    def agrees(self, architectures: Architectures) -> Flags:
        """Return for which architectures the table has exactly what :meth:`measured` finds, ``[n]``."""
        full = [self.measured(configuration) for configuration in self.view.decode(architectures)]
        return np.asarray((self.total(architectures) == np.reshape(full, (-1, N_COSTS))).all(axis=1))

    def _groups(self, architectures: Architectures) -> list[tuple[_Context, Integers]]:
        rows: dict[str, list[int]] = defaultdict(list)
        if not self._context_labels and len(architectures):
            return [(self._context(architectures.rest[0]), np.arange(len(architectures)))]
        for row, rest in enumerate(architectures.rest):
            rows[self._key(rest)].append(row)
        return [(self._context(architectures.rest[some[0]]), np.array(some)) for some in rows.values()]

    def _key(self, configuration: Mapping[str, Any]) -> str:
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
                for source, given in _given(recorded, site, edge.node, edge.source).items():
                    for v, name in enumerate(view.operations):
                        if name in edge.names:
                            module = frozen_candidate(site, edge, name, source, factories, sample)
                            table[e, source, v] += self._cost(module, given)
        context = _Context(table, even)
        architectures = view.encode([plain])
        chosen = table[np.arange(view.n_edges), architectures.sources[0], architectures.operations[0]]
        context.bases[_outputs(view, architectures.sources, even)[0]] = np.array(recorded.cost) - chosen.sum(axis=0)
        return context

    def _cost(self, module: nn.Module, given: tuple[Any, ...]) -> Cost:
        key = (signature(module), shapes(given))
        if key not in self._known:
            self._known[key] = (count_call(module, *given), module)
        return self._known[key][0]


def _given(recorded: Recorded, site: Site, node: int, source: int | None) -> dict[int, tuple[Any, ...]]:
    """Return what an operation is called with, by source; nothing where the network does not have the place."""
    if site.cell:
        return {s: (tensor,) for s, tensor in enumerate(recorded.nodes.get(site.name, [])[:node])}
    return {source or 0: recorded.inputs[site.name]} if site.name in recorded.inputs else {}


def _outputs(view: EdgeView, sources: Integers, even: Mapping[str, bool]) -> list[bytes]:
    """Return what is equal where the cells' outputs are made of the same nodes, or of as many of even ones."""
    parts = []
    for cell in view.cells:
        if cell.outputs is None:
            read = sources[:, [edge.cell == cell.name for edge in view.edges]]
            loose = ~(read[:, :, None] == np.arange(cell.n_inputs, cell.n_nodes)).any(axis=1)
            parts.append(loose.sum(axis=1, keepdims=True) if even[cell.name] else loose.astype(np.int64))
    if not parts:
        return [b""] * len(sources)
    return [row.tobytes() for row in np.concatenate(parts, axis=1)]

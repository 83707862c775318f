"""The edges of an NNI model space, and where in its network each of them is.

==============================  ===================================================================================
NNI's ``Cell``                  an edge for each operation; it leaves the node that the configuration says
``NasBench201Cell``             an edge for each pair of nodes
``LayerChoice`` in a scope      the edge that its label says, as ``block/0_2``
``LayerChoice`` on its own      the edges of one chain, in the order of the modules: each leaves the last in use before
==============================  ===================================================================================

All cells of a label share their edges. Depths, widths and choices inside a candidate are context. A chain is all that
modules tell: where a ``LayerChoice`` stands on a branch, a network may be alive that a transformation takes for dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nni.nas.nn.pytorch import Cell as NNICell
from nni.nas.nn.pytorch import LayerChoice, Repeat
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edge_views import is_source, operation_choices, scoped_cells
from nni_strategies.nat.edges import Cell, Edge, EdgeView
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.nni_usage import module_of
from nni_strategies.space.parameters import Categorical

_CHAIN = "chain"
_Kind = Literal["nni", "nasbench201", "choice"]


@dataclass(frozen=True)
class Site:
    """A place of an edge in the network.

    Parameters
    ----------
    choice
        The ``LayerChoice`` there, in the model space.
    name
        The dotted name of it, or of the ``Cell`` it is in, in a network frozen from the space.
    cell
        Whether `name` is that of a ``Cell``.
    """

    choice: LayerChoice
    name: str
    cell: bool


@dataclass(frozen=True)
class ModelEdges:
    """A model space seen as edges.

    Parameters
    ----------
    module
        The model space.
    samples
        What translates between configurations and NNI's samples.
    view
        The edges.
    sites
        For each edge, its places in the network, in order.
    """

    module: nn.Module
    samples: ModelSpaceView
    view: EdgeView
    sites: tuple[tuple[Site, ...], ...]


def edges_of_model_space(model_space: Any, samples: ModelSpaceView | None = None) -> ModelEdges:
    """Return the edges of a model space.

    Parameters
    ----------
    model_space
        A module, or NNI's executable space of one.
    samples
        What translates its samples, where there is one already.

    Raises
    ------
    InvalidArgument
        There is no edge whose operation could be replaced.
    """
    samples = ModelSpaceView(model_space) if samples is None else samples
    module = module_of(model_space)
    found = _Found(samples)
    for kind, part, name in () if module is None else _parts(module, ""):
        found.add(kind, part, name)
    if not found.edges:
        allowed = "a model space with a LayerChoice, Cell or NasBench201Cell whose operations can be replaced"
        raise InvalidArgument("model_space", type(model_space if module is None else module).__name__, allowed)
    cells = [*found.cells.values()]
    chain = [edge for edge in found.edges.values() if edge.cell == _CHAIN]
    if chain:
        cells.append(Cell(_CHAIN, 1, len(chain) + 1))
    order = {cell.name: place for place, cell in enumerate(cells)}
    edges = sorted(found.edges.values(), key=lambda edge: (order[edge.cell], edge.node, edge.slot))
    view = EdgeView(samples.space, tuple(edges), tuple(cells))
    return ModelEdges(module, samples, view, tuple(tuple(found.sites[edge.label]) for edge in edges))


class _Found:
    """What was found so far of a model space."""

    def __init__(self, samples: ModelSpaceView) -> None:
        self._space = samples.space
        self._choices: dict[str, Categorical] = {p.label: p for p in operation_choices(samples.space)}
        self._scoped = {edge.label: (cell, edge) for cell, edges in scoped_cells(samples.space) for edge in edges}
        self.cells: dict[str, Cell] = {}
        self.edges: dict[str, Edge] = {}
        self.sites: dict[str, list[Site]] = {}

    def add(self, kind: _Kind, part: Any, name: str) -> None:
        if kind == "nni":
            self._add_nni_cell(part, name)
        elif kind == "nasbench201":
            self._add_benchmark_cell(part, name)
        elif part.label in self._scoped:
            cell, edge = self._scoped[part.label]
            self.cells.setdefault(cell.name, cell)
            self._add_site(part, Site(part, name, False), cell.name, edge.node, edge.slot, source=edge.source)
        else:
            node = 1 + sum(edge.cell == _CHAIN for edge in self.edges.values())
            self._add_site(part, Site(part, name, False), _CHAIN, node, 0)

    def _add_nni_cell(self, part: Any, name: str) -> None:
        n_inputs = part.num_predecessors
        nodes = range(n_inputs, n_inputs + part.num_nodes)
        for node, choices, inputs in zip(nodes, part.ops, part.inputs, strict=True):
            for slot, (choice, read) in enumerate(zip(choices, inputs, strict=True)):
                if read.label in self._space.labels and is_source(self._space[read.label], node):
                    self._add_site(choice, Site(choice, name, True), part.label, node, slot, source_label=read.label)
        if any(edge.cell == part.label for edge in self.edges.values()):
            outputs = tuple(nodes) if part.merge_op == "all" else None
            self.cells.setdefault(part.label, Cell(part.label, n_inputs, nodes.stop, outputs))

    def _add_benchmark_cell(self, part: Any, name: str) -> None:
        for node, choices in enumerate(part.layers, start=1):
            for source, choice in enumerate(choices):
                site = Site(choice, f"{name}.layers.{node - 1}.{source}", False)
                self._add_site(choice, site, part.label, node, source, source=source)
        if any(edge.cell == part.label for edge in self.edges.values()):
            last = part.num_tensors - 1
            self.cells.setdefault(part.label, Cell(part.label, 1, part.num_tensors, (last,)))

    def _add_site(self, choice: Any, site: Site, cell: str, node: int, slot: int, **source: Any) -> None:
        label = choice.label
        if label not in self._choices:
            return
        if label not in self.edges:
            self.edges[label] = Edge(label, cell, node, slot, self._choices[label].choices, **source)
        self.sites.setdefault(label, []).append(site)


def _parts(module: nn.Module, name: str) -> Iterator[tuple[_Kind, nn.Module, str]]:
    """Yield the parts that have edges, with their names in a frozen network."""
    if isinstance(module, NNICell):
        yield "nni", module, name
    elif type(module).__name__ == "NasBench201Cell":  # by name: importing the class would import the whole hub
        yield "nasbench201", module, name
    elif isinstance(module, LayerChoice):
        yield "choice", module, name
    else:
        # a frozen Repeat is a Sequential of the blocks it is to have
        parent = module.blocks if isinstance(module, Repeat) else module
        for child, part in parent.named_children():
            yield from _parts(part, f"{name}.{child}" if name else child)

"""Edges that carry operations, read off the labels of a search space alone.

Two families of labels are understood, each possibly in several cells (``normal/…``, ``a.…``):

==========================================  ===================================================================
``cell/0_1``, ``cell.edge_0_1``             NAS-Bench-201: the operation on the edge from node 0 to node 1
``normal/op_2_0`` and ``normal/input_2_0``  NNI's ``Cell``: the first operation that enters node 2, and where from
==========================================  ===================================================================

Everything else in the space is context: it is passed on as it is. Labels do not say of which nodes NNI's ``Cell``
makes its output, nor what stands between stand-alone choices; a model space does (:mod:`.model_space`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Cell, Edge, EdgeView
from nni_strategies.space.parameters import Categorical, Parameter, Subset
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.cells import EDGE_LABEL, NODE_LABEL, Loose

_CELL = "cell"  # of labels that name none


def edge_view(space: SearchSpace, *, concat: Loose = "loose_end") -> EdgeView:
    """Return the edges of a search space.

    Parameters
    ----------
    space
        Any space; see above for what is understood of it.
    concat
        Which nodes of an NNI ``Cell`` make up its output: those that no edge leaves, or all. An output that is alive
        with the first is alive with both.

    Raises
    ------
    InvalidArgument
        There is no edge whose operation could be replaced.
    """
    choices = {p.label: p for p in operation_choices(space) if all(isinstance(name, str) for name in p.choices)}
    grouped: dict[str, list[Edge]] = defaultdict(list)
    for edge in (*_nni_edges(space, choices), *_fixed_edges(choices)):
        grouped[edge.cell].append(edge)
    views = [view for name, edges in grouped.items() if (view := _cell_of(name, edges, concat)) is not None]
    if not views:
        allowed = "a space with edges to carry operations: labels as cell/0_1, or normal/op_2_0 with normal/input_2_0"
        raise InvalidArgument("space", sorted(space.labels), allowed)
    return EdgeView(space, tuple(edge for _, edges in views for edge in edges), tuple(cell for cell, _ in views))


def scoped_cells(space: SearchSpace) -> list[tuple[Cell, list[Edge]]]:
    """Return the cells whose labels say all: where each edge comes from, in the scope of the cell, as ``block/0_2``."""
    choices = {parameter.label: parameter for parameter in operation_choices(space) if "/" in parameter.label}
    grouped: dict[str, list[Edge]] = defaultdict(list)
    for edge in _fixed_edges(choices):
        grouped[edge.cell].append(edge)
    cells = [_cell_of(name, edges, "loose_end") for name, edges in grouped.items()]
    return [cell for cell in cells if cell is not None]


def operation_choices(space: SearchSpace) -> list[Categorical]:
    """Return the choices of one among several on which no other choice depends."""
    conditions = {p.condition.label for p in space.parameters if p.condition is not None}
    return [p for p in space.parameters if isinstance(p, Categorical) and p.label not in conditions]


def is_source(parameter: Parameter | None, node: int) -> bool:
    """Whether a choice says from which one of the nodes before `node` an edge comes."""
    if not isinstance(parameter, (Categorical, Subset)) or (isinstance(parameter, Subset) and parameter.n_chosen != 1):
        return False
    return all(type(value) is int and 0 <= value < node for value in parameter.choices)


def _nni_edges(space: SearchSpace, choices: dict[str, Categorical]) -> Iterable[Edge]:
    for label, parameter in choices.items():
        found = NODE_LABEL.fullmatch(label)
        if found is None or found["kind"] != "op":
            continue
        node, slot = int(found["i"]), int(found["k"])
        source = label[: found.start("kind")] + f"input_{node}_{slot}"
        if source in space.labels and is_source(space[source], node):
            yield Edge(label, found["cell"] or _CELL, node, slot, parameter.choices, source_label=source)


def _fixed_edges(choices: dict[str, Categorical]) -> Iterable[Edge]:
    entering: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for label in choices:
        found = EDGE_LABEL.fullmatch(label)
        # the labels of NNI's Cell end as these do
        if found is not None and not NODE_LABEL.fullmatch(label) and int(found["i"]) < int(found["j"]):
            entering[found["cell"] or _CELL, int(found["j"])].append((int(found["i"]), label))
    for (cell, node), sources in entering.items():
        for slot, (source, label) in enumerate(sorted(sources)):
            yield Edge(label, cell, node, slot, choices[label].choices, source=source)


def _cell_of(name: str, edges: list[Edge], concat: Loose) -> tuple[Cell, list[Edge]] | None:
    """Return a cell and its edges in order; None where they do not make a cell."""
    entered = {edge.node for edge in edges}
    n_inputs, n_nodes = min(entered), max(entered) + 1
    if n_inputs == 0 or entered != set(range(n_inputs, n_nodes)):
        return None  # a node that nothing enters
    outputs: tuple[int, ...] | None = None
    if all(edge.source is not None for edge in edges):
        sources = {edge.source for edge in edges}
        if 0 not in sources:
            return None
        outputs = tuple(node for node in range(n_inputs, n_nodes) if node not in sources)
    elif concat == "all":
        outputs = tuple(range(n_inputs, n_nodes))
    return Cell(name, n_inputs, n_nodes, outputs), sorted(edges, key=lambda edge: (edge.node, edge.slot))

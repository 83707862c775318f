"""Cells of a configuration, read off its labels alone: no model is built and the search space need not be known.

Four families of labels are understood, each possibly in several cells (``normal/…``, ``reduce/…``):

============================================  =========================================================
``cell/0_1``, ``cell.edge_0_1``               NAS-Bench-201: the operation on the edge from node 0 to 1
``cell/op1``, ``cell/input1``, ``num_nodes``  NAS-Bench-101: a node's operation and the nodes it sums
``normal/op_2_0``, ``normal/input_2_0``       NNI's ``Cell`` (DARTS, NASNet, …): node 2 sums its operations
``s2_i0``, ``layer_3``, with ``s2_depth``     layers one after another (ProxylessNAS, ShuffleNet)
============================================  =========================================================
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.operations import CONCAT, INPUT

Loose = Literal["all", "loose_end"]

_Nodes = dict[Hashable, tuple[str, Sequence[Hashable]]]

EDGE_LABEL = re.compile(r"(?:(?P<cell>.*?)[/._])?(?:edge_?)?(?P<i>\d+)_(?P<j>\d+)")
NODE_LABEL = re.compile(r"(?:(?P<cell>.*?)[/._])?(?P<kind>op|input)_(?P<i>\d+)_(?P<k>\d+)")
_VERTEX = re.compile(r"(?:(?P<cell>.*?)[/._])?(?P<kind>op|input)(?P<i>\d+)")
_LAYER = re.compile(r"(?P<stage>.*?)_?(?P<i>\d+)")


def cells_of(configuration: Mapping[str, Any], *, concat: Loose = "loose_end") -> dict[str, TopologyGraph]:
    """Return the cells of a configuration by name, as declared (see :meth:`TopologyGraph.canonical`).

    Parameters
    ----------
    configuration
        Label -> value.
    concat
        Which nodes of an NNI ``Cell`` make up its output, since labels do not say: those nobody reads (NASNet,
        AmoebaNet, PNAS) or all (DARTS, ENAS).

    Returns
    -------
    dict[str, TopologyGraph]
        Empty when the labels are of no family above, or do not make a graph.
    """
    for pattern, build in ((NODE_LABEL, _nni_cell), (_VERTEX, _vertex_cell), (EDGE_LABEL, _edge_cell)):
        grouped: dict[str, dict[tuple[str, ...], Any]] = {}
        for label, value in configuration.items():
            found = _parts(pattern, label)
            if found:
                name, *key = found
                grouped.setdefault(name or "cell", {})[tuple(key)] = value
        cells = {name: build(parts, configuration, name, concat) for name, parts in grouped.items()}
        drawn = {name: cell for name, cell in cells.items() if cell is not None}
        if drawn:
            return drawn
    layers = _layers(configuration)
    return {"layers": TopologyGraph.chain(layers)} if len(layers) > 1 else {}


@functools.lru_cache(maxsize=4096)
def _parts(pattern: re.Pattern[str], label: str) -> tuple[str, ...] | None:
    found = pattern.fullmatch(label)
    return found.groups() if found else None


def _edge_cell(parts: dict[tuple[str, ...], Any], _: Any, __: str, ___: Loose) -> TopologyGraph | None:
    edges = sorted((int(i), int(j), operation) for (i, j), operation in parts.items())
    if not all(isinstance(op, str) for _, _, op in edges) or not all(i < j for i, j, _ in edges):
        return None
    if 0 not in {i for i, _, _ in edges}:
        return None
    entered = sorted({j for _, j, _ in edges})
    first, last = entered[0], entered[-1]
    if first == 1:
        return TopologyGraph.from_edges(edges)
    if entered != list(range(first, last + 1)):
        return None
    nodes: _Nodes = {p: (_predecessor_name(p, first), [INPUT]) for p in range(first)}  # nothing enters these
    for j in entered:
        summed = [(i, j) for i, to, _ in edges if to == j]
        nodes |= {(i, to): (operation, [i]) for i, to, operation in edges if to == j}
        nodes[j] = ("add", summed)
    return TopologyGraph.from_nodes(nodes, [last])


def _nni_cell(parts: dict[tuple[str, ...], Any], _: Any, __: str, concat: Loose) -> TopologyGraph | None:
    ops = {(int(i), int(k)): value for (kind, i, k), value in parts.items() if kind == "op"}
    reads = {(int(i), int(k)): _numbers(value) for (kind, i, k), value in parts.items() if kind == "input"}
    if not ops or set(ops) != set(reads) or None in reads.values():
        return None
    first = min(i for i, _ in ops)
    nodes: _Nodes = {p: (_predecessor_name(p, first), [INPUT]) for p in range(first)}
    used: set[int] = set()
    numbers = sorted({i for i, _ in ops})
    for i in numbers:
        summed = sorted(key for key in ops if key[0] == i)
        for key in summed:
            inputs = reads[key] or []
            used |= set(inputs)
            nodes[key] = (str(ops[key]), inputs)
        nodes[i] = ("add", summed)
    if any(read >= i for (i, k), inputs in reads.items() for read in inputs or []):
        return None
    outputs = [i for i in numbers if concat == "all" or i not in used]
    return TopologyGraph.from_nodes(nodes, outputs, merge=CONCAT)


def _predecessor_name(number: int, count: int) -> str:
    """Name the cells an NNI cell reads: the last one is the previous cell."""
    return "previous" if number == count - 1 else f"previous-{count - number}"


def _vertex_cell(
    parts: dict[tuple[str, ...], Any], configuration: Mapping[str, Any], name: str, _: Loose
) -> TopologyGraph | None:
    ops = {int(i): value for (kind, i), value in parts.items() if kind == "op"}
    reads = {int(i): _numbers(value) for (kind, i), value in parts.items() if kind == "input"}
    counts = [v for label, v in configuration.items() if re.fullmatch(rf"(?:{re.escape(name)}[/._])?num_nodes", label)]
    last = counts[0] - 1 if counts and isinstance(counts[0], int) else max(reads, default=0)
    if last < 1 or any(reads.get(i) is None for i in range(1, last + 1)) or any(i not in ops for i in range(1, last)):
        return None
    if any(read >= i for i in range(1, last + 1) for read in reads[i] or []):
        return None
    name_of = {0: INPUT, **{i: i for i in range(1, last)}}
    nodes: _Nodes = {i: (str(ops[i]), [name_of[read] for read in reads[i] or []]) for i in range(1, last)}
    hidden = [name_of[read] for read in reads[last] or [] if read]
    if 0 not in (reads[last] or []) or not hidden:
        return TopologyGraph.from_nodes(nodes, hidden or [INPUT], merge=CONCAT)
    nodes["hidden"] = (CONCAT, hidden)  # the cell's input is added to what is concatenated
    return TopologyGraph.from_nodes(nodes, ["hidden", INPUT])


def _layers(configuration: Mapping[str, Any]) -> list[str]:
    layers: list[tuple[list[int | str], str]] = []
    for label, value in configuration.items():
        found = _LAYER.fullmatch(label)
        if not found or not isinstance(value, str):
            continue
        depth = configuration.get(f"{re.sub(r'_?[a-z]*$', '', found['stage'])}_depth")
        if isinstance(depth, int) and int(found["i"]) >= depth:
            continue
        layers.append(([int(t) if t.isdigit() else t for t in re.split(r"(\d+)", label)], value))
    return [value for _, value in sorted(layers, key=lambda item: item[0])]


def _numbers(value: Any) -> list[int] | None:
    listed = value if isinstance(value, (list, tuple)) else [value]
    return list(listed) if all(isinstance(v, int) and not isinstance(v, bool) for v in listed) else None

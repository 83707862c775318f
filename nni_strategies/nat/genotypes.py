"""Cells as the code of DARTS [1]_ and of the many papers after it writes them, read into samples of NNI's cell spaces.

    DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ...], normal_concat=[2, 3, 4, 5],
                        reduce=[('max_pool_3x3', 0), ...], reduce_concat=[2, 3, 4, 5])

Two edges a node, in the order of nodes, each an operation and the node it leaves; or triples, which say the node they
enter as well. Nodes 0 and 1 are the outputs of the last cell but one and of the last cell.

.. [1] Liu, Simonyan, Yang: DARTS: Differentiable Architecture Search, ICLR 2019.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotype_source import arguments_of, calls_in, value_of

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
CELLS = ("normal", "reduce")
MERGES = ("all", "loose_end")
_SYNONYMS = {"null": "none"}
_N_INPUTS, _N_EDGES = 2, 2  # of a cell; of a node

Edge = tuple[str, int]  # operation, and the node it leaves


@dataclass(frozen=True)
class DartsGenotype:
    """A normal and a reduction cell.

    Parameters
    ----------
    sample
        As NNI has it: ``normal/op_2_0`` and ``normal/input_2_0`` are of the first edge that enters node 2.
    concat
        By cell the nodes that make up its output; None where it was not said.
    merges
        Which of NNI's ``merge_op`` make it up so: that of all nodes, or that of those which no edge leaves.
    name
        That it was assigned to; empty of none.
    """

    sample: Mapping[str, Any]
    concat: Mapping[str, tuple[int, ...] | None]
    merges: frozenset[str]
    name: str = field(default="", compare=False)

    def text(self, name: str, sample: Mapping[str, Any] | None = None) -> str:
        """Return Python that assigns it to a name; with the operations of another sample, if one is given."""
        sample = sample or self.sample
        parts: dict[str, list[Any]] = {}
        for cell in CELLS:
            labels = [label for label in self.sample if label.startswith(f"{cell}/op_")]
            parts[cell] = [(sample[label], self.sample[label.replace("/op_", "/input_")][0]) for label in labels]
            if (concat := self.concat[cell]) is not None:
                parts[f"{cell}_concat"] = list(concat)
        inner = ", ".join(f"{key}={value!r}" for key, value in parts.items())
        lines = ["from collections import namedtuple", "", f"Genotype = namedtuple('Genotype', {' '.join(parts)!r})"]
        return "\n".join([*lines, "", f"{name} = Genotype({inner})", ""])


Architecture = Mapping[str, Any] | DartsGenotype  # as it is given: NNI's sample, or as DARTS writes it


def sample_of(given: Architecture) -> Mapping[str, Any]:
    """Return NNI's sample of what is given."""
    return given.sample if isinstance(given, DartsGenotype) else given


def read_genotypes(text: str, field: str) -> list[DartsGenotype]:
    """Return the genotypes of a text of Python, each once, in its order.

    Parameters
    ----------
    text
        Such as a ``genotypes.py``; what else is in it is passed over.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        It is no Python, there is none in it, or one is none that NNI's cells can be.
    """
    named, calls = calls_in(text, field)
    names = {id(call): name for name, call in reversed(named.items())}
    return [_genotype(call, names.get(id(call), ""), field) for call in calls]


def read_genotype(text: str, name: str | None, field: str) -> DartsGenotype:
    """Return the genotype of a name; without one the only one there is.

    Parameters
    ----------
    text, field
        See :func:`read_genotypes`; what else is in the text need not be what NNI's cells can be.
    name
        ``A = B`` gives a second one.

    Raises
    ------
    InvalidArgument
        There is none of this name, there are several to choose from, or it is none that NNI's cells can be.
    """
    named, calls = calls_in(text, field)
    if name is None and len(calls) == 1:
        return _genotype(calls[0], next(iter(named), ""), field)
    if name not in named:
        given = f"{len(calls)} genotypes" if name is None else name
        allowed = f"FILE:NAME of one of {', '.join(named)}" if named else "one of a name; none of these has one"
        raise InvalidArgument(field, given, allowed, named)
    return _genotype(named[name], name, field)


def _genotype(call: ast.Call, name: str, field: str) -> DartsGenotype:
    field = f"{field}, {name}" if name else field
    given = arguments_of(call, FIELDS, field)
    sample: dict[str, Any] = {}
    concat: dict[str, tuple[int, ...] | None] = {}
    merges = set(MERGES)
    for cell in CELLS:
        told = f"{field}, {cell}"
        if cell not in given:
            raise InvalidArgument(told, None, "given: a normal and a reduction cell")
        nodes = _nodes(value_of(given[cell], told), told)
        for node, edges in nodes.items():
            for slot, (operation, source) in enumerate(edges):
                sample[f"{cell}/op_{node}_{slot}"] = _SYNONYMS.get(operation, operation)
                sample[f"{cell}/input_{node}_{slot}"] = [source]
        concat[cell] = None
        if (which := given.get(f"{cell}_concat")) is not None:
            concat[cell], possible = _concat(value_of(which, f"{told}_concat"), nodes, f"{told}_concat")
            merges &= possible
    if not merges:
        raise InvalidArgument(f"{field}, reduce_concat", list(concat["reduce"] or ()), "of the normal cell's kind")
    return DartsGenotype(sample, concat, frozenset(merges), name)


def _nodes(edges: Any, field: str) -> dict[int, list[Edge]]:
    """Return the edges that enter each node, in the order of nodes."""
    if not isinstance(edges, (list, tuple)) or not edges:
        raise InvalidArgument(field, edges, "a list of edges: (operation, source), or (operation, source, node)")
    found: dict[int, list[Edge]] = defaultdict(list)
    for place, edge in enumerate(edges):
        node = edge[2] if isinstance(edge, (list, tuple)) and len(edge) == 3 else _N_INPUTS + place // _N_EDGES
        if not _is_edge(edge, node):
            allowed = f"(operation, source), or with the node it enters, here {node}; a source is from 0 and below that"
            raise InvalidArgument(f"{field}[{place}]", edge, allowed)
        found[node].append((edge[0], edge[1]))
    wanted = range(_N_INPUTS, _N_INPUTS + len(found))
    for node in wanted:
        if len(found[node]) != _N_EDGES:
            allowed = f"{_N_EDGES}, as in NNI's cells"
            raise InvalidArgument(f"{field}, node {node}", f"{len(found[node])} edges", allowed)
    return {node: found[node] for node in wanted}


def _is_edge(edge: Any, node: Any) -> bool:
    if not isinstance(edge, (list, tuple)) or len(edge) not in (2, 3) or not isinstance(edge[0], str):
        return False
    return type(node) is int and node >= _N_INPUTS and type(edge[1]) is int and 0 <= edge[1] < node


def _concat(concat: Any, nodes: Mapping[int, Sequence[Edge]], field: str) -> tuple[tuple[int, ...], set[str]]:
    """Return the nodes that make up the output, and what NNI calls that."""
    loose = set(nodes) - {source for edges in nodes.values() for _, source in edges}
    kinds = dict(zip(MERGES, (set(nodes), loose), strict=True))
    plain = isinstance(concat, (list, tuple)) and all(type(node) is int for node in concat)
    possible = {name for name, kind in kinds.items() if plain and set(concat) == kind}
    if not possible:
        allowed = f"all nodes, {sorted(nodes)}, or those that no edge leaves, {sorted(loose)}, as in NNI's cells"
        raise InvalidArgument(field, concat, allowed)
    return tuple(concat), possible

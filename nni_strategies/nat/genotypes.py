"""Cells as the code of DARTS [1]_ and of the many papers after it writes them, read into samples of NNI's cell spaces.

    DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ...], normal_concat=[2, 3, 4, 5],
                        reduce=[('max_pool_3x3', 0), ...], reduce_concat=[2, 3, 4, 5])

Two edges a node, in the order of nodes, each an operation and the node it leaves; or triples, which say the node they
enter as well. Text is parsed, never run.

.. [1] Liu, Simonyan, Yang: DARTS: Differentiable Architecture Search, ICLR 2019.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nni_strategies.errors import InvalidArgument

MARK = "Genotype("
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
CELLS = ("normal", "reduce")
MERGES = ("all", "loose_end")
_SYNONYMS = {"null": "none"}
_N_INPUTS, _N_EDGES = 2, 2  # of a cell; of a node
_MOST_NODES = 1000

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
    """

    sample: Mapping[str, Any]
    concat: Mapping[str, tuple[int, ...] | None]
    merges: frozenset[str]

    def text(self, name: str, sample: Mapping[str, Any] | None = None) -> str:
        """Return a line of Python that assigns it to a name; with the operations of another sample, if one is given."""
        sample, parts = sample or self.sample, []
        for cell in CELLS:
            labels = [label for label in self.sample if label.startswith(f"{cell}/op_")]
            edges = [(sample[label], self.sample[label.replace("/op_", "/input_")][0]) for label in labels]
            parts.append(f"{cell}={edges!r}")
            if (concat := self.concat[cell]) is not None:
                parts.append(f"{cell}_concat={list(concat)!r}")
        return f"{name} = {MARK}{', '.join(parts)})\n"


def read_genotypes(text: str, field: str) -> list[DartsGenotype]:
    """Return the genotypes that Python text assigns to names, each once.

    Parameters
    ----------
    text
        Such as a ``genotypes.py``. All but assignments is passed over.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        It is no Python, there is none in it, or one is none that NNI's cells can be.
    """
    found = _assigned(text, field)
    return [_genotype(found[name], f"{field}, {name}" if name else field) for name in _first_names(found)]


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
    found = _assigned(text, field)
    different = _first_names(found)
    if name is None and len(different) == 1:
        (name,) = different
    if name not in found:
        given = f"{len(different)} genotypes" if name is None else name
        raise InvalidArgument(field, given, f"FILE:NAME of one of {', '.join(found)}", found)
    return _genotype(found[name], f"{field}, {name}" if name else field)


def _assigned(text: str, field: str) -> dict[str, ast.Call]:
    """Return the calls of ``Genotype`` by the names they are assigned to; one that stands alone has no name."""
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last of what nests too deeply
        raise InvalidArgument(field, text, f"Python that assigns genotypes ({error})") from None
    found: dict[str, ast.Call] = {}
    for statement in body:
        names = [""]
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Name) and value.id in found:
            found |= dict.fromkeys(names, found[value.id])
        elif isinstance(value, ast.Call) and _called(value) == MARK[:-1]:
            found |= dict.fromkeys(names, value)
    if not found:
        raise InvalidArgument(field, text, f"Python that assigns {MARK}...) to names; this assigns none")
    return found


def _first_names(found: Mapping[str, ast.Call]) -> list[str]:
    """Return a name of each genotype, in the order of the text."""
    once: dict[int, str] = {}
    for name, call in found.items():
        once.setdefault(id(call), name)
    return list(once.values())


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _genotype(call: ast.Call, field: str) -> DartsGenotype:
    given = dict(zip(FIELDS, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    if unknown := [name for name in given if name not in FIELDS]:
        raise InvalidArgument(field, unknown[0], f"one of {', '.join(FIELDS)}", FIELDS)
    sample: dict[str, Any] = {}
    concat: dict[str, tuple[int, ...] | None] = {}
    merges = set(MERGES)
    for cell in CELLS:
        told = f"{field}, {cell}"
        if cell not in given:
            raise InvalidArgument(told, None, "given: a normal and a reduction cell")
        nodes = _nodes(_value(given[cell], told), told)
        for node, edges in nodes.items():
            for slot, (operation, source) in enumerate(edges):
                sample[f"{cell}/op_{node}_{slot}"] = _SYNONYMS.get(operation, operation)
                sample[f"{cell}/input_{node}_{slot}"] = [source]
        concat[cell] = None
        if (which := given.get(f"{cell}_concat")) is not None:
            concat[cell], possible = _concat(_value(which, f"{told}_concat"), nodes, f"{told}_concat")
            merges &= possible
    if not merges:
        raise InvalidArgument(f"{field}, reduce_concat", list(concat["reduce"] or ()), "of the normal cell's kind")
    return DartsGenotype(sample, concat, frozenset(merges))


def _value(node: ast.expr, field: str) -> Any:
    """Return what is written down: a literal, or a range of whole numbers."""
    try:
        if isinstance(node, ast.Call) and _called(node) == "range" and not node.keywords:
            return list(range(*(ast.literal_eval(argument) for argument in node.args))[:_MOST_NODES])
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        raise InvalidArgument(field, ast.unparse(node), "written out, as a list or a range") from None


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

"""TopologyGraph: what an architecture looks like, without channel counts, weights or names.

Nodes carry operations, edges carry data flow; one input, one output. Only merging nodes (``add``, ``concat``, ``mul``)
have several predecessors: an operation that sums its inputs gets an explicit ``add``, so that cells with operations on
their edges (NAS-Bench-201), on their nodes (NAS-Bench-101, DARTS) and recorded networks speak one language.

Two graphs are equal when they are isomorphic as labelled directed graphs. Take :meth:`TopologyGraph.canonical`
first to compare what two architectures compute: equal canonical graphs are the same network up to the order of
commutative inputs. The reverse does not hold in one respect: weights that are shared stay shared, so ``y + y`` with
``y = conv(x)`` differs from ``conv(x) + conv(x)``, which NAS-Bench-201's ``unique_str`` does not tell apart.

NAS-Bench-201 has 15,625 configurations and 5,425 canonical cells. Its table has 6,466 distinct ``unique_str``, since
that text counts the zero terms of each sum; without them 4,930 are left, each the union of some of our cells.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.operations import ADD, INPUT, MERGES, MUL, OUTPUT, is_merge, is_transparent, is_zero

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, eq=False)
class TopologyGraph:
    """An immutable labelled directed acyclic graph with one input and one output.

    Parameters
    ----------
    labels
        The operation of each node, in topological order; the first is ``input``, the last ``output``.
    predecessors
        The nodes each node reads, sorted; a node that is read twice is there twice. The output reads one node,
        or none when nothing arrives there.

    Raises
    ------
    InvalidArgument
        Labels and predecessors that do not fit together.
    """

    labels: tuple[str, ...]
    predecessors: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if n < 2 or self.labels[0] != INPUT or self.labels[-1] != OUTPUT:
            raise InvalidArgument("labels", list(self.labels), "labels that begin with 'input' and end with 'output'")
        if len(self.predecessors) != n or self.predecessors[0]:
            raise InvalidArgument("predecessors", list(self.predecessors), f"{n} entries, none for the input")
        for node, read in enumerate(self.predecessors):
            if read and (read[0] < 0 or read[-1] >= node or list(read) != sorted(read)):
                raise InvalidArgument(f"predecessors[{node}]", list(read), f"sorted numbers below {node}")
            if len(read) > 1 and self.labels[node] not in MERGES:
                raise InvalidArgument(f"predecessors[{node}]", list(read), f"one node: only {sorted(MERGES)} join more")

    # -- constructors -----------------------------------------------------------------------------

    @classmethod
    def from_nodes(
        cls, nodes: Mapping[Hashable, tuple[str, Sequence[Hashable]]], outputs: Sequence[Hashable], merge: str = ADD
    ) -> TopologyGraph:
        """Build a graph from operations on nodes.

        Parameters
        ----------
        nodes
            ``name -> (operation, names it reads)`` in any order; ``"input"`` is the graph's input. An operation
            that reads several nodes and is no merge reads their sum.
        outputs
            The nodes the graph's output reads.
        merge
            How they are joined when there are several: ``add``, ``concat`` or ``mul``.

        Raises
        ------
        InvalidArgument
            An unknown name, a cycle, an unknown merge.
        """
        if merge not in MERGES:
            raise InvalidArgument("merge", merge, f"one of {sorted(MERGES)}", MERGES)
        known: dict[Hashable, int] = {INPUT: 0}
        for name, reads in [*((name, reads) for name, (_, reads) in nodes.items()), (OUTPUT, outputs)]:
            for wanted in reads:
                if wanted not in nodes and wanted != INPUT:
                    raise InvalidArgument(f"nodes[{name!r}]", wanted, "the name of a node", map(str, nodes))
        labels, predecessors = [INPUT], [()]  # type: list[str], list[tuple[int, ...]]

        def append(label: str, reads: Iterable[int]) -> int:
            labels.append(label)
            predecessors.append(tuple(sorted(reads)))
            return len(labels) - 1

        for name in _in_order(nodes):
            label, inputs = nodes[name]
            read = [known[name] for name in inputs]
            if len(read) > 1 and not is_merge(label):
                read = [append(ADD, read)]
            known[name] = append(label, read)
        last = [known[name] for name in outputs]
        append(OUTPUT, [append(merge, last)] if len(last) > 1 else last)
        return cls(tuple(labels), tuple(predecessors))

    @classmethod
    def from_edges(cls, edges: Iterable[tuple[int, int, str]]) -> TopologyGraph:
        """Build a graph from operations on edges: a node is the sum of its incoming edges' results.

        Parameters
        ----------
        edges
            ``(i, j, operation)`` with ``i < j``; node 0 is the input, the highest node the output.

        Raises
        ------
        InvalidArgument
            No edge, or one that does not go forward.
        """
        listed = sorted(edges)
        if not listed or any(not 0 <= i < j for i, j, _ in listed):
            raise InvalidArgument("edges", listed, "edges (i, j, operation) with 0 <= i < j")
        nodes: dict[Hashable, tuple[str, Sequence[Hashable]]] = {}
        arriving: dict[int, list[tuple[int, str]]] = {i: [] for i, _, _ in listed if i > 0}
        for i, j, operation in listed:
            arriving.setdefault(j, []).append((i, operation))
        for j, edges_of_j in sorted(arriving.items()):
            for number, (i, operation) in enumerate(edges_of_j):
                nodes[("edge", j, number)] = (operation, [INPUT if i == 0 else ("sum", i)])
            nodes[("sum", j)] = (ADD, [("edge", j, number) for number in range(len(edges_of_j))])
        return cls.from_nodes(nodes, [("sum", max(arriving))])

    @classmethod
    def chain(cls, operations: Iterable[str]) -> TopologyGraph:
        """Build the graph of operations that follow each other."""
        labels = (INPUT, *operations, OUTPUT)
        return cls(labels, ((), *((i,) for i in range(len(labels) - 1))))

    # -- canonical form ---------------------------------------------------------------------------

    def canonical(self) -> TopologyGraph:
        """Return the graph without what does not matter.

        Identities are contracted, and so are normalisation, activation and dropout (they belong to their
        producer); zero operations are cut, with everything that only they feed or that does not reach the
        output; a merge with one input left is contracted; an ``add`` that only feeds another is part of it.
        """
        reads: dict[int, tuple[int, ...]] = {0: ()}
        became: dict[int, int | None] = {0: 0}
        last = len(self.labels) - 1
        for node in range(1, last + 1):
            label = self.labels[node]
            alive = tuple(sorted(found for p in self.predecessors[node] if (found := became[p]) is not None))
            product_of_zero = label == MUL and len(alive) < len(self.predecessors[node])
            if node != last and (is_zero(label) or not alive or product_of_zero):
                became[node] = None
            elif node != last and (is_transparent(label) or (is_merge(label) and len(alive) == 1)):
                became[node] = alive[0]
            else:
                became[node], reads[node] = node, alive
        needed = _ancestors(reads, last) | {0}
        reads = {node: read for node, read in reads.items() if node in needed}
        return self._renumbered(self._merged_sums(reads))

    def _merged_sums(self, reads: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
        if sum(self.labels[node] == ADD for node in reads) < 2:
            return reads
        consumers = Counter(p for read in reads.values() for p in read)
        merged: dict[int, tuple[int, ...]] = {}
        for node, read in sorted(reads.items()):
            inner = [p for p in read if self.labels[node] == self.labels[p] == ADD and consumers[p] == 1]
            kept = [p for p in read if p not in inner]
            merged[node] = tuple(sorted([*kept, *(q for p in inner for q in merged.pop(p))]))
        return merged

    def _renumbered(self, reads: dict[int, tuple[int, ...]]) -> TopologyGraph:
        number = {node: i for i, node in enumerate(sorted(reads))}
        return TopologyGraph(
            tuple(self.labels[node] for node in number),
            tuple(tuple(number[p] for p in reads[node]) for node in number),
        )

    # -- equality ---------------------------------------------------------------------------------

    def to_networkx(self) -> nx.DiGraph:
        """Return a directed graph with node attribute ``label`` and edge attribute ``count``."""
        import networkx as nx  # here, since few ask for it: it takes a third of a second to import

        graph = nx.DiGraph()
        for node, (label, reads) in enumerate(zip(self.labels, self.predecessors, strict=True)):
            graph.add_node(node, label=label)
            for p, count in Counter(reads).items():
                graph.add_edge(p, node, count=count)
        return graph

    @cached_property
    def digest(self) -> str:
        """A hash of the structure: equal for equal graphs, nearly always different otherwise, stable for storing."""
        return _hashed(*sorted(self._refined))

    @cached_property
    def _refined(self) -> list[str]:
        """A hash of each node, equal for corresponding nodes of equal graphs.

        Each is refined by all that leads to it, then by all that it leads to: in an acyclic graph two passes
        do what Weisfeiler-Lehman iterations approach (networkx's hash of directed graphs changed with its version).
        """
        n = len(self.labels)
        leads: list[list[int]] = [[] for _ in range(n)]
        for node, reads in enumerate(self.predecessors):
            for p in reads:
                leads[p].append(node)
        above, below = [""] * n, [""] * n
        for node in range(n):
            above[node] = _hashed(self.labels[node], *sorted(above[p] for p in self.predecessors[node]))
        for node in reversed(range(n)):
            below[node] = _hashed(above[node], *sorted(below[s] for s in leads[node]))
        return below

    def _corresponds(self, other: TopologyGraph) -> bool:
        """Whether nodes with equal hashes read each other's counterparts, those with one hash paired as they come.

        Then the graphs are equal; where one hash is that of several nodes, another pairing may do what this one does
        not.
        """
        mine, theirs = (sorted(range(len(g.labels)), key=g._refined.__getitem__) for g in (self, other))
        became = dict(zip(mine, theirs, strict=True))
        return all(
            self.labels[node] == other.labels[counterpart]
            and tuple(sorted(became[p] for p in self.predecessors[node])) == other.predecessors[counterpart]
            for node, counterpart in became.items()
        )

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, TopologyGraph):
            return NotImplemented
        if (self.labels, self.predecessors) == (other.labels, other.predecessors):
            return True
        if sorted(self.labels) != sorted(other.labels) or self.digest != other.digest:
            return False
        if self._corresponds(other):
            return True
        import networkx as nx

        same = nx.is_isomorphic(
            self.to_networkx(),
            other.to_networkx(),
            node_match=lambda a, b: a["label"] == b["label"],
            edge_match=lambda a, b: a["count"] == b["count"],
        )
        return bool(same)

    def __hash__(self) -> int:
        return hash(self.digest)


def _in_order(nodes: Mapping[Hashable, tuple[str, Sequence[Hashable]]]) -> list[Hashable]:
    """Return the names so that each follows those it reads: as they are given where that is so."""
    seen: set[Hashable] = {INPUT}
    for name, (_, reads) in nodes.items():
        if not seen.issuperset(reads):
            break
        seen.add(name)
    else:
        return [name for name in nodes if name != INPUT]
    try:
        order = TopologicalSorter({name: reads for name, (_, reads) in nodes.items()}).static_order()
        return [name for name in order if name != INPUT]
    except CycleError as error:
        raise InvalidArgument("nodes", [str(name) for name in error.args[1]], "free of cycles") from None


def _hashed(*parts: str) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _ancestors(reads: Mapping[int, tuple[int, ...]], node: int) -> set[int]:
    found, stack = {node}, [node]
    while stack:
        fresh = set(reads[stack.pop()]) - found
        found |= fresh
        stack.extend(fresh)
    return found

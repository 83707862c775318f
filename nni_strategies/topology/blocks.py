"""The blocks of a traced network: by what its modules are called, else by what repeats itself.

1. Modules that are blocks: those whose path matches `block_regex`, else those of a class that NNI's hub builds its
   architectures from. What only aligns the shapes of tensors is none of a block's operations.
2. Modules called one after another, the later reading what the earlier gave, that have equal graphs of at least two
   operations; the innermost such. Others of the same class are blocks too, as the first of a residual stage, whose
   shortcut has a convolution.
3. The whole network is one block.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.topology import Block, Topology, grouped
from nni_strategies.topology.trace import Call, Trace

#: Classes of blocks -> the part of them that only aligns the shapes of tensors.
BLOCK_CLASSES = {
    "Cell": "preprocessor",
    "NasBench201Cell": "",
    "_NasBench101CellFixed": "projections",
    "InvertedResidual": "",
    "DepthwiseSeparableConv": "",
    "ShuffleNetBlock": "",
    "ShuffleXceptionBlock": "",
    "TransformerEncoderLayer": "",
    "NSCBlock": "align",
}
_CONTAINERS = frozenset(["Sequential", "ModuleList", "ModuleDict"])
_FEWEST_OPERATIONS = 2
WHOLE = "network"


def topology_of(trace: Trace, block_regex: str | None = None) -> Topology:
    r"""Return the graph of a traced network and its blocks.

    Parameters
    ----------
    block_regex
        Which modules are blocks, matched against their whole paths, such as ``layers\.\d+``; where one is inside
        another, the outer.

    Raises
    ------
    InvalidArgument
        No regular expression.
    TopologyUnreadable
        No module's path matches.
    """
    graph = trace.graph(range(1, len(trace.steps)), trace.outputs)
    calls = _matching(trace, block_regex) if block_regex is not None else _outermost(trace, _of_known_classes(trace))
    readers = _readers(trace)
    calls = calls or _repeated(trace, readers)
    if not calls:
        return Topology(graph, (Block(WHOLE, graph, 1),))
    members = trace.members(calls)
    blocks = (Block(trace.calls[c].path, block_graph(trace, c, members[c], readers), 1) for c in sorted(calls))
    return Topology(graph, grouped(blocks))


def block_graph(trace: Trace, call: int, members: Sequence[int], readers: Sequence[Collection[int]]) -> TopologyGraph:
    """Return the graph of the steps of one call: what reads them from outside is its output."""
    inside = set(members)
    outputs = [m for m in members if not inside.issuperset(readers[m])]
    part = BLOCK_CLASSES.get(trace.calls[call].kind)
    prefix = f"{trace.calls[call].path}.{part}".lstrip(".") if part else None
    aligning = {m for m in members if prefix and _belongs(trace.calls[trace.steps[m].call], prefix)}
    return trace.graph(members, outputs or members[-1:] or [0], aligning)


def _belongs(call: Call, prefix: str) -> bool:
    return call.path == prefix or call.path.startswith(f"{prefix}.")


def _readers(trace: Trace) -> list[set[int]]:
    """Return who reads each step; the network's caller is -1."""
    readers: list[set[int]] = [set() for _ in trace.steps]
    for number, step in enumerate(trace.steps):
        for read in step.reads:
            readers[read].add(number)
    for read in trace.outputs:
        readers[read].add(-1)
    return readers


def _matching(trace: Trace, block_regex: str) -> set[int]:
    try:
        pattern = re.compile(block_regex)
    except re.error as error:
        raise InvalidArgument("block_regex", block_regex, f"a regular expression: {error}") from None
    found = {number for number, call in enumerate(trace.calls) if pattern.fullmatch(call.path)}
    if not found:
        paths = sorted({call.path for call in trace.calls if call.path})
        raise TopologyUnreadable(f"block_regex {block_regex!r} matches no module; there are {', '.join(paths[:8])}, …")
    return _outermost(trace, found)


def _of_known_classes(trace: Trace) -> set[int]:
    return {number for number, call in enumerate(trace.calls) if call.kind in BLOCK_CLASSES}


def _outermost(trace: Trace, calls: Collection[int]) -> set[int]:
    return {call for call in calls if not set(calls).intersection(trace.above(trace.calls[call].parent))}


def _repeated(trace: Trace, readers: Sequence[Collection[int]]) -> set[int]:
    steps: dict[int, list[int]] = defaultdict(list)  # of each call, those of the calls inside it included
    for number, step in enumerate(trace.steps[1:], start=1):
        for call in trace.above(step.call):
            steps[call].append(number)
    siblings: dict[int | None, list[int]] = defaultdict(list)
    for number, made in enumerate(trace.calls):
        if len(steps[number]) >= _FEWEST_OPERATIONS:
            siblings[made.parent].append(number)
    graphs = {c: block_graph(trace, c, steps[c], readers) for calls in siblings.values() for c in calls}
    found: set[int] = set()
    for calls in siblings.values():
        for one, next_one in itertools.pairwise(calls):
            given = set(steps[one])
            follows = any(given.intersection(trace.steps[number].reads) for number in steps[next_one])
            if follows and len(graphs[one].labels) >= _FEWEST_OPERATIONS + 2 and graphs[one] == graphs[next_one]:
                found |= {one, next_one}
    kinds = {trace.calls[call].kind for call in _innermost(trace, found)} - _CONTAINERS
    return _innermost(trace, found | {number for number, call in enumerate(trace.calls) if call.kind in kinds})


def _innermost(trace: Trace, calls: Collection[int]) -> set[int]:
    return set(calls) - {above for call in calls for above in trace.above(trace.calls[call].parent)}

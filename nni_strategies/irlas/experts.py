"""The expert networks whose topology guides a search: built in, given as NSC, or read from any network.

A built-in expert is the block its network repeats, in the standard operations of
:mod:`nni_strategies.topology.vocabulary`, without stem, stages and classifier. A space whose operations are others
speaks another language, so an expert is translated first (:func:`projected`): NAS-Bench-201 has no grouped
convolution and joins by sums, DARTS has separable convolutions only.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.graph_json import graph_from_json
from nni_strategies.topology.nsc_graph import block_graph
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, OUTPUT
from nni_strategies.topology.vocabulary import standardized

#: The kinds that stand in for one another, the nearest first.
STAND_INS: dict[str, tuple[str, ...]] = {
    "conv": ("sepconv", "gconv", "dwconv"),
    "gconv": ("conv", "sepconv", "dwconv"),
    "sepconv": ("conv", "gconv", "dwconv"),
    "dwconv": ("sepconv", "gconv", "conv"),
    "maxpool": ("avgpool",),
    "avgpool": ("maxpool",),
    "linear": ("conv",),
    ADD: (CONCAT,),
    CONCAT: (ADD,),
}

_NAME = re.compile(r"(?P<kind>[a-z]+)(?P<kernel>\d+)?(?:x(?P<other>\d+))?(?:d(?P<dilation>\d+))?")

_Nodes = Mapping[Hashable, tuple[str, Sequence[Hashable]]]

_BLOCKS: dict[str, _Nodes] = {
    # Xie et al., 1611.05431: a bottleneck whose middle is grouped
    "resnext": {
        1: ("conv1", [INPUT]), 2: ("gconv3", [1]), 3: ("conv1", [2]), 4: (ADD, [3, INPUT]),
    },
    # He et al., 1512.03385, section 4.1: the bottleneck, and the basic block
    "resnet": {
        1: ("conv1", [INPUT]), 2: ("conv3", [1]), 3: ("conv1", [2]), 4: (ADD, [3, INPUT]),
    },
    "resnet_basic": {
        1: ("conv3", [INPUT]), 2: ("conv3", [1]), 3: (ADD, [2, INPUT]),
    },
    # Sandler et al., 1801.04381: 1x1, depthwise 3x3, 1x1; the last two are one separable convolution
    "mobilenetv2": {
        1: ("conv1", [INPUT]), 2: ("sepconv3", [1]), 3: (ADD, [2, INPUT]),
    },
    # Huang et al., 1608.06993: two layers of a dense block
    "densenet": {
        1: ("conv1", [INPUT]), 2: ("conv3", [1]), 3: (CONCAT, [2, INPUT]),
        4: ("conv1", [3]), 5: ("conv3", [4]), 6: (CONCAT, [5, 3]),
    },
    # Szegedy et al., 1409.4842, figure 2b
    "inception": {
        1: ("conv1", [INPUT]), 2: ("conv1", [INPUT]), 3: ("conv3", [2]), 4: ("conv1", [INPUT]), 5: ("conv5", [4]),
        6: ("maxpool3", [INPUT]), 7: ("conv1", [6]), 8: (CONCAT, [1, 3, 5, 7]),
    },
}  # fmt: skip

EXPERTS = tuple(_BLOCKS)


@functools.cache
def expert(name: str) -> TopologyGraph:
    """Return the block of a built-in expert, in canonical form.

    Raises
    ------
    InvalidArgument
        Another name; the nearest is suggested.
    """
    if name not in _BLOCKS:
        raise InvalidArgument("expert", name, f"one of {', '.join(EXPERTS)}", EXPERTS)
    nodes = _BLOCKS[name]
    return TopologyGraph.from_nodes(nodes, [list(nodes)[-1]]).canonical()


def load_experts(names: Sequence[str]) -> dict[str, TopologyGraph]:
    """Return built-in experts and blocks of JSON files, by name.

    A file holds ``{"nsc": [[1, "conv", 3, 0, 0], ...]}``, a block in the paper's code, or ``{"labels": [...],
    "predecessors": [[...], ...]}``, a graph.

    Raises
    ------
    InvalidArgument
        A name that is neither a built-in expert nor a file, or a file that holds no block.
    """
    check_names(names)
    found: dict[str, TopologyGraph] = {}
    for name in names:
        own = Path(name).stem if name.endswith(".json") else name
        if own in found:
            raise InvalidArgument("experts", list(names), f"experts of different names: {own} is there twice")
        found[own] = _load(name)
        if len(found[own].labels) <= 2:
            raise InvalidArgument("expert", name, "a block with at least one operation")
    return found


def check_names(names: Sequence[str]) -> None:
    """Refuse what is no list of experts; raises InvalidArgument."""
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgument("experts", names, "a list of at least one name or file")


def _load(name: str) -> TopologyGraph:
    if not name.endswith(".json"):
        return expert(name)
    try:
        document = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        raise InvalidArgument("expert", name, f"a JSON file that can be read: {error}") from None
    try:
        return block_graph(document["nsc"]) if "nsc" in document else standardized(graph_from_json(document))
    except (KeyError, TypeError, ValueError) as error:
        allowed = f"a file with the key nsc, or labels and predecessors, that make a block: {error}"
        raise InvalidArgument("expert", name, allowed) from error


@dataclass(frozen=True)
class Projected:
    """An expert in a space's own operations.

    Parameters
    ----------
    graph
        The expert, what the space has no word for left as it was.
    replaced
        Which operation stands for which.
    unmapped
        Share of the expert's operations that nothing in the space stands for: they never match.
    """

    graph: TopologyGraph
    replaced: dict[str, str]
    unmapped: float


def projected(graph: TopologyGraph, vocabulary: Collection[str]) -> Projected:
    """Translate an expert into the operations of a space.

    An operation the space has is kept. Another becomes one of its kind with the nearest kernel, or of a kind that
    stands in for it (:data:`STAND_INS`) with the same kernel, the nearest failing that. What looks at more than one
    position stays so where that is possible.

    Parameters
    ----------
    vocabulary
        The standard operations that occur in the space.
    """
    words = sorted(set(vocabulary) - {INPUT, OUTPUT})
    replaced: dict[str, str] = {}
    unmapped: set[str] = set()
    for label in graph.labels[1:-1]:
        if label in words or label in replaced:
            continue
        found = _nearest(label, words)
        if found is None:
            unmapped.add(label)
        else:
            replaced[label] = found
    labels = tuple(replaced.get(label, label) for label in graph.labels)
    lost = sum(label in unmapped for label in graph.labels[1:-1])
    share = lost / max(len(graph.labels) - 2, 1)
    return Projected(TopologyGraph(labels, graph.predecessors).canonical(), replaced, share)


def _nearest(label: str, words: Sequence[str]) -> str | None:
    kind, kernel, _ = _parts(label)
    # A kind of its own counts before a stand-in, the same kernel before another, no dilation before some.
    order = [kind, *STAND_INS.get(kind, ())]
    ranked = [
        (
            (own_kernel > 1) != (kernel > 1),
            own_kernel != kernel and own_kind != kind,
            order.index(own_kind),
            abs(own_kernel - kernel),
            own_dilation,
            word,
        )
        for word in words
        for own_kind, own_kernel, own_dilation in [_parts(word)]
        if own_kind in order
    ]
    return min(ranked)[-1] if ranked else None


def _parts(label: str) -> tuple[str, int, int]:
    found = _NAME.fullmatch(label)
    if found is None:
        return label, 0, 1
    return found["kind"], int(found["kernel"] or 0), int(found["dilation"] or 1)

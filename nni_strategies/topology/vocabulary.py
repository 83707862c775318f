"""Standard operation names: one language for the graphs of all spaces, of experts and of recorded networks.

=====================================  =======================================================================
``conv3``, ``conv1x7``, ``conv3d2``    convolution: its kernel, one number where it is square, and its dilation
``gconv3``, ``dwconv3``                the same in groups, and depthwise
``sepconv3``                           depthwise convolution, then the 1x1 that alone reads it
``maxpool3``, ``avgpool3``             pooling in windows
``globalpool``                         pooling over all positions
``linear``, ``attention``              what transformers are made of
``add``, ``mul``, ``concat``           merges
``other:name``                         anything else
=====================================  =======================================================================

Stride is no part of a name: the frame around the blocks decides on resolution. Normalisation, activation and dropout
belong to their producer and are no nodes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, MUL, OUTPUT, is_transparent, is_zero

ZERO = "zero"  # no operation of a canonical graph: cut, with what only it feeds
IDENTITY = "identity"  # contracted
GLOBAL_POOL, LINEAR, ATTENTION = "globalpool", "linear", "attention"

_OTHER = "other:"
_STANDARD = re.compile(r"(conv|gconv|dwconv|sepconv|maxpool|avgpool)\d+(d\d+)?|other:.*")
_PREDECESSOR = re.compile(r"previous(-\d+)?")  # a cell that this one reads: the graph's input
_PAIR = re.compile(r"conv_?(\d+)x(\d+)_(\d+)x(\d+)")
_KERNEL = r"(?P<k>\d+)(?:x(?P<l>\d+))?(?P<d>d\d+(?:x\d+)?)?"
_AROUND = re.compile(r"^(nor|relu)+|(bn|relu6?)+$")
_WORDS = {
    re.compile(r"add|sum|plus"): ADD,
    re.compile(r"mul|multiply|prod"): MUL,
    re.compile(r"(con)?cat"): CONCAT,
    re.compile(r"gap|g(lobal)?(avg|average|max)?pool(ing)?"): GLOBAL_POOL,
    re.compile(r"linear|fc|dense|fullyconnected"): LINEAR,
    re.compile(r"((multi)?head|self)*(attention|attn)|mha"): ATTENTION,
}
# (name of the operation, standard kind, how often, dilation that the name implies)
_WINDOWS = tuple(
    (re.compile(pattern + _KERNEL), kind, times, dilation)
    for pattern, kind, times, dilation in (
        ("conv", "conv", 1, ""),
        ("g(?:roup(?:ed)?)?conv", "gconv", 1, ""),
        ("(?:dw|depthwise)conv", "dwconv", 1, ""),
        ("(?:sep(?:arable)?|dws|depthwisesep(?:arable)?)conv", "sepconv", 2, ""),
        ("dil(?:ated)?conv", "sepconv", 1, "d2"),
        ("dil(?:ated)?sepconv", "sepconv", 2, "d2"),
        ("maxpool(?:ing)?", "maxpool", 1, ""),
        ("(?:avg|average)pool(?:ing)?", "avgpool", 1, ""),
    )
)
_DEPTHWISE = "dwconv"


def windowed(kind: str, kernel: Sequence[int], dilation: Sequence[int] = (1,)) -> str:
    """Return the name of an operation with a window, such as ``conv1x7`` for kernel ``(1, 7)``."""
    return f"{kind}{_size(kernel)}" + (f"d{_size(dilation)}" if set(dilation) != {1} and set(kernel) != {1} else "")


def other(name: str) -> str:
    """Return the name of an operation outside the vocabulary."""
    return f"{_OTHER}{name.lower()}"


@functools.lru_cache(maxsize=4096)
def standard(label: str) -> tuple[str, ...]:
    """Return the chain of standard operations that a space's operation stands for.

    ``nor_conv_3x3`` is a ``conv3``; ``sep_conv_3x3``, as cells of searches have it, are two ``sepconv3``, its
    dilated relative ``dil_conv_3x3`` one ``sepconv3d2``; ``skip_connect`` is nothing, ``none`` the one ``zero``.

    Parameters
    ----------
    label
        An operation of a space, or a standard one, which stands for itself.
    """
    if label in (INPUT, OUTPUT) or _STANDARD.fullmatch(label):
        return (label,)
    if is_zero(label):
        return (ZERO,)
    if is_transparent(label) or _PREDECESSOR.fullmatch(label):
        return ()
    pair = _PAIR.fullmatch(label)
    if pair:  # spaces name the two in either order and run the flat one first
        flat, tall = sorted([(int(pair[1]), int(pair[2])), (int(pair[3]), int(pair[4]))])
        return windowed("conv", flat), windowed("conv", tall)
    name = _AROUND.sub("", re.sub(r"[_\-. ]", "", label.lower()))
    for pattern, word in _WORDS.items():
        if pattern.fullmatch(name):
            return (word,)
    for pattern, kind, times, dilation in _WINDOWS:
        found = pattern.fullmatch(name)
        if found:
            kernel = (int(found["k"]), int(found["l"] or found["k"]))
            single = label.startswith(kind) and len(set(kernel)) > 1  # ``sepconv1x7`` is standard
            return (windowed(kind, kernel) + (found["d"] or dilation),) * (1 if single else times)
    return (other(label),)


def standardized(graph: TopologyGraph) -> TopologyGraph:
    """Return the canonical form of a graph in standard operations.

    A depthwise convolution that only a 1x1 convolution reads becomes one ``sepconv`` with it. The cells that a cell
    reads (``previous``, ``previous-2``) are its input.

    Parameters
    ----------
    graph
        With the operations of any space.
    """
    return _standardized(graph.labels, graph.predecessors)


@functools.lru_cache(maxsize=4096)  # of the cells of an architecture only some change from one to the next
def _standardized(given: tuple[str, ...], predecessors: tuple[tuple[int, ...], ...]) -> TopologyGraph:
    labels: list[str] = [INPUT]
    reads: list[tuple[int, ...]] = [()]
    became = [0]
    for label, read in zip(given[1:-1], predecessors[1:-1], strict=True):
        reading = tuple(sorted([became[p] for p in read]))
        for operation in standard(label) or (IDENTITY,):
            labels.append(operation)
            reads.append(reading)
            reading = (len(labels) - 1,)
        became.append(len(labels) - 1)
    outputs = tuple(became[p] for p in predecessors[-1])
    return separable(TopologyGraph((*labels, OUTPUT), (*reads, outputs)).canonical())


def separable(graph: TopologyGraph) -> TopologyGraph:
    """Return a canonical graph with depthwise convolutions and the 1x1 that alone reads them as one ``sepconv``."""
    if not any(label.startswith(_DEPTHWISE) for label in graph.labels):
        return graph
    consumers = [0] * len(graph.labels)
    for read in graph.predecessors:
        for p in read:
            consumers[p] += 1
    became: dict[int, int] = {}
    labels: list[str] = []
    reads: list[tuple[int, ...]] = []
    for node, (label, read) in enumerate(zip(graph.labels, graph.predecessors, strict=True)):
        producer = graph.labels[read[0]] if label == "conv1" else ""
        if producer.startswith(_DEPTHWISE) and consumers[read[0]] == 1:
            became[node] = became[read[0]]
            labels[became[node]] = "sepconv" + producer.removeprefix(_DEPTHWISE)
        else:
            became[node] = len(labels)
            labels.append(label)
            reads.append(tuple(sorted(became[p] for p in read)))
    return TopologyGraph(tuple(labels), tuple(reads))


def _size(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else "x".join(map(str, numbers))

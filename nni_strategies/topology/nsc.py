"""Blocks as a network structure code (NSC), and as a configuration of a search.

A block is a sequence of layers ``(index, type, kernel, pred1, pred2)``, index from 1, 0 the block's input (Zhong et
al., "Practical Block-wise Neural Network Architecture Generation", CVPR 2018; IRLAS, CVPR 2019, searches the same
codes). Types are 1 conv (ReLU, convolution, norm), 2 and 3 maximum and average pooling (stride 1), 4 identity,
5 addition, 6 concatenation, 7 terminal. The output concatenates what nobody reads; the input is never part of that.

Two that are joined stand in the order ``pred1 > pred2``, both orders being the same network; ``add(x, x)`` is illegal.
Here every block ends with its terminal; a configuration of as many operations as the space allows has no label for it.
Graphs are translated in :mod:`.nsc_graph`, the space is :mod:`.nsc_space`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nni_strategies.errors import InvalidArgument

TYPES = ("conv", "maxpool", "avgpool", "identity", "add", "concat", "terminal")  # type id 1, 2, …
CONV, MAXPOOL, AVGPOOL, IDENTITY, ADDITION, CONCATENATION, TERMINAL = range(1, 8)
KERNELS = {CONV: (1, 3, 5), MAXPOOL: (1, 3), AVGPOOL: (1, 3)}
JOINING = (ADDITION, CONCATENATION)

#: What a configuration calls each type and kernel: ``conv3``, ``add``, …
OPERATIONS = {
    f"{name}{kernel or ''}": (number, kernel)
    for number, name in enumerate(TYPES, start=1)
    for kernel in KERNELS.get(number, (0,))
}
_NAMES = {layer: name for name, layer in OPERATIONS.items()}
_NOT_FIRST = (*JOINING, TERMINAL)


class Layer(NamedTuple):
    """One layer of a block, integers only; 0 for a kernel or predecessor that it does not have."""

    number: int
    type: int
    kernel: int
    pred1: int
    pred2: int

    @property
    def reads(self) -> tuple[int, ...]:
        """The nodes it reads, the later first."""
        if self.type in JOINING:
            return self.pred1, self.pred2
        return () if self.type == TERMINAL else (self.pred1,)

    @property
    def operation(self) -> str:
        """What a configuration calls it: one of `OPERATIONS`."""
        return _NAMES[self.type, self.kernel]


Block = tuple[Layer, ...]


def parse_block(block: Iterable[Sequence[Any]], most: int | None = None) -> Block:
    """Return a block as integers, with its terminal.

    Parameters
    ----------
    block
        ``(index, type, kernel, pred1, pred2)`` a layer, type by name or number; None or ``"-"`` for what a layer does
        not have, at the end it may be missing, and so may the terminal.
    most
        Most operations, the terminal not counted.

    Raises
    ------
    InvalidArgument
        An index out of order, an unknown type, a kernel that the type does not have, a predecessor that is not below
        the index, one node read twice, terminal first or not last, no operation or too many.
    """
    layers = [_parse_layer(number, layer) for number, layer in enumerate(block, start=1)]
    for layer in layers[:-1]:
        if layer.type == TERMINAL:
            raise InvalidArgument(f"block[{layer.number}].type", "terminal", "the last layer only")
    if layers and layers[-1].type != TERMINAL:
        layers.append(Layer(len(layers) + 1, TERMINAL, 0, 0, 0))
    if not layers or (most is not None and len(layers) > most + 1):
        count = "at least one operation" if most is None else f"1 to {most} operations"
        raise InvalidArgument("block", [tuple(layer) for layer in layers], count)
    return tuple(layers)


def _parse_layer(number: int, layer: Sequence[Any]) -> Layer:
    field = f"block[{number}]"
    if isinstance(layer, str) or not isinstance(layer, Sequence) or not 2 <= len(layer) <= 5:
        raise InvalidArgument(field, layer, "(index, type, kernel, pred1, pred2)")
    values = [0 if value is None or value == "-" else value for value in layer] + [0] * (5 - len(layer))
    index, kind, kernel, *reads = values
    if type(index) is not int or index != number:
        raise InvalidArgument(f"{field}.index", index, f"{number}: indices count from 1")
    if kind in TYPES:
        kind = TYPES.index(kind) + 1
    if type(kind) is not int or not 1 <= kind <= len(TYPES):
        allowed = f"one of {list(TYPES)}, or 1 to {len(TYPES)}"
        raise InvalidArgument(f"{field}.type", kind, allowed, TYPES if isinstance(kind, str) else ())
    if type(kernel) is not int or kernel not in KERNELS.get(kind, (0,)):
        allowed = f"one of {list(KERNELS[kind])} for {TYPES[kind - 1]}" if kind in KERNELS else "0: it has no kernel"
        raise InvalidArgument(f"{field}.kernel", kernel, allowed)
    if number == 1 and kind in _NOT_FIRST:
        raise InvalidArgument(f"{field}.type", TYPES[kind - 1], f"one of {list(TYPES[:4])}: nothing comes before")
    return Layer(number, kind, kernel, *_parse_reads(field, number, kind, reads))


def _parse_reads(field: str, number: int, kind: int, reads: list[Any]) -> list[int]:
    n_read = 0 if kind == TERMINAL else 2 if kind in JOINING else 1
    for place, read in enumerate(reads, start=1):
        if type(read) is not int or not 0 <= read < (number if place <= n_read else 1):
            allowed = f"a node below {number}" if place <= n_read else f"none: {TYPES[kind - 1]} reads {n_read}"
            raise InvalidArgument(f"{field}.pred{place}", read, allowed)
    if n_read == 2 and reads[0] == reads[1]:
        raise InvalidArgument(f"{field}.pred2", reads[1], f"another node than pred1: {TYPES[kind - 1]} joins two")
    return sorted(reads, reverse=True)


def loose_ends(block: Block) -> tuple[int, ...]:
    """Return the layers that nobody reads, in order: what the block puts out."""
    read = {p for layer in block for p in layer.reads}
    return tuple(layer.number for layer in block if layer.type != TERMINAL and layer.number not in read)


# -- configurations ---------------------------------------------------------------------------------


def block_configuration(block: Iterable[Sequence[Any]], most: int | None = None) -> dict[str, Any]:
    """Return a block as a configuration: ``op_t``, ``p1_t`` and, where two nodes are read, ``p2_t``.

    Parameters
    ----------
    block
        See :func:`parse_block`.
    most
        Operations that the space has; a block of so many gets no label for its terminal.

    Raises
    ------
    InvalidArgument
        See :func:`parse_block`.
    """
    configuration: dict[str, Any] = {}
    for layer in parse_block(block, most):
        if layer.type == TERMINAL and layer.number - 1 == most:
            break
        configuration[f"op_{layer.number}"] = layer.operation
        for place, read in enumerate(layer.reads, start=1):
            configuration[f"p{place}_{layer.number}"] = read
    return configuration


def configuration_block(configuration: Mapping[str, Any]) -> Block:
    """Return the block of a configuration; labels that its layers do not use are ignored.

    Raises
    ------
    InvalidArgument
        An operation or predecessor that there is not, or that is missing.
    """
    layers: list[tuple[Any, ...]] = []
    for index in range(1, len(configuration) + 1):
        label = f"op_{index}"
        if label not in configuration:
            break
        name = configuration[label]
        if not isinstance(name, str) or name not in OPERATIONS:
            raise InvalidArgument(label, name, f"one of {list(OPERATIONS)}", OPERATIONS)
        kind, kernel = OPERATIONS[name]
        read = [f"p{place}_{index}" for place, _ in enumerate(Layer(index, kind, kernel, 0, 0).reads, start=1)]
        for missing in (label for label in read if label not in configuration):
            raise InvalidArgument(missing, None, f"a node below {index}: the label is missing")
        layers.append((index, kind, kernel, *(configuration[label] for label in read)))
        if kind == TERMINAL:
            break
    return parse_block(layers)


#: The block of the model that IRLAS released for ImageNet; its convolutions are separable.
IRLAS_MOBILE: Block = parse_block(
    [(1, "conv", 1, 0), (2, "conv", 3, 0), (3, "add", 0, 2, 0), (4, "conv", 5, 0), (5, "conv", 1, 3), (6, "terminal")]
)

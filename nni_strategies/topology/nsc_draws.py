"""Random NSC blocks: the *type* of each layer is uniform among those that may stand there, then its kernel is.

Predecessors are uniform as well, of two that are joined each pair. Nothing is rejected.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, InvalidSearchSpace
from nni_strategies.topology.nsc import JOINING, OPERATIONS, TERMINAL, Block, Layer

END = "terminal"
JOINS = tuple(name for name, (kind, _) in OPERATIONS.items() if kind in JOINING)

Drawn = npt.NDArray[np.int64]


def first_operations(most: int, operations: tuple[str, ...]) -> tuple[str, ...]:
    """Return the operations that the first layer of a block may have: those that neither join two nor end it.

    Raises
    ------
    InvalidSearchSpace
        No layer, an unknown operation or one named twice, none that could be the first.
    """
    if type(most) is not int or most < 1:
        raise InvalidSearchSpace("most", most, "an integer, at least 1")
    for name in operations:
        if name not in OPERATIONS:
            raise InvalidSearchSpace("operations", name, f"some of {list(OPERATIONS)}", OPERATIONS)
    first = tuple(name for name in operations if name not in (*JOINS, END))
    if not first or len(set(operations)) < len(operations):
        raise InvalidSearchSpace("operations", list(operations), "each once, and one that can be the first")
    return first


def draw_layers(
    rng: np.random.Generator, n: int, most: int, operations: tuple[str, ...]
) -> tuple[Drawn, Drawn, Drawn]:
    """Draw `n` blocks of 1 to `most` operations.

    Returns
    -------
    tuple
        Index among `operations`, first and second predecessor, each ``[n, most]``; -1 for what is not there.
    """
    cumulative, ends, joins = _tables(most, operations)
    u, index = rng.random((3, n, most)), np.arange(1, most + 1)
    chosen = (u[0][..., None] >= cumulative).sum(axis=-1)
    over = np.cumsum(ends[chosen], axis=1) - ends[chosen] > 0
    joined, unread = joins[chosen] & ~over, over | ends[chosen]
    first, second = (u[1] * index).astype(np.int64), (u[2] * (index - 1)).astype(np.int64)
    second += second >= first
    low, high = np.minimum(first, second), np.maximum(first, second)
    return (
        np.where(over, -1, chosen),
        np.where(unread, -1, np.where(joined, high, first)),
        np.where(joined, low, -1),
    )


@functools.lru_cache(maxsize=64)
def _tables(
    most: int, operations: tuple[str, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the operations' probabilities summed up, ``[most, n - 1]``, which of them end, and which join two."""
    types = np.array([OPERATIONS[name][0] for name in operations])
    ends, joins = types == TERMINAL, np.isin(types, JOINING)
    weights = np.tile([1 / (types == kind).sum() for kind in types], (most, 1))
    weights[0, ends | joins] = 0
    summed = np.cumsum(weights, axis=1)
    return (summed / summed[:, -1:])[:, :-1], ends, joins


def random_blocks(
    rng: np.random.Generator, n: int, layers: int = 12, operations: tuple[str, ...] = tuple(OPERATIONS)
) -> list[Block]:
    """Draw blocks, the type of each layer uniform among those that may stand there.

    Parameters
    ----------
    rng
        Random numbers.
    n
        How many.
    layers
        Most layers, the terminal included: at least 2.
    operations
        Some of `OPERATIONS`.

    Raises
    ------
    InvalidArgument
        Fewer layers, or operations that :func:`first_operations` refuses.
    """
    if type(layers) is not int or layers < 2:
        raise InvalidArgument("layers", layers, "an integer, at least 2: an operation and the terminal")
    first_operations(layers - 1, operations)
    types = [OPERATIONS[name] for name in operations]
    blocks: list[Block] = []
    for row in zip(*(drawn.tolist() for drawn in draw_layers(rng, n, layers - 1, operations)), strict=True):
        block: list[Layer] = []
        for number, (chosen, first, second) in enumerate(zip(*row, strict=True), start=1):
            kind, kernel = types[chosen] if chosen >= 0 else (TERMINAL, 0)
            if kind == TERMINAL:
                break
            block.append(Layer(number, kind, kernel, first, max(second, 0)))
        blocks.append((*block, Layer(len(block) + 1, TERMINAL, 0, 0, 0)))
    return blocks


def random_block(
    rng: np.random.Generator, layers: int = 12, operations: tuple[str, ...] = tuple(OPERATIONS)
) -> Block:
    """Draw one block, see :func:`random_blocks`."""
    return random_blocks(rng, 1, layers, operations)[0]

"""All NSC blocks of a few layers, enumerated without the code under test, and experts to learn from."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from nni_strategies.topology.nsc import Block, Layer
from nni_strategies.topology.nsc_draws import random_blocks

KERNELS_BY_TYPE = {1: (1, 3, 5), 2: (1, 3), 3: (1, 3), 4: (0,)}


def layers_at(index: int) -> list[Layer]:
    reading_one = [
        Layer(index, kind, kernel, p, 0)
        for kind, kernels in KERNELS_BY_TYPE.items()
        for kernel in kernels
        for p in range(index)
    ]
    return reading_one + [Layer(index, kind, 0, p, q) for kind in (5, 6) for p in range(index) for q in range(p)]


@cache
def all_blocks(longest: int) -> list[Block]:
    """Return the blocks of 2 to `longest` layers, the terminal included."""
    return [
        (*layers, Layer(length, 7, 0, 0, 0))
        for length in range(2, longest + 1)
        for layers in product(*(layers_at(index) for index in range(1, length)))
    ]


@cache
def random_ones(n: int, seed: int = 0, longest: int = 12) -> list[Block]:
    return random_blocks(np.random.default_rng(seed), n, longest)

"""Torch's generators, seeded for a while: what is drawn within hangs on the seed, what is drawn afterwards does not.

``torch.manual_seed`` seeds the generators of all GPUs; here no other is touched than the one in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nni_strategies.errors import InvalidArgument

SEEDS = 2**32
ALLOWED = f"an integer from 0 to {SEEDS - 1}"


def is_seed(value: object) -> bool:
    """Return whether a value is a whole number that every generator takes as its seed."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEEDS


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises
    ------
    InvalidArgument
        No whole number from 0, or one of more than 32 bits.
    """
    if not is_seed(seed):
        raise InvalidArgument("seed", seed, ALLOWED)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what draws on the CPU and on `device`; afterwards both draw what they would have drawn."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield

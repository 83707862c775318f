"""In which numbers a supernet calculates."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

from nni_strategies.errors import InvalidArgument

Precision = Literal["float32", "bfloat16"]
PRECISIONS = ("float32", "bfloat16")


def check_precision(precision: str) -> None:
    """Refuse an unknown one.

    Raises
    ------
    InvalidArgument
        It is none of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise InvalidArgument("precision", precision, f"one of {list(PRECISIONS)}", PRECISIONS)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which a network calculates; weights stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")

"""When two modules must cost the same: they have the same classes, settings and shapes, part by part."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import Tensor, nn

_OWN = frozenset(vars(nn.Module()))  # what every module has: its parts, parameters and hooks


def signature(module: nn.Module) -> Hashable:
    """Return what is equal only for modules that do the same, whatever their weights.

    A setting that is no number, text or tuple of such is equal to itself alone, so the module has to be kept as long
    as its signature.
    """
    numbers: dict[int, int] = {}  # of tensors: one that is used twice is one
    parts = []
    for name, part in module.named_modules(remove_duplicate=False):
        settings = tuple((key, _plain(value)) for key, value in vars(part).items() if key not in _OWN)
        tensors = tuple(
            (key, None if tensor is None else (tuple(tensor.shape), numbers.setdefault(id(tensor), len(numbers))))
            for held in (part._parameters, part._buffers)
            for key, tensor in held.items()
        )
        parts.append((name, type(part), settings, tensors))
    return tuple(parts)


def shapes(value: Any) -> Hashable:
    """Return the shapes of the tensors in a module's inputs."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    return tuple(shapes(item) for item in value) if isinstance(value, (list, tuple)) else _plain(value)


def _plain(value: Any) -> Hashable:
    if value is None or isinstance(value, (str, int, float, complex)):
        return type(value).__name__, value
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return id(value)

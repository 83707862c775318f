"""Classes of operations from the modules that do them, whatever they are called.

The first that holds: the user's word; N, where the output is zero for whatever comes in; S, where the output is what
came in, or the module is the factorized reduction by which cells skip and halve; else O, with the family and the
kernel of its convolutions or pooling. What is of no use there (a module that cannot be run, one that calls functions)
is looked up by name (:func:`..operation_classes.class_of_name`).

A module is run in evaluation with two random inputs. Those with parameters are so only where their class or name says
N: nothing else of theirs can be zero or what came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from nni_strategies.module_modes import evaluating
from nni_strategies.nat.model_space.candidates import candidate
from nni_strategies.nat.model_space.sites import ModelEdges
from nni_strategies.nat.operation_classes import (
    NULL,
    OPERATION,
    SKIP,
    Family,
    OperationClass,
    OperationClasses,
    class_of_name,
    user_roles,
    with_role,
)

_SIDE, _CHANNELS = 8, 8  # of a random input
_POOLS: dict[str, Family] = {
    **{f"MaxPool{d}d": "maxpool" for d in (1, 2, 3)},
    **{f"AvgPool{d}d": "avgpool" for d in (1, 2, 3)},
}


def classes_of_modules(edges: ModelEdges, op_classes: Mapping[str, str] | None = None) -> OperationClasses:
    """Return the classes of a model space's operations.

    Parameters
    ----------
    edges
        The model space.
    op_classes
        The user's word: operation, or ``label:operation`` for one edge, -> ``O``, ``S`` or ``N``.

    Raises
    ------
    InvalidArgument
        An entry for an operation or a class that there is not.
    """
    own = user_roles(edges.view, op_classes or {})
    classes = {}
    for e, edge in enumerate(edges.view.edges):
        for name in edge.names:
            # where an operation differs by place, as a skip that halves does, it is the most it is anywhere
            found = [class_of_module(candidate(site, edge, name), name) for site in edges.sites[e]]
            classes[e, name] = with_role(max(found, key=lambda each: each.role), own.get((e, name)))
    return OperationClasses.of(edges.view, classes)


def class_of_module(module: nn.Module, name: str = "") -> OperationClass:
    """Return the class of a module, which may be called `name`."""
    module = unwrapped(module)
    named = class_of_name(name)
    of_class = class_of_name(type(module).__name__)
    suspect = NULL in (named.role, of_class.role) or bool(getattr(module, "is_zero", False))
    has_parameters = next(module.parameters(), None) is not None
    zero, same = probe(module) if suspect or not has_parameters else (False, False)
    if zero or (zero is None and suspect):
        return OperationClass(NULL, "null")
    if same or isinstance(module, nn.Identity) or SKIP in (of_class.role, named.role):
        return OperationClass(SKIP, "skip")
    built = structure(module)
    return named if built.family == "other" and named.role == OPERATION and named.family != "other" else built


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the operation inside a sequence that else only drops something while training."""
    while isinstance(module, nn.Sequential):
        parts = [part for part in module if not type(part).__name__.lower().startswith("drop")]
        if len(parts) != 1:
            break
        module = parts[0]
    return module


def probe(module: nn.Module) -> tuple[bool | None, bool | None]:
    """Return whether a module gives zero, and whether it gives what it gets; None where it cannot be run."""
    generator = torch.Generator().manual_seed(0)
    zero = same = True
    for _ in range(2):
        given = torch.randn(_input_shape(module), generator=generator)
        try:
            with evaluating(module.modules()), torch.no_grad():
                out = module(given.clone())
        except Exception:  # user code; it may want another input
            return None, None
        if not isinstance(out, torch.Tensor) or out.is_meta:
            return None, None
        zero = zero and not bool(out.any())
        same = same and out.shape == given.shape and bool((out == given).all())
    return zero, same


def structure(module: nn.Module) -> OperationClass:
    """Return what the convolutions and the pooling of a module make it; ``other`` where it has neither."""
    convolutions = [part for part in module.modules() if isinstance(part, _ConvNd)]
    pools = [part for part in module.modules() if type(part).__name__ in _POOLS]
    kernels = [max(part.kernel_size) for part in convolutions]
    if pools and max(kernels, default=1) == 1:  # a 1x1 only makes channels fit
        family = _POOLS[type(pools[0]).__name__]
        return OperationClass(OPERATION, family, max(max(_pair(part.kernel_size)) for part in pools))
    depthwise = [part for part in convolutions if part.groups > 1 and part.groups == part.in_channels]
    dense = [part for part in convolutions if part.groups == 1]
    if depthwise and dense:
        dilated = any(max(part.dilation) > 1 for part in depthwise)
        return OperationClass(OPERATION, "dil" if dilated else "sep", max(kernels))
    if dense and len(dense) == len(convolutions):
        return OperationClass(OPERATION, "conv", max(kernels))
    return OperationClass(OPERATION, "other", max(kernels, default=0))


def _input_shape(module: nn.Module) -> tuple[int, ...]:
    """Return the shape of an input that a module is likely to take, by the first of its parts that says something."""
    for part in module.modules():
        if isinstance(part, _ConvNd):
            return (1, int(part.in_channels), *[_SIDE] * len(part.kernel_size))
        if isinstance(part, _NormBase):
            return (1, part.num_features, *[_SIDE] * (1 if "1d" in type(part).__name__ else 2))
        if isinstance(part, nn.Linear):
            return (1, part.in_features)
    return (1, _CHANNELS, _SIDE, _SIDE)


def _pair(size: Any) -> tuple[int, ...]:
    return size if isinstance(size, tuple) else (int(size),)

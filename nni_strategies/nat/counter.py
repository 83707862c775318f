"""What a network costs: multiply-adds and parameters, counted in one forward pass on the meta device.

Nothing is computed there and no memory is taken, so a network costs what its Python code costs. Counted are the
multiply-adds of convolutions and linear layers, as in the tables of the papers, and the parameters of the modules that
the forward pass of evaluation calls: an auxiliary head is not. Costs are exact integers.

:func:`operation_cost` has the closed forms of the papers' figure of transitions, where pooling and skipping cost
something too; normalisation costs nothing there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd

from nni_strategies.errors import InvalidArgument
from nni_strategies.module_modes import evaluating

_FAMILIES = ("conv", "sep", "dil", "avgpool", "maxpool", "skip", "null")


class Cost(NamedTuple):
    """Multiply-adds of one input, and parameters.

    Parameters
    ----------
    madds
        Multiply-adds of convolutions and linear layers, biases left out; by :func:`operation_cost` of pooling and skips
        too.
    params
        Parameters, each once.
    """

    madds: int
    params: int


def count(model: nn.Module, input_shape: Sequence[int]) -> Cost:
    """Count a network. Its tensors stay where they are; its mode is left as it was.

    Parameters
    ----------
    model
        On any device.
    input_shape
        One input without the batch, such as ``(3, 32, 32)``.
    """
    return count_call(model, torch.empty(1, *input_shape, device="meta"))


def count_call(model: nn.Module, *inputs: Any) -> Cost:
    """Count one call of a module with inputs on the meta device, of batch 1."""
    return counted_call(model, *inputs)[0]


def counted_call(model: nn.Module, *inputs: Any) -> tuple[Cost, Any]:
    """Return what one call costs, and what it gives."""
    madds = 0
    used: dict[int, torch.Tensor] = {}

    def counted(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        nonlocal madds
        for holder in (module, *(c for c in module.children() if isinstance(c, (nn.ParameterList, nn.ParameterDict)))):
            used.update((id(parameter), parameter) for parameter in holder.parameters(recurse=False))
        if isinstance(module, _ConvNd):
            positions = given[0] if module.transposed else out
            madds += positions.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            madds += out.numel() * module.in_features

    with hooked(model.modules(), counted):
        given = call_on_meta(model, *inputs)
    return Cost(madds, sum(parameter.numel() for parameter in used.values())), given


def call_on_meta(model: nn.Module, *inputs: Any) -> Any:
    """Return what a module in evaluation gives for inputs on the meta device, as if it were there too."""
    made: dict[int, torch.Tensor] = {}  # a tensor that two modules share is one there, too
    there = {}
    # each module once: of one that is used twice PyTorch would put back the wrong tensors, had it both names
    for prefix, module in model.named_modules():
        for name, tensor in itertools.chain(module._parameters.items(), module._buffers.items()):
            if tensor is not None and not tensor.is_meta:
                there[f"{prefix}.{name}" if prefix else name] = made.setdefault(id(tensor), tensor.to("meta"))
    with evaluating(model.modules()), torch.no_grad():
        return functional_call(model, there, inputs, tie_weights=False) if there else model(*inputs)


def operation_cost(family: str, kernel: int, channels: int, height: int, width: int) -> Cost:
    """Return what an operation costs that keeps channels and resolution, by the papers' closed forms.

    Parameters
    ----------
    family
        conv, sep (two depthwise separable convolutions), dil (one), avgpool, maxpool, skip or null.
    kernel
        Of the window, square; 0 where there is none.

    Raises
    ------
    InvalidArgument
        Another family.
    """
    if family not in _FAMILIES:
        raise InvalidArgument("family", family, f"one of {list(_FAMILIES)}", _FAMILIES)
    positions, depthwise = height * width, kernel**2 * channels
    weights = {
        "conv": depthwise * channels,
        "sep": 2 * (depthwise + channels**2),
        "dil": depthwise + channels**2,
    }.get(family, 0)
    if weights:
        return Cost(weights * positions, weights)
    each = {"skip": channels, "null": 0}.get(family, depthwise)
    return Cost(each * positions, 0)


@contextmanager
def hooked(modules: Any, hook: Any) -> Iterator[None]:
    """Have `hook` called after the forward of each of the modules."""
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

"""Look at a model in training and leave nothing behind: flags, buffers, gradients, random state and hooks.

What is looked at is the network itself, eagerly: a wrapper's replicas have no hooks, its processes wait for each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

BATCH_NORM = ("running", "batch")
_TABLES = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs")


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network that ``DataParallel``, ``DistributedDataParallel`` or ``torch.compile`` wraps, or itself."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]
        else:
            return model


def as_input(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return a batch on the device of the model's first floating parameter, and of its type where it is floating."""
    first = next((p for p in model.parameters() if p.is_floating_point()), None)
    if first is None:
        return batch.to(next((p.device for p in model.parameters()), torch.device("cpu")))
    return batch.to(first.device, first.dtype if batch.is_floating_point() else batch.dtype)


@contextmanager
def untouched(model: nn.Module, bn: str = "running") -> Iterator[None]:
    """Within it the model evaluates without gradients; afterwards it is bit for bit what it was.

    Parameters
    ----------
    model
        Any module.
    bn
        ``running``: batch normalisation uses its running statistics. ``batch``: those of the batch, since running
        ones are immature after few steps; all stimuli have to be one batch then.
    """
    training = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    hooks = [table_of_keys for module in model.modules() for table_of_keys in _hooks(module)]
    compiled = [(m, m._compiled_call_impl) for m in model.modules() if m._compiled_call_impl is not None]
    wrapping: list[tuple[nn.Module, Any, Any]] = [
        (m, m.forward, m._orig_mod) for m in model.modules() if isinstance(getattr(m, "_orig_mod", None), nn.Module)
    ]
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    states = random.getstate(), np.random.get_state()  # whatever the user's code draws from
    try:
        with torch.random.fork_rng(devices=sorted(d.index for d in devices)), torch.no_grad():
            for module, _ in compiled:  # by module.compile(): hooks would have it compiled again
                module._compiled_call_impl = None
            for module, _, inner in wrapping:  # by torch.compile(part)
                module.forward = inner.__call__
            model.eval()
            if bn == "batch":
                for module in model.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.train()
            yield
    finally:
        for module, call in compiled:
            module._compiled_call_impl = call
        for module, forward, _ in wrapping:
            module.forward = forward
        for module, flag in training:
            module.training = flag
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for table, keys in hooks:
            for key in [key for key in table if key not in keys]:
                del table[key]
        random.setstate(states[0])
        np.random.set_state(states[1])


def _hooks(module: nn.Module) -> list[tuple[Any, set[int]]]:
    return [(table, set(table)) for table in (getattr(module, name) for name in _TABLES)]

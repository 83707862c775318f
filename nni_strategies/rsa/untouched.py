"""Look at a model in training and leave nothing behind: flags, buffers, gradients, random state and hooks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

BATCH_NORM = ("running", "batch")


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
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    states = random.getstate(), np.random.get_state()  # whatever the user's code draws from
    try:
        with torch.random.fork_rng(devices=sorted(d.index for d in devices)), torch.no_grad():
            model.eval()
            if bn == "batch":
                for module in model.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.train()
            yield
    finally:
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
    return [(table, set(table)) for table in (module._forward_hooks, module._forward_pre_hooks)]

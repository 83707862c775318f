"""How much memory inference takes a stimulus, which has to be known before a batch is chosen: measured on a few."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn

from nni_strategies.rsa.layers import tensors
from nni_strategies.rsa.untouched import untouched


def bytes_per_stimulus(model: nn.Module, example: torch.Tensor) -> int:
    """Return the most bytes of activations that are alive at once, a stimulus; the model is left as it was.

    Seen are the tensors that modules read and give; as much as the largest of them is added for what lives between.

    Parameters
    ----------
    model
        Any module.
    example
        A few stimuli, ``[n, ...]``, on the model's device.
    """
    alive: dict[int, tuple[int, int]] = {}  # address of the storage and size, by tensor
    most = 0

    def seen(module: nn.Module, inputs: Any, keywords: Any, output: Any = None) -> None:
        nonlocal most
        for tensor in tensors([inputs, keywords, output]):
            if id(tensor) not in alive:
                storage = tensor.untyped_storage()
                alive[id(tensor)] = storage.data_ptr(), min(storage.nbytes(), tensor.nbytes)
                weakref.finalize(tensor, alive.pop, id(tensor), None)
        sizes = dict(alive.values()).values()  # tensors may share a storage
        most = max(most, sum(sizes) + max(sizes, default=0))

    with untouched(model):
        for module in model.modules():
            module.register_forward_pre_hook(seen, with_kwargs=True)
            module.register_forward_hook(seen, with_kwargs=True)
        model(example)
    return max(most // len(example), 1)

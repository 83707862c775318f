"""Batch norm in a supernet: what statistics a path is judged with, and how those that are stored are left alone.

The running statistics of a supernet are a mixture over all paths and fit none of them. A path is judged with the
statistics of each batch that it judges, or with running statistics that are computed anew for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms of a network, of any dimension; NNI's with choices too."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@contextmanager
def of_the_batch(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Let batch norms use the statistics of each batch and keep none of them."""
    before = [(norm.training, norm.track_running_stats) for norm in norms]
    for norm in norms:
        norm.training, norm.track_running_stats = True, False
    try:
        yield
    finally:
        for norm, (training, tracking) in zip(norms, before, strict=True):
            norm.training, norm.track_running_stats = training, tracking


@contextmanager
def restored(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Give batch norms their stored statistics and their momentum back afterwards."""
    buffers = [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
    kept: list[Tensor] = [buffer.clone() for buffer in buffers]
    momenta = [norm.momentum for norm in norms]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
        for norm, momentum in zip(norms, momenta, strict=True):
            _set_momentum(norm, momentum)


def recalibrate(network: nn.Module, norms: Sequence[_BatchNorm], batches: Sequence[Tensor]) -> None:
    """Make the stored statistics those of a path: the mean over batches of images, all counted alike.

    Within :func:`restored`. The k-th batch counts 1 / k, so that nothing is left of what was stored before; of numbers
    that are not finite it would, hence the zeros.

    Parameters
    ----------
    network
        In evaluation, with the path set; it is run once a batch.
    norms
        Its batch norms; afterwards in evaluation. What is stored of those off the path is 0.
    batches
        Images, ``[b, ...]`` each, on the network's device.

    Raises
    ------
    ValueError
        PyTorch's, where a batch has one value a channel only.
    """
    stored = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var) if tensor is not None]
    if stored:
        torch._foreach_zero_(stored)
    for norm in norms:
        norm.training = True
    for k, images in enumerate(batches, start=1):
        for norm in norms:
            _set_momentum(norm, 1.0 / k)
        network(images)
    for norm in norms:
        norm.training = False


def _set_momentum(norm: Any, momentum: float | None) -> None:
    norm.momentum = momentum
    arguments = getattr(norm, "init_arguments", None)  # where NNI's batch norms with choices read it
    if arguments is not None:
        arguments["momentum"] = momentum

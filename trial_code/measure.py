"""What a network costs: parameters, multiply-adds, and the latency measured on the device that runs the trial."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


def measure(
    model: nn.Module, input_shape: tuple[int, int, int], device: str = "cpu", *, batch_size: int = 1, repeats: int = 21
) -> dict[str, float]:
    """Measure a network as it is used after training (evaluation mode; an auxiliary head is not run).

    Parameters
    ----------
    model
        The network, already on `device`. Its mode and hooks are left as they were.
    input_shape
        One input, ``(channels, height, width)``.
    batch_size
        Inputs in the timed batch.
    repeats
        Timed runs after three that warm up.

    Returns
    -------
    dict[str, float]
        ``params`` (those that the forward pass uses), ``madds`` of one input (multiply-adds of convolutions and
        linear layers), ``latency_ms`` (median of the repeats, milliseconds a batch).
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            params, madds = count(model, torch.zeros(1, *input_shape, device=device))
            latency = _latency_ms(model, torch.zeros(batch_size, *input_shape, device=device), repeats)
    finally:
        model.train(was_training)
    return {"params": params, "madds": madds, "latency_ms": latency}


def count(model: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Count the parameters and multiply-adds of one forward pass of ``x`` ``[1, c, h, w]``."""
    madds = 0
    used: dict[int, int] = {}

    def hook(module: nn.Module, _: Any, out: Any) -> None:
        nonlocal madds
        for parameter in module.parameters(recurse=False):
            used[id(parameter)] = parameter.numel()
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            madds += out.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            madds += out.numel() * module.in_features

    with _hooked(model, hook):
        model(x)
    return sum(used.values()), madds


@contextmanager
def _hooked(model: nn.Module, hook: Any) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _latency_ms(model: nn.Module, x: torch.Tensor, repeats: int) -> float:
    def once() -> float:
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        started = time.perf_counter()
        model(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        return (time.perf_counter() - started) * 1e3

    for _ in range(3):
        once()
    return statistics.median(once() for _ in range(repeats))

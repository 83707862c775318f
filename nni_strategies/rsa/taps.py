"""Gram matrices of a network's layers for all stimuli, within a memory budget.

One-shot, where inference of all stimuli as one batch fits: each hook reduces its layer at once, so no activation is
kept (a later in-place ReLU may overwrite it). Buffered: batches are copied into ``[n_stimuli, n_features]`` buffers of
as many layers as fit, one pass over the stimuli a group of layers. A layer too large alone is represented by units
drawn once: exact correlations of a sample, which at equal size are as good as a random projection and cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.footprint import bytes_per_stimulus
from nni_strategies.rsa.gram import GramAccumulator, gram
from nni_strategies.rsa.gram_sums import CHUNK, Gram
from nni_strategies.rsa.layers import FEATURES, LayerInfo, activation, tensors
from nni_strategies.rsa.untouched import BATCH_NORM, as_input, untouched

BUDGET = 512 * 2**20  # bytes, on the CPU
_SHARE = 0.2  # of a GPU's free memory
_CHUNK = 1024  # least features of a product: the mean of fewer is too far from that of all
_BATCH = 64  # most stimuli a forward pass, where not all are one
_SEED = 0


class LayerGrams:
    """The Gram matrices, and which of them are of sampled units.

    Attributes
    ----------
    grams
        By layer.
    approximate
        Layers of which only a sample of units fits the budget.
    logits
        What the model gave for all stimuli, ``[n_stimuli, n]``, on the CPU; None where that is of another form.
    """

    def __init__(self) -> None:
        self.grams: dict[str, Gram] = {}
        self.approximate: set[str] = set()
        self.logits: torch.Tensor | None = None


def layer_grams(
    model: nn.Module,
    stimuli: torch.Tensor,
    layers: Sequence[LayerInfo],
    *,
    budget: int | None = None,
    batch_size: int | None = None,
    bn: str = "running",
) -> LayerGrams:
    """Return the Gram matrix of each layer's activations; the model is left as it was.

    Parameters
    ----------
    model
        Any module.
    stimuli
        ``[n_stimuli, ...]``, as the model takes them; moved to the model's device a batch at a time.
    layers
        From :func:`~nni_strategies.rsa.layers.discover_layers`.
    budget
        Most bytes that inference, buffers and Gram matrices take together. One batch, or the matrices alone, may be
        larger: a batch size that is asked for is kept, with ``bn="batch"`` all stimuli are one. None takes 512 MB, or a
        fifth of what is free on the model's GPU.
    batch_size
        Stimuli a forward pass; None takes all at once where that fits, and else as many as do.
    bn
        See :func:`~nni_strategies.rsa.untouched.untouched`; ``batch`` takes all stimuli as one batch.

    Raises
    ------
    InvalidArgument
        ``bn="batch"`` with smaller batches, or a batch size that is not a positive integer.
    """
    if bn not in BATCH_NORM:
        raise InvalidArgument("bn", bn, f"one of {list(BATCH_NORM)}", BATCH_NORM)
    n = len(stimuli)
    if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
        raise InvalidArgument("batch_size", batch_size, "a positive integer, or None")
    if bn == "batch" and batch_size is not None and batch_size < n:
        raise InvalidArgument("batch_size", batch_size, f"None with bn='batch', whose batch is all {n} stimuli")
    made = LayerGrams()
    with untouched(model, bn):
        plan = _plan(model, stimuli, len(layers), budget, n if bn == "batch" else batch_size)
        # All before the first activation: what is small and stays keeps the allocator from giving back what is large.
        sums = {layer.name: GramAccumulator(n, chunk=plan.chunk) for layer in layers}
        if bn == "batch" or (batch_size is None and plan.batch_size == n):
            _one_shot(model, stimuli, layers, sums, made, plan.chunk)
        else:
            _buffered(model, stimuli, layers, sums, made, plan)
    made.grams |= {name: added.gram() for name, added in sums.items() if added.n_features}
    return made


@dataclass(frozen=True)
class _Plan:
    """What a budget is spent on: stimuli a batch, features in buffers at a time, and of those in a product."""

    batch_size: int
    features: int
    chunk: int


def _plan(model: nn.Module, stimuli: torch.Tensor, n_layers: int, budget: int | None, batch_size: int | None) -> _Plan:
    n, example = len(stimuli), as_input(model, stimuli[:2])
    if budget is None:
        on_gpu = example.device.type == "cuda"
        budget = int(_SHARE * torch.cuda.mem_get_info(example.device)[0]) if on_gpu else BUDGET
    matrices = 8 * n * n * (n_layers + 4)  # those returned, and some while one is made
    room = max(budget - budget // 5 - matrices, budget // 2)  # the rest is for what is freed and not given back
    chunk = min(max(room // 8 // (4 * n), _CHUNK), CHUNK)
    work = 4 * n * chunk
    inference = bytes_per_stimulus(model, example)
    if batch_size is None:
        batch_size = n if n * inference + work <= room else min(max(room // 3 // inference, 1), _BATCH, n)
    left = room - max(batch_size * inference, work)
    return _Plan(batch_size, max(left, room // 2) // (4 * n) or 1, chunk)


def _one_shot(
    model: nn.Module,
    stimuli: torch.Tensor,
    layers: Sequence[LayerInfo],
    sums: dict[str, GramAccumulator],
    made: LayerGrams,
    chunk: int,
) -> None:
    def reduce(name: str, tensor: torch.Tensor) -> None:
        if len(tensor) != len(stimuli):
            return
        if tensor.device.type == "cuda":
            made.grams[name] = gram(tensor, chunk=chunk)
        else:
            sums[name].add(tensor.flatten(1))

    made.logits = _forward(model, [stimuli], layers, reduce)


def _buffered(
    model: nn.Module,
    stimuli: torch.Tensor,
    layers: Sequence[LayerInfo],
    sums: dict[str, GramAccumulator],
    made: LayerGrams,
    plan: _Plan,
) -> None:
    n, most = len(stimuli), plan.features
    space = np.empty(n * min(most, sum(layer.n_features for layer in layers)), np.float32)
    for group in _groups(layers, most):
        units = {layer.name: _sample(layer.n_features, most) for layer in group if layer.n_features > most}
        made.approximate |= set(units)
        widths = {layer.name: min(layer.n_features, most) for layer in group}
        ends = n * np.cumsum(list(widths.values()))
        buffers = dict(zip(widths, (part.reshape(n, -1) for part in np.split(space, ends)), strict=False))
        filled = dict.fromkeys(buffers, 0)

        def store(
            name: str,
            tensor: torch.Tensor,
            units: dict[str, torch.Tensor] = units,
            buffers: dict[str, npt.NDArray[np.float32]] = buffers,
            filled: dict[str, int] = filled,
        ) -> None:
            features = tensor.flatten(1)
            if name in units:
                features = features[:, units[name].to(features.device)]
            first = filled[name]
            if first + len(features) <= n and features.shape[1] == buffers[name].shape[1]:
                buffers[name][first : first + len(features)] = features.float().cpu().numpy()
                filled[name] += len(features)

        given = _forward(model, torch.split(stimuli, plan.batch_size), group, store)
        made.logits = given if made.logits is None else made.logits
        for name, buffer in buffers.items():
            if filled[name] == n:
                sums[name].add(buffer)


def _groups(layers: Sequence[LayerInfo], most: int) -> list[list[LayerInfo]]:
    groups: list[list[LayerInfo]] = []
    room = 0
    for layer in layers:
        width = min(layer.n_features, most)
        if not groups or width > room:
            groups.append([])
            room = most
        groups[-1].append(layer)
        room -= width
    return groups


def _sample(n_features: int, count: int) -> torch.Tensor:
    rng = np.random.default_rng([_SEED, n_features])
    return torch.as_tensor(np.sort(rng.choice(n_features, size=count, replace=False)))


def _forward(
    model: nn.Module,
    batches: Sequence[torch.Tensor],
    layers: Sequence[LayerInfo],
    take: Callable[[str, torch.Tensor], None],
) -> torch.Tensor | None:
    """Run batches, and hand each layer's activations of each batch to `take`: those of its last run in the batch.

    What the model gives for all batches is returned where that is a vector a stimulus.
    """
    modules = dict(model.named_modules())
    handles: list[Any] = []
    given: list[torch.Tensor] = []
    runs: Counter[str] = Counter()
    due = {layer.name: layer.run for layer in layers}

    def hook(name: str) -> tuple[Callable[..., None], bool]:
        def before(module: nn.Module, inputs: Any, keywords: Any) -> None:
            seen(name, next(tensors([inputs, keywords]), None))

        def after(module: nn.Module, inputs: Any, keywords: Any, output: Any) -> None:
            seen(name, activation([inputs, keywords], output))

        return (before, True) if name.endswith(FEATURES) else (after, False)

    def seen(name: str, tensor: torch.Tensor | None) -> None:
        runs[name] += 1
        if tensor is not None and tensor.dim() > 1 and runs[name] == due[name]:
            take(name, tensor.detach())

    try:
        for name in due:
            function, early = hook(name)
            module = modules[name.removesuffix(FEATURES)]
            register = module.register_forward_pre_hook if early else module.register_forward_hook
            handles.append(register(function, with_kwargs=True))
        for batch in batches:
            runs.clear()
            output = model(as_input(model, batch))
            if isinstance(output, torch.Tensor) and output.dim() == 2 and len(output) == len(batch):
                given.append(output.detach().float().cpu())
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(given) if len(given) == len(batches) and len({g.shape[1] for g in given}) == 1 else None

"""Which layers of a network to compare: found by one forward pass with hooks on every module.

``auto`` prefers blocks (modules of the model's own whose class occurs again: cells, residual blocks), the last output
at each spatial size, and the features that the last linear layer reads, however they were pooled; a network without
such structure is looked at layer by layer. Logits are no representation and are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.untouched import untouched

FEATURES = ":input"  # a layer's name with this suffix is what the layer reads
MAX_LAYERS = 12
_FEW = 3
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_LAST_AXIS = (nn.Linear, nn.LayerNorm)  # what they give has its features last
_FIRST_AXIS = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)
_NO_LAYERS = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.Flatten)


@dataclass(frozen=True)
class LayerInfo:
    """One layer.

    Parameters
    ----------
    name
        The module's path in the model; with ``:input`` what it reads instead of what it gives.
    type
        The module's class.
    shape
        Of the activations of one stimulus.
    order
        When it ran, from 0.
    run
        Which of its runs in a forward pass this is: the last, where a module runs several times.
    features_last
        Whether the shape is ``(tokens, d)`` or ``(height, width, d)``, as transformers have it.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    order: int
    run: int = 1
    features_last: bool = False

    @property
    def n_features(self) -> int:
        """Numbers a stimulus."""
        return int(torch.Size(self.shape).numel())

    @property
    def spatial(self) -> tuple[int, ...]:
        """Height and width, or how many tokens; empty where there are none, as after pooling."""
        if len(self.shape) < 2:
            return ()
        return self.shape[:-1] if self.features_last else self.shape[1:]


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of what a module reads or gives, those in tuples, lists and dictionaries too."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors(part)


def activation(inputs: Any, output: Any) -> torch.Tensor | None:
    """Return the first tensor of a module's output that it does not just hand on (as cells do with their input)."""
    read = {tensor.data_ptr() for tensor in tensors(inputs)}
    given = list(tensors(output))
    return next((tensor for tensor in given if tensor.data_ptr() not in read), given[0] if given else None)


def discover_layers(
    model: nn.Module, example: torch.Tensor, policy: str | Sequence[str] = "auto", max_layers: int = MAX_LAYERS
) -> list[LayerInfo]:
    """Find the layers of a network in the order they run; the model is left as it was.

    Parameters
    ----------
    model
        Any module; dynamic control flow is no trouble.
    example
        A batch of stimuli, of which two are run.
    policy
        ``auto`` (see the module), ``all``, a regular expression that whole names have to match, or a list of names.
    max_layers
        ``auto`` is thinned evenly to so many, keeping the last.

    Raises
    ------
    InvalidArgument
        No layer was found, or a name is not that of a layer; the nearest is named.
    """
    run = _run(model, example[:2])
    if not run:
        raise InvalidArgument("layers", policy, "a model with a module that gives a float tensor a stimulus")
    if policy == "auto":
        return _thinned(_automatic(model, run), max_layers)
    if policy == "all":
        return run
    names = [layer.name for layer in run]
    if isinstance(policy, str):
        try:
            found = [layer for layer in run if re.fullmatch(policy, layer.name)]
        except re.error as error:
            allowed = f"auto, all, a list of names or a regular expression ({error})"
            raise InvalidArgument("layers", policy, allowed) from None
        if not found:
            raise InvalidArgument("layers", policy, f"auto, all, or matching one of {names}", names)
        return found
    for name in policy:
        if name not in names:
            raise InvalidArgument("layers", name, "the name of a layer that runs", names)
    return [layer for layer in run if layer.name in policy]


def late_layers(layers: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Keep those of the last spatial size and what comes after it: where nearly all of a teacher's signal is.

    Of as many tokens all the way, which have no last size, the last quarter is kept, but two at least.
    """
    tokens = [layer for layer in layers if layer.features_last]
    if tokens and len({layer.spatial for layer in tokens}) == 1:
        first = layers.index(tokens[-max(len(tokens) // 4, min(len(tokens), 2))])
        return list(layers[first:])
    spatial = [layer.spatial for layer in layers if layer.spatial and max(layer.spatial) > 1]
    if not spatial:
        return list(layers[-2:])
    first = next(i for i, layer in enumerate(layers) if layer.spatial == spatial[-1])
    return [layer for layer in layers[first:] if layer.spatial in (spatial[-1], ()) or max(layer.spatial) == 1]


def _run(model: nn.Module, example: torch.Tensor) -> list[LayerInfo]:
    names = {module: name for name, module in model.named_modules() if name}
    modules = {name: module for module, name in names.items()}
    seen: dict[str, LayerInfo] = {}
    pointers: dict[tuple[int, int], str] = {}
    alive: list[torch.Tensor] = []  # so that no address is used twice
    counts = Counter(type(module) for module in names)
    last_axis: set[tuple[int, int]] = set()  # axes and features of what has its features last
    order = 0

    def note(name: str, module: nn.Module, tensor: torch.Tensor | None) -> None:
        nonlocal order
        if tensor is None or not tensor.is_floating_point() or tensor.dim() < 2 or len(tensor) != len(example):
            return
        key = tensor.data_ptr(), tensor.numel()
        same = pointers.get(key)
        if same is not None and same != name and same in seen:
            if not _inside(same, name) or isinstance(module, _CONTAINERS):
                return  # handed on as it was, maybe in another shape
            if counts[type(module)] == 1 and _is_own(modules[same]) and counts[type(modules[same])] > 1:
                return  # an encoder gives what its last block gave: the block it is
            del seen[same]  # a block gives what its last part gave: the block it is
        alive.append(tensor)
        pointers[key] = name
        seen.pop(name, None)  # of several runs the last counts
        seen[name] = LayerInfo(name, type(module).__name__, tuple(tensor.shape[1:]), order, runs[module])
        order += 1

    last: list[tuple[str, nn.Linear, torch.Tensor]] = []

    runs: Counter[nn.Module] = Counter()

    def after(module: nn.Module, inputs: Any, keywords: Any, output: Any) -> None:
        runs[module] += 1
        read, given = next(tensors([inputs, keywords]), None), activation([inputs, keywords], output)
        if isinstance(module, nn.Linear) and read is not None:
            last[:] = [(names[module], module, read)]
        if isinstance(module, _LAST_AXIS) and given is not None:
            last_axis.add((given.dim() - 1, given.shape[-1]))
        if not isinstance(module, _NO_LAYERS):
            note(names[module], module, given)

    with untouched(model):
        for module in names:
            module.register_forward_hook(after, with_kwargs=True)
        model(example)
    for name, module, read in last:  # logits are what the last linear layer gives; its features are what it reads
        seen.pop(name, None)
        for parent in [name.rsplit(".", k)[0] for k in range(1, name.count(".") + 1)]:
            if parent in seen and seen[parent].shape == (module.out_features,):
                del seen[parent]
        if len(read) == len(example) and pointers.get((read.data_ptr(), read.numel())) not in seen:
            shape = tuple(read.shape[1:])
            seen[name + FEATURES] = LayerInfo(name + FEATURES, type(module).__name__, shape, order, runs[module])
    found = sorted(seen.values(), key=lambda layer: layer.order)
    return [replace(x, features_last=True) if _has_features_last(x, modules, last_axis) else x for x in found]


def _has_features_last(layer: LayerInfo, modules: dict[str, nn.Module], last_axis: set[tuple[int, int]]) -> bool:
    if len(layer.shape) < 2 or isinstance(modules.get(layer.name), _FIRST_AXIS):
        return False
    return (len(layer.shape), layer.shape[-1]) in last_axis


def _is_own(module: nn.Module) -> bool:
    """Whether a module is made of others, and more than a list of them."""
    return any(True for _ in module.children()) and not isinstance(module, _CONTAINERS)


def _automatic(model: nn.Module, run: list[LayerInfo]) -> list[LayerInfo]:
    modules = dict(model.named_modules())
    own = {layer.name for layer in run if layer.name in modules and _is_own(modules[layer.name])}
    counts = Counter(type(modules[name]) for name in own)
    repeated = {name for name in own if counts[type(modules[name])] > 1}
    blocks = {name for name in repeated if not any(_inside(name, other) for other in repeated)}
    outside = [layer for layer in run if not any(_inside(layer.name, block) for block in blocks)]
    ends = {
        layer.name for layer, following in pairwise(outside) if layer.spatial and layer.spatial != following.spatial
    }
    chosen = blocks | ends | {layer.name for layer in run if layer.name.endswith(FEATURES)} | {run[-1].name}
    if len(chosen) < _FEW:  # nothing repeats and nothing shrinks: every layer that learns
        chosen |= {layer.name for layer in outside if _learns(modules.get(layer.name))}
    return [layer for layer in run if layer.name in chosen]


def _inside(name: str, block: str) -> bool:
    return name.startswith(block + ".")


def _learns(module: nn.Module | None) -> bool:
    return module is not None and any(True for _ in module.parameters(recurse=False))


def _thinned(layers: list[LayerInfo], most: int) -> list[LayerInfo]:
    if len(layers) <= most:
        return layers
    step = (len(layers) - 1) / max(most - 1, 1)
    return [layers[round(i * step)] for i in range(most - 1)] + [layers[-1]]

"""Sequential convolutional networks of two to ten layers, each with its own kernel, filters, pooling and skip.

A layer is convolution (stride 1, same size), batch norm, the skip, ReLU, pooling. Layered searches choose from spaces
of this kind [1]_; the ranges are ours.

- *Skip* adds the layer's input to what batch norm gives. Where channels differ, zeros are appended or the last ones
  dropped, so a skip has no parameters.
- *Pooling* halves height and width (2x2, stride 2; an odd last row or column is dropped). Where either is 1 already it
  does nothing, so that every configuration runs on every size of image: from 32x32 five pools halve, from 8x8 three.

There are ``sum_d (4 * n_filters * 3 * 2)^d`` configurations over the depths d, and somewhat fewer networks: a pool that
does nothing is no pool. In NNI's JSON depth is a nested choice, so that a configuration has the labels of its own
layers only; :mod:`.layered_conv_nas` is the same as a model space of ``nni.nas``.

.. [1] Baker, Gupta, Naik, Raskar: Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace

DEPTHS = (2, 3, 4, 5, 6, 7, 8, 9, 10)
FILTERS = (16, 32, 64, 128)
OPTIONS: dict[str, tuple[Any, ...]] = {
    "kernel": (1, 3, 5, 7),
    "filters": FILTERS,
    "pool": ("none", "max", "avg"),
    "skip": (0, 1),
}
N_CLASSES = 10
DEPTH = "depth"


def layer_labels(depth: int) -> tuple[str, ...]:
    """Return the labels of the layers of a network so deep, in order."""
    return tuple(f"layer_{i}.{option}" for i in range(1, depth + 1) for option in OPTIONS)


def layer_options(filters: Sequence[int] = FILTERS) -> dict[str, tuple[Any, ...]]:
    """Return what one layer chooses from."""
    refuse_others("filters", filters, FILTERS)
    return {**OPTIONS, "filters": tuple(filters)}


def search_space(depths: Sequence[int] = DEPTHS, filters: Sequence[int] = FILTERS) -> dict[str, Any]:
    """Return the space as NNI's search-space JSON, a branch a depth.

    Parameters
    ----------
    depths, filters
        Some of `DEPTHS` and of `FILTERS`, for a smaller space.

    Raises
    ------
    InvalidSearchSpace
        Others than these.
    """
    refuse_others("depths", depths, DEPTHS)
    layer = {option: {"_type": "choice", "_value": list(values)} for option, values in layer_options(filters).items()}
    branches = [
        {"_name": str(depth), **{label: layer[label.partition(".")[2]] for label in layer_labels(depth)}}
        for depth in depths
    ]
    return {DEPTH: {"_type": "choice", "_value": branches}}


def refuse_others(field: str, given: Sequence[int], known: Sequence[int]) -> None:
    """Refuse a restriction that is empty or not one."""
    if not given or not all(_among(value, known) for value in given) or len(set(given)) < len(given):
        raise InvalidSearchSpace(field, list(given), f"some of {list(known)}, each once")


def configuration_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration in a trial's parameters, in a sample of `nni.nas`, or in the best.json of a report.

    A trial's are nested below ``depth``, a report's have labels such as ``depth.3.layer_1.kernel``, a sample of NNI has
    all labels: those of layers that the network does not have are left out. Whether the rest is a configuration says
    `check`.
    """
    depth = parameters.get(DEPTH)
    options = {label: value for label, value in parameters.items() if label != DEPTH}
    if isinstance(depth, Mapping):
        options = {**{label: value for label, value in depth.items() if label != "_name"}, **options}
        depth = depth.get("_name")
    if isinstance(depth, str):
        options = {label.removeprefix(f"{DEPTH}.{depth}."): value for label, value in options.items()}
        depth = int(depth) if depth.isascii() and depth.isdigit() else depth
    if isinstance(depth, int) and _among(depth, DEPTHS):
        unused = set(layer_labels(DEPTHS[-1])) - set(layer_labels(depth))
        options = {label: value for label, value in options.items() if label not in unused}
    return {DEPTH: depth, **options}


def check(configuration: Mapping[str, Any]) -> None:
    """Refuse what is not a point of the space.

    Raises
    ------
    InvalidConfiguration
        A depth or a layer's option that is none, a label that is missing, unknown or of a layer beyond the depth.
    """
    depth = configuration.get(DEPTH)
    if not _among(depth, DEPTHS):
        raise InvalidConfiguration(DEPTH, depth, f"an integer, {DEPTHS[0]} to {DEPTHS[-1]}", map(str, DEPTHS))
    assert isinstance(depth, int)  # for mypy
    labels = layer_labels(depth)
    for label in configuration:
        if label != DEPTH and label not in labels:
            raise InvalidConfiguration("label", label, f"depth or a label of layers 1 to {depth}", (DEPTH, *labels))
    for label in labels:
        allowed = OPTIONS[label.partition(".")[2]]
        if not _among(configuration.get(label), allowed):
            listed = ", ".join(map(str, allowed))
            raise InvalidConfiguration(label, configuration.get(label), f"one of {listed}", map(str, allowed))


def _among(value: Any, allowed: Sequence[Any]) -> bool:
    # of the same type too: to Python True is 1, and 3.0 is 3
    return any(type(value) is type(other) and value == other for other in allowed)


class Layer(nn.Module):
    """Convolution, batch norm, skip, ReLU, pooling: ``[b, n_in, h, w]`` to ``[b, filters, h, w]`` or half of it.

    Parameters
    ----------
    n_in
        Channels of the input.
    kernel, filters, pool, skip
        Of `OPTIONS`.
    """

    def __init__(self, n_in: int, kernel: int, filters: int, pool: str, skip: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, filters, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.pool = {"none": None, "max": nn.MaxPool2d(2), "avg": nn.AvgPool2d(2)}[pool]
        self.skip = bool(skip)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(features))
        if self.skip:
            out = out + with_channels(features, out.shape[1])
        out = F.relu(out)
        if self.pool is not None and min(out.shape[2:]) > 1:
            out = self.pool(out)
        return out


def with_channels(features: Tensor, n: int) -> Tensor:
    """Return the first `n` channels of ``[b, c, h, w]``, with zeros where there are fewer."""
    missing = n - features.shape[1]
    return F.pad(features, (0, 0, 0, 0, 0, missing)) if missing > 0 else features[:, :n]


class LayeredConvNet(nn.Module):
    """Layers, global average pooling, classifier; images ``[b, channels, h, w]`` to logits ``[b, n_classes]``.

    Parameters
    ----------
    configuration
        ``depth``, and ``layer_1.kernel`` and so on for each layer.
    channels
        Of the images, which may have any height and width.
    n_classes
        Logits.

    Raises
    ------
    InvalidConfiguration
        See `check`.
    """

    def __init__(self, configuration: Mapping[str, Any], channels: int = 3, n_classes: int = N_CLASSES) -> None:
        super().__init__()
        check(configuration)
        layers = []
        for i in range(1, configuration[DEPTH] + 1):
            options = {option: configuration[f"layer_{i}.{option}"] for option in OPTIONS}
            layers.append(Layer(channels, **options))
            channels = options["filters"]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = torch.mean(self.layers(images), dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits

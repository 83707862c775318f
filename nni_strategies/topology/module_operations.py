"""Which standard operation a module is, by its class and settings; modules that are none are looked into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.modules import (
    activation,
    batchnorm,
    channelshuffle,
    conv,
    dropout,
    flatten,
    instancenorm,
    normalization,
    padding,
    pixelshuffle,
    pooling,
    upsampling,
)

from nni_strategies.topology.operations import is_transparent
from nni_strategies.topology.vocabulary import ATTENTION, GLOBAL_POOL, IDENTITY, LINEAR, other, windowed

_TRANSPARENT = (activation, batchnorm, channelshuffle, dropout, flatten, instancenorm, normalization, padding)
_TRANSPARENT_FILES = frozenset(file.__name__ for file in (*_TRANSPARENT, pixelshuffle, upsampling))
#: Names of functions that do what such a module does, without underscores and dimensions.
TRANSPARENT_NAMES = frozenset(
    re.sub(r"[123]d$", "", name.lower())
    for file in (*_TRANSPARENT, pixelshuffle, upsampling)
    for name, kind in vars(file).items()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__ == file.__name__
)
# squeeze-and-excitation and its relatives weigh channels or pixels, and are no attention between positions
_ATTENTION = re.compile(r"(?!.*(channel|spatial|squeeze|pixel|coord)).*(attention|attn|mha)", re.IGNORECASE)
#: How cells of searches halve a skip connection: resolution is the frame's business, so it is none of the block's.
_FACTORIZED_REDUCE = "FactorizedReduce"
_LEAVES = (nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.RNNBase, nn.RNNCellBase, nn.Fold, nn.Unfold)


def operation_of(module: nn.Module) -> str | None:
    """Return the operation that a module as a whole is, or None where its parts are to be seen."""
    name = type(module).__name__
    if isinstance(module, conv._ConvNd):
        if module.transposed:
            return other(name)
        return convolution(module.kernel_size, module.in_channels, module.groups, module.dilation)
    if isinstance(module, nn.Linear):
        return LINEAR
    if isinstance(module, nn.MultiheadAttention) or _ATTENTION.fullmatch(name):
        return ATTENTION
    if name == _FACTORIZED_REDUCE or isinstance(module, nn.Identity) or is_transparent(name):
        return IDENTITY
    files = {kind.__module__ for kind in type(module).__mro__}
    if pooling.__name__ in files:
        return pool(name, getattr(module, "kernel_size", None), getattr(module, "output_size", None))
    if files & _TRANSPARENT_FILES:
        return IDENTITY
    return other(name) if isinstance(module, _LEAVES) else None


def convolution(kernel: Sequence[Any], n_in: int, groups: int, dilation: Sequence[Any]) -> str:
    """Return the name of a convolution of `n_in` channels; with as many groups it is depthwise."""
    kind = "conv" if groups == 1 else "dwconv" if groups == n_in else "gconv"
    return windowed(kind, tuple(map(int, kernel)), tuple(map(int, dilation)))


def pool(name: str, kernel: Any, output_size: Any) -> str:
    """Return the name of a pooling, such as ``MaxPool2d`` or ``adaptive_avg_pool2d``."""
    plain = re.sub(r"_|[123]d$", "", name.lower())
    if plain in ("maxpool", "avgpool") and kernel is not None:
        return windowed(plain, kernel if isinstance(kernel, (list, tuple)) else (kernel,))
    sizes = set(output_size) if isinstance(output_size, (list, tuple)) else {output_size}
    if plain.startswith("adaptive") and sizes == {1}:
        return GLOBAL_POOL
    return other(plain)

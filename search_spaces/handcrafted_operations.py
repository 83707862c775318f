"""What the edges of handcrafted networks carry: from any channels and resolution to those of the node they enter.

A skip has no parameters anywhere: it takes every stride-th pixel, the first channels that fit, and pads with zeros
(option A of He et al., Deep Residual Learning, CVPR 2016), so that to replace anything by a skip never costs more. It
may also cut out and place channels, which is how ShuffleNet's split and concatenation become edges.

Convolutions have no bias and are followed by batch norm; activations belong to nodes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# what an edge may carry instead of its own operation, itself first: the operations NAT++ has for it
CHOICES: dict[str, tuple[str, ...]] = {
    "conv_3x3": ("conv_3x3", "conv_1x1", "sep_conv_3x3", "dil_conv_3x3", "max_pool_3x3", "avg_pool_3x3"),
    "conv_1x1": ("conv_1x1",),
    "dw_conv_3x3": ("dw_conv_3x3", "max_pool_3x3", "avg_pool_3x3"),
    "max_pool_2x2": ("max_pool_2x2", "avg_pool_2x2"),
    "skip_connect": (),
    "none": (),
}
SKIP, NULL = "skip_connect", "none"


def choices(name: str) -> tuple[str, ...]:
    """Return what an edge that carries `name` may carry; the first is itself, a skip and null are among them."""
    others = (NULL, SKIP) if name == NULL else (SKIP, NULL)
    return (*CHOICES[name], *others)


def operation(name: str, n_in: int, n_out: int, stride: int, take: int = 0, put: int = 0) -> nn.Module:
    """Build an operation: ``[b, n_in, h, w]`` to ``[b, n_out, h / stride, w / stride]``, rounded up.

    Parameters
    ----------
    take, put
        Of a skip: the first channel of its input that it takes, and where in the output it puts it.
    """
    if name == NULL:
        return Zero(n_out, stride)
    if name == SKIP:
        return Skip(n_in, n_out, stride, take, put)
    kind, _, size = name.rpartition("_")
    kernel = int(size[0])
    if kind in ("max_pool", "avg_pool"):
        return nn.Sequential(_pool(kind, kernel, stride), Skip(n_in, n_out, 1, take, put))
    if kind == "conv":
        return nn.Sequential(*_convolution(n_in, n_out, kernel, stride))
    if kind == "dw_conv":
        return nn.Sequential(*_depthwise(n_in, kernel, stride), nn.BatchNorm2d(n_in), *_fitting(n_in, n_out))
    if kind == "dil_conv":
        return nn.Sequential(*_depthwise(n_in, kernel, stride, dilation=2), *_convolution(n_in, n_out, 1, 1))
    assert kind == "sep_conv"
    return nn.Sequential(
        *_depthwise(n_in, kernel, stride),
        *_convolution(n_in, n_in, 1, 1),
        nn.ReLU(),
        *_depthwise(n_in, kernel, 1),
        *_convolution(n_in, n_out, 1, 1),
    )


def _convolution(n_in: int, n_out: int, kernel: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out)]


def _depthwise(n: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [nn.Conv2d(n, n, kernel, stride, padding, dilation, groups=n, bias=False)]


def _pool(kind: str, kernel: int, stride: int) -> nn.Module:
    padding = (kernel - 1) // 2
    rounds_up = kernel % 2 == 0  # as all others do by their padding
    if kind == "max_pool":
        return nn.MaxPool2d(kernel, stride, padding, ceil_mode=rounds_up)
    return nn.AvgPool2d(kernel, stride, padding, ceil_mode=rounds_up, count_include_pad=False)


def _fitting(n_in: int, n_out: int) -> list[nn.Module]:
    return [] if n_in == n_out else [Skip(n_in, n_out, 1)]


class Skip(nn.Module):
    """Passes channels on, every stride-th pixel; zeros where there are none.

    Parameters
    ----------
    n_in, n_out
        Channels.
    stride
        See above.
    take, put
        The first channel of the input that it takes, and where in the output it puts it.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, take: int = 0, put: int = 0) -> None:
        super().__init__()
        self.stride = stride
        self.passed = min(n_in - take, n_out - put)
        self.taken = [take, self.passed, n_in - take - self.passed]
        self.padding = (0, 0, 0, 0, put, n_out - put - self.passed)

    def forward(self, features: Tensor) -> Tensor:
        strided = features[:, :, :: self.stride, :: self.stride]
        if self.passed < sum(self.taken):
            strided = torch.split(strided, self.taken, dim=1)[1]
        return F.pad(strided, self.padding) if any(self.padding) else strided


class Zero(nn.Module):
    """Passes on nothing.

    Parameters
    ----------
    n_out
        Channels.
    stride
        As of the operation it stands for.
    """

    def __init__(self, n_out: int, stride: int) -> None:
        super().__init__()
        self.n_out, self.stride = n_out, stride

    def forward(self, features: Tensor) -> Tensor:
        strided = features[:, :1, :: self.stride, :: self.stride]
        return torch.zeros_like(strided).expand(-1, self.n_out, -1, -1)

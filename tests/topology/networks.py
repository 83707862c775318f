"""Small networks whose topology is known, for both ways of reading one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_strategies.topology.graph import TopologyGraph

IMAGES = torch.zeros(1, 4, 8, 8)
TOKENS = torch.zeros(1, 5, 8)


class Known(NamedTuple):
    """A network and what is to be read of it."""

    build: Callable[[], nn.Module]
    example: Any
    graph: TopologyGraph


class Calls(nn.Module):
    """A network whose forward is a function of itself and the input."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.called = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.called(self, x)


def conv(kernel: int = 3, groups: int = 1, dilation: int = 1) -> nn.Module:
    """Build a convolution of four channels to as many, of the same size."""
    return nn.Conv2d(4, 4, kernel, padding=dilation * (kernel // 2), groups=groups, dilation=dilation)


def weight() -> nn.Parameter:
    """Build weights of a 3x3 convolution."""
    return nn.Parameter(torch.zeros(4, 4, 3, 3))


def squeeze_excite(net: Any, x: Tensor) -> Tensor:
    gate = net.b(F.relu(net.a(x.mean((2, 3), keepdim=True))))
    return x * torch.sigmoid(gate)


def in_place(net: Any, x: Tensor) -> Tensor:
    out = net.a(x)
    out += x
    return F.relu(out, inplace=True)


def shuffled(net: Any, x: Tensor) -> Tensor:
    b, c, h, w = x.size()
    one, other = x.reshape(b, c // 2, 2, h, w).permute(2, 0, 1, 3, 4).reshape(2, b, c // 2, h, w).unbind(0)
    return torch.cat([one, net.a(other)], 1)


def halves(net: Any, x: Tensor) -> Tensor:
    x = torch.cat([x[:, :2], x[:, 2:]], 1)
    return net.a(x).flatten(1)


def graph(*chain: str) -> TopologyGraph:
    return TopologyGraph.chain(chain)


def nodes(outputs: list[str], merge: str = "add", **given: tuple[str, list[str]]) -> TopologyGraph:
    return TopologyGraph.from_nodes(dict(given), outputs, merge=merge)


RESIDUAL = nodes(["a", "input"], a=("conv3", ["input"]))
NETWORKS: dict[str, Known] = {
    "kinds of convolutions": Known(
        lambda: nn.Sequential(conv(), conv(1), conv(3, 2), conv(5, 4), conv(3, 1, 2), nn.Conv2d(4, 4, (1, 3))),
        IMAGES,
        graph("conv3", "conv1", "gconv3", "dwconv5", "conv3d2", "conv1x3"),
    ),
    "separable, and what belongs to it": Known(
        lambda: nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(1), nn.Dropout2d(), nn.Identity()),
        IMAGES,
        graph("sepconv3"),
    ),
    "pools": Known(
        lambda: nn.Sequential(nn.MaxPool2d(3, 1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        IMAGES,
        graph("maxpool3", "avgpool2", "globalpool"),
    ),
    "functions": Known(
        lambda: Calls(
            lambda net, x: F.linear(
                F.adaptive_avg_pool2d(F.max_pool2d(F.relu(F.conv2d(x, net.w, padding=1)), 2), 1).flatten(1), net.l
            ),
            w=weight(),
            l=nn.Parameter(torch.zeros(3, 4)),
        ),
        IMAGES,
        graph("conv3", "maxpool2", "globalpool", "linear"),
    ),
    "residual": Known(lambda: Calls(lambda net, x: x + net.a(x), a=conv()), IMAGES, RESIDUAL),
    "residual in place": Known(lambda: Calls(in_place, a=conv()), IMAGES, RESIDUAL),
    "stack and sum": Known(
        lambda: Calls(lambda net, x: torch.sum(torch.stack([net.a(x), net.b(x)]), 0), a=conv(), b=conv(1)),
        IMAGES,
        nodes(["a", "b"], a=("conv3", ["input"]), b=("conv1", ["input"])),
    ),
    "stack of one": Known(
        lambda: Calls(lambda net, x: torch.stack([net.a(x)]).sum(0), a=conv()), IMAGES, graph("conv3")
    ),
    "sum of a list": Known(
        lambda: Calls(lambda net, x: sum([net.a(x), net.b(x), x]), a=conv(), b=conv(1)),
        IMAGES,
        nodes(["a", "b", "input"], a=("conv3", ["input"]), b=("conv1", ["input"])),
    ),
    "zero": Known(
        lambda: Calls(
            lambda net, x: net.b(net.a(x).mul(0.0)) + torch.zeros_like(x) + net.c(x), a=conv(), b=conv(), c=conv(1)
        ),
        IMAGES,
        graph("conv1"),
    ),
    "dead code": Known(
        lambda: Calls(lambda net, x: (net.b(x), net.a(x))[1], a=conv(), b=conv(1)), IMAGES, graph("conv3")
    ),
    "scale and shift": Known(
        lambda: Calls(lambda net, x: 2 * net.a(x) * net.s + net.s - 1, a=conv(), s=nn.Parameter(torch.ones(1))),
        IMAGES,
        graph("conv3"),
    ),
    "twice the same": Known(
        lambda: Calls(lambda net, x: (lambda y: y + y)(net.a(x)), a=conv()),
        IMAGES,
        nodes(["a", "a"], a=("conv3", ["input"])),
    ),
    "squeeze and excite": Known(
        lambda: Calls(squeeze_excite, a=conv(1), b=conv(1)),
        IMAGES,
        nodes(
            ["m"],
            p=("globalpool", ["input"]),
            a=("conv1", ["p"]),
            b=("conv1", ["a"]),
            m=("mul", ["input", "b"]),
        ),
    ),
    "channel shuffle": Known(
        lambda: Calls(shuffled, a=nn.Conv2d(2, 2, 3, padding=1)),
        IMAGES,
        nodes(["a", "input"], "concat", a=("conv3", ["input"])),
    ),
    "halves put together": Known(
        lambda: Calls(halves, a=conv()), IMAGES, nodes(["a"], j=("concat", ["input", "input"]), a=("conv3", ["j"]))
    ),
    "attention and MLP": Known(
        lambda: Calls(
            lambda net, x: (lambda y: y + net.c(F.gelu(net.b(net.n(y)))))(x + net.a(x, x, x, need_weights=False)[0]),
            a=nn.MultiheadAttention(8, 2, batch_first=True),
            b=nn.Linear(8, 16),
            c=nn.Linear(16, 8),
            n=nn.LayerNorm(8),
        ),
        TOKENS,
        nodes(
            ["c", "s"],
            a=("attention", ["input"]),
            s=("add", ["input", "a"]),
            b=("linear", ["s"]),
            c=("linear", ["b"]),
        ),
    ),
    "tokens of its own": Known(
        lambda: Calls(
            lambda net, x: net.a(torch.cat([net.t.expand(x.shape[0], -1, -1), x], 1) + net.t)[:, 0],
            a=nn.Linear(8, 8),
            t=nn.Parameter(torch.zeros(1, 1, 8)),
        ),
        TOKENS,
        graph("linear"),
    ),
    "unknown operations": Known(
        lambda: Calls(lambda net, x: torch.cumsum(net.a(x), 1), a=nn.ConvTranspose2d(4, 4, 3)),
        IMAGES,
        graph("other:convtranspose2d", "other:cumsum"),
    ),
}

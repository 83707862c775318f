"""What the recorder reads, against networks whose topology is known, and that it leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.topology.blocks import topology_of
from nni_strategies.topology.recorded import recorded
from tests.topology.networks import IMAGES, NETWORKS, Calls, conv, graph, nodes


@pytest.mark.parametrize("name", NETWORKS)
def test_known_networks(name: str) -> None:
    known = NETWORKS[name]
    assert topology_of(recorded(known.build(), known.example)).graph == known.graph


def test_code_that_depends_on_values() -> None:
    net = Calls(lambda self, x: self.a(x) if x.sum() > 0 else self.b(x), a=conv(), b=conv(1))
    assert topology_of(recorded(net, IMAGES + 1)).graph == graph("conv3")
    assert topology_of(recorded(net, IMAGES)).graph == graph("conv1")


def test_writing_into_a_tensor() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        out = torch.zeros(1, 4, 8, 8)
        out[:, :2] = self.a(x)[:, :2]
        return self.b(out)

    net = Calls(forward, a=conv(), b=conv(1))
    assert topology_of(recorded(net, IMAGES)).graph == graph("conv3", "other:setitem", "conv1")


def test_an_identity_gives_what_it_got() -> None:
    net = Calls(lambda self, x: self.b(self.a(x)) + x, a=nn.Identity(), b=conv())
    assert topology_of(recorded(net, IMAGES)).graph == nodes(["b", "input"], b=("conv3", ["input"]))


@pytest.mark.parametrize("example", [(IMAGES, IMAGES), {"y": IMAGES, "x": IMAGES}])
def test_several_arguments(example) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = conv()

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.a(x) + y

    assert topology_of(recorded(Two(), example)).graph == nodes(["a", "input"], a=("conv3", ["input"]))


def test_a_network_that_is_run_is_left_as_it_was() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        seen.append(x.device.type)
        return self.n(self.a(x)) * torch.rand(1).item()

    seen: list[str] = []
    net = Calls(forward, a=conv(), n=nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    recorded(net, IMAGES)
    assert seen == ["meta"]
    net.called = lambda self, x: self.n(self.a(x)) * float(x.sum()) * torch.rand(1)
    recorded(net, IMAGES)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert net.training and net.n.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_forward_that_fails_is_refused_and_leaves_no_hooks() -> None:
    net = nn.Sequential(conv(), nn.Linear(3, 3))
    with pytest.raises(TopologyUnreadable, match="Sequential: its forward fails on the example input: mat1"):
        recorded(net, IMAGES)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())

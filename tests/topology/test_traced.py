"""What torch.fx reads, against networks whose topology is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.topology.blocks import topology_of
from nni_strategies.topology.traced import traced
from tests.topology.networks import NETWORKS, Calls, conv, graph


@pytest.mark.parametrize("name", NETWORKS)
def test_known_networks(name: str) -> None:
    assert topology_of(traced(NETWORKS[name].build())).graph == NETWORKS[name].graph


def test_training_mode_is_read_as_evaluation_and_restored() -> None:
    frozen = nn.Sequential(conv(1), nn.ReLU())
    net = Calls(lambda self, x: self.a(x) if self.training else self.b(x), a=conv(), b=frozen)
    net.b.eval()
    assert topology_of(traced(net)).graph == graph("conv1")
    assert net.training and net.a.training and not net.b.training and not net.b[1].training


def test_optional_arguments_have_their_defaults() -> None:
    class Optional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = conv(), conv(1)

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            return self.a(x) if mask is None else self.b(x)

    assert topology_of(traced(Optional())).graph == graph("conv3")


def test_a_size_of_another_tensor_is_no_data() -> None:
    net = Calls(lambda self, x: self.a(x).view(self.b(x).size(0), -1), a=conv(), b=conv(1))
    assert topology_of(traced(net)).graph == graph("conv3")


def test_code_that_depends_on_values_is_refused() -> None:
    net = Calls(lambda self, x: self.a(x) if x.sum() > 0 else x, a=conv())
    with pytest.raises(TopologyUnreadable, match=r"Calls: torch\.fx cannot trace it: .*control flow"):
        traced(net)
    assert torch.is_grad_enabled()

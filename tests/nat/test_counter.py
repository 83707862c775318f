"""Costs are exact: by the papers' figure, by hand, and by the networks whose costs are published."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import Cost, count, count_call, operation_cost

# C = 128, 32x32: MAdds in millions, parameters in thousands
FIGURE = {
    ("conv", 5): (419.4, 409.6),
    ("conv", 3): (151.0, 147.5),
    ("sep", 5): (40.1, 39.2),
    ("sep", 3): (35.9, 35.1),
    ("dil", 5): (20.1, 19.6),
    ("dil", 3): (18.0, 17.5),
    ("conv", 1): (16.8, 16.4),
    ("maxpool", 5): (3.3, 0),
    ("avgpool", 3): (1.2, 0),
    ("skip", 0): (0.1, 0),
    ("null", 0): (0, 0),
}


@pytest.mark.parametrize(("operation", "expected"), FIGURE.items())
def test_the_figure_of_transitions(operation: tuple[str, int], expected: tuple[float, float]):
    cost = operation_cost(*operation, channels=128, height=32, width=32)
    assert (round(cost.madds / 1e6, 1), round(cost.params / 1e3, 1)) == expected


def test_an_unknown_family_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'maxpool'"):
        operation_cost("max_pool", 3, 8, 8, 8)


class Net(nn.Module):
    """All kinds of layers that count, one of them twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3)
        self.up = nn.ConvTranspose2d(6, 2, 2, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.again = nn.Conv2d(2, 2, 1, bias=False)
        self.scales = nn.ParameterList([torch.ones(5)])
        self.auxiliary = nn.Linear(1000, 1000)
        self.head = nn.Linear(2, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.up(self.conv(x))) * self.scales[0][0]
        if self.training:
            self.auxiliary(x.flatten(1))
        return self.head(self.again(self.again(x)).mean((2, 3)))


def test_a_network_by_hand():
    conv = (4 * 4) * 6 * (1 * 9)
    up = (4 * 4) * 6 * 2 * 4
    again = 2 * (8 * 8) * 2 * 2
    params = 6 * 9 + 6 + 6 * 2 * 4 + 2 * 2 + 2 * 2 + 5 + 2 * 10 + 10
    assert count(Net(), (3, 8, 8)) == Cost(conv + up + again + 2 * 10, params)


def test_the_network_stays_as_it_was():
    net = Net().train()
    net.norm.eval()
    weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    count(net, (3, 8, 8))
    assert net.training and not net.norm.training
    assert all(torch.equal(weights[name], tensor) for name, tensor in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_what_is_used_in_two_places_is_one_set_of_weights_and_stays_as_it_was():
    shared = nn.Conv2d(2, 2, 3, padding=1, bias=False)
    first, second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
    second.weight = first.weight
    net = nn.Sequential(shared, first, shared, second)
    kept = shared.weight.clone()
    for _ in range(2):
        assert count(net, (2, 4, 4)) == Cost(16 * (2 * 36 + 2 * 4), 36 + 4 + 2 + 2)
    assert torch.equal(shared.weight, kept) and isinstance(shared.weight, nn.Parameter)
    assert second.weight is first.weight and not first.weight.is_meta


def test_a_network_on_the_meta_device_costs_the_same():
    with torch.device("meta"):
        net = Net()
    assert count(net, (3, 8, 8)) == count(Net(), (3, 8, 8))


def test_one_call_of_a_module_with_two_inputs():
    bilinear = nn.Bilinear(3, 4, 5)
    assert count_call(bilinear, torch.empty(1, 3, device="meta"), torch.empty(1, 4, device="meta")) == (0, 65)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("family", ["conv", "sep", "dil"])
def test_the_closed_forms_are_what_modules_cost(family: str, kernel: int):
    def layer(groups: int, size: int, dilation: int = 1) -> nn.Module:
        return nn.Conv2d(8, 8, size, padding="same", groups=groups, dilation=dilation, bias=False)

    stack = [layer(8, kernel, 2 if family == "dil" else 1), layer(1, 1)]
    module = layer(1, kernel) if family == "conv" else nn.Sequential(*stack * (2 if family == "sep" else 1))
    once = count(module, (8, 6, 7))
    # a stack twice in a sequence is one set of weights
    assert once.madds == operation_cost(family, kernel, 8, 6, 7).madds
    assert once.params * (2 if family == "sep" else 1) == operation_cost(family, kernel, 8, 6, 7).params

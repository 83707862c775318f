"""Two modules have one signature only where they must cost the same."""

from __future__ import annotations

import torch
from torch import nn

from nni_strategies.nat.model_space.signature import shapes, signature


class Strided(nn.Module):
    """A setting that no part and no parameter shows."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride


class Called(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


def test_weights_and_mode_do_not_matter():
    first, second = (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)) for _ in range(2))
    second.eval()
    second[0].register_forward_hook(lambda *_: None)
    assert signature(first) == signature(second)


def test_settings_do():
    convolutions = [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2), nn.Conv1d(4, 4, 3)]
    assert len({signature(module) for module in convolutions}) == 4
    assert signature(Strided(1)) != signature(Strided(2))
    assert signature(Strided(1)) != signature(Strided(True))


def test_what_a_function_does_is_not_known():
    assert signature(Called()) != signature(Called())


def test_weights_that_are_shared_cost_once():
    layer = nn.Linear(3, 3)
    assert signature(nn.Sequential(layer, layer)) != signature(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))


def test_shapes_of_nested_inputs():
    assert shapes((torch.empty(1, 2), [torch.empty(3)])) == shapes((torch.zeros(1, 2), [torch.zeros(3)]))
    assert shapes((torch.empty(1, 2),)) != shapes((torch.empty(2, 1),))

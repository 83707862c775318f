"""How much memory inference takes, on networks small enough to count by hand."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nni_strategies.rsa.footprint import bytes_per_stimulus
from tests.rsa.networks import Net

EXAMPLE = torch.rand(2, 1, 8, 8)
MAP = 4 * 8 * 8  # bytes of one channel


def test_a_chain_has_what_is_read_what_is_given_and_one_more():
    wide = nn.Sequential(nn.Conv2d(1, 6, 1), nn.Conv2d(6, 10, 1), nn.Conv2d(10, 6, 1), nn.Flatten(), nn.Linear(384, 3))
    assert bytes_per_stimulus(wide, EXAMPLE) == (1 + 6 + 10 + 10) * MAP  # the image, too
    narrow = nn.Sequential(nn.Conv2d(1, 6, 1), nn.Conv2d(6, 2, 1))
    assert bytes_per_stimulus(narrow, EXAMPLE) == (1 + 6 + 2 + 6) * MAP


class Branches(nn.Module):
    """Keeps the outputs of all its parts until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Conv2d(1, 4, 1) for _ in range(5))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.relu(part(x)) for part in self.parts]).sum(dim=0)


def test_what_is_kept_for_later_counts_once():
    assert bytes_per_stimulus(Branches(), EXAMPLE) == (1 + 5 * 4 + 4) * MAP


def test_a_piece_of_a_larger_tensor_counts_as_itself():
    model, many = Branches(), torch.rand(1000, 1, 8, 8)
    assert bytes_per_stimulus(model, many[:2]) == bytes_per_stimulus(model, EXAMPLE)


def test_the_model_is_left_as_it_was():
    model = Net()
    state = copy.deepcopy(model.state_dict())
    bytes_per_stimulus(model, EXAMPLE)
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())

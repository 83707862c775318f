"""What is found in networks whose layers are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.layers import LayerInfo, activation, discover_layers, late_layers
from nni_strategies.rsa.taps import layer_grams
from tests.rsa.networks import Cells, Net, Twice

IMAGES = torch.rand(4, 1, 8, 8)


def names(model, example=IMAGES, **options):
    return [layer.name for layer in discover_layers(model, example, **options)]


def test_blocks_ends_of_a_size_and_the_features_however_pooled():
    assert names(Net()) == ["blocks.0", "blocks.1", "blocks.2", "head:input"]
    layers = discover_layers(Net(), IMAGES)
    assert [layer.shape for layer in layers] == [(6, 8, 8), (12, 4, 4), (12, 4, 4), (12,)]
    assert [layer.type for layer in layers] == ["Block", "Block", "Block", "Linear"]
    assert [layer.n_features for layer in layers] == [384, 192, 192, 12]
    assert [layer.order for layer in layers] == sorted(layer.order for layer in layers)


def test_late_is_the_last_size_and_what_follows():
    assert [layer.name for layer in late_layers(discover_layers(Net(), IMAGES))] == [
        "blocks.1", "blocks.2", "head:input",
    ]  # fmt: skip
    flat = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    assert [layer.name for layer in late_layers(discover_layers(flat, torch.rand(4, 5)))] == ["2", "3"]


def test_a_network_without_structure_is_looked_at_layer_by_layer():
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert names(model, torch.rand(4, 5)) == ["0", "3", "4"]  # not the logits; what they are made of


def test_of_a_layer_that_runs_twice_the_last_run_counts():
    layers = discover_layers(Twice(), torch.rand(4, 8), "all")
    assert [(layer.name, layer.run) for layer in layers] == [("first", 1), ("shared", 2)]


def test_what_a_cell_only_hands_on_is_not_its_activation():
    assert names(Cells(), torch.rand(4, 4, 6, 6)) == ["cells.0", "cells.1", "pool"]
    x, y = torch.rand(2), torch.rand(2)
    assert activation((x,), (x, y)) is y
    assert activation((x,), [x]) is x
    assert activation((x,), {"a": None, "b": y}) is y
    assert activation((x,), "text") is None


def test_names_and_expressions():
    model = Net()
    assert names(model, policy=["blocks.2", "stem.0"]) == ["stem.0", "blocks.2"]
    assert names(model, policy=r"blocks\.\d") == ["blocks.0", "blocks.1", "blocks.2"]
    assert set(names(model)) < set(names(model, policy="all"))
    assert "head" not in names(model, policy="all")
    with pytest.raises(InvalidArgument, match=r"layers = .blocks.3.: .*did you mean 'blocks.2'"):
        names(model, policy=["blocks.3"])
    with pytest.raises(InvalidArgument, match="matching one of"):
        names(model, policy="block")
    with pytest.raises(InvalidArgument, match="regular expression"):
        names(model, policy="(")
    with pytest.raises(InvalidArgument, match="gives a float tensor"):
        names(nn.Sequential(nn.Flatten()))


def test_many_are_thinned_evenly_and_the_last_is_kept():
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, 1, 1) for _ in range(30)))
    model.add_module("head", nn.Sequential(nn.Flatten(), nn.Linear(64, 2)))
    found = names(model, max_layers=5)
    assert len(found) == 5
    assert found[0] == "0"
    assert found[-1] == "29"


class Transformer(nn.Module):
    """Patches, a class token, an encoder that gives what its last block gives."""

    def __init__(self, n_blocks: int = 4) -> None:
        super().__init__()
        self.patch, self.token = nn.Conv2d(1, 16, 2, 2), nn.Parameter(torch.zeros(1, 1, 16))
        block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder, self.norm = nn.TransformerEncoder(block, n_blocks), nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.head(self.norm(self.encoder(x))[:, 0])


def test_an_encoder_leaves_its_last_block_its_place():
    blocks = [f"encoder.layers.{i}" for i in range(4)]
    layers = discover_layers(Transformer(), IMAGES)
    assert [layer.name for layer in layers] == ["patch", *blocks, "norm", "head:input"]
    assert [layer.spatial for layer in layers] == [(4, 4), *[(17,)] * 5, ()]


def test_late_of_as_many_tokens_all_the_way_is_the_last_quarter():
    late = late_layers(discover_layers(Transformer(), IMAGES))
    assert [layer.name for layer in late] == ["encoder.layers.3", "norm", "head:input"]
    late = late_layers(discover_layers(Transformer(11), IMAGES, max_layers=20))
    assert [layer.name for layer in late] == ["encoder.layers.9", "encoder.layers.10", "norm", "head:input"]


def test_late_of_tokens_that_get_fewer_is_the_last_size():
    shapes = [(8, 8, 16), (8, 8, 16), (4, 4, 32), (4, 4, 32)]
    layers = [LayerInfo(str(i), "Block", shape, i, 1, True) for i, shape in enumerate(shapes)]
    assert [layer.name for layer in late_layers([*layers, LayerInfo("f", "Linear", (32,), 4)])] == ["2", "3", "f"]


def test_signals_over_time_have_their_features_first():
    model = nn.Sequential(nn.Conv1d(2, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(5, 3))
    layers = discover_layers(model, torch.rand(4, 2, 9), "all")
    assert [layer.spatial for layer in layers[:2]] == [(7,), (7,)]


class Named(nn.Module):
    """Calls its layers by the names of their inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(input=self.conv(input=x).mean(dim=(2, 3)))


def test_inputs_may_be_given_by_name():
    layers = discover_layers(Named(), IMAGES)
    assert [layer.name for layer in layers] == ["conv", "head:input"]
    assert layer_grams(Named(), IMAGES, layers).grams.keys() == {"conv", "head:input"}

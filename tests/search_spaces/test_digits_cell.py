"""The digits cell: its space, its networks, their size in closed form."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_strategies.errors import InvalidConfiguration
from nni_strategies.space.from_json import space_from_json
from nni_strategies.topology.cells import cells_of
from search_spaces.digits_cell import EDGES, INPUT_SHAPE, LABELS, OPERATIONS, Cell, DigitsNet, search_space
from trial_code.measure import count

configurations = st.fixed_dictionaries({label: st.sampled_from(OPERATIONS) for label in LABELS})


def everywhere(name: str, **others: str) -> dict[str, str]:
    return {**dict.fromkeys(LABELS, name), **{f"cell.{edge}": value for edge, value in others.items()}}


def test_the_space_is_that_of_nas_bench_201():
    space = space_from_json(search_space())
    assert space.size == 5**6 == 15_625
    assert space.labels == LABELS
    assert sorted(EDGES) == [(i, j) for i, j in itertools.combinations(range(4), 2)]


@pytest.mark.parametrize("name", ["config.yml", "remote.yml"])
def test_the_quick_start_searches_this_space(checkout: Path, name: str):
    config = yaml.safe_load((checkout / "experiments" / "quickstart" / name).read_text())
    assert config["searchSpace"] == search_space()


@settings(max_examples=25, deadline=None)
@given(configurations)
def test_params_and_madds_are_the_closed_forms(configuration: dict[str, str]):
    # a k x k convolution over c channels at h x h: c*c*k*k weights, 2c for its batch norm, h*h times the weights
    kernels = [{"nor_conv_1x1": 1, "nor_conv_3x3": 3}.get(name) for name in configuration.values()]
    params = (9 * 8 + 16) + (8 * 16 + 32) + 32 + (16 * 10 + 10)  # stem, halving, last norm, classifier
    madds = 64 * 9 * 8 + 16 * 8 * 16 + 16 * 10
    for k in filter(None, kernels):
        params += (8 * 8 * k * k + 16) + (16 * 16 * k * k + 32)
        madds += 64 * 8 * 8 * k * k + 16 * 16 * 16 * k * k
    network = DigitsNet(configuration)
    assert sum(weight.numel() for weight in network.parameters()) == params
    assert count(network.eval(), torch.zeros(1, *INPUT_SHAPE))[1] == madds


@pytest.mark.parametrize(
    ("configuration", "factor"),
    [
        (everywhere("none"), 0),
        (everywhere("none", edge_0_3="skip_connect"), 1),
        # with only skips a node holds the sum of all before it: 1, 1, 2, 4
        (everywhere("skip_connect"), 4),
        (everywhere("skip_connect", edge_2_3="none"), 2),
        (everywhere("none", edge_1_3="skip_connect", edge_2_3="skip_connect"), 0),
    ],
)
def test_a_cell_of_skips_multiplies(configuration: dict[str, str], factor: int):
    image = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Cell(configuration, 3)(image), factor * image)


def test_pooling_averages_what_is_inside():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    pooled = Cell(everywhere("none", edge_0_3="avg_pool_3x3"), 1)(image)
    assert pooled[0, 0, 0, 0] == np.mean([0, 1, 4, 5])  # a corner has four neighbours, no padding among them
    assert pooled[0, 0, 1, 1] == 5


def test_every_configuration_is_drawn_from_its_labels():
    assert list(cells_of(everywhere("nor_conv_3x3"))) == ["cell"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cell.edge_0_1": "conv_3x3"}, "nor_conv_3x3"),
        ({"cell.edge_0_1": None}, "cell.edge_0_1"),
        ({"cell.edge_03": "none"}, "cell.edge_0_3"),
        ({"cell.edge_2_3": 7}, "one of none"),
    ],
)
def test_what_is_not_of_the_space_is_refused(change: dict[str, object], named: str):
    with pytest.raises(InvalidConfiguration, match=named):
        DigitsNet({**everywhere("none"), **change})

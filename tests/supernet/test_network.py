"""A supernet's path is the stand-alone network with the same weights, for every kind of choice."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import pytest
import torch
from nni.nas.hub import pytorch as hub
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from nni.nas.oneshot.pytorch.strategy import RandomOneShot
from nni.nas.oneshot.pytorch.supermodule.operation import MixedOperation
from nni.nas.space import model_context
from torch import nn

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.space.from_nni import space_from_model_space
from nni_strategies.supernet.network import Supernet
from search_spaces.digits_cell import LABELS, OPERATIONS
from search_spaces.digits_cell_nas import DigitsCellSpace
from search_spaces.layered_conv_nas import LayeredConvSpace
from tests.hub_spaces import HUB
from tests.supernet.spaces import Chain, Choosy, Looser, Nested, Normed, Plain, inherit

CIFAR = {"width": 4, "num_cells": 3, "dataset": "cifar"}


def widened(**arguments: Any) -> ModelSpace:
    """NNI's DARTS space with the operation ``none``."""
    return NDS(["none", *hub.DARTS.DARTS_OPS], num_nodes_per_cell=4, **{**CIFAR, **arguments})


def draws(supernet: Supernet, n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [supernet.space.sample(rng) for _ in range(n)]


NESTED = [partial(Nested, reduction) for reduction in ("sum", "mean", "concat")]


@pytest.mark.parametrize("make", [DigitsCellSpace, Chain, Choosy, *NESTED, Normed, Plain])
def test_a_path_is_the_frozen_network(make: Any):
    supernet = Supernet.built(make)
    images = torch.randn(3, 1, 8, 8)
    supernet.network.eval()
    stock = RandomOneShot().mutate_model(make())  # NNI's own keeps all its weights when it is frozen
    stock.load_state_dict(supernet.network.state_dict())
    found = []
    for configuration in draws(supernet, 12):
        frozen = stock.freeze(supernet.view.sample(configuration)).eval()
        logits = supernet.set(configuration)(images)
        assert torch.equal(logits, frozen(images))
        assert torch.equal(logits, supernet(images))
        found.append(logits)
    assert any(not torch.equal(a, b) for a, b in itertools.pairwise(found))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [lambda: hub.DARTS(**CIFAR), widened])
def test_a_path_of_cells_is_the_stand_alone_network(make: Any):
    supernet = Supernet.built(make)
    supernet.network.eval()
    images = torch.randn(2, 3, 16, 16)
    for configuration in draws(supernet, 2):
        sample = supernet.view.sample(configuration)
        with model_context(sample):
            alone = make().eval()
        inherit(alone, supernet.network, sample)
        assert torch.allclose(supernet.set(configuration)(images), alone(images), atol=1e-5)


def test_layers_without_choices_stay_what_they_are():
    supernet = Supernet(hub.DARTS(**CIFAR))
    assert not [module for module in supernet.network.modules() if isinstance(module, MixedOperation)]


def test_loose_ends_are_those_of_the_stand_alone_cell():
    supernet = Supernet.built(Looser)
    images = torch.randn(2, 1, 5, 5)
    read = set()
    for configuration in draws(supernet, 6):
        sample = supernet.view.sample(configuration)
        with model_context(sample):
            alone = Looser().eval()
        kept = [2 * (i - 2) + k for i in alone.cell.output_node_indices for k in (0, 1)]
        read.add(len(kept))
        inherit_all_but(alone, supernet.network, sample, kept)
        assert torch.allclose(supernet.set(configuration)(images), alone(images), atol=1e-6)
    assert read == {2, 4, 6} or read == {2, 4}


def inherit_all_but(alone: nn.Module, shared: nn.Module, sample: dict[str, Any], kept: list[int]) -> None:
    """Inherit, the last layer's columns being those of the nodes that the stand-alone cell outputs."""
    alone.classifier = nn.Linear(6, 3)
    inherit(alone, shared, sample)
    classifier = nn.Linear(len(kept), 3)
    classifier.weight.data, classifier.bias.data = alone.classifier.weight.data[:, kept], alone.classifier.bias.data
    alone.classifier = classifier


@pytest.mark.timeout(120)
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HUB if name not in ("NasBench101", "AutoFormer")])
def test_every_space_of_the_hub_is_a_supernet(name: str):
    supernet = Supernet(getattr(hub, name)(**HUB[name]))
    size = 16 if "dataset" in HUB[name] or name == "NasBench201" else 64
    supernet.network.eval()
    for configuration in draws(supernet, 2):
        assert supernet.set(configuration)(torch.zeros(2, 3, size, size)).isfinite().all()


def test_the_space_is_that_of_the_model_space_and_the_seed_draws_the_weights():
    space = space_from_model_space(DigitsCellSpace())
    before = torch.get_rng_state()
    one, same, other = (Supernet.built(DigitsCellSpace, seed) for seed in (0, 0, 1))
    assert one.space.hash == space.hash
    weights = [net.network.stem[0].weight for net in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.get_rng_state())
    for seed in (-1, 2**70, True):
        with pytest.raises(InvalidArgument, match=r"^seed = "):
            Supernet.built(DigitsCellSpace, seed)


def test_no_gpu_is_seeded_that_is_not_in_use(monkeypatch: pytest.MonkeyPatch):
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)  # by torch.manual_seed
    Supernet.built(Chain)
    assert seeds == []


def test_a_depth_of_none_is_the_input():
    supernet = Supernet.built(Normed)
    supernet.network.eval()
    images = torch.randn(3, 1, 8, 8)
    logits = supernet.set({"width": 2, "kernel": 3, "depth": 0})(images)
    network: Any = supernet.network
    assert torch.equal(logits, network.classifier(network.wide(network.norm(network.stem(images))).mean((2, 3))))


def test_what_is_not_of_the_space_is_refused():
    supernet = Supernet(DigitsCellSpace())
    good = dict.fromkeys(LABELS, "skip_connect")
    with pytest.raises(InvalidConfiguration, match=r"cell\.edge_0_9.*did you mean 'cell\.edge_0_"):
        supernet.set({**good, "cell.edge_0_9": "none"})
    with pytest.raises(InvalidConfiguration, match=r"nor_conv_5x5.*did you mean 'nor_conv_"):
        supernet.set({**good, LABELS[0]: "nor_conv_5x5"})
    with pytest.raises(InvalidConfiguration, match=r"cell\.edge_2_3.*missing"):
        supernet.set(dict.fromkeys(LABELS[:-1], "none"))
    assert supernet.configuration is None
    with pytest.raises(InvalidArgument, match="set"):
        supernet(torch.zeros(1, 1, 8, 8))
    supernet.set(good)
    assert supernet.configuration == good


class Dangling(ModelSpace):
    """A choice that decides nothing, in the root, where NNI does not look."""

    def __init__(self) -> None:
        super().__init__()
        import nni

        self.choice = LayerChoice({name: nn.Identity() for name in OPERATIONS}, label="edge")
        self.add_mutable(nni.choice("rate", [1, 2]))


class Twice(Chain):
    """A choice under two names, of which NNI finds the first."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.named


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nn.Linear(1, 1), "a model space"),
        (Dangling, "'rate'"),
        (LayeredConvSpace, "layer"),
        (Twice, "again"),
        (lambda: hub.NasBench101(**HUB["NasBench101"]), "NasBench101Cell"),
    ],
)
def test_a_space_that_shares_no_weights_is_refused(make: Any, told: str):
    with pytest.raises(InvalidArgument, match=told):
        Supernet(make())

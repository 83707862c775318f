"""Handcrafted networks are the published ones, and can be transformed, trained with shared weights and frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.nn.pytorch import model_context
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from nni.nas.strategy import RandomOneShot
from torchvision import models

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import count
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.liveness import live_edges
from nni_strategies.nat.model_space import MeasuredCosts, classes_of_modules, edges_of_model_space
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.from_nni import space_from_model_space
from search_spaces.handcrafted import HandcraftedNet, configuration
from search_spaces.handcrafted_blocks import CIFAR_ONLY, NAMES
from search_spaces.handcrafted_operations import CHOICES, Skip, Zero, choices, operation

HALVES_ONLY = ("max_pool_2x2", 1)  # its window has no middle


def published(name: str, dataset: Any = "cifar", device: str = "cpu", **kwargs: Any) -> torch.nn.Module:
    with torch.device(device), model_context(configuration(name, dataset, **kwargs)):
        return HandcraftedNet(name, dataset, **kwargs)


# the published networks


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "dataset", "parameters"),
    [
        ("resnet20", "cifar", 269_722),  # 0.27 M and 0.85 M in the paper
        ("resnet56", "cifar", 853_018),
        ("vgg16", "cifar", 15_249_354),
        ("resnet18", "imagenet", 11_689_512),
        ("resnet50", "imagenet", 25_557_032),
        ("mobilenetv2", "imagenet", 3_504_872),
        ("shufflenetv2", "imagenet", 2_278_604),
    ],
)
def test_parameters_are_those_published(name: str, dataset: Any, parameters: int):
    side = 32 if dataset == "cifar" else 224
    assert count(published(name, dataset, "meta"), (3, side, side)).params == parameters


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "madds"),
    [("resnet20", 40_551_040), ("resnet56", 125_485_696)],  # 41 M and 126 M
)
def test_multiply_adds_are_those_published(name: str, madds: int):
    assert count(published(name, device="meta"), (3, 32, 32)).madds == madds


@pytest.mark.timeout(60)
def test_vgg16_is_torchvisions_but_for_the_biases_before_batch_norm():
    with torch.device("meta"):
        other = models.vgg16_bn()
    biases = sum(m.bias.numel() for m in other.modules() if isinstance(m, torch.nn.Conv2d) and m.bias is not None)
    ours = published("vgg16", "imagenet", "meta")
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in other.parameters()) - biases
    assert count(ours, (3, 224, 224)).madds == count(other, (3, 224, 224)).madds


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("resnet18", models.resnet18),
        ("resnet50", models.resnet50),
        ("mobilenetv2", models.mobilenet_v2),
        ("shufflenetv2", models.shufflenet_v2_x1_0),
    ],
)
def test_with_the_same_weights_it_computes_the_same(name: str, build: Any):
    torch.manual_seed(0)
    other = build().train()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        other(images)  # statistics of batch norm that are no zeros and ones
        other.eval()
        ours = published(name, "imagenet").eval()
        theirs = other.state_dict()
        ours.load_state_dict(dict(zip(ours.state_dict(), theirs.values(), strict=True)))
        expected = other(images)
        assert expected.abs().max() > 0
        assert torch.equal(ours(images), expected)


# as a space


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_published_network_is_a_point_of_its_space(name: str, shared: bool):
    space = space_from_model_space(HandcraftedNet(name, shared=shared))
    original = configuration(name, shared=shared)
    space.validate(original)
    assert set(space.labels) == set(original)
    view = edge_view(space)
    assert view.n_edges == len(original)
    assert {(cell.n_inputs, cell.outputs) for cell in view.cells} == {(2, (cell.n_nodes - 1,)) for cell in view.cells}


def test_every_edge_may_be_cut_and_skipped():
    assert all({"none", "skip_connect"} <= set(choices(name)) for name in CHOICES)
    assert all(choices(name)[0] == name for name in CHOICES)
    space = space_from_model_space(HandcraftedNet("vgg16"))
    assert space["block_1/0_2"].choices == ("none", "skip_connect")  # type: ignore[attr-defined]


def test_blocks_of_one_kind_share_their_choices():
    labels = {label.partition("/")[0] for label in configuration("resnet56", shared=True)}
    assert labels == {"kind_1", "kind_2"}  # blocks that halve are another kind
    assert len({label.partition("/")[0] for label in configuration("resnet56")}) == 27


def test_all_that_a_plain_network_has_is_live():
    view = edge_view(space_from_model_space(HandcraftedNet("vgg16")))
    edges = edges_of_model_space(HandcraftedNet("vgg16"))
    assert edges.view.edges == view.edges
    original = view.encode([configuration("vgg16")])
    live = live_edges(view, classes_of_modules(edges), original)[0]
    assert [edge.label for edge, on in zip(view.edges, live, strict=True) if not on] == [
        label for label, name in configuration("vgg16").items() if name == "none"
    ]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2", "vgg16", "shufflenetv2"])
def test_a_null_becomes_a_shortcut_for_nothing(name: str):
    edges = edges_of_model_space(HandcraftedNet(name))
    costs = MeasuredCosts(edges, (3, 32, 32))
    view = edges.view
    original = view.encode([configuration(name)])
    transitions = Transitions(view, classes_of_modules(edges), costs, "nat")
    none, skip = view.operations.index("none"), view.operations.index("skip_connect")
    allowed = transitions.allowed(original)[0]
    padding = original.operations[0] == none
    assert padding.sum() >= 17
    assert allowed[padding, skip].all()
    # and every operation may be skipped, halving or not: no skip has a price
    assert allowed[:, skip].all()
    shortcuts = original.replaced(np.where(padding, skip, original.operations))
    assert (costs.total(shortcuts) == costs.total(original)).all()
    assert costs.agrees(shortcuts).all()
    with model_context(view.decode(shortcuts)[0]):
        network = HandcraftedNet(name)
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_paths_of_one_supernet_are_what_is_frozen():
    space = HandcraftedNet("resnet20", shared=True)
    configurations = [configuration("resnet20", shared=True), space_sample(space)]
    supernet = RandomOneShot().mutate_model(space)
    images = torch.randn(2, 3, 32, 32)
    for chosen in configurations:
        for module in supernet.modules():
            if isinstance(module, BaseSuperNetModule):
                module.resample(memo=dict(chosen))
        supernet.zero_grad()
        loss = supernet(images).square().sum()
        loss.backward()
        assert torch.isfinite(loss)
        trained = sum(p.numel() for p in supernet.parameters() if p.grad is not None and p.grad.any())
        with torch.device("meta"), model_context(dict(chosen)):
            frozen = HandcraftedNet("resnet20", shared=True)
        assert trained <= count(frozen, (3, 32, 32)).params
    assert trained > 0


def space_sample(space: Any) -> dict[str, Any]:
    edges = edges_of_model_space(space)
    transitions = Transitions(edges.view, classes_of_modules(edges), MeasuredCosts(edges, (3, 32, 32)))
    return edges.view.decode(transitions.inputs(np.random.default_rng(0), 1))[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet2",), "did you mean 'resnet20'"),
        (("resnet18", "cifar10"), "did you mean 'cifar'"),
        *(((name, "imagenet"), "a network for CIFAR-10") for name in CIFAR_ONLY),
    ],
)
def test_unknown_networks_are_refused(arguments: Any, message: str):
    with pytest.raises(InvalidArgument, match=message):
        HandcraftedNet(*arguments)
    with pytest.raises(InvalidArgument, match=message):
        configuration(*arguments)


# operations


@pytest.mark.parametrize(
    ("name", "stride"), [(name, stride) for name in CHOICES for stride in (1, 2, 4) if (name, stride) != HALVES_ONLY]
)
@pytest.mark.parametrize(("n_in", "n_out"), [(4, 4), (4, 12), (12, 4)])
def test_all_choices_of_an_edge_have_one_shape(name: str, stride: int, n_in: int, n_out: int):
    features = torch.randn(2, n_in, 16, 16)
    assert {operation(each, n_in, n_out, stride)(features).shape for each in choices(name)} == {
        (2, n_out, 16 // stride, 16 // stride)
    }


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("side", [7, 9, 15])
def test_odd_sides_are_rounded_up_alike(name: str, side: int):
    features = torch.randn(1, 4, side, side)
    assert len({operation(each, 4, 4, 2)(features).shape for each in choices(name)}) == 1


def test_a_skip_pads_with_zeros_or_drops():
    features = torch.randn(1, 4, 2, 2)
    wide = Skip(4, 6, 1)(features)
    assert torch.equal(wide[:, :4], features)
    assert not wide[:, 4:].any()
    assert torch.equal(Skip(4, 3, 1)(features), features[:, :3])
    assert torch.equal(Skip(4, 4, 2)(features), features[:, :, ::2, ::2])
    assert not list(Skip(4, 6, 2).parameters())


def test_halves_are_split_and_put_together_by_skips():
    features = torch.randn(1, 6, 2, 2)
    left, right = Skip(6, 3, 1)(features), Skip(6, 3, 1, take=3)(features)
    assert torch.equal(torch.cat([left, right], dim=1), features)
    assert torch.equal(Skip(3, 6, 1)(left) + Skip(3, 6, 1, put=3)(right), features)


def test_a_skip_of_other_channels_does_not_run():
    with pytest.raises(RuntimeError):
        Skip(6, 3, 1, take=3)(torch.randn(1, 5, 2, 2))


def test_zero_passes_nothing_on():
    out = Zero(5, 2)(torch.randn(1, 3, 4, 4))
    assert out.shape == (1, 5, 2, 2)
    assert not out.any()

"""Labels that a network does not use: each network is one configuration, and each configuration another network."""

from __future__ import annotations

import re
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, MutableLinear, Repeat
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace
from torch import nn

from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.parameters import Condition
from tests.hub_spaces import build

pytestmark = pytest.mark.timeout(60)


def layer(label: str, n: int = 2) -> LayerChoice:
    return LayerChoice({f"width{i}": nn.Linear(1, i + 1) for i in range(n)}, label=label)


class Chain(ModelSpace):
    """One to three layers, each of two kinds: 2 + 4 + 8 networks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Repeat(lambda i: layer(f"layer{i}"), (1, 3), label="depth")


class Nested(ModelSpace):
    """No, one or two stages of one or two layers of two kinds: 1 + 6 + 36 networks."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = Repeat(
            lambda s: Repeat(lambda i: layer(f"s{s}.layer{i}"), (1, 2), label=f"s{s}.depth"), (0, 2), label="stages"
        )


class Branches(ModelSpace):
    """A layer of one of three widths, or one of two kinds of two layers: 3 + 4 + 1 networks."""

    def __init__(self) -> None:
        super().__init__()
        wide = MutableLinear(1, nni.choice("width", [2, 3, 4]))
        self.op = LayerChoice(
            {"wide": wide, "deep": nn.Sequential(layer("first"), layer("second")), "none": nn.Identity()}, label="op"
        )


class Shared(ModelSpace):
    """Two labels that are always used, though also inside of a `Repeat`: 2 x 3 x 2 x 2 networks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Repeat(layer("same", 3), (1, 2), label="depth")
        self.more = Repeat(lambda i: layer("outside"), (0, 1), label="more")
        self.last = layer("outside")


class TwoChoices(ModelSpace):
    """A label below the same candidate of two choices of one label: used with it. 2 + 1 networks."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(2):
            setattr(self, f"op{i}", LayerChoice({"a": layer("kind"), "b": nn.Identity()}, label="op"))


class Computed(ModelSpace):
    """Depth is twice a choice of one or two: 4 + 16 networks."""

    def __init__(self) -> None:
        super().__init__()
        half = nni.choice("half", [1, 2])
        self.blocks = Repeat(lambda i: layer(f"layer{i}"), half * 2)


@pytest.mark.parametrize(
    ("kind", "n_networks"),
    [(Chain, 14), (Nested, 43), (Branches, 8), (Shared, 24), (TwoChoices, 3), (Computed, 20)],
)
def test_networks_and_configurations_are_one_to_one(kind: type[ModelSpace], n_networks: int) -> None:
    model_space = kind()
    view = ModelSpaceView(model_space)
    configurations = list(view.space.enumerate())
    assert len(configurations) == view.space.size == n_networks
    networks = set()
    for configuration in configurations:
        sample = view.sample(configuration)
        assert sample.keys() == model_space.simplify().keys()  # NNI wants all of them
        assert view.configuration(sample) == configuration
        networks.add(repr(model_space.freeze(sample)))
    assert len(networks) == n_networks


def test_what_is_not_used_does_not_count() -> None:
    view = ModelSpaceView(Chain())
    sample = {"depth": 1, "layer0": "width1", "layer1": "width0", "layer2": "width0"}
    assert view.configuration(sample) == {"depth": 1, "layer0": "width1"}
    assert view.configuration({**sample, "layer2": "width1"}) == view.configuration(sample)


@pytest.mark.parametrize("kind", [Chain, Branches])
def test_every_format_of_a_model_space_is_the_same_space(kind: type[ModelSpace]) -> None:
    model_space = nni.trace(kind)()
    spaces: list[Any] = [model_space, RawFormatModelSpace(model_space, None)]
    spaces.append(SimplifiedModelSpace.from_model(model_space))
    assert len({ModelSpaceView(space).space.hash for space in spaces}) == 1


def test_the_hubs_spaces() -> None:
    assert build("ProxylessNAS")[1].space.size == 6 * sum(6**depth for depth in range(1, 5)) ** 5
    for parameter in build("MobileNetV3Space")[1].space.parameters:
        block = re.match(r"(s\d)_i(\d)", parameter.label)
        if block is None or block[2] == "0":
            assert parameter.condition is None
        else:
            assert parameter.condition == Condition(f"{block[1]}_depth", tuple(range(int(block[2]) + 1, 5)))

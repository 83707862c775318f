"""What a module is, is asked of the module; its name only where that says nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.model_space import classes_of_modules, edges_of_model_space
from nni_strategies.nat.model_space.classes import class_of_module
from nni_strategies.nat.operation_classes import NULL, OPERATION, SKIP
from tests.hub_spaces import build
from tests.nat.model_space.spaces import Halving, Strided

# isort: split
from nni.nas.hub.pytorch.nasbench201 import OPS_WITH_STRIDE
from nni.nas.hub.pytorch.nasnet import OPS

HUB = {
    "none": (NULL, "null", 0),
    "skip_connect": (SKIP, "skip", 0),
    "avg_pool_2x2": (OPERATION, "avgpool", 2),
    "avg_pool_5x5": (OPERATION, "avgpool", 5),
    "max_pool_3x3": (OPERATION, "maxpool", 3),
    "conv_1x1": (OPERATION, "conv", 1),
    "conv_3x3": (OPERATION, "conv", 3),
    "conv_7x1_1x7": (OPERATION, "conv", 7),
    "sep_conv_5x5": (OPERATION, "sep", 5),
    "dil_conv_3x3": (OPERATION, "dil", 3),
    "dil_sep_conv_3x3": (OPERATION, "dil", 3),
}


class Zero(nn.Module):
    """Called so without being it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


class Passing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1.0


class Projected(nn.Module):
    """A null that has a parameter it does not need."""

    is_zero = True

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class Squared(nn.Module):
    """Neither convolution nor pooling, and wants another input than a picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(7, 7)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", HUB)
def test_operations_of_the_hub_are_known_without_their_names(name: str, stride: int):
    assert class_of_module(OPS[name](8, stride, True)) == HUB[name]


def test_operations_of_nas_bench_201_that_change_the_channels():
    found = {name: class_of_module(OPS_WITH_STRIDE[name](8, 16, 2)) for name in OPS_WITH_STRIDE}
    assert found == {
        "none": (NULL, "null", 0),
        "avg_pool_3x3": (OPERATION, "avgpool", 3),
        "max_pool_3x3": (OPERATION, "maxpool", 3),
        "conv_3x3": (OPERATION, "conv", 3),
        "conv_1x1": (OPERATION, "conv", 1),
        "skip_connect": (SKIP, "skip", 0),
    }


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        (Zero(), "none", (OPERATION, "other", 0)),  # what it does goes before what it is called
        (Halving(), "3", (NULL, "null", 0)),
        (Projected(), "0", (NULL, "null", 0)),
        (Passing(), "1", (SKIP, "skip", 0)),
        (nn.Dropout(0.3), "2", (SKIP, "skip", 0)),
        (nn.Sequential(OPS["sep_conv_3x3"](8, 1, True), nn.Dropout()), "", (OPERATION, "sep", 3)),
        (nn.Sequential(nn.Identity(), nn.Dropout()), "", (SKIP, "skip", 0)),
        (nn.ReLU(), "", (OPERATION, "other", 0)),
        (nn.Linear(4, 4), "conv_3x3", (OPERATION, "conv", 3)),  # nothing to go by but the name
        (Squared(), "none", (NULL, "null", 0)),
        (nn.Conv2d(8, 8, 3, groups=2), "", (OPERATION, "other", 3)),
        (nn.Conv1d(4, 8, 5), "", (OPERATION, "conv", 5)),
        (nn.MaxPool1d(3), "", (OPERATION, "maxpool", 3)),
    ],
)
def test_modules_of_all_kinds(module: nn.Module, name: str, expected: tuple[int, str, int]):
    assert class_of_module(module, name) == expected


def test_a_module_on_the_meta_device_is_taken_by_its_name():
    with torch.device("meta"):
        assert class_of_module(Projected(), "none").role == NULL
        assert class_of_module(nn.Conv2d(3, 3, 3), "0") == (OPERATION, "conv", 3)


def test_the_mode_and_the_generator_stay_as_they_were():
    module = nn.Sequential(nn.Dropout(), nn.Identity()).train()
    module[1].eval()
    state = torch.get_rng_state()
    class_of_module(module)
    assert [part.training for part in module.modules()] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_list_built_space_is_classified_and_the_users_word_goes_first():
    edges = edges_of_model_space(Strided())
    assert classes_of_modules(edges).roles[1].tolist() == [-1, -1, 2, 2, 2, 0, -1]
    assert classes_of_modules(edges, {"second:1": "S"}).roles[1].tolist() == [-1, -1, 2, 1, 2, 0, -1]
    with pytest.raises(InvalidArgument, match="did you mean 'second:1'"):
        classes_of_modules(edges, {"secnd:1": "S"})


def test_a_benchmark_space():
    edges = edges_of_model_space(build("NasBench201")[0])
    classes = classes_of_modules(edges)
    assert edges.view.operations == ("none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3")
    assert (classes.roles == [NULL, SKIP, OPERATION, OPERATION, OPERATION]).all()
    assert (classes.kernels == [0, 0, 1, 3, 3]).all()

"""The names that spaces give their operations tell role, family and kernel; the user's word goes first."""

from __future__ import annotations

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.operation_classes import NULL, OPERATION, SKIP, class_of_name, classes_by_name
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

KNOWN = {
    "conv": {"conv_1x1": 1, "nor_conv_3x3": 3, "conv5": 5, "conv_3x1_1x3": 3, "conv_7x1_1x7": 7, "conv1x3_3x1": 3},
    "sep": {"sep_conv_3x3": 3, "sep_conv_7x7": 7, "sep5": 5},
    "dil": {"dil_conv_3x3": 3, "dil_conv_5x5": 5, "dil_sep_conv_3x3": 3, "dil3": 3},
    "avgpool": {"avg_pool_2x2": 2, "avg_pool_3x3": 3, "avg5": 5, "avg_pool3": 3},
    "maxpool": {"max_pool_3x3": 3, "max_pool_7x7": 7, "max3": 3},
    "other": {"swin_block": 0, "noise": 0, "relu": 0, "null_conv": 0, "0": 0},
}


@pytest.mark.parametrize(
    ("name", "family", "kernel"),
    [(name, family, kernel) for family, names in KNOWN.items() for name, kernel in names.items()],
)
def test_an_operation(name: str, family: str, kernel: int):
    assert class_of_name(name) == (OPERATION, family, kernel)


@pytest.mark.parametrize("name", ["skip_connect", "skip", "identity", "FactorizedReduce"])
def test_a_skip(name: str):
    assert class_of_name(name) == (SKIP, "skip", 0)


@pytest.mark.parametrize("name", ["none", "null", "zero", "Zero"])
def test_a_null(name: str):
    assert class_of_name(name) == (NULL, "null", 0)


def view() -> EdgeView:
    parameters = (
        Categorical("cell/0_1", ("none", "skip", "conv_3x3")),
        Categorical("cell/0_2", ("none", "conv_3x3")),
        Categorical("cell/1_2", ("skip", "mystery")),
    )
    return edge_view(SearchSpace(parameters))


def test_arrays_say_minus_one_where_an_edge_has_no_such_operation():
    classes = classes_by_name(view())
    assert view().operations == ("none", "skip", "conv_3x3", "mystery")
    assert classes.roles.tolist() == [[0, 1, 2, -1], [0, -1, 2, -1], [-1, 1, -1, 2]]
    assert classes.families.tolist()[1] == ["null", "", "conv", ""]
    assert classes.kernels.tolist() == [[0, 0, 3, 0], [0, 0, 3, 0], [0, 0, 0, 0]]


def test_the_users_word_goes_first_and_that_for_one_edge_before_all():
    classes = classes_by_name(view(), {"cell/0_2:conv_3x3": "S", "conv_3x3": "O", "mystery": "N", "skip": "O"})
    assert classes.roles.tolist() == [[0, 2, 2, -1], [0, -1, 1, -1], [-1, 2, -1, 0]]
    assert classes.families.tolist() == [
        ["null", "other", "conv", ""], ["null", "", "skip", ""], ["", "other", "", "null"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "field", "nearest"),
    [
        ({"conv3x3": "O"}, "op_classes", "conv_3x3"),
        ({"cell/0_1:skyp": "S"}, "op_classes", "cell/0_1:skip"),
        ({"skip": "s"}, "op_classes[skip]", "S"),
    ],
)
def test_an_unknown_entry_is_refused_with_the_nearest(entry: dict[str, str], field: str, nearest: str):
    with pytest.raises(InvalidArgument) as refused:
        classes_by_name(view(), entry)
    assert refused.value.field == field
    assert refused.value.nearest == nearest

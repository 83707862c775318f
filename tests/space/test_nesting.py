"""Nesting and flattening, written out by hand; the law of the inverse is in test_search_space."""

from __future__ import annotations

from typing import Any

import pytest

from nni_strategies.errors import InvalidConfiguration
from nni_strategies.space.from_json import space_from_json

ACTIVATION = {
    "_type": "choice",
    "_value": [{"_name": "relu"}, {"_name": "elu", "alpha": {"_type": "choice", "_value": [0.5, 1]}}],
}
SPACE = space_from_json(
    {
        "lr": {"_type": "choice", "_value": [0.1, 0.01]},
        "layer": {
            "_type": "choice",
            "_value": [
                {"_name": "none"},
                {"_name": "conv", "activation": ACTIVATION, "lr": {"_type": "choice", "_value": [1]}},
            ],
        },
    }
)
FLAT = {
    "lr": 0.1, "layer": "conv", "layer.conv.activation": "elu", "layer.conv.activation.elu.alpha": 0.5,
    "layer.conv.lr": 1,
}  # fmt: skip
NESTED = {"lr": 0.1, "layer": {"_name": "conv", "activation": {"_name": "elu", "alpha": 0.5}, "lr": 1}}


def test_written_out() -> None:
    assert SPACE.nest(FLAT) == NESTED
    assert SPACE.flatten(NESTED) == FLAT
    assert SPACE.nest({"lr": 0.1, "layer": "none"}) == {"lr": 0.1, "layer": {"_name": "none"}}


def test_the_order_of_a_configuration_does_not_matter() -> None:
    assert SPACE.nest(dict(reversed(FLAT.items()))) == NESTED
    assert SPACE.flatten(dict(reversed(NESTED.items()))) == FLAT


@pytest.mark.parametrize(
    ("nested", "named"),
    [
        ({**NESTED, "momentum": 0.9}, "momentum"),
        ({"lr": 0.1, "layer": {"_name": "none", "activation": {"_name": "relu"}}}, "layer.activation"),
        ({"lr": 0.1, "layer": {"_name": "conv", "activation": {"_name": "relu"}, "lr": 1, "x": 2}}, "layer.x"),
        ({"lr": 0.1, "layer": {"_name": "pool"}}, "layer = "),
        ({"lr": 0.1, "layer": {"name": "none"}}, "layer = "),
        ({"lr": 0.1, "layer": 3}, "layer = "),
        ({"lr": 0.1}, "layer = null"),
        ({"lr": 0.1, "layer": {"_name": "conv", "lr": 1}}, "layer.conv.activation = null"),
    ],
)
def test_what_is_not_of_the_space_stays_and_is_refused(nested: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidConfiguration, match=named):
        SPACE.validate(SPACE.flatten(nested))


def test_a_flat_configuration_is_its_own_flat_form() -> None:
    flat = {"lr": 0.1, "layer": "none"}
    assert SPACE.flatten(flat) == flat


def test_a_flat_configuration_with_nested_labels_is_read_by_its_labels() -> None:
    branch = {"_name": "conv", "kernel": {"_type": "choice", "_value": [3, 5]}}
    space = space_from_json(
        {"op": {"_type": "choice", "_value": [branch]}, "kernel": {"_type": "choice", "_value": [3, 5]}}
    )
    flat = {"op": "conv", "op.conv.kernel": 3, "kernel": 5}
    assert space.flatten(flat) == flat
    assert space.flatten(space.nest(flat)) == flat

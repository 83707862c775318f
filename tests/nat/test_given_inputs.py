"""Inputs of a space, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.given_inputs import checked_inputs
from nni_strategies.nat.moves_of_space import SpaceMoves, moves_of_space
from nni_strategies.space.search_space import SearchSpace
from tests.nat.searcher_spaces import COSTS, SPACES, nodes

FLAT = {f"cell/edge_{i}_{j}": "nor_conv_3x3" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))}
THREE = {f"normal/op_{node}_{slot}": "skip_connect" for node in (2, 3, 4) for slot in (0, 1)} | {
    f"normal/input_{node}_{slot}": [slot] for node in (2, 3, 4) for slot in (0, 1)
}


def moves(space: SearchSpace) -> SpaceMoves:
    return moves_of_space(space, costs=COSTS)


def test_what_was_given_comes_back() -> None:
    for name, given in (("flat", FLAT), ("nested", THREE)):
        here = moves(SPACES[name])
        (read,) = here.transitions.view.decode(checked_inputs([given], here))
        assert read == given


@pytest.mark.parametrize(
    ("space", "given", "message"),
    [
        ("flat", FLAT | {"cell/edge_0_1": "nor_conv_3x4"}, "did you mean 'nor_conv_3x3'"),
        ("flat", {"cel/edge_0_1": "none"} | {k: v for k, v in FLAT.items() if "0_1" not in k}, "cell/edge_0_1"),
        ("flat", FLAT | dict.fromkeys(["cell/edge_0_3", "cell/edge_1_3", "cell/edge_2_3"], "none"), "dead"),
        ("flat", FLAT | {"cell/edge_0_4": "none"}, "nodes of cell = \"1 to 4\": 1 to 3"),
        ("nested", {k: v for k, v in THREE.items() if "_4_" not in k}, "nodes of normal = \"2 to 3\": 2 to 4"),
        ("nested", THREE | {"normal/input_2_0": [7]}, "normal/input_2_0"),
    ],
)
def test_what_is_not_of_the_space_is_refused(space: str, given: dict[str, Any], message: str) -> None:
    good = {"flat": FLAT, "nested": THREE}[space]
    with pytest.raises(InvalidArgument, match=message) as refused:
        checked_inputs([good, given], moves(SPACES[space]))
    assert refused.value.field.startswith("inputs[1]")


def test_a_dead_cell_among_two_is_named() -> None:
    space = SearchSpace((*nodes("normal", 1), *nodes("reduce", 1)))
    given = {p.label: "none" if "reduce/op" in p.label else p.choices[1] for p in space.parameters}
    given |= {label: [0] for label in given if "input" in label}
    with pytest.raises(InvalidArgument, match="cell reduce"):
        checked_inputs(given, moves(space))

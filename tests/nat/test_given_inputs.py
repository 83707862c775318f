"""Inputs of a space, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import pytest
from nni.nas.hub.pytorch.nasnet import NDS

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


CHAIN = "[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 2), ('skip_connect', 1)]"
ONE_NODE = "[('skip_connect', 0), ('skip_connect', 1)]"


def test_genotypes_are_refused_by_name_where_the_space_has_others(tmp_path: Path) -> None:
    cells = NDS(["skip_connect", "none"], "all", num_nodes_per_cell=2, width=4, num_cells=3, dataset="cifar")
    here = moves_of_space(cells)
    file = tmp_path / "genotypes.py"
    file.write_text(
        f"ALL = Genotype(normal={CHAIN}, normal_concat=[2, 3], reduce={CHAIN}, reduce_concat=[2, 3])\n"
        f"LOOSE = Genotype(normal={CHAIN}, normal_concat=[3], reduce={CHAIN}, reduce_concat=[3])\n"
        f"SMALL = Genotype(normal={ONE_NODE}, reduce={ONE_NODE})\n"
    )
    assert len(checked_inputs(f"{file}:ALL", here)) == 1
    with pytest.raises(InvalidArgument, match=r"inputs\[1\] \(LOOSE\), architecture, concat = .*'all'; FILE:NAME"):
        checked_inputs(file, here)
    with pytest.raises(InvalidArgument, match=r"inputs\[0\] \(SMALL\), nodes of normal = \"2 to 2\""):
        checked_inputs(f"{file}:SMALL", here)

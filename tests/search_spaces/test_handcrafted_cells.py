"""The published cells cost what was published, and NAT's moves between them are those its rules allow."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.hub.pytorch import DARTS
from nni.nas.nn.pytorch import model_context

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import count
from nni_strategies.nat.edges import Architectures, Integers
from nni_strategies.nat.model_space import MeasuredCosts, ModelEdges, classes_of_modules, edges_of_model_space
from nni_strategies.nat.rules import allowed_by_rule
from nni_strategies.nat.transitions import Transitions
from search_spaces.handcrafted import cell_space
from search_spaces.handcrafted_cells import CELLS

PAIRS = tuple(name.removeprefix("NAT_") for name in CELLS if name.startswith("NAT_"))

# parameters and multiply-adds of 20 cells of width 36 on CIFAR-10
COSTS = {
    "DARTS": (3_349_342, 528_359_040), "NAT_DARTS": (2_682_334, 424_181_376),
    "ENAS": (3_859_894, 605_719_584), "NAT_ENAS": (3_859_894, 605_719_584),
    "ResBlock": (3_797_974, 548_427_168), "NAT_ResBlock": (3_850_678, 553_735_584),
    "VGG": (3_797_974, 548_427_168), "NAT_VGG": (3_850_678, 553_735_584),
    "R1": (3_520_198, 533_943_936), "NAT_R1": (2_904_598, 445_580_928),
    "R2": (2_845_846, 443_313_792), "NAT_R2": (2_256_598, 357_604_992),
    "R3": (5_236_966, 795_162_240), "NAT_R3": (2_996_182, 458_299_008),
    "R4": (8_486_254, 1_248_948_864), "NAT_R4": (5_445_622, 808_930_944),
    "R5": (5_345_182, 801_023_616), "NAT_R5": (5_283_190, 794_526_336),
}  # fmt: skip


def test_there_are_nine_pairs():
    assert PAIRS == ("DARTS", "ENAS", "ResBlock", "VGG", "R1", "R2", "R3", "R4", "R5")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", COSTS)
def test_the_published_costs(name: str):
    with torch.device("meta"), model_context(CELLS[name].sample):
        network = cell_space(name, width=36, num_cells=20)
    cost = count(network, (3, 32, 32))
    assert (cost.params, cost.madds) == COSTS[name]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_naonet_has_as_many_parameters_as_published():
    with torch.device("meta"), model_context(CELLS["NAONet"].sample):
        network = cell_space("NAONet", width=42, num_cells=14, dataset="imagenet")
    assert count(network, (3, 224, 224)).params == 11_352_319  # 11.35 M, for ImageNet


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_transformed_naonets_are_networks_that_never_cost_more():
    edges, costs = space_of("NAONet")
    moves = Transitions(edges.view, classes_of_modules(edges), costs, "cost")
    before = edges.view.encode([CELLS["NAONet"].sample])
    after = moves.random_children(before, 8, np.random.default_rng(0))
    assert (costs.total(after) <= costs.total(before)).all()
    assert costs.agrees(after).all()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_darts_is_the_one_of_nni():
    with torch.device("meta"):
        theirs = DARTS.load_searched_model("darts-v2")
        with model_context(CELLS["DARTS"].sample):
            ours = cell_space("DARTS", width=36, num_cells=20)
    assert {k: v.shape for k, v in theirs.state_dict().items()} == {k: v.shape for k, v in ours.state_dict().items()}


def test_only_operations_differ_within_a_pair():
    for name in PAIRS:
        before, after = CELLS[name].sample, CELLS[f"NAT_{name}"].sample
        changed = {label for label in before | after if before.get(label) != after.get(label)}
        assert changed, name
        assert all("/op_" in label for label in changed), name


@functools.cache
def space_of(name: str) -> tuple[ModelEdges, MeasuredCosts]:
    edges = edges_of_model_space(cell_space(name, width=8, num_cells=6))
    return edges, MeasuredCosts(edges, (3, 32, 32))


def pair(name: str) -> tuple[Architectures, Architectures]:
    view = space_of(name)[0].view
    before, after = (view.encode([CELLS[each].sample]) for each in (name, f"NAT_{name}"))
    return before, after


def moved(allowed: Integers, after: Architectures) -> Integers:
    """Which edges were allowed to become what they became, ``[n_edges]``."""
    return np.take_along_axis(allowed[0], after.operations[0][:, None], axis=1)[:, 0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("rule", ["nat", "nat++"])
def test_every_move_is_one_of_the_rules(name: str, rule: str):
    edges, _ = space_of(name)
    before, after = pair(name)
    by_rule = allowed_by_rule(rule, classes_of_modules(edges))  # type: ignore[arg-type]
    places = np.arange(edges.view.n_edges)
    assert by_rule[places, before.operations[0], after.operations[0]].all()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", PAIRS)
def test_strict_rejects_skips_that_halve_where_nothing_was_paid(name: str):
    edges, costs = space_of(name)
    view, classes = edges.view, classes_of_modules(edges)
    before, after = pair(name)
    paper = Transitions(view, classes, costs, "nat", "paper")
    strict = Transitions(view, classes, costs, "nat")
    assert paper.valid(before, after).all()

    def free(e: int) -> bool:
        operation = view.operations[before.operations[0, e]]
        return operation == "none" or "pool" in operation

    expected = [
        edge.cell == "reduce"
        and before.sources[0, e] < 2
        and free(e)
        and view.operations[after.operations[0, e]] == "skip_connect"
        for e, edge in enumerate(view.edges)
    ]
    assert (~moved(strict.allowed(before), after)).tolist() == expected
    # without these moves the transformation costs no more than the original
    kept = np.where(expected, before.operations, after.operations)
    assert (costs.total(before.replaced(kept)) <= costs.total(before)).all()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_how_many_released_moves_are_costlier():
    rejected = {}
    for name in PAIRS:
        edges, costs = space_of(name)
        before, after = pair(name)
        strict = Transitions(edges.view, classes_of_modules(edges), costs, "nat")
        rejected[name] = int((~moved(strict.allowed(before), after)).sum())
    assert rejected == {
        "DARTS": 2, "ENAS": 0, "ResBlock": 2, "VGG": 2, "R1": 0, "R2": 1, "R3": 0, "R4": 0, "R5": 0,
    }  # fmt: skip


def test_an_unknown_cell_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'DARTS'"):
        cell_space("DART")

"""Which edges a model space has, and what of it is context."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Cell
from nni_strategies.nat.liveness import alive, live_edges
from nni_strategies.nat.model_space import MeasuredCosts, ModelEdges, classes_of_modules, edges_of_model_space
from nni_strategies.nat.transitions import Transitions
from tests.hub_spaces import build
from tests.nat.model_space.spaces import Deep, Fixed, Nested, Stages, Strided

# isort: split
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace


def test_nni_cells_say_which_nodes_are_their_output():
    assert edges_of(build("DARTS")[0]).view.cells == (
        Cell("normal", 2, 6, (2, 3, 4, 5)),
        Cell("reduce", 2, 6, (2, 3, 4, 5)),
    )
    assert edges_of(build("ENAS")[0]).view.cells == (Cell("normal", 2, 7, None), Cell("reduce", 2, 7, None))


def test_cells_of_a_label_share_their_edges():
    edges = edges_of(build("DARTS")[0])
    assert [edge.label for edge in edges.view.edges[:4]] == [f"normal/op_{i}_{k}" for i in (2, 3) for k in (0, 1)]
    assert [len(sites) for sites in edges.sites] == [1] * 8 + [2] * 8
    assert edges.view.edges[0].source_label == "normal/input_2_0"


def test_a_benchmark_cell_has_fixed_sources():
    edges = edges_of(build("NasBench201")[0])
    assert edges.view.cells == (Cell("cell", 1, 4, (3,)),)
    assert [(edge.source, edge.node) for edge in edges.view.edges] == [(i, j) for j in range(1, 4) for i in range(j)]


def test_choices_on_their_own_are_a_chain_in_the_order_of_modules():
    view = edges_of(Strided()).view
    assert view.cells == (Cell("chain", 1, 4),)
    assert [(edge.label, edge.node) for edge in view.edges] == [("first", 1), ("second", 2), ("third", 3)]
    assert view.encode([view.space.sample(np.random.default_rng(0))]).sources.tolist() == [[0, 1, 2]]
    assert view.edges[1].choices == (0, 1, 2, 3)  # a list
    assert view.edges[1].names == ("0", "1", "2", "3")


def test_depth_and_width_are_context_and_a_label_is_one_edge_wherever_it_is():
    edges = edges_of(Deep())
    assert [edge.label for edge in edges.view.edges] == ["block_0", "block_1"]
    assert [[site.name for site in sites] for sites in edges.sites] == [
        ["blocks.0.1"], ["blocks.1.1", "blocks.2.1"],
    ]  # fmt: skip


def test_where_a_layer_of_a_chain_is_missing_the_next_takes_its_place():
    edges = edges_of(Stages())
    view, classes = edges.view, classes_of_modules(edges)
    shallow = {"depth_0": 1, "depth_1": 1, "stage_0_0": "conv_3x3", "stage_1_0": "conv_1x1", "last": "conv_3x3"}
    deep = {**shallow, "depth_0": 2, "stage_0_1": "none"}
    batch = view.encode([shallow, deep])
    assert [edge.label for edge in view.edges] == ["stage_0_0", "stage_0_1", "stage_1_0", "stage_1_1", "last"]
    assert batch.sources.tolist() == [[0, 0, 1, 0, 3], [0, 1, 2, 0, 3]]
    assert alive(view, classes, batch).tolist() == [True, False]
    assert live_edges(view, classes, batch)[0].tolist() == [True, False, True, False, True]
    costs = MeasuredCosts(edges, (3, 8, 8))
    assert costs.agrees(batch).all()
    transitions = Transitions(view, classes, costs)
    drawn = transitions.inputs(np.random.default_rng(0), 20)
    assert len({(rest["depth_0"], rest["depth_1"]) for rest in drawn.rest}) == 4
    children = transitions.random_children(drawn, 1, np.random.default_rng(1))
    assert transitions.valid(drawn, children).all()


def test_a_choice_around_another_is_context_with_it():
    assert [edge.label for edge in edges_of(Nested()).view.edges] == ["last"]


def test_configurations_survive_the_way_there_and_back():
    for model_space in (Strided(), build("DARTS")[0], build("NasBench201")[0]):
        edges = edges_of(model_space)
        rng = np.random.default_rng(0)
        configurations = [edges.view.space.sample(rng) for _ in range(5)]
        assert edges.view.decode(edges.view.encode(configurations)) == configurations


def test_a_space_without_operations_to_choose_is_refused():
    with pytest.raises(InvalidArgument, match="model_space = \"Fixed\": a model space with a LayerChoice"):
        edges_of_model_space(Fixed())


@pytest.mark.parametrize("form", [RawFormatModelSpace, SimplifiedModelSpace])
def test_nnis_executable_spaces_have_the_edges_of_their_module(form: type):
    model_space = Strided()
    edges = edges_of(form.from_model(model_space))
    assert edges.view == edges_of(model_space).view
    assert [[site.name for site in sites] for sites in edges.sites] == [["first"], ["second"], ["third"]]


def edges_of(model_space: object) -> ModelEdges:
    return edges_of_model_space(model_space)

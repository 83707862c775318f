"""Edges are found in the labels of benchmarks and of NNI's cells; what is none is context."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import Cell
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Condition, Subset
from nni_strategies.space.search_space import SearchSpace

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
PAIRS = [(i, j) for j in range(1, 4) for i in range(j)]


def benchmark(form: str = "cell.edge_{}_{}", *cells: str) -> SearchSpace:
    prefixes = [f"{cell}." for cell in cells] or [""]
    return SearchSpace(tuple(Categorical(p + form.format(i, j), OPS) for p in prefixes for i, j in PAIRS))


def nni_cells(n_inputs: int = 2, n_nodes: int = 4) -> SearchSpace:
    parameters = []
    for cell in ("normal", "reduce"):
        for node in range(n_inputs, n_nodes):
            for slot in range(2):
                parameters.append(Categorical(f"{cell}/op_{node}_{slot}", ("skip_connect", "conv_3x3")))
                parameters.append(Subset(f"{cell}/input_{node}_{slot}", tuple(range(node)), 1))
    return SearchSpace(tuple(parameters))


@pytest.mark.parametrize(
    ("form", "name"), [("cell.edge_{}_{}", "cell"), ("cell/{}_{}", "cell"), ("edge_{}_{}", "edge"), ("{}_{}", "cell")]
)
def test_a_benchmark_is_one_cell_with_fixed_sources(form: str, name: str):
    view = edge_view(benchmark(form))
    assert view.cells == (Cell(name, 1, 4, (3,)),)
    assert [(edge.source, edge.node, edge.slot) for edge in view.edges] == [(i, j, i) for i, j in PAIRS]
    assert [edge.label for edge in view.edges] == [form.format(i, j) for i, j in PAIRS]
    assert view.operations == OPS


def test_cells_side_by_side_stay_apart():
    view = edge_view(benchmark("edge_{}_{}", "a", "b"))
    assert [cell.name for cell in view.cells] == ["a", "b"]
    assert [edge.cell for edge in view.edges] == ["a"] * 6 + ["b"] * 6


def test_nni_cells_take_their_sources_from_the_configuration():
    space = nni_cells()
    view = edge_view(space)
    assert view.cells == (Cell("normal", 2, 4, None), Cell("reduce", 2, 4, None))
    assert [edge.label for edge in view.edges][:4] == [f"normal/op_{i}_{k}" for i in (2, 3) for k in (0, 1)]
    configuration = space.sample(np.random.default_rng(0)) | {"reduce/input_3_1": [2]}
    architectures = view.encode([configuration])
    assert architectures.sources[0, -1] == 2
    assert view.decode(architectures) == [configuration]


def test_the_output_is_what_the_caller_says():
    (cell, _) = edge_view(nni_cells(), concat="all").cells
    assert cell.outputs == (2, 3)


def test_everything_else_is_context():
    others = (
        Categorical("lr_0_1", (0.1, 0.01)),
        Categorical("width", (16, 24)),
        Categorical("depth", ("few", "many")),
        Categorical("late", ("a", "b"), condition=Condition("depth", ("many",))),
        *space_from_json({"decay": {"_type": "uniform", "_value": [0, 1]}}).parameters,
    )
    space = SearchSpace((*benchmark().parameters, *others))
    assert [edge.label for edge in edge_view(space).edges] == [edge.label for edge in edge_view(benchmark()).edges]


def test_a_choice_that_others_depend_on_is_context():
    names = [f"cell/{i}_{j}" for i, j in PAIRS]
    depends = Categorical("groups", ("1", "2"), condition=Condition("cell/1_3", ("nor_conv_3x3",)))
    view = edge_view(SearchSpace((*benchmark("cell/{}_{}").parameters, depends)))
    assert [edge.label for edge in view.edges] == [name for name in names if name != "cell/1_3"]


@pytest.mark.parametrize(
    "parameters",
    [
        (Categorical("layer_1", ("conv3", "conv5")), Categorical("layer_2", ("conv3", "conv5"))),
        (Categorical("cell/op_2_0", ("conv3", "skip")),),  # nobody says where it comes from
        (Categorical("cell/op_2_0", ("conv3", "skip")), Subset("cell/input_2_0", (0, 1), None)),  # from any number
        (Categorical("cell/1_2", ("conv3", "skip")),),  # nothing leaves the input
        (Categorical("cell/0_1", ("conv3", "skip")), Categorical("cell/0_3", ("conv3", "skip"))),  # node 2 is missing
        (Categorical("cell/2_1", ("conv3", "skip")),),  # backwards
    ],
)
def test_a_space_without_edges_is_refused(parameters: tuple[Categorical, ...]):
    with pytest.raises(InvalidArgument, match=r"space = .*edges to carry operations"):
        edge_view(SearchSpace(parameters))

"""Which edges are live and which cells dead, against paths searched by hand and by an oracle."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView
from nni_strategies.nat.liveness import alive, alive_cells, live_edges, refuse_dead
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from search_spaces.handcrafted_cells import CELLS
from tests.nat.edge_spaces import NASBENCH201_EDGES, nasbench201, two_input_cells

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")


def cell(*operations: str) -> Architectures:
    view = nasbench201()
    labels = [f"cell.edge_{i}_{j}" for i, j in NASBENCH201_EDGES]
    return view.encode([dict(zip(labels, operations, strict=True))])


def live(*operations: str) -> list[bool]:
    view = nasbench201()
    found: list[bool] = live_edges(view, classes_by_name(view), cell(*operations))[0].tolist()
    return found


# edges of NAS-Bench-201 in the order of the view: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3


def test_a_full_cell_is_live_everywhere():
    assert all(live(*["skip_connect"] * 6))


def test_an_edge_into_a_node_that_leads_nowhere_is_not_live():
    # 0-1 carries a convolution, but neither 1-2 nor 1-3 carries anything
    found = live("nor_conv_3x3", "skip_connect", "none", "none", "none", "skip_connect")
    assert found == [False, True, False, False, False, True]


def test_an_edge_out_of_a_node_that_nothing_reaches_is_not_live():
    found = live("none", "none", "nor_conv_3x3", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
    assert found == [False, False, False, True, False, False]


def test_a_cell_without_a_path_is_dead():
    view, dead = nasbench201(), cell("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "none", "none", "none")
    assert not alive(view, classes_by_name(view), dead).any()
    assert not live_edges(view, classes_by_name(view), dead).any()


def oracle(view: EdgeView, architectures: Architectures, row: int) -> tuple[list[bool], bool]:
    """Live edges and whether all cells are alive, by networkx on the graph of operations other than null."""
    live, dead = [False] * view.n_edges, False
    for kind in view.cells:
        graph = nx.MultiDiGraph()
        graph.add_nodes_from(["in", "out"], kind=True)
        graph.add_edges_from(("in", node) for node in range(kind.n_inputs))
        places = [e for e, edge in enumerate(view.edges) if edge.cell == kind.name]
        sources = {int(architectures.sources[row, e]) for e in places}
        outputs = kind.outputs or [n for n in range(kind.n_inputs, kind.n_nodes) if n not in sources]
        graph.add_edges_from((node, "out") for node in outputs)
        for e in places:
            if view.operations[architectures.operations[row, e]] != "none":
                graph.add_edge(int(architectures.sources[row, e]), view.edges[e].node)
        ancestors, descendants = nx.ancestors(graph, "out"), nx.descendants(graph, "in")
        dead |= "out" not in descendants
        for e in places:
            carries = view.operations[architectures.operations[row, e]] != "none"
            source, node = int(architectures.sources[row, e]), view.edges[e].node
            live[e] = carries and source in descendants and (node in ancestors or node == "out")
    return live, not dead


@pytest.mark.parametrize("concat", ["all", "loose_end"])
def test_two_input_cells_agree_with_a_graph_library(concat: Any):
    view = two_input_cells(OPERATIONS, concat=concat)
    classes, rng = classes_by_name(view), np.random.default_rng(0)
    architectures = view.encode(view.space.decode(view.space.sample_codes(rng, 300)))
    thinned = np.where(rng.random(architectures.operations.shape) < 0.4, view.operations.index("none"), 1)
    architectures = architectures.replaced(thinned)
    live, living = live_edges(view, classes, architectures), alive(view, classes, architectures)
    assert 0 < living.sum() < 300
    for row in range(300):
        assert (live[row].tolist(), bool(living[row])) == oracle(view, architectures, row)


def test_loose_ends_are_those_of_nni():
    # NNI counts an edge that carries null as a use of its source: node 3 of this cell is no output
    view = two_input_cells(OPERATIONS, n_nodes=3, cells=("normal",), concat="loose_end")
    operations = ("skip_connect", "none", "sep_conv_3x3", "none", "none", "none")
    sources = (0, 0, 2, 0, 3, 3)
    configuration: dict[str, Any] = {}
    for e, edge in enumerate(view.edges):
        assert edge.source_label is not None
        configuration |= {edge.label: operations[e], edge.source_label: [sources[e]]}
    architecture = view.encode([configuration])
    assert not alive(view, classes_by_name(view), architecture).any()
    everything = two_input_cells(OPERATIONS, n_nodes=3, cells=("normal",), concat="all")
    assert alive(everything, classes_by_name(everything), architecture).all()


def test_the_released_cells_are_alive():
    for name, genotype in CELLS.items():
        view = two_input_cells(genotype.operations, genotype.n_nodes, concat=genotype.merge)
        assert alive(view, classes_by_name(view), view.encode([genotype.sample])).all(), name


def test_each_kind_of_cell_is_looked_at():
    view = nasbench201("a", "b")
    none, skip = view.operations.index("none"), view.operations.index("skip_connect")
    operations = np.full((1, 12), skip)
    operations[0, 6:] = none
    architecture = Architectures(operations, view.encode([{}]).sources, ({},))
    assert alive_cells(view, classes_by_name(view), architecture).tolist() == [[True, False]]
    with pytest.raises(InvalidArgument, match=r"cell b = .*the cell is dead"):
        refuse_dead(view, classes_by_name(view), architecture)


def test_a_cell_that_is_not_in_use_is_alive():
    view = nasbench201("a", "b")
    labels = [f"a.edge_{i}_{j}" for i, j in NASBENCH201_EDGES]
    architecture = view.encode([dict.fromkeys(labels, "skip_connect")])
    assert (architecture.operations[0, 6:] == ABSENT).all()
    assert alive(view, classes_by_name(view), architecture).all()
    assert live_edges(view, classes_by_name(view), architecture)[0].tolist() == [True] * 6 + [False] * 6


def test_a_null_in_a_chain_cuts_it():
    space = SearchSpace(tuple(Categorical(f"chain/{i}_{i + 1}", ("none", "conv_3x3")) for i in range(3)))
    view = edge_view(space)
    cut = view.encode([{"chain/0_1": "conv_3x3", "chain/1_2": "none", "chain/2_3": "conv_3x3"}])
    assert not alive(view, classes_by_name(view), cut).any()

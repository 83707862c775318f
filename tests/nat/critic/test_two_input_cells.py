"""Cells of two inputs, as DARTS's and ENAS's: paths, kernels and dead edges by hand, and against NNI's own networks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from nni_strategies.nat.critic import kernels
from nni_strategies.nat.critic.canonical import canonical
from nni_strategies.nat.critic.cell_features import CellFeatures
from nni_strategies.nat.critic.critic import Critic
from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView
from nni_strategies.nat.input_draws import draw_inputs
from nni_strategies.nat.liveness import carries
from nni_strategies.nat.model_space import classes_of_modules, edges_of_model_space
from nni_strategies.nat.model_space.widen import widened
from nni_strategies.nat.operation_classes import OperationClasses, classes_by_name
from tests.hub_spaces import build
from tests.nat.edge_spaces import two_input_cells

# isort: split
from nni.nas.space import model_context

LETTERS = {".": "none", "s": "skip_connect", "3": "sep_conv_3x3", "1": "conv_1x1", "p": "max_pool_3x3"}
ALL, LOOSE = (
    two_input_cells(tuple(LETTERS.values()), n_nodes=2, cells=("normal",), concat=concat)
    for concat in ("all", "loose_end")
)


def cell(view: EdgeView, written: str) -> Architectures:
    """A cell of two nodes: for each node two edges, operation and source, as ``30 s1 | 12 p0``."""
    configuration: dict[str, Any] = {}
    for node, edges in enumerate(written.split("|"), start=2):
        for slot, (operation, source) in enumerate(edges.split()):
            configuration[f"normal/op_{node}_{slot}"] = LETTERS[operation]
            configuration[f"normal/input_{node}_{slot}"] = [int(source)]
    return view.encode([configuration])


def compared(view: EdgeView, a: str, b: str) -> dict[str, float]:
    """What each kernel says of two cells."""
    classes = classes_by_name(view)
    cells = CellFeatures(view, classes, view.cells[0])
    rows = [cells.rows(canonical(view, classes, cell(view, written))) for written in (a, b)]
    return {kernel.__name__: float(kernel(cells, *rows)[0, 0]) for kernel in kernels.KERNELS}


def shapes(view: EdgeView, written: str) -> list[float]:
    classes = classes_by_name(view)
    cells = CellFeatures(view, classes, view.cells[0])
    (row,) = cells.rows(canonical(view, classes, cell(view, written)))
    return list(cells.shapes[row])


# Node 2 is 3x3(0) + skip(1), node 3 is 1x1(2) + pool(0). Its paths: 0-33, 1- to node 2; 0-33-1, 1-1, 0-p to node 3.
CELL = "30 s1 | 12 p0"


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (ALL, [1, 5 / 6, 2 / 2, 0 / 2, 1 / 2, 2 / 2, 1 / 2]),  # the fewest convolutions: the skip to node 2
        (LOOSE, [1, 3 / 6, 2 / 2, 0 / 2, 1 / 2, 2 / 2, 1 / 2]),  # node 2 is read, so node 3 alone is the output
    ],
    ids=["all", "loose_end"],
)
def test_extremes_of_a_cell_by_hand(view: EdgeView, expected: list[float]):
    assert shapes(view, CELL) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("view", "other", "shared"),
    [
        (ALL, CELL, 1),
        (ALL, "30 s1 | .2 p0", 3 / 5),  # without the two paths over the 1x1
        (LOOSE, "30 s1 | .2 p0", 1 / 3),
        (ALL, "30 s1 | 12 p1", 4 / 6),  # the pool reads the other input
        (ALL, "31 s0 | 12 p0", 1 / 9),  # all but the pool's path begin at the other input
        (ALL, ".0 .1 | .2 .0", 0),
    ],
)
def test_shared_paths_by_hand(view: EdgeView, other: str, shared: float):
    assert compared(view, CELL, other)["paths"] == pytest.approx(shared)


def test_equal_paths_count_as_often_as_there_are():
    assert compared(ALL, "30 30 | .0 .0", "30 .0 | .0 .0")["paths"] == pytest.approx(1 / 2)
    assert compared(ALL, "30 30 | s2 .0", "30 .0 | .0 .0")["paths"] == pytest.approx(1 / 4)


def test_a_skip_adds_nothing_to_a_path_but_its_length():
    # 0- and 0-33, by way of node 2 or straight
    alike = compared(ALL, "s0 .0 | 32 .0", "30 s0 | .0 .0")
    assert alike["paths"] == 1
    assert alike["counts"] == 1
    assert alike["shapes"] == pytest.approx(np.exp(-((1 / 2) ** 2) / (2 * 0.35**2)))  # the longest path


@pytest.mark.parametrize(
    ("other", "n_moved"),
    [
        ("s1 30 | 12 p0", 2),  # the edges of node 2 change places
        ("s1 30 | p0 12", 4),  # of both
    ],
)
def test_edges_of_a_node_may_change_places(other: str, n_moved: int):
    alike = compared(ALL, CELL, other)
    assert alike.pop("edges") == pytest.approx(np.exp(-n_moved / 2))
    assert alike == pytest.approx({"paths": 1, "counts": 1, "shapes": 1})


@pytest.mark.parametrize("view", [ALL, LOOSE], ids=["all", "loose_end"])
def test_nodes_that_do_not_read_each_other_may_change_places(view: EdgeView):
    alike = compared(view, "30 p1 | 11 s0", "11 s0 | 30 p1")
    assert alike.pop("edges") == pytest.approx(np.exp(-4 / 2))
    assert alike == pytest.approx({"paths": 1, "counts": 1, "shapes": 1})


@pytest.mark.parametrize(
    ("view", "written", "same"),
    [
        (ALL, ".0 .1 | 32 p0", ".0 .1 | .0 p0"),  # fed by a node that nothing enters
        (LOOSE, ".0 .1 | 32 p0", ".0 .1 | .0 p0"),
        (LOOSE, "30 11 | .2 p1", ".0 .0 | .0 p1"),  # node 2 feeds a null: no output, as in NNI
        (LOOSE, "30 11 | .0 p1", None),  # nobody reads it: an output
        (ALL, "30 11 | .2 p1", "30 11 | .0 p1"),  # a null has no source
    ],
)
def test_dead_edges_do_not_count(view: EdgeView, written: str, same: str | None):
    form = canonical(view, classes_by_name(view), cell(view, written)).operations[0]
    expected = cell(view, same or written).operations[0]
    assert form.tolist() == np.where(expected == 0, ABSENT, expected).tolist()  # the first operation is none
    assert same is None or compared(view, written, same) == pytest.approx(dict.fromkeys(compared(view, CELL, CELL), 1))


def test_the_critic_takes_cells_that_differ_in_dead_edges_for_one():
    view = two_input_cells(tuple(LETTERS.values()), cells=("normal",), concat="loose_end")
    rng, classes = np.random.default_rng(0), classes_by_name(view)
    drawn = view.encode([view.space.sample(rng) for _ in range(80)])
    form = canonical(view, classes, drawn)
    dead = (form.operations == ABSENT) & (drawn.operations != 0)
    cleared = drawn.replaced(np.where(dead, 0, drawn.operations))
    assert dead.any(axis=1).sum() > 20
    critic = Critic(view, classes)
    critic.fit(drawn[:60], rng.random(60))
    for ours, theirs in zip(critic.predict(drawn), critic.predict(cleared), strict=True):
        assert ours.tolist() == theirs.tolist()


def hub(name: str) -> tuple[Any, EdgeView, OperationClasses, Architectures]:
    """A space of NNI's hub with none, its edges and living draws."""
    model_space = widened(build(name)[0], "none")
    edges = edges_of_model_space(model_space)
    classes = classes_of_modules(edges)
    return edges, edges.view, classes, draw_inputs(edges.view, classes, np.random.default_rng(0), 40, 0.4)


@pytest.mark.parametrize("name", ["DARTS", "ENAS"])
@pytest.mark.timeout(60)
def test_what_is_on_no_live_path_gets_no_gradient_in_nnis_network(name: str):
    """And what is on one gets some, in the last kind of cell, whose output the network always uses."""
    edges, view, classes, drawn = hub(name)
    places = [e for e, edge in enumerate(view.edges) if edge.cell == "reduce"]
    dead = (canonical(view, classes, drawn).operations == ABSENT) & carries(classes, drawn.operations)
    drawn = drawn[np.argsort(-dead[:, places].sum(axis=1), kind="stable")[:6]]
    live = canonical(view, classes, drawn).operations != ABSENT
    seen: Counter[bool] = Counter()
    for row, configuration in enumerate(view.decode(drawn)):
        with model_context(edges.samples.sample(configuration)):
            network = type(edges.module)(**_arguments(edges.module))
        torch.manual_seed(0)
        network.train()(torch.randn(4, 3, 16, 16)).square().sum().backward()
        modules = dict(network.named_modules())
        for e in places:
            site, edge = edges.sites[e][-1], view.edges[e]
            operation = modules[site.name].ops[edge.node - 2][edge.slot]
            # the bias of a batch norm has a gradient whatever comes in
            gradients = [p.grad for p in operation.parameters() if p.ndim == 4]
            if gradients:
                moved = any(g is not None and bool(g.abs().max() > 0) for g in gradients)
                assert moved == live[row, e], (configuration, edge.label)
                seen[moved] += 1
    assert min(seen[True], seen[False]) >= 5


def _arguments(space: Any) -> dict[str, Any]:
    return {
        "op_candidates": space.op_candidates, "merge_op": space.merge_op,
        "num_nodes_per_cell": space.num_nodes_per_cell, "width": space.width, "num_cells": space.num_cells,
        "dataset": space.dataset, "auxiliary_loss": False, "drop_path_prob": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["DARTS", "ENAS"])
def test_kernels_of_a_hub_space_are_covariances_and_know_exchanged_edges(name: str):
    _, view, classes, drawn = hub(name)
    slots = [edge.slot for edge in view.edges]
    swapped_order = [e + 1 if slot == 0 else e - 1 for e, slot in enumerate(slots)]
    swapped = Architectures(drawn.operations[:, swapped_order], drawn.sources[:, swapped_order], drawn.rest)
    for kind in view.cells:
        cells = CellFeatures(view, classes, kind)
        rows, others = (cells.rows(canonical(view, classes, each)) for each in (drawn, swapped))
        for kernel in kernels.KERNELS:
            covariance = kernel(cells, rows, rows)
            assert covariance.diagonal() == pytest.approx(np.ones(len(rows)))
            assert np.linalg.eigvalsh(covariance).min() > -1e-8
            if kernel is not kernels.edges:
                assert kernel(cells, rows, others) == pytest.approx(covariance, abs=1e-6)

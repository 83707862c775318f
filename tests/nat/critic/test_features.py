"""Live paths, canonical forms and kernels, against enumeration path by path in plain Python."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.nat.critic import kernels
from nni_strategies.nat.critic.canonical import canonical
from nni_strategies.nat.critic.cell_features import CellFeatures
from nni_strategies.nat.edges import ABSENT, Architectures, Cell, EdgeView
from nni_strategies.nat.input_draws import draw_inputs
from nni_strategies.nat.operation_classes import classes_by_name
from tests.nat.edge_spaces import NASBENCH201_EDGES, nasbench201, two_input_cells

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3", "conv_1x1", "max_pool_3x3")
ONE, TWO = nasbench201(), nasbench201("a", "b")
DARTS, LOOSE = two_input_cells(OPERATIONS), two_input_cells(OPERATIONS, concat="loose_end")


def cell(operations: str) -> Architectures:
    """A cell of NAS-Bench-201: . none, s skip, 1 and 3 convolutions, p pooling, on 01 02 12 03 13 23."""
    codes = np.array([[".s13p".index(letter) for letter in operations]])
    return Architectures(codes, np.array([[source for source, _ in NASBENCH201_EDGES]]), ({},))


def draws(view: EdgeView, n: int = 60) -> Architectures:
    return draw_inputs(view, classes_by_name(view), np.random.default_rng(0), n, 0.3)


def paths_of(view: EdgeView, one: Architectures, kind: Cell) -> list[tuple[int, list[str]]]:
    """All live paths of a cell as (input, operations), found by walking."""
    operations, sources = one.operations[0], one.sources[0]
    own = [e for e, edge in enumerate(view.edges) if edge.cell == kind.name]
    left = {int(sources[e]) for e in own}
    outputs = kind.outputs or tuple(node for node in range(kind.n_inputs, kind.n_nodes) if node not in left)
    found: list[tuple[int, list[str]]] = []

    def walk(node: int, after: list[str]) -> None:
        if node < kind.n_inputs:
            found.append((node, after))
        for e in own:
            name = view.operations[operations[e]]
            if view.edges[e].node == node and name != "none":
                walk(int(sources[e]), [name, *after])

    for node in outputs:
        walk(node, [])
    return found


def sequences(paths: list[tuple[int, list[str]]]) -> Counter[tuple[int, tuple[str, ...]]]:
    return Counter((start, tuple(name for name in names if name != "skip_connect")) for start, names in paths)


def features(view: EdgeView, architectures: Architectures, kind: int = 0) -> tuple[CellFeatures, np.ndarray]:
    classes = classes_by_name(view)
    cells = CellFeatures(view, classes, view.cells[kind])
    return cells, cells.rows(canonical(view, classes, architectures))


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("3..3..", "...3.."),  # node 1 leads nowhere
        ("...1.3", "...1.."),  # node 2 is fed by nothing
        ("3.13.3", "3.13.3"),  # 0-1-2-3 and 0-3 both live
        ("3.....", "......"),  # dead
    ],
)
def test_edges_on_no_live_path_carry_nothing(given: str, same: str):
    form = canonical(ONE, classes_by_name(ONE), cell(given))
    expected = cell(same).operations
    assert form.operations.tolist() == np.where(expected == 0, ABSENT, expected).tolist()
    assert form.sources[form.operations == ABSENT].tolist() == [0] * int((form.operations == ABSENT).sum())


@pytest.mark.parametrize("view", [ONE, TWO, DARTS, LOOSE], ids=["one", "two", "darts", "loose"])
@pytest.mark.parametrize("kind", [0, -1])
def test_paths_are_compared_as_multisets_of_sequences(view: EdgeView, kind: int):
    architectures = draws(view)
    cells, rows = features(view, architectures, kind)
    counted = [sequences(paths_of(view, architectures[[i]], view.cells[kind])) for i in range(len(architectures))]
    assert cells.n_paths[rows].tolist() == [sum(c.values()) for c in counted]
    expected = [[sum((a & b).values()) / sum((a | b).values()) for b in counted] for a in counted]
    assert kernels.paths(cells, rows, rows) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("view", [ONE, DARTS, LOOSE], ids=["one", "darts", "loose"])
def test_shapes_are_extremes_over_the_live_paths(view: EdgeView):
    architectures = draws(view)
    cells, rows = features(view, architectures)
    kind = view.cells[0]
    longest = kind.n_nodes - kind.n_inputs
    most = 4 if view is ONE else 30  # of four nodes with two edges each: 2 + 4 + 8 + 16
    for i, row in enumerate(rows):
        names = [names for _, names in paths_of(view, architectures[[i]], kind)]
        convolutions = [sum("conv" in name for name in path) for path in names]
        large = [sum("conv_3" in name for name in path) for path in names]
        lengths = [len(path) for path in names]
        extremes = [max(convolutions), min(convolutions), max(large), max(lengths), min(lengths)]
        assert cells.shapes[row] == pytest.approx([1, len(names) / most, *np.array(extremes) / longest])


def test_a_skip_is_left_out_of_a_path():
    cells, (a, b, c) = features(ONE, joined("3.s..3", "33...3", "3....."))  # 3 s 3; 3 3; dead
    assert kernels.paths(cells, np.array([a]), np.array([b, c])).tolist() == [[1.0, 0.0]]
    assert kernels.paths(cells, np.array([c]), np.array([c])).tolist() == [[1.0]]


def test_kernels_of_two_cells_by_hand():
    cells, rows = features(ONE, joined("...3..", "...1.."))
    a, b = rows[:1], rows[1:]
    assert kernels.paths(cells, a, b)[0, 0] == 0
    assert kernels.edges(cells, a, b)[0, 0] == pytest.approx(np.exp(-0.5))
    assert kernels.counts(cells, a, b)[0, 0] == pytest.approx(np.exp(-(1 + 1) / (2 * 1.5**2)))
    # one path of one convolution: only whether it is larger than 1x1 differs, by 1/3
    assert kernels.shapes(cells, a, b)[0, 0] == pytest.approx(np.exp(-((1 / 3) ** 2) / (2 * 0.35**2)))
    assert all(kernel(cells, rows, rows).diagonal() == pytest.approx([1, 1]) for kernel in kernels.KERNELS)


def test_an_edge_from_another_node_is_another_edge():
    architecture = draws(DARTS, 1)
    moved = architecture.sources.copy()
    live = canonical(DARTS, classes_by_name(DARTS), architecture).operations[0] != ABSENT
    edge = int(np.flatnonzero(live & (moved[0] < 2))[0])
    moved[0, edge] = 1 - moved[0, edge]
    cells, rows = features(DARTS, joined_batches(architecture, Architectures(architecture.operations, moved, ({},))))
    assert kernels.edges(cells, rows[:1], rows[1:])[0, 0] == pytest.approx(np.exp(-0.5))


def test_several_cells_add_up_and_multiply():
    classes, architectures = classes_by_name(TWO), draws(TWO)
    form = canonical(TWO, classes, architectures)
    cells = [CellFeatures(TWO, classes, kind) for kind in TWO.cells]
    rows = np.stack([own.rows(form) for own in cells], axis=1)
    for kernel in kernels.KERNELS:
        a, b = (kernel(own, column, column) for own, column in zip(cells, rows.T, strict=True))
        assert kernels.combined(kernel, cells, rows, rows) == pytest.approx(0.5 * (a + b) / 2 + 0.5 * a * b)


def joined(*written: str) -> Architectures:
    return joined_batches(*map(cell, written))


def joined_batches(*parts: Architectures) -> Architectures:
    return Architectures(
        np.concatenate([part.operations for part in parts]),
        np.concatenate([part.sources for part in parts]),
        tuple(rest for part in parts for rest in part.rest),
    )

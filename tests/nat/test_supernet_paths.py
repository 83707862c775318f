"""What a supernet learns: the whole space, or all that one architecture can become and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.supernet_paths import living, outputs_of
from nni_strategies.supernet.training import Paths
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions

BENCHMARK = transitions(nasbench201(), NASBENCH201_COSTS, "nat")
N = 20_000


def cell(operation: str) -> Architectures:
    return BENCHMARK.view.encode([{edge.label: operation for edge in BENCHMARK.view.edges}])


def drawn(paths: Paths, n: int = N, seed: int = 7) -> Any:
    return BENCHMARK.view.encode(paths(BENCHMARK.view.space, np.random.default_rng(seed), n)).operations


def test_outputs_of_one_architecture_are_drawn_uniformly_among_all_it_can_become():
    parent = cell("nor_conv_3x3")
    reachable = {row.tobytes(): at for at, row in enumerate(BENCHMARK.reachable(parent))}
    counts = np.bincount([reachable[row.tobytes()] for row in drawn(outputs_of(BENCHMARK, parent))])
    assert len(counts) == len(reachable) > 400
    assert chisquare(counts).pvalue > 1e-6


def test_edges_stay_as_often_as_they_are_to():
    parent = cell("nor_conv_3x3")
    rows = drawn(outputs_of(BENCHMARK, parent, kept=0.75))
    reachable = {row.tobytes() for row in BENCHMARK.reachable(parent)}
    assert {row.tobytes() for row in rows} <= reachable
    free = drawn(outputs_of(BENCHMARK, parent))
    of_a_draw = (free == parent.operations).mean()  # more than 1 / 3, as the dead are left out
    assert 1 / 3 < of_a_draw < 0.5
    np.testing.assert_allclose((rows == parent.operations).mean(), 0.75 + 0.25 * of_a_draw, atol=0.01)


@pytest.mark.parametrize("kept", [1, -0.1, float("nan"), True, "0.5"])
def test_a_probability_out_of_range_is_refused(kept: Any):
    with pytest.raises(InvalidArgument, match="kept"):
        outputs_of(BENCHMARK, cell("nor_conv_3x3"), kept)


def test_paths_of_the_space_are_alive_and_not_of_one_architecture():
    parent = cell("nor_conv_1x1")
    rows = drawn(living(BENCHMARK), 500)
    alike = Architectures(rows, np.broadcast_to(parent.sources, rows.shape), parent.rest * 500)
    assert BENCHMARK.alive(alike).all()
    assert BENCHMARK.valid(parent[[0] * 500], alike).mean() < 0.1  # (3 / 5) ** 6, and fewer of the dead


def test_the_same_generator_draws_the_same_paths():
    for paths in (living(BENCHMARK), outputs_of(BENCHMARK, cell("nor_conv_3x3"))):
        np.testing.assert_array_equal(drawn(paths, 50), drawn(paths, 50))
        assert (drawn(paths, 50) != drawn(paths, 50, seed=8)).any()


def test_a_dead_architecture_becomes_nothing():
    with pytest.raises(InvalidArgument, match="cell"):
        drawn(outputs_of(BENCHMARK, cell("none")), 1)

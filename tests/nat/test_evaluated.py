from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.evaluated import Evaluated, identities, joined
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from tests.nat.edge_spaces import NASBENCH201, NASBENCH201_COSTS, NASBENCH201_EDGES, nasbench201, transitions
from tests.nat.edge_spaces import two_input_cells as cells

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")
DARTS = transitions(cells(OPERATIONS, n_nodes=2, cells=("normal",)), {"sep_conv_3x3": (10, 1)})
ONE = transitions(nasbench201(), NASBENCH201_COSTS)


def with_depth() -> EdgeView:
    """NAS-Bench-201 with a choice besides that no edge carries."""
    edges = tuple(Categorical(f"cell.edge_{i}_{j}", NASBENCH201) for i, j in NASBENCH201_EDGES)
    return edge_view(SearchSpace((*edges, Categorical("depth", (1, 2)))))


DEEP = transitions(with_depth(), NASBENCH201_COSTS)


@pytest.mark.parametrize("moves", [ONE, DARTS, DEEP], ids=["nasbench201", "darts", "depth"])
def test_what_is_reachable_is_what_is_valid(moves: Transitions):
    rng = np.random.default_rng(0)
    inputs = moves.inputs(rng, 30)
    known = joined([moves.inputs(rng, 40), moves.random_children(inputs, 2, rng)])
    evaluated = Evaluated(moves)
    evaluated.add(known, np.arange(len(known)))
    found = evaluated.reachable(inputs)
    assert 30 <= found.sum() < found.size / 2
    context = set(moves.view.space.labels) - {edge.label for edge in moves.view.edges}
    for i in range(30):
        for j, other in enumerate(evaluated.architectures.rest):
            same = all(inputs.rest[i][label] == other[label] for label in context)
            expected = same and bool(moves.valid(inputs[[i]], evaluated.architectures[[j]])[0])
            assert found[i, j] == expected


def test_the_best_of_them_is_found():
    rng = np.random.default_rng(0)
    inputs = ONE.inputs(rng, 20)
    evaluated = Evaluated(ONE)
    places, values = evaluated.best_reachable(inputs)
    assert set(places.tolist()) == {-1}
    assert np.isneginf(values).all()
    evaluated.add(ONE.random_children(inputs, 3, rng), rng.normal(size=60))
    places, values = evaluated.best_reachable(inputs)
    for i, row in enumerate(evaluated.reachable(inputs)):
        assert values[i] == evaluated.values[row].max() == evaluated.values[places[i]]


def test_a_configuration_is_known_by_all_its_choices():
    view = DEEP.view
    shallow, deep = ({**dict.fromkeys((e.label for e in view.edges), "skip_connect"), "depth": d} for d in (1, 2))
    both = view.encode([shallow, deep])
    assert len(set(both.keys())) == 1
    assert len(set(identities(view, both))) == 2
    evaluated = Evaluated(DEEP)
    evaluated.add(both[[1]], [0.5])
    assert evaluated.places(both).tolist() == [-1, 0]
    assert evaluated.unknown(both[[0, 1, 0]]).tolist() == [0]
    assert evaluated.values_of(both).tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)
    assert evaluated.reachable(both).tolist() == [[False], [True]]


def test_the_first_result_of_an_architecture_is_kept():
    evaluated, given = Evaluated(ONE), ONE.inputs(np.random.default_rng(0), 2)
    evaluated.add(given[[0, 1, 0]], [1.0, 2.0, 3.0])
    evaluated.add(given[[1]], [4.0])
    assert evaluated.values.tolist() == [1.0, 2.0]
    assert evaluated.first(1).values.tolist() == [1.0]
    assert evaluated.first(1).places(given).tolist() == [0, -1]

"""Outputs of large inputs keep most of their edges; those of cells are what they were drawn as."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nni_strategies.nat import nearness
from nni_strategies.nat.derive import Derivation
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.nearness import nearer, partly_kept
from nni_strategies.nat.transitions import Transitions
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions
from tests.nat.searcher_spaces import config

THREE_CELLS = transitions(nasbench201(*"abc"), NASBENCH201_COSTS, "nat")  # 18 edges
TEN_CELLS = transitions(nasbench201(*"abcdefghij"), NASBENCH201_COSTS, "nat")  # 60


def all_conv3(moves: Transitions, n: int = 1) -> Architectures:
    return moves.view.encode([{edge.label: "nor_conv_3x3" for edge in moves.view.edges}] * n)


def changes(inputs: Architectures, outputs: Architectures) -> npt.NDArray[np.int64]:
    return np.asarray((inputs.operations != outputs.operations).sum(axis=1))


def test_outputs_of_cells_are_left_as_they_are_and_nothing_is_drawn():
    rng = np.random.default_rng(0)
    inputs = THREE_CELLS.inputs(rng, 4)
    outputs = THREE_CELLS.random_children(inputs, 3, rng)
    state = rng.bit_generator.state
    assert nearer(THREE_CELLS, inputs, outputs, rng) is outputs
    assert rng.bit_generator.state == state


def test_outputs_of_a_large_input_differ_in_as_many_edges_as_the_module_says():
    rng = np.random.default_rng(0)
    inputs = all_conv3(TEN_CELLS, 2)
    outputs = TEN_CELLS.random_children(inputs, 2000, rng)
    repeated = inputs[np.repeat([0, 1], 2000)]
    whole = changes(repeated, outputs).mean()
    near = nearer(TEN_CELLS, inputs, outputs, rng)
    few = changes(repeated, near)
    assert TEN_CELLS.valid(repeated, near).all()
    drawn = (20 - 1) / np.log(20)  # the mean of 20 ** u
    np.testing.assert_allclose(few.mean(), drawn / 60 * whole, rtol=0.05)
    assert np.mean(few <= 2) > 0.3 and few.max() > 12  # near ones mostly, and some that are not


def test_what_is_kept_is_the_inputs_and_the_rest_the_outputs():
    rng = np.random.default_rng(0)
    inputs = all_conv3(TEN_CELLS, 300)
    outputs = TEN_CELLS.random_children(inputs[[0]], 300, rng)
    mixed = partly_kept(TEN_CELLS, inputs, outputs, np.repeat([0.0, 0.5, 1.0], 100), rng)
    of_input, of_output = mixed.operations == inputs.operations, mixed.operations == outputs.operations
    assert (of_input | of_output).all()
    np.testing.assert_array_equal(mixed[range(100)].operations, outputs[range(100)].operations)
    np.testing.assert_array_equal(mixed[range(200, 300)].operations, inputs[range(200, 300)].operations)


class Ruins:
    """A network of sixty edges: a skip on every fifth helps, any other change is a loss, ten leave nothing."""

    moves = TEN_CELLS

    def values(self, architectures: Architectures) -> npt.NDArray[np.float64]:
        changed = architectures.operations != all_conv3(self.moves).operations[0]
        skips = architectures.operations == self.moves.view.operations.index("skip_connect")
        n_good = skips[:, ::5].sum(axis=1)
        n_lost = changed.sum(axis=1) - n_good
        return np.asarray(np.where(n_lost < 10, 0.5 - 0.05 * n_lost + 0.05 * n_good, 0.0))

    def gained(self, seed: int) -> float:
        inputs = all_conv3(self.moves)
        learner = Learner(self.moves, config(queries=30), seed=seed, inputs=inputs)
        while not learner.done:
            child = learner.ask().child
            learner.tell(child, float(self.values(child)[0]))
        derivation = Derivation(learner, inputs, 6)
        for new in derivation.rounds():
            learner.evaluated.add(new, self.values(new))
        return float(derivation.result().values[0]) - 0.5


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_large_network_is_improved_by_what_lies_near_it(monkeypatch: pytest.MonkeyPatch):
    near = [Ruins().gained(seed) for seed in (0, 1)]
    monkeypatch.setattr(nearness, "MOST_DRAWN", 1000)
    far = [Ruins().gained(seed) for seed in (0, 1)]
    assert np.mean(near) > np.mean(far) + 0.05

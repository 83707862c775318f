"""Outputs chosen by the critic alone: freely by one that explains what it saw, hardly by one that does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nni_strategies.nat import unevaluated
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.transitions import Transitions
from nni_strategies.nat.unevaluated import TRUSTED, unevaluated_outputs
from tests.nat.test_learner import DARTS, MOVES, SMALL, worth

N = 60


def chance(architectures: Architectures) -> np.ndarray:
    """A value that nothing of a cell explains."""
    rows = [np.random.default_rng([7, *np.maximum(row, 0)]) for row in architectures.operations.tolist()]
    return np.array([rng.random() for rng in rows])


def learner(value: Callable[[Architectures], np.ndarray], moves: Transitions = MOVES) -> Learner:
    made = Learner(moves, SMALL, seed=1)
    while not made.done:
        query = made.ask()
        made.tell(query.child, float(value(query.child)[0]))
    made.finish()
    return made


def untried(of: Learner, inputs: Architectures, outputs: Architectures) -> float:
    """Return the share of inputs that became what was never evaluated."""
    changed = (outputs.operations != inputs.operations).any(axis=1)
    return float((changed & (of.evaluated.places(outputs) < 0)).mean())


def test_a_critic_that_explains_its_results_is_followed():
    of, inputs = learner(worth), MOVES.inputs(np.random.default_rng(0), N)
    assert of.critic.explained() >= TRUSTED
    outputs = unevaluated_outputs(of, inputs)
    assert MOVES.valid(inputs, outputs).all()
    assert (outputs.operations != inputs.operations).any(axis=1).mean() > 0.5
    assert worth(outputs).mean() > worth(inputs).mean() + 0.05


def test_one_that_does_not_changes_little(monkeypatch: pytest.MonkeyPatch):
    of, inputs = learner(chance, DARTS), DARTS.inputs(np.random.default_rng(0), N)
    assert of.critic.explained() < TRUSTED
    outputs = unevaluated_outputs(of, inputs)
    assert DARTS.valid(inputs, outputs).all()
    assert untried(of, inputs, outputs) < 0.1
    monkeypatch.setattr(unevaluated, "TRUSTED", -np.inf)  # followed all the same
    assert untried(of, inputs, unevaluated_outputs(of, inputs)) > 0.9


@pytest.mark.parametrize("value", [worth, chance])
def test_what_was_measured_to_be_worse_is_not_chosen(value: Callable[[Architectures], np.ndarray]):
    of, inputs = learner(value), MOVES.inputs(np.random.default_rng(0), N)
    of.evaluated.add(inputs, value(inputs))
    outputs = unevaluated_outputs(of, inputs)
    reached = of.evaluated.values_of(outputs)
    known = np.isfinite(reached)
    assert known.any()
    assert (reached[known] >= of.evaluated.values_of(inputs)[known]).all()


def test_without_results_inputs_stay():
    of, inputs = Learner(DARTS, SMALL, seed=1), DARTS.inputs(np.random.default_rng(0), 5)
    of.finish()
    assert of.critic.explained() == 0.0
    assert unevaluated_outputs(of, inputs).operations.tolist() == inputs.operations.tolist()

"""Outputs of inputs that may be worth evaluating, ranked anew whenever more is known.

The contenders of an input are the outputs that the policy draws for it, and what one more changed edge makes of the
best that is known of it. The critic learns from all results so far, those of the inputs among them; first comes the
contender with the highest mean + standard deviation (an upper confidence bound). It is worth an evaluation where that
is above the best known.

Source: the bound is that of Srinivas et al.: Gaussian Process Optimization in the Bandit Setting, ICML 2010, 0912.3995,
with a constant weight. The paper (Guo et al., 1910.14488) evaluates ten samples of the policy.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import Architectures, Integers
from nni_strategies.nat.evaluated import Evaluated, Identity, identities, joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.shortlist import shortlists
from nni_strategies.nat.transitions import Transitions

Array = npt.NDArray[np.float64]

SAMPLES = 30  # outputs of an input that are looked at again and again, of those that the policy draws
MOST_POINTS = 1000  # that the critic learns from: its time is their cube


@dataclass(frozen=True)
class Ranked:
    """Contenders of one input, the most promising first.

    Parameters
    ----------
    outputs
        `n` of them, none evaluated.
    names
        Theirs.
    predicted
        What the critic expects of them, ``[n]``; NaN where it knows nothing.
    n_worth
        How many of them, from the first, are worth an evaluation.
    """

    outputs: Architectures
    names: list[Identity]
    predicted: Array
    n_worth: int


class Contenders:
    """Ranks the outputs of inputs.

    Parameters
    ----------
    learner
        What has learned; it is finished, and stays as it is.
    inputs
        A batch of `n`.
    """

    def __init__(self, learner: Learner, inputs: Architectures) -> None:
        self._transitions, self._inputs = learner.transitions, inputs
        self._critic = copy.copy(learner.critic)  # fitted on its own, by the same features of cells
        sampled = [outputs[:SAMPLES] for outputs in shortlists(learner, inputs)]
        self._owner = np.repeat(np.arange(len(sampled)), [len(each) for each in sampled])
        self._sampled = joined(sampled)

    def ranked(self, known: Evaluated) -> list[Ranked]:
        """Return the contenders of each input; a function of the results known alone."""
        critic = self._critic
        if len(known):
            chosen = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_POINTS)).round().astype(np.int64))
            critic.fit(known.architectures[chosen], known.values[chosen])
        place, value = known.best_reachable(self._inputs)
        best = self._inputs.operations.copy()
        best[place >= 0] = known.architectures.operations[place[place >= 0]]
        near, of = neighbours(self._transitions, self._inputs, best)
        owner, outputs = np.concatenate([self._owner, of]), joined([self._sampled, near])
        names = identities(self._transitions.view, outputs)
        first: dict[tuple[int, Identity], int] = {}
        for row in np.flatnonzero(known.places(outputs) < 0).tolist():
            first.setdefault((int(owner[row]), names[row]), row)
        rows = np.array(list(first.values()), dtype=np.int64)
        mean, sd = critic.predict(outputs[rows])
        hope, bar, owner = mean + sd, critic.target(value), owner[rows]
        order = np.lexsort((-hope, owner))
        starts = np.searchsorted(owner[order], np.arange(len(self._inputs) + 1))
        result = []
        for i in range(len(self._inputs)):
            own = order[starts[i] : starts[i + 1]]
            n_worth = int((hope[own] > bar[i]).sum())
            named = [names[row] for row in rows[own].tolist()]
            predicted = critic.value(mean[own]) if len(known) else np.full(len(own), np.nan)
            result.append(Ranked(outputs[rows[own]], named, predicted, n_worth))
        return result


def neighbours(transitions: Transitions, inputs: Architectures, operations: Integers) -> tuple[Architectures, Integers]:
    """Return what one change more makes of outputs, where their inputs may become that.

    Parameters
    ----------
    transitions
        Which outputs an input has.
    inputs
        A batch of `n`.
    operations
        Of one output of each, ``[n, n_edges]``.

    Returns
    -------
    outputs, owner
        `m` of them, all valid, and the places of their inputs, ``[m]``.
    """
    there = np.arange(len(transitions.view.operations)) == operations[..., None]
    owner, edge, operation = np.nonzero(transitions.allowed(inputs) & ~there)
    changed = operations[owner]
    changed[np.arange(len(owner)), edge] = operation
    outputs = inputs[owner].replaced(changed)
    sound = transitions.sound(inputs[owner], outputs)
    return outputs[sound], owner[sound]

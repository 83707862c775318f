"""The outputs of inputs, once the learner has learned.

Of 200 outputs that the policy draws for an input, the critic's `k` best are evaluated, and the input. Its output is the
best of all that was evaluated and that it can become, be it for another input: it never reaches less than its input.

With ``k = 0`` nothing is evaluated, and there is no such guarantee. What was not evaluated is chosen where its mean
less half its standard deviation beats all that is known: the critic errs most about what is unlike all it has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.shortlist import shortlists

Array = npt.NDArray[np.float64]

CAUTION = 0.5

_WEIGHED = 20  # samples of an input whose standard deviation is asked


@dataclass(frozen=True)
class Derived:
    """Outputs of `n` inputs.

    Parameters
    ----------
    outputs
        One for each input.
    values
        What they reached, ``[n]``; NaN where the output was not evaluated.
    predicted
        What the critic expects of them, ``[n]``.
    """

    outputs: Architectures
    values: Array
    predicted: Array


class Derivation:
    """Chooses the outputs of inputs.

    Parameters
    ----------
    learner
        What has learned; it is finished.
    inputs
        A batch of `n`.
    k
        How many outputs of each input are evaluated.

    Attributes
    ----------
    wanted
        What is to be evaluated, and then added to ``learner.evaluated``, before :meth:`result`: each once, and nothing
        that is there already.
    """

    def __init__(self, learner: Learner, inputs: Architectures, k: int) -> None:
        learner.finish()
        self._learner, self._inputs, self._k = learner, inputs, k
        lists = [outputs[: k or _WEIGHED] for outputs in shortlists(learner, inputs)]
        self._best, self._owner = joined(lists), np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        offers = joined([inputs, self._best])
        self.wanted = offers[learner.evaluated.unknown(offers)] if k else inputs[[]]

    def result(self) -> Derived:
        """Return the outputs."""
        evaluated, critic = self._learner.evaluated, self._learner.critic
        place, value = evaluated.best_reachable(self._inputs)
        own = evaluated.values_of(self._inputs)
        found = enumerate(place.tolist())
        outputs = [evaluated.architectures[[at]] if at >= 0 else self._inputs[[i]] for i, at in found]
        for kept in np.flatnonzero(np.nan_to_num(own, nan=-np.inf) >= value).tolist():
            outputs[kept] = self._inputs[[kept]]
        if self._k == 0:
            known = critic.target(np.fmax(own, value))
            for i, offer in self._promising(known):
                outputs[i] = offer
        together = joined(outputs)
        return Derived(together, evaluated.values_of(together), critic.value(critic.mean(together)))

    def _promising(self, known: Array) -> Iterator[tuple[int, Architectures]]:
        """Yield what was not evaluated and is expected to beat the targets known of inputs, ``[n]``, with its input."""
        offers = joined([self._inputs, self._best])
        owner = np.concatenate([np.arange(len(self._inputs)), self._owner])
        mean, sd = self._learner.critic.predict(offers)
        new = (self._learner.evaluated.places(offers) < 0) & self._learner.transitions.alive(offers)
        cautious = np.where(new, mean - CAUTION * sd, -np.inf)
        for i in range(len(self._inputs)):
            mine = np.flatnonzero(owner == i)
            best = int(mine[cautious[mine].argmax()])
            if cautious[best] > known[i]:
                yield i, offers[[best]]

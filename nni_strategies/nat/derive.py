"""The outputs of inputs, once the learner has learned.

The inputs are evaluated; then, in `k` rounds, of each input its most promising contender (:mod:`.contenders`), as long
as one may beat what is known. The output of an input is the best of all that was evaluated and that it can become, be
it for another input: it never reaches less than its input.

With ``k = 0`` nothing is evaluated, the critic alone chooses (:mod:`.unevaluated`), and there is no such guarantee.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.contenders import Contenders
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Identity, identities, joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.unevaluated import unevaluated_outputs

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Derived:
    """Outputs of `n` inputs.

    Parameters
    ----------
    outputs
        One for each input.
    values
        What they reached, ``[n]``; NaN where the output was not evaluated.
    """

    outputs: Architectures
    values: Array


class Derivation:
    """Chooses the outputs of inputs.

    Parameters
    ----------
    learner
        What has learned; it is finished.
    inputs
        A batch of `n`.
    k
        How many outputs of each input are evaluated at most.
    """

    def __init__(self, learner: Learner, inputs: Architectures, k: int) -> None:
        learner.finish()
        self._learner, self._inputs, self._k = learner, inputs, k

    def rounds(self) -> Iterator[Architectures]:
        """Yield what is to be evaluated, each once and nothing that ``learner.evaluated`` knows already.

        First come the inputs, be there none that are unknown; then at most `k` rounds. What they reached is to be added
        before the next is asked for; what failed is not asked for again.
        """
        evaluated = self._learner.evaluated
        if not self._k:
            return
        new = self._inputs[evaluated.unknown(self._inputs)]
        yield new
        contenders = Contenders(self._learner, self._inputs)
        asked: set[Identity] = set(identities(self._learner.transitions.view, new))
        for _ in range(self._k):
            wanted: dict[Identity, Architectures] = {}
            for ranked in contenders.ranked(evaluated):
                place = next((i for i, name in enumerate(ranked.names[: ranked.n_worth]) if name not in asked), None)
                if place is not None:
                    wanted.setdefault(ranked.names[place], ranked.outputs[[place]])
            if not wanted:
                return
            asked |= wanted.keys()
            yield joined(list(wanted.values()))

    def result(self) -> Derived:
        """Return the outputs."""
        evaluated = self._learner.evaluated
        if self._k:
            place, value = evaluated.best_reachable(self._inputs)
            own = np.nan_to_num(evaluated.values_of(self._inputs), nan=-np.inf)
            outputs = self._inputs.operations.copy()
            better = value > own
            outputs[better] = evaluated.architectures.operations[place[better]]
            chosen = self._inputs.replaced(outputs)
        else:
            chosen = unevaluated_outputs(self._learner, self._inputs)
        return Derived(chosen, evaluated.values_of(chosen))

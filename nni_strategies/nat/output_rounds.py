"""Which output of which input a search proposes next: in rounds, each of which learns from all results before it.

In a round of each input the most promising contender (:mod:`.contenders`) is proposed, then of each the next; those
not worth an evaluation come last. A round begins when as many results came in as there are inputs. Without a critic
there is one round, in the order that the policy drew its outputs.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from nni_strategies.nat.contenders import Contenders, Ranked
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Identity, identities
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.paper_queries import PaperQueries
from nni_strategies.nat.shortlist import shortlists

LEAST_RESULTS = 4  # of a round


class OutputRounds:
    """Chooses outputs of inputs; a function of the learner's state and of when outputs were proposed.

    Parameters
    ----------
    learner
        What learns; it is done when the first output is asked for.
    inputs
        A batch of `n`.
    """

    def __init__(self, learner: Learner | PaperQueries, inputs: Architectures) -> None:
        self._learner, self._inputs = learner, inputs
        self._size = max(len(inputs), LEAST_RESULTS)
        self._begun: int | None = None  # results known when the round began
        self._contenders: Contenders | None = None
        self._ranked_for: int | None = None
        self._ranked: list[Ranked] = []

    def proposed(self) -> None:
        """Note that an output is under way; by it a round begins, if one is due."""
        self._begun = self._n_known()

    def next(self, taken: Set[Identity]) -> tuple[int, Architectures, float | None] | None:
        """Return the number of an input, an output of it that is not `taken`, and what is expected of that.

        None where all were taken.
        """
        self._rank()
        found = []
        for number, ranked in enumerate(self._ranked):
            place = next((i for i, name in enumerate(ranked.names) if name not in taken), None)
            if place is not None:
                found.append((place >= ranked.n_worth, place, number))
        if not found:
            return None
        _, place, number = min(found)
        ranked = self._ranked[number]
        expected = float(ranked.predicted[place])
        return number, ranked.outputs[[place]], expected if np.isfinite(expected) else None

    def _n_known(self) -> int:
        """Return how many results the round that is due learns from."""
        n = len(self._learner.evaluated)
        return n if self._begun is None or n >= self._begun + self._size else self._begun

    def _rank(self) -> None:
        self._learner.finish()
        if not isinstance(self._learner, Learner):
            self._ranked = self._ranked or self._as_drawn(self._learner)
            return
        n_known = self._n_known()
        if self._ranked_for != n_known:
            self._contenders = self._contenders or Contenders(self._learner, self._inputs)
            self._ranked = self._contenders.ranked(self._learner.evaluated.first(n_known))
            self._ranked_for = n_known

    def _as_drawn(self, learner: PaperQueries) -> list[Ranked]:
        view = learner.transitions.view
        drawn = shortlists(learner, self._inputs)
        return [Ranked(each, identities(view, each), np.full(len(each), np.nan), 0) for each in drawn]

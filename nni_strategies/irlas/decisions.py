"""A search space as decisions in order: what a Q-learning agent walks through to build one configuration.

Each parameter is one decision. Its action is the parameter's code: the index of a categorical's value, a subset as a
whole, the quantile bin of a number. What a condition switches off is no decision. Undecided parameters are drawn as
completions of what is decided so far, so that constraints and legality masks hold for every step.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from nni_strategies.space.parameters import INACTIVE, Codes, Numerical
from nni_strategies.space.search_space import SearchSpace

Action = tuple[int, ...]
Step = tuple[int, Action]  # the place of a parameter, and the action taken there
State = tuple[Step, ...]
StateKind = Literal["prefix", "last"]

_TRIES = 64  # where constraints may refuse what is drawn
_ROUNDS = 4
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Decisions:
    """The decisions of a search space.

    Parameters
    ----------
    space
        Any space.
    bins
        Number of quantile bins of a number.
    kind
        What the agent knows of the decisions so far. ``prefix``: all. ``last``: those of the last group and of this
        one, as BlockQNN's agent sees the last layer only; labels with the same last number are a group (``op_3``,
        ``p1_3``, ``p2_3``).

    Attributes
    ----------
    n_actions
        How many actions each parameter has at most.
    """

    def __init__(self, space: SearchSpace, bins: int, kind: StateKind = "prefix") -> None:
        self.space, self._bins, self._kind = space, bins, kind
        self._columns = [space.columns[parameter.label] for parameter in space.parameters]
        self._numerical = [isinstance(parameter, Numerical) for parameter in space.parameters]
        self._groups = [_group(parameter.label) for parameter in space.parameters]
        sizes = [parameter.size for parameter in space.parameters]
        self.n_actions: list[float] = [
            bins if numerical else float("inf") if size is None else size
            for numerical, size in zip(self._numerical, sizes, strict=True)
        ]
        self._parents: list[tuple[int, frozenset[float]] | None] = []
        for parameter in space.parameters:
            condition = parameter.condition
            if condition is None:
                self._parents.append(None)
            else:
                parent = space[condition.label]
                wanted = frozenset(parent.encode(value)[0] for value in condition.values)
                self._parents.append((space.columns[condition.label].start, wanted))

    def __len__(self) -> int:
        return len(self._columns)

    def is_due(self, place: int, codes: Codes) -> bool:
        """Whether the parameter at a place exists, given the codes ``[n_codes]`` decided before it."""
        parent = self._parents[place]
        return parent is None or float(codes[parent[0]]) in parent[1]

    def action(self, place: int, codes: Codes) -> Action:
        """Return the action that leads to a point, ``[n_codes]``, at a place."""
        own = codes[self._columns[place]]
        if self._numerical[place]:
            return (min(int(own[0] * self._bins), self._bins - 1),)
        return tuple(own.astype(np.int64).tolist())

    def steps(self, codes: Codes) -> list[Step]:
        """Return the steps that lead to a point, ``[n_codes]``."""
        due = [place for place, columns in enumerate(self._columns) if codes[columns.start] != INACTIVE]
        return [(place, self.action(place, codes)) for place in due]

    def state(self, steps: list[Step], place: int) -> State:
        """Return what the agent knows before the decision at a place, after `steps`."""
        if self._kind == "prefix":
            return tuple(steps)
        earlier = [self._groups[p] for p, _ in steps if self._groups[p] != self._groups[place]]
        wanted = {self._groups[place], *earlier[-1:]}
        return ((place, ()), *(step for step in steps if self._groups[step[0]] in wanted))

    def decide(self, codes: Codes, place: int, point: Codes) -> None:
        """Take over into `codes` what a point, ``[n_codes]``, has at a place."""
        codes[self._columns[place]] = point[self._columns[place]]

    def completions(
        self, decided: Codes, place: int, rng: np.random.Generator, n: int = 1, action: Action | None = None
    ) -> Codes:
        """Draw points uniformly that agree with what is decided before a place.

        Parameters
        ----------
        decided
            Codes ``[n_codes]``; what comes before `place` counts.
        n
            How many are wanted.
        action
            Taken at `place`; any when None.

        Returns
        -------
        Codes
            At most `n` points ``[n, n_codes]``; none where a few hundred draws found none.
        """
        start = known = self._columns[place].start
        if action is not None:
            known = self._columns[place].stop
        count = max(n, _TRIES) if self.space.constraints else n
        for _ in range(_ROUNDS):
            codes = self.space.sample_codes(rng, count)
            codes[:, :start] = decided[:start]
            if action is not None:
                codes[:, self._columns[place]] = self._codes_of(place, action, rng, len(codes))
            wanted = codes[:, :known].copy()
            codes = self.space.repair(codes, rng)
            codes = self.space.only_valid(codes[np.all(codes[:, :known] == wanted, axis=1)])
            if len(codes):
                break
        return codes[:n]

    def _codes_of(self, place: int, action: Action, rng: np.random.Generator, n: int) -> Codes:
        if not self._numerical[place]:
            return np.tile(np.array(action, dtype=np.float64), (n, 1))
        parameter = self.space.parameters[place]
        quantiles = (action[0] + rng.random(n)) / self._bins
        return parameter.encode_all(parameter.decode_all(quantiles[:, None]))


def _group(label: str) -> str:
    found = _LAST_NUMBER.search(label)
    return found.group() if found else label

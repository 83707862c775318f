"""A search space as decisions in order: what a Q-learning agent walks through to build one configuration.

Each parameter is one decision. Its action is the parameter's code: the index of a categorical's value, a subset as a
whole, the quantile bin of a number. What a condition switches off is no decision. Undecided parameters are drawn as
completions of what is decided so far, so that constraints and legality masks hold for every step. Where there are
constraints, which actions are legal is seen from completions too.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Literal

import numpy as np

from nni_strategies.space.parameters import INACTIVE, Codes, Numerical
from nni_strategies.space.search_space import SearchSpace

Action = tuple[int, ...]
Step = tuple[int, Action]  # the place of a parameter, and the action taken there
State = tuple[Step, ...]
StateKind = Literal["prefix", "last"]

_ROUNDS = 4
_BATCH = 32  # draws where constraints may refuse some, then twice as many, up to ...
_LARGEST_BATCH = 1024
_ENOUGH = 256  # ... so many, or four for each that is wanted, if any was found, or
_MOST = 4096
_SEEN = 128  # completions that legal actions are counted among
_KEPT = 20_000
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
        self._legal: OrderedDict[tuple[int, bytes], int] = OrderedDict()
        self._parents: dict[str, tuple[int, frozenset[float]]] = {
            label: (source, frozenset(wanted.tolist())) for label, source, wanted in space.switches
        }

    def __len__(self) -> int:
        return len(self._columns)

    def is_due(self, place: int, codes: Codes) -> bool:
        """Whether the parameter at a place exists, given the codes ``[n_codes]`` decided before it."""
        parent = self._parents.get(self.space.parameters[place].label)
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

    def agree(self, point: Codes, codes: Codes, place: int) -> bool:
        """Whether a point, ``[n_codes]``, has what is decided in `codes` before a place."""
        start = self._columns[place].start
        return np.array_equal(point[:start], codes[:start])

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
            At most `n` points ``[n, n_codes]``; none where a few thousand draws found none.
        """
        if self.space.constraints:
            return self._valid_completions(decided, place, rng, n, action)
        for _ in range(_ROUNDS):
            codes = self._completed(self.space.sample_codes(rng, n), decided, place, rng, action)
            if len(codes):
                break
        return codes[:n]

    def _valid_completions(
        self, decided: Codes, place: int, rng: np.random.Generator, n: int, action: Action | None
    ) -> Codes:
        found: list[Codes] = []
        n_found, drawn, batch = 0, 0, max(n, _BATCH)
        while n_found < n and drawn < (max(_ENOUGH, 4 * n) if n_found else _MOST):
            codes = self._completed(self.space.loose_codes(rng, batch), decided, place, rng, action)
            found.append(self.space.only_valid(codes))
            n_found, drawn = n_found + len(found[-1]), drawn + batch
            batch = min(2 * batch, max(n, _LARGEST_BATCH))
        return np.vstack(found)[:n]

    def _completed(
        self, codes: Codes, decided: Codes, place: int, rng: np.random.Generator, action: Action | None
    ) -> Codes:
        """Return drawn codes with what is decided put in, but for those whose conditions then change that."""
        columns = self._columns[place]
        known = columns.start if action is None else columns.stop
        codes[:, : columns.start] = decided[: columns.start]
        if action is not None:
            codes[:, columns] = self._codes_of(place, action, rng, len(codes))
        wanted = codes[:, :known].copy()
        codes = self.space.repair(codes, rng)
        return codes[np.all(codes[:, :known] == wanted, axis=1)]

    def count_actions(self, place: int, codes: Codes) -> float:
        """Return how many actions there are at a place, given the codes ``[n_codes]`` decided before it.

        Where there are constraints those that some of 128 completions take: rare ones may be missed.
        """
        if not self.space.constraints:
            return self.n_actions[place]
        key = place, codes[: self._columns[place].start].tobytes()
        if key not in self._legal:
            seen = self.completions(codes, place, np.random.default_rng(_SEEN), _SEEN)
            self._legal[key] = len({self.action(place, point) for point in seen})
            if len(self._legal) > _KEPT:
                self._legal.popitem(last=False)
        return self._legal[key]

    def _codes_of(self, place: int, action: Action, rng: np.random.Generator, n: int) -> Codes:
        if not self._numerical[place]:
            return np.tile(np.array(action, dtype=np.float64), (n, 1))
        parameter = self.space.parameters[place]
        quantiles = (action[0] + rng.random(n)) / self._bins
        return parameter.encode_all(parameter.decode_all(quantiles[:, None]))


def _group(label: str) -> str:
    found = _LAST_NUMBER.search(label)
    return found.group() if found else label

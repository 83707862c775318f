"""What is left to evaluate when a policy proposes nothing new."""

from __future__ import annotations

from collections.abc import Callable, Set

import numpy as np

from nni_strategies.errors import SpaceExhausted
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.evaluated import Identity, identities, joined
from nni_strategies.nat.transitions import Transitions

_ENUMERABLE = 30_000  # points, or outputs of an input
_DRAWS, _ROUNDS = 64, 16

Draw = Callable[[np.random.Generator, int], Architectures]


class Leftovers:
    """Draws outputs of inputs that were not evaluated, and then, perhaps, architectures that are outputs of none.

    Parameters
    ----------
    transitions
        Which outputs an input has.
    inputs
        Whose outputs are drawn.
    drawn
        Whether the inputs were drawn, so that any other architecture may follow them.
    """

    def __init__(self, transitions: Transitions, inputs: Architectures, *, drawn: bool) -> None:
        self._transitions, self._inputs, self._drawn = transitions, inputs, drawn
        # of what is few enough: outputs of an input; -1: all there is
        self._lists: dict[int, tuple[Architectures, list[Identity]]] = {}

    def any_output(self, taken: Set[Identity]) -> bool:
        """Whether an input may have an output that was not taken; where there are many, that is not looked at."""
        for number in range(len(self._inputs)):
            listed = self._list(number)
            if listed is None or not taken >= set(listed[1]):
                return True
        return False

    def draw(self, taken: Set[Identity], rng: np.random.Generator) -> tuple[int | None, Architectures]:
        """Return the number of an input and an output of it, or None and any architecture.

        Raises
        ------
        SpaceExhausted
            Nothing new was found.
        """
        for number in rng.permutation(len(self._inputs)).tolist():
            found = self._first_new(taken, rng, number)
            if found is not None:
                return number, found
        found = self._first_new(taken, rng, -1) if self._drawn else None
        if found is None:
            raise SpaceExhausted("all that the inputs can become was proposed, as far as it was found")
        return None, found

    def _first_new(self, taken: Set[Identity], rng: np.random.Generator, number: int) -> Architectures | None:
        listed = self._list(number)
        if listed is not None:
            return _any_new(*listed, taken, rng)
        for _ in range(_ROUNDS):
            some = self._draws(rng, number)
            found = _any_new(some, identities(self._transitions.view, some), taken, rng)
            if found is not None:
                return found
        return None

    def _draws(self, rng: np.random.Generator, number: int) -> Architectures:
        if number < 0:
            return self._transitions.inputs(rng, _DRAWS)
        return self._transitions.random_children(self._inputs[[number]], _DRAWS, rng)

    def _list(self, number: int) -> tuple[Architectures, list[Identity]] | None:
        """Return all there are, with their names; None where there are too many."""
        if number not in self._lists:
            if not self._is_enumerable(number):
                return None
            every = self._enumerated(number)
            self._lists[number] = every, identities(self._transitions.view, every)
        return self._lists[number]

    def _is_enumerable(self, number: int) -> bool:
        if number < 0:
            size = self._transitions.view.space.size
            return size is not None and size <= _ENUMERABLE
        return self._transitions.n_moves(self._inputs[[number]])[0] <= _ENUMERABLE

    def _enumerated(self, number: int) -> Architectures:
        if number < 0:
            every = self._transitions.view.encode(list(self._transitions.view.space.enumerate()))
            return every[self._transitions.alive(every)]
        outputs = self._transitions.reachable(self._inputs[[number]])
        return self._inputs[np.full(len(outputs), number)].replaced(outputs)


def _any_new(
    some: Architectures, names: list[Identity], taken: Set[Identity], rng: np.random.Generator
) -> Architectures | None:
    new = [row for row, name in enumerate(names) if name not in taken]
    return some[[new[int(rng.integers(len(new)))]]] if new else None


def distinct(view: EdgeView, draw: Draw, rng: np.random.Generator, n: int) -> Architectures:
    """Draw until there are `n` different architectures; fewer where many draws find no more."""
    found: list[Architectures] = []
    names: dict[Identity, None] = {}
    for _ in range(_ROUNDS):
        some = draw(rng, n)
        for row, name in enumerate(identities(view, some)):
            if name not in names and len(found) < n:
                names[name] = None
                found.append(some[[row]])
        if len(found) == n:
            break
    return joined(found) if found else some[[]]

"""What was evaluated so far, in the order the results came: shared by all inputs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import ABSENT, Architectures, EdgeView, Flags, Integers
from nni_strategies.nat.transitions import Transitions

Array = npt.NDArray[np.float64]
Identity = tuple[bytes, str]

_LARGEST = 1e100  # of values, which the critic squares
_PAIRS = 2_000_000  # of input and output, looked at together


def contexts(view: EdgeView, architectures: Architectures) -> list[str]:
    """Return what of each architecture a transformation cannot change, sources aside, as text."""
    edges = {edge.label for edge in view.edges}
    labels = [label for label in view.space.labels if label not in edges]
    if not labels:
        return [""] * len(architectures)
    known: dict[int, str] = {}
    for rest in architectures.rest:
        if id(rest) not in known:
            known[id(rest)] = json.dumps([rest.get(label) for label in labels])
    return [known[id(rest)] for rest in architectures.rest]


def identities(view: EdgeView, architectures: Architectures) -> list[Identity]:
    """Return what is equal exactly for equal configurations."""
    return list(zip(architectures.keys(), contexts(view, architectures), strict=True))


class Evaluated:
    """Architectures with what they reached.

    Parameters
    ----------
    transitions
        Which outputs an input has.

    Attributes
    ----------
    architectures
        All of them, in order.
    values
        What they reached, ``[n]``.
    """

    def __init__(self, transitions: Transitions) -> None:
        self._transitions = transitions
        shape = (0, transitions.view.n_edges)
        self.architectures = Architectures(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), ())
        self.values: Array = np.zeros(0)
        self._places: dict[Identity, int] = {}
        self._numbers: dict[tuple[bytes, str], int] = {}

    def __len__(self) -> int:
        return len(self.values)

    def add(self, architectures: Architectures, values: Sequence[float] | Array) -> None:
        """Note results; of an architecture that is there already the first is kept."""
        new: list[int] = []
        for row, identity in enumerate(identities(self._transitions.view, architectures)):
            if identity not in self._places:
                self._places[identity] = len(self) + len(new)
                new.append(row)
        self.architectures = joined([self.architectures, architectures[new]])
        self.values = np.concatenate([self.values, np.asarray(values, dtype=float)[new]])

    def places(self, architectures: Architectures) -> Integers:
        """Return where each of them is in the list, -1 where it was not evaluated, ``[n]``."""
        found = [self._places.get(identity, -1) for identity in identities(self._transitions.view, architectures)]
        return np.array(found, dtype=np.int64)

    def first(self, n: int) -> Evaluated:
        """Return the first `n` results alone."""
        part = Evaluated(self._transitions)
        part.add(self.architectures[:n], self.values[:n])
        return part

    def unknown(self, architectures: Architectures) -> Integers:
        """Return the places of those that were not evaluated, each once."""
        first: dict[Identity, int] = {}
        for place, identity in enumerate(identities(self._transitions.view, architectures)):
            if identity not in self._places:
                first.setdefault(identity, place)
        return np.array(list(first.values()), dtype=np.int64)

    def values_of(self, architectures: Architectures) -> Array:
        """Return what they reached, NaN where that is not known, ``[n]``."""
        return np.append(self.values, np.nan)[self.places(architectures)]

    def best_reachable(self, inputs: Architectures) -> tuple[Integers, Array]:
        """Return the best of what each input can become.

        Returns
        -------
        places, values
            Where it is in the list, and what it reached, ``[n_inputs]``; -1 and -infinity where there is none.
        """
        places, values = np.full(len(inputs), -1), np.full(len(inputs), -np.inf)
        step = max(1, _PAIRS // max(1, len(self)))
        for start in range(0, len(inputs) if len(self) else 0, step):
            part = slice(start, start + step)
            reached = np.where(self.reachable(inputs[part]), self.values, -np.inf)
            values[part] = reached.max(axis=1)
            places[part] = np.where(np.isfinite(values[part]), reached.argmax(axis=1), -1)
        return places, values

    def reachable(self, inputs: Architectures) -> Flags:
        """Return which are valid outputs of each input, ``[n_inputs, n]``: what ``transitions.valid`` says of pairs."""
        absent = (inputs.operations == ABSENT)[..., None]
        allowed = np.concatenate([self._transitions.allowed(inputs), absent], axis=2)  # the last is ABSENT, -1
        found = self._contexts(inputs)[:, None] == self._contexts(self.architectures)[None, :]
        found &= self._transitions.alive(self.architectures)
        for edge, operations in enumerate(self.architectures.operations.T):
            found &= allowed[:, edge][:, operations]
        if self._transitions.cost_mode == "live":
            bounds, paid = (self._transitions.live_costs(each) for each in (inputs, self.architectures))
            found &= (paid <= bounds[:, None]).all(axis=2)
        return np.asarray(found)

    def _contexts(self, architectures: Architectures) -> Integers:
        """Return a number for what a transformation cannot change, sources and other choices, ``[n]``."""
        rest = contexts(self._transitions.view, architectures)
        unchanged = [(row.tobytes(), context) for row, context in zip(architectures.sources, rest, strict=True)]
        return np.array([self._numbers.setdefault(one, len(self._numbers)) for one in unchanged], dtype=np.int64)


def bounded(value: float) -> float:
    """Return a value that a learner can reckon with: that of 1e100 and more is 1e100."""
    return max(-_LARGEST, min(_LARGEST, value))


def joined(parts: Sequence[Architectures]) -> Architectures:
    """Return several batches as one."""
    return Architectures(
        np.concatenate([part.operations for part in parts]),
        np.concatenate([part.sources for part in parts]),
        tuple(rest for part in parts for rest in part.rest),
    )

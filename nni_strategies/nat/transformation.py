"""What became of an input: the best output that is known, with what it costs and what was changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.search_space import Configuration


@dataclass(frozen=True)
class Transformation:
    """An input and its output.

    Parameters
    ----------
    input, output
        Configurations; the same where nothing better is known.
    input_value, value
        What they reached, higher is better; None where it is not known. ``value`` is never less.
    input_cost, cost
        (MAdds, parameters), of the operations alone where no more is known. No ``cost`` is more, with
        ``cost_rule="strict"``.
    changed
        Label -> operations before and after.
    """

    input: Configuration
    output: Configuration
    input_value: float | None
    value: float | None
    input_cost: tuple[int, int]
    cost: tuple[int, int]
    changed: dict[str, tuple[Any, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def best_output(
    transitions: Transitions, evaluated: Evaluated, given: Architectures, *, keep: bool = True
) -> Architectures:
    """Return the best known output of an input, a batch of one; of equally good ones the cheapest, then the nearest.

    Parameters
    ----------
    keep
        Whether the input is one of its outputs where there are others.
    """
    valid = np.flatnonzero(evaluated.reachable(given)[0])
    offers = evaluated.architectures[valid]
    n_changed = (offers.operations != given.operations).sum(axis=1)
    if not keep and n_changed.any():
        valid, offers, n_changed = valid[n_changed > 0], offers[n_changed > 0], n_changed[n_changed > 0]
    costs = transitions.costs.total(offers)
    order = np.lexsort((n_changed, costs[:, 1], costs[:, 0], -evaluated.values[valid]))
    return given.replaced(offers[order[:1]].operations) if len(order) else given


def transformation(transitions: Transitions, evaluated: Evaluated, given: Architectures) -> Transformation:
    """Return what became of an input, a batch of one."""
    output = best_output(transitions, evaluated, given)
    before, after = transitions.view.decode(given)[0], transitions.view.decode(output)[0]
    return Transformation(
        input=before,
        output=after,
        input_value=_value(evaluated, given),
        value=_value(evaluated, output),
        input_cost=cost_of(transitions, given),
        cost=cost_of(transitions, output),
        changed={label: (before[label], after[label]) for label in before if before[label] != after[label]},
    )


def _value(evaluated: Evaluated, architecture: Architectures) -> float | None:
    value = float(evaluated.values_of(architecture)[0])
    return None if np.isnan(value) else value


def cost_of(transitions: Transitions, architecture: Architectures) -> tuple[int, int]:
    """Return (MAdds, parameters) of a batch of one."""
    madds, params = transitions.costs.total(architecture)[0].tolist()
    return madds, params

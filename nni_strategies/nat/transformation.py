"""What became of an input: the best of all that was evaluated and that it can become, itself among them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nni_strategies.nat.counter import Cost
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.evaluated import Evaluated
from nni_strategies.nat.liveness import carries, live_edges
from nni_strategies.nat.transitions import Transitions


@dataclass(frozen=True)
class Change:
    """An operation that was replaced.

    Parameters
    ----------
    label
        Of the choice.
    cell, source, node
        Where its edge is: the kind of cell, the node it leaves and the one it enters.
    before, after
        The operations.
    """

    label: str
    cell: str
    source: int
    node: int
    before: Any
    after: Any


@dataclass(frozen=True)
class Transformation:
    """An architecture and its output.

    Parameters
    ----------
    before, after
        The architectures, as NNI's samples where the space is one of NNI's; the same where nothing better is known.
    cost_before, cost_after
        MAdds and parameters, of the operations alone where no more is known. With ``cost_rule="strict"`` neither rises.
    score_before, score_after
        What they reached, higher is better; None where it is not known. The second is no less, unless that was asked.
    changed
        The edges whose operations were replaced.
    dead
        Labels of the operations in ``after`` that are computed in vain: no path leads through them from an input of a
        cell to its output. They are paid for, as PyTorch runs them.
    live_before, live_after
        The costs without what reaches no output of its cell. The second may be higher, unless ``cost_mode="live"``
        forbids that.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    cost_before: Cost
    cost_after: Cost
    score_before: float | None
    score_after: float | None
    changed: tuple[Change, ...]
    dead: tuple[str, ...]
    live_before: Cost
    live_after: Cost

    def to_json(self) -> str:
        """Return it as JSON; ``after`` is what ``model_context`` takes."""
        return json.dumps(self._parts(), indent=1)

    def _parts(self) -> dict[str, Any]:
        costs = {"cost_before": self.cost_before._asdict(), "cost_after": self.cost_after._asdict()}
        return {
            "before": self.before,
            "after": self.after,
            **costs,
            "score_before": self.score_before,
            "score_after": self.score_after,
            "changed": [asdict(change) for change in self.changed],
            "dead": list(self.dead),
            "live_before": self.live_before._asdict(),
            "live_after": self.live_after._asdict(),
        }


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


def transformation(
    transitions: Transitions, evaluated: Evaluated, given: Architectures, output: Architectures | None = None
) -> Transformation:
    """Return what became of an input; both are batches of one.

    Parameters
    ----------
    output
        None for the best that is known.
    """
    view = transitions.view
    after = best_output(transitions, evaluated, given) if output is None else output
    old, new = view.decode(given)[0], view.decode(after)[0]
    costs = cost_of(transitions, given), cost_of(transitions, after)
    scores = _score(evaluated, given), _score(evaluated, after)
    changed, dead = changes(view, given, after), dead_labels(transitions, after)
    live = live_cost_of(transitions, given), live_cost_of(transitions, after)
    return Transformation(old, new, *costs, *scores, changed, dead, *live)


def changes(view: EdgeView, given: Architectures, output: Architectures) -> tuple[Change, ...]:
    """Return the edges whose operations differ between two batches of one."""
    old, new = view.decode(given)[0], view.decode(output)[0]
    return tuple(
        Change(edge.label, edge.cell, int(given.sources[0, e]), edge.node, old[edge.label], new[edge.label])
        for e, edge in enumerate(view.edges)
        if given.operations[0, e] != output.operations[0, e]
    )


def dead_labels(transitions: Transitions, architecture: Architectures) -> tuple[str, ...]:
    """Return the labels of a batch of one whose operations carry something that never reaches an output."""
    classes, view = transitions.classes, transitions.view
    dead = carries(classes, architecture.operations) & ~live_edges(view, classes, architecture)
    return tuple(view.edges[e].label for e in np.flatnonzero(dead[0]))


def _score(evaluated: Evaluated, architecture: Architectures) -> float | None:
    value = float(evaluated.values_of(architecture)[0])
    return None if np.isnan(value) else value


def cost_of(transitions: Transitions, architecture: Architectures) -> Cost:
    """Return what a batch of one costs."""
    return Cost(*transitions.costs.total(architecture)[0].tolist())


def live_cost_of(transitions: Transitions, architecture: Architectures) -> Cost:
    """Return what a batch of one costs without the operations that reach no output."""
    idle = transitions.costs.chosen(architecture) - transitions.live_costs(architecture)
    return Cost(*(transitions.costs.total(architecture) - idle)[0].tolist())

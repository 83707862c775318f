r"""Expected one-hop features of a network whose operations are chosen at random: multilinear in the probabilities.

What a tensor is, in expectation, is a *flow*: for each operation the probability that it made the tensor. An
operation that reads a flow occurs with its own probability times the flow's mass, and has an edge from each producer
with the product of the two; both times the probability that its result is read. Identities pass a flow on, zero
operations end it: the mass of a flow is the probability that anything arrives. A choice of operations mixes flows, a
sum of n flows with masses a_i is an ``add`` where two or more arrive,

    P(add) = 1 - prod_i (1 - a_i) - sum_i a_i prod_{j != i} (1 - a_j),

and the flow of the one that does otherwise. Choices are taken as independent.

This is the expectation over the canonical graphs of :class:`~nni_strategies.topology.graph.TopologyGraph`, but for
two simplifications: sums of sums stay two sums where a choice decides, and flows and readings that depend on one
choice are taken as independent. Without zero operations and nested sums it is exact where no choice occurs twice.

Most factors are 1, as plain floats: these are not multiplied, so that few tensors are made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from nni_strategies.irlas.one_shot.one_hop import Edge, Scalar
from nni_strategies.topology.operations import INPUT, OUTPUT

_Key = TypeVar("_Key", str, Edge)


@dataclass(frozen=True)
class Flow:
    """What made a tensor.

    Parameters
    ----------
    producers
        Operation -> probability; together the mass.
    mass
        The probability that anything arrives; the float 1.0 where that is certain.
    """

    producers: Mapping[str, Scalar]
    mass: Scalar = 1.0


DEAD = Flow({}, 0.0)
ENTRY = Flow({INPUT: 1.0})


def product(*factors: Scalar) -> Scalar:
    """Return the product; no tensor is made for a factor that is the float 0 or 1."""
    result: Scalar = 1.0
    for factor in factors:
        if equals(result, 0.0) or equals(factor, 0.0):
            return 0.0
        result = factor if equals(result, 1.0) else result if equals(factor, 1.0) else result * factor
    return result


def mixture(parts: Sequence[tuple[Scalar, Flow]]) -> Flow:
    """Return the flow of a random choice among flows, given with their probabilities, which sum to 1."""
    mixed: dict[str, list[Scalar]] = defaultdict(list)
    for probability, flow in parts:
        for label, share in flow.producers.items():
            mixed[label].append(product(probability, share))
    certain = all(equals(flow.mass, 1.0) for _, flow in parts)
    mass = 1.0 if certain else total([product(probability, flow.mass) for probability, flow in parts])
    return Flow({label: total(shares) for label, shares in mixed.items()}, mass)


def total(terms: Sequence[Scalar]) -> Scalar:
    """Return the sum of floats and tensors."""
    tensors = [term for term in terms if isinstance(term, Tensor)]
    plain = sum(term for term in terms if not isinstance(term, Tensor))
    if not tensors:
        return plain
    found = torch.stack(tensors).sum() if len(tensors) > 1 else tensors[0]
    return found + plain if plain else found


def any_of(probabilities: Sequence[Scalar]) -> Scalar:
    """Return how probable it is that any of some independent events happens."""
    if any(equals(each, 1.0) for each in probabilities):
        return 1.0
    return 1.0 - product(*[1.0 - each for each in probabilities])


@dataclass
class Tally:
    """Expected counts of operations and edges, summed up while flows pass."""

    _ops: dict[str, list[Scalar]] = field(default_factory=lambda: defaultdict(list))
    _edges: dict[Edge, list[Scalar]] = field(default_factory=lambda: defaultdict(list))

    @property
    def ops(self) -> dict[str, Scalar]:
        """Operation -> expected count."""
        return _totals(self._ops)

    @property
    def edges(self) -> dict[Edge, Scalar]:
        """(operation, operation that reads it) -> expected count."""
        return _totals(self._edges)

    def operation(self, labels: Mapping[str, Scalar], flow: Flow, weight: Scalar) -> Flow:
        """Count an operation that reads a flow, and return its own.

        Parameters
        ----------
        labels
            What the operation is, with probabilities.
        weight
            The probability that it is there at all.
        """
        for label, probability in labels.items():
            there = product(weight, probability)
            self._ops[label].append(product(there, flow.mass))
            for producer, share in flow.producers.items():
                self._edges[producer, label].append(product(there, share))
        return Flow({label: product(probability, flow.mass) for label, probability in labels.items()}, flow.mass)

    def merge(self, label: str, flows: Sequence[Flow], weight: Scalar) -> Flow:
        """Count a merge of flows, which is none where fewer than two arrive, and return its own."""
        flows = [flow for flow in flows if flow.producers]
        if len(flows) < 2:
            return flows[0] if flows else DEAD
        absent = [1.0 - flow.mass for flow in flows]
        mixed: dict[str, list[Scalar]] = defaultdict(list)
        alone: list[Scalar] = []
        for i, flow in enumerate(flows):
            no_other = product(*absent[:i], *absent[i + 1 :])
            alone.append(product(flow.mass, no_other))
            for producer, share in flow.producers.items():
                self._edges[producer, label].append(product(weight, share, 1.0 - no_other))
                mixed[producer].append(product(share, no_other))
        mass = 1.0 - product(*absent)
        together = mass - total(alone)
        self._ops[label].append(product(weight, together))
        mixed[label].append(together)
        return Flow({producer: total(shares) for producer, shares in mixed.items() if _possible(shares)}, mass)

    def leave(self, flow: Flow) -> None:
        """Count the edges into the block's output."""
        for producer, share in flow.producers.items():
            self._edges[producer, OUTPUT].append(share)


def _possible(shares: Sequence[Scalar]) -> bool:
    """Whether any share can be more than nothing."""
    return not all(equals(share, 0.0) for share in shares)


def _totals(counts: Mapping[_Key, Sequence[Scalar]]) -> dict[_Key, Scalar]:
    return {key: total(terms) for key, terms in counts.items() if _possible(terms)}


def equals(scalar: Any, number: float) -> bool:
    """Whether a scalar is this number for certain: a float, no tensor."""
    return isinstance(scalar, (float, int)) and scalar == number

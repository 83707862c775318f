"""Operations of a supernet as rules on flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.mutable import MutableExpression
from nni.nas.oneshot.pytorch.supermodule._expression_utils import traverse_all_options
from nni.nas.oneshot.pytorch.supermodule.operation import MixedConv2d
from torch import nn

from nni_strategies.irlas.one_shot.flow import Tally, product
from nni_strategies.irlas.one_shot.one_hop import Scalar
from nni_strategies.irlas.one_shot.probabilities import Probabilities
from nni_strategies.topology.module_operations import convolution, operation_of
from nni_strategies.topology.vocabulary import IDENTITY

DEPTHWISE, POINTWISE = "dwconv", "conv1"


@dataclass(frozen=True)
class Run:
    """One pass: where counts go, the choices' probabilities, and the probability that this part is there and read."""

    tally: Tally
    probabilities: Probabilities
    weight: Scalar = 1.0

    def times(self, probability: Scalar) -> Run:
        """Return the pass through a part that is there and read with this probability, given the whole."""
        return Run(self.tally, self.probabilities, product(self.weight, probability))


@dataclass(frozen=True)
class Rule:
    """How flows pass through a part of a network.

    Parameters
    ----------
    flow
        Takes the pass and the part's inputs, flows or lists of flows, and returns its output.
    needs
        Takes the choices' probabilities and returns, in the shape of the inputs, how probable it is that each is
        read, given that the output is; None where all are.
    """

    flow: Callable[..., Any]
    needs: Callable[[Probabilities], Sequence[Any]] | None = None


PASSING = Rule(lambda run, flow, *_: flow)


@dataclass(frozen=True)
class Operation:
    """What a layer is.

    Parameters
    ----------
    label
        What it is; of a convolution that chooses its kernel, in its first configuration.
    labels
        What it is with which probability, given those of the choices.
    """

    label: str
    labels: Callable[[Probabilities], Mapping[str, Scalar]]

    @property
    def rule(self) -> Rule:
        """The rule that counts it."""
        return Rule(lambda run, flow, *_: run.tally.operation(self.labels(run.probabilities), flow, run.weight))

    def separable(self) -> Operation:
        """Return the separable convolution that a depthwise one and the 1x1 after it make."""

        def renamed(label: str) -> str:
            return "sepconv" + label.removeprefix(DEPTHWISE)

        return Operation(
            renamed(self.label), lambda given: {renamed(label): p for label, p in self.labels(given).items()}
        )


def named(label: str) -> Operation:
    """Return an operation that is always the same."""
    return Operation(label, lambda _: {label: 1.0})


def layer_operation(module: nn.Module) -> Operation | None:
    """Return the operation of a layer; None for a module that is none or belongs to its producer."""
    if isinstance(module, MixedConv2d):
        return _mixed_convolution(module)
    label = operation_of(module)
    return None if label in (None, IDENTITY) else named(str(label))


def _mixed_convolution(module: Any) -> Operation:
    """Return a convolution that chooses its kernel; how it is grouped is taken from its first configuration."""
    arguments = {**module.init_arguments, **module.mutable_arguments}
    first = {label: spec.values[0] for label, spec in module.simplify().items()}
    fixed = {name: each.freeze(first) if _mutable(each) else each for name, each in arguments.items()}
    kernel = arguments["kernel_size"]

    def label(size: Any) -> str:
        return convolution(_pair(size), fixed["in_channels"], fixed["groups"], _pair(fixed["dilation"]))

    def labels(probabilities: Probabilities) -> Mapping[str, Scalar]:
        found: dict[str, Scalar] = {}
        for size, probability in traverse_all_options(kernel, probabilities) if _mutable(kernel) else [(kernel, 1.0)]:
            found[label(size)] = found.get(label(size), 0.0) + probability
        return found

    return Operation(label(fixed["kernel_size"]), labels)


def _pair(size: Any) -> Sequence[int]:
    return size if isinstance(size, (tuple, list)) else (size, size)


def _mutable(argument: Any) -> bool:
    return isinstance(argument, MutableExpression)

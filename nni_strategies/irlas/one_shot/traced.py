"""The rule of a module whose forward torch.fx traces: backwards for what is read, then forwards for flows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot.flow import any_of, product
from nni_strategies.irlas.one_shot.nodes import NodeFlow, flow_of_node, gives_numbers, separable_pairs, summands
from nni_strategies.irlas.one_shot.one_hop import Scalar
from nni_strategies.irlas.one_shot.operations import Rule, Run, layer_operation
from nni_strategies.irlas.one_shot.probabilities import Probabilities
from nni_strategies.topology.module_operations import operation_of


class _Tracer(torch.fx.Tracer):
    """Stops at layers and at modules that choose: NNI wraps layers in classes outside torch.nn."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, BaseSuperNetModule) or operation_of(m) is not None


def traced(module: nn.Module, rule_of: Callable[[nn.Module], Rule]) -> Rule:
    """Return the rule of a module.

    Parameters
    ----------
    rule_of
        Gives the rules of the layers and choices in it.

    Raises
    ------
    InvalidArgument
        Its forward cannot be traced.
    """
    try:
        graph = _Tracer().trace(module)
    except Exception as error:  # whatever a user's forward does with the values it is not given
        raise InvalidArgument(type(module).__name__, str(error), "a forward that torch.fx can trace") from error
    modules = dict(module.named_modules())
    nodes = list(graph.nodes)
    called = {node: modules[node.target] for node in nodes if node.op == "call_module"}
    rules = separable_pairs(nodes, {node: layer_operation(layer) for node, layer in called.items()})
    for node, layer in called.items():
        if node not in rules:
            rules[node] = rule_of(layer)
    inner = {each for node in nodes for each in summands(node).absorbed}
    functions = [node for node in nodes if node.op in ("call_function", "call_method") and node not in inner]
    trace = _Trace(nodes, rules, {node: flow_of_node(node) for node in functions})
    return Rule(trace.flow, trace.needs if any(each.needs for each in rules.values()) else None)


@dataclass(frozen=True)
class _Trace:
    """Nodes in order, the rules of those that call modules, and what functions do to flows."""

    nodes: Sequence[Any]
    rules: Mapping[Any, Rule]
    functions: Mapping[Any, NodeFlow]

    def flow(self, run: Run, *inputs: Any) -> Any:
        placeholders = [node for node in self.nodes if node.op == "placeholder"]
        known: dict[Any, Any] = dict(zip(placeholders, inputs, strict=False))
        read = self._read(run.probabilities) if any(rule.needs for rule in self.rules.values()) else {}

        def value(argument: Any) -> Any:
            return torch.fx.node.map_arg(argument, known.get)

        for node in self.nodes:
            here = run.times(read.get(node, 1.0))
            if node in self.rules:
                known[node] = self.rules[node].flow(here, *value(node.args))
            elif node in self.functions:
                known[node] = self.functions[node](here, value)
        return value(self.nodes[-1].args[0])

    def needs(self, probabilities: Probabilities) -> Sequence[Scalar]:
        read = self._read(probabilities)
        return [read[node] for node in self.nodes if node.op == "placeholder"]

    def _read(self, probabilities: Probabilities) -> dict[Any, Scalar]:
        """Return how probable it is that each node is read, given that the output is: by any of its readers."""
        uses: dict[Any, list[Scalar]] = defaultdict(list)
        read: dict[Any, Scalar] = {}
        for node in reversed(self.nodes):
            read[node] = 1.0 if node.op == "output" else any_of(uses[node])
            needs = self.rules[node].needs if node in self.rules else None
            if needs is not None:
                for argument, need in zip(node.args, needs(probabilities), strict=False):
                    single = isinstance(argument, torch.fx.Node)
                    for each, its_need in [(argument, need)] if single else zip(argument, need, strict=True):
                        uses[each].append(product(read[node], its_need))
            elif not gives_numbers(node):
                for each in node.all_input_nodes:
                    uses[each].append(read[node])
        return read

"""What functions and tensor methods in a traced forward do to flows.

What one does takes the pass and `value`, which turns arguments of torch.fx into flows, and returns flows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nni_strategies.irlas.one_shot.flow import DEAD, Flow
from nni_strategies.irlas.one_shot.operations import DEPTHWISE, PASSING, POINTWISE, Operation, Rule, Run, named
from nni_strategies.topology.function_operations import carries_data, function_name, operation_of_call
from nni_strategies.topology.operations import ADD, MUL, is_merge
from nni_strategies.topology.trace import REDUCTIONS, STACK
from nni_strategies.topology.vocabulary import IDENTITY, ZERO

NodeFlow = Callable[[Run, Callable[[Any], Any]], Any]


def operation_of_node(node: Any) -> str | None:
    """Return the operation of a function or a method; None for another node and for one that asks for sizes."""
    if node.op not in ("call_function", "call_method") or gives_numbers(node):
        return None
    data = [each for each in node.all_input_nodes if each.op != "get_attr" and not gives_numbers(each)]
    return operation_of_call(function_name(node.target), node.args, node.kwargs, len(data))


def gives_numbers(node: Any) -> bool:
    """Whether a node asks for sizes: it reads no data."""
    called = node.op in ("call_function", "call_method")
    return called and not carries_data(function_name(node.target), node.args)


@dataclass(frozen=True)
class Summands:
    """The terms of a sum with those of the sums that only it reads, and these inner sums."""

    terms: tuple[Any, ...] = ()
    absorbed: tuple[Any, ...] = ()


def summands(node: Any) -> Summands:
    """Return what a node of torch.fx sums; nothing where it is no sum."""
    terms: list[Any] = []
    absorbed: list[Any] = []
    for term in node.args[:2] if _is_sum(node) else ():
        if _is_sum(term) and list(term.users) == [node] and node.args[:2].count(term) == 1:
            inner = summands(term)
            terms += inner.terms
            absorbed += [term, *inner.absorbed]
        else:
            terms.append(term)
    return Summands(tuple(terms), tuple(absorbed))


def _is_sum(node: Any) -> bool:
    return isinstance(node, torch.fx.Node) and operation_of_node(node) == ADD


def flow_of_node(node: Any) -> NodeFlow:
    """Return what a function or a method does; one that is no merge reads the sum of its tensors."""
    label, arguments = operation_of_node(node), (node.args, dict(node.kwargs))
    if label is None:
        return lambda run, value: None
    if label == ZERO:
        return lambda run, value: DEAD
    if label == STACK:
        return lambda run, value: list(value(node.args[0]))
    if label in REDUCTIONS:
        return lambda run, value: _reduced(label, run, value(node.args[0]))
    if function_name(node.target) == "getitem":
        return lambda run, value: _item(value(node.args[0]), node.args[1])
    if is_merge(label):
        given = summands(node).terms or arguments
        return lambda run, value: _merged(label, run, value(given))
    if label == IDENTITY:
        return lambda run, value: _merged(ADD, run, value(arguments))
    return lambda run, value: _operation(label, run, value(arguments))


def _flows(argument: Any) -> list[Flow]:
    """Return the flows among nested arguments."""
    if isinstance(argument, Flow):
        return [argument]
    nested = argument.values() if isinstance(argument, Mapping) else argument
    return [flow for each in nested for flow in _flows(each)] if isinstance(argument, (Mapping, list, tuple)) else []


def _merged(label: str, run: Run, argument: Any) -> Flow:
    flows = _flows(argument)
    if label == MUL and not all(flow.producers for flow in flows):
        return DEAD  # a product with zero
    return run.tally.merge(label, flows, run.weight)


def _operation(label: str, run: Run, argument: Any) -> Flow:
    flow: Flow = named(label).rule.flow(run, _merged(ADD, run, argument))
    return flow


def _reduced(label: str, run: Run, given: Any) -> Flow:
    """Return a reduction: over a stack it is a sum."""
    return _merged(ADD, run, given) if isinstance(given, list) else _operation(REDUCTIONS[label], run, given)


def _item(given: Any, index: Any) -> Any:
    return given[index] if isinstance(given, (list, tuple)) else given


def separable_pairs(nodes: Sequence[Any], operations: Mapping[Any, Operation | None]) -> dict[Any, Rule]:
    """Return the rules of depthwise convolutions and the 1x1 that alone reads them: nothing, and one ``sepconv``.

    Parameters
    ----------
    nodes
        Of a traced forward.
    operations
        The operation of each node that calls a layer, None where the layer belongs to its producer.
    """
    found: dict[Any, Rule] = {}
    for node in nodes:
        depthwise = operations.get(node)
        if depthwise is None or not depthwise.label.startswith(DEPTHWISE):
            continue
        reader = node
        while len(reader.users) == 1:
            reader = next(iter(reader.users))
            passes = reader in operations and operations[reader] is None
            if not passes and operation_of_node(reader) != IDENTITY:
                break
        pointwise = operations.get(reader)
        if reader is not node and pointwise is not None and pointwise.label == POINTWISE:
            found[node] = PASSING
            found[reader] = depthwise.separable().rule
    return found

"""How flows pass through a supernet: each module becomes a rule, once, and the rules run at every step.

Modules that choose have rules of their own; layers of torch are operations; any other module is traced by torch.fx
(:mod:`~nni_strategies.irlas.one_shot.traced`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.nn.pytorch import Cell, InputChoice, LayerChoice, Repeat
from nni.nas.oneshot.pytorch.supermodule._expression_utils import traverse_all_options
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from nni.nas.oneshot.pytorch.supermodule.operation import MixedOperation
from nni.nas.oneshot.pytorch.supermodule.proxyless import ProxylessMixedRepeat
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingCell
from torch import nn

from nni_strategies.irlas.one_shot.flow import DEAD, Flow, any_of, equals, mixture, product, total
from nni_strategies.irlas.one_shot.one_hop import Scalar
from nni_strategies.irlas.one_shot.operations import PASSING, Rule, Run, layer_operation
from nni_strategies.irlas.one_shot.probabilities import Probabilities
from nni_strategies.irlas.one_shot.traced import traced
from nni_strategies.topology.module_operations import operation_of
from nni_strategies.topology.operations import ADD, CONCAT, is_transparent, is_zero
from nni_strategies.topology.vocabulary import IDENTITY

_ZERO = Rule(lambda run, *flows: DEAD, lambda probabilities: [0.0])


def rule_of(module: nn.Module) -> Rule:
    """Return the rule of a module of a supernet.

    Raises
    ------
    InvalidArgument
        A module that torch.fx cannot trace.
    """
    if isinstance(module, PathSamplingCell):
        return _cell(module)
    if isinstance(module, Cell):
        return _stock_cell(module)
    if isinstance(module, BaseSuperNetModule) and isinstance(module, LayerChoice):
        return _layer_choice(module)
    if isinstance(module, BaseSuperNetModule) and isinstance(module, InputChoice):
        return _input_choice(module)
    if isinstance(module, BaseSuperNetModule) and isinstance(module, Repeat):
        return _repeat(module)
    operation = layer_operation(module)
    if operation is not None:
        return operation.rule
    if operation_of(module) == IDENTITY or isinstance(module, MixedOperation):
        return PASSING
    return traced(module, rule_of)


def _candidate(name: str, module: nn.Module) -> Rule:
    """Return the rule of a candidate; spaces whose identity changes shapes say so by its name alone."""
    if is_zero(name) or is_zero(type(module).__name__):
        return _ZERO
    return PASSING if is_transparent(name) else rule_of(module)


def _layer_choice(module: Any) -> Rule:
    rules = {name: _candidate(name, module[name]) for name in module.names}

    def flow(run: Run, *flows: Any) -> Flow:
        chosen: Any = run.probabilities[module.label]
        possible = [(p, rules[name]) for name, p in chosen.items() if not equals(p, 0.0)]
        return mixture([(p, each.flow(run.times(p), *flows)) for p, each in possible])

    def needs(probabilities: Probabilities) -> Sequence[Scalar]:
        chosen: Any = probabilities[module.label]
        return [total([product(p, need_of(rules[name], probabilities)) for name, p in chosen.items()])]

    return Rule(flow, needs if any(each.needs for each in rules.values()) else None)


def need_of(rule: Rule, probabilities: Probabilities) -> Scalar:
    """Return how probable it is that a part's first input is read, given that its output is."""
    return 1.0 if rule.needs is None else rule.needs(probabilities)[0]


def _input_choice(module: Any) -> Rule:
    merge = CONCAT if module.reduction == "concat" else ADD

    def slots(probabilities: Probabilities) -> Any:
        chosen: Any = probabilities[module.label]
        return chosen if isinstance(chosen, list) else [chosen] * (module.n_chosen or 1)

    def flow(run: Run, flows: Sequence[Flow], *_: Any) -> Flow:
        read = [mixture([(slot[i], each) for i, each in enumerate(flows)]) for slot in slots(run.probabilities)]
        return run.tally.merge(merge, read, run.weight)

    def needs(probabilities: Probabilities) -> Sequence[Any]:
        drawn = slots(probabilities)
        return [[any_of([slot[i] for slot in drawn]) for i in range(module.n_candidates)]]

    return Rule(flow, needs)


def _repeat(module: Any) -> Rule:
    rules = [rule_of(block) for block in module.blocks]
    # Proxyless turns a repeat into blocks that are layer choices between themselves and nothing.
    always_all = isinstance(module, ProxylessMixedRepeat)

    def depths(probabilities: Probabilities) -> dict[int, Scalar]:
        return {len(rules): 1.0} if always_all else dict(traverse_all_options(module.depth_choice, probabilities))

    def read(probabilities: Probabilities) -> list[Scalar]:
        """Return how probable it is that each block's input is there and read; last, those of the output alone."""
        ends = depths(probabilities)
        wanted: list[Scalar] = [0.0] * (len(rules) + 1)
        after: Scalar = 0.0
        for number in reversed(range(len(rules) + 1)):
            wanted[number] = after = total([after, ends.get(number, 0.0)])
            if number:
                after = product(after, need_of(rules[number - 1], probabilities))
        return wanted

    def flow(run: Run, passed: Flow, *_: Any) -> Flow:
        ends, wanted = depths(run.probabilities), read(run.probabilities)
        parts = [(ends[0], passed)] if 0 in ends else []
        for number, each in enumerate(rules, start=1):
            passed = each.flow(run.times(wanted[number]), passed)
            if number in ends:
                parts.append((ends[number], passed))
        return mixture(parts)

    return Rule(flow, (lambda given: [read(given)[0]]) if any(each.needs for each in rules) else None)


def _cell(module: Any) -> Rule:
    """Return the rule of a cell: `num_ops_per_node` draws of (input, operation) a node, as the exported cell has.

    A differentiable cell has a softmax on each edge, one share of which is for no operation; a node's draws follow
    the other shares of all its edges, divided by their sum. All nodes are read by the cell's output.
    """
    rules = [[{name: _candidate(name, edge[name]) for name in module.op_names} for edge in node] for node in module.ops]
    first, n_draws = module.num_predecessors, module.num_ops_per_node

    def flow(run: Run, *inputs: Any) -> Flow:
        states = list(inputs)
        for node, edges in enumerate(rules, start=first):
            read: list[Flow] = []
            for drawn, times in _draws(run.probabilities, module.label, node, n_draws):
                often = run.times(float(times))
                possible = [(p, edges[j][name], states[j]) for (j, name), p in drawn.items() if not equals(p, 0.0)]
                read += [mixture([(p, each.flow(often.times(p), state)) for p, each, state in possible])] * times
            states.append(run.tally.merge(ADD, read, run.weight))
        return run.tally.merge(CONCAT, states[first:], run.weight)

    return Rule(flow)


def _stock_cell(module: Any) -> Rule:
    """Return the rule of a cell that stays NNI's own, its layer and input choices differentiable."""
    rules = [
        [(rule_of(choice), rule_of(op)) for choice, op in zip(inputs, ops, strict=True)]
        for inputs, ops in zip(module.inputs, module.ops, strict=True)
    ]

    def flow(run: Run, *inputs: Any) -> Flow:
        states = list(inputs)
        for node in rules:
            made = [op.flow(run, choice.flow(run, states)) for choice, op in node]
            states.append(run.tally.merge(ADD, made, run.weight))
        return run.tally.merge(CONCAT, states[module.num_predecessors :], run.weight)

    return Rule(flow)


def _draws(
    probabilities: Any, label: str, node: int, n_draws: int
) -> list[tuple[dict[tuple[int, str], Scalar], int]]:
    """Return distributions over (input, operation) of a node, each with the number of draws from it."""
    if f"{label}/op_{node}_0" not in probabilities:
        edges = [probabilities[f"{label}/{node}_{j}"] for j in range(node)]
        whole = sum(sum(edge.values()) for edge in edges)
        return [({(j, name): p / whole for j, edge in enumerate(edges) for name, p in edge.items()}, n_draws)]
    drawn = []
    for k in range(n_draws):
        ops, (reads,) = probabilities[f"{label}/op_{node}_{k}"], probabilities[f"{label}/input_{node}_{k}"]
        drawn.append(({(j, name): p * q for j, p in reads.items() for name, q in ops.items()}, 1))
    return drawn

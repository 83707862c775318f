"""Which labels of a model space are in use: those inside a `Repeat` or a `LayerChoice` only sometimes are.

A block that a `Repeat` leaves out, or a candidate that a `LayerChoice` does not take, has no effect on the network,
and neither have the labels inside it. Two samples that differ in such labels only are the same network.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from nni_strategies.space.parameters import Condition, Parameter, canonical

_logger = logging.getLogger(__name__)

_Chain = tuple[Condition, ...]  # what has to hold for a module to be part of the network, the innermost last


def usage_conditions(module: Any, parameters: Mapping[str, Parameter]) -> dict[str, Condition]:
    """Return the condition of each label that is not always in use.

    Parameters
    ----------
    module
        A model space's, see :func:`module_of`; None has no conditions.
    parameters
        Those of the model space, by label.
    """
    if module is None:
        return {}
    places: dict[str, list[_Chain]] = defaultdict(list)
    for label, chain in _walk(module, parameters, ()):
        places[label].append(chain)
    found = {label: _common(chains, parameters) for label, chains in places.items() if label in parameters}
    return {label: condition for label, condition in found.items() if condition is not None}


def module_of(model_space: Any) -> Any:
    """Return the module of a module, or of an executable model space of one; None for anything else."""
    if callable(getattr(model_space, "named_modules", None)):
        return model_space
    raw = getattr(model_space, "model_space", None)  # RawFormatModelSpace
    if callable(getattr(raw, "named_modules", None)):
        return raw
    try:
        return model_space.model.trace_copy().get(traceable=False)  # SimplifiedModelSpace
    except Exception as error:  # another format, or a model that cannot be built twice
        _logger.debug("no module to look into: %r", error)
        return None


def _walk(module: Any, parameters: Mapping[str, Parameter], chain: _Chain) -> Iterator[tuple[str, _Chain]]:
    """Yield each label with the conditions under which the module that has it is used."""
    for mutable in getattr(module, "mutables", ()):
        for label in mutable.simplify():
            yield label, chain
    children, conditions = list(module.children()), {}
    if type(module).__name__ == "Repeat":  # by name: importing the class would import torch
        children, conditions = list(module.blocks), _blocks(module, parameters)
    elif type(module).__name__ == "LayerChoice":
        conditions = _candidates(module)
    for child in children:
        condition = conditions.get(id(child))
        yield from _walk(child, parameters, chain if condition is None else (*chain, condition))


def _blocks(repeat: Any, parameters: Mapping[str, Parameter]) -> dict[int, Condition]:
    """Return under which depths each block of a `Repeat` is used."""
    choice = repeat.depth_choice
    leaves = choice.simplify() if hasattr(choice, "simplify") else {}
    if len(leaves) != 1 or not leaves.keys() <= parameters.keys():  # always the same depth, or one of several choices
        return {}
    ((label, leaf),) = leaves.items()
    depths = {value: choice.freeze({label: value}) for value in getattr(leaf, "values", ())}
    return {
        id(block): Condition(label, tuple(value for value, depth in depths.items() if depth > i))
        for i, block in enumerate(repeat.blocks)
    }


def _candidates(layer_choice: Any) -> dict[int, Condition]:
    """Return under which choice each candidate of a `LayerChoice` is used."""
    values = {str(value): value for value in layer_choice.choice.values}
    return {
        id(candidate): Condition(layer_choice.label, (values[name],))
        for name, candidate in layer_choice.named_children()
        if name in values
    }


def _common(chains: list[_Chain], parameters: Mapping[str, Parameter]) -> Condition | None:
    """Return the innermost condition that covers all places of a label; None when there is none that says anything."""
    for candidate in reversed(chains[0]):
        label = candidate.label
        covering = [next((c for c in reversed(chain) if c.label == label), None) for chain in chains]
        if label not in parameters or not all(covering):
            continue
        used = {canonical(value) for c in covering if c is not None for value in c.values}
        values = tuple(value for value in parameters[label].values() if canonical(value) in used)
        if 0 < len(values) < int(parameters[label].size or 0):
            return Condition(label, values)
    return None

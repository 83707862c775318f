"""Flat configurations to NNI's nested parameters, and back.

NNI gives a trial ``{"layer": {"_name": "conv", "kernel": 3}}`` where the flat configuration is
``{"layer": "conv", "layer.conv.kernel": 3}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nni_strategies.space.parameters import Categorical, canonical

if TYPE_CHECKING:
    from nni_strategies.space.search_space import SearchSpace


def nest(space: SearchSpace, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as NNI gives them to a trial, in the order of the space."""
    nested: dict[str, Any] = {}
    where: dict[str, dict[str, Any]] = {}
    for parameter in space.parameters:
        label = parameter.label
        if label not in configuration:
            continue
        value, condition = configuration[label], parameter.condition
        target = nested if condition is None else where.get(condition.label, nested)
        target[parameter.name] = value
        if isinstance(parameter, Categorical) and _is_branch(parameter, value):
            target[parameter.name] = where[label] = {"_name": value}
    return nested


def flatten(space: SearchSpace, nested: Mapping[str, Any]) -> dict[str, Any]:
    """Undo :func:`nest`; what cannot be undone is left as it is, for ``validate`` to refuse."""
    flat: dict[str, Any] = {}
    where: dict[str, Mapping[str, Any]] = {}
    known: dict[int, set[str]] = {id(nested): set()}  # of each dictionary, what was read
    for parameter in space.parameters:
        condition = parameter.condition
        source, name = nested, parameter.name
        if condition is not None and condition.label in where:
            source = where[condition.label]
        elif condition is not None:
            name = parameter.label  # in a flat configuration it stands under its whole label
        if name not in source or not space.is_active(parameter, flat):
            continue
        known[id(source)].add(name)
        value = source[name]
        nesting = isinstance(parameter, Categorical) and bool(parameter.branches)
        if nesting and isinstance(value, Mapping) and "_name" in value:
            where[parameter.label] = value
            known[id(value)] = {"_name"}
            value = value["_name"]
        flat[parameter.label] = value
    for label, source in [("", nested), *where.items()]:
        for name in source:
            if name not in known[id(source)]:
                flat.setdefault(f"{label}.{name}" if label else name, source[name])
    return flat


def _is_branch(parameter: Categorical, value: Any) -> bool:
    if not parameter.branches:
        return False
    return any(canonical(branch) == canonical(value) for branch in parameter.branches)

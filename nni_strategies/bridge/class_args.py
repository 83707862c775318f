"""The class arguments of a tuner, read against the hyper-parameters of its algorithm.

NNI never calls ``classArgsValidator`` for today's configs, so both the tuner and ``nni_strategies validate`` read
them here: unknown names, wrong types and wrong values are refused with the field, the value and what is allowed.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Union

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.search.searcher import SearcherConfig

MODES = ("maximize", "minimize")


@dataclass(frozen=True)
class ClassArgs:
    """Class arguments that were found good.

    Parameters
    ----------
    config
        The algorithm's hyper-parameters.
    maximize
        Whether a higher metric is better.
    seed
        Of the search; None for a random one.
    """

    config: SearcherConfig
    maximize: bool
    seed: int | None


def read_class_args(
    config_class: type[SearcherConfig],
    optimize_mode: Any = "maximize",
    seed: Any = None,
    class_args: Mapping[str, Any] | None = None,
) -> ClassArgs:
    """Check class arguments and build the algorithm's configuration from them.

    Parameters
    ----------
    config_class
        The frozen dataclass whose fields are the allowed names, its annotations the allowed types.
    class_args
        Everything but `optimize_mode`, `seed` and `prior`.

    Raises
    ------
    InvalidArgument
        Naming the first bad field, its value, what is allowed, and the nearest name of an unknown one.
    """
    seed, class_args = _plain(seed), {name: _plain(value) for name, value in (class_args or {}).items()}
    if optimize_mode not in MODES:
        raise InvalidArgument("optimize_mode", optimize_mode, "maximize or minimize", MODES)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise InvalidArgument("seed", seed, "a non-negative integer, or none for a random one")
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in fields(config_class) if field.init]
    given = dict(class_args or {})
    for name in given:
        if name not in names:
            known = ["optimize_mode", "seed", "prior", *names]
            raise InvalidArgument("classArgs", name, f"one of {', '.join(known)}", known)
    mistyped = next((name for name in given if not fits(hints.get(name, Any), given[name])), None)
    try:
        config = config_class(**{name: _converted(hints.get(name, Any), value) for name, value in given.items()})
    except Exception as error:  # the algorithm's own message says more, where it has one
        if mistyped is None or (isinstance(error, InvalidArgument) and not _yaml_hint(given[mistyped])):
            raise
    if mistyped is not None:
        hint, value = hints[mistyped], given[mistyped]
        allowed = f"{describe(hint)}{_yaml_hint(value)}"
        raise InvalidArgument(mistyped, value, allowed, [str(one) for one in _literals(hint)])
    return ClassArgs(config, optimize_mode == "maximize", seed)


def fits(hint: Any, value: Any) -> bool:
    """Whether a value from YAML or JSON has the annotated type; annotations that are not understood accept all."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(one, value) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if hint is str:
        return isinstance(value, str)
    container = origin or hint
    if isinstance(container, type) and issubclass(container, Mapping):
        return isinstance(value, Mapping)
    if isinstance(container, type) and issubclass(container, Sequence):
        if not isinstance(value, (list, tuple)):
            return False
        if container is tuple and arguments and arguments[-1] is not Ellipsis:
            return len(value) == len(arguments) and all(map(fits, arguments, value))
        return all(fits(arguments[0], one) for one in value) if arguments else True
    return True


def describe(hint: Any) -> str:
    """Say in words what an annotation allows."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(one) for one in arguments)
    if origin is Literal:
        return f"one of {', '.join(str(one) for one in arguments)}"
    words = {bool: "true or false", int: "an integer", float: "a finite number", str: "text", type(None): "none"}
    if hint in words:
        return words[hint]
    container = origin or hint
    if isinstance(container, type) and issubclass(container, Mapping):
        return "a dictionary"
    if isinstance(container, type) and issubclass(container, Sequence):
        return f"a list, each {describe(arguments[0])}" if arguments else "a list"
    return str(hint)


def _plain(value: Any) -> Any:
    """Return NumPy's numbers, which a Python caller may have at hand, as Python's: journals hold JSON."""
    return value.item() if isinstance(value, np.generic) else value


def _literals(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) is Literal:
        return typing.get_args(hint)
    return tuple(one for part in typing.get_args(hint) for one in _literals(part))


def _converted(hint: Any, value: Any) -> Any:
    """Turn YAML's lists into the tuples a frozen dataclass holds."""
    if isinstance(value, list):
        parts = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
        if any((typing.get_origin(part) or part) is tuple for part in parts):
            return tuple(value)
    return value


def _yaml_hint(value: Any) -> str:
    """Explain why ``1e-3`` is no number: to YAML it is text."""
    if not isinstance(value, str):
        return ""
    try:
        if value.strip().lstrip("+-").isdecimal():
            return f" (YAML reads it as text: write {int(value)}, without quotes)"
        return f" (YAML reads {value} as text: write {float(value)!r}, with a decimal point and no quotes)"
    except ValueError:
        return ""

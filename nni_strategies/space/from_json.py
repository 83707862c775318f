"""SearchSpace from NNI's search-space JSON, the notation of ``config.yml`` and ``search_space.json``.

The ten types of NNI 3.0: ``choice`` (also nested: a list of dictionaries with ``_name``, to any depth), ``randint``
(``[low, high)``), ``uniform``, ``quniform``, ``loguniform``, ``qloguniform``, ``normal``, ``qnormal``, ``lognormal``
and ``qlognormal``. A parameter nested in a branch has the flat label ``parent.branch.name``;
:meth:`SearchSpace.nest` gives back what NNI gives to a trial.

Deviations from NNI's own validation, which only warns: everything it warns of is refused, and so are lists that
mix nested and plain choices (NNI would hand the trial the raw notation), choices listed twice and values
that JSON cannot carry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Distribution, is_finite
from nni_strategies.space.parameters import Categorical, Condition, Numerical, Parameter, canonical
from nni_strategies.space.search_space import SearchSpace

_SHAPES = {
    "choice": "a list of values",
    "randint": "[low, high) as two integers",
    "uniform": "[low, high]",
    "quniform": "[low, high, q]",
    "loguniform": "[low, high], both positive",
    "qloguniform": "[low, high, q], all positive",
    "normal": "[mu, sigma]",
    "qnormal": "[mu, sigma, q]",
    "lognormal": "[mu, sigma] of the logarithm",
    "qlognormal": "[mu, sigma, q], mu and sigma of the logarithm",
}
TYPES = tuple(_SHAPES)

_LARGEST_INTEGER = 2**53  # beyond it JavaScript, hence NNI's manager, rounds


def space_from_json(search_space: Any) -> SearchSpace:
    """Read NNI's search-space JSON.

    Parameters
    ----------
    search_space
        ``{name: {"_type": …, "_value": […]}, …}`` as parsed from JSON or YAML.

    Raises
    ------
    InvalidSearchSpace
        Naming the path (``search_space.lr._value``), the value there, what is allowed and the nearest type.
    """
    root = "search_space"
    if not isinstance(search_space, Mapping):
        raise InvalidSearchSpace(root, search_space, "a dictionary {name: {'_type': …, '_value': […]}}")
    if not search_space:
        raise InvalidSearchSpace(root, dict(search_space), "at least one parameter")
    try:
        json.dumps(search_space, default=repr, skipkeys=True)
    except (ValueError, RecursionError):
        raise InvalidSearchSpace(root, "...", "free of cycles, and nested less than a thousand levels deep") from None
    parameters = tuple(_read_branch(search_space, root, None, ""))
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.label in seen:
            raise InvalidSearchSpace(root, parameter.label, "labels (parent.branch.name) that are used once")
        seen.add(parameter.label)
    return SearchSpace(parameters)


def _read_branch(branch: Mapping[Any, Any], path: str, condition: Condition | None, prefix: str) -> Iterator[Parameter]:
    for name, spec in branch.items():
        if name == "_name" and condition is not None:
            continue
        if not isinstance(name, str) or not name:
            raise InvalidSearchSpace(path, name, "named by non-empty strings")
        here = f"{path}.{name}"
        if not isinstance(spec, Mapping):
            raise InvalidSearchSpace(here, spec, "a dictionary with '_type' and '_value'")
        kind = spec.get("_type")
        if kind is None:
            raise InvalidSearchSpace(f"{here}._type", None, f"one of {list(TYPES)}: it is missing")
        if not isinstance(kind, str) or kind not in _SHAPES:
            raise InvalidSearchSpace(f"{here}._type", kind, f"one of {list(TYPES)}", TYPES)
        values = spec.get("_value")
        if not isinstance(values, (list, tuple)):
            missing = "" if "_value" in spec else ": it is missing"
            raise InvalidSearchSpace(f"{here}._value", values, f"{_SHAPES[kind]}, as a list{missing}")
        field, label = f"{here}._value", prefix + name
        if kind == "choice":
            yield from _read_choice(values, field, label, name, condition)
        else:
            try:
                distribution = _read_distribution(kind, values, field)
            except InvalidSearchSpace as error:
                if error.field.startswith(field):
                    raise
                raise InvalidSearchSpace(field, list(values), error.allowed) from None
            yield Numerical(label, distribution, condition=condition, name=name)


def _read_choice(
    values: list[Any] | tuple[Any, ...], field: str, label: str, name: str, condition: Condition | None
) -> Iterator[Parameter]:
    if not values:
        raise InvalidSearchSpace(field, [], "at least one value")
    nested = [isinstance(value, Mapping) and "_name" in value for value in values]
    if any(nested) and not all(nested):
        odd = values[nested.index(False)]
        raise InvalidSearchSpace(field, odd, "a dictionary with '_name', as the other values of this choice")
    choices = [
        _as_json(value["_name"], f"{field}[{i}]._name") if nested[i] else _as_json(value, f"{field}[{i}]")
        for i, value in enumerate(values)
    ]
    first: dict[str, int] = {}
    for i, choice in enumerate(choices):
        same = first.setdefault(canonical(choice), i)
        if same != i:
            raise InvalidSearchSpace(f"{field}[{i}]", choice, f"different from the other values, but equals [{same}]")
    branches = tuple(choices) if nested[0] else ()
    yield Categorical(label, tuple(choices), branches, condition=condition, name=name)
    for i, choice in enumerate(choices if nested[0] else ()):
        text = choice if isinstance(choice, str) else canonical(choice)
        below = Condition(label, (choice,))
        yield from _read_branch(values[i], f"{field}[{i}]", below, f"{label}.{text}.")


def _read_distribution(kind: str, values: list[Any] | tuple[Any, ...], field: str) -> Distribution:
    shape = _SHAPES[kind]
    if len(values) != (3 if kind.startswith("q") else 2):
        raise InvalidSearchSpace(field, list(values), shape)
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
            raise InvalidSearchSpace(f"{field}[{i}]", value, f"a finite number; {kind} takes {shape}")
    a, b = float(values[0]), float(values[1])
    q = float(values[2]) if kind.startswith("q") else None
    if q is not None and q <= 0:
        raise InvalidSearchSpace(f"{field}[2]", values[2], f"a positive step q; {kind} takes {shape}")
    if "normal" in kind:
        if b <= 0:
            raise InvalidSearchSpace(f"{field}[1]", values[1], f"a positive sigma; {kind} takes {shape}")
        return Distribution(kind.removeprefix("q"), a, b, q)
    if a >= b:
        raise InvalidSearchSpace(field, list(values), f"low < high; {kind} takes {shape}")
    if "log" in kind and a <= 0:
        raise InvalidSearchSpace(f"{field}[0]", values[0], f"positive; {kind} takes {shape}")
    if not math.isfinite(b - a):
        raise InvalidSearchSpace(field, list(values), "a range whose width is a finite number")
    if kind != "randint":
        return Distribution(kind.removeprefix("q"), a, b, q)
    for i, value in enumerate(values):
        if value != int(value) or abs(value) > _LARGEST_INTEGER:
            raise InvalidSearchSpace(f"{field}[{i}]", value, f"an integer up to 2^53; {kind} takes {shape}")
    return Distribution("uniform", a, b - 1, 1.0, integer=True)


def _as_json(value: Any, field: str) -> Any:
    """Return `value` in JSON types, tuples as lists."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if type(value) is int:
        if abs(value) > _LARGEST_INTEGER:
            raise InvalidSearchSpace(field, value, "an integer up to 2^53, which NNI does not round, or a string")
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_as_json(item, f"{field}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InvalidSearchSpace(field, key, "a dictionary whose keys are strings")
        return {key: _as_json(item, f"{field}.{key}") for key, item in value.items()}
    raise InvalidSearchSpace(field, value, "a JSON value: string, finite number, boolean, null, list or dictionary")

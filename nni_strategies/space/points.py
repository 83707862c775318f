"""The points of a space one by one: how many there are, all of them, those next to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.parameters import Numerical, Parameter

if TYPE_CHECKING:
    from nni_strategies.space.search_space import SearchSpace

LARGEST_ENUMERATION = 1_000_000


def count(space: SearchSpace) -> int | None:
    """Return the number of points, constraints not counted, None when infinite."""
    if any(parameter.size is None for parameter in space.parameters):
        return None
    children: dict[str, list[Parameter]] = {label: [] for label in space.labels}
    for parameter in space.parameters:
        if parameter.condition is not None:
            children[parameter.condition.label].append(parameter)

    def product(parameters: Sequence[Parameter]) -> int:
        total = 1
        for parameter in parameters:
            total *= below(parameter)
        return total

    def below(parameter: Parameter) -> int:
        if not children[parameter.label]:
            return int(parameter.size or 0)
        return sum(
            product([child for child in children[parameter.label] if child.condition and child.condition.holds(value)])
            for value in parameter.values()
        )

    return product([parameter for parameter in space.parameters if parameter.condition is None])


def enumerate_points(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Yield every point, in the order of an odometer whose last parameter turns fastest.

    Raises
    ------
    InvalidSearchSpace
        The space is infinite or has more than a million points.
    """
    if space.size is None or space.size > LARGEST_ENUMERATION:
        size = "infinite" if space.size is None else space.size
        raise InvalidSearchSpace("search_space.size", size, f"at most {LARGEST_ENUMERATION} points")

    def extend(index: int, partial: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(space.parameters):
            if _allowed(space, partial):
                yield dict(partial)
            return
        parameter = space.parameters[index]
        if not space.is_active(parameter, partial):
            yield from extend(index + 1, partial)
            return
        for value in parameter.values():
            yield from extend(index + 1, {**partial, parameter.label: value})

    return extend(0, {})


def neighbours(space: SearchSpace, configuration: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the points that differ in one parameter by one step, in a fixed order."""
    for label, value in configuration.items():
        for near in space[label].values_near(value):
            neighbour = _completed(space, {**configuration, label: near})
            if _allowed(space, neighbour):
                yield neighbour


def _allowed(space: SearchSpace, configuration: dict[str, Any]) -> bool:
    return all(constraint.violation(dict(configuration)) is None for constraint in space.constraints)


def _completed(space: SearchSpace, configuration: dict[str, Any]) -> dict[str, Any]:
    if not space.conditional:
        return configuration
    out: dict[str, Any] = {}
    for parameter in space.parameters:
        if space.is_active(parameter, out):
            present = parameter.label in configuration
            out[parameter.label] = configuration[parameter.label] if present else _first_value(parameter)
    return out


def _first_value(parameter: Parameter) -> Any:
    """Return the first value, of a number the median."""
    if isinstance(parameter, Numerical):
        return parameter.median
    return next(parameter.values())

"""SearchSpace: named parameters, conditions, constraints; the one description all searchers share.

A *configuration* is what NNI calls a sample: ``dict[label, value]``, JSON types only, without the parameters
that a condition switches off. Searchers work on *codes*, a float matrix with a few columns a parameter
(:mod:`nni_strategies.space.parameters`), so that drawing and mutating are vectorised.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.space.parameters import (
    INACTIVE,
    Categorical,
    Codes,
    Numerical,
    Parameter,
    canonical,
)

Configuration = dict[str, Any]

_LARGEST_ENUMERATION = 1_000_000
_REJECTION_ROUNDS = 64


class Constraint(Protocol):
    """What a configuration has to satisfy beyond each parameter's own range."""

    def violation(self, configuration: Configuration) -> str | None:
        """Say what is wrong with `configuration`, or None when it satisfies the constraint."""

    def describe(self) -> Any:
        """Return what defines the constraint, as JSON types."""


@dataclass(frozen=True)
class SearchSpace:
    """An immutable set of configurations.

    Parameters
    ----------
    parameters
        The dimensions; a conditional one comes after the parameter it depends on.
    constraints
        What is required across parameters.
    draw
        Draws one valid configuration; needed where independent draws hardly ever satisfy the constraints.

    Raises
    ------
    InvalidSearchSpace
        No parameter, a label used twice, a condition on an unknown or later parameter.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    draw: Callable[[np.random.Generator], Configuration] | None = None

    def __post_init__(self) -> None:
        if not self.parameters:
            raise InvalidSearchSpace("search_space", {}, "at least one parameter")
        seen: dict[str, Parameter] = {}
        for parameter in self.parameters:
            if parameter.label in seen:
                raise InvalidSearchSpace("label", parameter.label, "a label that is used once")
            condition = parameter.condition
            if condition is not None and not isinstance(seen.get(condition.label), Categorical):
                allowed = "a condition on a categorical parameter that comes before"
                raise InvalidSearchSpace(f"{parameter.label}.condition", condition.label, allowed, seen)
            seen[parameter.label] = parameter

    # -- looking things up ------------------------------------------------------------------------

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels, in order."""
        return tuple(parameter.label for parameter in self.parameters)

    def __getitem__(self, label: str) -> Parameter:
        return self._by_label[label]

    @cached_property
    def _by_label(self) -> dict[str, Parameter]:
        return {parameter.label: parameter for parameter in self.parameters}

    @cached_property
    def columns(self) -> dict[str, slice]:
        """The code columns of each label."""
        ends = list(itertools.accumulate(parameter.n_codes for parameter in self.parameters))
        return {p.label: slice(end - p.n_codes, end) for p, end in zip(self.parameters, ends, strict=True)}

    @cached_property
    def n_codes(self) -> int:
        """Number of code columns."""
        return sum(parameter.n_codes for parameter in self.parameters)

    @cached_property
    def conditional(self) -> bool:
        """Whether any parameter can be switched off."""
        return any(parameter.condition is not None for parameter in self.parameters)

    @cached_property
    def size(self) -> int | None:
        """Number of points where constraints do not reduce it (then an upper bound), None when infinite."""
        if any(parameter.size is None for parameter in self.parameters):
            return None

        def points(parameters: Sequence[Parameter]) -> int:
            total = 1
            for root in (p for p in parameters if p.condition is None or p.condition.label not in below):
                total *= branch_points(root)
            return total

        below = {p.label for p in self.parameters}
        children: dict[str, list[Parameter]] = {label: [] for label in self.labels}
        for parameter in self.parameters:
            if parameter.condition is not None:
                children[parameter.condition.label].append(parameter)

        def branch_points(parameter: Parameter) -> int:
            if not children[parameter.label]:
                return int(parameter.size or 0)
            total = 0
            for value in parameter.values():
                product = 1
                for child in children[parameter.label]:
                    if _among(value, child.condition.values):  # type: ignore[union-attr]  # filtered above
                        product *= branch_points(child)
                total += product
            return total

        return points(self.parameters)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the description: two spaces are the same when their hashes are."""
        return hashlib.sha256(canonical(self.describe()).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return what defines the space, as JSON types."""
        described = []
        for parameter in self.parameters:
            entry = {"label": parameter.label, **parameter.describe()}
            if parameter.condition is not None:
                entry["condition"] = {parameter.condition.label: list(parameter.condition.values)}
            described.append(entry)
        return {"parameters": described, "constraints": [c.describe() for c in self.constraints]}

    # -- configurations ---------------------------------------------------------------------------

    def validate(self, configuration: Mapping[str, Any]) -> None:
        """Refuse what is not a point of the space.

        Raises
        ------
        InvalidConfiguration
            With the label, its value and what is allowed; unknown labels with the nearest known one.
        """
        if not isinstance(configuration, Mapping):
            raise InvalidConfiguration("configuration", configuration, "a dictionary label -> value")
        for label in configuration:
            if label not in self._by_label:
                raise InvalidConfiguration("label", label, "a label of the space", self.labels)
        for parameter in self.parameters:
            active = self._is_active(parameter, configuration)
            if not active and parameter.label in configuration:
                allowed = f"absent, since {parameter.condition.label} switches it off"  # type: ignore[union-attr]
                raise InvalidConfiguration(parameter.label, configuration[parameter.label], allowed)
            if active and parameter.label not in configuration:
                raise InvalidConfiguration(parameter.label, None, "present: the label is missing")
            problem = parameter.problem(configuration[parameter.label]) if active else None
            if problem is not None:
                names = parameter.choices if isinstance(parameter, Categorical) else ()
                raise InvalidConfiguration(parameter.label, configuration[parameter.label], problem, names)
        for constraint in self.constraints:
            problem = constraint.violation(dict(configuration))
            if problem is not None:
                raise InvalidConfiguration("configuration", dict(configuration), problem)

    def contains(self, configuration: Mapping[str, Any]) -> bool:
        """Whether `configuration` is a point of the space."""
        try:
            self.validate(configuration)
        except InvalidConfiguration:
            return False
        return True

    def _is_active(self, parameter: Parameter, configuration: Mapping[str, Any]) -> bool:
        condition = parameter.condition
        if condition is None:
            return True
        return condition.label in configuration and _among(configuration[condition.label], condition.values)

    @staticmethod
    def key(configuration: Mapping[str, Any]) -> str:
        """Return the text that is equal exactly for equal configurations."""
        return canonical(dict(configuration))

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Draw one configuration from the space's own distribution."""
        return self.decode(self.sample_codes(rng, 1))[0]

    def neighbours(self, configuration: Configuration) -> Iterator[Configuration]:
        """Yield the configurations that differ in one parameter by one step, in a fixed order.

        A parameter that a changed one switches on gets its first value.
        """
        for label, value in configuration.items():
            for near in self._by_label[label].values_near(value):
                neighbour = self._completed({**configuration, label: near})
                if all(c.violation(neighbour) is None for c in self.constraints):
                    yield neighbour

    def _completed(self, configuration: Configuration) -> Configuration:
        out: Configuration = {}
        for parameter in self.parameters:
            if self._is_active(parameter, out):
                present = parameter.label in configuration
                out[parameter.label] = (
                    configuration[parameter.label] if present else parameter.decode(_first_code(parameter))
                )
        return out

    def enumerate(self) -> Iterator[Configuration]:
        """Yield every point, in a fixed order.

        Raises
        ------
        InvalidSearchSpace
            The space is infinite or has more than a million points.
        """
        if self.size is None or self.size > _LARGEST_ENUMERATION:
            size = "infinite" if self.size is None else self.size
            raise InvalidSearchSpace("search_space.size", size, f"at most {_LARGEST_ENUMERATION} points")

        def extend(index: int, partial: Configuration) -> Iterator[Configuration]:
            if index == len(self.parameters):
                if all(c.violation(dict(partial)) is None for c in self.constraints):
                    yield dict(partial)
                return
            parameter = self.parameters[index]
            if not self._is_active(parameter, partial):
                yield from extend(index + 1, partial)
                return
            for value in parameter.values():
                yield from extend(index + 1, {**partial, parameter.label: value})

        yield from extend(0, {})

    # -- codes ------------------------------------------------------------------------------------

    def encode(self, configurations: Sequence[Mapping[str, Any]]) -> Codes:
        """Return the codes ``[n, n_codes]`` of valid configurations."""
        codes = np.full((len(configurations), self.n_codes), INACTIVE)
        for parameter in self.parameters:
            columns = self.columns[parameter.label]
            for row, configuration in enumerate(configurations):
                if parameter.label in configuration:
                    codes[row, columns] = parameter.encode(configuration[parameter.label])
        return codes

    def decode(self, codes: Codes) -> list[Configuration]:
        """Return the configurations of codes ``[n, n_codes]``."""
        parts = [(p, self.columns[p.label]) for p in self.parameters]
        return [
            {p.label: p.decode(row[columns]) for p, columns in parts if row[columns.start] != INACTIVE}
            for row in codes
        ]

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points as codes ``[n, n_codes]``; fewer only where constraints reject nearly all.

        Raises
        ------
        InvalidSearchSpace
            No draw of thousands satisfied the constraints.
        """
        if self.draw is not None:
            return self.encode([self.draw(rng) for _ in range(n)])
        found: list[Codes] = []
        for _ in range(_REJECTION_ROUNDS):
            codes = np.hstack([parameter.sample_codes(rng, n) for parameter in self.parameters])
            found.append(self.only_valid(self.repair(codes, rng)))
            if sum(map(len, found)) >= n:
                break
        codes = np.vstack(found)[:n]
        if n and not len(codes):
            raise InvalidSearchSpace("constraints", self.describe()["constraints"], "satisfiable by random draws")
        return codes

    def mutate_codes(self, codes: Codes, rng: np.random.Generator, n_changes: int = 1) -> Codes:
        """Change `n_changes` active parameters in each row; rows that break a constraint are dropped.

        Parameters
        ----------
        codes
            Parents, ``[n, n_codes]``.

        Returns
        -------
        Codes
            Children, ``[at most n, n_codes]``.
        """
        starts = np.array([self.columns[label].start for label in self.labels])
        movable = np.array([parameter.size != 1 for parameter in self.parameters])
        noise = np.where((codes[:, starts] != INACTIVE) & movable, rng.random((len(codes), len(starts))), -1.0)
        order = np.argsort(-noise, axis=1)[:, :n_changes]
        chosen = np.zeros(noise.shape, dtype=bool)
        np.put_along_axis(chosen, order, True, axis=1)
        chosen &= noise >= 0
        out = codes.copy()
        for i in np.flatnonzero(chosen.any(axis=0)):
            rows, columns = chosen[:, i], self.columns[self.labels[i]]
            out[rows, columns] = self.parameters[i].mutate_codes(codes[rows, columns], rng)
        return self.only_valid(self.repair(out, rng))

    def cross_codes(self, mothers: Codes, fathers: Codes, rng: np.random.Generator) -> Codes:
        """Take each parameter from one of two parents; rows that break a constraint are dropped."""
        take = rng.random((len(mothers), len(self.parameters))) < 0.5
        mask = np.repeat(take, [parameter.n_codes for parameter in self.parameters], axis=1)
        return self.only_valid(self.repair(np.where(mask, mothers, fathers), rng))

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Switch off what the conditions switch off, and draw what they switch on."""
        if not self.conditional:
            return codes
        codes = codes.copy()
        for parameter in self.parameters:
            if parameter.condition is None:
                continue
            parent = self._by_label[parameter.condition.label]
            wanted = [parent.encode(v)[0] for v in parameter.condition.values]
            active = np.isin(codes[:, self.columns[parent.label].start], wanted)
            columns = self.columns[parameter.label]
            fresh = active & (codes[:, columns.start] == INACTIVE)
            codes[fresh, columns] = parameter.sample_codes(rng, int(fresh.sum()))
            codes[~active, columns] = INACTIVE
        return codes

    def only_valid(self, codes: Codes) -> Codes:
        """Keep the rows that satisfy the constraints."""
        return codes if not self.constraints else codes[self.valid(codes)]

    def valid(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row satisfies the constraints, ``[n]``."""
        ok = [all(c.violation(dict(one)) is None for c in self.constraints) for one in self.decode(codes)]
        return np.array(ok, dtype=bool)

    # -- nesting ----------------------------------------------------------------------------------

    def nest(self, configuration: Configuration) -> dict[str, Any]:
        """Return the parameters as NNI gives them to a trial: nested choices as ``{"_name": …, …}``."""
        nested: dict[str, Any] = {}
        where: dict[str, dict[str, Any]] = {}
        for label, value in configuration.items():
            parameter = self._by_label[label]
            condition = parameter.condition
            target = where.get(condition.label, nested) if condition is not None else nested
            if isinstance(parameter, Categorical) and _among(value, parameter.branches):
                target[parameter.name] = where[label] = {"_name": value}
            else:
                target[parameter.name] = value
        return nested

    def flatten(self, nested: Mapping[str, Any]) -> Configuration:
        """Undo :meth:`nest`; what cannot be undone is left as it is, for :meth:`validate` to refuse."""
        flat: Configuration = {}
        where: dict[str, Mapping[str, Any]] = {}
        for parameter in self.parameters:
            condition = parameter.condition
            source = where.get(condition.label, nested) if condition is not None else nested
            if parameter.name not in source or not self._is_active(parameter, flat):
                continue
            value = source[parameter.name]
            branches = parameter.branches if isinstance(parameter, Categorical) else ()
            if branches and isinstance(value, Mapping) and "_name" in value:
                where[parameter.label], value = value, value["_name"]
            flat[parameter.label] = value
        known = {parameter.name for parameter in self.parameters if parameter.condition is None}
        flat.update({name: value for name, value in nested.items() if name not in known and name not in flat})
        return flat


def _among(value: Any, values: Sequence[Any]) -> bool:
    return bool(values) and canonical(value) in {canonical(other) for other in values}


def _first_code(parameter: Parameter) -> npt.NDArray[np.float64]:
    if isinstance(parameter, Numerical):
        return np.array([0.5])
    return np.array(parameter.encode(next(parameter.values())))

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
from nni_strategies.space import code_operations, nesting, points
from nni_strategies.space.parameters import Categorical, Codes, Parameter, canonical

Configuration = dict[str, Any]


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
    def switches(self) -> tuple[tuple[str, int, Codes], ...]:
        """The label of each conditional parameter, the code column it depends on, and the codes that switch it on."""
        found = []
        for parameter in self.parameters:
            if (condition := parameter.condition) is not None:
                wanted = [self[condition.label].encode(value)[0] for value in condition.values]
                found.append((parameter.label, self.columns[condition.label].start, np.array(wanted)))
        return tuple(found)

    @cached_property
    def size(self) -> int | None:
        """Number of points where constraints do not reduce it (then an upper bound), None when infinite."""
        return points.count(self)

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
            active, condition = self.is_active(parameter, configuration), parameter.condition
            if not active and condition is not None and parameter.label in configuration:
                allowed = f"absent, since {condition.label} switches it off"
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

    def is_active(self, parameter: Parameter, configuration: Mapping[str, Any]) -> bool:
        """Whether `parameter` exists in `configuration`, which may be partial."""
        condition = parameter.condition
        if condition is None:
            return True
        return condition.label in configuration and condition.holds(configuration[condition.label])

    def normal_form(self, configuration: Mapping[str, Any]) -> Configuration:
        """Return a valid configuration as the space itself writes it: its order, numbers on their grids."""
        return {p.label: p.normal_form(configuration[p.label]) for p in self.parameters if p.label in configuration}

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
        return points.neighbours(self, configuration)

    def enumerate(self) -> Iterator[Configuration]:
        """Yield every point, in a fixed order.

        Raises
        ------
        InvalidSearchSpace
            The space is infinite or has more than a million points.
        """
        return points.enumerate_points(self)

    # -- codes ------------------------------------------------------------------------------------

    def encode(self, configurations: Sequence[Mapping[str, Any]]) -> Codes:
        """Return the codes ``[n, n_codes]`` of valid configurations."""
        return code_operations.encode(self, configurations)

    def decode(self, codes: Codes) -> list[Configuration]:
        """Return the configurations of codes ``[n, n_codes]``."""
        return code_operations.decode(self, codes)

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points as codes ``[n, n_codes]``; fewer only where constraints reject nearly all.

        Raises
        ------
        InvalidSearchSpace
            No draw of thousands satisfied the constraints.
        """
        if self.draw is not None:
            return self.encode([self.draw(rng) for _ in range(n)])
        return code_operations.sample(self, rng, n)

    def loose_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points whose conditions and constraints may be broken, as codes ``[n, n_codes]``.

        Where a part is about to be overwritten: what is drawn is then repaired and checked once.
        """
        if self.draw is not None:
            return self.sample_codes(rng, n)
        return np.hstack([parameter.sample_codes(rng, n) for parameter in self.parameters])

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
        return self.only_valid(self.repair(code_operations.mutate(self, codes, rng, n_changes), rng))

    def cross_codes(self, mothers: Codes, fathers: Codes, rng: np.random.Generator) -> Codes:
        """Take each parameter from one of two parents; rows that break a constraint are dropped."""
        return self.only_valid(self.repair(code_operations.cross(self, mothers, fathers, rng), rng))

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Switch off what the conditions switch off, and draw what they switch on."""
        return code_operations.repair(self, codes, rng) if self.conditional else codes

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
        return nesting.nest(self, configuration)

    def flatten(self, nested: Mapping[str, Any]) -> Configuration:
        """Undo :meth:`nest`; what cannot be undone is left as it is, for :meth:`validate` to refuse."""
        return nesting.flatten(self, nested)

"""The parameters a search space is made of, each with its numeric code.

A *code* is what searchers compute with: one float column for a categorical (the index of its value) or a
numerical (its prior quantile ``u = F(x)`` in [0, 1]), ``k`` columns of 0/1 for a subset of ``k`` values.
A parameter that its condition switches off has the code :data:`INACTIVE`.
"""

from __future__ import annotations

import itertools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Distribution

Codes = npt.NDArray[np.float64]
Value = Any  # a JSON type

INACTIVE = -1.0


def canonical(value: Value) -> str:
    """Return the JSON text that stands for `value` wherever values are compared.

    1.0 reads as 1: NNI's manager, which is JavaScript, hands it on so.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Value) -> Value:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Condition:
    """A parameter exists only while the parameter `label` has one of `values`."""

    label: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Parameter(ABC):
    """One named dimension of a search space.

    Parameters
    ----------
    label
        Its name, unique in the space.
    condition
        When it exists; None for always.
    name
        Its key inside the branch it is nested in; the label when it is not nested.
    """

    label: str
    condition: Condition | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:
            raise InvalidSearchSpace("label", self.label, "a non-empty string")
        if not self.name:
            object.__setattr__(self, "name", self.label)

    @property
    @abstractmethod
    def n_codes(self) -> int:
        """Number of code columns."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of values, None when infinite."""

    @abstractmethod
    def problem(self, value: Value) -> str | None:
        """Say what is allowed instead of `value`, or None when `value` is fine."""

    @abstractmethod
    def encode(self, value: Value) -> tuple[float, ...]:
        """Return the code of a value, ``n_codes`` floats."""

    @abstractmethod
    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        """Return the value of a code ``[n_codes]``."""

    @abstractmethod
    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` codes from the parameter's own distribution, ``[n, n_codes]``."""

    @abstractmethod
    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Return codes ``[n, n_codes]`` of which each differs from its row where it can."""

    @abstractmethod
    def values_near(self, value: Value) -> Iterator[Value]:
        """Yield the values one step away from `value`, in a fixed order."""

    @abstractmethod
    def values(self) -> Iterator[Value]:
        """Yield every value of a finite parameter, in a fixed order."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what defines the parameter, as JSON types: it goes into the space's hash."""


@dataclass(frozen=True)
class Categorical(Parameter):
    """One of a list of values; the code is the value's index.

    Parameters
    ----------
    choices
        The values, JSON types, all different.
    branches
        The values that stand for a nested dictionary ``{"_name": value, …}`` in NNI's notation.
    """

    choices: tuple[Value, ...]
    branches: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        index = {canonical(value): i for i, value in enumerate(self.choices)}
        if not self.choices:
            raise InvalidSearchSpace(self.label, list(self.choices), "at least one value")
        if len(index) != len(self.choices):
            raise InvalidSearchSpace(self.label, list(self.choices), "values that are all different")
        object.__setattr__(self, "_index", index)

    @property
    def n_codes(self) -> int:
        return 1

    @property
    def size(self) -> int:
        return len(self.choices)

    def index(self, value: Value) -> int | None:
        """Return the position of `value`, or None when it is not a choice."""
        index: dict[str, int] = self._index  # type: ignore[attr-defined]  # set in __post_init__
        try:
            return index.get(canonical(value))
        except (TypeError, ValueError):
            return None

    def problem(self, value: Value) -> str | None:
        return None if self.index(value) is not None else f"one of {list(self.choices)}"

    def encode(self, value: Value) -> tuple[float, ...]:
        index: dict[str, int] = self._index  # type: ignore[attr-defined]
        return (float(index[canonical(value)]),)

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        return self.choices[int(code[0])]

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        return rng.integers(self.size, size=(n, 1)).astype(np.float64)

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        if self.size == 1:
            return codes.copy()
        shift = rng.integers(1, self.size, size=codes.shape)
        return np.mod(codes + shift, self.size)

    def values_near(self, value: Value) -> Iterator[Value]:
        here = self.index(value)
        return (other for i, other in enumerate(self.choices) if i != here)

    def values(self) -> Iterator[Value]:
        return iter(self.choices)

    def describe(self) -> dict[str, Any]:
        return {"type": "categorical", "choices": list(self.choices)}


@dataclass(frozen=True)
class Subset(Parameter):
    """Some of a list of values, as a list in the order of `choices`; one 0/1 code column a value.

    Parameters
    ----------
    choices
        The values, JSON types, all different.
    n_chosen
        How many are taken; None for any number, also none.
    """

    choices: tuple[Value, ...]
    n_chosen: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.choices or len({canonical(v) for v in self.choices}) != len(self.choices):
            raise InvalidSearchSpace(self.label, list(self.choices), "at least one value, all different")
        if self.n_chosen is not None and not 0 <= self.n_chosen <= len(self.choices):
            raise InvalidSearchSpace(f"{self.label}.n_chosen", self.n_chosen, f"0 to {len(self.choices)}")

    @property
    def n_codes(self) -> int:
        return len(self.choices)

    @property
    def size(self) -> int:
        k = len(self.choices)
        return 2**k if self.n_chosen is None else math.comb(k, self.n_chosen)

    def problem(self, value: Value) -> str | None:
        count = "any number" if self.n_chosen is None else str(self.n_chosen)
        allowed = f"a list of {count} different values of {list(self.choices)}"
        if not isinstance(value, (list, tuple)):
            return allowed
        known = {canonical(v) for v in self.choices}
        try:
            given = [canonical(v) for v in value]
        except (TypeError, ValueError):
            return allowed
        fits = len(set(given)) == len(given) and set(given) <= known
        return None if fits and self.n_chosen in (None, len(given)) else allowed

    def encode(self, value: Value) -> tuple[float, ...]:
        chosen = {canonical(v) for v in value}
        return tuple(float(canonical(v) in chosen) for v in self.choices)

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        return [value for value, bit in zip(self.choices, code, strict=True) if bit > 0.5]

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        if self.n_chosen is None:
            return rng.integers(2, size=(n, self.n_codes)).astype(np.float64)
        ranks = rng.random((n, self.n_codes)).argsort(axis=1).argsort(axis=1)
        return (ranks < self.n_chosen).astype(np.float64)

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        # A swap keeps the count; a flip is the smallest change where the count is free.
        out, rows, noise = codes.copy(), np.arange(len(codes)), rng.random(codes.shape)
        if self.n_chosen is None:
            flip = noise.argmax(axis=1)
            out[rows, flip] = 1.0 - out[rows, flip]
        elif 0 < self.n_chosen < self.n_codes:
            off = np.where(codes > 0.5, noise, -1.0).argmax(axis=1)
            on = np.where(codes > 0.5, -1.0, noise).argmax(axis=1)
            out[rows, off], out[rows, on] = 0.0, 1.0
        return out

    def values_near(self, value: Value) -> Iterator[Value]:
        code = np.array(self.encode(value))
        on, off = np.flatnonzero(code > 0.5), np.flatnonzero(code < 0.5)
        moves: Iterator[tuple[Any, ...]]
        moves = ((i,) for i in range(self.n_codes)) if self.n_chosen is None else itertools.product(on, off)
        for move in moves:
            near = code.copy()
            near[list(move)] = 1.0 - near[list(move)]
            yield self.decode(near)

    def values(self) -> Iterator[Value]:
        counts = range(len(self.choices) + 1) if self.n_chosen is None else (self.n_chosen,)
        return (list(c) for count in counts for c in itertools.combinations(self.choices, count))

    def describe(self) -> dict[str, Any]:
        return {"type": "subset", "choices": list(self.choices), "n_chosen": self.n_chosen}


@dataclass(frozen=True)
class Numerical(Parameter):
    """A number with a distribution; the code is its quantile ``u = F(x)``."""

    distribution: Distribution

    @property
    def n_codes(self) -> int:
        return 1

    @property
    def size(self) -> int | None:
        levels = self.distribution.levels
        return None if levels is None else len(levels)

    def problem(self, value: Value) -> str | None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if number and self.distribution.contains(value) else str(self.distribution)

    def encode(self, value: Value) -> tuple[float, ...]:
        return (float(self.distribution.cdf(np.float64(value))),)

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        value = float(self.distribution.ppf(code[:1])[0])
        return int(value) if self.distribution.integer else value

    def snap(self, codes: Codes) -> Codes:
        """Move codes to the codes of the values they decode to, so that equal values have equal codes."""
        levels = self.distribution.levels
        return codes if levels is None else self.distribution.cdf(self.distribution.ppf(codes))

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        return self.snap(rng.random((n, 1)))

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        levels = self.distribution.levels
        if levels is not None and len(levels) == 1:
            return codes.copy()
        # Half the moves are local (a fifth of the range), half fresh draws; a level never maps to itself.
        local = np.clip(codes + rng.normal(0.0, 0.1, codes.shape), 0.0, 1.0)
        moved = self.snap(np.where(rng.random(codes.shape) < 0.5, local, rng.random(codes.shape)))
        if levels is None:
            return moved
        grid = self.distribution.cdf(levels)
        here = np.abs(codes - grid[None, :]).argmin(axis=1)
        jump = grid[np.mod(here + rng.integers(1, len(grid), len(codes)), len(grid))][:, None]
        return np.where(moved == codes, jump, moved)

    def values_near(self, value: Value) -> Iterator[Value]:
        levels = self.distribution.levels
        if levels is not None:
            here = int(np.abs(levels - float(value)).argmin())
            steps = [i for i in (here - 1, here + 1) if 0 <= i < len(levels)]
            return (self._python(levels[i]) for i in steps)
        u = self.encode(value)[0]
        return (self.decode(np.array([v])) for v in (u - 0.1, u - 0.02, u + 0.02, u + 0.1) if 0 <= v <= 1)

    def values(self) -> Iterator[Value]:
        levels = self.distribution.levels
        if levels is None:
            raise InvalidSearchSpace(self.label, str(self.distribution), "a finite parameter, to enumerate it")
        return (self._python(level) for level in levels)

    def _python(self, level: float) -> float | int:
        return int(level) if self.distribution.integer else float(level)

    def describe(self) -> dict[str, Any]:
        return {"type": "numerical", **self.distribution.describe()}

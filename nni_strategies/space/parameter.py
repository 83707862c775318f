"""What every parameter of a search space is: a label, a condition, values and their numeric codes.

A *code* is what searchers compute with: one float column for a categorical (the index of its value) or a
numerical (its prior quantile ``u = F(x)`` in [0, 1]), ``k`` columns of 0/1 for a subset of ``k`` values.
A parameter that its condition switches off has the code :data:`INACTIVE`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace

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

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(canonical(value) for value in self.values)

    def holds(self, value: Value) -> bool:
        """Whether the parameter exists while `label` has `value`."""
        return canonical(value) in self._keys


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

    def encode_all(self, values: Sequence[Value]) -> Codes:
        """Return the codes of many values, ``[n, n_codes]``."""
        return np.array([self.encode(value) for value in values], dtype=np.float64).reshape(-1, self.n_codes)

    def decode_all(self, codes: Codes) -> list[Value]:
        """Return the values of many codes ``[n, n_codes]``."""
        return [self.decode(code) for code in codes]

    def normal_form(self, value: Value) -> Value:
        """Return a valid value as the parameter itself writes it (on its grid, of its type)."""
        return value

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

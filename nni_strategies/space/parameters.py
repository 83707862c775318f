"""The kinds of parameters: one of a list of values, some of a list of values, a number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.space.numerical import Numerical
from nni_strategies.space.parameter import INACTIVE, Codes, Condition, Parameter, Value, canonical

__all__ = [
    "INACTIVE", "Categorical", "Codes", "Condition", "Numerical", "Parameter", "Subset", "Value", "canonical",
]  # fmt: skip

_SIMPLE = (str, int, float)


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
        if not self.choices:
            raise InvalidSearchSpace(self.label, list(self.choices), "at least one value")
        if len(self._positions) != len(self.choices):
            raise InvalidSearchSpace(self.label, list(self.choices), "values that are all different")

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {canonical(value): i for i, value in enumerate(self.choices)}

    @cached_property
    def _shortcuts(self) -> dict[Value, int]:
        # Strings and numbers without the detour by JSON; a boolean would collide with 0 and 1.
        return {value: i for i, value in enumerate(self.choices) if type(value) in _SIMPLE}

    @property
    def n_codes(self) -> int:
        return 1

    @property
    def size(self) -> int:
        return len(self.choices)

    def index(self, value: Value) -> int | None:
        """Return the position of `value`, or None when it is not a choice."""
        return _place(value, self._shortcuts, self._positions)

    def problem(self, value: Value) -> str | None:
        return None if self.index(value) is not None else f"one of {list(self.choices)}"

    def encode(self, value: Value) -> tuple[float, ...]:
        index = self.index(value)
        if index is None:
            raise InvalidConfiguration(self.label, value, f"one of {list(self.choices)}", map(str, self.choices))
        return (float(index),)

    def encode_all(self, values: Sequence[Value]) -> Codes:
        return np.array([self.encode(value)[0] for value in values], dtype=np.float64).reshape(-1, 1)

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        return self.choices[int(code[0])]

    def decode_all(self, codes: Codes) -> list[Value]:
        return [self.choices[i] for i in codes[:, 0].astype(np.int64).tolist()]

    def normal_form(self, value: Value) -> Value:
        return self.choices[int(self.encode(value)[0])]

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        return rng.integers(self.size, size=(n, 1)).astype(np.float64)

    def codes_at(self, u: Codes) -> Codes:
        """Return the codes at quantiles in [0, 1) of the distribution over the values."""
        return np.floor(u * self.size)

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
        if not self.choices or len(self._positions) != len(self.choices):
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

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {canonical(value): i for i, value in enumerate(self.choices)}

    @cached_property
    def _shortcuts(self) -> dict[Value, int]:
        return {value: i for i, value in enumerate(self.choices) if type(value) in _SIMPLE}

    def problem(self, value: Value) -> str | None:
        if isinstance(value, (list, tuple)):
            given = [_place(item, self._shortcuts, self._positions) for item in value]
            if len(set(given)) == len(given) and None not in given and self.n_chosen in (None, len(given)):
                return None
        count = "any number" if self.n_chosen is None else str(self.n_chosen)
        return f"a list of {count} different values of {list(self.choices)}"

    def encode(self, value: Value) -> tuple[float, ...]:
        bits = [0.0] * len(self.choices)
        for item in value:
            position = _place(item, self._shortcuts, self._positions)
            if position is None:
                raise InvalidConfiguration(self.label, value, f"values of {list(self.choices)}")
            bits[position] = 1.0
        return tuple(bits)

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        return [value for value, bit in zip(self.choices, code, strict=True) if bit > 0.5]

    def normal_form(self, value: Value) -> Value:
        return self.decode(np.array(self.encode(value)))

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


def _place(value: Value, shortcuts: dict[Value, int], positions: dict[str, int]) -> int | None:
    if type(value) in _SIMPLE:
        return shortcuts.get(value)
    try:
        return positions.get(canonical(value))
    except (TypeError, ValueError):
        return None

"""Numerical: a number with a distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameter import Codes, Parameter, Value

_LOCAL_STEP = 0.1  # standard deviation of a local move, as a quantile
_NEAR = (-0.1, -0.02, 0.02, 0.1)  # neighbours of a number, as quantiles


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

    def encode_all(self, values: Sequence[Value]) -> Codes:
        return self.distribution.cdf(np.array(values, dtype=np.float64))[:, None]

    def decode(self, code: npt.NDArray[np.float64]) -> Value:
        return self._python(float(self.distribution.ppf(code[:1])[0]))

    def decode_all(self, codes: Codes) -> list[Value]:
        return [self._python(x) for x in self.distribution.ppf(codes[:, 0]).tolist()]

    def normal_form(self, value: Value) -> Value:
        return self._python(float(self.distribution.on_grid(np.array(value, dtype=np.float64))))

    def snap(self, codes: Codes) -> Codes:
        """Move codes to the codes of the values they decode to, so that equal values have equal codes."""
        if self.distribution.q is None and self.distribution.levels is None:
            return self.distribution.inside(codes)
        return self.distribution.cdf(self.distribution.ppf(codes))

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        return self.snap(rng.random((n, 1)))

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        if self.size == 1:
            return codes.copy()
        # Half the moves are local, half fresh draws; reflected at the ends, where clipping would get stuck.
        local = 1.0 - np.abs(1.0 - np.abs(codes + rng.normal(0.0, _LOCAL_STEP, codes.shape)))
        fresh = rng.random(codes.shape)
        moved = np.where(rng.random(codes.shape) < 0.5, local, fresh)
        if self.distribution.q is None and self.distribution.levels is None:
            return self.distribution.inside(moved)
        before, after = self.distribution.ppf(codes), self.distribution.ppf(moved)
        stuck = np.flatnonzero((before == after)[:, 0])
        after[stuck, 0] = [self._another(x, rng) for x in before[stuck, 0]]
        return self.distribution.cdf(after)

    def _another(self, x: float, rng: np.random.Generator) -> float:
        """Return a value of the grid that is not `x`."""
        levels, q = self.distribution.levels, self.distribution.q
        if levels is not None:
            here = int(np.abs(levels - x).argmin())
            return float(levels[(here + rng.integers(1, len(levels))) % len(levels)])
        assert q is not None
        steps = [float(self.distribution.on_grid(np.array(x + step))) for step in (-q, q)]
        inside = [step for step in steps if step != x and self.distribution.contains(step)]
        return inside[int(rng.integers(len(inside)))] if inside else x

    def values_near(self, value: Value) -> Iterator[Value]:
        levels, q = self.distribution.levels, self.distribution.q
        if levels is not None:
            here = int(np.abs(levels - float(value)).argmin())
            near = [float(levels[i]) for i in (here - 1, here + 1) if 0 <= i < len(levels)]
        elif q is not None:
            steps = [float(self.distribution.on_grid(np.array(value + step))) for step in (-q, q)]
            near = [x for x in steps if x != value and self.distribution.contains(x)]
        else:
            u = self.encode(value)[0]
            near = [float(self.distribution.ppf(np.array(u + step))) for step in _NEAR if 0 <= u + step <= 1]
        return (self._python(x) for x in near)

    def values(self) -> Iterator[Value]:
        levels = self.distribution.levels
        if levels is None:
            raise InvalidSearchSpace(self.label, str(self.distribution), "a finite parameter, to enumerate it")
        return (self._python(level) for level in levels)

    @property
    def median(self) -> float | int:
        """The value at the middle of the distribution."""
        return self._python(float(self.distribution.ppf(np.array(0.5))))

    def _python(self, x: float) -> float | int:
        return int(x) if self.distribution.integer else float(x)

    def describe(self) -> dict[str, Any]:
        return {"type": "numerical", **self.distribution.describe()}

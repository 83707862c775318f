"""Distributions of numerical parameters: NNI's eight, and any other that can say its quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from nni_strategies.errors import InvalidSearchSpace

Array = npt.NDArray[np.float64]

KINDS = ("uniform", "loguniform", "normal", "lognormal")
_TAIL = 1e-6  # quantiles of an infinite support are kept this far from 0 and 1
_MOST_LEVELS = 100_000  # a finer grid than this is a continuum
_MOST_STEPS = 2.0**53  # of a grid up to its largest value: more are not told apart
_LARGEST_DIGITS = 290  # decimals NumPy can round to


@dataclass(frozen=True)
class Distribution:
    """Uniform or normal, on the line or on its logarithm, optionally rounded to multiples of `q`.

    Parameters
    ----------
    kind
        ``uniform``, ``loguniform``, ``normal`` or ``lognormal``.
    a, b
        Lower and upper bound of a (log)uniform; mean and standard deviation (of the logarithm) of a (log)normal.
    q
        Grid step: values are ``round(x / q) * q``, clipped to the bounds where there are any, as NNI does.
    integer
        Values are Python integers.
    custom
        ``(cdf, ppf, name)`` of another distribution on [a, b]; `kind` is then ignored.
    """

    kind: str
    a: float
    b: float
    q: float | None = None
    integer: bool = False
    custom: tuple[Callable[[Array], Array], Callable[[Array], Array], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidSearchSpace("distribution", self.kind, f"one of {list(KINDS)}", KINDS)
        for name in ("a", "b", "q"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise InvalidSearchSpace(name, value, "a number")
        if self.custom is None and not (is_finite(self.a) and is_finite(self.b)):
            raise InvalidSearchSpace("bounds", [self.a, self.b], "finite numbers")
        if self.bounded and self.a > self.b:
            raise InvalidSearchSpace("bounds", [self.a, self.b], "low <= high")
        if self.kind == "loguniform" and self.a <= 0:
            raise InvalidSearchSpace("low", self.a, "a positive number, for a logarithm")
        if not self.bounded and self.b <= 0:
            raise InvalidSearchSpace("sigma", self.b, "a positive number")
        if self.q is not None and not (self.q > 0 and math.isfinite(self.q)):
            raise InvalidSearchSpace("q", self.q, "a positive number")
        if self.custom is None:
            self._check_values()

    def _check_values(self) -> None:
        """Refuse what leads out of the floating-point numbers: infinities cannot be sent to a trial."""
        with np.errstate(over="ignore", invalid="ignore"):
            ends = np.abs(self._unrounded(np.array([0.0, 1.0])))
        if not np.isfinite(ends).all():
            raise InvalidSearchSpace("distribution", [self.kind, self.a, self.b], "one whose values are finite numbers")
        if self.q is not None and float(ends.max()) / self.q > _MOST_STEPS:
            least = f"at least {float(ends.max()) / _MOST_STEPS:.1g}, which the largest value still tells from the next"
            raise InvalidSearchSpace("q", self.q, least)

    @property
    def bounded(self) -> bool:
        """Whether `a` and `b` are bounds."""
        return self.custom is not None or self.kind in ("uniform", "loguniform")

    @property
    def _edges(self) -> tuple[float, float]:
        # Integers are the middles of cells of width one, so that each has the same probability.
        half = 0.5 if self.integer and self.kind == "uniform" else 0.0
        return self.a - half, self.b + half

    def cdf(self, x: Array | np.float64) -> Array:
        """Return the quantiles in [0, 1] of values of any shape."""
        x = np.asarray(x, dtype=np.float64)
        if self.custom is not None:
            return np.clip(self.custom[0](x), 0.0, 1.0)
        low, high = self._edges
        with np.errstate(divide="ignore"):
            if self.kind in ("loguniform", "lognormal"):
                x = np.log(np.maximum(x, 0.0))
            if self.kind == "loguniform":
                low, high = math.log(low), math.log(high)
        if not self.bounded:
            return np.asarray(np.clip(ndtr((x - low) / high), _TAIL, 1 - _TAIL))
        return np.asarray(np.zeros_like(x) if low == high else np.clip((x - low) / (high - low), 0.0, 1.0))

    def ppf(self, u: Array) -> Array:
        """Return the values at quantiles of any shape, on the grid where there is one."""
        return self.on_grid(self._unrounded(u))

    def _unrounded(self, u: Array) -> Array:
        u = self.inside(np.asarray(u, dtype=np.float64))
        if self.custom is not None:
            x = self.custom[1](u)
        elif not self.bounded:
            x = self.a + self.b * ndtri(u)
        elif self.kind == "uniform":
            low, high = self._edges
            x = low + (high - low) * u
        else:
            x = math.log(self.a) + (math.log(self.b) - math.log(self.a)) * u
        if self.kind in ("loguniform", "lognormal") and self.custom is None:
            x = np.exp(x)
        return np.asarray(x)

    def inside(self, u: Array) -> Array:
        """Return the quantiles nearest to `u` that have values of their own: an infinite support ends in its tails."""
        return np.clip(u, *self._ends)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        if self.custom is not None:  # a clipped one has all of a tail at its bound
            low, high = self.cdf(np.array([self.a, self.b]))
            return max(_TAIL, float(low)), min(1 - _TAIL, float(high))
        return (0.0, 1.0) if self.bounded else (_TAIL, 1 - _TAIL)

    def on_grid(self, x: Array) -> Array:
        """Return the nearest values there are: multiples of `q`, inside the bounds."""
        if self.q is not None:
            # Rounded beyond twelve digits of q: 3 * 0.1 is 0.3 to the user, not 0.30000000000000004.
            digits = max(0, 12 - math.floor(math.log10(self.q)))
            x = np.round(x / self.q) * self.q
            x = np.round(x, digits) if digits <= _LARGEST_DIGITS else x
        return np.clip(x, self.a, self.b) if self.bounded else x

    @cached_property
    def levels(self) -> Array | None:
        """The values of a bounded grid in rising order, None for a continuum."""
        if self.bounded and self.a == self.b:
            return np.array([self.a])
        if self.q is None or not self.bounded:
            return None
        low, high = round(self.a / self.q), round(self.b / self.q)
        if high - low > _MOST_LEVELS:
            return None
        return np.unique(self.on_grid(np.arange(low, high + 1, dtype=np.float64) * self.q))

    def contains(self, value: float) -> bool:
        """Whether `value` is inside the bounds and on the grid."""
        if not is_finite(value):
            return False
        value = float(value)
        if self.kind == "lognormal" and (value < 0 or (value == 0 and self.q is None)):
            return False
        # as near as the same number comes when it is computed or printed otherwise
        slack = 1e-6 * self.q if self.q is not None else 1e-9 * (self.b - self.a) if self.bounded else 0.0
        slack += 8 * np.finfo(float).eps * abs(value)
        if self.bounded and not self.a - slack <= value <= self.b + slack:
            return False
        return bool(abs(float(self.on_grid(np.array(value))) - value) <= slack)

    def describe(self) -> dict[str, Any]:
        """Return what defines the distribution, as JSON types."""
        kind = self.kind if self.custom is None else self.custom[2]
        return {"distribution": kind, "a": self.a, "b": self.b, "q": self.q, "integer": self.integer}

    def __str__(self) -> str:
        what = "an integer" if self.integer else "a number"
        if self.bounded:
            what += f" from {self.a:g} to {self.b:g}"
        return what + (f" in steps of {self.q:g}" if self.q is not None and not self.integer else "")


def is_finite(value: float) -> bool:
    """Whether a number is one as a float; an integer of hundreds of digits is not."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False

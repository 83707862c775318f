r"""What a latency does to a metric: terms T(A, latency) that take the place of a metric A.

==============  ===========================================================================================
``mnas``        A (L / T)^w, with w = -0.03; ``hard`` leaves A alone up to the target T and takes w = -1 above
``log``         A - beta ln(L / T)
``relu``        A - beta max(0, L / T - 1)
``constraint``  A up to the limit, and the worst value above
==============  ===========================================================================================

L is the latency and T the target, both in milliseconds (or both in any other unit: FLOPs, parameters). Sources: Tan et
al., MnasNet, CVPR 2019 (``mnas``, there with w = -0.07 and 'hard' with w = 0 and -1). Deviations: w = -0.03, since
-0.07 was measured to cost accuracy on NAS-Bench-201; and a metric below zero, which is what one to be minimised is
here, is multiplied by the inverse, so that slower is always worse.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from nni_strategies.errors import InvalidArgument, refuse_unknown

#: From a metric, higher being better, and a latency to what takes the place of the metric.
LatencyTerm = Callable[[float, float], float]

HARD = -1.0


@dataclass(frozen=True)
class Mnas:
    """A (L / T)^w.

    Parameters
    ----------
    target
        T.
    w
        The exponent, 0 or less.
    hard
        Whether it is 0 up to the target and -1 above instead.
    """

    target: float
    w: float = -0.03
    hard: bool = False

    def __post_init__(self) -> None:
        _check_positive("target", self.target)
        if not _is_number(self.w) or self.w > 0:
            raise InvalidArgument("w", self.w, "a number up to 0")
        if not isinstance(self.hard, bool):
            raise InvalidArgument("hard", self.hard, "true or false")

    def __call__(self, value: float, latency: float) -> float:
        """Return what takes the place of a metric."""
        ratio = latency / self.target
        exponent = (HARD if ratio > 1 else 0.0) if self.hard else self.w
        return float(value * ratio ** (exponent if value >= 0 else -exponent))


@dataclass(frozen=True)
class Log:
    """A - beta ln(L / T).

    Parameters
    ----------
    target
        T.
    beta
        What a latency e times as long costs, 0 or more.
    """

    target: float
    beta: float = 0.03

    def __post_init__(self) -> None:
        _check_positive("target", self.target)
        _check_weight(self.beta)

    def __call__(self, value: float, latency: float) -> float:
        """Return what takes the place of a metric."""
        return value - self.beta * math.log(latency / self.target)


@dataclass(frozen=True)
class Relu:
    """A - beta max(0, L / T - 1).

    Parameters
    ----------
    target
        T.
    beta
        What twice the target costs, 0 or more.
    """

    target: float
    beta: float = 0.03

    def __post_init__(self) -> None:
        _check_positive("target", self.target)
        _check_weight(self.beta)

    def __call__(self, value: float, latency: float) -> float:
        """Return what takes the place of a metric."""
        return value - self.beta * max(0.0, latency / self.target - 1.0)


@dataclass(frozen=True)
class Constraint:
    """A where the network is fast enough.

    Parameters
    ----------
    limit
        The longest latency that is.
    worst
        The value of one that is not; None: its own less its magnitude and 1, which is below all where values are from 0
        up. Give one where they are not, such as losses that are minimised.
    """

    limit: float
    worst: float | None = None

    def __post_init__(self) -> None:
        _check_positive("limit", self.limit)
        if self.worst is not None and not _is_number(self.worst):
            raise InvalidArgument("worst", self.worst, "a number")

    def __call__(self, value: float, latency: float) -> float:
        """Return what takes the place of a metric."""
        if latency <= self.limit:
            return value
        return value - abs(value) - 1.0 if self.worst is None else min(value, self.worst)


TERMS: dict[str, type[Any]] = {"mnas": Mnas, "log": Log, "relu": Relu, "constraint": Constraint}


def latency_term(name: str, **options: float) -> LatencyTerm:
    """Return a term by its name, as configurations give it.

    Raises
    ------
    InvalidArgument
        An unknown name or option, or a value that cannot be used.
    """
    if name not in TERMS:
        raise InvalidArgument("term", name, f"one of {', '.join(TERMS)}", TERMS)
    kind = TERMS[name]
    refuse_unknown(f"latency.{name}", options, list(kind.__dataclass_fields__), "options")
    first = next(iter(kind.__dataclass_fields__))
    if first not in options:
        raise InvalidArgument(f"latency.{name}.{first}", None, "a number above 0: there is no default")
    term: LatencyTerm = kind(**options)
    return term


def term_of(given: Mapping[str, Any] | str | None) -> LatencyTerm | None:
    """Return what a configuration gives for a latency term.

    Parameters
    ----------
    given
        ``{"term": "mnas", "target": 5.0}``, or ``module:function`` (value, latency_ms) -> value; None for none.

    Raises
    ------
    InvalidArgument
        There is no such term or function.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        options = dict(given)
        return latency_term(str(options.pop("term", None)), **options)
    module, _, name = str(given).partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module is a program of somebody else
        raise InvalidArgument("latency", given, f"module:function, importable: {error!r}") from error
    if not callable(found):
        raise InvalidArgument("latency", given, f"module:function; {module} has no function {name!r}")
    return cast("LatencyTerm", found)


def profiled(profiler: Any) -> Callable[[Mapping[str, Any]], float]:
    """Return the cost of a sample as a profiler of NNI has it (FlopsProfiler, NumParamsProfiler, nn-Meter).

    Parameters
    ----------
    profiler
        Has ``profile(sample)``.

    Raises
    ------
    InvalidArgument
        It has not.
    """
    if not callable(getattr(profiler, "profile", None)):
        raise InvalidArgument("profiler", type(profiler).__name__, "a profiler of nni.nas, with profile(sample)")
    return lambda sample: float(profiler.profile(dict(sample)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_positive(field: str, value: Any) -> None:
    if not _is_number(value) or value <= 0:
        raise InvalidArgument(field, value, "a number above 0")


def _check_weight(beta: Any) -> None:
    if not _is_number(beta) or beta < 0:
        raise InvalidArgument("beta", beta, "a number from 0")

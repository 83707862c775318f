"""The distribution of an ``nni.mutable.Numerical``, whichever of scipy's it is built on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Array, Distribution

_TAIL = 1e-6  # quantiles of an unbounded distribution are kept this far from 0 and 1
_EDGE_STEPS = 1000


def distribution_of(label: str, numerical: Any) -> Distribution:
    """Return the distribution whose values are those ``numerical.random()`` gives.

    Parameters
    ----------
    label
        Named in errors.
    numerical
        An ``nni.mutable.Numerical``: (log)uniform, (log)normal or any continuous scipy distribution, with or
        without ``quantize`` and clipping bounds.

    Raises
    ------
    InvalidSearchSpace
        Bounds that are missing, or a discrete scipy distribution (which NNI cannot check either).

    Notes
    -----
    Deviation from NNI: an unbounded distribution ends at its quantiles 1e-6 and 1 - 1e-6.
    """
    frozen = numerical.distribution
    low, high, q = float(numerical.low), float(numerical.high), numerical.quantize
    unclipped = low == -math.inf and high == math.inf
    name = frozen.dist.name
    if name == "uniform" and numerical.mu is None and _native(numerical):
        return Distribution("uniform", low, high, q)
    if numerical.log_distributed and numerical.mu is None and _native(numerical):
        return Distribution("loguniform", low, high, q)
    if unclipped and name == "norm" and numerical.mu is not None:
        return Distribution("normal", float(numerical.mu), float(numerical.sigma), q)
    if unclipped and q is None and numerical.log_distributed:
        return Distribution("lognormal", float(numerical.mu), float(numerical.sigma))
    if not hasattr(frozen, "pdf"):
        raise InvalidSearchSpace(label, name, "a continuous distribution; take Categorical for a discrete one")
    return _custom(label, numerical, low, high, q)


def _native(numerical: Any) -> bool:
    # A uniform given by `distribution=` has no bounds of its own.
    return math.isfinite(numerical.low) and math.isfinite(numerical.high)


def _custom(label: str, numerical: Any, low: float, high: float, q: float | None) -> Distribution:
    frozen = numerical.distribution
    # Quantiles 0 and 1 may be infinite, or points of density zero, which NNI refuses.
    low = max(low, float(frozen.ppf(_TAIL)))
    high = min(high, float(frozen.ppf(1 - _TAIL)))
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise InvalidSearchSpace(label, [numerical.low, numerical.high], "bounds that hold some of the distribution")
    if q is not None:
        low, high = _inner_edges(label, numerical, low, high, float(q))

    def cdf(x: Array) -> Array:
        return np.asarray(frozen.cdf(x), dtype=np.float64)

    def ppf(u: Array) -> Array:
        return np.clip(np.asarray(frozen.ppf(np.clip(u, _TAIL, 1 - _TAIL)), dtype=np.float64), low, high)

    arguments = [repr(float(a)) for a in frozen.args] + [f"{k}={float(v)!r}" for k, v in sorted(frozen.kwds.items())]
    return Distribution("uniform", low, high, q, custom=(cdf, ppf, f"{frozen.dist.name}({', '.join(arguments)})"))


def _inner_edges(label: str, numerical: Any, low: float, high: float, q: float) -> tuple[float, float]:
    """Move bounds that are not the user's own onto grid points that have a density."""

    def edge(bound: float, own: float, step: float) -> float:
        if bound == own:
            return bound
        level = math.ceil(bound / q) * q if step > 0 else math.floor(bound / q) * q
        for _ in range(_EDGE_STEPS):
            level = round(level, 12)
            if numerical.check_contains({numerical.label: level}) is None:
                return level
            level += step
        raise InvalidSearchSpace(label, q, "a quantize that leaves a value")

    inner = edge(low, float(numerical.low), q), edge(high, float(numerical.high), -q)
    if inner[0] > inner[1]:
        raise InvalidSearchSpace(label, q, "a quantize that leaves a value")
    return inner

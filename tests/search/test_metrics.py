"""Every metric NNI can deliver is a value or a failure, and reading one never raises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_strategies.search.metrics import read_metric


class _Evil:
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("not even that")


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (0.5, 0.5), (3, 3.0), ("0.25", 0.25), (True, 1.0), (np.float32(0.5), 0.5), (np.int64(2), 2.0),
        (np.array(0.5), 0.5), ({"default": 0.5, "ms": 3}, 0.5), ({"default": "1e-3"}, 0.001), (1e308, 1e308),
    ],
)  # fmt: skip
def test_values(metric: Any, value: float) -> None:
    assert read_metric(metric).value == value
    assert read_metric(metric, maximize=False).value == -value
    assert read_metric(metric).metrics["default"] == value  # as reported, in both directions
    assert read_metric(metric, maximize=False).metrics["default"] == value


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (None, "null"), ("bad", "bad"),
        ("nan", "nan"),
        ({}, "no 'default'"), ({"accuracy": 1}, "no 'default'"), ({"default": None}, "null"), ([1.0], "[1.0]"),
        (np.array([1.0]), "array"), (b"1", "b'1'"), (10**400, "not a finite number"), (object(), "object"),
        (_Evil(), "_Evil"), ({"default": _Evil()}, "dict"), (1j, "1j"),
    ],
)  # fmt: skip
def test_failures(metric: Any, why: str) -> None:
    outcome = read_metric(metric)
    assert outcome.value is None
    assert why in (outcome.failure or "")


def test_extras_are_finite_numbers_and_short_json() -> None:
    metric = {
        "default": 1, "params": 10**6, "latency_ms": np.float64(2.5), "nan": math.nan, "flag": False, "note": "ok",
        "log": "x" * 100_000, "shape": [1, 2], "huge": list(range(10_000)), "evil": object(), 3: 4,
    }  # fmt: skip
    assert read_metric(metric).metrics == {
        "default": 1.0, "params": 10**6, "latency_ms": 2.5, "flag": False, "note": "ok", "shape": [1, 2], "3": 4,
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("default"), inner),
        max_leaves=8,
    )
)
def test_anything_is_read(metric: Any) -> None:
    outcome = read_metric(metric)
    assert (outcome.value is None) != (outcome.failure is None)
    assert outcome.value is None or math.isfinite(outcome.value)

"""Ranks against scipy, bit for bit: ties, values that differ in their last bits only, and many values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from nni_strategies import ranks
from nni_strategies.ranks import average_ranks

MANY = 499_500  # pairs of 1,000 stimuli
RNG = np.random.default_rng(0)


def expected(values):
    return rankdata(values, "average") - 1


@pytest.fixture
def always_packed(monkeypatch):
    monkeypatch.setattr(ranks, "_MANY", 1)
    monkeypatch.setattr(ranks, "_BLOCK", 5)


@given(st.lists(st.integers(-50, 50).map(float), max_size=60).map(np.array))
def test_ranks_are_those_of_scipy(values):
    assert np.array_equal(average_ranks(values), expected(values))


def any_floats(**options):
    return st.lists(st.floats(allow_nan=False, **options), min_size=1, max_size=60).map(np.array)


def neighbours(steps):
    """Numbers a few units in the last place from 0.3 or -0.3."""
    return st.lists(st.integers(-steps, steps), min_size=1, max_size=60).map(
        lambda units: np.array([0.3 * np.sign(k + 0.5) * (1.0 + abs(k) * 2.0**-52) for k in units])
    )


EXTREMES = np.array([-np.inf, -1.7e308, -5e-324, -0.0, 0.0, 5e-324, 1e-300, 1.0, 1.7e308, np.inf])


@pytest.mark.usefixtures("always_packed")
@settings(max_examples=500)
@given(any_floats() | any_floats(min_value=0.0, max_value=2.0) | neighbours(3) | neighbours(10**6))
def test_packed_ranks_are_those_of_scipy(values):
    assert np.array_equal(average_ranks(values), expected(values))


@pytest.mark.usefixtures("always_packed")
@pytest.mark.parametrize(
    "values", [RNG.permutation(np.repeat(EXTREMES, 3)), np.array([0.0, -0.0])], ids=["all", "zeros"]
)
def test_infinities_zeros_and_the_smallest(values):
    assert np.array_equal(average_ranks(values), expected(values))


@pytest.mark.usefixtures("always_packed")
def test_values_at_any_stride():
    table = RNG.normal(size=(50, 3))
    assert np.array_equal(average_ranks(table[:, 1]), expected(table[:, 1]))
    assert np.array_equal(average_ranks(table[::-2, 1]), expected(table[::-2, 1]))


@pytest.mark.usefixtures("always_packed")
def test_not_a_number_is_last():
    assert average_ranks(np.array([2.0, np.nan, -np.inf, np.inf])).tolist() == [1.0, 3.0, 0.0, 2.0]
    assert average_ranks(-np.array([2.0, np.nan, 3.0])).tolist() == [1.0, 2.0, 0.0]


def of_two_scales(n):
    """A range so wide that the last bits of half of them do not fit beside their places."""
    close = 1.0 + RNG.integers(0, 1000, n) * 2.0**-52
    return np.where(RNG.random(n) < 0.5, RNG.random(n) * 1e-300, close)


@pytest.mark.parametrize(
    "values",
    [
        RNG.random(MANY),
        RNG.normal(size=MANY),
        RNG.random(MANY).round(1),
        np.where(RNG.random(MANY) < 0.3, 1.0, RNG.random(MANY)),
        RNG.random(MANY).astype(np.float32),
        RNG.integers(-(2**62), 2**62, MANY),
        np.exp(100.0 * RNG.normal(size=MANY)),
        of_two_scales(MANY),
        -of_two_scales(MANY),
        np.full(MANY, 0.1),
        np.arange(MANY, dtype=np.float64)[::-1],
    ],
    ids=["uniform", "normal", "heavy ties", "dead rows", "single", "whole", "wide", "close", "below 0", "same", "down"],
)
def test_many_values(values):
    before = values.copy()
    assert np.array_equal(average_ranks(values), expected(values))
    assert np.array_equal(values, before)


def test_ranks_are_written_where_asked():
    values, rows = RNG.random((2, MANY)), np.full((2, MANY), -1.0)
    for row, out in zip(values, rows, strict=True):
        assert average_ranks(row, out) is out
    assert np.array_equal(rows, [expected(row) for row in values])

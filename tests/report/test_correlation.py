"""Rank correlations against scipy's, and intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from nni_strategies.report.correlation import Correlation, spearman


def test_known_by_hand() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]).value == 1.0
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]).value == -1.0
    assert spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]).value == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert spearman([1, 2, 3], [5, 5, 5]) == Correlation(None, 3)
    assert [spearman([1.0] * n, [2.0] * n).value for n in range(3)] == [None] * 3


def test_ties_as_scipy_has_them() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 60), rng.integers(0, 5, 60)
    assert spearman(x.tolist(), y.tolist()).value == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_the_interval_by_hand_and_where_there_is_none() -> None:
    low, high = Correlation(0.5, 28).interval or (0.0, 0.0)
    half = 1.959964 * (1.125 / 25) ** 0.5
    assert (np.arctanh(low), np.arctanh(high)) == pytest.approx((np.arctanh(0.5) - half, np.arctanh(0.5) + half))
    assert Correlation(0.5, 4).interval is None
    assert Correlation(1.0, 50).interval is None
    assert Correlation(None, 50).interval is None


def test_it_covers_the_truth_about_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    rho = 0.7
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of a bivariate normal
    inside = 0
    for _ in range(1000):
        x, noise = rng.standard_normal((2, 30))
        low, high = spearman(x.tolist(), (rho * x + (1 - rho**2) ** 0.5 * noise).tolist()).interval or (0.0, 0.0)
        inside += low <= truth <= high
    assert 925 <= inside <= 975

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from nni_strategies.lanas.values import ValueTransform, normal_scores

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=60).map(np.array)


@given(VALUES)
def test_rank_transform_is_the_average_rank_plus_a_half_over_n(values):
    expected = (rankdata(values, "average") - 0.5) / len(values)
    assert ValueTransform("rank", values)(values) == pytest.approx(expected, abs=1e-15)


@given(VALUES, st.sampled_from([0.001, 3.0, 1e6]), st.sampled_from([-7.0, 0.0, 1e4]))
def test_an_affine_change_of_the_metric_changes_nothing(values, factor, shift):
    assert np.array_equal(normal_scores(values), normal_scores(values * factor + shift))
    changed = ValueTransform("rank", values * factor + shift)(values * factor + shift)
    assert np.array_equal(ValueTransform("rank", values)(values), changed)


def test_a_later_value_gets_its_quantile():
    transform = ValueTransform("rank", np.array([1.0, 2.0, 3.0, 4.0]))
    assert transform(np.array([2.5, 2.0])).tolist() == [0.5, 0.375]
    assert transform(np.array([-9.0, 9.0])).tolist() == [0.125, 0.875]


def test_minmax_and_none():
    values = np.array([10.0, 20.0, 15.0])
    assert ValueTransform("minmax", values)(np.array([10.0, 15.0, 20.0, 99.0])).tolist() == [0.0, 0.5, 1.0, 1.0]
    assert ValueTransform("none", values)(np.array([3.0, -2.0])).tolist() == [3.0, -2.0]
    assert ValueTransform("minmax", np.array([5.0, 5.0]))(np.array([5.0])).tolist() == [0.5]
    assert [ValueTransform(kind, values).lowest for kind in ("rank", "minmax", "none")] == [1 / 6, 0.0, 10.0]


def test_normal_scores_are_standardised_and_defined_for_equal_values():
    z = normal_scores(np.array([3.0, 1.0, 2.0, 5.0, 1.0]))
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std() == pytest.approx(1)
    assert z[1] == z[4] == z.min()
    assert normal_scores(np.full(4, 7.0)).tolist() == [0.0] * 4

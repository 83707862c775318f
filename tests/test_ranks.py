"""Ranks against scipy, ties included."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from nni_strategies.ranks import average_ranks


@given(st.lists(st.integers(-50, 50).map(float), max_size=60).map(np.array))
def test_ranks_are_those_of_scipy(values):
    assert np.array_equal(average_ranks(values), rankdata(values, "average") - 1)

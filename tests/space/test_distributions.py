"""Distributions against scipy's own, against frequencies, and their quantiles against their inverse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Numerical

U = np.linspace(0.001, 0.999, 201)
quick = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Distribution("uniform", -2, 5), stats.uniform(-2, 7)),
        (Distribution("loguniform", 1e-4, 10), stats.loguniform(1e-4, 10)),
        (Distribution("normal", 3, 2), stats.norm(3, 2)),
        (Distribution("lognormal", 1, 0.5), stats.lognorm(0.5, scale=math.e)),
    ],
    ids=["uniform", "loguniform", "normal", "lognormal"],
)
def test_quantiles_are_those_of_scipy(ours: Distribution, theirs: Any) -> None:
    np.testing.assert_allclose(ours.ppf(U), theirs.ppf(U), rtol=1e-9)
    np.testing.assert_allclose(ours.cdf(theirs.ppf(U)), U, rtol=1e-9)


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    kind = draw(st.sampled_from(["uniform", "loguniform", "normal", "lognormal"]))
    q = draw(st.none() | st.sampled_from([0.1, 0.25, 1.0, 3.0, 1e-3, 7.5]))
    if "normal" in kind:
        spread = st.floats(0.1, 2)
        return Distribution(kind, draw(st.floats(-3, 3)), draw(spread), q)
    low = draw(st.floats(1e-3, 100) if kind == "loguniform" else st.floats(-100, 100))
    return Distribution(kind, low, low + draw(st.floats(0.01, 100)), q)


@given(distributions(), st.floats(0, 1))
@quick
def test_a_drawn_value_is_contained_and_keeps_its_quantile(distribution: Distribution, u: float) -> None:
    x = distribution.ppf(np.array(u))
    assert distribution.contains(float(x))
    if distribution.q is None:
        assert float(distribution.cdf(x)) == pytest.approx(min(max(u, 1e-6), 1 - 1e-6), abs=2e-6)
    elif distribution.bounded:
        assert float(distribution.ppf(distribution.cdf(x))) == float(x)


@given(distributions())
@quick
def test_quantiles_rise(distribution: Distribution) -> None:
    assert (np.diff(distribution.ppf(U)) >= 0).all()
    assert (np.diff(distribution.cdf(distribution.ppf(U))) >= 0).all()


@given(distributions())
@quick
def test_levels_are_all_values_there_are(distribution: Distribution) -> None:
    levels = distribution.levels
    if levels is None:
        assert distribution.q is None or not distribution.bounded
        return
    assert (np.diff(levels) > 0).all()
    assert set(distribution.ppf(np.linspace(0, 1, 5001)).tolist()) <= set(levels.tolist())
    assert all(distribution.contains(level) for level in levels[:50].tolist())


@pytest.mark.parametrize("q", [0.1, 1e-5, 1e-9, 3.0, 1e6])
def test_grid_values_are_written_as_the_user_would(q: float) -> None:
    distribution = Distribution("uniform", 0, 1000 * q, q)
    values = distribution.on_grid(np.arange(0, 1000, dtype=float) * q)
    assert len(set(values.tolist())) == 1000
    assert float(values[3]) == float(f"{3 * q:.12g}")
    assert max(len(repr(float(x)).replace("-", "").split("e")[0]) for x in values) <= 11


def test_integers_are_equally_likely() -> None:
    distribution = Distribution("uniform", -2, 2, 1, integer=True)
    x = distribution.ppf((np.arange(10_000) + 0.5) / 10_000)
    assert {level: int((x == level).sum()) for level in range(-2, 3)} == dict.fromkeys(range(-2, 3), 2000)


def test_the_ends_of_a_rounded_range_are_clipped_as_nni_does() -> None:
    assert Distribution("uniform", 0.4, 2.6, 1.0).levels is not None
    assert Distribution("uniform", 0.4, 2.6, 1.0).levels.tolist() == [0.4, 1, 2, 2.6]  # type: ignore[union-attr]


def uniform(a: float, b: float, q: float | None = None, integer: bool = False) -> Distribution:
    return Distribution("uniform", a, b, q, integer)


@pytest.mark.parametrize(
    ("distribution", "value", "inside"),
    [
        (uniform(0, 10**9 - 1, 1, integer=True), 10**9, False),
        (uniform(0, 10**9 - 1, 1, integer=True), 5e8 + 0.4, False),
        (uniform(0, 10**9 - 1, 1, integer=True), 10**9 - 1, True),
        (uniform(1e6, 2e6, 1e-3), 1e6 + 5e-4, False),
        (uniform(1e6, 2e6, 1e-3), 1e6 + 7 * 1e-3, True),
        (Distribution("loguniform", 1e-12, 1e-9), 0.0, False),
        (Distribution("loguniform", 1e-12, 1e-9), -1e-10, False),
        (Distribution("loguniform", 1e-12, 1e-9), 1e-12, True),
        (Distribution("lognormal", 0, 1), 0, False),
        (Distribution("lognormal", 0, 1, 1.0), 0, True),
        (Distribution("normal", 0, 1), 1e9, True),
        (uniform(0, 1), 10**400, False),
    ],
)
def test_contains_at_every_scale(distribution: Distribution, value: float, inside: bool) -> None:
    assert distribution.contains(value) is inside


@pytest.mark.parametrize("kind", ["normal", "lognormal"])
def test_codes_in_the_tails_are_those_of_their_values(kind: str) -> None:
    parameter = Numerical("x", distribution=Distribution(kind, 0, 1))
    codes = parameter.snap(np.array([[0.0], [1e-9], [0.3], [1 - 1e-12], [1.0]]))
    values = parameter.decode_all(codes)
    assert [len(set(codes[rows, 0])) for rows in ([0, 1], [3, 4])] == [1, 1]
    assert len(set(values)) == 3
    np.testing.assert_allclose(parameter.encode_all(values), codes, rtol=1e-9)
    moved = parameter.mutate_codes(np.full((2000, 1), 1 - 1e-6), np.random.default_rng(0))
    assert len(np.unique(moved)) == len(set(parameter.decode_all(moved)))


@pytest.mark.parametrize(("value", "inside"), [(0.3, True), (0.1 * 3, True), (0.31, False), (1.1, False), (math.nan, False), (math.inf, False)])  # fmt: skip  # noqa: E501
def test_contains(value: float, inside: bool) -> None:
    assert Distribution("uniform", 0, 1, 0.1).contains(value) is inside


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("unifrom", 0, 1), "distribution"),
        (("lognormal", 1000, 200), "distribution"),
        (("normal", 0, 1e308), "distribution"),
        (("uniform", 0, 10**400), "bounds"),
        (("uniform", 0, 1, 1e-300), "q"),
        (("uniform", 0, 1, 5e-324), "q"),
        (("uniform", 1, 0), "bounds"),
        (("uniform", 0, math.inf), "bounds"),
        (("uniform", math.nan, 1), "bounds"),
        (("uniform", "0", 1), "a"),
        (("uniform", 0, True), "b"),
        (("loguniform", 0, 1), "low"),
        (("normal", 0, 0), "sigma"),
        (("uniform", 0, 1, 0), "q"),
        (("uniform", 0, 1, math.inf), "q"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[Any, ...], field: str) -> None:
    with pytest.raises(InvalidSearchSpace, match=rf"^{field} = "):
        Distribution(*arguments)


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (Distribution("uniform", 0, 1, 0.1), "a number from 0 to 1 in steps of 0.1"),
        (Distribution("uniform", 1, 5, 1, integer=True), "an integer from 1 to 5"),
        (Distribution("normal", 0, 1), "a number"),
    ],
)
def test_it_says_what_is_allowed(distribution: Distribution, text: str) -> None:
    assert str(distribution) == text

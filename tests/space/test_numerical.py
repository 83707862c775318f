"""Numbers: codes there and back, mutations that always move, neighbours one step away."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.numerical import Numerical
from nni_strategies.space.parameter import canonical

NUMBERS = {
    "uniform": Distribution("uniform", -1, 3),
    "quniform": Distribution("uniform", 0.25, 3.1, 0.5),
    "two levels": Distribution("uniform", 0.3, 0.7, 1.0),
    "one level": Distribution("uniform", 2, 2, 1.0, integer=True),
    "randint": Distribution("uniform", -2, 6, 1.0, integer=True),
    "wide randint": Distribution("uniform", 0, 10**9, 1.0, integer=True),
    "loguniform": Distribution("loguniform", 1e-5, 10),
    "qloguniform": Distribution("loguniform", 1, 100, 4),
    "normal": Distribution("normal", 5, 2),
    "qnormal": Distribution("normal", 5, 2, 0.5),
    "lognormal": Distribution("lognormal", 1, 0.5),
    "qlognormal": Distribution("lognormal", 1, 0.5, 0.25),
}
every = pytest.mark.parametrize("name", list(NUMBERS))


@every
def test_draws_are_values_and_keep_their_codes(name: str) -> None:
    number = Numerical("x", NUMBERS[name])
    codes = number.sample_codes(np.random.default_rng(0), 300)
    values = number.decode_all(codes)
    assert all(number.problem(value) is None for value in values)
    assert {type(value) for value in values} == {int if number.distribution.integer else float}
    np.testing.assert_allclose(number.encode_all(values), codes, atol=1e-9)
    assert [number.encode(value)[0] for value in values] == number.encode_all(values)[:, 0].tolist()
    assert [number.decode(code) for code in codes] == values
    if number.distribution.q is not None:
        assert [number.normal_form(value) for value in values] == values
        assert [canonical(v) for v in number.decode_all(number.encode_all(values))] == [canonical(v) for v in values]


@every
def test_a_mutation_always_moves(name: str) -> None:
    number, rng = Numerical("x", NUMBERS[name]), np.random.default_rng(1)
    codes = number.snap(np.array([[0.0], [1.0], [0.5], [1e-6], [1 - 1e-6]] * 200))
    for _ in range(3):
        moved = number.mutate_codes(codes, rng)
        before, after = number.decode_all(codes), number.decode_all(moved)
        assert all(number.problem(value) is None for value in after)
        assert all((b != a) == (number.size != 1) for b, a in zip(before, after, strict=True))
        codes = moved


@every
def test_neighbours_are_other_values_on_both_sides(name: str) -> None:
    number = Numerical("x", NUMBERS[name])
    near = list(number.values_near(number.median))
    assert all(number.problem(value) is None for value in near)
    assert number.median not in near
    assert len(set(near)) == len(near)
    if number.size != 1:
        assert near
    if number.size is None or number.size > 2:
        assert min(near) < number.median < max(near)


@pytest.mark.parametrize(("value", "near"), [(-2, [-1]), (0, [-1, 1]), (6, [5])])
def test_integers_step_by_one(value: int, near: list[int]) -> None:
    assert list(Numerical("x", NUMBERS["randint"]).values_near(value)) == near


def test_wide_integers_step_by_one_too() -> None:
    assert list(Numerical("x", NUMBERS["wide randint"]).values_near(0)) == [1]


def test_normals_on_a_grid_step_by_q() -> None:
    assert list(Numerical("x", NUMBERS["qnormal"]).values_near(5.0)) == [4.5, 5.5]


@every
def test_all_values_of_a_grid(name: str) -> None:
    number = Numerical("x", NUMBERS[name])
    if number.size is None:
        with pytest.raises(InvalidSearchSpace, match="finite parameter"):
            list(number.values())
    else:
        values = list(number.values())
        assert len(values) == number.size
        drawn = set(number.decode_all(number.sample_codes(np.random.default_rng(2), 5000)))
        # NNI's rounding may leave the cells of the two ends empty: 0.25 / 0.5 rounds to 0, which is clipped to 0.25.
        assert drawn | {values[0], values[-1]} == set(values)


@pytest.mark.parametrize(
    ("value", "fine"),
    [(3, True), (3.0, True), (3.5, False), (True, False), ("3", False), (None, False), (math.nan, False), (7, False)],
)
def test_what_is_an_integer(value: Any, fine: bool) -> None:
    assert (Numerical("x", NUMBERS["randint"]).problem(value) is None) is fine

"""Counting, enumerating, stepping: written out by hand; the laws are in test_search_space."""

from __future__ import annotations

from nni_strategies.search.testing_spaces import SMALL_SPACES
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Condition, Numerical, Subset
from nni_strategies.space.search_space import SearchSpace

NESTED = SMALL_SPACES["nested"]


def test_the_last_parameter_turns_fastest() -> None:
    space = SearchSpace((Categorical("a", (1, 2)), Subset("b", ("x", "y"), 1)))
    assert list(space.enumerate()) == [
        {"a": 1, "b": ["x"]}, {"a": 1, "b": ["y"]}, {"a": 2, "b": ["x"]}, {"a": 2, "b": ["y"]},
    ]  # fmt: skip


def test_branches_add_up_and_parameters_multiply() -> None:
    assert NESTED.size == (1 + 3) * 5
    deep = SearchSpace(
        (
            Categorical("a", (0, 1, 2)),
            Categorical("b", ("x", "y"), condition=Condition("a", (1, 2))),
            Categorical("c", (5, 6, 7), condition=Condition("b", ("y",))),
            Subset("d", ("p", "q", "r"), 2),
        )
    )
    assert deep.size == (1 + 2 * (1 + 3)) * 3
    assert len(list(deep.enumerate())) == 27


def test_one_infinite_parameter_makes_the_space_infinite() -> None:
    assert SearchSpace((Categorical("a", (1,)), Numerical("x", Distribution("uniform", 0, 1)))).size is None


def test_counting_a_huge_space_is_exact_and_quick() -> None:
    assert SearchSpace(tuple(Categorical(f"x{i}", tuple(range(7))) for i in range(100))).size == 7**100


def test_neighbours_written_out() -> None:
    assert list(NESTED.neighbours({"layer": "none", "width": 0.25})) == [
        {"layer": "pool", "layer.pool.stride": 2, "width": 0.25},
        {"layer": "none", "width": 0.0},
        {"layer": "none", "width": 0.5},
    ]
    assert list(NESTED.neighbours({"layer": "pool", "layer.pool.stride": 1, "width": 0.0})) == [
        {"layer": "none", "width": 0.0},
        {"layer": "pool", "layer.pool.stride": 2, "width": 0.0},
        {"layer": "pool", "layer.pool.stride": 1, "width": 0.25},
    ]


def test_a_cell_of_nasbench201_has_24_neighbours() -> None:
    space = SearchSpace(tuple(Categorical(f"op_{i}", tuple("abcde")) for i in range(6)))
    assert len(list(space.neighbours(dict.fromkeys(space.labels, "a")))) == 24


def test_constraints_leave_out_neighbours() -> None:
    space = SMALL_SPACES["constrained"]
    two = {"op_0": "skip", "op_1": "skip", "op_2": "conv", "op_3": "conv", "op_4": "conv"}
    assert [sum(v == "skip" for v in c.values()) for c in space.neighbours(two)] == [1, 1]

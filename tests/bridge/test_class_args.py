"""Class arguments: what YAML delivers, against every kind of annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from nni_strategies.bridge.class_args import describe, fits, read_class_args
from nni_strategies.errors import InvalidArgument
from nni_strategies.search.searcher import SearcherConfig


@dataclass(frozen=True)
class Config(SearcherConfig):
    rate: float = 0.1
    height: int = 5
    verbose: bool = False
    kind: Literal["ridge", "svm"] = "ridge"
    n_init: int | None = None
    sizes: tuple[int, ...] = (1, 2)
    pool: Any = None

    def __post_init__(self) -> None:
        if self.height < 1:
            raise InvalidArgument("height", self.height, "at least 1")


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (float, [1, 0.5, -2], ["1", True, None, float("nan"), float("inf"), [1]]),
        (int, [1, -1], [1.0, True, "1", None]),
        (bool, [True, False], [0, 1, "true", None]),
        (str, ["", "a"], [1, None, True]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0]),
        (int | None, [None, 3], ["none", 1.5]),
        (tuple[int, ...], [[], [1, 2], (1,)], [1, ["a"], "12", {}]),
        (tuple[int, str], [[1, "a"]], [[1], ["a", 1], [1, "a", 2]]),
        (Sequence[Sequence[str]] | None, [None, [["a"], []]], [["a"], "a", [1]]),
        (Mapping[str, int], [{}, {"a": 1}], [[], "a"]),
        (Any, [1, "a", None], []),
    ],
)
def test_fits(hint, good, bad):
    assert [value for value in good if not fits(hint, value)] == []
    assert [value for value in bad if fits(hint, value)] == []


def test_good_ones():
    read = read_class_args(Config, "minimize", 7, {"rate": 1, "sizes": [3, 4], "kind": "svm"})
    assert read.config == Config(rate=1, sizes=(3, 4), kind="svm")
    assert (read.maximize, read.seed) == (False, 7)


@pytest.mark.parametrize(
    ("class_args", "message"),
    [
        ({"hieght": 3}, "classArgs = \"hieght\": .*did you mean 'height'"),
        ({"height": 0}, "height = 0: at least 1"),
        ({"height": "tall"}, 'height = "tall": an integer'),
        ({"height": 2.5}, "height = 2.5: an integer"),
        ({"kind": "rigde"}, "kind = \"rigde\": one of ridge, svm; did you mean 'ridge'"),
        ({"rate": "3"}, "write 3, without quotes"),
        ({"rate": "1e-3"}, "YAML reads 1e-3 as text: write 0.001"),
        ({"verbose": "yes"}, "true or false"),
        ({"n_init": "none"}, "an integer or none"),
        ({"sizes": 3}, "a list, each an integer"),
        ({"optimise_mode": "maximize"}, "did you mean 'optimize_mode'"),
    ],
)
def test_bad_ones_say_field_value_and_what_is_allowed(class_args, message):
    with pytest.raises(InvalidArgument, match=message):
        read_class_args(Config, "maximize", 0, class_args)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, [1]])
def test_seed(seed):
    with pytest.raises(InvalidArgument, match="seed = "):
        read_class_args(Config, "maximize", seed)


@pytest.mark.parametrize("mode", ["max", "maximise", None, 1, ["maximize"]])
def test_optimize_mode(mode):
    with pytest.raises(InvalidArgument, match=r"optimize_mode = .*maximize or minimize"):
        read_class_args(Config, mode)


def test_in_words():
    assert describe(float | None) == "a finite number or none"
    assert describe(Mapping[str, int]) == "a dictionary"

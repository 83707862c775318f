"""space_from_json against NNI's own reading of the same JSON, and against every bad input of the list."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni.common.hpo_utils import deformat_parameters, format_parameters, format_search_space

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.from_json import TYPES, space_from_json

DEEP: dict[str, Any] = {
    "layer0": {
        "_type": "choice",
        "_value": [
            {"_name": "Empty"},
            {
                "_name": "Conv",
                "kernel": {"_type": "choice", "_value": [1, 3, 5]},
                "activation": {
                    "_type": "choice",
                    "_value": [{"_name": "relu"}, {"_name": "elu", "alpha": {"_type": "uniform", "_value": [0.5, 2]}}],
                },
            },
            {"_name": "Pool", "kernel": {"_type": "randint", "_value": [2, 5]}},
        ],
    },
    "lr": {"_type": "loguniform", "_value": [1e-4, 1e-1]},
}

# NNI 3.0 itself raises KeyError where a branch within a branch is switched off: one level for what it reads back.
NESTED: dict[str, Any] = {
    **DEEP,
    "layer0": {
        "_type": "choice",
        "_value": [
            {"_name": "Empty"},
            {"_name": "Conv", "kernel": {"_type": "choice", "_value": [1, 3, 5]}},
            {"_name": "Pool", "kernel": {"_type": "randint", "_value": [2, 5]}},
        ],
    },
}

EVERY_TYPE: dict[str, Any] = {
    "choice": {"_type": "choice", "_value": ["a", 2, 0.5]},
    "randint": {"_type": "randint", "_value": [-2, 7]},
    "uniform": {"_type": "uniform", "_value": [-1, 3]},
    "quniform": {"_type": "quniform", "_value": [0.25, 3.1, 0.5]},
    "loguniform": {"_type": "loguniform", "_value": [0.001, 10]},
    "qloguniform": {"_type": "qloguniform", "_value": [1, 100, 4]},
    "normal": {"_type": "normal", "_value": [5, 2]},
    "qnormal": {"_type": "qnormal", "_value": [5, 2, 0.5]},
    "lognormal": {"_type": "lognormal", "_value": [1, 0.5]},
    "qlognormal": {"_type": "qlognormal", "_value": [1, 0.5, 0.25]},
}


def test_labels_name_the_way_to_a_nested_parameter() -> None:
    assert space_from_json(DEEP).labels == (
        "layer0",
        "layer0.Conv.kernel",
        "layer0.Conv.activation",
        "layer0.Conv.activation.elu.alpha",
        "layer0.Pool.kernel",
        "lr",
    )


@pytest.mark.parametrize("search_space", [NESTED, EVERY_TYPE], ids=["nested", "every type"])
def test_nni_reads_what_we_propose_and_gives_it_back(search_space: dict[str, Any]) -> None:
    space, formatted = space_from_json(search_space), format_search_space(search_space)
    rng = np.random.default_rng(0)
    for configuration in space.decode(space.sample_codes(rng, 200)):
        ours = space.nest(configuration)
        theirs = deformat_parameters(format_parameters(ours, formatted), formatted)
        _assert_same(theirs, ours)
        assert space.flatten(ours) == configuration


def test_deep_nesting_is_that_of_nni() -> None:
    space, formatted = space_from_json(DEEP), format_search_space(DEEP)
    keys = {}
    for key in formatted:
        node, label = DEEP, ""
        for part in key:
            if isinstance(part, int):
                node = node["_value"][part]
                label += f".{node['_name']}."
            else:
                node, label = node[part], label + part
        keys[key] = label
    assert set(keys.values()) == set(space.labels)
    for configuration in space.decode(space.sample_codes(np.random.default_rng(0), 200)):
        flat = {
            key: _index(formatted[key], configuration[label]) for key, label in keys.items() if label in configuration
        }
        theirs = deformat_parameters(flat, formatted)
        _assert_same(theirs, space.nest(configuration))
        assert space.flatten(theirs) == configuration or theirs["lr"] == pytest.approx(configuration["lr"])


@pytest.mark.parametrize("search_space", [NESTED, EVERY_TYPE], ids=["nested", "every type"])
def test_what_nni_draws_is_in_the_space(search_space: dict[str, Any]) -> None:
    from nni.algorithms.hpo.random_tuner import suggest

    space, formatted = space_from_json(search_space), format_search_space(search_space)
    rng = np.random.default_rng(0)
    for _ in range(200):
        nested = deformat_parameters(suggest(rng, formatted), formatted)
        configuration = space.flatten(nested)
        space.validate(configuration)
        assert space.nest(configuration) == nested


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.startswith("q")])
def test_quantised_frequencies_are_those_of_nni(kind: str) -> None:
    from nni.algorithms.hpo.random_tuner import suggest

    search_space = {kind: EVERY_TYPE[kind]}
    space, formatted = space_from_json(search_space), format_search_space(search_space)
    n = 4000
    ours = [c[kind] for c in space.decode(space.sample_codes(np.random.default_rng(0), n))]
    rng = np.random.default_rng(0)
    theirs = [deformat_parameters(suggest(rng, formatted), formatted)[kind] for _ in range(n)]
    for level in set(np.round(ours, 9)) | set(np.round(theirs, 9)):
        p, r = np.mean(np.isclose(ours, level)), np.mean(np.isclose(theirs, level))
        assert abs(p - r) < 5 * math.sqrt(max(p, r) / n) + 1 / n, level


def test_randint_leaves_out_its_upper_end() -> None:
    space = space_from_json({"n": {"_type": "randint", "_value": [3, 6]}})
    assert [c["n"] for c in space.enumerate()] == [3, 4, 5]
    assert all(type(c["n"]) is int for c in space.enumerate())


def test_tuples_become_lists_as_json_makes_them() -> None:
    space = space_from_json({"size": {"_type": "choice", "_value": [(1, 2), (3, 4)]}})
    assert [c["size"] for c in space.enumerate()] == [[1, 2], [3, 4]]


def _spec(kind: Any, value: Any) -> dict[str, Any]:
    return {"x": {"_type": kind, "_value": value}}


_CYCLE: dict[str, Any] = {}
_CYCLE["x"] = {"_type": "choice", "_value": [_CYCLE]}

BAD = [
    ([], "search_space = [", "dictionary"),
    ({}, "search_space = {}", "at least one parameter"),
    ({"x": 3}, "search_space.x = 3", "'_type' and '_value'"),
    ({3: {"_type": "choice", "_value": [1]}}, "search_space = 3", "strings"),
    ({"x": {"_value": [1]}}, "search_space.x._type", "missing"),
    ({"x": {"_type": "choice"}}, "search_space.x._value", "missing"),
    (_spec("Choise", [1]), "search_space.x._type", "did you mean 'choice'?"),
    (_spec("log_uniform", [1, 2]), "search_space.x._type", "did you mean 'loguniform'?"),
    (_spec(["choice"], [1]), "search_space.x._type", "one of"),
    (_spec("choice", []), "search_space.x._value = []", "at least one value"),
    (_spec("choice", 5), "search_space.x._value = 5", "list"),
    (_spec("choice", "abc"), "search_space.x._value", "list"),
    (_spec("choice", [1, 2, 1]), "search_space.x._value[2] = 1", "equals [0]"),
    (_spec("choice", [1, 1.0]), "search_space.x._value[1]", "equals [0]"),
    (_spec("choice", [{1, 2}]), "search_space.x._value[0]", "JSON"),
    (_spec("choice", [math.nan]), "search_space.x._value[0]", "finite"),
    (_spec("choice", [[1, {"k": math.inf}]]), "search_space.x._value[0][1].k", "finite"),
    (_spec("choice", [{1: 2}]), "search_space.x._value[0]", "strings"),
    (_spec("choice", [{"_name": "a"}, "b"]), 'search_space.x._value = "b"', "'_name'"),
    (_spec("choice", [{"_name": "a"}, {"_name": "a"}]), "search_space.x._value[1]", "equals [0]"),
    (_spec("choice", [{"_name": "a", "k": 3}]), "search_space.x._value[0].k = 3", "'_type'"),
    (_spec("choice", [{"_name": "a", "k": {"_type": "x", "_value": []}}]), "search_space.x._value[0].k._type", "one"),
    (_spec("uniform", []), "search_space.x._value", "[low, high]"),
    (_spec("uniform", [1]), "search_space.x._value", "[low, high]"),
    (_spec("uniform", [1, 2, 3]), "search_space.x._value", "[low, high]"),
    (_spec("quniform", [1, 2]), "search_space.x._value", "[low, high, q]"),
    (_spec("quniform", [1, 2, 0]), "search_space.x._value[2] = 0", "positive step"),
    (_spec("uniform", [2, 1]), "search_space.x._value", "low < high"),
    (_spec("uniform", [1, 1]), "search_space.x._value", "low < high"),
    (_spec("uniform", [0, math.nan]), "search_space.x._value[1]", "finite"),
    (_spec("uniform", [-math.inf, 0]), "search_space.x._value[0]", "finite"),
    (_spec("uniform", [-1e308, 1e308]), "search_space.x._value", "finite"),
    (_spec("uniform", ["0", 1]), 'search_space.x._value[0] = "0"', "number"),
    (_spec("uniform", [False, 1]), "search_space.x._value[0]", "number"),
    (_spec("loguniform", [0, 1]), "search_space.x._value[0] = 0", "positive"),
    (_spec("lognormal", [1000, 200]), "search_space.x._value = [1000, 200]", "finite"),
    (_spec("quniform", [0, 1, 1e-300]), "search_space.x._value = [0, 1, 1e-300]", "at least"),
    (_spec("uniform", [0, 10**400]), "search_space.x._value[1]", "finite"),
    (_spec("choice", [1, 2**53 + 1]), "search_space.x._value[1] = 9007199254740993", "2^53"),
    (_spec("choice", [[2**60]]), "search_space.x._value[0][0]", "2^53"),
    (_spec("qloguniform", [-1, 1, 1]), "search_space.x._value[0]", "positive"),
    (_spec("normal", [0, 0]), "search_space.x._value[1]", "positive sigma"),
    (_spec("qlognormal", [0, -1, 1]), "search_space.x._value[1]", "positive sigma"),
    (_spec("randint", [0, 2.5]), "search_space.x._value[1] = 2.5", "an integer"),
    (_spec("randint", [3, 3]), "search_space.x._value", "low < high"),
    (_spec("randint", [0, 2**60]), "search_space.x._value[1]", "2^53"),
    ({"a.b.c": _spec("choice", [1])["x"], "a": _spec("choice", [{"_name": "b", "c": _spec("choice", [1])["x"]}])["x"]},
     'search_space = "a.b.c"', "used once"),
    (_CYCLE, "search_space", "cycles"),
]  # fmt: skip


@pytest.mark.parametrize(("search_space", "where", "what"), BAD, ids=[f"{i}-{w}" for i, (_, w, _) in enumerate(BAD)])
def test_bad_input_is_refused_with_its_place(search_space: Any, where: str, what: str) -> None:
    with pytest.raises(InvalidSearchSpace) as raised:
        space_from_json(search_space)
    assert str(raised.value).startswith(where)
    assert what in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-10, 10) | st.sampled_from(["a", "b", *TYPES]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["_type", "_value", "_name", "x", "y"]), inner, max_size=4)
    | st.fixed_dictionaries({"_type": st.sampled_from(TYPES), "_value": st.lists(inner, max_size=3)}),
    max_leaves=12,
)


PROPER = st.recursive(
    st.builds(lambda kind, low, wide: {"_type": kind, "_value": [low, low + wide]},
              st.sampled_from(["uniform", "randint", "loguniform", "normal"]), st.integers(1, 5), st.integers(1, 3))
    | st.builds(lambda kind, low, q: {"_type": kind, "_value": [low, low + 1, q]},
                st.sampled_from(["quniform", "qloguniform", "qnormal", "qlognormal"]), st.integers(1, 5),
                st.sampled_from([0.1, 0.3, 1, 5])),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=2).map(
        lambda branch: {"_type": "choice", "_value": [{"_name": "a", **branch}, {"_name": 2}]}),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("xyz"), PROPER | PROPER | PROPER | JSON, max_size=3))
@settings(max_examples=150, deadline=None)
def test_anything_is_refused_or_can_be_searched(search_space: dict[str, Any]) -> None:
    try:
        space = space_from_json(search_space)
    except InvalidSearchSpace as error:
        assert str(error).startswith("search_space")
        return
    for configuration in space.decode(space.sample_codes(np.random.default_rng(0), 5)):
        space.validate(configuration)
        assert space.flatten(space.nest(configuration)) == configuration


def _index(spec: Any, value: Any) -> Any:
    """Return NNI's internal form of a value."""
    if spec.type == "choice":
        return [v["_name"] if isinstance(v, dict) else v for v in spec.values].index(value)
    if spec.type == "randint":
        return value - spec.values[0]
    return math.log(value) if spec.log_distributed else value


def _assert_same(theirs: Any, ours: Any) -> None:
    """Equal, floats up to rounding."""
    if isinstance(ours, dict):
        assert set(theirs) == set(ours)
        for key in ours:
            _assert_same(theirs[key], ours[key])
    elif isinstance(ours, float):
        assert theirs == pytest.approx(ours, rel=1e-9, abs=1e-9)
    else:
        assert theirs == ours

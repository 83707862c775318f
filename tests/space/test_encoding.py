"""Encoder and histograms against features written down by hand and a slow reading of the configurations."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.space.encoding import Encoder, histograms, value_groups
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace

MIXED = space_from_json(
    {
        "layer": {
            "_type": "choice",
            "_value": [{"_name": "none"}, {"_name": "conv", "width": {"_type": "uniform", "_value": [0, 4]}}],
        },
        "batch": {"_type": "choice", "_value": [64, 16, 32]},
        "depth": {"_type": "randint", "_value": [1, 4]},
    }
)
OPERATIONS = ("none", "skip", "conv", "pool")
CELL = SearchSpace(
    (
        *(Categorical(f"{cell}/op_{i}", OPERATIONS) for cell in ("normal", "reduce") for i in range(3)),
        Categorical("normal/input_0", OPERATIONS),
        Categorical("alone", ("x", "y")),
    )
)


def test_features_are_those_written_by_hand() -> None:
    conv = {"layer": "conv", "layer.conv.width": 1.0, "batch": 16, "depth": 2}
    codes = MIXED.encode([conv, {"layer": "none", "batch": 32, "depth": 3}])
    encoder = Encoder(MIXED)
    assert [label for label, _ in encoder.columns] == ["layer"] * 2 + ["layer.conv.width"] + ["batch"] * 3 + ["depth"]
    assert encoder.columns[1] == ("layer", '= "conv"')
    third = math.sqrt(12) / 3
    expected = [[0, 1, -0.25 * math.sqrt(12), 0, 1, 0, 0], [1, 0, 0, 0, 0, 1, third]]
    np.testing.assert_allclose(encoder.transform(codes), expected, atol=1e-6)
    assert encoder.transform(codes).dtype == np.float32


def test_options_add_ranks_and_levels() -> None:
    codes = MIXED.encode([{"layer": "none", "batch": 64, "depth": 1}])
    encoder = Encoder(MIXED, standardize=False, ordered_levels=True, ranks=True)
    row = encoder.transform(codes)[0]
    assert dict(zip(encoder.columns, row, strict=True)) == pytest.approx(
        {
            ("layer", '= "none"'): 1, ("layer", '= "conv"'): 0, ("layer.conv.width", "quantile"): 0.5,
            ("batch", "= 64"): 1, ("batch", "= 16"): 0, ("batch", "= 32"): 0, ("batch", "rank"): math.sqrt(1.5),
            ("depth", "quantile"): 1 / 6, ("depth", "= 1"): 1, ("depth", "= 2"): 0, ("depth", "= 3"): 0,
        }
    )  # fmt: skip
    assert encoder.slices["depth"] == slice(7, 11)


def test_subsets_are_k_hot() -> None:
    space = SearchSpace((Subset("inputs", ("a", "b", "c"), 2),))
    assert Encoder(space).transform(space.encode([{"inputs": ["a", "c"]}])).tolist() == [[1, 0, 1]]


def test_standardised_quantiles_have_unit_variance() -> None:
    space = space_from_json(
        {"x": {"_type": "lognormal", "_value": [2, 3]}, "y": {"_type": "uniform", "_value": [-3, 1]}}
    )
    features = Encoder(space).transform(space.sample_codes(np.random.default_rng(0), 20_000))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=0.02)


def test_long_lists_are_hashed_alike_in_every_process() -> None:
    code = (
        "import numpy as np; from nni_strategies.space.encoding import Encoder;"
        "from nni_strategies.space.parameters import Categorical;"
        "from nni_strategies.space.search_space import SearchSpace;"
        "s = SearchSpace((Categorical('x', tuple(f'v{i}' for i in range(100))),));"
        "f = Encoder(s).transform(np.arange(100.0)[:, None]); assert f.shape == (100, 64);"
        "print(f.argmax(axis=1).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(set(json.loads(outputs.pop()))) > 32


def test_groups_keep_apart_what_means_something_else() -> None:
    assert [g.labels for g in value_groups(CELL)] == [
        ("normal/op_0", "normal/op_1", "normal/op_2"),
        ("reduce/op_0", "reduce/op_1", "reduce/op_2"),
    ]


def test_single_letters_number_things_too() -> None:
    space = SearchSpace(tuple(Categorical(f"edge_{letter}", OPERATIONS) for letter in "abc"))
    assert [g.labels for g in value_groups(space)] == [("edge_a", "edge_b", "edge_c")]


def test_groups_can_be_declared() -> None:
    groups = value_groups(CELL, [["normal/op_0", "reduce/op_0"]])
    assert [g.labels for g in groups] == [("normal/op_0", "reduce/op_0")]
    for bad in (["normal/op_0"], ["normal/op_0", "normal/op_0"], ["normal/op_0", "alone"], ["normal/opp_0", "alone"]):
        with pytest.raises(InvalidArgument, match=r"groups\[0\]"):
            value_groups(CELL, [bad])
    with pytest.raises(InvalidArgument, match="did you mean 'normal/op_0'"):
        value_groups(CELL, [["normal/opp_0", "normal/op_1"]])


def test_histograms_count_values() -> None:
    configurations = CELL.decode(CELL.sample_codes(np.random.default_rng(1), 50))
    groups = value_groups(CELL)
    expected = [
        [sum(c[label] == value for label in group.labels) for group in groups for value in OPERATIONS]
        for c in configurations
    ]
    counts = histograms(CELL.encode(configurations), groups)
    assert counts.tolist() == expected
    assert histograms(CELL.encode(configurations), ()).shape == (50, 0)


def test_histograms_leave_out_what_is_switched_off() -> None:
    kernel = {"_type": "choice", "_value": [3, 5]}
    layer = {"_type": "choice", "_value": [{"_name": "none"}, {"_name": "conv", "kernel": kernel}]}
    space = space_from_json({"layer0": layer, "layer1": layer})
    codes = space.encode([{"layer0": "conv", "layer0.conv.kernel": 5, "layer1": "none"}])
    groups = value_groups(space)
    assert [g.labels for g in groups] == [("layer0", "layer1"), ("layer0.conv.kernel", "layer1.conv.kernel")]
    assert histograms(codes, groups).tolist() == [[1, 1, 0, 1]]


def test_300_rows_cost_little_more_than_one() -> None:
    space = SearchSpace(tuple(Categorical(f"op{i}", tuple("abcde")) for i in range(20)))
    codes, encoder, groups = space.sample_codes(np.random.default_rng(0), 300), Encoder(space), value_groups(space)

    def once(n: int) -> float:
        start = time.perf_counter()
        encoder.transform(codes[:n])
        histograms(codes[:n], groups)
        return time.perf_counter() - start

    one, all_of_them = (min(once(n) for _ in range(20)) for n in (1, 300))
    assert all_of_them < 60 * one

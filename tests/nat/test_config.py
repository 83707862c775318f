"""What a configuration of NAT refuses, and what a budget makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nat import policy_file
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.policy.make import make_policy
from tests.nat.edge_spaces import nasbench201

CELL = {"cell/edge_0_1": "skip_connect"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "natt"}, "did you mean 'nat'"),
        ({"cost_rule": "strct"}, "did you mean 'strict'"),
        ({"cost_rule": "paper"}, "nat"),
        ({"learner": "critc"}, "did you mean 'critic'"),
        ({"policy": "lstn"}, "did you mean 'lstm'"),
        ({"k": 0}, "k = 0"),
        ({"n_inputs": True}, "n_inputs"),
        ({"null_probability": 1.0}, "null_probability = 1.0: a probability"),
        ({"null_probability": "0.1"}, "null_probability"),
        ({"null_probability": 0.1, "inputs": CELL}, "null_probability = 0.1: absent beside inputs"),
        ({"queries": 0}, "queries"),
        ({"costs": {"conv": [1]}}, "two whole numbers"),
        ({"costs": {"conv": [1, -1]}}, r"costs\[conv\]"),
        ({"costs": [1, 2]}, "dictionary"),
        ({"op_classes": ["none"]}, "op_classes"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "no_such_file.json"}, "No such file"),
        ({"policy_file": 7}, "policy_file = 7: the path of a file"),
        ({"cost_mode": "lively"}, "did you mean 'live'"),
        ({"budget": 20}, "more than 20 trials"),
        ({"budget": 100, "queries": 7}, "leaves 80"),
        ({"budget": 2, "inputs": CELL}, "more than 2 trials, which 1 inputs"),
    ],
)
def test_bad_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        NATConfig(**fields)


def test_a_budget_leaves_the_rest_for_queries() -> None:
    config = NATConfig(budget=300, n_inputs=20, k=4)
    assert config.queries == 300 - 20 * 5
    assert NATConfig(budget=10, inputs=[CELL, CELL]).queries == 6


@pytest.mark.parametrize("fields", [{}, {"budget": 90, "learner": "paper"}, {"inputs": [CELL], "costs": {"a": (1, 2)}}])
def test_json_gives_the_same_configuration(fields: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(NATConfig(**fields).to_json()))
    assert NATConfig(**plain).to_json() == plain


def test_a_file_of_a_policy_says_its_form(tmp_path: Path) -> None:
    view = nasbench201()
    path = tmp_path / "policy.safetensors"
    policy_file.save(path, policy_file.Learned(make_policy("lstm", view, hidden=8), view, "lstm", 8))
    config = NATConfig(policy_file=path, budget=300)
    assert (config.policy, config.hidden) == ("lstm", 8)
    assert NATConfig(**json.loads(json.dumps(config.to_json()))).to_json() == config.to_json()
    with pytest.raises(InvalidArgument, match="hidden = 16: absent beside policy_file, whose policy has 8"):
        NATConfig(policy_file=path, hidden=16)
    with pytest.raises(DataMissing, match="no policy at"):
        NATConfig(policy_file=tmp_path / "none.safetensors")


def test_the_entropy_is_that_of_the_learner() -> None:
    assert (NATConfig().entropy, NATConfig(learner="paper").entropy) == (0.3, 0.01)
    assert NATConfig(learner="paper", entropy=0.1).entropy == 0.1

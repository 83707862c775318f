"""Scores of configurations, and what they tell a report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.irlas import scoring
from nni_strategies.irlas.experts import expert, load_experts
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.scoring import ConfigurationScores, blocks_function
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.graph_json import graph_from_json

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL = SearchSpace(tuple(Categorical(f"cell.edge_{i}_{j}", OPERATIONS) for i, j in EDGES))


@pytest.fixture(autouse=True)
def few_members(monkeypatch):
    monkeypatch.setattr(scoring, "_MEMBERS", 200)


@pytest.fixture
def scores() -> ConfigurationScores:
    return ConfigurationScores(CELL, blocks_function(None), load_experts(["resnext", "densenet"]))


def drawn(n: int):
    codes = CELL.sample_codes(np.random.default_rng(1), n)
    return codes, CELL.decode(codes)


def test_remarks_are_s_and_z(scores) -> None:
    prior = ExpertPrior(scores)
    codes, configurations = drawn(20)
    for z, configuration in zip(prior.stimulus(codes), configurations, strict=True):
        remarks = prior.remarks(configuration)
        assert remarks == {"stimuli": pytest.approx(scores.score(configuration), abs=1e-6),
                           "z": pytest.approx(z, abs=1e-6)}  # fmt: skip
        assert json.loads(json.dumps(remarks)) == remarks


def test_what_cannot_be_read_is_a_random_one_and_said() -> None:
    def half(configuration):
        if configuration["cell.edge_0_1"] == "none":
            raise TopologyUnreadable("none")
        return blocks_function(None)(configuration)

    scores = ConfigurationScores(CELL, half, {"resnext": expert("resnext")})
    codes, configurations = drawn(40)
    unreadable = [c["cell.edge_0_1"] == "none" for c in configurations]
    assert [scores.remarks(c).get("unreadable", False) for c in configurations] == unreadable
    assert all(scores.remarks(c)["stimuli"] == 0 for c, lost in zip(configurations, unreadable, strict=True) if lost)
    assert scores.unreadable == len({CELL.key(c) for c, lost in zip(configurations, unreadable, strict=True) if lost})
    assert (scores.similarities(codes)[unreadable] == scores.stimuli.mean).all()


def test_a_header_has_the_experts_in_the_operations_of_the_space(scores) -> None:
    experts = json.loads(json.dumps(scores.describe()))["experts"]
    for name, one in scores.projections.items():
        assert graph_from_json(experts[name]) == one.graph
        assert (experts[name]["replaced"], experts[name]["unmapped"]) == (one.replaced, one.unmapped)
    assert max(entry["stimuli"] for entry in experts.values()) == 1.0
    assert ExpertPrior(scores).describe()["stimuli"] == scores.describe()


def test_experts_are_once_in_a_header() -> None:
    prior = IRLASSearcher(CELL, IRLASConfig()).describe()
    assert "experts" in prior["prior"]["stimuli"]
    assert "stimuli" not in prior
    paper = IRLASSearcher(CELL, IRLASConfig(mode="paper", lam=0.125)).describe()
    assert (paper["prior"], paper["lam"]) == ("uniform", 0.125)
    assert set(paper["stimuli"]["experts"]) == {"resnext", "resnet_basic", "densenet"}
    assert IRLASSearcher(CELL, IRLASConfig(mode="none")).describe().keys() == {"algorithm", "config", "prior"}

"""The expert prior: what it draws, and the gate, on spaces whose distribution is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import expert
from nni_strategies.irlas.prior import ExpertPrior, expert_prior
from nni_strategies.irlas.scoring import ConfigurationScores, blocks_function
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.searcher import Trial
from nni_strategies.search.study import Study
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.topology import Block

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL = SearchSpace(tuple(Categorical(f"cell.edge_{i}_{j}", OPERATIONS) for i, j in EDGES))
CHAIN = SearchSpace(tuple(Categorical(f"layer_{i}", ("conv3", "conv1", "maxpool3")) for i in range(4)))


def chain_blocks(configuration: dict[str, Any]) -> list[Block]:
    return [Block("layers", TopologyGraph.chain(configuration.values()), 1)]


@pytest.fixture(scope="module")
def scores() -> ConfigurationScores:
    experts = {"resnet": expert("resnet"), "basic": expert("resnet_basic")}
    return ConfigurationScores(CELL, blocks_function(None), experts)


@pytest.fixture
def chain_scores() -> ConfigurationScores:
    return ConfigurationScores(CHAIN, chain_blocks, {"vgg": TopologyGraph.chain(["conv3"] * 4)})


def results(prior: ExpertPrior, values, rng) -> None:
    codes = prior.scores.space.sample_codes(rng, 20)
    z = prior.stimulus(codes)
    for number, configuration in enumerate(prior.scores.space.decode(codes)):
        prior.finished(Trial(number, configuration, value=float(values(z)[number])))


def test_draws_are_tilted_by_exp_beta_z(chain_scores):
    """81 chains can be enumerated: the frequencies are those of p, as far as 64 candidates can follow it."""
    prior = ExpertPrior(chain_scores, beta=1.0, gate=0)
    everything = CHAIN.encode(list(CHAIN.enumerate()))
    weights = np.exp(prior.stimulus(everything))
    drawn = prior.sample_codes(np.random.default_rng(0), 4000)
    place = {row.tobytes(): i for i, row in enumerate(everything)}
    counts = np.bincount([place[row.tobytes()] for row in drawn], minlength=81)
    expected = weights / weights.sum()
    assert np.abs(counts / 4000 - expected).sum() / 2 < 0.08  # total variation; noise alone gives about .05
    assert abs(np.dot(counts / 4000 - expected, prior.stimulus(everything))) < 0.06


def test_beta_zero_is_uniform(chain_scores):
    prior = ExpertPrior(chain_scores, beta=0.0, gate=0)
    drawn = prior.sample_codes(np.random.default_rng(0), 3000)
    assert drawn.mean() == pytest.approx(1.0, abs=0.05)


def test_the_gate_keeps_what_agrees_and_drops_what_does_not(scores):
    rng = np.random.default_rng(1)
    for values, trusted in ((lambda z: z, True), (lambda z: -z, False), (lambda z: np.ones_like(z), False)):
        prior = ExpertPrior(scores)
        assert prior.trusted is None
        results(prior, values, rng)
        assert prior.trusted is trusted


def test_the_gate_decides_by_spearman_over_the_first_results(scores):
    rng, prior = np.random.default_rng(2), ExpertPrior(scores, gate=20)
    noise = rng.normal(size=20)
    codes = CELL.sample_codes(rng, 20)
    z = prior.stimulus(codes)
    for number, configuration in enumerate(CELL.decode(codes)):
        prior.finished(Trial(number, configuration, value=float(z[number] + noise[number])))
    assert prior.correlation == pytest.approx(spearmanr(z, z + noise).statistic)


def test_before_the_gate_half_the_draws_are_uniform(chain_scores):
    undecided, trusted = ExpertPrior(chain_scores), ExpertPrior(chain_scores, gate=0)
    mean = [float(p.stimulus(p.sample_codes(np.random.default_rng(0), 2000)).mean()) for p in (undecided, trusted)]
    assert mean[0] == pytest.approx(mean[1] / 2, abs=0.15)


def test_dropped_it_is_uniform(chain_scores):
    prior = ExpertPrior(chain_scores)
    results(prior, lambda z: -z, np.random.default_rng(0))
    drawn = prior.sample_codes(np.random.default_rng(0), 500)
    assert np.array_equal(drawn, CHAIN.sample_codes(np.random.default_rng(0), 500))


def test_any_searcher_takes_it_and_replays(scores):
    """The gate is part of what a journal replays."""
    def study(journal=None):
        return Study(RandomSearch(CELL, prior=ExpertPrior(scores)), seed=4, journal=journal)

    first = study()
    for _ in range(30):
        trial = first.ask()
        first.tell(trial.id, scores.score(trial.configuration))
    again = study(first.journal)
    assert again.searcher.prior.trusted is first.searcher.prior.trusted is True
    assert again.ask().configuration == first.ask().configuration


def test_another_prior_is_another_search(scores):
    first = ExpertPrior(scores).describe()
    assert first != ExpertPrior(scores, beta=1.0).describe()
    other = ConfigurationScores(CELL, blocks_function(None), {"basic": expert("resnet_basic")})
    assert first != ExpertPrior(other).describe()


def test_made_for_a_space_when_that_is_known():
    made = expert_prior(["resnet_basic"], beta=1.5)(CELL)
    assert made.beta == 1.5
    assert list(made.scores.projections) == ["resnet_basic"]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"beta": -1}, "beta"), ({"beta": float("nan")}, "beta"), ({"gate": 2}, "gate"), ({"gate": True}, "gate"),
     ({"threshold": 2}, "threshold"), ({"topology": "nowhere:f"}, "topology"), ({"experts": ["resnt"]}, "expert")],
)  # fmt: skip
def test_bad_arguments_are_refused_before_a_space_is_known(options, field):
    with pytest.raises(InvalidArgument) as caught:
        expert_prior(**options)
    assert caught.value.field == field


def test_a_space_that_cannot_be_read_is_refused():
    space = SearchSpace((Categorical("lr", (0.1, 0.01)),))
    with pytest.raises(InvalidArgument, match="topology can be read"):
        expert_prior()(space)


def test_an_expert_of_another_world_is_refused():
    with pytest.raises(InvalidArgument, match="made of operations of the space"):
        ConfigurationScores(CELL, blocks_function(None), {"mlp": TopologyGraph.chain(["attention", "other:fft"])})


def test_what_cannot_be_read_later_counts_as_average(caplog):
    def blocks(configuration):
        if configuration["layer_0"] == "conv1" and blocks.broken:
            raise RuntimeError("no")
        return chain_blocks(configuration)

    blocks.broken = False
    scores = ConfigurationScores(CHAIN, blocks, {"vgg": TopologyGraph.chain(["conv3"] * 4)})
    scores._kept.clear()
    blocks.broken = True
    configuration = {f"layer_{i}": "conv1" for i in range(4)}
    assert scores.score(configuration) == 0
    assert scores.unreadable == 1
    assert "no topology could be read" in caplog.text

"""The expert prior around NNI's multi-trial strategies: what they draw, what no metric shows, what is given back."""

from __future__ import annotations

import json

import nni
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace
from nni.nas.strategy import TPE, GridSearch, Random, RegularizedEvolution
from nni.nas.strategy.middleware import Chain

from nni_strategies.irlas.middleware import MirrorStimuli
from tests.irlas.chains import STRATEGIES, engine_of, few_members, no_pause, run, samples, space_of  # noqa: F401

# isort: split
from edge_space import configuration_of, evaluate_with_latency, latency_of, quality

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("formats", [SimplifiedModelSpace, RawFormatModelSpace])
@pytest.mark.parametrize("name", ["Random", "RegularizedEvolution", "TPE", "PolicyBasedRL"])
def test_the_prior_shapes_what_is_drawn_and_no_metric(name, formats):
    stimuli = MirrorStimuli(gate=0)
    _, engine = run(STRATEGIES[name](), stimuli, n=8, evaluate=evaluate_with_latency, formats=formats)
    _, bare = run(STRATEGIES[name](), n=8, formats=formats)
    mean = sum(trial.stimuli for trial in stimuli.shaper.trials) / 8
    assert mean > sum(stimuli.shaper.scores.score(model.sample) for model in bare._history) / 8 + 0.2
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        assert model.metric == quality(model.sample) == trial.raw == trial.shaped
        assert trial.latency_ms == latency_of(model.sample)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Random", lambda: Random(seed=6)),
        ("RegularizedEvolution", lambda: RegularizedEvolution(population_size=8, sample_size=4, seed=6)),
        ("TPE", lambda: TPE(optimize_mode="maximize", seed=6)),
        ("GridSearch", lambda: GridSearch(seed=6)),
    ],
)
def test_the_same_seed_draws_the_same(name, other):
    first, second = (samples(run(STRATEGIES[name](), MirrorStimuli())[1]) for _ in range(2))
    assert first == second
    assert len(set(first)) == 24  # NNI's deduplication still holds
    assert samples(run(other(), MirrorStimuli())[1]) != first


@pytest.mark.parametrize(("sign", "trusted"), [(1, True), (-1, False)])
def test_the_gate_learns_from_the_metrics(sign, trusted):
    stimuli = MirrorStimuli()

    def like_an_expert(model):
        nni.report_final_result(sign * stimuli.shaper.scores.score(configuration_of(model)))

    run(Random(seed=5), stimuli, n=30, evaluate=like_an_expert)
    assert stimuli.shaper.prior.trusted is trusted


@pytest.mark.parametrize(("name", "method"), [("Random", "random"), ("GridSearch", "grid")])
def test_a_model_space_gets_its_own_draws_back(name, method):
    space = space_of()
    Chain(STRATEGIES[name](), MirrorStimuli())(space, engine_of(3))
    assert method not in vars(space)


def test_tpe_learns_from_what_the_prior_proposed():
    strategy, stimuli = STRATEGIES["TPE"](), MirrorStimuli(n_initial=6)
    tuner = strategy.tuner
    run(strategy, stimuli, n=8)
    assert [len(records) for records in tuner._history.values()] == [8] * len(tuner._history)
    assert tuner._running_params == {}
    assert strategy.tuner is tuner  # its own again
    assert stimuli._draws.count == 6


def test_a_used_up_prior_leaves_tpe_to_itself():
    stimuli = MirrorStimuli()
    _, engine = run(STRATEGIES["TPE"](), stimuli, n=30)
    assert len(engine._history) == 30


@pytest.mark.slow
def test_a_grid_is_whole_beside_the_priors_models():
    space, stimuli = space_of(), MirrorStimuli(n_initial=5)
    whole = [json.dumps(model.sample) for model in space.grid()]
    chain = Chain(GridSearch(seed=5), stimuli)
    chain.initialize(space, engine_of(3))
    guided = [json.dumps(model.sample) for model in space.grid()]
    assert guided[5:] == whole
    assert len(set(guided[:5])) == stimuli._draws.count == 5


def test_the_priors_models_come_before_the_grid():
    stimuli = MirrorStimuli(gate=0, n_initial=8)
    run(GridSearch(shuffle=False, seed=1), stimuli, n=16)
    _, bare = run(GridSearch(shuffle=False, seed=1), n=8)
    scores = [trial.stimuli for trial in stimuli.shaper.trials]
    assert sum(scores[:8]) / 8 > sum(scores[8:]) / 8 + 0.2
    tried = [json.dumps(trial.configuration, sort_keys=True) for trial in stimuli.shaper.trials]
    assert tried[8:] == samples(bare)


def test_a_policy_learns_from_what_the_prior_proposed_then_acts_by_itself():
    strategy, stimuli = STRATEGIES["PolicyBasedRL"](), MirrorStimuli(gate=0, n_initial=6)
    _, engine = run(strategy, stimuli, n=10)
    proposed = [trial.configuration for trial in stimuli.shaper.trials]
    assert proposed == [model.sample for model in engine._history]
    assert stimuli._draws.count == 6
    taken = [list(transition.obs_next.action_history) for transition in strategy._replay_buffer]
    assert len(taken) == 4 * 6  # of the last update's four models, six choices each
    assert "forward" not in vars(strategy._policy)


def test_one_of_our_strategies_is_told_of_its_own_argument(caplog):
    chain = Chain(STRATEGIES["ours"](), MirrorStimuli())
    chain.initialize(space_of(), engine_of(3))
    assert "no effect" in caplog.text
    assert "prior=" in caplog.text


def test_nothing_is_told_where_the_prior_works(caplog):
    run(Random(seed=1), MirrorStimuli(), n=3)
    assert "no effect" not in caplog.text

"""MirrorStimuli around NNI's multi-trial strategies: what they are told, what they draw, what is refused."""

from __future__ import annotations

import logging

import nni
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution.event import ModelEventType
from nni.nas.space import ModelStatus, RawFormatModelSpace, SimplifiedModelSpace
from nni.nas.strategy import Random
from nni.nas.strategy.middleware import Chain

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.irlas.middleware import MirrorStimuli
from nni_strategies.topology.declared import declared
from tests.irlas.chains import STRATEGIES, engine_of, few_members, no_pause, paper, run, samples, space_of  # noqa: F401

# isort: split
from edge_space import configuration_of, evaluate, evaluate_with_latency, latency_of, quality

pytestmark = pytest.mark.timeout(60)


# -- the paper's reward ------------------------------------------------------------------------------


@pytest.mark.parametrize("formats", [SimplifiedModelSpace, RawFormatModelSpace])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_told_the_sum(name, formats):
    stimuli = paper(lam=0.3)
    chain, engine = run(STRATEGIES[name](), stimuli, evaluate=evaluate_with_latency, formats=formats)
    assert len(engine._history) == 24 == len(stimuli.shaper.trials)
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        raw = quality(model.sample)
        expected = raw + 0.3 * stimuli.shaper.scores.score(model.sample)
        assert model.metric == pytest.approx(expected, abs=1e-9)
        assert (trial.configuration, trial.raw, trial.latency_ms) == (model.sample, raw, latency_of(model.sample))
        assert trial.shaped == model.metric
        assert abs(trial.stimuli) > 1e-4
    best = [model.metric for model in chain.list_models(limit=3)]
    assert best == sorted((model.metric for model in engine._history), reverse=True)[:3]


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_weight_is_the_search_without(name):
    stimuli = paper(lam=0)
    chain, engine = run(STRATEGIES[name](), stimuli)
    alone, bare = run(STRATEGIES[name]())
    assert samples(engine) == samples(bare)
    assert [m.metric for m in engine._history] == [m.metric for m in bare._history]
    assert [m.metric for m in chain.list_models()] == [m.metric for m in alone.list_models()]


@pytest.mark.parametrize("name", ["RegularizedEvolution", "TPE"])
def test_a_large_weight_leads_elsewhere(name):
    _, engine = run(STRATEGIES[name](), paper(lam=5.0), n=40)
    _, bare = run(STRATEGIES[name](), n=40)
    assert samples(engine) != samples(bare)


def test_what_the_callbacks_see():
    seen = []

    class Watching(Random):
        def _initialize(self, model_space, engine):
            engine.register_model_event_callback(ModelEventType.FinalMetric, lambda event: seen.append(event.metric))
            return super()._initialize(model_space, engine)

    stimuli = paper(lam=0.3)
    run(Watching(seed=1), stimuli, n=3, evaluate=evaluate_with_latency)
    for metric, trial in zip(seen, stimuli.shaper.trials, strict=True):
        assert metric == {
            "default": trial.shaped,
            "raw": quality(trial.configuration),
            "stimuli": trial.stimuli,
            "latency_ms": latency_of(trial.configuration),
            "epochs": 3,
        }
    seen.clear()
    run(Watching(seed=1), stimuli := paper(lam=0.3), n=3)
    assert seen == [trial.shaped for trial in stimuli.shaper.trials]
    assert all(isinstance(metric, float) for metric in seen)


def test_a_latency_term():
    stimuli = paper(lam=0.3, latency=lambda value, latency_ms: value / latency_ms)
    _, engine = run(Random(seed=1), stimuli, n=5, evaluate=evaluate_with_latency)
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        expected = quality(model.sample) / latency_of(model.sample) + 0.3 * trial.stimuli
        assert model.metric == pytest.approx(expected, abs=1e-12)


def test_a_latency_term_by_name():
    stimuli = paper(lam=0.3, latency={"term": "mnas", "target": 2.0, "w": -0.5})
    _, engine = run(Random(seed=1), stimuli, n=5, evaluate=evaluate_with_latency)
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        expected = quality(model.sample) * (latency_of(model.sample) / 2.0) ** -0.5 + 0.3 * trial.stimuli
        assert model.metric == pytest.approx(expected, abs=1e-12)


class Profiler:
    """What NNI's profilers have."""

    def profile(self, sample):
        return latency_of(sample)


@pytest.mark.parametrize("profiler", [Profiler(), latency_of], ids=["a profiler", "a function"])
def test_a_latency_that_no_trial_reports_is_predicted(profiler, caplog):
    stimuli = paper(lam=0.3, latency=lambda value, latency_ms: value / latency_ms, profiler=profiler)
    _, engine = run(Random(seed=1), stimuli, n=5)
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        assert trial.latency_ms == latency_of(model.sample)
        expected = quality(model.sample) / latency_of(model.sample) + 0.3 * trial.stimuli
        assert model.metric == pytest.approx(expected, abs=1e-12)
    assert "no latency" not in caplog.text


def test_a_latency_that_is_reported_counts_more_than_one_that_is_predicted():
    stimuli = paper(lam=0.0, latency=lambda value, latency_ms: latency_ms, profiler=lambda sample: 99.0)
    _, engine = run(Random(seed=1), stimuli, n=3, evaluate=evaluate_with_latency)
    assert [model.metric for model in engine._history] == [latency_of(model.sample) for model in engine._history]


def test_a_profiler_that_fails_is_told_once(caplog):
    stimuli = paper(lam=0.0, latency=lambda value, latency_ms: 0.0, profiler=lambda sample: 1 / 0)
    _, engine = run(Random(seed=1), stimuli, n=3)
    assert [model.metric for model in engine._history] == [quality(model.sample) for model in engine._history]
    assert caplog.text.count("no latency was predicted") == 1


def test_a_latency_that_is_missing_is_told(caplog):
    stimuli = paper(lam=0.3, latency=lambda value, latency_ms: 0.0)
    run(Random(seed=1), stimuli, n=3)
    assert stimuli.shaper.counts["without latency"] == 3
    assert caplog.text.count("no latency term") == 1


def test_auto_and_a_metric_in_percent(caplog):
    stimuli = paper()
    run(Random(seed=1), stimuli, n=3, evaluate=lambda model: nni.report_final_result(80.0))
    assert stimuli.shaper.reward.lam == pytest.approx(0.01 / stimuli.shaper.scores.stimuli.sd)
    assert caplog.text.count("lam='auto' is for accuracies") == 1


def test_the_decay_goes_by_the_trial():
    stimuli = paper(lam=0.4, schedule="linear", budget=10)
    run(Random(seed=1), stimuli, n=10)
    assert [trial.lam for trial in stimuli.shaper.trials] == pytest.approx([0.4] * 6 + [0.32, 0.24, 0.16, 0.08])
    for trial in stimuli.shaper.trials:
        assert trial.shaped == pytest.approx(trial.raw + trial.lam * trial.stimuli, abs=1e-12)


# -- metrics that are none ---------------------------------------------------------------------------


def failing(model):
    configuration = configuration_of(model)
    if configuration["edge_0_1"] == "none":
        raise MemoryError("no memory")
    if configuration["edge_0_1"] == "skip_connect":
        nni.report_final_result(float("nan"))
    elif configuration["edge_0_1"] != "nor_conv_1x1":  # which reports nothing
        nni.report_final_result(quality(configuration))


def test_failures_pass_through():
    stimuli = paper(lam=0.3)
    _, engine = run(Random(seed=2), stimuli, n=40, evaluate=failing, fails=True)
    kinds = set()
    for model, trial in zip(engine._history, stimuli.shaper.trials, strict=True):
        first = model.sample["edge_0_1"]
        kinds.add(first)
        if first == "none":
            assert (model.status, model.metric, trial.raw) == (ModelStatus.Failed, None, None)
        elif first == "skip_connect":
            assert model.metric != model.metric
            assert trial.raw is None
        elif first == "nor_conv_1x1":
            assert (model.status, model.metric) == (ModelStatus.Trained, None)
        else:
            assert model.metric == pytest.approx(quality(model.sample) + 0.3 * trial.stimuli, abs=1e-12)
    assert len(kinds) == 5
    reasons = [event["reason"] for event in stimuli.shaper.journal.events if event["event"] == "failed"]
    assert any("NaN" in reason for reason in reasons)
    assert any("failed" in reason for reason in reasons)


def moody_blocks(configuration):
    """Blocks of a configuration whose third edge is a convolution."""
    if not configuration["edge_1_2"].startswith("nor_conv"):
        raise TopologyUnreadable("not in the mood")
    return declared(configuration).blocks


def test_an_unreadable_architecture_scores_nothing_and_is_counted(caplog):
    stimuli = paper(lam=0.3, topology=f"{__name__}:moody_blocks")
    run(Random(seed=2), stimuli, n=40)
    unreadable = [t for t in stimuli.shaper.trials if not t.configuration["edge_1_2"].startswith("nor_conv")]
    assert 10 < len(unreadable) < 40
    assert all(trial.stimuli == 0 and trial.shaped == trial.raw for trial in unreadable)
    assert stimuli.shaper.counts["unreadable"] == len(unreadable)
    assert "in a row" not in caplog.text
    assert any(trial.stimuli for trial in stimuli.shaper.trials)


def test_twenty_in_a_row_are_an_error(caplog):
    stimuli = paper(lam=0.3, topology=f"{__name__}:moody_blocks")
    chain = Chain(Random(seed=2), stimuli)
    chain.initialize(space_of(), engine_of(3))
    bad = dict.fromkeys((f"edge_{e}" for e in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")), "skip_connect")
    for _ in range(19):
        assert stimuli.shaper.stimuli_of(bad) == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    stimuli.shaper.stimuli_of(bad)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "last 20 architectures" in record.getMessage()


def test_strict_ends_the_search():
    with pytest.raises(TopologyUnreadable, match="not in the mood"):
        run(Random(seed=2), paper(topology=f"{__name__}:moody_blocks", strict=True))


# -- what is not trained -----------------------------------------------------------------------------


def test_min_score_trains_no_worse():
    stimuli = MirrorStimuli(min_score=0.0)
    _, engine = run(Random(seed=1), stimuli, n=10)
    assert len(engine._history) == 10 < len(stimuli.shaper.trials)
    assert all(stimuli.shaper.scores.score(model.sample) >= 0 for model in engine._history)
    invalid = list(stimuli.list_models(ModelStatus.Invalid))
    assert len(invalid) == len(stimuli.shaper.trials) - 10
    assert all(model.metric is None for model in invalid)


def test_a_constraint_rejects_what_is_predicted_too_slow():
    limit = 2.0
    stimuli = paper(lam=0.0, latency={"term": "constraint", "limit": limit}, profiler=Profiler())
    _, engine = run(Random(seed=1), stimuli, n=10)
    assert all(latency_of(model.sample) <= limit for model in engine._history)
    slow = list(stimuli.list_models(ModelStatus.Invalid))
    assert len(engine._history) == 10 < len(stimuli.shaper.trials) == 10 + len(slow)
    assert all(latency_of(model.sample) > limit and model.metric is None for model in slow)


def test_a_min_score_that_nothing_reaches_ends_the_search(monkeypatch, caplog):
    monkeypatch.setattr("nni_strategies.irlas.middleware._PATIENCE", 30)
    stimuli = paper(min_score=1.0)
    _, engine = run(STRATEGIES["RegularizedEvolution"](), stimuli)
    assert engine._history == []
    assert "below min_score" in caplog.text


# -- what is asked of it -----------------------------------------------------------------------------


def test_the_best_are_ranked_by_what_is_asked():
    stimuli = paper(lam=2.0)
    run(Random(seed=3), stimuli, n=20, evaluate=evaluate_with_latency)
    raw, shaped = stimuli.top(20), stimuli.top(20, "shaped")
    assert [t.raw for t in raw] == sorted((t.raw for t in stimuli.shaper.trials), reverse=True)
    assert [t.shaped for t in shaped] == sorted((t.shaped for t in stimuli.shaper.trials), reverse=True)
    assert raw[0] != shaped[0]
    fast = stimuli.top(20, max_latency_ms=3.0)
    assert fast == [trial for trial in raw if trial.latency_ms <= 3.0]
    assert 0 < len(fast) < 20
    with pytest.raises(InvalidArgument, match="rank_by"):
        stimuli.top(3, "reward")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "rewards"}, "mode"),
        ({"lam": -1}, "lam"),
        ({"lam": "0.1"}, "lam"),
        ({"experts": ["resnext", "resnxt"]}, "did you mean 'resnext'"),
        ({"experts": []}, "experts"),
        ({"expert": "resnext"}, "did you mean 'experts'"),
        ({"schedule": "linear"}, "budget"),
        ({"gate": 2}, "gate"),
        ({"min_score": 2}, "min_score"),
        ({"min_score": "a"}, "min_score"),
        ({"min_score": True}, "min_score"),
        ({"journal": 3}, "journal"),
        ({"lam": 0.5}, "lam.*mode='paper'"),
        ({"n_initial": -1}, "n_initial"),
        ({"latency": "mnas", "mode": "paper"}, "latency"),
        ({"latency": {"term": "mans", "target": 3.0}, "mode": "paper"}, "did you mean 'mnas'"),
        ({"latency": {"term": "mnas"}, "mode": "paper"}, "target"),
        ({"latency": lambda value, latency_ms: value}, "mode='paper'"),
        ({"optimize_mode": "minimize"}, "maximizes always"),
        ({"profiler": print}, "beside latency="),
        ({"mode": "paper", "latency": {"term": "mnas", "target": 3.0}, "profiler": 3}, "profile"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        MirrorStimuli(**arguments)


def test_a_space_that_says_nothing_is_refused_when_it_is_known():
    from small_space import SmallSpace

    space = SimplifiedModelSpace.from_model(SmallSpace(), FunctionalEvaluator(evaluate))
    with pytest.raises(InvalidArgument, match="search_space"):
        Chain(Random(), MirrorStimuli())(space, engine_of(1))

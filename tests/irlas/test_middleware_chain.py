"""MirrorStimuli in a chain: it goes on after a stop, and stands where no metric is shaped twice."""

from __future__ import annotations

import json

import nni
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.execution.event import ModelEventType
from nni.nas.space import ModelStatus
from nni.nas.strategy import Random
from nni.nas.strategy.middleware import Chain, Deduplication, FailureHandler, Filter, MultipleEvaluation

from nni_strategies.errors import InvalidArgument, JournalError
from nni_strategies.irlas.middleware import MirrorStimuli
from tests.irlas.chains import (  # noqa: F401
    RESUMABLE,
    STRATEGIES,
    Ours,
    engine_of,
    few_members,
    no_pause,
    paper,
    run,
    samples,
    space_of,
)

# isort: split
from edge_space import quality

pytestmark = pytest.mark.timeout(60)


# -- resuming ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "prior"])
@pytest.mark.parametrize("name", RESUMABLE)
def test_a_resumed_search_goes_on_as_if_never_stopped(name, mode, caplog):
    options = {"lam": 0.5} if mode == "paper" else {}
    chain, _ = run(STRATEGIES[name](), first := MirrorStimuli(mode=mode, **options), n=24)
    state = chain.state_dict()
    state["middlewares"] = json.loads(json.dumps(state["middlewares"]))
    again, engine = run(STRATEGIES[name](), second := MirrorStimuli(mode=mode, **options), n=20, state=state)
    if name != "GridSearch":  # which shuffles the same hundred anew when it is resumed
        skipped = 25 if name == "Random" else 24  # NNI's draws one more before it sees that its budget is spent
        _, uninterrupted = run(STRATEGIES[name](), MirrorStimuli(mode=mode, **options), n=skipped + 20)
        assert samples(engine) == samples(uninterrupted)[skipped:]
    old, all_trials = first.shaper.trials, second.shaper.trials
    assert all_trials[:24] == old
    assert "had no effect" not in caplog.text or name == "GridSearch"
    listed = list(again.list_models(sort=False))
    assert [model.metric for model in listed] == [trial.shaped for trial in all_trials]
    assert [model.sample for model in listed] == [trial.configuration for trial in all_trials]
    assert all(t.shaped == pytest.approx(t.raw + t.lam * t.stimuli, abs=1e-9) for t in all_trials)


@pytest.mark.parametrize("name", ["GridSearch", "TPE"])
def test_what_nni_cannot_resume_goes_on_as_it_does_alone(name):
    chain, _ = run(STRATEGIES[name](), paper(lam=0), n=12)
    alone, _ = run(STRATEGIES[name](), n=12)
    _, engine = run(STRATEGIES[name](), paper(lam=0), n=20, state=chain.state_dict())
    _, bare = run(STRATEGIES[name](), n=20, state=alone.state_dict())
    assert samples(engine) == samples(bare)


def test_the_journal_is_the_state(tmp_path):
    path = tmp_path / "kept.jsonl"
    run(Random(seed=3), paper(lam=0.2, journal=path), n=6)
    second = paper(lam=0.2, journal=path)
    run(Random(seed=4), second, n=4)
    assert len(second.shaper.trials) == 10
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    finished = [event for event in kept if event["event"] == "finished"]
    assert [event["value"] for event in finished] == [trial.raw for trial in second.shaper.trials]
    assert [event["metrics"]["shaped"] for event in finished] == [trial.shaped for trial in second.shaper.trials]
    with pytest.raises(JournalError, match="another search"):
        run(Random(seed=4), paper(lam=0.3, journal=path), n=4)


class Waiting(SequentialExecutionEngine):
    """Leaves models unfinished, as an engine does whose strategy ends before its last trials."""

    def submit_models(self, *models):
        pass


def test_the_last_trial_ends_the_listening_and_may_end_twice():
    engine, stimuli, space = Waiting(max_model_count=3), MirrorStimuli(gate=0), space_of()
    Chain(Random(seed=1), stimuli).initialize(space, engine)
    models = [space.random(), space.random()]
    stimuli.submit_models(*models)
    stimuli._cleanup()
    heard = engine._callbacks[ModelEventType.FinalMetric]
    for model, listening in ((models[0], True), (models[1], False), (models[1], False)):
        engine.dispatch_model_event(ModelEventType.TrainingEnd, status=ModelStatus.Trained, model=model)
        assert (stimuli._on_final_metric in heard) is listening


def test_the_state_of_another_search_is_refused():
    chain, _ = run(Random(seed=3), paper(lam=0.2), n=4)
    with pytest.raises(JournalError, match="not of the search"):
        run(Random(seed=3), paper(lam=0.3), n=4, state=chain.state_dict())


# -- where it stands in a chain ----------------------------------------------------------------------


BELOW = {
    "Deduplication": lambda: Deduplication("replay"),
    "FailureHandler": lambda: FailureHandler(metric=0.0),
    "Filter": lambda: Filter(lambda model: False, metric_for_invalid=0.0),
}


@pytest.mark.parametrize("name", BELOW)
def test_what_would_be_shaped_twice_is_refused_below_and_welcome_above(name):
    with pytest.raises(InvalidArgument, match=rf"above MirrorStimuli.*Chain\(strategy, {name}\(...\), MirrorStimuli"):
        run(Random(seed=1), paper(), BELOW[name]())
    with pytest.raises(InvalidArgument, match="above MirrorStimuli"):
        run(Random(seed=1), paper(), MultipleEvaluation(2), BELOW[name]())
    Chain(Random(seed=1), BELOW[name](), paper()).initialize(
        space_of(), engine_of(1)
    )


def test_two_of_them_are_refused():
    with pytest.raises(InvalidArgument, match="one MirrorStimuli"):
        run(Random(seed=1), paper(), paper())


def test_a_replayed_metric_is_shaped_once():
    class Repeating(Random):
        def random(self, model_space):
            return model_space.freeze(dict.fromkeys(model_space.simplify(), "nor_conv_3x3"))

    stimuli = paper(lam=0.3)
    chain, engine = run(Repeating(seed=1), Deduplication("replay", patience=5), stimuli)
    assert len(engine._history) == 1
    (trial,) = stimuli.shaper.trials
    metrics = [model.metric for model in chain[1]._dup_models]
    assert len(metrics) >= 5
    assert set(metrics) == {trial.shaped}
    assert trial.shaped == pytest.approx(quality(trial.configuration) + 0.3 * trial.stimuli)


def test_evaluations_are_averaged_before_they_are_shaped():
    values = iter([0.2, 0.4, 0.5, 0.7])
    stimuli = paper(lam=0.3)
    chain, _ = run(
        Random(seed=1), stimuli, MultipleEvaluation(2), n=4,
        evaluate=lambda model: nni.report_final_result(next(values)),
    )  # fmt: skip
    assert [trial.raw for trial in stimuli.shaper.trials] == pytest.approx([0.3, 0.6])
    metrics = {model.metric for model in chain.list_models()}
    assert metrics == {trial.shaped for trial in stimuli.shaper.trials}


def test_a_strategy_that_has_experts_itself_is_refused():
    class Guided(Ours):
        shapes_itself = True

    for stimuli in (paper(), MirrorStimuli()):
        with pytest.raises(InvalidArgument, match="has no experts itself"):
            run(Guided(seed=1), stimuli)

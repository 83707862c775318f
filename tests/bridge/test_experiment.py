"""Our NasExperiment on NNI's sequential engine, which needs no manager: checkpoints, resume, what run() returns."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import nni
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment.config import NasExperimentConfig

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.labelled_space import LabelledModelSpace
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.errors import InvalidArgument, JournalMismatch
from nni_strategies.lanas.strategy import LaNAS
from nni_strategies.search.baselines import RandomSearch

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from small_space import SmallSpace, score_of, value_of


class Random(StudyStrategy):
    searcher_class = RandomSearch


def report_score(model):
    nni.report_final_result(score_of(model))


@pytest.fixture
def make(tmp_path):
    """Make experiments that share a folder and an id, as the runs of one script do."""
    experiments, name = [], f"t{uuid.uuid4().hex[:8]}"

    def build(n, evaluate=report_score, seed=7):
        config = NasExperimentConfig("sequential", "simplified")
        config.experiment_working_directory = str(tmp_path)
        config.max_trial_number = n
        config.execution_engine.continue_on_failure = True
        evaluator = FunctionalEvaluator(evaluate)
        experiments.append(NasExperiment(SmallSpace(), evaluator, Random(seed=seed), config, id=name))
        return experiments[-1]

    yield build
    for experiment in experiments:
        if experiment._engine is not None:
            experiment.stop()


def sequence(experiment):
    return [trial.configuration for trial in experiment.strategy.study.trials]


def test_the_best_models_are_exported_in_every_form(make):
    experiment = make(10)
    assert experiment.run() is True
    best = max(sequence(experiment), key=value_of)
    assert experiment.export_top_models(1, formatter="dict") == [best]
    assert score_of(experiment.export_top_models(1, formatter="instance")[0]) == value_of(best)
    assert experiment.export_top_models(1)[0].metric == value_of(best)


def test_an_interrupted_experiment_goes_on_in_a_new_object(make):
    calls = []

    def interrupted(model):
        calls.append(score_of(model))
        if len(calls) == 5:
            raise KeyboardInterrupt
        report_score(model)

    assert make(9, interrupted).run_or_resume() is None
    second = make(9, interrupted)
    assert second.has_checkpoint()
    assert second.run_or_resume() is True
    assert calls[5] == calls[4]  # cut off, so evaluated again
    assert len(calls) == 10
    assert [value_of(c) for c in sequence(second)] == calls[:4] + calls[5:]


def test_after_a_kill_the_journal_is_enough(make, tmp_path):
    first = make(4)
    first.run()
    checkpoint = first.folder / "checkpoint"
    first.strategy.close()  # what the operating system does for a killed process
    for path in checkpoint.glob("state.ckpt*"):  # a kill may come before NNI wrote any state
        path.unlink()
    second = make(4)
    assert second.run_or_resume() is True
    assert sequence(second) == sequence(first)
    assert len(second.strategy.study.finished) == 4


def test_another_seed_is_refused_with_the_difference(make):
    make(3).run()
    other = make(3, seed=8)
    with pytest.raises(JournalMismatch, match=r"seed:? was 7, is 8"):
        other.run_or_resume()


@pytest.mark.parametrize(
    ("strategy", "change", "field"),
    [
        (LaNAS(pool=[{"a": "width9", "b": "width1"}]), {}, "pool[0].a"),
        (LaNAS(pool="none.npy"), {}, "pool"),
        (LaNAS(histogram_groups=[["a", "c"]]), {}, "groups[0]"),
        (LaNAS, {}, "strategy"),
        (Random(), {"max_trial_number": 0}, "config.max_trial_number"),
        (Random(), {"trial_concurrency": "2"}, "config.trial_concurrency"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_started(strategy, change, field, tmp_path):
    config = NasExperimentConfig("ts", "simplified", "local")
    config.experiment_working_directory = str(tmp_path)
    config.max_trial_number = config.trial_concurrency = 1
    experiment = NasExperiment(SmallSpace(), FunctionalEvaluator(score_of), strategy, config)
    for name, value in change.items():
        setattr(experiment.config, name, value)
    for start in (experiment.run, experiment.run_or_resume):
        with pytest.raises(InvalidArgument) as raised:
            start()
        assert raised.value.field == field
    assert list(tmp_path.iterdir()) == []


def test_only_what_began_is_resumed(make, tmp_path):
    began = make(2)
    with pytest.raises(InvalidArgument, match="the id of a NAS experiment that began") as raised:
        began.resume()
    assert (raised.value.field, raised.value.value, raised.value.nearest) == ("id", began.id, None)
    assert list(tmp_path.iterdir()) == []
    began.run()
    began.check_began()
    other = NasExperiment(SmallSpace(), began.evaluator, Random(seed=7), began.config, id=began.id[:-1])
    with pytest.raises(InvalidArgument, match="--resume") as raised:
        other.check_began("--resume")
    assert raised.value.nearest == began.id


def test_run_returns_false_when_nothing_works(make):
    def broken(model):
        raise OSError("no such data")

    experiment = make(60, broken)
    assert experiment.run() is False
    assert "20 trials in a row failed" in experiment.strategy.problem
    assert experiment.export_top_models(1) == []


def test_checkpoints_are_written_in_one_piece(make):
    experiment = make(2)
    experiment.run()
    names = {path.name for path in (experiment.folder / "checkpoint").iterdir()}
    assert names == {"config.json", "journal.jsonl", "state.ckpt.torch"}
    json.loads((experiment.folder / "checkpoint" / "config.json").read_text())


def test_labels_are_on_top_of_what_a_trial_is_sent_and_survive_the_journey():
    space = LabelledModelSpace.from_model(SmallSpace(), FunctionalEvaluator(report_score))
    model = space.freeze({"a": "width3", "b": "width5"})
    sent = json.loads(nni.dump(model))
    assert (sent["a"], sent["b"]) == ("width3", "width5")
    received = nni.load(nni.dump(model))
    assert type(received) is LabelledModelSpace
    assert received.sample == model.sample
    assert score_of(received.executable_model()) == 35
    assert "a" not in space._dump()

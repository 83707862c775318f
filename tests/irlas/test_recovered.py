"""Results that NNI's database has and a killed search missed: shaped on their way in, each once."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.strategy.middleware import Chain, Deduplication

from nni_strategies.bridge.nas_engine import shape_recovered
from nni_strategies.bridge.nas_recovery import recover_experiment
from nni_strategies.irlas.middleware import MirrorStimuli
from tests.irlas.chains import Ours, engine_of, few_members, space_of  # noqa: F401
from tests.nni_tables import SCHEMA

# isort: split
from edge_space import latency_of, quality

pytestmark = pytest.mark.timeout(60)

LAM = 0.3


@pytest.fixture
def killed(tmp_path):
    """Begin a search in the folder, with four proposals and one result, and let go of it as a kill would."""

    def begin():
        strategy = Ours(seed=5, journal=tmp_path / "journal.jsonl")
        stimuli = MirrorStimuli(mode="paper", lam=LAM, journal=tmp_path / "stimuli.jsonl")
        Chain(strategy, stimuli).initialize(space_of(), engine_of(9))
        return strategy, stimuli

    strategy, stimuli = begin()
    for _ in range(4):
        trial = strategy.study.ask()
        stimuli.shaper.propose(trial.configuration)
    first, second = (trial.configuration for trial in strategy.study.trials[:2])
    strategy.study.tell(0, stimuli.shaper.conclude(0, quality(first)))
    stimuli.shaper.conclude(1, {"default": quality(second), "n": 2})  # killed before the strategy was told
    strategy.close()
    stimuli.close()
    return begin


@pytest.fixture
def experiment(tmp_path):
    """An experiment in whose database the first three trials have results."""

    def of(study, view):
        path = tmp_path / "db" / "nni.sqlite"
        path.parent.mkdir()
        database = sqlite3.connect(path)
        database.executescript(SCHEMA)
        for number, trial in enumerate(study.trials[:3]):
            sample = view.sample(trial.configuration)
            data = json.dumps({"parameter_id": number, "parameters": {"status": "frozen", "sample": sample}})
            metric = {"default": quality(trial.configuration), "latency_ms": latency_of(trial.configuration)}
            for kind in ("WAITING", "SUCCEEDED"):
                row = (0, f"job{number}", kind, data if kind == "WAITING" else None, "", 0, "", "")
                database.execute("insert into TrialJobEvent values (?, ?, ?, ?, ?, ?, ?, ?)", row)
            row = (9e15, f"job{number}", str(number), "FINAL", 0, json.dumps(json.dumps(metric)))
            database.execute("insert into MetricData values (?, ?, ?, ?, ?, ?)", row)
        database.commit()
        database.close()
        return SimpleNamespace(_checkpoint_directory=tmp_path / "checkpoint")

    return of


def test_each_is_shaped_once(killed, experiment):
    strategy, stimuli = killed()
    study, shaper = strategy.study, stimuli.shaper
    view = strategy._models.view
    database = experiment(study, view)
    for _ in range(2):  # as a resumed strategy does
        recover_experiment(study, view, database, strategy.engine, say=False)
    for trial, shaped in zip(study.trials[:3], shaper.trials, strict=False):
        raw = quality(trial.configuration)
        assert trial.value == pytest.approx(raw + LAM * shaper.scores.score(trial.configuration), abs=1e-9)
        assert (shaped.configuration, shaped.raw, shaped.shaped) == (trial.configuration, raw, trial.value)
    assert study.trials[3].pending
    assert len(shaper.trials) == 4
    assert sum(event["event"] == "finished" for event in shaper.journal.events) == 3
    assert study.trials[2].metrics["raw"] == quality(study.trials[2].configuration)


def test_an_engine_without_middlewares_changes_nothing():
    assert shape_recovered(engine_of(1), {}, 0.5) == 0.5
    assert shape_recovered(None, {}, {"default": 0.5}) == {"default": 0.5}


def test_middlewares_that_shape_nothing_are_passed(killed):
    _, stimuli = killed()
    above = Deduplication("invalid")
    above.set_engine(stimuli)
    configuration = dict.fromkeys((f"edge_{e}" for e in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")), "nor_conv_1x1")
    shaped = shape_recovered(above, configuration, 0.5)
    assert shaped == 0.5 + LAM * stimuli.shaper.scores.score(configuration)
    assert stimuli.shaper.trials[-1].configuration == configuration
    assert shape_recovered(above, configuration, 0.5) == shaped


def test_a_trial_that_runs_again_has_the_line_it_had(killed):
    strategy, stimuli = killed()
    model = strategy._models.build(strategy.study.trials[3])
    stimuli.submit_models(model)
    assert len(stimuli.shaper.trials) == 4
    assert stimuli.shaper.trials[3].raw == quality(strategy.study.trials[3].configuration)
    assert model.metric == stimuli.shaper.trials[3].shaped
    again = strategy._models.build(strategy.study.trials[3])
    stimuli.submit_models(again)  # in one run a second model of a configuration is a second trial
    assert len(stimuli.shaper.trials) == 5

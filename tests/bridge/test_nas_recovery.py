"""A resumed NAS experiment beside every state NNI's database can leave a trial in."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace

import pytest
from nni.mutable import Categorical, CategoricalMultiple, MutableList

from nni_strategies.bridge.nas_recovery import recover_experiment
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.study import Study
from nni_strategies.space.from_nni import ModelSpaceView
from tests.nni_tables import SCHEMA


@pytest.fixture
def view():
    ratio = Categorical([0.5, 1.0, 2.0], label="ratio")
    return ModelSpaceView(MutableList([ratio, CategoricalMultiple([0, 1, 2], n_chosen=2, label="inputs")]))


@pytest.fixture
def experiment(tmp_path):
    """An experiment with an empty database, and functions that write what NNI's manager writes."""
    path = tmp_path / "db" / "nni.sqlite"
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)

    def event(job, kind, parameter_id=None, sample=None):
        # JavaScript writes 1.0 as 1, and NNI adds labels of its own to a sample
        text = json.dumps({**sample, "cell/final": {}}).replace(".0", "") if sample else "null"
        data = f'{{"parameter_id": {parameter_id}, "parameters": {{"status": "frozen", "sample": {text}}}}}'
        row = (0, job, kind, data if sample else None, "", 0, "", "")
        with database:
            database.execute("insert into TrialJobEvent values (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def final(job, parameter_id, metric):
        row = (9e15, job, str(parameter_id), "FINAL", 0, json.dumps(json.dumps(metric)))
        with database:
            database.execute("insert into MetricData values (?, ?, ?, ?, ?, ?)", row)

    yield SimpleNamespace(_checkpoint_directory=tmp_path / "checkpoint", event=event, final=final)
    database.close()


def test_each_state_of_a_trial_has_its_own_cure(view, experiment):
    study = Study(RandomSearch(view.space), seed=0)
    configurations = [study.ask().configuration for _ in range(6)]
    for number, job in enumerate(["done", "lost", "failed", "again", "both"]):
        experiment.event(job, "WAITING", number, view.sample(configurations[number]))
        study.note("issued", trial=number, run=0, parameter_id=number)
    study.tell(0, 0.25)
    for job, kind in (("done", "SUCCEEDED"), ("lost", "SUCCEEDED"), ("failed", "FAILED")):
        experiment.event(job, kind)
    experiment.final("done", 0, {"default": 0.25})
    experiment.final("lost", 1, {"default": 0.75, "params": 12})
    experiment.final("both", 4, {"default": 0.5})
    for job in ("again", "both"):
        experiment.event(job, "ADD_RESUMED")

    recovery, adopted = recover_experiment(study, view, experiment)
    assert [trial.value for trial in study.trials] == [0.25, 0.75, None, None, 0.5, None]
    assert study.trials[1].metrics["params"] == 12
    assert "FAILED" in (study.trials[2].failure or "")
    assert adopted == {3: 3}  # NNI runs it again, and its result is wanted
    assert recovery.needless == ("both",)  # NNI runs it again for nothing
    assert recovery.reissue == (5,)  # NNI never heard of it
    before = list(study.journal.events)
    assert recover_experiment(study, view, experiment, say=False)[0].gained == 0
    assert study.journal.events == before


def test_a_result_goes_to_the_parameters_its_trial_reported(view, experiment):
    study = Study(RandomSearch(view.space), seed=0)
    for number, job in enumerate(["first", "second"]):
        experiment.event(job, "SUCCEEDED", number, view.sample(study.ask().configuration))
        study.note("issued", trial=number, run=0, parameter_id=number)
    experiment.final("first", 1, 0.1)  # as stock NNI mixes them
    experiment.final("second", 0, 0.9)
    recover_experiment(study, view, experiment)
    assert [trial.value for trial in study.trials] == [0.9, 0.1]


def test_without_a_readable_database_the_journal_is_resumed(view, tmp_path, caplog):
    study = Study(RandomSearch(view.space), seed=0)
    study.ask()
    missing = SimpleNamespace(_checkpoint_directory=tmp_path / "nowhere" / "checkpoint")
    recovery, adopted = recover_experiment(study, view, missing)
    assert (recovery.reissue, adopted) == ((0,), {})
    assert "the journal alone is resumed" in caplog.text


def test_rows_that_are_no_models_do_no_harm(view, experiment):
    study = Study(RandomSearch(view.space), seed=0)
    study.ask()
    experiment.event("odd", "SUCCEEDED", 7, {"unknown": "label"})
    experiment.final("odd", 7, 1.0)
    recovery, _ = recover_experiment(study, view, experiment)
    assert recovery.reissue == (0,)
    assert len(study.trials) == 1

"""Records: the journal is the truth, NNI's database adds times, statuses and intermediate results."""

from __future__ import annotations

from pathlib import Path

from nni_strategies.report.records import read_experiment
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json

SPACE = {"x": {"_type": "choice", "_value": list(range(20))}}


def study(directory: Path, **settings) -> Study:
    journal = Journal(directory / "checkpoint" / "journal.jsonl")
    return Study(RandomSearch(space_from_json(SPACE)), journal=journal, **settings)


def test_journal_and_database_joined_by_the_issued_ids(nni_folder) -> None:
    nni = nni_folder(ended=None)
    search = study(nni.directory, maximize=False)
    first, second, third = (search.ask() for _ in range(3))
    for number, trial in enumerate((first, second, third)):
        search.note("issued", trial=trial.id, run=0, parameter_id=number)
    # NNI notes the first two the wrong way round
    nni.event(1, "A", "RUNNING", 0, first.configuration)
    nni.event(2, "B", "RUNNING", 1, second.configuration)
    nni.metric(3, "A", 1, 0.9, "PERIODICAL")
    nni.metric(4, "A", 1, {"default": 0.4, "params": 10})
    nni.event(5, "A", "SUCCEEDED")
    search.tell(second.id, {"default": 0.4, "params": 10})
    nni.event(6, "B", "FAILED")
    nni.event(7, "C", "RUNNING", 2, third.configuration)
    search.fail(first.id, "the trial failed, or was stopped")
    record = read_experiment(nni.directory.name, nni.directory)
    one, two, three = record.trials
    assert (record.algorithm, record.maximize, record.seed, record.ended) == ("random", False, 0, None)
    assert (one.status, one.metric, one.failure) == ("failed", None, "the trial failed, or was stopped")
    assert (two.status, two.metric, two.metrics["params"]) == ("finished", 0.4, 10)
    assert (two.nni_ids, two.started, two.ended, two.intermediates) == (("A",), 1.0, 5.0, (0.9,))
    assert two.configuration == second.configuration
    assert (three.status, three.nni_ids) == ("running", ("C",))
    assert record.ranked == [two]


def test_journal_without_issued_notes_is_joined_by_configuration(nni_folder) -> None:
    nni = nni_folder()
    search = study(nni.directory)
    trials = [search.ask() for _ in range(4)]
    for number, trial in enumerate(trials):
        model = {"model_symbol": {"__nni_type__": "path:a.B"}, "sample": trial.configuration}
        nni.event(number, f"J{number}", "RUNNING", number, model)
        nni.metric(10 + number, f"J{number}", number, float(number))
        search.tell(trial.id, float(number))
    record = read_experiment(nni.directory.name, nni.directory)
    assert [trial.nni_ids for trial in record.trials] == [("J0",), ("J1",), ("J2",), ("J3",)]
    assert record.model_space is not None
    assert [trial.id for trial in record.ranked] == [3, 2, 1, 0]


def test_an_id_that_restarts_belongs_to_the_later_trial_later(nni_folder, monkeypatch) -> None:
    nni = nni_folder()
    clock = [0.5]
    monkeypatch.setattr("time.time", lambda: clock[0])
    search = study(nni.directory)
    early = search.ask()
    search.note("issued", trial=early.id, run=0, parameter_id=1)
    clock[0] = 50.0
    late = search.ask()
    search.note("issued", trial=late.id, run=1, parameter_id=1)
    nni.event(1, "A", "RUNNING", 1, early.configuration)
    nni.metric(4, "A", 1, 0.1)
    nni.event(5, "A", "SUCCEEDED")
    nni.event(51, "B", "RUNNING", 1, late.configuration)
    nni.metric(54, "B", 1, 0.2)
    nni.event(55, "B", "SUCCEEDED")
    record = read_experiment(nni.directory.name, nni.directory)
    assert [trial.nni_ids for trial in record.trials] == [("A",), ("B",)]


def test_any_nni_experiment_without_our_journal(nni_folder) -> None:
    profile = {"experimentName": "loss", "tuner": {"name": "TPE", "classArgs": {"optimize_mode": "minimize"}}}
    nni = nni_folder(profile=profile, ended=60.0)
    nni.event(1, "A", "RUNNING", 0, {"lr": 0.1})
    nni.event(1, "B", "RUNNING", 1, {"lr": 0.2})
    nni.event(1, "C", "RUNNING", 2, {"lr": 0.3})
    nni.event(1, "D", "RUNNING", 3, {"lr": 0.4})
    nni.metric(3, "A", 1, {"default": 0.7, "params": 5})
    nni.metric(4, "B", 0, 0.3)
    nni.metric(4, "C", 2, {"accuracy": 0.3})
    for job in "ABC":
        nni.event(6, job, "SUCCEEDED")
    record = read_experiment(nni.directory.name, nni.directory)
    assert (record.algorithm, record.maximize, record.name, record.journal) == ("TPE", False, "loss", None)
    assert [(t.configuration["lr"], t.metric) for t in record.ranked] == [(0.1, 0.3), (0.2, 0.7)]
    assert "no 'default'" in str(record.trials[2].failure)
    assert record.trials[3].status == "unfinished"  # the experiment ended first


def test_imported_results_are_marked(nni_folder) -> None:
    nni = nni_folder()
    search = study(nni.directory)
    search.import_result({"x": 3}, 0.5)
    (trial,) = read_experiment(nni.directory.name, nni.directory).trials
    assert (trial.phase, trial.metric, trial.nni_ids) == ("import", 0.5, ())


def test_raw_metrics_take_the_place_of_shaped_ones(nni_folder) -> None:
    nni = nni_folder()
    search = study(nni.directory)
    kept = Journal(nni.directory / "checkpoint" / "mirror_stimuli.jsonl")
    kept.append({"event": "header", "format": 1, "algorithm": "mirror-stimuli", "config": {}, "maximize": True})
    for number, (raw, shaped) in enumerate([(0.4, 0.9), (0.6, 0.5)]):
        trial = search.ask()
        search.tell(trial.id, {"default": shaped, "raw": raw})
        if number == 0:
            kept.append({"event": "proposed", "trial": 0, "configuration": {"x": -1}})  # one that failed below
        kept.append({"event": "proposed", "trial": number + 1, "configuration": trial.configuration})
        metrics = {"default": raw, "shaped": shaped}
        kept.append({"event": "finished", "trial": number + 1, "value": raw, "metrics": metrics})
    kept.close()
    record = read_experiment(nni.directory.name, nni.directory)
    assert [(trial.metric, trial.metrics["shaped"]) for trial in record.trials] == [(0.4, 0.9), (0.6, 0.5)]
    assert (record.algorithm, record.shaping) == (search.searcher.algorithm, kept.events)
    search.journal.path.unlink()
    alone = read_experiment(nni.directory.name, nni.directory)  # as of a strategy of NNI's
    assert (alone.algorithm, alone.journal, alone.shaping) == ("mirror-stimuli", kept.path, [])
    assert [trial.metric for trial in alone.trials] == [None, 0.4, 0.6]

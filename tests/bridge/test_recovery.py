"""Recovery: a run cut off after any journal line, beside every state NNI's database can be in, goes on unchanged."""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import nni_strategies.bridge.open_study as open_study
import nni_strategies.bridge.tuner as tuner_module
from nni_strategies.bridge.nni_record import read_record
from nni_strategies.bridge.recovery import recover
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.errors import JournalError, NNIStrategiesError
from nni_strategies.search.baselines import RegularizedEvolution, RegularizedEvolutionConfig
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from tests.nni_tables import SCHEMA

SPACE = {"a": {"_type": "choice", "_value": [1, 2, 3, 4]}, "b": {"_type": "quniform", "_value": [0, 3, 1]}}
TRIALS = 6
STATES = ("as the journal", "never started", "unfinished", "finished", "result, but no end")


class Evolution(StudyTuner):
    searcher_class = RegularizedEvolution


def value(parameters: dict[str, Any]) -> float:
    return float(parameters["a"] + parameters["b"] / 10)


class Database:
    """What NNI's manager writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db" / "nni.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        with self._write() as database:
            database.executescript(SCHEMA)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("pragma synchronous = off")
            yield database

    def event(self, job: str, event: str, parameters: Any = None, parameter_id: int | None = None) -> None:
        data = None
        if parameters is not None:
            data = json.dumps({"parameter_id": parameter_id, "parameters": parameters, "parameter_index": 0})
        now = int(time.time() * 1000)
        with self._write() as database:
            database.execute("insert into TrialJobEvent values (?, ?, ?, ?, '', 0, '', '')", (now, job, event, data))

    def final(self, job: str, parameter_id: int, metric: Any, when: float = 0.0) -> None:
        data = json.dumps(json.dumps(metric))
        row = (int(when * 1000), job, str(parameter_id), data)
        with self._write() as database:
            database.execute("insert into MetricData values (?, ?, ?, 'FINAL', 0, ?)", row)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Start a tuner as a dispatcher of the experiment in `tmp_path`, whose manager is this test."""
    monkeypatch.setattr("nni_strategies.bridge.guarded_tuner.watch_parent", lambda farewell: None)
    monkeypatch.setattr(tuner_module, "stop_needless", lambda rest, jobs: None)  # there is no manager to ask
    monkeypatch.setenv("SDK_PROCESS", "dispatcher")
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path / "checkpoint"))
    monkeypatch.setenv("NNI_TUNER_COMMAND_CHANNEL", "ws://localhost:1/tuner")
    tuners: list[StudyTuner] = []

    def start(mode: str = "start", **arguments: Any) -> StudyTuner:
        for old in tuners:
            old._let_go()
        monkeypatch.setenv("NNI_MODE", mode)
        made = Evolution(**{"seed": 5, "population": 3, "sample": 2, **arguments})
        made.update_search_space(SPACE)
        tuners.append(made)
        return made

    yield start
    for old in tuners:
        old._let_go()


def run(one: StudyTuner, ids: range) -> None:
    for parameter_id in ids:
        for parameters in one.generate_multiple_parameters([parameter_id]):
            one.receive_trial_result(parameter_id, parameters, {"default": value(parameters)})
            one.trial_end(parameter_id, True)


def story(one: StudyTuner) -> list[tuple[Any, Any]]:
    return [(trial.configuration, trial.value) for trial in one.study.trials]


@pytest.mark.parametrize("state", STATES)
def test_cut_off_anywhere_it_goes_on_as_if_uninterrupted(started, tmp_path, state):
    whole = started()
    run(whole, range(TRIALS))
    expected = story(whole)
    lines = (tmp_path / "checkpoint" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    cases = 0
    for cut in range(2, len(lines)):
        torn = lines[cut][: len(lines[cut]) // 2] if cut % 2 else b""
        cases += resumed_run_equals(started, tmp_path, b"".join(lines[:cut]) + torn, state, expected)
    assert cases == (len(lines) - 2 if state == "as the journal" else TRIALS)


def resumed_run_equals(started, folder, journal, state, expected) -> bool:
    whole_lines = journal[: journal.rfind(b"\n") + 1].splitlines()
    events = [json.loads(line) for line in whole_lines]
    finished = {e["trial"] for e in events if e["event"] == "finished"}
    issued = {e["trial"]: e for e in events if e["event"] == "issued"}
    configurations = {e["trial"]: e["configuration"] for e in events if e["event"] == "proposed"}
    open_trials = [trial for trial in issued if trial not in finished]
    if state != "as the journal" and not open_trials:
        return False
    database = Database(folder)
    for trial, event in issued.items():
        parameters, parameter_id, job = configurations[trial], event["parameter_id"], f"job{trial}"
        # the manager is JavaScript: it writes 1.0 as 1
        parameters = {label: int(v) for label, v in parameters.items()}
        if trial in finished:
            database.event(job, "WAITING", parameters, parameter_id)
            database.final(job, parameter_id, {"default": value(parameters)}, event["time"])
            database.event(job, "SUCCEEDED")
        elif state in ("unfinished", "finished", "result, but no end"):
            database.event(job, "WAITING", parameters, parameter_id)
            if state != "unfinished":
                database.final(job, parameter_id, {"default": value(parameters)}, event["time"])
            database.event(job, "SUCCEEDED" if state == "finished" else "ADD_RESUMED")
    (folder / "checkpoint" / "journal.jsonl").write_bytes(journal)
    again = started("resume", seed=None)
    rerun = len(open_trials) if state in ("unfinished", "result, but no end") else 0
    # NNI asks for as many as its concurrency at once, on top of what it runs again
    first = max((e["parameter_id"] for e in issued.values()), default=0) + 1
    if rerun:
        assert again.generate_multiple_parameters([first]) == []
    if state == "unfinished":
        parameters = configurations[open_trials[0]]
        again.import_data([{"parameter": parameters, "value": {"default": value(parameters)}}])
    left = TRIALS - len(finished) - (state in ("unfinished", "finished", "result, but no end"))
    run(again, range(first + 1, first + 1 + left))
    assert story(again) == expected, (state, len(whole_lines))
    return True


class TestRecover:
    """The parts, on a database written by hand."""

    @pytest.fixture
    def study(self) -> Study:
        searcher = RegularizedEvolution(space_from_json(SPACE), RegularizedEvolutionConfig(3, 2))
        study = Study(searcher, seed=1)
        for parameter_id in range(4):
            study.note("issued", trial=study.ask().id, run=0, parameter_id=parameter_id)
        return study

    def test_mixed_up_pairs_are_told_to_whom_they_belong(self, study, tmp_path):
        # Stock NNI at concurrency 2: job A is recorded with the parameters of 0 but ran those of 1, and the reverse.
        database = Database(tmp_path)
        first, second = (study.trials[i].configuration for i in (0, 1))
        database.event("A", "WAITING", first, 0)
        database.event("B", "WAITING", second, 1)
        database.final("A", 1, 0.1)
        database.event("A", "SUCCEEDED")
        database.event("B", "ADD_RESUMED")  # killed; NNI runs it again, as recorded: with the parameters of 1
        found = recover(study, read_record(database.path))
        assert study.trials[1].value == 0.1
        assert study.trials[0].pending  # nobody ran it
        assert found.reissue == (0, 2, 3)
        assert found.rerun == {"B": 1} and found.needless == ("B",)
        assert found.gained == 1

    def test_an_id_that_was_given_twice_is_told_apart_by_the_record(self, study, tmp_path):
        study.note("issued", trial=2, run=1, parameter_id=0)  # ids restarted after a resume
        database = Database(tmp_path)
        for job, trial in (("A", 0), ("C", 2)):
            database.event(job, "WAITING", study.trials[trial].configuration, 0)
            database.final(job, 0, {"default": trial + 0.5})
            database.event(job, "SUCCEEDED")
        recover(study, read_record(database.path))
        assert [study.trials[i].value for i in (0, 2)] == [0.5, 2.5]

    def test_what_the_journal_has_is_never_changed(self, study, tmp_path):
        study.tell(0, 7.0)
        database = Database(tmp_path)
        database.event("A", "WAITING", study.trials[0].configuration, 0)
        database.final("A", 0, 1.0)
        database.event("A", "SUCCEEDED")
        assert recover(study, read_record(database.path)).gained == 0
        assert study.trials[0].value == 7.0

    def test_what_an_earlier_manager_took_up_and_never_started_is_issued_again(self, study, tmp_path):
        # Killed twice: NNI's second resume passes over a trial whose last event is ADD_RESUMED.
        database = Database(tmp_path)
        database.event("A", "WAITING", study.trials[0].configuration, 0)
        database.event("A", "ADD_RESUMED")
        assert recover(study, read_record(database.path)).rerun == {"A": 0}
        later = recover(study, read_record(database.path), since=time.time() + 1)
        assert later.rerun == {} and later.reissue == (0, 1, 2, 3)

    @pytest.mark.parametrize("status", ["FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED", "SUCCEEDED"])
    def test_an_end_without_a_result_is_a_failure(self, study, tmp_path, status):
        database = Database(tmp_path)
        database.event("A", "WAITING", study.trials[0].configuration, 0)
        database.event("A", status)
        recover(study, read_record(database.path))
        assert status in study.trials[0].failure

    def test_without_a_journal_the_database_is_a_warm_start(self, tmp_path):
        searcher = RegularizedEvolution(space_from_json(SPACE), RegularizedEvolutionConfig(3, 2))
        study = Study(searcher, seed=1)
        database = Database(tmp_path)
        database.event("A", "WAITING", {"a": 1, "b": 2}, 0)
        database.final("A", 0, {"default": float("nan")})
        database.event("B", "WAITING", {"a": 2, "b": 2}, 1)
        database.final("B", 1, {"default": 3})
        recover(study, read_record(database.path))
        assert [trial.value for trial in study.trials] == [None, 3]

    def test_customised_trials_and_rubbish_are_passed_over(self, study, tmp_path):
        database = Database(tmp_path)
        database.event("", "ADD_CUSTOMIZED", {"a": 1})
        database.event("X", "WAITING", {"zzz": 1}, None)
        database.event("X", "ADD_RESUMED")
        database.final("Y", 77, 1.0)
        found = recover(study, read_record(database.path))
        assert found.rerun == {"X": None}
        assert found.reissue == (0, 1, 2, 3)


class TestUnderNNI:
    """What is refused under a manager is reported to it, never raised."""

    def report(self, one: StudyTuner) -> list[str]:
        reported: list[str] = []

        class Manager:
            def report_error(self, text: str) -> None:
                reported.append(text)

            def send(self, *_: Any) -> None: ...

        assert one.generate_multiple_parameters([0], st_callback=Manager().send) == []
        return reported

    def test_class_arguments(self, started):
        assert "did you mean 'population'" in self.report(started(populaton=1))[0]

    def test_another_seed_than_the_journals(self, started):
        started()
        assert "seed" in self.report(started("resume", seed=6))[0]

    def test_without_a_seed_that_of_the_journal(self, started):
        first = started(seed=None)
        assert started("resume", seed=None).study.seed == first.study.seed

    def test_a_broken_journal(self, started, tmp_path):
        run(started(), range(2))
        path = tmp_path / "checkpoint" / "journal.jsonl"
        path.write_bytes(path.read_bytes().replace(b'{"event":"finished"', b"garbage", 1))
        assert "journal.jsonl, line" in self.report(started("resume"))[0]

    def test_a_journal_that_another_process_writes(self, started, tmp_path, monkeypatch):
        monkeypatch.setattr(open_study, "PATIENCE", 0.2)
        holder = Journal(tmp_path / "checkpoint" / "journal.jsonl")
        assert "another process" in self.report(started())[0]
        holder.close()

    def test_it_waits_for_a_predecessor_that_lets_go(self, started, tmp_path, monkeypatch):
        holder = Journal(tmp_path / "checkpoint" / "journal.jsonl")
        tries = []

        def journal(path: Path) -> Journal:
            tries.append(path)
            if len(tries) == 2:
                holder.close()
            return Journal(path)

        monkeypatch.setattr(open_study, "Journal", journal)
        assert started().study is not None
        assert len(tries) == 2

    def test_too_many_failures(self, started):
        one = started()
        one.study._max_consecutive_failures = 2
        for parameter_id in range(2):
            one.generate_multiple_parameters([parameter_id])
            one.trial_end(parameter_id, False)
        assert "2 trials in a row failed" in self.report(one)[0]

    @pytest.mark.parametrize(
        ("status", "assessor"), [("USER_CANCELED", True), ("FAILED", True), ("USER_CANCELED", False)]
    )
    def test_trials_that_the_assessor_stopped_do_not_count(self, started, tmp_path, monkeypatch, status, assessor):
        experiment = {"assessor": {"name": "Medianstop"}} if assessor else {}
        packed = base64.b64encode(json.dumps(experiment).encode()).decode()
        monkeypatch.setattr(sys, "argv", ["nni", "--exp_params", packed])
        one, database = started(), Database(tmp_path)
        one.study._max_consecutive_failures = 2
        for parameter_id in range(2):
            for parameters in one.generate_multiple_parameters([parameter_id]):
                database.event(f"job{parameter_id}", "RUNNING", parameters, parameter_id)
                database.event(f"job{parameter_id}", status)
                one.trial_end(parameter_id, False)
        if status == "USER_CANCELED" and assessor:
            assert len(one.generate_multiple_parameters([2])) == 1
            assert ["assessor" in trial.failure for trial in one.study.trials[:2]] == [True] * 2
        else:
            assert "2 trials in a row failed" in self.report(one)[0]

    def test_an_internal_failure(self, started, monkeypatch):
        one = started()
        monkeypatch.setattr(one.study, "ask", lambda: 1 / 0)
        assert "ZeroDivisionError" in self.report(one)[0]

    def test_a_trial_that_nni_ran_again_and_that_failed(self, started, tmp_path):
        # NNI tells a tuner the results of such trials, but not their ends: the database has them.
        one = started()
        parameters = one.generate_multiple_parameters([0])[0]
        database = Database(tmp_path)
        database.event("A", "WAITING", parameters, 0)
        database.event("A", "ADD_RESUMED")
        again = started("resume")
        assert again.generate_multiple_parameters([1]) == []  # the place is taken
        database.event("A", "RUNNING")
        assert len(again.generate_multiple_parameters([2])) == 1
        assert again.study.trials[0].pending
        database.event("A", "FAILED")
        assert len(again.generate_multiple_parameters([3])) == 1
        assert "FAILED" in again.study.trials[0].failure

    def test_a_database_that_cannot_be_read_leaves_the_journal(self, started, tmp_path, caplog):
        run(started(), range(2))
        (tmp_path / "db").mkdir()
        (tmp_path / "db" / "nni.sqlite").write_bytes(b"no database" * 100)
        again = started("resume")
        assert "cannot be read" in caplog.text
        assert len(again.study.finished) == 2


def test_errors_of_the_journal_are_ours():
    assert issubclass(JournalError, NNIStrategiesError)

"""The study: what searchers, trials and threads may do to it, and what it costs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import (
    InvalidArgument,
    InvalidSearchSpace,
    JournalError,
    JournalMismatch,
    SpaceExhausted,
    TooManyFailures,
)
from nni_strategies.search.baselines import RandomSearch, RegularizedEvolution, RegularizedEvolutionConfig
from nni_strategies.search.failing import InvalidSearcher, RaisingSearcher, StubbornSearcher
from nni_strategies.search.journal import Journal, read
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.search.study import Study
from nni_strategies.search.testing import journal_of, perform, script
from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES, objective
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

FLAT = SPACES["flat"]


# -- searchers that misbehave -------------------------------------------------------------------------


@pytest.mark.parametrize("method", RaisingSearcher.METHODS)
@pytest.mark.parametrize("first_calls", [0, 5])
def test_what_a_searcher_raises_is_logged_once_and_counted(
    method: str, first_calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(RaisingSearcher(FLAT, method, first_calls))
    for i in range(20):
        trial = study.ask()
        study.tell(trial.id, 0.5 if i % 2 else None)
    assert len(study.finished) == 10
    assert len({FLAT.key(trial.configuration) for trial in study.trials}) == 20
    calls = 10 if method in ("finished", "failed") else 20
    assert study.counts["searcher errors"] == calls - first_calls
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert f"{method} raises on purpose" in caplog.text


@pytest.mark.parametrize(("searcher", "count"), [(InvalidSearcher, "invalid"), (StubbornSearcher, "duplicates")])
def test_wrong_proposals_are_replaced(searcher: type[Searcher], count: str) -> None:
    study = Study(searcher(FLAT))
    for _ in range(30):
        FLAT.validate(study.ask().configuration)
    assert len({FLAT.key(trial.configuration) for trial in study.trials}) == 30
    assert study.counts[count] >= 29
    assert study.counts["fallbacks"] >= 29


@pytest.mark.parametrize("searcher", [InvalidSearcher, StubbornSearcher])
@pytest.mark.parametrize("name", list(SMALL_SPACES))
def test_a_misbehaving_searcher_exhausts_a_space_too(searcher: type[Searcher], name: str) -> None:
    space = SMALL_SPACES[name]
    study, n = Study(searcher(space)), len(list(space.enumerate()))
    assert len({space.key(study.ask().configuration) for _ in range(n)}) == n
    with pytest.raises(SpaceExhausted):
        study.ask()


def test_a_prior_that_raises_stops_nothing() -> None:
    class Bad:
        def sample_codes(self, rng: np.random.Generator, n: int) -> Any:
            raise RuntimeError("prior")

        def finished(self, trial: Trial) -> None:
            raise RuntimeError("prior")

    study = Study(RandomSearch(FLAT, prior=Bad()))
    perform(study, script(10, 2))
    assert study.counts["searcher errors"] == 20


def test_a_listener_that_raises_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def listen(event: Any) -> None:
        raise RuntimeError("listener")

    study = Study(RandomSearch(FLAT), on_event=listen)
    perform(study, script(5, 1))
    assert study.counts["listener errors"] == 10
    assert len(caplog.records) == 1


def test_a_space_of_a_million_points_falls_back_without_enumerating(monkeypatch: pytest.MonkeyPatch) -> None:
    space = SearchSpace(tuple(Categorical(f"x{i}", tuple(range(10))) for i in range(9)))
    enumerated: list[SearchSpace] = []
    monkeypatch.setattr(SearchSpace, "enumerate", lambda space: iter(enumerated.append(space) or ()))
    study = Study(StubbornSearcher(space))
    study.ask()
    study.ask()
    assert study.counts["fallbacks"] == 1
    assert enumerated == []


# -- results --------------------------------------------------------------------------------------------


def test_a_result_after_a_failure_counts() -> None:
    study = Study(RandomSearch(FLAT))
    trial = study.ask()
    study.fail(trial.id, "trial_end came first")
    assert study.trials[0].failure == "trial_end came first"
    study.tell(trial.id, 0.7)
    assert (study.trials[0].value, study.trials[0].failure) == (0.7, None)
    study.tell(trial.id, 0.1)
    study.fail(trial.id, "again")
    assert study.trials[0].value == 0.7
    assert study.counts["repeated"] == 2


def test_the_direction_is_kept_out_of_the_values() -> None:
    study = Study(RandomSearch(FLAT), maximize=False)
    for metric in (3.0, 1.0, 2.0):
        study.tell(study.ask().id, {"default": metric})
    assert study.best is not None
    assert (study.best.value, study.best.metrics) == (-1.0, {"default": 1.0})


def test_best_is_the_first_of_the_highest_in_any_order() -> None:
    study, rng = Study(RandomSearch(FLAT)), np.random.default_rng(0)
    for _ in range(40):
        study.ask()
    for i in rng.permutation(40).tolist():
        study.tell(i, float(i % 7))
        assert study.best == max(study.finished, key=lambda t: (t.value, -t.id))
        assert study.pending == [t for t in study.trials if t.pending]


def test_what_failed_elsewhere_does_not_end_a_search() -> None:
    study = Study(RandomSearch(FLAT), max_consecutive_failures=3)
    for configuration in FLAT.decode(FLAT.sample_codes(np.random.default_rng(0), 10)):
        study.import_result(configuration, float("nan"))
    assert study.ask().pending
    assert sum(trial.failure is not None for trial in study.trials) >= 9


def test_constraints_that_nothing_satisfies_are_no_complete_search() -> None:
    class Never:
        def violation(self, configuration: Any) -> str:
            return "never"

        def describe(self) -> str:
            return "never"

    study = Study(RandomSearch(SearchSpace(FLAT.parameters, (Never(),))))
    with pytest.raises(InvalidSearchSpace, match=r"never.*satisfiable"):
        study.ask()


def test_trials_stopped_on_purpose_are_no_sign_that_trials_fail(tmp_path: Path) -> None:
    study = Study(RandomSearch(FLAT), max_consecutive_failures=2, journal=Journal(tmp_path / "journal"))
    for conclude in (study.stop, study.stop, study.stop, study.fail, study.stop, study.fail):
        conclude(study.ask().id, "too bad to go on")
    assert study.ask().pending
    assert [trial.failure for trial in study.trials[:-1]] == ["too bad to go on"] * 6
    study.fail(6, "x")
    with pytest.raises(TooManyFailures):
        study.ask()
    study.tell(0, 1.0)  # late, and taken all the same
    assert study.trials[0].value == 1.0
    study.journal.close()
    again = Study(RandomSearch(FLAT), max_consecutive_failures=2, journal=Journal(tmp_path / "journal"))
    assert again.trials == study.trials
    again.journal.close()


def test_consecutive_failures_stop_the_search_and_a_result_forgives_them() -> None:
    study = Study(RandomSearch(FLAT), max_consecutive_failures=3)
    for outcome in ("x", "x", 0.5, "x", "x", "y is broken"):
        study.tell(study.ask().id, outcome)
    with pytest.raises(TooManyFailures, match=r"3 trials in a row failed; the last: .*y is broken"):
        study.ask()
    study.tell(5, 0.1)  # it was only late
    assert study.ask().id == 6


def test_whoever_resumes_may_go_on_after_failures() -> None:
    study = Study(RandomSearch(FLAT), max_consecutive_failures=2)
    for _ in range(2):
        study.fail(study.ask().id, "no data set")
    resumed = Study(RandomSearch(FLAT), max_consecutive_failures=2, journal=journal_of(study.journal.events))
    assert resumed.ask().id == 2


def test_imported_results() -> None:
    space = SPACES["numbers"]
    study = Study(RandomSearch(space))
    trial = study.ask()
    assert study.import_result(trial.configuration, 0.5) == 0
    elsewhere = {**trial.configuration, "quniform": 0.1 * 3, "choice": 3.0}
    assert study.import_result(elsewhere, 0.6) == 1
    assert study.trials[1].configuration["quniform"] == 0.3
    assert study.import_result({**elsewhere, "quniform": 0.3}, 0.7) == 1
    assert study.trials[1].value == 0.6
    for outside in ({}, {**elsewhere, "choice": "c"}, {**elsewhere, "x": 1}, None, {"choice": object()}):
        assert study.import_result(outside, 0.5) is None  # type: ignore[arg-type]
    assert study.counts["imported outside the space"] == 5
    assert study.find({"choice": object()}) is None


# -- resuming -----------------------------------------------------------------------------------------


def test_another_search_is_refused_with_the_difference(tmp_path: Path) -> None:
    study = Study(RandomSearch(FLAT), journal=Journal(tmp_path / "journal"))
    perform(study, script(3, 1))
    study.journal.close()
    changed = SearchSpace((*FLAT.parameters[:-1], Categorical("op_5", ("none", "skip"))))
    for kwargs, searcher, shown in (
        ({"seed": 1}, RandomSearch(FLAT), "seed: was 0, is 1"),
        ({"maximize": False}, RandomSearch(FLAT), "maximize: was true, is false"),
        ({}, RegularizedEvolution(FLAT), 'algorithm: was "random", is "regularized-evolution"'),
        ({}, RandomSearch(changed), "space_description.parameters.op_5.choices: was"),
    ):
        journal = Journal(tmp_path / "journal")
        with pytest.raises(JournalMismatch) as raised:
            Study(searcher, journal=journal, **kwargs)  # type: ignore[arg-type]
        assert shown in str(raised.value)
        journal.close()


@pytest.mark.parametrize(
    "event",
    [
        {"event": "finished", "trial": 99, "value": 1.0},
        {"event": "finished", "trial": -1, "value": 1.0},
        {"event": "finished", "trial": 0, "value": None},
        {"event": "finished", "trial": 0, "value": "abc"},
        {"event": "finished", "trial": 0, "value": 10**400},
        {"event": "finished", "trial": 0, "value": float("nan")},
        {"event": "proposed", "trial": 2, "configuration": {**dict.fromkeys(FLAT.labels, "none"), "op_0": "?"}},
        {"event": "proposed", "trial": 2, "configuration": dict.fromkeys([*FLAT.labels, "more"], "none")},
        {"event": "proposed", "trial": 2, "configuration": [1]},
        {"event": "finished", "trial": 0},
        {"event": "failed"},
        {"event": "proposed", "trial": 7, "configuration": {}},
        {"event": "proposed", "trial": 2},
    ],
)
def test_a_journal_that_makes_no_sense_is_refused_with_its_line(event: dict[str, Any]) -> None:
    study = Study(RandomSearch(FLAT))
    study.ask()
    study.ask()
    with pytest.raises(JournalError, match="line 4: does not follow"):
        Study(RandomSearch(FLAT), journal=journal_of([*study.journal.events, event]))


KILLED = """
import sys
from nni_strategies.search.baselines import RegularizedEvolution, RegularizedEvolutionConfig
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from nni_strategies.search.testing import perform, script
from nni_strategies.search.testing_spaces import SPACES

config = RegularizedEvolutionConfig(population=10, sample=3)
study = Study(RegularizedEvolution(SPACES["flat"], config), journal=Journal(sys.argv[1]))
for action in script(1000, 3):
    perform(study, [action])
    print(*action, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_as_if_uninterrupted(tmp_path: Path) -> None:
    config = RegularizedEvolutionConfig(population=10, sample=3)
    whole = Study(RegularizedEvolution(FLAT, config))
    actions = script(1000, 3)
    perform(whole, actions)
    for lines in (1, 60):
        path = tmp_path / str(lines)
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        process.wait()
        n_events = len(read(path)[0]) - 1
        assert n_events >= lines
        study = Study(RegularizedEvolution(FLAT, config), journal=Journal(path))
        perform(study, actions[n_events : n_events + 100])
        for ours, theirs in zip(study.journal.events[1:], whole.journal.events[1:], strict=False):
            assert {**ours, "time": 0} == {**theirs, "time": 0}


def test_what_is_in_memory_is_what_is_on_disk(tmp_path: Path) -> None:
    study = Study(RandomSearch(SPACES["subsets"]), journal=Journal(tmp_path / "journal"))
    perform(study, script(20, 4))
    study.note("nni ids", trial=3, ids=(1, 2))
    study.fail(study.ask().id, object())  # type: ignore[arg-type]
    study.journal.close()
    resumed = Study(RandomSearch(SPACES["subsets"]), journal=Journal(tmp_path / "journal"))
    assert resumed.trials == study.trials
    assert resumed.journal.events == study.journal.events
    assert resumed.best == study.best
    assert resumed.pending == study.pending


# -- arguments, threads, time -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_bad_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^seed = "):
        Study(RandomSearch(FLAT), seed=seed)


@pytest.mark.parametrize("number", [0, -1, 2.0, True])
def test_bad_numbers_of_failures_are_refused(number: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^max_consecutive_failures = "):
        Study(RandomSearch(FLAT), max_consecutive_failures=number)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_eight_threads_twenty_times() -> None:
    for seed in range(20):
        study = Study(RandomSearch(FLAT), seed=seed)
        taken: list[int] = []

        def work(study: Study = study, taken: list[int] = taken) -> None:
            for i in range(20):
                trial = study.ask()
                taken.append(trial.id)
                if i % 3:
                    study.tell(trial.id, objective(FLAT, trial.configuration))
                else:
                    study.fail(trial.id, "x")
                assert study.best is None or study.best.value is not None
                assert isinstance(study.pending, list)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == list(range(160))
        assert len(study.finished) == 8 * 13
        # The sequence of proposals of a searcher that learns nothing does not depend on the threads.
        alone = Study(RandomSearch(FLAT), seed=seed)
        assert [alone.ask().configuration for _ in range(160)] == [trial.configuration for trial in study.trials]


@pytest.mark.timeout(60)
def test_asking_takes_no_longer_after_thousands_of_results() -> None:
    space = SearchSpace(tuple(Categorical(f"x{i}", tuple("abcdefghij")) for i in range(6)))
    study = Study(RandomSearch(space))

    def once() -> float:
        start = time.perf_counter()
        study.tell(study.ask().id, 0.5)
        assert study.best is not None
        assert not study.pending
        return time.perf_counter() - start

    early = min(once() for _ in range(100))
    for _ in range(4_000):
        once()
    assert min(once() for _ in range(100)) < 3 * early  # 40 times, were it linear


def test_the_journal_of_a_trial_is_small(tmp_path: Path) -> None:
    study = Study(RandomSearch(FLAT), journal=Journal(tmp_path / "journal"))
    perform(study, script(100, 1))
    study.journal.close()
    lines = (tmp_path / "journal").read_bytes().splitlines()
    assert max(map(len, lines[1:])) < 250
    assert json.loads(lines[1])["configuration"] == study.trials[0].configuration

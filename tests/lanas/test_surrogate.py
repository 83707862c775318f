"""Re-learns are made late or read from the journal, and come to the same."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.gp import GaussianProcess
from nni_strategies.lanas.results import Results
from nni_strategies.lanas.surrogate import Surrogate
from nni_strategies.search.study import Study
from nni_strategies.search.testing import journal_of
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))
FEATURES = Features(CELL)
CODES = CELL.sample_codes(np.random.default_rng(0), 60)
CANDIDATES = FEATURES.transform(CELL.sample_codes(np.random.default_rng(1), 20))
NONE = CANDIDATES[:0]


def results(n: int) -> Results:
    made = Results(FEATURES)
    for i in range(n):
        made.add(CODES[i : i + 1], float(CODES[i, 0] == 2) + 0.1 * CODES[i, 1])
    return made


def search(n: int) -> Study:
    study = Study(LaNASSearcher(CELL), seed=3)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, float(CELL.encode([trial.configuration])[0] @ [1.0, -1.0, 0.5, 0.2, 0.0, 3.0]))
    return study


@pytest.fixture
def walks(monkeypatch):
    """At how many results the hyper-parameters were moved, in order."""
    made: list[int] = []
    moved = GaussianProcess.moved

    def watched(self, theta, x, values, rng):
        made.append(len(values))
        return moved(self, theta, x, values, rng)

    monkeypatch.setattr(GaussianProcess, "moved", watched)
    return made


def test_a_relearn_is_made_when_a_proposal_needs_it_and_only_once(walks):
    surrogate = Surrogate(FEATURES, LaNASConfig())
    surrogate.due(10)
    surrogate.used()
    surrogate.due(20)
    assert walks == []
    for _ in range(2):
        surrogate.expected_improvement(CANDIDATES, results(25), NONE)
    assert walks == [10, 20]


def test_what_fell_due_between_two_proposals_is_made_once(walks):
    surrogate = Surrogate(FEATURES, LaNASConfig())
    for n in (10, 20, 30, 40):
        surrogate.due(n)
    surrogate.expected_improvement(CANDIDATES, results(45), NONE)
    assert walks == [40]


def test_a_proposal_that_was_not_made_leaves_no_trace():
    looked, other = Surrogate(FEATURES, LaNASConfig()), Surrogate(FEATURES, LaNASConfig())
    for surrogate in (looked, other):
        surrogate.due(10)
    looked.expected_improvement(CANDIDATES, results(12), NONE)
    for surrogate in (looked, other):
        surrogate.due(20)
    gains = [surrogate.expected_improvement(CANDIDATES, results(22), NONE) for surrogate in (looked, other)]
    assert np.array_equal(*gains)


def test_a_corrected_result_changes_what_is_learned_later_only():
    eager, lazy = Surrogate(FEATURES, LaNASConfig()), Surrogate(FEATURES, LaNASConfig())
    changed = [results(25), results(25)]
    for surrogate, known in zip((eager, lazy), changed, strict=True):
        surrogate.due(20)
        if surrogate is eager:
            surrogate.expected_improvement(CANDIDATES, results(22), NONE)
        surrogate.used()
        surrogate.settle(known)
        known.correct(3, 9.0)
        surrogate.due(25)
    gains = [s.expected_improvement(CANDIDATES, known, NONE) for s, known in zip((eager, lazy), changed, strict=True)]
    assert np.array_equal(*gains)


def test_a_resumed_search_reads_its_hyper_parameters_from_the_journal(walks):
    study = search(60)
    assert len(walks) == sum("memo" in event for event in study.journal.events) > 5
    walks.clear()
    resumed = Study(LaNASSearcher(CELL), seed=3, journal=journal_of(study.journal.events))
    assert resumed.ask().configuration == study.ask().configuration
    assert len(walks) <= 2  # the one that fell due since the last proposal, by each of the two


@pytest.mark.parametrize(
    "memo",
    [None, {}, {"results": 15, "theta": [1.0]}, {"results": 1, "theta": [0.0] * 9}, {"results": 15, "theta": "x"}],
)
def test_without_them_or_with_nonsense_it_learns_them_again(memo):
    study = search(40)
    events, replaced = journal_of(study.journal.events).events, 0
    for event in events:
        if event.pop("memo", None) is not None and memo is not None:
            event["memo"] = memo
            replaced += 1
    resumed = Study(LaNASSearcher(CELL), seed=3, journal=journal_of(events))
    assert resumed.counts["searcher errors"] == replaced
    assert resumed.ask().configuration == study.ask().configuration


def test_thousands_of_imported_results_are_learned_from_once(walks):
    study = Study(LaNASSearcher(CELL), seed=0)
    for configuration in CELL.decode(CELL.sample_codes(np.random.default_rng(2), 2000)):
        study.import_result(configuration, float(configuration["edge_0"] == "c"))
    study.ask()
    assert len(walks) == 1

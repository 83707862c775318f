"""The conformance suite finds what it is there to find: each broken searcher fails the test meant for it."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.failing import InvalidSearcher, RaisingSearcher, StubbornSearcher
from nni_strategies.search.searcher import Trial
from nni_strategies.search.study import Study
from nni_strategies.search.testing import SearcherConformance, perform, proposals, script
from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES, objective
from nni_strategies.space.search_space import Configuration

SUITE = SearcherConformance()


class RemembersProposals(RandomSearch):
    """Keeps state in `propose`, which no replay restores."""

    calls = 0

    def propose(self, rng: np.random.Generator) -> Configuration:
        self.calls += 1
        return super().propose(np.random.default_rng([self.calls]))


class IgnoresTheGenerator(RandomSearch):
    def propose(self, rng: np.random.Generator) -> Configuration:
        return super().propose(np.random.default_rng())


class IgnoresThePrior(RandomSearch):
    phase = "initial"  # type: ignore[assignment]

    def propose(self, rng: np.random.Generator) -> Configuration:
        return self.space.sample(rng)


class FailsOnManyResults(RandomSearch):
    n = 0

    def finished(self, trial: Trial) -> None:
        self.n += 1
        if self.n > 50:
            raise OverflowError("more than I can take")


@pytest.mark.parametrize("space_name", list(SPACES))
def test_the_test_of_validity_fails_for_invalid_proposals(space_name: str) -> None:
    with pytest.raises(AssertionError):
        SUITE.test_proposes_points_of_the_space(InvalidSearcher, space_name)


def test_the_test_of_validity_fails_for_a_searcher_the_study_has_to_rescue() -> None:
    with pytest.raises(AssertionError):
        SUITE.test_proposes_points_of_the_space(StubbornSearcher, "flat")


@pytest.mark.parametrize("method", ["propose", "proposed", "finished", "phase"])
def test_the_tests_fail_for_raising_searchers(method: str) -> None:
    with pytest.raises(AssertionError):
        SUITE.test_proposes_points_of_the_space(lambda space: RaisingSearcher(space, method), "flat")


def test_the_test_of_failing_trials_fails_for_a_searcher_that_cannot_take_them() -> None:
    with pytest.raises(AssertionError):
        SUITE.test_survives_failing_trials(lambda space: RaisingSearcher(space, "failed"), 0.3)


def test_the_test_of_imported_results_fails_for_a_searcher_that_cannot_take_many() -> None:
    SUITE.test_goes_on_after_imported_results(FailsOnManyResults, 2)
    with pytest.raises(AssertionError):
        SUITE.test_goes_on_after_imported_results(FailsOnManyResults, None)


def test_the_tests_of_determinism_fail_for_hidden_state() -> None:
    with pytest.raises(AssertionError):
        SUITE.test_proposing_leaves_no_trace(RemembersProposals)
    with pytest.raises(AssertionError):
        SUITE.test_replaying_the_journal_goes_on_as_if_uninterrupted(RemembersProposals, "flat")
    with pytest.raises(AssertionError):
        SUITE.test_same_seed_same_sequence(IgnoresTheGenerator, "flat")


def test_the_test_of_other_processes_fails_for_a_sequence_of_its_own() -> None:
    with pytest.raises(AssertionError):
        SUITE.test_same_sequence_in_another_process(IgnoresTheGenerator)


def test_the_test_of_the_prior_fails_for_a_searcher_that_asks_the_space() -> None:
    with pytest.raises(AssertionError):
        SUITE.test_initial_draws_come_from_the_prior(IgnoresThePrior)


def test_scripts_ask_once_and_tell_once_within_their_concurrency() -> None:
    actions = script(40, concurrency=3)
    assert sorted(actions) == [("ask", i) for i in range(40)] + [("tell", i) for i in range(40)]
    pending = np.cumsum([1 if kind == "ask" else -1 for kind, _ in actions])
    assert pending.max() == 3
    assert pending.min() >= 0


@pytest.mark.parametrize("name", list(SPACES))
def test_the_objective_depends_on_every_parameter(name: str) -> None:
    space = SPACES[name]
    configurations = space.decode(space.sample_codes(np.random.default_rng(0), 100))
    values = {objective(space, configuration) for configuration in configurations}
    assert all(0 <= value <= 1 for value in values)
    assert len(values) >= 0.9 * len({space.key(configuration) for configuration in configurations})


def test_small_spaces_are_small() -> None:
    assert {name: len(list(space.enumerate())) for name, space in SMALL_SPACES.items()} == {
        "one point": 1, "flat": 24, "nested": 20, "constrained": 16,
    }  # fmt: skip


def test_proposals_are_those_of_a_short_search() -> None:
    study = Study(RandomSearch(SPACES["flat"]), seed=14)
    perform(study, script(20, concurrency=2))
    assert proposals(RandomSearch(SPACES["flat"])) == [trial.configuration for trial in study.trials]

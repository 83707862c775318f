"""Remarks: what a searcher or its prior says of configurations is kept for reports, and changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing_spaces import SPACES

FLAT = SPACES["flat"]


def test_remarks_of_a_prior_are_kept_with_proposals_and_imports_and_go_nowhere_else() -> None:
    class Talking(UniformPrior):
        def remarks(self, configuration: dict[str, Any]) -> dict[str, Any]:
            return {"length": len(configuration)}

    silent, talking = (Study(RandomSearch(FLAT, prior=prior)) for prior in (UniformPrior(FLAT), Talking(FLAT)))
    for study in (silent, talking):
        for _ in range(3):
            study.ask()
        study.import_result(FLAT.decode(FLAT.sample_codes(np.random.default_rng(9), 1))[0], 0.5)
    proposed = [event for event in talking.journal.events if event["event"] == "proposed"]
    assert [event["remarks"] for event in proposed] == [{"length": len(event["configuration"])} for event in proposed]
    assert len(proposed) == 4
    assert not any("remarks" in event for event in silent.journal.events)
    assert [t.configuration for t in talking.trials] == [t.configuration for t in silent.trials]
    again = Study(RandomSearch(FLAT, prior=Talking(FLAT)), journal=talking.journal)
    assert again.trials == talking.trials


def test_the_reward_of_a_result_is_kept_and_goes_nowhere_else() -> None:
    class Doubling(RandomSearch):
        def reward_of(self, trial):
            return None if trial.value is None or trial.value < 0.5 else 2 * trial.value + trial.metrics["more"]

    plain, doubling = Study(RandomSearch(FLAT)), Study(Doubling(FLAT))
    for study in (plain, doubling):
        for value in (0.25, 0.5, float("nan")):
            study.tell(study.ask().id, {"default": value, "more": 1.0})
    finished = [event for event in doubling.journal.events if event["event"] == "finished"]
    assert [event.get("reward") for event in finished] == [None, 2.0]
    assert not any("reward" in event for event in plain.journal.events)
    assert doubling.trials == plain.trials == Study(Doubling(FLAT), journal=doubling.journal).trials


def test_a_reward_that_fails_costs_no_result() -> None:
    class Failing(RandomSearch):
        def reward_of(self, trial):
            raise ZeroDivisionError

    study = Study(Failing(FLAT))
    study.tell(study.ask().id, 0.5)
    assert study.trials[0].value == 0.5 and study.counts == {"searcher errors": 1}

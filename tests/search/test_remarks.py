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

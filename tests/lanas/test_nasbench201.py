"""LaNAS on NAS-Bench-201: a few seeds of the benchmark, against bounds that leave room for chance."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.search.study import Study
from search_spaces.nasbench201 import load_table, search_space

pytestmark = pytest.mark.timeout(60)  # hundreds of proposals, maybe on a slow machine

SEEDS = range(2000, 2010)


def queries(config: LaNASConfig, dataset: str, seed: int, pending: int = 1, failures: float = 0.0) -> int:
    """Return how many cells were tried until the best, 500 when it was not found."""
    table, rng = load_table(dataset), np.random.default_rng(seed)
    study, waiting = Study(LaNASSearcher(search_space(), config), seed=seed), []
    for k in range(500):
        trial = study.ask()
        if table[trial.configuration] == table.optimum:
            return k + 1
        waiting.append(trial)
        if len(waiting) == pending:
            done = waiting.pop(int(rng.integers(pending)))
            if rng.random() < failures:
                study.fail(done.id, "killed")
            else:
                study.tell(done.id, table[done.configuration])
    return 500


@pytest.mark.slow
@pytest.mark.usefixtures("data")
@pytest.mark.timeout(120)
class TestSampleEfficiency:
    def test_the_default_finds_the_best_in_tens_of_queries(self):
        needed = [queries(LaNASConfig(), "cifar10", seed) for seed in SEEDS]
        assert max(needed) < 500
        assert np.median(needed) <= 60  # 40 over the 50 seeds of the benchmark; at random 7,813

    def test_the_paper_preset_finds_it_in_hundreds(self):
        needed = [queries(LaNASConfig(preset="paper"), "cifar10", seed) for seed in SEEDS[:6]]
        assert np.mean(needed) <= 260

    def test_eight_at_a_time_cost_little_even_when_trials_fail(self):
        needed = [queries(LaNASConfig(), "cifar100", seed, pending=8, failures=0.2) for seed in SEEDS]
        assert max(needed) < 500
        assert np.median(needed) <= 100

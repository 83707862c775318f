"""The baselines on NAS-Bench-201: as good as peers are, so that ours is not measured against straw men."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nni_strategies.search.baselines import LocalSearch, LocalSearchConfig, RandomSearch, RegularizedEvolution
from nni_strategies.search.study import Study
from nni_strategies.search.testing import MakeSearcher
from search_spaces.nasbench201 import load_table, search_space


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("searcher", "n_seeds", "band"),
    [
        # Medians of 100 seeds: 161, 57, 103 queries to the best of CIFAR-100 by validation; random search 7,813.
        (RegularizedEvolution, 10, (70, 320)),
        (LocalSearch, 20, (30, 95)),
        (lambda space: LocalSearch(space, LocalSearchConfig(first_improvement=False)), 20, (60, 160)),
    ],
    ids=["evolution", "local search, first improvement", "local search, best improvement"],
)
def test_queries_to_the_best_cell(data: Path, searcher: MakeSearcher, n_seeds: int, band: tuple[int, int]) -> None:
    space, table = search_space(), load_table("cifar100", "valid")
    queries = []
    for seed in range(n_seeds):
        study = Study(searcher(space), seed=1000 + seed)
        while (study.best is None or study.best.value != table.optimum) and len(study.trials) < 500:
            trial = study.ask()
            study.tell(trial.id, table[trial.configuration])
        queries.append(len(study.trials))
    assert band[0] < np.median(queries) < band[1], queries


def test_random_search_does_not_find_it(data: Path) -> None:
    space, table = search_space(), load_table("cifar100", "valid")
    study = Study(RandomSearch(space), seed=1)
    for _ in range(200):
        trial = study.ask()
        study.tell(trial.id, table[trial.configuration])
    assert study.best is not None
    # The best of 200 draws is of rank 15,625 / 201 on average.
    assert 5 < (table.accuracies > study.best.value).sum() < 500

"""The searchers of the package on the space of NSC blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nni_strategies.errors import SpaceExhausted
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import LocalSearch, RandomSearch, RegularizedEvolution
from nni_strategies.search.searcher import Searcher
from nni_strategies.search.study import Study
from nni_strategies.search.testing import assert_well_behaved
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.nsc import configuration_block
from nni_strategies.topology.nsc_space import nsc_space

SEARCHERS = [RandomSearch, RegularizedEvolution, LocalSearch, LaNASSearcher]
SMALL = nsc_space(3, ("conv3", "avgpool3", "add", "terminal"))


def n_convolutions(configuration: Configuration) -> float:
    return float(sum(layer.operation == "conv5" for layer in configuration_block(configuration)))


def best(make: Callable[[SearchSpace], Searcher], seed: int, n: int) -> float:
    study = Study(make(nsc_space(10)), seed=seed)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, n_convolutions(trial.configuration))
    assert_well_behaved(study)
    assert study.counts["fallbacks"] <= n // 10
    return max(trial.value for trial in study.trials if trial.value is not None)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_searches_find_blocks_that_random_draws_do_not():
    by_random = best(RandomSearch, 0, 150)
    for make in SEARCHERS[1:]:
        assert best(make, 0, 150) > by_random, make


@pytest.mark.timeout(30)  # LaNAS learns after each of them
@pytest.mark.parametrize("make", SEARCHERS, ids=lambda make: make.__name__)
def test_a_small_space_is_exhausted(make: Callable[[SearchSpace], Searcher]):
    study = Study(make(SMALL), seed=0)
    for _ in range(102):
        trial = study.ask()
        study.tell(trial.id, n_convolutions(trial.configuration))
    assert len({SMALL.key(trial.configuration) for trial in study.trials}) == 102
    with pytest.raises(SpaceExhausted):
        study.ask()

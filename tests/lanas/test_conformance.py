"""LaNAS does what every searcher has to do, with each local sampler and as published."""

from __future__ import annotations

import pytest

from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.search.testing import MakeSearcher, SearcherConformance

pytestmark = pytest.mark.timeout(60)  # some of them make hundreds of proposals, or start a process


class TestDefault(SearcherConformance):
    n_trials = 30
    n_repeated = 20
    n_without_duplicate = 100
    n_per_thread = 8

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return LaNASSearcher


class TestPaper(SearcherConformance):
    n_trials = 40
    n_without_duplicate = 60
    n_imported = 200
    n_per_thread = 5

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: LaNASSearcher(space, LaNASConfig(preset="paper", n_init=10, relearn_every=10))


class TestMutation(SearcherConformance):
    n_trials = 32
    n_repeated = 20
    n_without_duplicate = 60
    n_imported = 200
    n_per_thread = 5

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        config = LaNASConfig(
            split="kmeans_svm", local_sampler="mutation", on_failure="worst", initial_design="latin_hypercube"
        )
        return lambda space: LaNASSearcher(space, config)

"""NAT does what every searcher has to do, with its own learner and the paper's; in spaces that have edges."""

from __future__ import annotations

import pytest

from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.testing import MakeSearcher, SearcherConformance
from tests.nat import searcher_spaces
from tests.nat.searcher_spaces import config

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


class _Suite(SearcherConformance):
    spaces = searcher_spaces.SPACES
    small_spaces = searcher_spaces.SMALL_SPACES
    n_trials = 28
    n_repeated = 20
    n_without_duplicate = 60
    n_imported = 100
    n_threads = 4
    n_per_thread = 8


class TestCritic(_Suite):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: NATSearcher(space, config())


class TestPaper(_Suite):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: NATSearcher(space, config(learner="paper", parents=2, children=3))


class TestPairs(_Suite):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: NATSearcher(space, config(learner="paper", parents=3, children=1))

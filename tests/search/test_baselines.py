"""The baselines: the conformance suite, and what each algorithm has to do on spaces whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.search.baselines import (
    LocalSearch,
    LocalSearchConfig,
    RandomSearch,
    RegularizedEvolution,
    RegularizedEvolutionConfig,
)
from nni_strategies.search.searcher import Trial
from nni_strategies.search.study import Study
from nni_strategies.search.testing import MakeSearcher, SearcherConformance
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import Configuration, SearchSpace

LADDER = SearchSpace(tuple(Categorical(f"x{i}", (0, 1, 2, 3)) for i in range(6)))


class TestRandomSearch(SearcherConformance):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return RandomSearch


class TestRegularizedEvolution(SearcherConformance):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: RegularizedEvolution(space, RegularizedEvolutionConfig(population=12, sample=4))


class TestLocalSearch(SearcherConformance):
    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return LocalSearch


def _distance(a: Configuration, b: Configuration) -> int:
    return sum(a[label] != b[label] for label in a)


def test_random_search_draws_what_the_prior_draws() -> None:
    study = Study(RandomSearch(LADDER), seed=0)
    values = np.array([list(study.ask().configuration.values()) for _ in range(600)])
    # Without replacement from 4,096 points each value is as likely as any other: 150 of 600, sd 10.
    counts = np.stack([(values == v).sum(axis=0) for v in range(4)])
    assert counts.min() > 110
    assert counts.max() < 190


def test_evolution_mutates_one_parameter_of_the_best_of_its_sample() -> None:
    searcher = RegularizedEvolution(LADDER, RegularizedEvolutionConfig(population=5, sample=5))
    for i in range(5):
        trial = Trial(i, dict.fromkeys(LADDER.labels, i % 4), value=float(i == 2))
        searcher.proposed(trial)
        searcher.finished(trial)
    # A sample of 5 of 5 with replacement misses the best with probability 0.8^5.
    children = [searcher.propose(np.random.default_rng(seed)) for seed in range(200)]
    of_best = [child for child in children if _distance(child, dict.fromkeys(LADDER.labels, 2)) == 1]
    assert 0.5 < len(of_best) / 200 < 0.85
    assert {label for child in of_best for label in child if child[label] != 2} == set(LADDER.labels)


def test_the_oldest_dies_however_good() -> None:
    searcher = RegularizedEvolution(LADDER, RegularizedEvolutionConfig(population=2, sample=2))
    for i, value in enumerate((9.0, 1.0, 1.0)):
        trial = Trial(i, dict.fromkeys(LADDER.labels, i), value=value)
        searcher.proposed(trial)
        searcher.finished(trial)
    children = [searcher.propose(np.random.default_rng(seed)) for seed in range(50)]
    assert all(_distance(child, dict.fromkeys(LADDER.labels, 0)) > 1 for child in children)


@pytest.mark.parametrize("first", [True, False], ids=["first improvement", "best improvement"])
def test_local_search_climbs_a_separable_hill(first: bool) -> None:
    study = Study(LocalSearch(LADDER, LocalSearchConfig(first_improvement=first)), seed=1)
    n = 0
    while study.best is None or study.best.value != 18:
        trial = study.ask()
        study.tell(trial.id, float(sum(trial.configuration.values())))
        n += 1
    # At most 18 moves up; best improvement raises one parameter to its best in each round of at most 18 neighbours.
    assert n <= (1 + 18 * 18 if first else 1 + 7 * 18)


def test_best_improvement_looks_at_every_neighbour_before_it_moves() -> None:
    study = Study(LocalSearch(LADDER, LocalSearchConfig(first_improvement=False)), seed=2)
    values = np.random.default_rng(0)
    start = study.ask()
    study.tell(start.id, 0.5)
    around = [study.ask() for _ in range(18)]
    assert all(_distance(trial.configuration, start.configuration) == 1 for trial in around)
    for trial in around:
        study.tell(trial.id, 0.6 + 0.1 * values.random())
    assert study.best is not None
    for _ in range(15):  # 18 neighbours, 3 of them seen: the old centre and two beside it
        assert _distance(study.ask().configuration, study.best.configuration) == 1


def test_local_search_starts_anew_at_a_local_optimum() -> None:
    space = SearchSpace((Categorical("a", tuple(range(6))), Categorical("b", tuple(range(6)))))
    study = Study(LocalSearch(space), seed=3)
    start = study.ask()
    study.tell(start.id, 1.0)
    for _ in range(10):
        study.tell(study.ask().id, 0.0)
    restart = study.ask()
    assert _distance(restart.configuration, start.configuration) == 2
    study.tell(restart.id, 0.5)
    assert _distance(study.ask().configuration, restart.configuration) == 1


def test_local_search_draws_while_its_last_neighbours_run() -> None:
    space = SearchSpace((Categorical("a", tuple(range(8))), Categorical("b", tuple(range(8)))))
    study = Study(LocalSearch(space), seed=4)
    start = study.ask()
    study.tell(start.id, 1.0)
    neighbours = [study.ask() for _ in range(14)]
    drawn = study.ask()
    assert _distance(drawn.configuration, start.configuration) == 2
    study.tell(drawn.id, 0.7)
    for trial in neighbours[:-1]:
        study.tell(trial.id, 0.0)
    study.fail(neighbours[-1].id, "killed")
    assert _distance(study.ask().configuration, drawn.configuration) == 1


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: RegularizedEvolutionConfig(population=0), "population"),
        (lambda: RegularizedEvolutionConfig(sample=2.5), "sample"),  # type: ignore[arg-type]
        (lambda: RegularizedEvolutionConfig(population=5, sample=6), "sample"),
        (lambda: LocalSearchConfig(n_init=True), "n_init"),
        (lambda: LocalSearchConfig(first_improvement="yes"), "first_improvement"),  # type: ignore[arg-type]
    ],
)
def test_bad_hyper_parameters_are_refused(make: object, field: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{field} = "):
        make()  # type: ignore[operator]

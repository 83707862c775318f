"""LaNAS on spaces with numbers: it finds known optima, stays in its regions, repeats itself, and never hangs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.region import Region
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.search.searcher import Searcher
from nni_strategies.search.study import Study
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Condition, Numerical
from nni_strategies.space.search_space import SearchSpace

pytestmark = pytest.mark.timeout(60)  # dozens of proposals that climb a surrogate

Objective = Callable[[dict[str, Any]], float]


def uniform(label: str, low: float, high: float, **kwargs: Any) -> Numerical:
    return Numerical(label, distribution=Distribution("uniform", low, high), **kwargs)


BOWL = SearchSpace(tuple(uniform(f"x{i}", -5.0, 10.0) for i in range(5)))
OPTIMUM = np.array([1.0, -2.0, 4.0, 0.0, 7.0])

MIXED = SearchSpace(
    (
        Categorical("op", choices=("conv", "pool", "skip")),
        Numerical("lr", distribution=Distribution("loguniform", 1e-4, 1.0)),
        Numerical("layers", distribution=Distribution("uniform", 1, 8, q=1, integer=True)),
        uniform("momentum", 0.0, 1.0, condition=Condition("op", ("conv",))),
        Categorical("norm", choices=("batch", "none")),
    )
)


def bowl(configuration: dict[str, Any]) -> float:
    return -float(((np.array(list(configuration.values())) - OPTIMUM) ** 2).sum())


def mixed(configuration: dict[str, Any]) -> float:
    value = {"conv": 1.0, "pool": 0.3, "skip": 0.0}[configuration["op"]] + 0.3 * (configuration["norm"] == "batch")
    value -= (np.log10(configuration["lr"]) + 2.0) ** 2 + 0.1 * abs(configuration["layers"] - 5)
    return value - 2.0 * (configuration.get("momentum", 0.9) - 0.9) ** 2


def run(searcher: Searcher, objective: Objective, n: int, seed: int = 0, journal: Journal | None = None) -> Study:
    study = Study(searcher, seed=seed, journal=journal)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, objective(trial.configuration))
    assert not study.counts, study.counts
    return study


def best(study: Study) -> float:
    assert study.best is not None and study.best.value is not None
    return study.best.value


@pytest.mark.slow
def test_the_minimum_of_a_quadratic_is_found() -> None:
    found = [best(run(LaNASSearcher(BOWL), bowl, 50, seed)) for seed in range(2)]
    assert min(found) > -0.05  # random search: about -30
    assert max(best(run(RandomSearch(BOWL), bowl, 50, seed)) for seed in range(2)) < -5


def test_a_mixed_space_with_a_condition_is_searched() -> None:
    study = run(LaNASSearcher(MIXED), mixed, 60)
    assert study.best is not None
    configuration = study.best.configuration
    assert best(study) > 1.25, configuration  # at most 1.3
    assert (configuration["op"], configuration["norm"], configuration["layers"]) == ("conv", "batch", 5)


@pytest.mark.parametrize("sampler", ["gp", "mutation", "uniform"])
def test_every_proposal_is_in_the_region_it_was_made_for(sampler: str) -> None:
    config = LaNASConfig(local_sampler=sampler, stagnation=0, cp=0.0)
    searcher = LaNASSearcher(BOWL, config)
    study = run(searcher, bowl, 40)
    for _ in range(20):
        relaxed, path = searcher.relaxed, searcher.tree.select(np.random.default_rng(0)).path
        trial = study.ask()
        inside = Region(searcher.features, path).contains(BOWL.encode([trial.configuration]))[0]
        assert inside or searcher.relaxed > relaxed
        study.tell(trial.id, bowl(trial.configuration))
    assert searcher.tree.select(np.random.default_rng(0)).path
    assert searcher.relaxed < 10


def test_a_replayed_journal_goes_on_as_if_uninterrupted() -> None:
    whole = run(LaNASSearcher(MIXED), mixed, 34, seed=3)
    first = run(LaNASSearcher(MIXED), mixed, 25, seed=3)
    resumed = Study(LaNASSearcher(MIXED), seed=3, journal=_copy(first))
    for _ in range(9):
        trial = resumed.ask()
        resumed.tell(trial.id, mixed(trial.configuration))
    assert [t.configuration for t in resumed.trials] == [t.configuration for t in whole.trials]


def test_an_affine_change_of_the_metric_changes_nothing() -> None:
    plain = run(LaNASSearcher(BOWL), bowl, 25)
    scaled = run(LaNASSearcher(BOWL), lambda c: 1024.0 * bowl(c), 25)
    assert [t.configuration for t in plain.trials] == [t.configuration for t in scaled.trials]


def test_parallel_proposals_spread() -> None:
    study = run(LaNASSearcher(BOWL), bowl, 20)
    batch = np.array([list(study.ask().configuration.values()) for _ in range(8)]) / 15.0
    distances = np.linalg.norm(batch[:, None] - batch[None], axis=-1)[np.triu_indices(8, 1)]
    assert distances.min() > 1e-3


@pytest.mark.parametrize("objective", [lambda c: 0.0, lambda c: -1e300 if c["x0"] > 0 else 1.0, lambda c: c["x0"]])
def test_degenerate_metrics_are_no_obstacle(objective: Objective) -> None:
    run(LaNASSearcher(BOWL), objective, 24)


def test_a_grid_of_numbers_is_exhausted_without_repeats() -> None:
    axes = [Numerical(n, distribution=Distribution("uniform", 0, 4, q=1, integer=True)) for n in "ab"]
    study = run(LaNASSearcher(SearchSpace(tuple(axes))), lambda c: -c["a"] - c["b"], 25)
    assert len({tuple(t.configuration.values()) for t in study.trials}) == 25


@pytest.mark.parametrize("preset", ["paper", "lamcts_ackley"])
def test_the_published_algorithms_take_numbers_too(preset: str) -> None:
    config = LaNASConfig(preset=preset, n_init=15, relearn_every=5)
    assert best(run(LaNASSearcher(BOWL, config), bowl, 40)) > -60


def _copy(study: Study) -> Journal:
    journal = Journal()
    journal.start(study.journal.header)
    for event in study.journal.events:
        journal.append(event)
    return journal


def test_rounded_numbers_without_bounds_are_never_proposed_twice() -> None:
    rounded = Numerical("x", distribution=Distribution("normal", 0.0, 2.0, q=1.0))
    space = SearchSpace((rounded, Categorical("op", choices=("a", "b", "c"))))
    study = run(LaNASSearcher(space), lambda c: -abs(c["x"] - 1.0) + (c["op"] == "b"), 24)
    assert study.best is not None and study.best.configuration == {"x": 1.0, "op": "b"}


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ackley_in_ten_dimensions_after_fifty_evaluations() -> None:
    space = SearchSpace(tuple(uniform(f"x{i}", -5.0, 10.0) for i in range(10)))

    def ackley(configuration: dict[str, Any]) -> float:
        x = np.array(list(configuration.values()))
        return 20 * np.exp(-0.2 * np.sqrt((x**2).mean())) + np.exp(np.cos(2 * np.pi * x).mean()) - 20 - np.e

    # eight seeds gave 2.3 to 3.4; random search is at 10
    assert np.median([best(run(LaNASSearcher(space), ackley, 50, seed)) for seed in (2000, 2001, 2002)]) > -4.0

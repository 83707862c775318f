"""What LaNAS promises as a whole: regions, exhaustion, degenerate results, repeatability, priors."""

from __future__ import annotations

import json
import time
from collections import Counter

import numpy as np
import pytest

from nni_strategies.errors import SpaceExhausted
from nni_strategies.lanas import LaNASConfig, LaNASSearcher, region
from nni_strategies.lanas.region import Region
from nni_strategies.search.searcher import Trial, UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing import journal_of
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical
from nni_strategies.space.search_space import SearchSpace

pytestmark = pytest.mark.timeout(60)  # hundreds of proposals, maybe on a slow machine

NUMBER = Numerical("x", distribution=Distribution("uniform", 0.0, 1.0))
CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))
NARROW = SearchSpace(tuple(Categorical(f"op_{i}", tuple("abcde")) for i in range(9)))
WIDE = SearchSpace(tuple(Categorical(f"op_{i}", tuple("abcde")) for i in range(20)))


def linear(space: SearchSpace, seed: int = 0):
    weights = np.random.default_rng(seed).normal(size=(len(space.parameters), 5))

    def value(configuration) -> float:
        codes = space.encode([configuration])[0].astype(int)
        return float(weights[np.arange(len(codes)), codes].sum())

    return value


def drive(searcher: LaNASSearcher, n: int, value, seed: int = 0) -> list:
    study = Study(searcher, seed=seed)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, value(trial.configuration))
    assert not study.counts
    return [trial.configuration for trial in study.trials]


def watched(searcher: LaNASSearcher) -> list[Region]:
    """Record the regions that are searched, in order."""
    regions: list[Region] = []
    inside = searcher._inside

    def watching(node, rng):
        regions.append(Region(searcher.features, node.path))
        return inside(node, rng)

    searcher._inside = watching  # type: ignore[method-assign]
    return regions


@pytest.mark.parametrize(
    ("preset", "n"),
    [
        ("default", 120),
        ("paper", 300),
        pytest.param("shallow", 10_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_every_proposal_is_inside_its_region_new_and_valid(preset, n, monkeypatch):
    config = LaNASConfig(preset="paper" if preset == "shallow" else preset)
    space = WIDE
    if preset == "shallow":  # half of all draws are inside: a batch may be small, and 10,000 proposals fast
        space = NARROW
        config = LaNASConfig(preset="paper", height=2, relearn_fraction=0.1)
        monkeypatch.setattr(region, "BATCH", 48)
    searcher, value = LaNASSearcher(space, config), linear(space)
    regions, seen, constrained = watched(searcher), set(), 0
    for k in range(n):
        regions.clear()
        configuration = searcher.propose(np.random.default_rng([0, k]))
        space.validate(configuration)
        assert space.key(configuration) not in seen
        seen.add(space.key(configuration))
        if regions:  # the last one: the relaxed ones before it held nothing new
            assert regions[-1].contains(space.encode([configuration])).all()
            constrained += bool(regions[-1].path)
        searcher.proposed(Trial(k, configuration))
        searcher.finished(Trial(k, configuration, value(configuration)))
    assert searcher.relaxed == 0
    assert constrained > 0.4 * n


def test_relaxations_are_counted():
    space = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abc")) for i in range(4)))
    searcher = LaNASSearcher(space, LaNASConfig(preset="paper", n_init=8, relearn_every=5))
    drive(searcher, 81, linear(space))
    assert searcher.relaxed > 0


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_a_finite_space_is_exhausted_exactly(preset):
    space = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abc")) for i in range(4)))
    searcher = LaNASSearcher(space, LaNASConfig(preset=preset, n_init=5))
    configurations = drive(searcher, 81, linear(space))
    assert len({space.key(c) for c in configurations}) == 81
    for _ in range(2):
        with pytest.raises(SpaceExhausted):
            searcher.propose(np.random.default_rng(0))


@pytest.mark.parametrize("preset", ["default", "paper", "lamcts_ackley"])
@pytest.mark.parametrize("metric", [0.0, 1e308, -1e308, 5e-324])
def test_equal_or_extreme_metrics_are_no_trouble(preset, metric):
    study, slowest = Study(LaNASSearcher(CELL, LaNASConfig(preset=preset, n_init=10))), 0.0
    for _ in range(60):
        start = time.process_time()
        study.tell(study.ask().id, metric)
        slowest = max(slowest, time.process_time() - start)
    assert not study.counts
    assert slowest < 1.0


def test_mixed_extremes_do_not_break_ranks():
    values = iter([1e308, -1e308, 0.0, 5e-324] * 30)
    drive(LaNASSearcher(CELL), 60, lambda c: next(values))


def test_results_that_fail_are_not_proposed_again_and_may_count_as_worst():
    for on_failure, expected in (("ignore", 20), ("worst", 40)):
        searcher = LaNASSearcher(CELL, LaNASConfig(on_failure=on_failure))
        study = Study(searcher, seed=0)
        for k in range(40):
            trial = study.ask()
            if k % 2:
                study.fail(trial.id, "diverged")
            else:
                study.tell(trial.id, 1.0 + k)
        assert searcher.results.n == expected
        assert len({CELL.key(trial.configuration) for trial in study.trials}) == 40
        assert not searcher._pending
    assert (searcher.results.values == 1.0).sum() == 21


def test_one_trial_counts_once_however_often_it_is_reported():
    searcher, configuration = LaNASSearcher(CELL), CELL.sample(np.random.default_rng(0))
    searcher.proposed(Trial(0, configuration))
    for _ in range(3):
        searcher.finished(Trial(0, configuration, 0.5))
    searcher.failed(Trial(0, configuration, failure="late"))
    assert searcher.results.n == 1


@pytest.mark.parametrize("change", [lambda v: 3 * v + 100, lambda v: 1e-6 * v - 1, np.exp], ids=["3v", "tiny", "exp"])
def test_a_monotone_change_of_the_metric_leaves_the_proposals(change):
    value = linear(CELL)
    plain = drive(LaNASSearcher(CELL), 80, value)
    assert drive(LaNASSearcher(CELL), 80, lambda c: float(change(value(c)))) == plain


def test_the_phase_is_initial_until_the_design_was_drawn():
    searcher = LaNASSearcher(WIDE)
    study = Study(searcher, seed=0)
    for _ in range(25):
        trial = study.ask()
        study.tell(trial.id, linear(WIDE)(trial.configuration))
    assert Counter(trial.phase for trial in study.trials) == {"initial": 10, "search": 15}
    assert LaNASSearcher(CELL).n_init == 10
    assert LaNASSearcher(CELL, LaNASConfig(preset="paper")).n_init == 50
    small = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abc")) for i in range(4)))
    assert LaNASSearcher(small).n_init == 8  # a tenth of its points


def test_without_results_it_goes_on_drawing():
    study = Study(LaNASSearcher(CELL), seed=0)
    assert {study.ask().phase for _ in range(40)} == {"initial"}


class _Corner(UniformPrior):
    def sample_codes(self, rng, n):
        codes = super().sample_codes(rng, n)
        codes[:, 0] = 1.0
        return codes


@pytest.mark.parametrize("sampler", ["gp", "uniform"])
def test_all_blind_draws_come_from_the_prior(sampler):
    config = LaNASConfig(local_sampler=sampler, stagnation=0, n_init=30)
    study = Study(LaNASSearcher(WIDE, config, prior=_Corner(WIDE)), seed=0)
    for k in range(80):
        trial = study.ask()
        if k < 30:  # the initial draws; what comes later is for the results to say
            assert trial.configuration["op_0"] == "b"
        study.tell(trial.id, linear(WIDE)(trial.configuration))


def test_stagnation_drops_constraints():
    plain, escaping = (LaNASSearcher(CELL, LaNASConfig(stagnation=stagnation)) for stagnation in (0, 10))
    depths = {}
    for searcher in (plain, escaping):
        values = iter([1.0] + [0.5 - 1e-4 * k for k in range(200)])
        study = Study(searcher, seed=0)
        for _ in range(120):
            trial = study.ask()
            study.tell(trial.id, next(values))
        rng = np.random.default_rng(0)
        depths[searcher.config.stagnation] = Counter(len(searcher._path(searcher.tree, rng)) for _ in range(400))
    assert len(depths[0]) == 1
    full = max(depths[0])
    assert full > 2
    assert 0.5 < depths[10][1] / 400 < 0.75  # a half, and the prefixes that are empty
    assert 0.2 < depths[10][full] / 400 < 0.4  # a quarter, and the prefixes that are whole


def test_parallel_proposals_differ_and_no_pending_trial_is_lost():
    searcher, value, rng = LaNASSearcher(CELL), linear(CELL), np.random.default_rng(0)
    study, waiting = Study(searcher, seed=0), []
    for _ in range(120):
        waiting.append(study.ask())
        if len(waiting) == 32:
            trial = waiting.pop(int(rng.integers(32)))
            if rng.random() < 0.2:
                study.fail(trial.id, "killed")
            else:
                study.tell(trial.id, value(trial.configuration))
            assert len(searcher._pending) == 31
            assert searcher.tree.root.pending == 31
    assert len({CELL.key(trial.configuration) for trial in study.trials}) == 120


def test_the_tree_can_be_told():
    searcher = LaNASSearcher(CELL)
    assert searcher.describe_tree()["size"] == 0
    drive(searcher, 100, linear(CELL))
    told = json.loads(json.dumps(searcher.describe_tree()))
    assert told["size"] == 100
    assert told["split"][0]["feature"].split()[0] in {*CELL.labels, "number"}


@pytest.mark.timeout(30)
def test_a_thousand_results_are_replayed_exactly():
    value = linear(WIDE)
    study = Study(LaNASSearcher(WIDE), seed=3)
    for configuration in WIDE.decode(WIDE.sample_codes(np.random.default_rng(0), 1000)):
        study.import_result(configuration, value(configuration))
    again = Study(LaNASSearcher(WIDE), seed=3, journal=study.journal)
    assert again.ask().configuration == study.ask().configuration


@pytest.mark.parametrize("space", [CELL, SearchSpace((*CELL.parameters, NUMBER))], ids=["choices", "with a number"])
def test_a_result_after_a_failure_learned_as_the_worst_replaces_it(space):
    def value(configuration) -> float:
        return float(space.encode([configuration])[0].sum())

    config = LaNASConfig(on_failure="worst", n_init=5)
    study, late = Study(LaNASSearcher(space, config), seed=1), []
    for i in range(40):
        trial = study.ask()
        if i % 4 == 3:
            study.fail(trial.id, "so NNI says")
            late.append(trial)
        else:
            study.tell(trial.id, value(trial.configuration))
        if len(late) == 3:
            for trial in late:
                study.tell(trial.id, value(trial.configuration))
            late.clear()
    learned = study.searcher.results.values.tolist()
    known = [trial.value for trial in study.trials if trial.value is not None]
    lost = sum(trial.value is None for trial in study.trials)
    assert len(learned) == 40
    assert sorted(learned)[lost:] == sorted(known)
    again = Study(LaNASSearcher(space, config), seed=1, journal=journal_of(study.journal.events))
    assert again.ask().configuration == study.ask().configuration
    assert again.searcher.results.since_best == study.searcher.results.since_best

"""IRLAS as a searcher: modes, rewards, and what is refused."""

from __future__ import annotations

import logging

import pytest

from nni_strategies.errors import InvalidArgument, JournalMismatch
from nni_strategies.irlas.experts import expert
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.irlas.tuner import IRLASTuner
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL = SearchSpace(tuple(Categorical(f"cell.edge_{i}_{j}", OPERATIONS) for i, j in EDGES))


def searched(config: IRLASConfig, n: int = 30, journal=None, **options) -> Study:
    study = Study(IRLASSearcher(CELL, config, **options), seed=3, journal=journal)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, sum(value == "nor_conv_3x3" for value in trial.configuration.values()) / 6)
    return study


def test_by_default_experts_guide_and_the_reward_is_the_metric():
    study = searched(IRLASConfig(budget=30))
    searcher = study.searcher
    assert isinstance(searcher.prior, ExpertPrior)
    assert searcher.lam == 0
    assert searcher._total == pytest.approx(sum(trial.value for trial in study.finished))
    assert not any(study.counts.values())


def test_the_paper_s_reward_is_a_plus_lam_s():
    study = searched(IRLASConfig(budget=30, mode="paper", lam=0.25, experts=("resnext",)))
    searcher = study.searcher
    assert isinstance(searcher.prior, UniformPrior)
    expected = sum(trial.value + 0.25 * searcher.scores.score(trial.configuration) for trial in study.finished)
    assert searcher._total == pytest.approx(expected, abs=1e-9)
    assert all(trial.value == round(trial.value * 6) / 6 for trial in study.finished)  # the study keeps the raw metric


def test_auto_lam_is_half_an_accuracy_deviation_and_warns(caplog):
    with caplog.at_level(logging.WARNING):
        searcher = IRLASSearcher(CELL, IRLASConfig(mode="paper", experts=("resnext",)))
    assert searcher.lam == pytest.approx(0.5 * 0.02 / searcher.scores.stimuli.sd)
    assert "traded" in caplog.text


def test_lam_zero_is_the_agent_alone():
    paper = searched(IRLASConfig(budget=30, mode="paper", lam=0.0))
    alone = searched(IRLASConfig(budget=30, mode="none"))
    assert [t.configuration for t in paper.trials] == [t.configuration for t in alone.trials]


def test_a_latency_term_is_part_of_the_reward_in_any_mode():
    config = IRLASConfig(budget=30, mode="none", latency={"term": "mnas", "target": 2.0, "w": -0.5})
    study = Study(IRLASSearcher(CELL, config), seed=3)
    for latency in (8.0, None):
        trial = study.ask()
        study.tell(trial.id, {"default": 0.5} if latency is None else {"default": 0.5, "latency_ms": latency})
    assert study.searcher._total == pytest.approx(0.5 * (8.0 / 2.0) ** -0.5 + 0.5)


def test_a_latency_term_that_fails_leaves_the_metric():
    config = IRLASConfig(budget=30, mode="none", latency={"term": "log", "target": 2.0})
    study = Study(IRLASSearcher(CELL, config), seed=3)
    for latency in (0.0, -1.0):
        trial = study.ask()
        study.tell(trial.id, {"default": 0.5, "latency_ms": latency})
    assert study.searcher._total == 1.0
    assert not any(study.counts.values())


def test_a_prior_beside_another_mode_is_refused():
    with pytest.raises(InvalidArgument, match="mode='none'"):
        IRLASSearcher(CELL, IRLASConfig(mode="none"), prior=UniformPrior(CELL))


def test_lam_decays_over_the_last_half_of_the_budget():
    searcher = searched(IRLASConfig(budget=4, mode="paper", lam=1.0, schedule="linear"), n=4).searcher
    configurations = [t.configuration for t in searched(IRLASConfig(budget=4, mode="paper", lam=1.0), n=4).trials]
    values = [sum(value == "nor_conv_3x3" for value in c.values()) / 6 for c in configurations]
    s = [searcher.scores.score(c) for c in configurations]
    expected = sum(values) + s[0] + s[1] + s[2] + 0.5 * s[3]
    assert searcher._total == pytest.approx(expected)


def test_experts_given_as_graphs():
    searcher = IRLASSearcher(CELL, experts={"mine": expert("inception")})
    assert list(searcher.scores.projections) == ["mine"]


def test_other_experts_are_another_search():
    study = searched(IRLASConfig(budget=30), n=3)
    with pytest.raises(JournalMismatch):
        Study(IRLASSearcher(CELL, IRLASConfig(budget=30, experts=("resnext",))), seed=3, journal=study.journal)


@pytest.mark.parametrize(
    ("config", "field"),
    [({"lam": -0.1}, "lam"), ({"lam": "atuo"}, "lam"), ({"mode": "papr"}, "mode"), ({"experts": ()}, "experts"),
     ({"latency": {"term": "mnsa", "target": 1.0}}, "term"), ({"schedule": "linar"}, "schedule"),
     ({"gate": 1}, "gate"), ({"beta": -2.0}, "beta")],
)  # fmt: skip
def test_bad_hyper_parameters_are_refused(config, field):
    with pytest.raises(InvalidArgument) as caught:
        IRLASConfig(**config)
    assert caught.value.field == field


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'densenet'"):
        IRLASSearcher(CELL, IRLASConfig(experts=("densnet",)))
    with pytest.raises(InvalidArgument, match="topology"):
        IRLASSearcher(CELL, IRLASConfig(topology="tests.nowhere:blocks"))


def test_the_tuner_takes_yaml_s_lists():
    tuner = IRLASTuner(seed=1, budget=20, experts=["resnext", "densenet"], beta=1.0)
    tuner.update_search_space({p.label: {"_type": "choice", "_value": list(OPERATIONS)} for p in CELL.parameters})
    parameters = tuner.generate_parameters(0)
    tuner.receive_trial_result(0, parameters, 0.5)
    assert tuner.study.searcher.config.experts == ("resnext", "densenet")
    assert len(tuner.study.finished) == 1


def test_the_tuner_refuses_a_misspelt_argument():
    with pytest.raises(InvalidArgument, match="did you mean 'experts'"):
        IRLASTuner(expert=["resnext"])

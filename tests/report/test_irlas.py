"""What experts did to a search, read from its journal: compared with what the search itself knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nni_strategies.errors import JournalError
from nni_strategies.irlas import scoring
from nni_strategies.irlas.prior import expert_prior
from nni_strategies.report.irlas import guidance, ranks
from nni_strategies.report.page import render_page
from nni_strategies.report.records import journal_trials
from nni_strategies.search.baselines import RandomSearch
from tests.report.irlas_searches import CELL, convolutions, record_of, searched, shaper_of
from tests.report.test_page import Page


@pytest.fixture(autouse=True)
def few_members(monkeypatch):
    monkeypatch.setattr(scoring, "_MEMBERS", 200)


def test_a_search_without_experts_has_none() -> None:
    assert guidance(record_of(searched(3, mode="none").journal.events)) is None
    assert guidance(record_of(searched(3, searcher=RandomSearch(CELL)).journal.events)) is None


def test_experts_are_those_of_the_search() -> None:
    study = searched(3, experts=("resnext", "inception"))
    guided = guidance(record_of(study.journal.events))
    assert guided is not None
    projections = study.searcher.scores.projections
    assert {one.name: one.graph for one in guided.experts} == {name: one.graph for name, one in projections.items()}
    by_name = {one.name: one for one in guided.experts}
    assert by_name["resnext"].replaced == {"gconv3": "conv3"}
    assert by_name["inception"].replaced["maxpool3"] == "avgpool3"
    assert max(one.stimuli for one in guided.experts) == 1.0
    stimuli = study.searcher.scores.stimuli
    assert by_name["inception"].stimuli == pytest.approx(stimuli.score(projections["inception"].graph), abs=1e-4)


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("agrees", [1.0, -1.0, 0.0])
def test_the_gate_is_that_of_the_search(agrees: float, maximize: bool) -> None:
    sign = agrees if maximize else -agrees
    study = searched(12, lambda c: sign * convolutions(c)["default"], maximize=maximize, gate=10)
    prior = study.searcher.prior
    guided = guidance(record_of(study.journal.events))
    assert guided is not None
    assert guided.gate is not None
    assert guided.gate.trials == tuple(range(10))
    assert (guided.gate.correlation.value or 0.0) == pytest.approx(prior.correlation, abs=1e-9)
    assert guided.gate.trusted is prior.trusted
    assert guided.gate.trusted is (agrees > 0)
    codes = CELL.encode([trial.configuration for trial in study.trials])
    assert guided.gate.z == pytest.approx(prior.stimulus(codes[:10]), abs=1e-6)
    assert list(guided.gate.values) == pytest.approx([sign * convolutions(t.configuration)["default"]
                                                      for t in study.trials[:10]])  # fmt: skip
    scores = [study.searcher.scores.score(trial.configuration) for trial in study.trials]
    assert list(guided.stimuli.values()) == pytest.approx(scores, abs=1e-6)


def test_the_gate_goes_by_the_order_of_results() -> None:
    study = searched(0, gate=10)
    trials = [study.ask() for _ in range(12)]
    for trial in reversed(trials):
        study.tell(trial.id, convolutions(trial.configuration))
    gate = guidance(record_of(study.journal.events)).gate
    assert gate.trials == tuple(range(11, 1, -1))
    assert gate.correlation.value == pytest.approx(study.searcher.prior.correlation, abs=1e-9)


def test_before_it_decides_and_without_a_gate() -> None:
    early = guidance(record_of(searched(8).journal.events)).gate
    assert (early.trusted, len(early.z)) == (None, 8)
    never = guidance(record_of(searched(8, gate=0).journal.events)).gate
    assert (never.trusted, never.z) == (True, ())


def test_imports_and_other_searchers_are_scored_too() -> None:
    prior = expert_prior(gate=10)(CELL)
    study = searched(9, searcher=RandomSearch(CELL, prior=prior))
    cell = dict.fromkeys(CELL.labels, "nor_conv_3x3")
    imported = study.import_result(cell, 0.5)
    guided = guidance(record_of(study.journal.events))
    assert guided.gate.correlation.value == pytest.approx(prior.correlation, abs=1e-9)
    assert guided.stimuli[imported] == pytest.approx(prior.scores.score(cell), abs=1e-6)
    assert guided.mode == "prior"


@pytest.mark.parametrize("maximize", [True, False])
def test_the_paper_s_reward_beside_the_raw_metric(maximize: bool) -> None:
    study = searched(12, mode="paper", lam=0.25, maximize=maximize)
    guided = guidance(record_of(study.journal.events))
    assert guided.gate is None
    sign = 1 if maximize else -1
    for trial in study.trials:
        raw = convolutions(trial.configuration)["default"]
        score = study.searcher.scores.score(trial.configuration)
        assert guided.shaped[trial.id] == pytest.approx(raw + sign * 0.25 * score, abs=1e-6)
    assert sum(sign * value for value in guided.shaped.values()) == pytest.approx(study.searcher._total, abs=1e-4)


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "paper", "lam": 0.25, "schedule": "linear"},
        {"mode": "paper", "lam": 0.25, "latency": {"term": "mnas", "target": 3.0, "w": -0.5}},
        {"mode": "prior", "latency": {"term": "log", "target": 3.0}},
    ],
    ids=["decay", "paper with latency", "prior with latency"],
)
def test_what_the_agent_learned_is_shown_whatever_shaped_it(options, maximize: bool) -> None:
    study = searched(12, maximize=maximize, **options)
    guided = guidance(record_of(study.journal.events))
    searcher, sign = study.searcher, 1 if maximize else -1
    reward = searcher._reward
    for trial in study.trials:
        metrics = convolutions(trial.configuration)
        score = searcher.scores.score(trial.configuration)
        told = reward.of(sign * metrics["default"], score, reward.lam_at(trial.id), metrics["latency_ms"])
        assert guided.shaped[trial.id] == pytest.approx(sign * told, abs=1e-12)
    assert sum(sign * value for value in guided.shaped.values()) == pytest.approx(searcher._total, abs=1e-9)
    words = Page(render_page(record_of(study.journal.events))).words
    assert "All else on this page is by the raw one" in words


def test_a_journal_that_has_no_rewards_shows_them_where_they_are_known() -> None:
    def older(**options):
        study = searched(12, mode="paper", lam=0.25, **options)
        events = [{k: v for k, v in event.items() if k != "reward"} for event in study.journal.events]
        return guidance(record_of(events)).shaped, study.searcher._total

    shaped, total = older()
    assert sum(shaped.values()) == pytest.approx(total, abs=1e-4)
    assert older(schedule="linear")[0] == {}


def test_a_reward_that_is_the_metric_is_not_shown() -> None:
    assert guidance(record_of(searched(12, mode="paper", lam=0.0).journal.events)).shaped == {}
    assert guidance(record_of(searched(12).journal.events)).shaped == {}


def test_what_a_mirror_stimuli_kept() -> None:
    shaper = shaper_of(20, mode="paper", lam=0.3, schedule="linear", budget=20, latency={"term": "mnas", "target": 3.0})
    guided = guidance(record_of(shaper.journal.events))
    assert guided.shaped == {trial.id: trial.shaped for trial in shaper.trials}
    assert guided.stimuli == {trial.id: trial.stimuli for trial in shaper.trials}
    assert guided.gate is None
    record = record_of(shaper.journal.events)
    assert [trial.metric for trial in record.trials] == [trial.raw for trial in shaper.trials]


def test_the_gate_of_a_mirror_stimuli() -> None:
    shaper = shaper_of(12, gate=10)
    gate = guidance(record_of(shaper.journal.events)).gate
    assert gate.correlation.value == pytest.approx(shaper.prior.correlation, abs=1e-9)
    assert gate.trusted is shaper.prior.trusted


def test_a_second_journal_is_joined_by_configuration() -> None:
    shaper = shaper_of(12, mode="paper", lam=0.3)
    trials = [replace(trial, id=100 - trial.id) for trial in journal_trials(shaper.journal.events)]
    header = {"event": "header", "algorithm": "LaNAS", "config": {}, "maximize": True}
    guided = guidance(record_of([header], trials=tuple(trials), shaping=shaper.journal.events))
    assert guided.stimuli == {100 - trial.id: trial.stimuli for trial in shaper.trials}
    assert guided.shaped == {100 - trial.id: trial.shaped for trial in shaper.trials}


def test_what_cannot_be_read_is_counted() -> None:
    study = searched(6, topology="tests.report.irlas_topology:only_odd")
    guided = guidance(record_of(study.journal.events))
    odd = [sum(value == "nor_conv_3x3" for value in t.configuration.values()) % 2 == 1 for t in study.trials]
    assert guided.unreadable == odd.count(False) > 0
    assert [s == 0 for s in guided.stimuli.values()] == [not one for one in odd]


def test_the_mean_of_the_ten_best() -> None:
    study = searched(12)
    record = record_of(study.journal.events)
    guided = guidance(record)
    best = sorted(study.trials, key=lambda trial: (-trial.value, trial.id))[:10]
    expected = np.mean([study.searcher.scores.score(trial.configuration) for trial in best])
    assert guided.best_stimuli(record) == pytest.approx(expected, abs=1e-6)
    fewer = replace(record, trials=record.trials[:9])
    assert guided.best_stimuli(fewer) is None


def test_experts_that_make_no_graph_are_refused() -> None:
    events = list(searched(3).journal.events)
    header = events[0]
    damaged = {**header, "prior": {**header["prior"], "stimuli": {"experts": {"resnext": {"labels": ["input"]}}}}}
    with pytest.raises(JournalError, match="experts that cannot be read"):
        guidance(record_of([damaged, *events[1:]]))


def test_ranks_of_equal_values_are_shared() -> None:
    assert ranks([0.5, 0.9, 0.5, 0.1], maximize=True) == [2, 1, 2, 4]
    assert ranks([0.5, 0.9, 0.5, 0.1], maximize=False) == [2, 4, 2, 1]

"""MirrorStimuliTuner around NNI's tuners: what they are told, and what the prior draws for them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from nni.tools.package_utils import create_builtin_class_instance

from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner
from nni_strategies.topology.declared import declared
from tests.irlas.tuner_runs import (  # noqa: F401
    EDGES,
    OPERATIONS,
    RECORDER,
    SPACE,
    base,
    few_members,
    make,
    quality,
    run,
    run_from,
    seeded,
)

# -- the paper's reward ------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "sign"), [("maximize", 1), ("minimize", -1)])
@pytest.mark.parametrize("form", ["number", "dictionary"])
def test_the_base_tuner_is_told_the_sum(mode, sign, form):
    tuner = make(mode="paper", lam=0.3, optimize_mode=mode)
    wrap = (lambda value: value) if form == "number" else (lambda value: {"default": value, "latency_ms": 4.5, "n": 1})
    tried = run(tuner, 10, wrap=wrap)
    for (_, number, parameters, value), trial in zip(tuner.base.told("result"), tuner.shaper.trials, strict=True):
        expected = quality(parameters) + sign * 0.3 * tuner.shaper.scores.score(parameters)
        assert parameters is tried[number]
        if form == "dictionary":
            assert {key: value[key] for key in ("raw", "stimuli", "latency_ms", "n")} == {
                "raw": quality(parameters), "stimuli": trial.stimuli, "latency_ms": 4.5, "n": 1,
            }  # fmt: skip
            value = value["default"]
        assert value == pytest.approx(expected, abs=1e-9)
        assert (trial.raw, trial.shaped, trial.configuration) == (quality(parameters), value, parameters)
    assert len({trial.stimuli for trial in tuner.shaper.trials}) > 5
    assert [call[1:] for call in tuner.base.told("end")] == [(number, True) for number in range(10)]


@pytest.mark.parametrize("mode", ["maximize", "minimize"])
@pytest.mark.parametrize("name", ["TPE", "Anneal", "Evolution"])
def test_no_weight_is_the_search_without(name, mode):
    base(name)
    arguments = seeded(name)
    tuner = make(base_tuner=name, base_args=arguments, optimize_mode=mode, mode="paper", lam=0, seed=None)
    shaped = run_from(tuner, name)
    arguments = {**seeded(name), "optimize_mode": mode}
    alone = create_builtin_class_instance(name, arguments, "tuners")
    alone.update_search_space(SPACE)
    assert shaped == run_from(alone, name)


@pytest.mark.parametrize("mode", ["maximize", "minimize"])
@pytest.mark.parametrize("name", ["TPE", "Anneal", "Evolution"])
def test_a_large_weight_leads_where_the_experts_are(name, mode):
    def looks(lam):
        arguments = seeded(base(name))
        tuner = make(base_tuner=name, base_args=arguments, optimize_mode=mode, mode="paper", lam=lam, seed=None)
        run_from(tuner, name, 60, metric=lambda parameters: parameters["rate"] / 100)
        return float(np.mean([trial.stimuli for trial in tuner.shaper.trials[40:]]))

    assert looks(1.0) > 0.25  # in either direction; a random architecture has 0


def test_a_latency_term():
    tuner = make(mode="paper", lam=0.0, latency=f"{__name__}:per_millisecond")
    run(tuner, 3, wrap=lambda value: {"default": value, "latency_ms": 4.0})
    values = [value["default"] for *_, value in tuner.base.told("result")]
    assert values == pytest.approx([trial.raw / 4.0 for trial in tuner.shaper.trials])


def per_millisecond(value, latency_ms):
    return value / latency_ms


@pytest.mark.parametrize("metric", [float("nan"), None, {"accuracy": 1.0}, "0.5"])
def test_what_is_no_number_is_handed_on(metric):
    tuner = make(mode="paper", lam=0.3)
    run(tuner, 1, metric=lambda parameters: metric)
    ((*_, value),) = tuner.base.told("result")
    assert value is metric
    assert tuner.shaper.trials[0].raw is None


def test_an_unreadable_architecture_scores_nothing_and_is_counted(caplog):
    tuner = make(mode="paper", lam=0.3, topology=f"{__name__}:some_blocks")
    run(tuner, 40)
    unreadable = [trial for trial in tuner.shaper.trials if trial.configuration["edge_0_1"] == "none"]
    assert 2 < len(unreadable) < 20
    assert all(trial.stimuli == 0 and trial.shaped == trial.raw for trial in unreadable)
    assert tuner.shaper.counts["unreadable"] == len(unreadable)


def some_blocks(configuration):
    if configuration["edge_0_1"] == "none":
        raise ValueError("never seen")
    return declared(configuration).blocks


# -- the expert prior --------------------------------------------------------------------------------


def test_the_first_trials_are_the_priors_and_are_told_as_imports():
    tuner = make(n_initial=6, gate=0)
    tried = run(tuner, 10)
    assert [call[1:] for call in tuner.base.told("import")] == [(p, quality(p)) for p in tried[:6]]
    results = [(number, parameters, value) for _, number, parameters, value in tuner.base.told("result")]
    assert results == [(number, tried[number], quality(tried[number])) for number in range(6, 10)]
    assert [call[1] for call in tuner.base.told("end")] == [6, 7, 8, 9]
    z = [float(tuner.shaper.prior.stimulus(tuner.shaper.space.encode([p]))[0]) for p in tried[:6]]
    assert np.mean(z) > 1
    assert len({json.dumps(p) for p in tried[:6]}) == 6


def test_the_gate_closes_on_experts_that_mislead():
    def against(parameters):
        return -tuner.shaper.scores.score(parameters)

    tuner = make(n_initial=30)
    run(tuner, 30, metric=against)
    assert tuner.shaper.prior.trusted is False
    tuner = make(n_initial=30, optimize_mode="minimize")
    run(tuner, 30, metric=against)  # a loss: what looks right is low
    assert tuner.shaper.prior.trusted is True


@pytest.mark.parametrize("metric", [float("nan"), None])
def test_an_initial_trial_without_a_result_is_told_to_nobody(metric):
    tuner = make(n_initial=2)
    (parameters, _) = tuner.generate_multiple_parameters([0, 1])
    tuner.receive_trial_result(0, parameters, metric)
    tuner.trial_end(0, True)
    tuner.trial_end(1, False)
    assert tuner.base.calls == [("space", SPACE)]
    kinds = [event["event"] for event in tuner.shaper.journal.events if "trial" in event]
    assert kinds.count("failed") == 2


def test_tpe_learns_from_the_initial_trials():
    tuner = make(base_tuner="TPE", n_initial=8)
    run(tuner, 8)
    assert {len(records) for records in tuner.base._history.values()} == {8}
    run(tuner, 4, first=8)
    assert {len(records) for records in tuner.base._history.values()} == {12}


def test_the_same_seed_draws_the_same():
    first, second, other = (run(make(seed=seed, base_tuner="TPE"), 25) for seed in (1, 1, 2))
    assert first == second
    assert first[:20] != other[:20]


def test_a_space_that_is_used_up_is_left_to_the_base_tuner():
    tuner = MirrorStimuliTuner("maximize", 1, base_tuner="Random", n_initial=200)
    choice = {"_type": "choice", "_value": list(OPERATIONS[1:4])}
    tuner.update_search_space({f"edge_{edge}": choice for edge in EDGES[:3]})
    assert len({json.dumps(p) for p in run(tuner, 27, metric=lambda parameters: 1.0)}) == 27
    assert len(tuner.generate_multiple_parameters([27])) == 1
    assert [trial.id for trial in tuner.shaper.trials if trial.id not in tuner._drawn] == [27]


@pytest.mark.parametrize(("name", "warns"), [("Evolution", True), ("Random", True), ("TPE", False), (RECORDER, False)])
def test_a_tuner_that_ignores_imports_is_told(name, warns, caplog):
    MirrorStimuliTuner("maximize", base_tuner=name)
    assert ("ignores imported results" in caplog.text) == warns


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_lanas_draws_its_initial_design_from_the_prior():
    tuner = MirrorStimuliTuner("maximize", 3, base_tuner="LaNAS", gate=0, base_args={"n_init": 4})
    tuner.update_search_space({label: SPACE[label] for label in SPACE if label != "rate"})
    tried = run(tuner, 4, metric=lambda parameters: 1.0)
    prior = tuner.base.study.searcher.prior
    assert isinstance(prior, ExpertPrior)
    assert np.mean(prior.stimulus(prior.scores.space.encode(tried))) > 0.8
    tuner._on_exit()

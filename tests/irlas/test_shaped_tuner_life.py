"""MirrorStimuliTuner in NNI's hands: ends that overtake results, resuming, refusals that end an experiment."""

from __future__ import annotations

import logging

import nni
import pytest
from nni.algorithms.hpo.evolution_tuner import EvolutionTuner
from nni.algorithms.hpo.tpe_tuner import TpeTuner

from nni_strategies.bridge.dispatcher import Dispatcher
from nni_strategies.bridge.rest import Rest
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner
from tests.irlas.tuner_runs import RECORDER, SPACE, Recorder, few_members, make, quality, run  # noqa: F401

# -- NNI's life cycle --------------------------------------------------------------------------------


def test_an_end_that_overtakes_its_result_waits_for_it():
    tuner = make(mode="paper", lam=0.0, base_tuner="TPE")
    (parameters,) = tuner.generate_multiple_parameters([0])
    tuner.trial_end(0, True)
    tuner.receive_trial_result(0, parameters, 0.5)  # NNI's TPE alone raises KeyError
    assert {len(records) for records in tuner.base._history.values()} == {1}
    assert tuner.base._running_params == {}


def test_an_end_without_a_result_is_told_with_the_next_proposal():
    tuner = make(mode="paper")
    tuner.generate_multiple_parameters([0, 1])
    tuner.trial_end(0, True)
    assert tuner.base.told("end") == []
    tuner.trial_end(1, False)
    assert tuner.base.told("end") == [("end", 1, False)]
    tuner.generate_multiple_parameters([2])
    assert tuner.base.told("end") == [("end", 1, False), ("end", 0, True)]


def test_a_result_after_an_end_that_was_given_up_is_learned_from():
    tuner = make(mode="paper", lam=0.0, base_tuner="TPE")
    (late,) = tuner.generate_multiple_parameters([0])
    tuner.trial_end(0, True)
    tuner.generate_multiple_parameters([1])  # its result had a whole proposal's time to come
    tuner.receive_trial_result(0, late, 0.5)
    assert tuner.shaper.trials[0].raw == 0.5
    assert {len(records) for records in tuner.base._history.values()} == {1}
    assert list(tuner.base._running_params) == [1]


def test_evolution_sends_more_by_itself():
    sent = []
    tuner = make(mode="paper", lam=0.3, base_tuner="Evolution", base_args={"population_size": 2})

    def send(number, parameters):
        sent.append((number, parameters))

    issued = tuner.generate_multiple_parameters([0, 1], st_callback=send)
    for number, parameters in enumerate(issued):
        tuner.receive_trial_result(number, parameters, quality(parameters))
    assert tuner.generate_multiple_parameters([2, 3], st_callback=send) == []  # both seem to run still
    tuner.trial_end(0, True)
    ((number, parameters),) = sent
    assert number == 2
    tuner.receive_trial_result(number, parameters, 0.5)
    trial = tuner.shaper.trials[-1]
    assert trial.configuration == parameters
    assert trial.shaped == pytest.approx(0.5 + 0.3 * tuner.shaper.scores.score(parameters))


def test_everything_else_is_handed_on():
    tuner = make(mode="paper")
    tuner.load_checkpoint()
    tuner.save_checkpoint()
    tuner._on_exit()
    assert tuner.base.calls == [("space", SPACE), "load", "save", "exit"]
    with pytest.raises(nni.NoMoreTrialError):
        done = MirrorStimuliTuner("maximize", mode="paper", base_tuner="GridSearch")
        done.update_search_space({"edge_0_1": {"_type": "choice", "_value": ["nor_conv_3x3", "nor_conv_1x1"]}})
        for number in range(3):
            done.generate_parameters(number)


def test_imports_are_shaped():
    tuner = make(mode="paper", lam=0.3)
    parameters = tuner.base.generate_parameters(0)
    entries = [
        {"parameter": parameters, "value": {"default": 0.5, "n": 1}},
        {"parameter": {**parameters, "rate": 0.25}, "value": 0.25},
        {"parameter": {**parameters, "edge_0_1": "unheard_of"}, "value": 0.9},
        {"parameter": parameters, "value": float("nan")},
    ]
    tuner.import_data(entries)
    score = tuner.shaper.scores.score(parameters)
    values = [value for _, _, value in tuner.base.told("import")]
    assert values == pytest.approx([0.5 + 0.3 * score, 0.25 + 0.3 * score])
    assert tuner.counts["imports left out"] == 2
    tuner.import_data(entries[:1])  # known
    assert len(tuner.base.told("import")) == 2


# -- under a manager ---------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """What a manager's tuner process would find."""
    (tmp_path / "checkpoint").mkdir()

    def current(resumed=False):
        found = Dispatcher(tmp_path, resumed, Rest("http://localhost:1"), mended=True)
        monkeypatch.setattr(Dispatcher, "current", classmethod(lambda cls: found))
        return found

    monkeypatch.setattr("nni_strategies.bridge.guarded_tuner.watch_parent", lambda farewell: None)
    current()
    return current


class Heard:
    """NNI's dispatcher, as far as a tuner sees it."""

    def __init__(self):
        self.errors = []

    def report_error(self, message):
        self.errors.append(message)

    def send(self, number, parameters):
        pass


@pytest.mark.parametrize("mode", ["paper", "prior"])
def test_a_resumed_search_knows_everything_once(manager, mode):
    arguments = {"mode": "paper", "lam": 0.3} if mode == "paper" else {"n_initial": 5}
    first = make(**arguments)
    tried = run(first, 9)
    first.generate_multiple_parameters([9])  # and this one is cut off
    cut_off = first.shaper.trials[9].configuration
    first._on_exit()

    second = MirrorStimuliTuner("maximize", 3, base_tuner=RECORDER, **arguments)
    manager(resumed=True)
    second.load_checkpoint()
    second.update_search_space(SPACE)
    shaped = [trial.shaped for trial in first.shaper.trials[:9]]
    imports = second.base.told("import")
    assert [parameters for _, parameters, _ in imports] == tried
    assert [value for *_, value in imports] == shaped
    second.import_data([{"parameter": p, "value": quality(p)} for p in tried])  # NNI's own, raw
    assert len(second.base.told("import")) == 9
    second.import_data([{"parameter": cut_off, "value": 0.5}])  # NNI ran it again
    assert second.base.told("import")[9][2] == second.shaper.trials[9].shaped
    assert second.shaper.trials[:9] == first.shaper.trials[:9]
    assert [trial.raw for trial in second.shaper.trials] == [*map(quality, tried), 0.5]
    second._on_exit()


def test_the_initial_draws_go_on_where_they_stopped(manager):
    whole = make(n_initial=8)
    drawn = run(whole, 8)
    whole._on_exit()
    (whole._dispatcher.journal).unlink()
    first = make(n_initial=8)
    run(first, 3)
    first._on_exit()
    second = make(n_initial=8)
    assert run(second, 5) == drawn[3:]
    assert second.base.told("result") == []
    second._on_exit()


REFUSED = [
    ({"optimize_mode": None}, "optimize_mode.*always given"),
    ({"optimize_mode": "min"}, "optimize_mode"),
    ({"optimize_mode": "minimize", "base_args": {"optimize_mode": "maximize"}}, "base_args.optimize_mode"),
    ({"base_tuner": "TPEE"}, "did you mean 'TPE'"),
    ({"base_tuner": "BOHB"}, "base_tuner|tuner.name"),
    ({"base_tuner": "LaNAS", "mode": "paper"}, "mode='prior'"),
    ({"base_tuner": "TPE", "base_args": {"sed": 1}}, "did you mean 'seed'"),
    ({"base_tuner": "Evolution", "base_args": {"population_size": -1}}, "population_size"),
    ({"base_args": [1]}, "base_args"),
    ({"lam": -0.5}, "lam"),
    ({"experts": ["resnxt"]}, "did you mean 'resnext'"),
    ({"n_initial": -1}, "n_initial"),
    ({"mode": "both"}, "mode"),
    ({"topology": "no.such:function"}, "topology"),
    ({"mode": "paper", "latency": "json:no_such"}, "latency"),
    ({"latency": "json:dumps"}, "latency"),
    ({"lamm": 1}, "did you mean 'lam'"),
    ({"lam": 0.5}, "lam.*mode='paper'"),
    ({"schedule": "linear", "budget": 10}, "schedule.*mode='paper'"),
    ({"base_tuner": "LaNAS", "n_initial": 10}, "n_initial.*base_args"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_at_once(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        MirrorStimuliTuner(**{"optimize_mode": "maximize", **arguments})


def test_under_nni_a_refusal_ends_the_experiment(manager):
    tuner = MirrorStimuliTuner(optimize_mode="maximize", lam=-1)
    tuner.load_checkpoint()
    tuner.update_search_space(SPACE)
    heard = Heard()
    assert tuner.generate_multiple_parameters([0, 1], st_callback=heard.send) == []
    (message,) = heard.errors
    assert "lam = -1" in message
    tuner.trial_end(0, False)
    tuner._on_exit()


def test_under_nni_a_space_that_says_nothing_ends_the_experiment(manager):
    tuner = MirrorStimuliTuner(optimize_mode="maximize")
    tuner.update_search_space({"rate": {"_type": "uniform", "_value": [0, 1]}})
    heard = Heard()
    assert tuner.generate_multiple_parameters([0], st_callback=heard.send) == []
    assert "search_space" in heard.errors[0]


class Failing(Recorder):
    def generate_parameters(self, parameter_id, **kwargs):
        if parameter_id == 1:
            raise ZeroDivisionError("no such luck")
        return super().generate_parameters(parameter_id)

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        raise KeyError(parameter_id)


def test_under_nni_a_failing_base_tuner_is_heard_of(manager, caplog):
    tuner = make(mode="paper", base_tuner=f"{__name__}.Failing")
    heard = Heard()
    (parameters,) = tuner.generate_multiple_parameters([0], st_callback=heard.send)
    with caplog.at_level(logging.ERROR):
        tuner.receive_trial_result(0, parameters, 0.5)
    assert "receive_trial_result failed" in caplog.text
    assert tuner.shaper.trials[0].raw == 0.5
    assert tuner.generate_multiple_parameters([1], st_callback=heard.send) == []
    assert "no such luck" in heard.errors[0]
    tuner._on_exit()


def test_another_space_does_not_disturb_a_running_search(caplog):
    tuner = make(mode="paper")
    tuner.update_search_space(SPACE)
    assert len(tuner.base.told("space")) == 1
    tuner.update_search_space({"edge_0_1": SPACE["edge_0_1"]})
    assert len(tuner.base.told("space")) == 1
    assert "cannot change" in caplog.text


def test_nni_names_are_those_classes():
    assert isinstance(MirrorStimuliTuner("maximize").base, TpeTuner)
    assert isinstance(MirrorStimuliTuner("minimize", base_tuner="evolution").base, EvolutionTuner)
    assert MirrorStimuliTuner("maximize").base.optimize_mode.value == "maximize"

"""StudyTuner without a manager: results and ends in any order, exhaustion, failures, warm starts."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import nni
import pytest

from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.errors import InvalidArgument, InvalidSearchSpace
from nni_strategies.search.baselines import RandomSearch, RegularizedEvolution
from nni_strategies.search.searcher import Searcher, SearcherConfig

SPACE = {"a": {"_type": "choice", "_value": [1, 2, 3]}, "b": {"_type": "choice", "_value": [0, 1, 2]}}


class Evolution(StudyTuner):
    searcher_class: ClassVar[type[Searcher]] = RegularizedEvolution


class Random(StudyTuner):
    searcher_class: ClassVar[type[Searcher]] = RandomSearch


def tuner(**arguments: Any) -> StudyTuner:
    made = Evolution(**{"seed": 1, "population": 3, "sample": 2, **arguments})
    made.update_search_space(SPACE)
    return made


def run(one: StudyTuner, n: int, first: int = 0) -> list[dict[str, Any]]:
    proposals = []
    for parameter_id in range(first, first + n):
        parameters = one.generate_parameters(parameter_id)
        proposals.append(parameters)
        one.receive_trial_result(parameter_id, parameters, {"default": parameters["a"] + parameters["b"] / 10})
        one.trial_end(parameter_id, True)
    return proposals


class TestProposals:
    def test_the_seed_decides(self):
        assert run(tuner(), 8) == run(tuner(), 8)
        assert run(tuner(), 8) != run(tuner(seed=2), 8)

    def test_without_a_seed_a_random_one_is_kept_in_the_journal(self):
        seeds = {tuner(seed=None).study.journal.header["seed"] for _ in range(3)}
        assert len(seeds) == 3

    def test_nested_choices_come_as_nni_gives_them(self):
        made = Random(seed=0)
        branch = {"_name": "conv", "size": {"_type": "choice", "_value": [3, 5]}}
        made.update_search_space({"op": {"_type": "choice", "_value": [branch, {"_name": "none"}]}})
        seen = {str(made.generate_parameters(i)) for i in range(3)}
        wanted = [{"_name": "conv", "size": 3}, {"_name": "conv", "size": 5}, {"_name": "none"}]
        assert seen == {str({"op": value}) for value in wanted}

    def test_all_points_once_then_no_more_trials(self):
        made = tuner()
        proposals = run(made, 9)
        assert len({str(one) for one in proposals}) == 9
        with pytest.raises(nni.NoMoreTrialError):
            made.generate_parameters(9)
        assert made.generate_multiple_parameters([10, 11]) == []

    def test_several_at_a_time_until_none_is_left(self):
        made = tuner()
        assert len(made.generate_multiple_parameters(list(range(7)))) == 7
        assert len(made.generate_multiple_parameters(list(range(7, 14)))) == 2

    def test_too_many_failures_end_it(self):
        made = Random(seed=0)
        made.update_search_space({"x": {"_type": "uniform", "_value": [0, 1]}})
        for parameter_id in range(20):
            made.generate_parameters(parameter_id)
            made.trial_end(parameter_id, False)
        with pytest.raises(nni.NoMoreTrialError, match="20 trials in a row failed"):
            made.generate_parameters(20)


class TestResults:
    @pytest.mark.parametrize("order", list(itertools.permutations(["result", "end", "end again", "result again"])))
    def test_in_any_order_the_result_counts_once(self, order):
        made = tuner()
        parameters = made.generate_parameters(0)
        for what in order:
            if what.startswith("result"):
                made.receive_trial_result(0, parameters, 0.5 if what == "result" else 0.7)
            else:
                made.trial_end(0, True)
        made.generate_parameters(1)
        first = next(what for what in order if what.startswith("result"))
        assert made.study.trials[0].value == (0.5 if first == "result" else 0.7)
        assert made.study.trials[0].failure is None
        assert [e["event"] for e in made.study.journal.events if e.get("trial") == 0] == [
            "proposed",
            "issued",
            "finished",
        ]

    @pytest.mark.parametrize(("success", "word"), [(True, "no final result"), (False, "failed")])
    def test_an_end_without_a_result_is_a_failure_when_the_next_proposal_is_due(self, success, word):
        made = tuner()
        made.generate_parameters(0)
        made.trial_end(0, success)
        assert made.study.trials[0].pending
        made.generate_parameters(1)
        assert word in made.study.trials[0].failure

    def test_a_result_after_the_failure_still_counts(self):
        made = tuner()
        parameters = made.generate_parameters(0)
        made.trial_end(0, False)
        made.generate_parameters(1)
        made.receive_trial_result(0, parameters, 2.0)
        assert made.study.best.value == 2.0

    @pytest.mark.parametrize("metric", [None, float("nan"), float("inf"), "garbage", {"no default": 1}, [1], b"1"])
    def test_a_metric_that_is_no_number_is_a_failure(self, metric):
        made = tuner()
        made.receive_trial_result(0, made.generate_parameters(0), metric)
        made.trial_end(0, True)
        assert made.study.trials[0].failure is not None
        assert made.generate_parameters(1)

    def test_minimize(self):
        made = tuner(optimize_mode="minimize")
        for parameter_id, value in enumerate([3.0, -1.0, 2.0]):
            made.receive_trial_result(parameter_id, made.generate_parameters(parameter_id), value)
        assert made.study.best.id == 1
        assert made.study.best.metrics == {"default": -1.0}

    def test_unknown_ids_are_counted(self):
        made = tuner()
        made.receive_trial_result(99, {}, 1.0)
        made.trial_end(99, True)
        made.trial_end(None, False)
        assert made.counts == {"unknown results": 1, "unknown ends": 2}
        assert made.study.trials == []

    def test_two_threads_lose_nothing(self):
        made = Random(seed=0)
        made.update_search_space({"x": {"_type": "uniform", "_value": [0, 1]}})
        barrier = threading.Barrier(8)

        def work(worker: int) -> None:
            barrier.wait()
            for step in range(25):
                parameter_id = worker * 100 + step
                parameters = made.generate_parameters(parameter_id)
                ends = threading.Thread(target=made.trial_end, args=(parameter_id, True))
                ends.start()
                made.receive_trial_result(parameter_id, parameters, parameter_id)
                ends.join()

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = {worker * 100 + step for worker in range(8) for step in range(25)}
        late = [t for t in made.study.trials if t.value is None and t.failure is None]
        assert {t.value for t in made.study.finished} == expected and late == []


class TestImports:
    def test_a_warm_start_is_learned_and_not_proposed_again(self):
        made = tuner()
        known = [{"a": a, "b": 0} for a in (1, 2, 3)]
        made.import_data([{"parameter": one, "value": {"default": one["a"]}} for one in known])
        assert [trial.value for trial in made.study.finished] == [1, 2, 3]
        assert not any(one in known for one in run(made, 6))

    def test_it_never_overrides(self):
        made = tuner()
        parameters = made.generate_parameters(0)
        made.receive_trial_result(0, parameters, 1.0)
        made.import_data([{"parameter": parameters, "value": 9.0}])
        assert made.study.trials[0].value == 1.0
        assert len(made.study.trials) == 1

    def test_numbers_that_went_through_javascript_are_recognised(self):
        made = Random(seed=0)
        made.update_search_space({"q": {"_type": "quniform", "_value": [0, 3, 1]}, "x": SPACE["a"]})
        parameters = made.generate_parameters(0)
        assert isinstance(parameters["q"], float)
        made.import_data([{"parameter": {**parameters, "q": int(parameters["q"])}, "value": 1.0}])
        assert made.study.trials[0].value == 1.0
        assert len(made.study.trials) == 1

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            3,
            {},
            {"parameter": None, "value": 1},
            {"parameter": {"a": 9}, "value": 1},
            {"parameter": {"a": 9}, "value": 1, "trialJobId": ["x"]},
        ],
    )
    def test_nonsense_is_left_out(self, entry):
        made = tuner()
        made.import_data([entry, {"parameter": {"a": 1, "b": 1}, "value": 1.0}])
        assert [trial.configuration for trial in made.study.trials] == [{"a": 1, "b": 1}]


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"optimize_mode": "maximise"}, "did you mean 'maximize'"),
            ({"seed": -1}, "seed = -1: a non-negative integer"),
            ({"seed": True}, "seed = true"),
            ({"populaton": 3}, "did you mean 'population'"),
            ({"population": "many"}, 'population = "many"'),
            ({"sample": 99}, "sample = 99: at most the population"),
        ],
    )
    def test_class_arguments(self, arguments, message):
        with pytest.raises(InvalidArgument, match=message):
            tuner(**arguments)

    def test_search_space(self):
        with pytest.raises(InvalidSearchSpace, match="did you mean 'choice'"):
            Random().update_search_space({"a": {"_type": "choise", "_value": [1]}})

    def test_a_running_search_keeps_its_space(self, caplog):
        made = tuner()
        made.update_search_space({"other": SPACE["a"]})
        assert made.generate_parameters(0).keys() == {"a", "b"}
        assert "cannot change" in caplog.text
        caplog.clear()
        made.update_search_space(SPACE)
        assert not caplog.text


@dataclass(frozen=True)
class FailingConfig(SearcherConfig):
    """None."""


class Failing(Searcher):
    algorithm = "failing"
    Config = FailingConfig

    def propose(self, rng):
        raise RuntimeError("propose")

    def finished(self, trial):
        raise RuntimeError("finished")


def test_a_failing_searcher_still_gives_points():
    class FailingTuner(StudyTuner):
        searcher_class = Failing

    made = FailingTuner(seed=0)
    made.update_search_space(SPACE)
    assert len({str(one) for one in run(made, 9)}) == 9
    assert made.study.counts["searcher errors"] == 18

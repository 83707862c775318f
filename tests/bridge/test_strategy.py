"""StudyStrategy on NNI's sequential engine, without a manager: order, failures, exhaustion, the journal, listing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nni
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.errors import InvalidArgument, JournalMismatch
from nni_strategies.search.baselines import RandomSearch, RegularizedEvolution
from nni_strategies.search.journal import read
from nni_strategies.search.searcher import UniformPrior

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from small_space import SmallSpace, score_of, value_of


class Random(StudyStrategy):
    searcher_class = RandomSearch


class Evolution(StudyStrategy):
    searcher_class = RegularizedEvolution


def report_score(model):
    nni.report_final_result({"default": score_of(model), "twice": 2 * score_of(model)})


def search(strategy, n=None, evaluate=report_score, space_class=SimplifiedModelSpace, continue_on_failure=False):
    engine = SequentialExecutionEngine(max_model_count=n, continue_on_failure=continue_on_failure)
    strategy(space_class.from_model(SmallSpace(), FunctionalEvaluator(evaluate)), engine)
    return strategy


def sequence(strategy):
    return [trial.configuration for trial in strategy.study.trials]


# -- the search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("space_class", [SimplifiedModelSpace, RawFormatModelSpace])
def test_every_model_gets_its_own_result(space_class):
    strategy = search(Random(seed=3), 12, space_class=space_class)
    assert len(strategy.study.finished) == 12
    for trial in strategy.study.trials:
        assert trial.value == value_of(trial.configuration)
        assert trial.metrics["twice"] == 2 * trial.value


def test_the_best_models_come_first_and_are_the_right_ones():
    strategy = search(Random(), 20)
    values = sorted((value_of(c) for c in sequence(strategy)), reverse=True)
    models = list(strategy.list_models(limit=5))
    assert [model.metric for model in models] == values[:5]
    assert [score_of(model.executable_model()) for model in models] == values[:5]
    assert [model.sample for model in strategy.list_models(sort=False)] == sequence(strategy)


def test_same_seed_same_sequence_other_seed_another():
    assert sequence(search(Random(seed=1), 8)) == sequence(search(Random(seed=1), 8))
    assert sequence(search(Random(seed=1), 8)) != sequence(search(Random(seed=2), 8))


def test_an_exhausted_space_ends_the_search():
    strategy = search(Random())
    assert len({json.dumps(c) for c in sequence(strategy)}) == 64 == len(strategy.study.finished)
    assert strategy.problem is None
    assert strategy._status.value == "succeeded"


def test_a_prior_or_a_function_that_makes_one():
    made = []

    def prior(space):
        made.append(space)
        return UniformPrior(space)

    strategy = search(Random(prior=prior), 4)
    assert made == [strategy.study.space]
    assert sequence(strategy) == sequence(search(Random(), 4))


# -- failures ------------------------------------------------------------------------------------------


def raising(model):
    if score_of(model) % 2:
        raise MemoryError("no memory for an odd score")
    report_score(model)


def silent(model):
    if score_of(model) % 2 == 0:
        report_score(model)


BAD_METRICS = {
    "nan": float("nan"),
    "infinite": float("inf"),
    "none": None,
    "no default": {"accuracy": 0.5},
    "text": "excellent",
    "list": [1, 2],
}


@pytest.mark.parametrize("continue_on_failure", [True, False])
@pytest.mark.parametrize("evaluate", [raising, silent])
def test_a_failed_evaluation_is_a_failed_trial(evaluate, continue_on_failure):
    strategy = search(Random(), 16, evaluate, continue_on_failure=continue_on_failure)
    assert len(strategy.study.trials) == 16
    for trial in strategy.study.trials:
        odd = value_of(trial.configuration) % 2 == 1
        assert (trial.failure is not None) == odd
        assert trial.value == (None if odd else value_of(trial.configuration))
    if evaluate is raising and not continue_on_failure:
        assert any("no memory for an odd score" in (trial.failure or "") for trial in strategy.study.trials)


@pytest.mark.parametrize("kind", BAD_METRICS)
def test_a_metric_that_is_no_number_is_a_failed_trial(kind):
    def evaluate(model):
        nni.report_intermediate_result(BAD_METRICS[kind])
        nni.report_final_result(BAD_METRICS[kind] if score_of(model) % 2 else score_of(model))

    strategy = search(Random(), 10, evaluate)
    assert len(strategy.study.trials) == 10
    for trial in strategy.study.trials:
        assert (trial.value is None) == (value_of(trial.configuration) % 2 == 1)
    assert all(model.metric == score_of(model.executable_model()) for model in strategy.list_models())


def test_numbers_in_text_count():
    strategy = search(Random(), 3, lambda model: nni.report_final_result(str(score_of(model))))
    assert [trial.value for trial in strategy.study.trials] == [value_of(c) for c in sequence(strategy)]


def test_when_everything_fails_the_search_gives_up(caplog):
    def broken(model):
        raise ValueError("the data set is missing")

    strategy = search(Random(), 60, broken)
    assert len(strategy.study.trials) == 20
    assert "20 trials in a row failed" in strategy.problem
    assert "the data set is missing" in strategy.problem
    assert strategy._status.value == "succeeded"


def test_a_searcher_that_raises_does_not_stop_the_search():
    class Broken(RandomSearch):
        algorithm = "broken"

        def propose(self, rng):
            raise ZeroDivisionError

    class Strategy(StudyStrategy):
        searcher_class = Broken

    assert len(search(Strategy(), 5).study.finished) == 5


# -- the journal ---------------------------------------------------------------------------------------


def test_a_search_goes_on_from_its_journal_as_if_uninterrupted(tmp_path):
    whole = search(Evolution(seed=5), 24)
    path = tmp_path / "journal.jsonl"
    search(Evolution(seed=5, journal=path), 10)
    calls = []

    def counting(model):
        calls.append(score_of(model))
        report_score(model)

    resumed = search(Evolution(seed=5, journal=str(path)), 24, counting)
    assert sequence(resumed) == sequence(whole)
    assert len(calls) == 14
    assert [t.value for t in resumed.study.trials] == [t.value for t in whole.study.trials]


def test_an_interrupted_trial_is_evaluated_again_first(tmp_path):
    path = tmp_path / "journal.jsonl"
    calls = []

    def interrupted(model):
        calls.append(score_of(model))
        if len(calls) == 6:
            raise KeyboardInterrupt
        report_score(model)

    with pytest.raises(KeyboardInterrupt):
        search(Evolution(seed=1, journal=path), 12, interrupted)
    resumed = search(Evolution(seed=1, journal=path), 12, interrupted)
    assert calls[6] == calls[5]
    assert len(calls) == 13
    assert sequence(resumed) == sequence(search(Evolution(seed=1), 12))
    assert read(path)[0][0]["algorithm"] == "regularized-evolution"


def test_best_models_of_earlier_runs_are_listed(tmp_path):
    path = tmp_path / "journal.jsonl"
    first = max(value_of(c) for c in sequence(search(Random(journal=path), 30)))
    resumed = search(Random(journal=path), 31, lambda model: nni.report_final_result(-1))
    best = next(resumed.list_models())
    assert best.metric == first == score_of(best.executable_model())


def test_a_journal_of_another_search_is_refused_before_anything_runs(tmp_path):
    path = tmp_path / "journal.jsonl"
    search(Random(seed=1, journal=path), 2)
    calls = []
    with pytest.raises(JournalMismatch, match="seed"):
        search(Random(seed=2, journal=path), 4, calls.append)
    assert calls == []
    search(Random(seed=1, journal=path), 3)  # and it is not left locked


def test_a_random_seed_is_kept(tmp_path):
    path = tmp_path / "journal.jsonl"
    search(Random(seed=None, journal=path), 3)
    resumed = search(Random(seed=None, journal=path), 6)
    assert sequence(resumed) == sequence(search(Random(seed=resumed.study.seed), 6))


# -- arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed = -1"),
        ({"seed": "one"}, "seed = \"one\""),
        ({"journal": 3}, "journal = 3"),
        ({"prior": 5}, "prior = 5"),
        ({"optimize_mode": "minimize"}, "optimize_mode"),
        ({"poplation": 3}, "population"),
        ({"population": 0}, "population = 0"),
        ({"population": "many"}, "population = \"many\""),
    ],
)
def test_bad_arguments_are_refused_at_construction(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        Evolution(**arguments)


def test_the_repr_says_what_it_is():
    assert repr(Evolution(seed=4)).startswith("Evolution(seed=4, RegularizedEvolutionConfig(")


def test_listing_before_a_run_is_refused_as_by_nni():
    with pytest.raises(RuntimeError, match="not been run"):
        next(Random().list_models())


def test_the_state_is_the_journal():
    strategy = search(Random(), 2)
    assert strategy.state_dict() == {}
    strategy.load_state_dict({})

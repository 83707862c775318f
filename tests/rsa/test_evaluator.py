"""The evaluator under NNI's own strategies and sequential engine: every metric is P + alpha TG, recomputed."""

from __future__ import annotations

import copy

import pytest

from tests.rsa.small_space import SmallSpace, train

# isort: split
import nni
from nni.nas import strategy
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution.sequential import SequentialExecutionEngine
from nni.nas.space import RawFormatModelSpace

from nni_strategies import LaNAS
from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from tests.rsa.test_score import network, teacher_of

pytestmark = pytest.mark.timeout(60)

KEPT: list = []


def train_and_keep(model, rate=0.1):
    try:
        return train(model, rate)
    finally:  # as it is when it was judged: NNI's frozen models share their weights
        KEPT.append(copy.deepcopy(model))


@pytest.fixture
def teacher(tmp_path):
    KEPT.clear()
    teacher_of(network(0), tmp_path, late=True)
    return str(tmp_path / "teacher.json")


def run(evaluator, by, count=6):
    engine = SequentialExecutionEngine(max_model_count=count)
    by.initialize(RawFormatModelSpace.from_model(SmallSpace(), evaluator), engine)
    by.run()
    return list(by.list_models())


@pytest.mark.slow
@pytest.mark.parametrize(
    "by",
    [
        lambda: strategy.Random(dedup=True),
        lambda: strategy.TPE(optimize_mode="maximize"),
        lambda: strategy.RegularizedEvolution(population_size=3, sample_size=2),
        lambda: LaNAS(n_init=3, seed=0),
    ],
    ids=["random", "tpe", "evolution", "lanas"],
)
def test_every_metric_is_the_sum_recomputed(teacher, by):
    inner = FunctionalEvaluator(train_and_keep)
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, alpha=2.0, mode="paper")
    models = run(evaluator, by())
    scorer = TeacherScorer(load_teacher(teacher))
    expected = sorted(0.1 + 0.1 + 2.0 * scorer.score(model).tg for model in KEPT)
    assert len(models) == len(expected) == 6
    assert sorted(model.metrics.final for model in models) == pytest.approx(expected, abs=1e-9)
    assert all(len(model.metrics.intermediates) == 2 for model in models)


def test_arguments_of_the_inner_evaluator_are_searched_too(teacher):
    inner = FunctionalEvaluator(train_and_keep, rate=nni.choice("rate", [0.1, 0.3]))
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher)
    models = run(evaluator, strategy.Random(dedup=True))
    assert {model.sample["rate"] for model in models} == {0.1, 0.3}
    space = RawFormatModelSpace.from_model(SmallSpace(), evaluator)
    frozen = space.freeze({"first": 0, "second": 1, "rate": 0.3}).evaluator
    assert nni.load(nni.dump(frozen)).evaluator.arguments["rate"] == 0.3


def test_what_goes_into_a_trials_parameters_is_small(teacher):
    evaluator = TeacherGuidedEvaluator(evaluator=FunctionalEvaluator(train), teacher=teacher, stop={"at": 1})
    text = nni.dump(evaluator)
    assert len(text) < 4096
    again = nni.load(text)
    assert again.guide.judge == evaluator.guide.judge
    assert again.guide.stop == evaluator.guide.stop


def test_trials_of_one_engine_know_each_other(teacher):
    stop = {"at": 1, "min_trials": 3, "quantile": 0.9}
    inner = FunctionalEvaluator(train_and_keep)
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, stop=stop, mode="paper")
    models = run(evaluator, strategy.Random(dedup=True), 9)
    lengths = [len(model.metrics.intermediates) for model in models]
    assert len(lengths) == 9
    assert {1, 2} == set(lengths)


def test_it_can_be_used_without_an_experiment(teacher, monkeypatch):
    monkeypatch.setattr(nni.trial, "_params", None)  # the sequential engine leaves it set
    evaluator = TeacherGuidedEvaluator(evaluator=FunctionalEvaluator(train), teacher=teacher, proxy_epochs=None)
    space = RawFormatModelSpace.from_model(SmallSpace(), evaluator).freeze({"first": 0, "second": 2})
    with evaluator.mock_runtime(space):
        assert evaluator.evaluate(space.executable_model()) == 0.9


def test_what_cannot_be_used_is_refused_before_any_trial(teacher, tmp_path):
    inner = FunctionalEvaluator(train)
    with pytest.raises(InvalidArgument, match="FunctionalEvaluator"):
        TeacherGuidedEvaluator(evaluator=train, teacher=teacher)
    with pytest.raises(InvalidArgument, match="readable JSON"):
        TeacherGuidedEvaluator(evaluator=inner, teacher=str(tmp_path / "missing.json"))
    with pytest.raises(InvalidArgument, match="did you mean 'alpha'"):
        TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, alfa=1.0)
    (tmp_path / "stimuli.npz").unlink()
    with pytest.raises(InvalidArgument, match="stimuli"):
        TeacherGuidedEvaluator(evaluator=inner, teacher=teacher)

"""The evaluator under NNI's own strategies and sequential engine: every metric is P + alpha TG, recomputed."""

from __future__ import annotations

import copy
import logging
import threading
from importlib.util import find_spec
from typing import ClassVar

import pytest

from tests.rsa.small_space import SmallSpace, Stripes, classification, train

# isort: split
import nni
import numpy as np
import pytorch_lightning as pl
import torch
import torchmetrics
from nni.nas import strategy
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.evaluator.pytorch import DataLoader, Lightning
from nni.nas.evaluator.pytorch.lightning import SupervisedLearningModule
from nni.nas.execution.sequential import SequentialExecutionEngine
from nni.nas.space import RawFormatModelSpace

from nni_strategies import LaNAS
from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator
from nni_strategies.rsa.history import History
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from tests.rsa.test_score import network, teacher_of

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Lightning's about few workers and small batches
]
WITHOUT_TIANSHOU = find_spec("tianshou") is None or find_spec("gym") is None

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
        pytest.param(
            lambda: strategy.PolicyBasedRL(samples_per_update=3),
            marks=pytest.mark.skipif(WITHOUT_TIANSHOU, reason="needs tianshou (pip install 'tianshou<0.5' 'gym<0.27')"),
        ),
    ],
    ids=["random", "tpe", "evolution", "lanas", "rl"],
)
def test_every_metric_is_the_sum_recomputed(teacher, by):
    inner = FunctionalEvaluator(train_and_keep)
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, alpha=2.0, mode="paper")
    models = run(evaluator, by())
    scorer = TeacherScorer(load_teacher(teacher))
    expected = sorted(0.1 + 0.1 + 2.0 * scorer.score(model).tg for model in KEPT)
    assert len(models) == len(expected) == 6
    assert sorted(model.metrics.final for model in models) == pytest.approx(expected, abs=2e-7)  # TG has 7 digits
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


class Kept(pl.Callback):
    """What Lightning calls, and the networks as they were when an epoch was validated."""

    called, networks = [], []

    def on_train_epoch_start(self, trainer, pl_module):
        self.called.append(trainer.current_epoch)

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.networks.append(copy.deepcopy(pl_module.model))
            self.called.append("validated")

    def on_exception(self, trainer, pl_module, exception):
        self.called.append(type(exception).__name__)

    def on_train_end(self, trainer, pl_module):
        self.called.append("on_train_end")

    def on_fit_end(self, trainer, pl_module):
        self.called.append("on_fit_end")

    def teardown(self, trainer, pl_module, stage):
        self.called.append("teardown")


@pytest.fixture
def kept():
    Kept.called, Kept.networks = [], []
    return Kept


@pytest.mark.parametrize(
    ("stop_mode", "end"),
    [("raise", ["StopProxyTraining"]), ("flag", ["on_train_end", "on_fit_end", "teardown"])],
)
def test_lightning_ends_at_the_proxy_epoch_with_the_network_it_trained(teacher, kept, stop_mode, end):
    inner = classification(9, callbacks=[kept()])
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, mode="paper", stop_mode=stop_mode)
    models = run(evaluator, strategy.Random(dedup=True), 3)
    assert kept.called == 3 * [0, "validated", 1, "validated", *end]  # each candidate from its first epoch
    scorer = TeacherScorer(load_teacher(teacher))
    accuracy = [accuracy_of(network) for network in kept.networks]
    expected = [accuracy[i] + scorer.score(kept.networks[i]).tg for i in (1, 3, 5)]
    assert sorted(model.metrics.final for model in models) == pytest.approx(sorted(expected), abs=1e-6)
    firsts = sorted(model.metrics.intermediates[0] for model in models)
    assert firsts == pytest.approx(sorted(accuracy[i] for i in (0, 2, 4)))
    assert all(model.metrics.intermediates[1:] == [model.metrics.final] for model in models)


class Losses(pl.Callback):
    """Reckons the epoch's mean training loss, and what the validation says, in its own way."""

    of_epochs: ClassVar[list] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 0:
            Losses.of_epochs.append([])
        Losses.of_epochs[-1].append(outputs["loss"].item())


def test_losses_of_lightning_are_known_to_the_judge(teacher, kept, monkeypatch):
    Losses.of_epochs = []
    history = History()
    inner = classification(9, callbacks=[Losses(), kept()])
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, combine=["P", "TSE", "CE"])
    monkeypatch.setattr("nni_strategies.rsa.trial.trial_history", lambda channel: history)
    run(evaluator, strategy.Random(dedup=True), 1)
    (signals,) = (outcome.signals for outcome in history.read() if outcome.judged)
    assert len(Losses.of_epochs) == 2
    assert signals["TSE"] == pytest.approx(sum(np.mean(losses) for losses in Losses.of_epochs))
    images, labels = next(iter(DataLoader(Stripes(32, seed=1), batch_size=32)))
    network = kept.networks[1].eval()
    with torch.no_grad():
        assert signals["CE"] == pytest.approx(torch.nn.functional.cross_entropy(network(images), labels).item())


def accuracy_of(network, k=1):
    network.eval()
    images, labels = next(iter(DataLoader(Stripes(32, seed=1), batch_size=32)))
    with torch.no_grad():
        return (network(images).topk(k).indices == labels[:, None]).any(1).double().mean().item()


def test_a_lightning_evaluator_shorter_than_the_proxy_is_judged_at_its_end(teacher, kept):
    evaluator = TeacherGuidedEvaluator(evaluator=classification(1, callbacks=[kept()]), teacher=teacher, mode="paper")
    models = run(evaluator, strategy.Random(dedup=True), 2)
    assert kept.called == 2 * [0, "validated", "on_train_end", "on_fit_end", "teardown"]
    scorer = TeacherScorer(load_teacher(teacher))
    expected = [accuracy_of(network) + scorer.score(network).tg for network in kept.networks]
    assert sorted(model.metrics.final for model in models) == pytest.approx(sorted(expected), abs=1e-6)


def test_callbacks_of_one_candidate_do_not_remember_another(teacher, kept):
    worse_is_better = pl.callbacks.EarlyStopping("val_loss", mode="max", patience=1)  # ends after the second epoch
    inner = classification(9, callbacks=[worse_is_better, kept()])
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, proxy_epochs=None)
    run(evaluator, strategy.Random(dedup=True), 3)
    assert [called for called in kept.called if isinstance(called, int)] == [0, 1, 0, 1, 0, 1]


class Locked(pl.Callback):
    """Cannot be copied."""

    begun: ClassVar[list] = []

    def __init__(self):
        self.lock = threading.Lock()

    def on_train_epoch_start(self, trainer, pl_module):
        with self.lock:
            self.begun.append((id(self), trainer.current_epoch))


def test_a_callback_that_cannot_be_copied_is_shared_and_the_others_are_copied(teacher, caplog, monkeypatch):
    Locked.begun.clear()
    worse_is_better = pl.callbacks.EarlyStopping("val_loss", mode="max", patience=1)
    inner = classification(9, callbacks=[worse_is_better, Locked()])
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, proxy_epochs=None)
    space = RawFormatModelSpace.from_model(SmallSpace(), evaluator).freeze({"first": 0, "second": 2})
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            monkeypatch.setattr(nni.trial, "_params", None)
            with evaluator.mock_runtime(space):
                evaluator.evaluate(space.executable_model())
    assert [epoch for _, epoch in Locked.begun] == [0, 1, 0, 1, 0, 1]
    assert len({who for who, _ in Locked.begun}) == 1
    assert caplog.text.count("Locked cannot be copied") == 1


@pytest.mark.parametrize(
    "rhythm", [{"accumulate_grad_batches": 2}, {"check_val_every_n_epoch": 2}, {"val_check_interval": 0.5}]
)
def test_the_sum_of_losses_does_not_hang_on_the_rhythm_of_validation(teacher, monkeypatch, rhythm):
    history, Losses.of_epochs = History(), []
    inner = classification(4, callbacks=[Losses()], **rhythm)
    accumulated = rhythm.get("accumulate_grad_batches", 1)
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, proxy_epochs=None)
    monkeypatch.setattr("nni_strategies.rsa.trial.trial_history", lambda channel: history)
    run(evaluator, strategy.Random(dedup=True), 1)
    (signals,) = (outcome.signals for outcome in history.read() if outcome.judged)
    assert len(Losses.of_epochs) == 4
    expected = sum(np.mean(losses) for losses in Losses.of_epochs) * accumulated
    assert signals["TSE"] == pytest.approx(expected)


def test_lightning_with_two_metrics_has_a_default_too(teacher, kept):
    metrics = {f"top{k}": torchmetrics.Accuracy("multiclass", num_classes=10, top_k=k) for k in (1, 3)}
    module = SupervisedLearningModule(torch.nn.CrossEntropyLoss, metrics, export_onnx=False)
    like = classification(2, callbacks=[kept()])
    inner = Lightning(module, like.trainer, like.train_dataloaders, like.val_dataloaders)
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, mode="paper", key="top3")
    (model,) = run(evaluator, strategy.Random(dedup=True), 1)  # NNI's own refuses a dictionary without `default`
    tg = TeacherScorer(load_teacher(teacher)).score(kept.networks[1]).tg
    assert model.metrics.final == pytest.approx(accuracy_of(kept.networks[1], 3) + tg)
    assert model.metrics.intermediates[0] == pytest.approx(accuracy_of(kept.networks[0], 3))


@pytest.mark.parametrize("by", [strategy.DARTS, strategy.RandomOneShot])
def test_one_shot_strategies_name_the_callback(teacher, by):
    evaluator = TeacherGuidedEvaluator(evaluator=classification(1), teacher=teacher)
    with pytest.raises(InvalidArgument, match=r"inner evaluator, with nni_strategies.rsa.lightning.TeacherCallback"):
        run(evaluator, by())
    with pytest.raises(TypeError, match="lightning evaluator"):  # NNI's own word on others
        run(FunctionalEvaluator(train), by())


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
    with pytest.raises(InvalidArgument, match=r"stop_mode.*only Lightning"):
        TeacherGuidedEvaluator(evaluator=inner, teacher=teacher, stop_mode="flag")
    with pytest.raises(InvalidArgument, match="did you mean 'flag'"):
        TeacherGuidedEvaluator(evaluator=classification(), teacher=teacher, stop_mode="flags")
    (tmp_path / "stimuli.npz").unlink()
    with pytest.raises(InvalidArgument, match="stimuli"):
        TeacherGuidedEvaluator(evaluator=inner, teacher=teacher)


def test_a_teacher_that_is_too_large_for_nni_is_refused_before_any_trial(teacher):
    inner = FunctionalEvaluator(train)
    specification = load_teacher(teacher).spec.to_json()
    assert len(nni.dump(TeacherGuidedEvaluator(evaluator=inner, teacher=specification))) < 4096
    with pytest.raises(InvalidArgument, match=r"bytes.*or the path of a file"):
        TeacherGuidedEvaluator(evaluator=inner, teacher={**specification, "source": "x" * 4096})

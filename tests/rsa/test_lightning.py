"""TG after each epoch of real Lightning trainings, recomputed; nothing of the training is changed by it."""

from __future__ import annotations

import copy
import logging
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.rsa.small_space import SmallSpace, Stripes, classification

# isort: split
import nni
import pytorch_lightning as pl
from nni.nas.evaluator.pytorch import DataLoader, Lightning, Trainer
from nni.nas.execution.sequential import SequentialExecutionEngine
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingLayer
from nni.nas.space import RawFormatModelSpace
from nni.nas.strategy import DARTS, RandomOneShot

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.lightning import EpochLosses, EpochScore, TeacherCallback, network_of
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from tests.rsa.networks import Net
from tests.rsa.test_score import network, teacher_of

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Lightning's about few workers and small batches
]

LAYERS = ["blocks.1", "blocks.2", "head:input"]


@pytest.fixture
def teacher(tmp_path):
    teacher_of(network(0), tmp_path, late=True)
    return str(tmp_path / "teacher.json")


class Copies(pl.Callback):
    """What a network was, and what the metrics were, when each epoch ended."""

    def __init__(self):
        self.networks, self.metrics, self.ended = [], [], []

    def on_train_epoch_end(self, trainer, pl_module):
        self.networks.append(copy.deepcopy(network_of(pl_module)))

    def on_train_epoch_start(self, trainer, pl_module):
        self.metrics.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    def on_train_end(self, trainer, pl_module):
        self.metrics.append({name: float(value) for name, value in trainer.callback_metrics.items()})


class Plain(pl.LightningModule):
    """A Lightning user's own module, which knows nothing of NNI."""

    def __init__(self, seed=3):
        super().__init__()
        torch.manual_seed(seed)
        self.net = Net()
        self.losses = []

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Told(pl.Callback):
    """Writes what each process has in the end: scores and epochs."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def on_train_end(self, trainer, pl_module):
        n = next(len(callback.results) for callback in trainer.callbacks if isinstance(callback, TeacherCallback))
        (self.folder / f"rank{trainer.global_rank}").write_text(f"{n} {trainer.current_epoch}")


def fit(module, *callbacks, epochs=3):
    torch.manual_seed(0)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(module, DataLoader(Stripes(64), batch_size=16, shuffle=True))
    return trainer


def search(strategy, evaluator):
    engine = SequentialExecutionEngine()
    strategy.initialize(RawFormatModelSpace.from_model(SmallSpace(), evaluator), engine)
    strategy.run()
    return strategy


def test_every_epoch_of_an_nni_evaluator_has_the_tg_of_its_network(teacher):
    scored, copies = TeacherCallback(teacher), Copies()
    evaluator = classification(3, callbacks=[scored, copies])
    space = RawFormatModelSpace.from_model(SmallSpace(), evaluator).freeze({"first": 0, "second": 1})
    evaluator.evaluate(space.executable_model())
    scorer = TeacherScorer(load_teacher(teacher))
    expected = [scorer.score(network) for network in copies.networks]
    assert [result.epoch for result in scored.results] == [1, 2, 3]
    assert [result.tg for result in scored.results] == pytest.approx([score.tg for score in expected])
    assert [result.match for result in scored.results] == [score.match for score in expected]
    assert copies.metrics[0].get("TG") is None
    for metrics, score in zip(copies.metrics[1:], expected, strict=True):
        assert metrics["TG"] == pytest.approx(score.tg)
        assert {name: metrics[f"TG/{name}"] for name in score.per_layer} == pytest.approx(score.per_layer)
        assert "val_acc" in metrics


def test_a_training_is_bit_for_bit_what_it_is_without(teacher):
    with_it, without = Plain(), Plain()
    scored = TeacherCallback(teacher, every=2, bn="batch")
    fit(with_it, scored, epochs=4)
    fit(without, epochs=4)
    assert [result.epoch for result in scored.results] == [2, 4]
    assert with_it.losses == without.losses
    for name, value in with_it.state_dict().items():
        assert torch.equal(value, without.state_dict()[name]), name
    assert not any(module._forward_hooks for module in with_it.modules())


def test_a_plain_module_is_scored_itself_or_what_its_path_names(teacher):
    module = Plain()
    whole, part = TeacherCallback(teacher), TeacherCallback(teacher, network="net", name="part")
    metrics = fit(module, whole, part, epochs=1).callback_metrics
    assert {"TG", "part"} < set(metrics)
    assert whole.results[0].tg == pytest.approx(part.results[0].tg)
    assert whole.results[0].match["head:input"] == "net." + part.results[0].match["head:input"]
    assert part.results[0].tg == pytest.approx(TeacherScorer(load_teacher(teacher)).score(module.net).tg)
    assert network_of(module, "") is module


def test_darts_is_scored_as_the_mixture_it_is(teacher):
    scored, copies = TeacherCallback(teacher), Copies()
    strategy = search(DARTS(), classification(2, callbacks=[scored, copies]))
    scorer = TeacherScorer(load_teacher(teacher))
    assert [result.tg for result in scored.results] == pytest.approx([scorer.score(n).tg for n in copies.networks])
    assert isinstance(copies.networks[-1], SmallSpace)
    assert copies.metrics[-1]["TG"] == pytest.approx(scorer.score(strategy.supernet).tg)


def test_a_sampling_supernet_is_scored_on_the_path_drawn_last(teacher):
    scored, copies = TeacherCallback(teacher), Copies()
    torch.manual_seed(1)
    search(RandomOneShot(), classification(4, callbacks=[scored, copies]))
    scorer = TeacherScorer(load_teacher(teacher))
    assert [result.tg for result in scored.results] == pytest.approx([scorer.score(n).tg for n in copies.networks])
    supernet = copies.networks[-1]
    layers = [module for module in supernet.modules() if isinstance(module, PathSamplingLayer)]
    assert len(layers) == 2
    reached = set()
    for path in range(3):
        for layer in layers:
            layer._sampled = path
        reached.add(round(scorer.score(supernet).tg, 9))
    assert len(reached) == 3  # paths differ in TG, so the path matters


def test_training_ends_where_tg_no_longer_rises(teacher, monkeypatch):
    scored = TeacherCallback(teacher, patience=2)
    values = iter([0.1, 0.3, 0.2, 0.3, 0.9])
    real = scored._scorer.score
    monkeypatch.setattr(scored._scorer, "score", lambda model: replace(real(model), tg=next(values)))
    trainer = fit(Plain(), scored, epochs=9)
    assert [result.tg for result in scored.results] == [0.1, 0.3, 0.2, 0.3]
    assert trainer.current_epoch == 4
    assert trainer.should_stop


def test_a_score_that_fails_costs_the_training_nothing(teacher, caplog):
    scored = TeacherCallback(teacher, network="net.head", patience=1)  # which takes no images
    with caplog.at_level(logging.WARNING):
        trainer = fit(Plain(), scored, epochs=2)
    assert scored.results == []
    assert trainer.current_epoch == 2
    assert "TG" not in trainer.callback_metrics
    assert caplog.text.count("could not judge") == 1
    with pytest.raises(RuntimeError, match="shapes"):
        fit(Plain(), TeacherCallback(teacher, network="net.head", strict=True), epochs=1)


class BuiltLate(Plain):
    """Has no network before it is set up, as Lightning users do with what depends on the data."""

    def __init__(self):
        super().__init__()
        del self.net

    def setup(self, stage):
        self.net = Net()


def test_a_network_that_is_not_there_is_refused_before_the_first_batch(teacher):
    module = Plain()
    with pytest.raises(InvalidArgument, match=r"network = .*nte.*did you mean 'net'"):
        fit(module, TeacherCallback(teacher, network="nte"), epochs=1)
    assert module.losses == []
    scored = TeacherCallback(teacher, network="net")
    fit(BuiltLate(), scored, epochs=1)
    assert len(scored.results) == 1


def test_a_second_training_starts_afresh_and_a_checkpoint_goes_on(teacher, tmp_path):
    scored = TeacherCallback(teacher)
    trainer = fit(Plain(), scored, epochs=2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    half = list(scored.results)
    fit(Plain(5), scored, epochs=1)
    assert [result.epoch for result in scored.results] == [1]
    assert scored.results[0] != half[0]

    resumed = TeacherCallback(teacher)
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        callbacks=[resumed],
    )  # fmt: skip
    loader = DataLoader(Stripes(64), batch_size=16)
    trainer.fit(Plain(), loader, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert resumed.results[:2] == half
    assert [result.epoch for result in resumed.results] == [1, 2, 3]
    assert all(isinstance(result, EpochScore) for result in resumed.results)


def test_what_nni_sends_of_it_is_small_and_comes_back(teacher):
    evaluator = classification(2, callbacks=[TeacherCallback(teacher, every=2, layers=r"second.*", bn="batch")])
    text = nni.dump(evaluator)
    assert len(text) < 4096
    (again,) = nni.load(text).trainer.callbacks[:1]
    assert isinstance(again, TeacherCallback)
    assert (again.every, again._scorer.options.bn, again._scorer.options.layers) == (2, "batch", r"second.*")
    by_trainer = Lightning(evaluator.module, Trainer(callbacks=[TeacherCallback(teacher)]), DataLoader(Stripes(8)))
    assert isinstance(nni.load(nni.dump(by_trainer)).trainer.callbacks[0], TeacherCallback)
    by_specification = load_teacher(teacher).spec.to_json()
    assert len(nni.dump(TeacherCallback(by_specification))) < 4096


class Asks(pl.Callback):
    """Takes the losses whenever a validation ends, and reckons the epochs' means in its own way."""

    def __init__(self):
        self.losses, self.taken, self.at = EpochLosses(), [], []

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.taken.append(self.losses.take())
            self.at.append(len(pl_module.losses))


class Validated(Plain):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))


class ByHand(Validated):
    """Optimises by itself, and tells a loss a sample, in batches of different lengths."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        losses = torch.nn.functional.cross_entropy(self(batch[0]), batch[1], reduction="none")
        self.optimizers().zero_grad()
        self.manual_backward(losses.mean())
        self.optimizers().step()
        self.losses.append(losses.mean().item())
        return {"loss": losses.detach()}


class Stream(torch.utils.data.IterableDataset):
    """Of no known length."""

    def __iter__(self):
        return iter([Stripes(64)[i] for i in range(64)])


def asked(module, epochs=4, data=None, **options):
    """Return what the losses said, when, and the means of the epochs' four batches."""
    torch.manual_seed(0)
    asks = Asks()
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[asks.losses, asks], **options,
    )  # fmt: skip
    validation = DataLoader(Stripes(32, seed=1), batch_size=32)
    trainer.fit(module, DataLoader(Stripes(64), batch_size=16, shuffle=True) if data is None else data, validation)
    return asks.taken, asks.at, [sum(module.losses[i : i + 4]) / 4 for i in range(0, len(module.losses), 4)]


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, [4, 8, 12, 16]),
        ({"accumulate_grad_batches": 2}, [4, 8, 12, 16]),
        ({"check_val_every_n_epoch": 2}, [8, 16]),
        ({"val_check_interval": 0.5}, [2, 4, 6, 8, 10, 12, 14, 16]),
        ({"val_check_interval": 6, "check_val_every_n_epoch": None}, [6, 12]),
    ],
)
def test_after_so_many_epochs_the_losses_sum_up_to_the_same_whenever_one_asks(options, at):
    module = Validated()
    taken, asked_at, means = asked(module, **options)
    assert asked_at == at
    sums = [sum(means[: i // 4]) + sum(module.losses[i - i % 4 : i]) / 4 for i in at]
    assert [sum(taken[: k + 1]) for k in range(len(taken))] == pytest.approx(sums)


def test_losses_of_a_stream_and_of_batches_without_any():
    taken, at, means = asked(Validated(), data=DataLoader(Stream(), batch_size=16), val_check_interval=2)
    assert at == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [sum(taken[: 2 * k]) for k in (1, 2, 3, 4)] == pytest.approx([sum(means[:k]) for k in (1, 2, 3, 4)])
    silent = Validated()
    silent.training_step = lambda batch, batch_idx: None
    assert all(map(math.isnan, asked(silent)[0]))


def test_losses_a_sample_of_one_that_optimises_by_hand():
    data = DataLoader(Stripes(58), batch_size=16)  # the last batch is smaller
    taken, _, means = asked(ByHand(), data=data)
    assert taken == pytest.approx(means)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_of_two_processes_the_first_scores_and_both_stop(teacher, tmp_path, checkout):
    program = tmp_path / "two.py"
    program.write_text(TWO.format(teacher=teacher, folder=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ran = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert [(tmp_path / f"rank{i}").read_text() for i in range(2)] == ["3 3", "0 3"]


TWO = """
from dataclasses import replace
import torch
torch.set_num_threads(1)
from nni_strategies.rsa.lightning import TeacherCallback
from tests.rsa.test_lightning import Plain, Stripes, Told, pl
from torch.utils.data import DataLoader
if __name__ == "__main__":
    scored = TeacherCallback({teacher!r}, patience=2)
    real = scored._scorer.score
    scored._scorer.score = lambda model: replace(real(model), tg=0.5)  # it never rises
    trainer = pl.Trainer(
        max_epochs=9, accelerator="cpu", devices=2, strategy="ddp_fork", callbacks=[scored, Told({folder!r})],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(Plain(), DataLoader(Stripes(64), batch_size=16))
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every = 0: a positive integer"),
        ({"patience": True}, "patience"),
        ({"network": 3}, "network"),
        ({"budgt": 3}, "did you mean 'budget'"),
        ({"alpha": 1.0}, "option = .alpha.: one of"),
        ({"teacher": "/nowhere/teacher.json"}, "readable JSON"),
    ],
)
def test_bad_options_are_refused(teacher, options, message):
    with pytest.raises(InvalidArgument, match=message):
        TeacherCallback(**{"teacher": teacher, **options})

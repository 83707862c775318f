"""Searches with NNI's Lightning evaluator, and what is refused before any of it is trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import torch
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace, model_context
from pytorch_lightning import LightningDataModule
from torch.utils.data import TensorDataset

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.tagged_batches import TaggedBatches
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat import policy_file
from nni_strategies.nat.counter import count
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.one_shot.batches import all_batches
from nni_strategies.nat.one_shot.strategy import NATOneShot
from nni_strategies.supernet.network import Supernet
from tests.nat.one_shot.searches import (
    CONVOLUTIONS,
    DEAD,
    SHAPE,
    Cells,
    evaluator,
    nds,
    searched,
    started,
    stripes,
)

real = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]


def state(strategy: Any) -> dict[str, Any]:
    network = {name: value.clone() for name, value in strategy.supernet.state_dict().items()}
    return network | dict(strategy.oneshot_module.learner.gradient.policy.state_dict())


def named(strategy: Any) -> list[tuple[str, torch.nn.Parameter]]:
    return list(strategy.supernet.named_parameters())


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class TestSearch:
    pytestmark = real

    @pytest.mark.parametrize("paths", ["space", "outputs"])
    def test_the_export_is_of_the_space_and_never_costlier_or_worse(self, paths):
        moves = moves_of_space(nds(), input_shape=SHAPE)
        (drawn,) = moves.transitions.view.decode(moves.transitions.inputs(np.random.default_rng(5), 1))
        given = moves.sample(drawn)
        strategy = searched(NATOneShot(given, paths=paths, n_inputs=2), nds)
        (best,) = strategy.list_models()
        found = strategy.transformed
        assert found.after == best.sample and nds().check_contains(best.sample) is None
        assert all(best.sample[label] == value for label, value in given.items() if "input" in label)
        networks = []
        for sample in (given, best.sample):
            with model_context(sample):
                networks.append(nds())
        before, after = (count(network, SHAPE) for network in networks)
        assert (before, after) == (found.cost_before, found.cost_after)
        assert after.madds <= before.madds and after.params <= before.params
        assert 0 <= found.score_before <= found.score_after <= 1 and 2 <= found.evaluations <= 11
        assert networks[1].eval()(torch.rand(2, *SHAPE)).shape == (2, 10)

    def test_both_learn_and_what_they_reached_is_told(self):
        strategy = started(NATOneShot(CONVOLUTIONS))
        before = state(strategy)
        strategy.run()
        after = state(strategy)
        assert all(not torch.equal(before[name], after[name]) for name in ("stem.0.weight", "head.4.weight"))
        assert "nat/reward" in strategy.oneshot_module.trainer.callback_metrics
        # an epoch is four steps of the weights; policy steps are no steps of the evaluator's optimizer
        assert strategy.oneshot_module.trainer.global_step == 8

    def test_a_seed_decides_all(self):
        def run(seed: int) -> Any:
            return searched(NATOneShot(CONVOLUTIONS, seed=seed))

        first, again, other = run(0), run(0), run(1)
        assert same(state(first), state(again)) and first.transformed.after == again.transformed.after
        assert not same(state(first), state(other))

    def test_the_validation_loop_judges_the_input(self):
        strategy = searched(NATOneShot(CONVOLUTIONS))
        reported = strategy.oneshot_module.trainer.callback_metrics["val_acc"].item()
        assert reported == pytest.approx(strategy.transformed.score_before)

    def test_without_an_input_one_is_drawn_with_a_warning(self, caplog: pytest.LogCaptureFixture):
        with caplog.at_level(logging.WARNING):
            strategy = searched(NATOneShot(seed=3))
        assert "input_sample" in caplog.text
        assert strategy.transformed.before == searched(NATOneShot(seed=3)).transformed.before

    def test_a_checkpoint_has_the_policy_and_its_optimizer(self, tmp_path: Path):
        from pytorch_lightning.callbacks import ModelCheckpoint

        def judged(epochs: int) -> Any:
            kept = ModelCheckpoint(tmp_path, save_last=True)
            return evaluator(epochs, enable_checkpointing=True, callbacks=[kept])

        class Plain(Cells):
            """Without dropout: torch's own generator is not in a checkpoint."""

            def __init__(self) -> None:
                super().__init__()
                self.head[3].p = 0.0

        whole = searched(NATOneShot(CONVOLUTIONS), Plain, evaluator(4))
        half = searched(NATOneShot(CONVOLUTIONS), Plain, judged(2))
        kept = half.state_dict()
        assert kept == {"ckpt_path": str(tmp_path / "last.ckpt")}
        resumed = started(NATOneShot(CONVOLUTIONS), Plain, judged(4))
        resumed.load_state_dict(kept)
        resumed.run()
        assert same(state(whole), state(resumed)) and not same(state(whole), state(half))

    def test_its_policy_transforms_other_architectures(self, tmp_path: Path):
        strategy = searched(NATOneShot(CONVOLUTIONS))
        learned = strategy.transformed.learned
        policy_file.save(tmp_path / "policy.safetensors", learned)
        view = moves_of_space(Cells(), input_shape=SHAPE).transitions.view
        again = policy_file.load(tmp_path / "policy.safetensors", view)
        assert same(dict(again.policy.state_dict()), dict(learned.policy.state_dict()))

    def test_an_experiment_exports_the_sample(self):
        experiment = NasExperiment(Cells(), evaluator(1), NATOneShot(CONVOLUTIONS))
        experiment.run()
        (sample,) = experiment.export_top_models(formatter="dict")
        experiment.stop()
        assert Cells().check_contains(sample) is None

    def test_a_data_module_is_asked_for_its_batches(self):
        class Stripes(LightningDataModule):
            def setup(self, stage: str) -> None:
                self.parts = [TensorDataset(*stripes(32, seed)) for seed in (0, 1)]

            def train_dataloader(self) -> Any:
                return DataLoader(self.parts[0], batch_size=16)

            def val_dataloader(self) -> Any:
                return DataLoader(self.parts[1], batch_size=16)

        judged = evaluator(1)
        judged.train_dataloaders = judged.val_dataloaders = None
        judged.datamodule = Stripes()
        strategy = searched(NATOneShot(CONVOLUTIONS), judged=judged)
        assert strategy.oneshot_module.trainer.global_step == 2 and strategy.transformed.score_before is not None

    def test_a_learning_rate_falls_by_epochs(self):
        judged = evaluator(2)
        optimizers: list[Any] = []

        def configure() -> Any:
            optimizer = torch.optim.SGD(judged.module.parameters(), 0.1)
            optimizers.append(optimizer)
            return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)}

        judged.module.configure_optimizers = configure
        searched(NATOneShot(CONVOLUTIONS), judged=judged)
        assert optimizers[0].param_groups[0]["lr"] == pytest.approx(0.001)


    def test_weights_of_another_precision_are_judged_in_it(self):
        """The trainer leaves them so; images come as they were."""
        strategy = searched(NATOneShot(CONVOLUTIONS), judged=evaluator(1, precision="64-true"))
        assert next(strategy.supernet.parameters()).dtype == torch.float64
        assert strategy.transformed.score_after >= strategy.transformed.score_before

    @pytest.mark.parametrize("scale", [1.0, 2.0**12])
    def test_scaled_gradients_are_clipped_as_others(self, scale: float):
        from pytorch_lightning.plugins.precision import MixedPrecision

        scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=10_000)  # type: ignore[attr-defined]
        judged = evaluator(1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])  # type: ignore[arg-type]
        judged.module.configure_optimizers = lambda: torch.optim.SGD(judged.module.parameters(), 1.0)
        strategy = started(NATOneShot(CONVOLUTIONS, gradient_clip_val=0.01), judged=judged)
        before = state(strategy)
        strategy.run()
        moved = torch.stack([(state(strategy)[name] - before[name]).norm() for name, _ in named(strategy)]).norm()
        assert 0.5 * 4 * 0.01 < moved <= 4 * 0.01 * 1.01  # four steps, each as long as is allowed

    def test_no_look_draws_of_torch(self):
        judged = evaluator(1)
        judged.val_dataloaders = DataLoader(TensorDataset(*stripes(48, seed=1)), batch_size=24, shuffle=True)
        torch.manual_seed(0)
        Supernet(Cells())  # which draws weights
        drawn = torch.get_rng_state()
        strategy = started(NATOneShot(CONVOLUTIONS), judged=judged)
        assert torch.equal(drawn, torch.get_rng_state())
        strategy.run()
        before = torch.get_rng_state()
        assert strategy.transformed.evaluations > 1
        assert torch.equal(before, torch.get_rng_state())


class TestRefused:
    """Everything is looked at before the training."""

    @pytest.mark.parametrize(
        ("sample", "named"),
        [
            ({**CONVOLUTIONS, "cell/op_2_0": "conv33"}, "did you mean 'conv3'"),
            ({k.replace("cell/op_2_0", "cel/op_2_0"): v for k, v in CONVOLUTIONS.items()}, "did you mean 'cell/op"),
            ({**CONVOLUTIONS, "cell/input_2_0": [5]}, "cell/input_2_0"),
            ({**CONVOLUTIONS, **DEAD}, "cell is dead"),
        ],
    )
    def test_an_input_that_cannot_be_transformed(self, sample: dict[str, Any], named: str):
        with pytest.raises(InvalidArgument, match=named):
            started(NATOneShot(sample))

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"rule": "cots"}, "did you mean 'cost'"),
            ({"n_output": 3}, "did you mean 'n_outputs'"),
            ({"input_sample": ["conv3"]}, "input_sample"),
            ({"gradient_clip_val": -1.0}, "gradient_clip_val"),
            ({"gradient_clip_val": 0}, "gradient_clip_val"),
            ({"input_shape": 5}, "input_shape = 5"),
            ({"input_shape": (3, 0, 8)}, "input_shape"),
            ({"op_classes": ["conv3"]}, "op_classes"),
            ({"seed": 2**70}, "seed"),
        ],
    )
    def test_an_argument(self, arguments: dict[str, Any], named: str):
        with pytest.raises(InvalidArgument, match=named):
            NATOneShot(**arguments)

    def test_a_class_of_no_operation(self):
        with pytest.raises(InvalidArgument, match="did you mean 'conv3'"):
            started(NATOneShot(op_classes={"conv33": "O"}))

    def test_an_input_shape_that_the_network_does_not_take(self):
        with pytest.raises(InvalidArgument, match="input_shape"):
            started(NATOneShot(CONVOLUTIONS, input_shape=(1, 8, 8)))

    @pytest.mark.parametrize(
        ("option", "named"),
        [
            ({"gradient_clip_val": 1.0}, "gradient_clip_val = 1.0: an argument of NATOneShot"),
            ({"accumulate_grad_batches": 2}, "accumulate_grad_batches = 2"),
        ],
    )
    def test_what_lightning_would_do_to_gradients_by_itself(self, option: dict[str, Any], named: str):
        with pytest.raises(InvalidArgument, match=named):
            started(NATOneShot(CONVOLUTIONS), judged=evaluator(1, **option))

    def test_a_result_before_the_search(self):
        with pytest.raises(InvalidArgument, match="transformed"):
            _ = NATOneShot(CONVOLUTIONS).transformed

    def test_another_engine_or_format(self):
        raw, simple = RawFormatModelSpace(Cells(), evaluator()), SimplifiedModelSpace.from_model(Cells(), evaluator())
        with pytest.raises(InvalidArgument, match="raw"):
            NATOneShot().initialize(simple, SequentialExecutionEngine())
        with pytest.raises(InvalidArgument, match="sequential"):
            NATOneShot().initialize(raw, object())

    def test_a_space_without_operations(self):
        class Empty(ModelSpace):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(1, 1)

        with pytest.raises(InvalidArgument, match="at least one parameter"):
            started(NATOneShot(), Empty)

    def test_batches_without_classes(self):
        images, labels = stripes()
        for pair in ((images, images), (images, labels + 100), (images[:1], labels[:1])):
            judged = Classification(
                train_dataloaders=DataLoader(TensorDataset(images, labels)),
                val_dataloaders=DataLoader(TensorDataset(*pair), batch_size=8),
                num_classes=10,
                logger=False,
                enable_checkpointing=False,
            )
            with pytest.raises(InvalidArgument, match=r"val_dataloaders|labels"):
                started(NATOneShot(CONVOLUTIONS), judged=judged)

    def test_no_evaluator_of_lightning(self):
        with pytest.raises(InvalidArgument, match="Lightning"):
            started(NATOneShot(), judged=object())


def test_batches_say_where_they_are_from():
    batches = TaggedBatches({"train": [1, 2], "val": [3]})
    assert list(batches) == [(1, "train"), (2, "train"), (3, "val")] == list(batches) and len(batches) == 3


def test_a_single_image_is_not_judged_by():
    images, labels = stripes(5)
    batches = all_batches(zip(images.split(2), labels.split(2), strict=True), torch.float64)
    assert [len(part) for _, part in batches] == [2, 2]
    assert {part.dtype for part, _ in batches} == {torch.float64}

"""DARTS on NNI's DARTS space, its loss less lam times the likeness of the expected cells to expert networks.

    python experiments/irlas_darts/search.py --data cifar10:~/data/cifar10 --output darts.json
    python experiments/irlas_darts/search.py --small            # a few minutes of a CPU core, to see it work

One supernet is trained, in this process. S, the expected likeness, is 0 when all choices are alike and 1 for an
expert's own features. The cell that is found is trained by `python -m trial_code.train_nasnet --space darts`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.evaluator.pytorch import DataLoader, Lightning, Trainer
from nni.nas.hub.pytorch import DARTS
from pytorch_lightning import Callback

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot import IRLASDarts
from nni_strategies.irlas.one_shot.expected_features import EXPERTS
from nni_strategies.irlas.one_shot.penalty import SupernetStimuli, check_weight
from trial_code import search_program, train_nasnet
from trial_code.command_line import bad_input_ends
from trial_code.one_shot import Batches, Training, held_out

# the rest is as usual in train_nasnet: learning rate 0.025, momentum 0.9, weight decay 3e-4
SEARCH = ["--epochs", "50", "--width", "16", "--cells", "8", "--batch-size", "64", "--holdout", "25000"]
SMALL = ["--epochs", "2", "--width", "4", "--cells", "3", "--batch-size", "16", "--max-steps", "6", "--holdout", "500"]
SMALL_SEARCH = {"arc_lr": 0.1, "lam": 1.0}
LAST_RATE = 0.001
CLIP = 5.0


def read_options(words: list[str]) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Return the options of the search, and those of the training of weights."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--experts", nargs="+", default=EXPERTS, help="built-in experts; default %(default)s")
    p.add_argument("--lam", type=float, default=0.1, help="weight of S; 0 is NNI's DARTS; default %(default)s")
    p.add_argument("--arc-lr", type=float, default=3e-4, help="learning rate of the choices; default %(default)s")
    p.add_argument("--output", type=Path, help="where the cell is written, as JSON")
    p.add_argument("--small", action="store_true", help="a tiny supernet, twelve steps, no GPU")
    mine, rest = search_program.split(words)
    if "--small" in mine:
        p.set_defaults(**SMALL_SEARCH)
    given = p.parse_args(mine)
    check_weight(given.lam)
    if not 0 < given.arc_lr < math.inf:
        raise InvalidArgument("--arc-lr", given.arc_lr, "a finite number above 0")
    SupernetStimuli(given.experts)
    data = given.data or search_program.jpeg_copy()
    trained = train_nasnet.options(["--data", data, "--cutout", "0", *SEARCH, *(SMALL if given.small else []), *rest])
    unused = (*train_nasnet.OF_ONE_NETWORK, "amp")
    train_nasnet.refuse_given(trained, unused, "absent: a supernet is trained, by SGD and a cosine")
    if data.startswith("imagenet"):
        raise InvalidArgument("--data", data, "npz, cifar10 or cifar100: half of the images is kept in memory")
    return given, trained


class Progress(Callback):
    """Prints S before the first step, and S and the training accuracy after each epoch."""

    def __init__(self, strategy: IRLASDarts, experts: list[str]) -> None:
        self.strategy, self.stimuli = strategy, SupernetStimuli(experts)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.stimuli.bind(self.strategy.supernet)
        print(f"before: S {self.expected():.4f}", flush=True)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        reached = float(trainer.callback_metrics["train_acc"])
        score = self.expected()
        print(f"epoch {trainer.current_epoch + 1}: S {score:.4f}, training accuracy {reached:.4f}", flush=True)

    @torch.no_grad()
    def expected(self) -> float:
        """Return S of now."""
        return float(self.stimuli.expected())


def experiment_of(given: argparse.Namespace, trained: argparse.Namespace) -> tuple[NasExperiment, Progress]:
    """Return the experiment that the options describe, not started yet, and what watches it."""
    torch.set_num_threads(trained.threads)
    torch.manual_seed(trained.seed)
    images = train_nasnet.open_images(trained)
    strategy = IRLASDarts(given.experts, given.lam, arc_learning_rate=given.arc_lr, gradient_clip_val=CLIP)
    progress = Progress(strategy, given.experts)
    evaluator = Lightning(
        Training(trained.lr, trained.momentum, trained.weight_decay, trained.epochs, images.n_classes, LAST_RATE),
        Trainer(
            max_epochs=trained.epochs,
            limit_train_batches=trained.max_steps,
            accelerator="cpu" if trained.device == "cpu" else "gpu",
            devices=1,
            callbacks=[progress],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ),
        train_dataloaders=DataLoader(Batches(images), batch_size=None),
        val_dataloaders=DataLoader(held_out(images), batch_size=trained.batch_size, shuffle=True, drop_last=True),
    )
    # of plain numbers: from tuples of one NNI makes choices, whose supernet it cannot run
    space = DARTS(width=trained.width, num_cells=trained.cells, dataset="cifar")
    return NasExperiment(space, evaluator, strategy), progress


def main() -> int:
    """Search, and print the cell; return the exit code."""
    given, trained = read_options(sys.argv[1:])
    experiment, progress = experiment_of(given, trained)
    experiment.run()
    (sample,) = experiment.export_top_models(formatter="dict")
    experiment.stop()
    print(f"after: the cell that is exported has S {progress.stimuli.of_sample(sample):.4f}\n{json.dumps(sample)}")
    if given.output is not None:
        given.output.write_text(json.dumps(sample, indent=1))
    return 0


if __name__ == "__main__":
    with bad_input_ends():
        sys.exit(main())

"""NATOneShot on DARTS's space widened by ``none``: a cell in, a cell out that costs no more; then both trained alone.

    python experiments/nat_oneshot_digits/search.py --output cell.json
    python experiments/nat_oneshot_digits/search.py --small                # seconds of a CPU core, to see it work
    python experiments/nat_oneshot_digits/search.py --data cifar10:~/data/cifar10 --device cuda --output cell.json ...

One supernet is trained, in this process: its weights by the training images, the policy by the validation images. On
digits the cell given and the cell found are then trained from new weights, alike, and judged on images not seen so far.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.evaluator.pytorch import DataLoader, Lightning, Trainer
from nni.nas.hub.pytorch import DARTS
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.space import model_context
from pytorch_lightning import Callback
from torch.utils.data import TensorDataset

from nni_strategies import NATOneShot
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import Architecture
from nni_strategies.nat.input_files import divided, read_architecture
from nni_strategies.nat.policy.make import POLICIES
from nni_strategies.nat.rules import RULES
from nni_strategies.nat.supernet_paths import LEARNED_PATHS
from nni_strategies.report.best import write_atomically
from nni_strategies.report.transform_page import transform_page
from nni_strategies.supernet.checkpoint import refuse_unwritable
from nni_strategies.supernet.seeding import check_seed
from search_spaces.handcrafted_cells import CELLS
from trial_code import digits_training
from trial_code.command_line import bad_input_ends
from trial_code.digits import split_digits
from trial_code.images import Loading, load_images
from trial_code.noisy_digits import Part
from trial_code.one_shot import Batches, Training, held_out
from trial_code.train_supernet import usable_device, usable_threads

DIGITS = "digits"
N_TRAIN = 700  # of the 1,000 digits that are not for testing
OPERATIONS = [*DARTS.DARTS_OPS, "none"]
MOMENTUM, DECAY, CLIP = 0.9, 3e-4, 5.0
SMALL = {"epochs": 2, "width": 4, "retrain_epochs": 2, "retrain_seeds": 1, "k": 3}
LONG = ("before", "after", "changed", "scores")
LEAST = {"epochs": 1, "width": 1, "cells": 3, "batch_size": 2, "holdout": 2, "retrain_epochs": 0, "retrain_seeds": 1}


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises
    ------
    InvalidArgument
        A number out of range, an architecture that is neither a published cell nor a file, or an output that cannot be
        written.
    """
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    p.add_argument("--small", action="store_true", help="hardly any training, to see it work")
    p.add_argument("--data", default=DIGITS, help=f"{DIGITS}, npz:FILE or cifar10:FOLDER; default %(default)s")
    p.add_argument("--arch", default="DARTS", help="a published cell, or a file of a cell; default %(default)s")
    p.add_argument("--output", type=Path, help="file for the cell that is found, as JSON")
    p.add_argument("--report", type=Path, help="file for a page: both cells, drawn")
    p.add_argument("--rule", default="cost", help=f"one of {', '.join(RULES)}; default %(default)s")
    p.add_argument("--paths", choices=LEARNED_PATHS, default="outputs", help="what is learned; default %(default)s")
    p.add_argument("--policy", default="line_graph", help=f"one of {', '.join(POLICIES)}; default %(default)s")
    p.add_argument("--policy-lr", type=float, default=3e-3, help="default %(default)s")
    p.add_argument("--inputs", type=int, default=2, help="architectures a step of the policy; default %(default)s")
    p.add_argument("--outputs", type=int, default=4, help="outputs of each; default %(default)s")
    p.add_argument("-k", type=int, default=10, help="outputs among which is chosen; default %(default)s")
    p.add_argument("--epochs", type=int, default=60, help="default %(default)s")
    p.add_argument("--width", type=int, default=8, help="channels of the first cell; default %(default)s")
    p.add_argument("--cells", type=int, default=3, help="default %(default)s")
    p.add_argument("--batch-size", type=int, default=32, help="default %(default)s")
    p.add_argument("--lr", type=float, default=0.05, help="of the weights, falls to 0 by a cosine; default %(default)s")
    p.add_argument("--holdout", type=int, default=25000, help="validation images, but of digits; default %(default)s")
    p.add_argument("--max-steps", type=int, help="of the weights an epoch at most, but of digits; default: all")
    p.add_argument("--retrain-epochs", type=int, default=60, help="0 for none; default %(default)s")
    p.add_argument("--retrain-seeds", type=int, default=3, help="default %(default)s")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--threads", type=int, default=1, help="CPU threads of torch; default %(default)s")
    p.add_argument("--seed", type=int, default=0)
    if "--small" in words:
        p.set_defaults(**SMALL)
    given = p.parse_args(words)
    for name, least in LEAST.items():
        if getattr(given, name) < least:
            raise InvalidArgument(f"--{name.replace('_', '-')}", getattr(given, name), f"an integer, {least} at least")
    if not 0 < given.lr < math.inf:
        raise InvalidArgument("--lr", given.lr, "a finite number above 0")
    if given.data == DIGITS and given.batch_size > N_TRAIN:
        raise InvalidArgument("--batch-size", given.batch_size, f"at most {N_TRAIN}, the digits to learn from")
    if given.max_steps is not None and (given.data == DIGITS or given.max_steps < 1):
        raise InvalidArgument("--max-steps", given.max_steps, "a positive integer, or absent; absent for digits")
    check_seed(given.seed)
    given.device = usable_device(given.device)
    given.threads = usable_threads(given.threads)
    for name in ("output", "report"):
        if getattr(given, name) is not None:
            refuse_unwritable(getattr(given, name), f"--{name}")
    given.arch = given_architecture(given.arch)
    return given


def given_architecture(name: str) -> Architecture:
    """Return a published cell or that of a file."""
    if name in CELLS:
        return CELLS[name].sample
    path = str(Path(name).expanduser())
    if not divided(path)[0].is_file():
        raise InvalidArgument("--arch", name, f"a file, or one of {list(CELLS)}", CELLS)
    return read_architecture(path, "--arch")


def digits() -> tuple[Part, Part, Part]:
    """Return the images to train on, to validate on and to test on; of three channels, which DARTS's stem reads."""
    images, labels, test, test_labels = split_digits()
    parts = ((images[:N_TRAIN], labels[:N_TRAIN]), (images[N_TRAIN:], labels[N_TRAIN:]), (test, test_labels))
    learned, judged, tested = (Part(each.repeat(3, axis=1), of_each) for each, of_each in parts)
    return learned, judged, tested


def loaders(given: argparse.Namespace) -> tuple[Any, Any, int]:
    """Return what weights learn from, what the policy learns from, and the number of classes."""
    if given.data == DIGITS:
        learned, judged, _ = (
            TensorDataset(torch.from_numpy(part.images), torch.from_numpy(part.labels)) for part in digits()
        )
        shuffled = torch.Generator().manual_seed(given.seed)
        train = DataLoader(learned, batch_size=given.batch_size, shuffle=True, drop_last=True, generator=shuffled)
        return train, DataLoader(judged, batch_size=150), 10
    images = load_images(given.data, Loading(given.batch_size, given.holdout, 0, given.seed, given.device))
    learned = Batches(images, given.max_steps)
    return DataLoader(learned, batch_size=None), DataLoader(held_out(images), batch_size=256), images.n_classes


class Progress(Callback):
    """Prints what an epoch saw: of weights the last step, on a path of its own; of the policy the mean."""

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        metrics = trainer.callback_metrics  # of the policy there are none where the supernet has diverged
        seen = {name: round(float(metrics[name]), 4) for name in SEEN if name in metrics}
        print(f"epoch {trainer.current_epoch + 1}: {json.dumps(seen)}", flush=True)


SEEN = ("train_acc", "nat/reward", "nat/entropy")


def space_of(given: argparse.Namespace) -> NDS:
    """Return the model space; within a ``model_context`` the network of a sample."""
    return NDS(OPERATIONS, num_nodes_per_cell=4, width=given.width, num_cells=given.cells, dataset="cifar")


def experiment_of(given: argparse.Namespace) -> NasExperiment:
    """Return the experiment that the options describe, not started yet."""
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    train, valid, n_classes = loaders(given)
    strategy = NATOneShot(
        given.arch, rule=given.rule, paths=given.paths, policy=given.policy, learning_rate=given.policy_lr,
        n_inputs=given.inputs, n_outputs=given.outputs, k=given.k, gradient_clip_val=CLIP, seed=given.seed,
    )  # fmt: skip
    kind, _, number = given.device.partition(":")
    trainer = Trainer(
        max_epochs=given.epochs,
        accelerator="cpu" if kind == "cpu" else "gpu",
        devices=[int(number)] if number else 1,
        callbacks=[Progress()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=1,  # of Lightning's own loop, which only reports
        num_sanity_val_steps=0,
    )
    evaluator = Lightning(Training(given.lr, MOMENTUM, DECAY, given.epochs, n_classes), trainer, train, valid)
    return NasExperiment(space_of(given), evaluator, strategy)


def trained_alone(given: argparse.Namespace, sample: dict[str, Any]) -> list[float]:
    """Return the test accuracies of a cell, trained on digits from new weights, by seed."""
    learned, _, judged = digits()
    reached = []
    for seed in range(given.retrain_seeds):
        torch.manual_seed(seed)
        with model_context(sample):
            network = space_of(given)
        digits_training.train(network, learned, given.retrain_epochs, seed, batch_size=given.batch_size)
        reached.append(round(digits_training.accuracy(network, judged), 4))
    return reached


def main(words: Sequence[str]) -> dict[str, Any]:
    """Transform, train both cells alone; print and return what came of it."""
    given = read_options(words)
    experiment = experiment_of(given)
    started = time.monotonic()
    try:
        experiment.run()
        found = experiment.strategy.transformed
    finally:
        experiment.stop()
    result = {**json.loads(found.to_json()), "seconds": round(time.monotonic() - started, 1)}
    for change in found.changed:
        print(f"{change.cell}: {change.source} -> {change.node}  {change.before} becomes {change.after}")
    if given.data == DIGITS and given.retrain_epochs:
        result["alone_before"] = trained_alone(given, found.before)
        same = found.after == found.before
        result["alone_after"] = result["alone_before"] if same else trained_alone(given, found.after)
    if given.output is not None:
        write_atomically(given.output, json.dumps(found.after, indent=1) + "\n")
    if given.report is not None:
        alone = [", ".join(map(str, result.get(f"alone_{when}", ()))) or "not trained" for when in ("before", "after")]
        write_atomically(given.report, transform_page(result, "NATOneShot", [("accuracy alone", *alone)]))
    print(json.dumps({name: value for name, value in result.items() if name not in LONG}))
    return result


if __name__ == "__main__":
    with bad_input_ends():
        main(sys.argv[1:])

"""Train one network of NNI's NASNet or DARTS hub space: as a proxy in a trial, or to the end once it was chosen.

    python -m trial_code.train_nasnet --data npz:…/cifar10.npz --epochs 20              # in an NNI trial
    python -m trial_code.train_nasnet --data … --arch best.json --preset retrain        # the winner, alone

Read it top to bottom: options, architecture, model, schedule, loop, result. The training recipe is the
field's usual one for this space (DARTS, Liu et al. 2019): SGD with momentum, cosine schedule, cutout,
scheduled drop-path, an auxiliary head of weight 0.4, gradients clipped at 5; EMA of the weights is optional.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import nni
import torch
from torch import nn
from torch.optim import swa_utils

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument
from trial_code.checkpoint import resume, save
from trial_code.command_line import MOST_THREADS, bad_input_ends
from trial_code.images import Images, Loading, load_images
from trial_code.measure import measure
from trial_code.parameters import next_parameters

HUB = ("nasnet", "darts")
#: options of one network's training that a supernet's has no use for
OF_ONE_NETWORK = (
    "space", "arch", "checkpoint", "drop_path", "auxiliary", "ema", "optimizer", "decay_at", "decay", "compile"
)  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    # Every candidate alike and cheap: enough epochs to rank, no regularisers that only pay off later.
    "proxy": {"epochs": 20, "width": 16, "cells": 8, "drop_path": 0.0, "auxiliary": 0.0, "ema": 0.0, "holdout": 5000},
    # The chosen one, at full size, validated on the test set.
    "retrain": {
        **{"epochs": 600, "width": 36, "cells": 20},
        **{"drop_path": 0.2, "auxiliary": 0.4, "ema": 0.9999, "holdout": 0},
    },
}


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; a preset fills in what was not given."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="npz:FILE, cifar10:FOLDER, cifar100:FOLDER or imagenet:FOLDER")
    p.add_argument("--arch", type=Path, help="JSON of a sample or a best.json; default: ask NNI for the parameters")
    p.add_argument("--space", choices=HUB, default=HUB[0], help="NNI's space that the architecture is of")
    p.add_argument("--preset", choices=sorted(PRESETS), default="proxy")
    p.add_argument("--epochs", type=int, help="full passes over the training images")
    p.add_argument("--width", type=int, help="channels of the first cells")
    p.add_argument("--cells", type=int, help="number of cells")
    p.add_argument("--drop-path", type=float, help="drop-path probability, rises linearly from 0: epoch / epochs of it")
    p.add_argument("--auxiliary", type=float, help="weight of the auxiliary head's loss, 0 for no head")
    p.add_argument("--ema", type=float, help="decay of the weights' moving average, 0 for none")
    p.add_argument("--holdout", type=int, help="training images held out for validation, 0: use the test set")
    p.add_argument("--batch-size", type=int, default=96)
    p.add_argument("--lr", type=float, default=0.025)
    p.add_argument("--decay-at", type=int, nargs="+", metavar="EPOCH", help="where the rate drops; default: a cosine")
    p.add_argument("--decay", type=float, default=0.1, help="what the learning rate is multiplied by at --decay-at")
    p.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd")
    p.add_argument("--momentum", type=float, default=0.9, help="of SGD")
    p.add_argument("--weight-decay", type=float, default=3e-4)
    p.add_argument("--cutout", type=int, default=16, help="side in pixels, 0 for none")
    p.add_argument("--amp", action="store_true", help="mixed precision: float16 on a GPU, bfloat16 on a CPU")
    p.add_argument("--compile", action="store_true", help="torch.compile with CUDA graphs: slow at first, then fast")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    p.add_argument("--workers", type=int, default=2, help="loader processes, for folders")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--max-steps", type=int, help="stop each epoch, and each validation, after so many batches")
    p.add_argument("--judge-last", action="store_true", help="judge after the last epoch only, not after each")
    p.add_argument("--checkpoint", type=Path, help="file to save to every epoch; default: NNI's trial folder")
    given = p.parse_args(arguments)
    for name, value in PRESETS[given.preset].items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    refuse_bad(given)
    if given.device == "auto":
        given.device = "cuda" if torch.cuda.is_available() else "cpu"
    if given.checkpoint is None and os.environ.get("NNI_OUTPUT_DIR"):
        given.checkpoint = Path(os.environ["NNI_OUTPUT_DIR"]) / "checkpoint.pt"
    return given


def refuse_bad(given: argparse.Namespace) -> None:
    """Raise `InvalidArgument` for the first option out of its range; comparisons are such that NaN is refused."""
    ranges: dict[str, tuple[Callable[[Any], bool], str]] = {
        **dict.fromkeys(("epochs", "width"), (lambda v: v >= 1, "a positive integer")),
        "threads": (lambda v: 1 <= v <= MOST_THREADS, f"1 to {MOST_THREADS}"),
        "cells": (lambda v: v >= 3, "at least 3, one for each of the three stages"),
        "batch_size": (lambda v: v >= 2, "at least 2, batch norm cannot do with one image"),
        "max_steps": (lambda v: v is None or v >= 1, "a positive integer, or absent"),
        **dict.fromkeys(("holdout", "cutout", "workers"), (lambda v: v >= 0, "at least 0")),
        **dict.fromkeys(("drop_path", "ema", "momentum"), (lambda v: 0 <= v < 1, "at least 0, below 1")),
        "lr": (lambda v: 0 < v < math.inf, "a finite number above 0"),
        "decay": (lambda v: 0 < v <= 1, "above 0, at most 1"),
        "decay_at": (lambda v: v is None or min(v) >= 1, "numbers of epochs from 1, or absent"),
        **dict.fromkeys(("auxiliary", "weight_decay"), (lambda v: 0 <= v < math.inf, "a finite number, at least 0")),
        "seed": (lambda v: 0 <= v < 2**32, "0 to 4294967295"),
        "device": (lambda v: re.fullmatch(r"auto|cpu|cuda(:\d+)?", v) is not None, "auto, cpu, cuda or cuda:NUMBER"),
    }
    for name, (fits, allowed) in ranges.items():
        if not fits(getattr(given, name)):
            raise InvalidArgument(f"--{name.replace('_', '-')}", getattr(given, name), allowed)
    if given.compile and given.drop_path:
        raise InvalidArgument("--compile", True, "absent with --drop-path, whose every epoch would be compiled anew")
    if given.device.startswith("cuda"):
        number, there = int(given.device[5:] or 0), torch.cuda.device_count() if torch.cuda.is_available() else 0
        if number >= there:
            raise InvalidArgument("--device", given.device, f"cpu, or a GPU that torch can use here; there are {there}")


def refuse_given(given: argparse.Namespace, names: Iterable[str], allowed: str) -> None:
    """Raise `InvalidArgument` for the first of these options that is not at its default, for scripts without them."""
    usual = options(["--data", given.data])
    for name in names:
        value = getattr(given, name)
        if value != getattr(usual, name):
            shown = str(value) if isinstance(value, Path) else value
            raise InvalidArgument(f"--{name.replace('_', '-')}", shown, allowed)


def recipe_of(given: argparse.Namespace, images: Images) -> dict[str, Any]:
    """Return what shapes the model and its training, plain values; a checkpoint is taken up with the same only."""
    names = ("epochs", "lr", "momentum", "weight_decay", "batch_size", "width", "cells", "auxiliary", "drop_path")
    more = ("ema", "cutout", "holdout", "seed", "optimizer", "decay", "decay_at")
    recipe = {name: getattr(given, name) for name in names + more}
    options = {f"--{name.replace('_', '-')}": value for name, value in recipe.items()}
    return {**options, "classes of --data": images.n_classes, "image shape of --data": list(images.input_shape)}


def read_architecture(path: Path | None) -> dict[str, Any]:
    """Return a sample of a space of the hub, from a file or from NNI.

    In an `nnictl` search space an input is an integer; in the hub's samples it is a list of one.
    """
    if path is not None:
        try:
            sample = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InvalidArgument("--arch", str(path), f"a readable JSON file ({error})") from None
        sample = sample.get("configuration", sample) if isinstance(sample, dict) else sample
    else:
        sample = next_parameters()
    if not isinstance(sample, dict) or not sample:
        raise InvalidArgument("architecture", sample, "a dictionary label -> operation or input")
    return {
        label: [value] if "/input_" in label and isinstance(value, int) else value
        for label, value in sample.items()
        if label not in ("width", "depth")  # these are options here, the same for every candidate
    }


def build(sample: dict[str, Any], given: argparse.Namespace, images: Images) -> Any:
    """Return the network of a sample, at the wished width and depth, for the data set's classes.

    Raises
    ------
    InvalidArgument
        The sample is not of the space; the message is NNI's, with the label.
    """
    load_torchvision()  # NNI's hub imports it
    import nni.nas.hub.pytorch.nasnet as nasnet

    family = {"nasnet": nasnet.NASNet, "darts": nasnet.DARTS}[given.space]
    arguments = space_arguments(given, images)
    if given.space == "darts" and "none" in sample.values():  # which the hub's space lacks
        space: Any = nasnet.NDS([*family.DARTS_OPS, "none"], num_nodes_per_cell=4, **arguments)
    else:
        space = family(**arguments)
    whole = {**sample, "width": given.width, "depth": given.cells}
    problem = space.check_contains(whole)
    if problem is not None:
        raise InvalidArgument("architecture", sample, f"a sample of the {family.__name__} space ({problem})")
    return fit_heads(space.freeze(whole), given, images)


def space_arguments(given: argparse.Namespace, images: Images) -> dict[str, Any]:
    """Return what the hub's spaces are built from: width, depth and drop-path as wished, the stem for the image size.

    The "imagenet" stem divides height and width by 8 before the first cell; images of up to 64 pixels get "cifar".
    """
    family = "imagenet" if images.input_shape[1] > 64 else "cifar"
    if family == "imagenet" and given.width % 2:
        raise InvalidArgument("--width", given.width, "even, for images of more than 64 pixels: their stem halves it")
    return {
        "width": (given.width,),
        "num_cells": (given.cells,),
        "dataset": family,
        "drop_path_prob": given.drop_path,
    }


def fit_heads(model: Any, given: argparse.Namespace, images: Images) -> Any:
    """Give a frozen network the classifier of the data set's classes, and the auxiliary head when one is wished."""
    import nni.nas.hub.pytorch.nasnet as nasnet

    if model.classifier.out_features != images.n_classes:
        model.classifier = nn.Linear(model.classifier.in_features, images.n_classes)
    if given.auxiliary:
        # Not by NNI: its spaces refuse the head before they are frozen, and size it for the last cell of the stage
        # but attach it to the first, which may be wider.
        channels = len(model.stages[2][0].output_node_indices) * given.width * 4
        model.auxiliary_head = nasnet.AuxiliaryHead(channels, images.n_classes, dataset=model.dataset)
        model.auxiliary_loss = True
        # The hub's head fits one size of image a stem; from others the cell's output is pooled to what that size gives.
        size, side = (32, 8) if model.dataset == "cifar" else (224, 7)
        if images.input_shape[1:] != (size, size):
            model.auxiliary_head.features[1] = nn.Sequential(
                nn.AdaptiveAvgPool2d(side), model.auxiliary_head.features[1]
            )
    return model


def evaluate(model: nn.Module, images: Images, max_steps: int | None) -> float:
    """Return the accuracy on the held-out images (of the first `max_steps` batches), 0..1."""
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in itertools.islice(images.valid_batches(), max_steps):
            right += int((model(x).argmax(1) == y).sum())
            total += len(y)
    return right / max(1, total)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train the network that the command line or NNI asks for; return the final metrics."""
    given = options(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    sample = read_architecture(given.arch)
    images = open_images(given)
    return train(build(sample, given, images), images, given, sample)


def open_images(given: argparse.Namespace) -> Images:
    """Open the data set that the options name."""
    loading = Loading(given.batch_size, given.holdout, given.cutout, given.seed, given.device, given.workers)
    return load_images(given.data, loading)


def evaluate_candidate(model: Any, arguments: list[str]) -> None:
    """Train a candidate of an NNI NAS experiment: the function of a `FunctionalEvaluator`.

    Parameters
    ----------
    model
        The frozen network, of a space built from `space_arguments`.
    arguments
        The command line of this script, without ``--arch``.
    """
    given = options(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    images = open_images(given)
    model = fit_heads(model, given, images)
    draw_weights(model)
    train(model, images, given, sample={})  # the checkpoint lies in the trial's own folder: no mix-up


def draw_weights(model: Any) -> None:
    """Draw the weights anew: NNI built the network before the seed was set."""
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def optimizer_of(model: nn.Module, given: argparse.Namespace) -> torch.optim.Optimizer:
    """Return what changes the weights."""
    if given.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), given.lr, weight_decay=given.weight_decay)
    return torch.optim.SGD(
        model.parameters(),
        given.lr,
        momentum=given.momentum,
        weight_decay=given.weight_decay,
        nesterov=given.momentum > 0,  # there is none without momentum
    )


def learning_rate(given: argparse.Namespace, epoch: int, part: float) -> float:
    """Return the learning rate within an epoch; of the place alone: --max-steps may differ after a resume."""
    if given.decay_at is not None:
        return float(given.lr * given.decay ** sum(epoch >= at for at in given.decay_at))
    return float(given.lr * (1 + math.cos(math.pi * (epoch + part) / given.epochs)) / 2)


def train(
    model: Any,
    images: Images,
    given: argparse.Namespace,
    sample: dict[str, Any],
    measured: Callable[[], Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Train a network, report each epoch and the end to NNI, return the final metrics.

    Without an experiment NNI prints the reports.

    Parameters
    ----------
    measured
        Gives more final metrics of the trained network, in place of those of the same name.
    """
    model = model.to(given.device)
    optimizer = optimizer_of(model, given)
    steps = min(images.steps_per_epoch, given.max_steps or sys.maxsize)
    averaged = None
    if given.ema:
        decay: Any = swa_utils.get_ema_multi_avg_fn(given.ema)  # type: ignore[no-untyped-call]  # torch has no types here
        averaged = swa_utils.AveragedModel(model, multi_avg_fn=decay, use_buffers=True)
    kind = torch.device(given.device).type
    scaler = torch.amp.GradScaler(kind, enabled=given.amp and kind == "cuda")
    precision = torch.float16 if kind == "cuda" else torch.bfloat16
    loss_of = nn.CrossEntropyLoss()

    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "scaler": scaler}
    if averaged is not None:
        parts["averaged"] = averaged
    forward = torch.compile(model, mode="reduce-overhead") if given.compile else model
    recipe = recipe_of(given, images)
    first_epoch, best, spent = resume(given.checkpoint, parts, sample, recipe, given.device)

    accuracy = None
    for epoch in range(first_epoch, given.epochs):
        started = time.monotonic()
        if given.drop_path:
            model.set_drop_path_prob(given.drop_path * epoch / given.epochs)
        model.train()
        total_loss = torch.zeros((), dtype=torch.float64, device=given.device)  # a float would wait for every step
        for step, (x, y) in enumerate(images.train_batches(epoch)):
            if step >= steps:
                break
            optimizer.param_groups[0]["lr"] = learning_rate(given, epoch, step / steps)
            with torch.autocast(kind, dtype=precision, enabled=given.amp):
                out = forward(x)
                logits, extra = out if isinstance(out, tuple) else (out, None)
                loss = loss_of(logits, y)
                if extra is not None:
                    loss = loss + given.auxiliary * loss_of(extra, y)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            scaler.step(optimizer)
            scaler.update()
            if averaged is not None:
                averaged.update_parameters(model)
            total_loss += loss.detach()
        spent += time.monotonic() - started
        line = {"train_loss": float(total_loss) / steps, "seconds": spent}
        if given.judge_last and epoch + 1 < given.epochs:
            print(json.dumps({"epoch": epoch + 1, **line}), flush=True)
        else:
            accuracy = evaluate(averaged if averaged is not None else model, images, given.max_steps)
            best = max(best, accuracy)
            nni.report_intermediate_result({"default": accuracy, **line})
        if given.checkpoint is not None:
            states = {name: part.state_dict() for name, part in parts.items()}
            cuda = torch.cuda.get_rng_state(given.device) if kind == "cuda" else None
            so_far = {"epoch": epoch + 1, "best": best, "spent": spent, "sample": sample, "recipe": recipe}
            save(given.checkpoint, {**states, **so_far, "rng": torch.get_rng_state(), "cuda_rng": cuda})

    if accuracy is None:  # the checkpoint was one of finished training
        accuracy = evaluate(averaged if averaged is not None else model, images, given.max_steps)
    result = {"default": accuracy, "accuracy": accuracy, "best_epoch_accuracy": best, "train_seconds": spent}
    # Of trained weights: activations of others may be denormal numbers, which are slow. The auxiliary head is no cost.
    result.update(measure(model, images.input_shape, given.device))
    if measured is not None:
        result.update(measured())
    nni.report_final_result(result)
    return result


if __name__ == "__main__":
    with bad_input_ends():
        main()

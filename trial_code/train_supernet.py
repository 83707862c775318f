"""Train a supernet: all architectures of a model space at once, with shared weights, by uniform paths.

    python -m trial_code.train_supernet --space digits_cell --data noisy_digits --width 8 --checkpoint d.safetensors
    python -m trial_code.train_supernet --space lanas --data npz:…/cifar10.npz --precision bfloat16 --checkpoint …

Every epoch is saved; the same command goes on where a kill left it. `trial_code.score_supernet` judges by the file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.precision import PRECISIONS
from nni_strategies.supernet.scorer import Scorer
from nni_strategies.supernet.training import Recipe, train, uniform_paths
from trial_code.command_line import MOST_THREADS, bad_input_ends
from trial_code.images import Loading, Shortened
from trial_code.supernet_spaces import FAMILIES, fingerprint, open_images, space_of

_LOOKED_AT = 20  # architectures, when the training is over


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--space", required=True, help=f"one of {', '.join(FAMILIES)}")
    p.add_argument("--data", required=True, help="noisy_digits, npz:FILE, cifar10:FOLDER, cifar100:FOLDER")
    p.add_argument("--checkpoint", type=Path, required=True, help="file the supernet is saved to, and resumed from")
    p.add_argument("--width", type=int, default=16, help="channels of the first cells; default %(default)s")
    p.add_argument("--cells", type=int, default=8, help="number of cells; default %(default)s")
    p.add_argument("--epochs", type=int, default=150, help="default %(default)s")
    p.add_argument("--batch-size", type=int, default=96)
    p.add_argument("--lr", type=float, default=0.05)
    p.add_argument("--last-lr", type=float, default=0.0, help="what the learning rate falls to")
    p.add_argument("--momentum", type=float, default=0.9)
    p.add_argument("--weight-decay", type=float, default=3e-4)
    p.add_argument("--cutout", type=int, default=0, help="side in pixels, 0 for none")
    p.add_argument("--holdout", type=int, default=5000, help="training images held out, by which is judged")
    p.add_argument("--precision", default="float32", help=f"one of {', '.join(PRECISIONS)}")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--max-steps", type=int, help="cut every epoch, and the judging, to so many batches")
    given = p.parse_args(arguments)
    for name, least in {"width": 1, "cells": 1, "batch_size": 2, "cutout": 0, "holdout": 2}.items():
        if getattr(given, name) < least:
            raise InvalidArgument(f"--{name.replace('_', '-')}", getattr(given, name), f"an integer, {least} at least")
    if given.max_steps is not None and given.max_steps < 1:
        raise InvalidArgument("--max-steps", given.max_steps, "a positive integer")
    given.device = usable_device(given.device)
    given.threads = usable_threads(given.threads)
    return given


def usable_device(name: str) -> str:
    """Return the device to use: ``auto`` is a GPU where there is one.

    Raises
    ------
    InvalidArgument
        A name that is none, or a GPU that torch does not find here.
    """
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", name) is None:
        raise InvalidArgument("--device", name, "auto, cpu, cuda or cuda:NUMBER")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if there else "cpu"
    if name.startswith("cuda") and int(name[5:] or 0) >= there:
        raise InvalidArgument("--device", name, f"cpu, or a GPU that torch can use here; there are {there}")
    return name


def usable_threads(number: int) -> int:
    """Return a number of CPU threads; torch crashes where the system cannot start so many.

    Raises
    ------
    InvalidArgument
        None, or more than 1,024.
    """
    if not 1 <= number <= MOST_THREADS:
        raise InvalidArgument("--threads", number, f"1 to {MOST_THREADS}")
    return number


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train, or go on; print and return what some architectures score."""
    given = options(arguments)
    recipe = Recipe(
        epochs=given.epochs, learning_rate=given.lr, last_rate=given.last_lr, momentum=given.momentum,
        weight_decay=given.weight_decay, precision=given.precision, seed=given.seed,
    )  # fmt: skip
    torch.set_num_threads(given.threads)
    images = open_images(given.data, Loading(given.batch_size, given.holdout, given.cutout, given.seed, given.device))
    make, built_with = space_of(given.space, given.width, given.cells, images)
    supernet = Supernet.built(lambda: make(**built_with), given.seed).to(given.device)
    judged = itertools.islice(images.valid_batches(), given.max_steps)
    scorer = Scorer(supernet, judged, precision=given.precision)  # what does not fit is found here
    kept = ("space", "width", "cells", "batch_size", "holdout", "cutout", "seed", "max_steps")
    started = time.monotonic()

    def say(epoch: int, loss: float) -> None:
        line = {"epoch": epoch, "loss": round(loss, 4), "seconds": round(time.monotonic() - started, 1)}
        print(json.dumps(line), flush=True)

    train(
        supernet, Shortened(images, given.max_steps), recipe, checkpoint=given.checkpoint,
        about={**{name: getattr(given, name) for name in kept}, "data": fingerprint(images)}, after_epoch=say,
    )  # fmt: skip
    scores = scorer.scores(uniform_paths(supernet.space, np.random.default_rng(given.seed), _LOOKED_AT))
    result = {"supernet": str(given.checkpoint), "architectures": _LOOKED_AT, "mean_score": float(scores.mean()),
              "least": float(scores.min()), "most": float(scores.max())}  # fmt: skip
    print(json.dumps(result), flush=True)
    return result


if __name__ == "__main__":
    with bad_input_ends():
        main()

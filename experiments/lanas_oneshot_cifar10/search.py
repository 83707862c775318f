"""One-shot LaNAS on CIFAR-10: a supernet of the paper's 160-bit space, LaNAS on its scores, the best retrained alone.

    python experiments/lanas_oneshot_cifar10/search.py --output output/oneshot --data cifar10:~/data/cifar10
    python experiments/lanas_oneshot_cifar10/search.py --output output/small --small          # on a CPU core

The same command goes on where it was killed. What follows ``--`` goes to the retraining
(`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch

from nni_strategies import LaNAS
from nni_strategies.errors import InvalidArgument
from nni_strategies.report.best import write_atomically
from trial_code import search_program, train_nasnet, train_supernet
from trial_code.command_line import bad_input_ends
from trial_code.images import Loading
from trial_code.supernet_search import best_of, journal_of, stand_alone
from trial_code.supernet_spaces import open_images, space_of

SPACE = "lanas"
FULL: dict[str, Any] = {"width": 16, "cells": 8, "epochs": 150, "batch_size": 128, "trials": 2000, "top": 3}
SMALL = {"width": 2, "cells": 3, "epochs": 1, "batch_size": 16, "trials": 6, "top": 1, "max_steps": 3}
RETRAIN = ["--preset", "retrain", "--drop-path", "0", "--auxiliary", "0"]  # the heads and paths are the hub's
SMALL_RETRAIN = ["--epochs", "1", "--width", "2", "--cells", "3", "--max-steps", "2", "--ema", "0"]


def read_options(words: Sequence[str]) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Return the options of the search, and those of the retraining."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    p.add_argument("--output", type=Path, required=True, help="folder for the supernet, the journal, and result.json")
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--width", type=int, help="channels of the supernet's first cells")
    p.add_argument("--cells", type=int, help="of the supernet")
    p.add_argument("--epochs", type=int, help="of the supernet")
    p.add_argument("--batch-size", type=int, help="of the supernet")
    p.add_argument("--trials", type=int, help="candidates that LaNAS scores")
    p.add_argument("--top", type=int, help="how many are retrained")
    p.add_argument("--holdout", type=int, default=5000, help="training images by which is scored; default %(default)s")
    p.add_argument("--precision", default="float32", help="of the supernet: float32 or bfloat16")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--max-steps", type=int, help="cut every epoch, and each judging, to so many batches")
    p.add_argument("--small", action="store_true", help="a tiny supernet, a few steps, no GPU")
    mine, rest = search_program.split(list(words))
    p.set_defaults(**(SMALL if "--small" in mine else FULL))
    given = p.parse_args(mine)
    for name in ("trials", "top"):
        if getattr(given, name) < 1:
            raise InvalidArgument(f"--{name}", getattr(given, name), "a positive integer")
    given.data = given.data or search_program.jpeg_copy()
    given.device = train_supernet.usable_device("cpu" if given.small else given.device)
    size = SMALL_RETRAIN if given.small else []
    retraining = train_nasnet.options(["--data", given.data, "--device", given.device, *RETRAIN, *size, *rest])
    unused = ("space", "arch", "checkpoint", "drop_path", "auxiliary")
    usual = train_nasnet.options(["--data", given.data, *RETRAIN])
    for name in unused:
        if getattr(retraining, name) != getattr(usual, name):
            allowed = "absent: the search says what is retrained, and this space has no such part"
            raise InvalidArgument(f"--{name.replace('_', '-')}", str(getattr(retraining, name)), allowed)
    return given, retraining


def retrain(space: Any, sample: dict[str, Any], options: argparse.Namespace, checkpoint: Path) -> dict[str, Any]:
    """Train the network of a sample at full size; return the final metrics."""
    torch.manual_seed(options.seed)
    images = train_nasnet.open_images(options)
    network = stand_alone(space, sample, width=options.width, cells=options.cells)
    options.checkpoint = checkpoint
    return train_nasnet.train(network, images, options, sample)


def main(words: Sequence[str]) -> dict[str, Any]:
    """Train a supernet, search its scores, retrain the best; return and print what came of it."""
    given, retraining = read_options(words)
    torch.set_num_threads(retraining.threads)
    checkpoint = given.output / "supernet.safetensors"
    sizes = ("width", "cells", "epochs", "batch_size", "seed", "precision", "device", "max_steps", "holdout")
    options = [(f"--{name.replace('_', '-')}", getattr(given, name)) for name in sizes]
    words_of_size = [word for name, value in options if value is not None for word in (name, str(value))]
    train_supernet.main(["--space", SPACE, "--data", given.data, "--checkpoint", str(checkpoint), *words_of_size])
    images = open_images(given.data, Loading(given.batch_size, given.holdout))
    space = space_of(SPACE, given.width, given.cells, images)
    scoring = ["--supernet", str(checkpoint), "--data", given.data, "--device", given.device]
    scoring += ["--precision", given.precision, *(["--batches", str(given.max_steps)] if given.max_steps else [])]
    strategy = LaNAS(seed=given.seed, journal=journal_of(checkpoint))
    found = []
    for number, (score, sample) in enumerate(best_of(strategy, space, scoring, given.trials, given.top)):
        metrics = retrain(space, sample, retraining, given.output / f"retrain_{number}.pt")
        found.append({"score": score, "sample": sample, **metrics})
        print(f"score {score:.4f}, alone {metrics['accuracy']:.4f}, {metrics['params']:.0f} parameters", flush=True)
        write_atomically(given.output / "result.json", json.dumps(found, indent=1))
    return {"architectures": found}


if __name__ == "__main__":
    with bad_input_ends():
        main(sys.argv[1:])

"""Train one network of a teacher-guided search on CIFAR-10: as a trial under `nnictl`, or to the end once chosen.

    python -m trial_code.train_guided_cifar10 --preset retrain --data … --arch best.json         # the winner, alone
    python -m trial_code.train_guided_cifar10 --space layered --epochs 2 --data … --teacher …    # in an NNI trial

The training is that of :mod:`.train_nasnet`, whose options these are too; here are the spaces: ``pnas``, of NNI's hub,
and ``layered``, the sequential networks of `search_spaces.layered_conv`. In a NAS experiment
(`experiments/rsa_cifar10_cell/search.py`) NNI builds the network and a `TeacherGuidedEvaluator` judges it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import torch

from nni_strategies.errors import InvalidArgument
from trial_code import train_nasnet
from trial_code.command_line import bad_input_ends
from trial_code.images import Images
from trial_code.parameters import next_parameters

SPACES = ("pnas", "layered")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line: what is asked for here, and the options of the training script."""
    words = sys.argv[1:] if arguments is None else arguments
    p = argparse.ArgumentParser(add_help=False, allow_abbrev=False, usage="%(prog)s [these] [the training's]")
    p.add_argument("--space", choices=SPACES, default=SPACES[0])
    p.add_argument("--teacher", type=Path, help="a teacher's JSON file, to be judged by it too")
    if {"-h", "--help"} & {*words}:
        p.print_help()
    mine, rest = p.parse_known_args(words)
    if mine.space == "layered":  # the presets are for cells
        rest = ["--drop-path", "0", "--auxiliary", "0", *rest]
    given = train_nasnet.options(rest)
    given.space, given.teacher = mine.space, mine.teacher
    for name in ("drop_path", "auxiliary"):
        if mine.space == "layered" and getattr(given, name):
            raise InvalidArgument(f"--{name.replace('_', '-')}", getattr(given, name), "0 for layered networks")
    return given


def pnas_space(given: argparse.Namespace, images: Images) -> Any:
    """Return the hub's PNAS space at the options' width and depth, with the stem for the images' size."""
    import nni_strategies.bridge.torchvision_first  # noqa: F401  # NNI's hub imports torchvision

    # isort: split
    from nni.nas.hub.pytorch import PNAS

    return PNAS(**train_nasnet.space_arguments(given, images))


def read_architecture(given: argparse.Namespace) -> dict[str, Any]:
    """Return a sample of the space, from a file or from NNI; best.json of a report will do.

    Raises
    ------
    InvalidArgument
        It is no dictionary, or the file cannot be read.
    """
    if given.space == "pnas":
        return train_nasnet.read_architecture(given.arch)
    from search_spaces.layered_conv import configuration_of

    if given.arch is None:
        return configuration_of(next_parameters())
    try:
        sample = json.loads(given.arch.read_text())
    except (OSError, ValueError) as error:
        raise InvalidArgument("--arch", str(given.arch), f"a readable JSON file ({error})") from None
    sample = sample.get("configuration", sample) if isinstance(sample, dict) else sample
    if not isinstance(sample, dict):
        raise InvalidArgument("architecture", sample, "a dictionary label -> value")
    return configuration_of(sample)


def build(sample: dict[str, Any], given: argparse.Namespace, images: Images) -> Any:
    """Return the network of a sample, at the wished width and depth, for the data set's classes.

    Raises
    ------
    InvalidArgument
        The sample is not of the space.
    """
    if given.space == "layered":
        from search_spaces.layered_conv import LayeredConvNet

        return LayeredConvNet(sample, n_classes=images.n_classes)
    space = pnas_space(given, images)
    whole = {**sample, "width": given.width, "depth": given.cells}
    problem = space.check_contains(whole)
    if problem is not None:
        raise InvalidArgument("architecture", sample, f"a sample of the PNAS space ({problem})")
    return train_nasnet.fit_heads(space.freeze(whole), given, images)


def main(arguments: list[str] | None = None) -> None:
    """Train the network that the command line or NNI asks for."""
    given = options(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    sample = read_architecture(given)
    guide: Any = None
    if given.teacher is not None:
        from nni_strategies.rsa.trial import Guide

        guide = Guide.from_file(given.teacher, proxy_epochs=None, every=1)
    images = train_nasnet.open_images(given)
    network = build(sample, given, images)
    with guide.attach(network) if guide is not None else contextlib.nullcontext():
        train_nasnet.train(network, images, given, sample)


if __name__ == "__main__":
    with bad_input_ends():
        main()

"""Train one network of NSC blocks: as a candidate in a trial, or to the end once it was chosen.

    python -m trial_code.train_nsc --preset retrain --data … --arch best.json        # the winner, alone

The training loop is that of :mod:`.train_nasnet`, whose options these are too; here are the networks
(`search_spaces/nsc_stacks.py`) and the settings that go with the Q-learning of BlockQNN, on whose agent IRLAS stands:
candidates by Adam for 12 epochs, the learning rate multiplied by 0.2 every five; the chosen one by SGD for 300, divided
by 10 at 150 and 225. In a NAS experiment (`experiments/irlas_cifar10/search.py`) NNI builds the network.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency import LatencyMeter
from nni_strategies.topology.nsc import configuration_block
from nni_strategies.topology.nsc_graph import CONVOLUTIONS
from nni_strategies.topology.nsc_space import nsc_space
from search_spaces.nsc_block import check_convolution
from search_spaces.nsc_stacks import STAGES, Stack, stages
from trial_code import train_nasnet
from trial_code.command_line import bad_input_ends
from trial_code.images import Images

#: Options of the training script.
PRESETS: dict[str, str] = {
    "proxy": "--epochs 12 --batch-size 256 --lr 0.001 --decay-at 5 10 --decay 0.2 --weight-decay 0 --optimizer adam",
    "retrain": "--epochs 300 --batch-size 128 --lr 0.1 --decay-at 150 225 --decay 0.1 --weight-decay 5e-4 --holdout 0",
}
NASNETS = ("space", "width", "cells", "drop_path", "auxiliary")  # options of the training script, but not here
GPU_BATCH = 16  # images whose latency is measured on a GPU, where one would leave it idle


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line: what is asked for here, and the options of the training script.

    Raises
    ------
    InvalidArgument
        A network that cannot be built, or an option out of its range.
    """
    words = sys.argv[1:] if arguments is None else arguments
    p = argparse.ArgumentParser(add_help=False, allow_abbrev=False, usage="%(prog)s [these] [the training's]")
    p.add_argument("--preset", choices=sorted(PRESETS), default="proxy")
    p.add_argument("--stack", choices=sorted(STAGES), default="cifar", help="what the blocks stand in")
    p.add_argument("--N", type=int, nargs="+", help="blocks of each stage; default: those of the stack")
    p.add_argument("--widths", type=int, nargs="+", help="channels of each stage; default: those of the stack")
    p.add_argument("--conv", choices=CONVOLUTIONS, default="plain", help="what convolutions are")
    if {"-h", "--help"} & {*words}:
        p.print_help()
    mine, rest = p.parse_known_args(words)
    given = train_nasnet.options(["--cutout", "0", *PRESETS[mine.preset].split(), *rest])
    train_nasnet.refuse_given(given, NASNETS, "absent: --stack, --N, --widths and --conv shape these networks")
    given.preset, given.stack, given.conv = mine.preset, mine.stack, mine.conv
    given.N, given.widths = stages(mine.stack, mine.N, mine.widths)
    for width in given.widths:
        check_convolution(given.conv, width)
    return given


def network_of(sample: dict[str, Any], given: argparse.Namespace, images: Images) -> Stack:
    """Return the network of a sample for the data set's images and classes.

    Raises
    ------
    InvalidArgument
        The sample is none of NSC blocks.
    """
    n_layers = sum(label.startswith("op_") for label in sample)
    if not n_layers:
        raise InvalidArgument("architecture", sample, "a sample of NSC blocks, labels op_1, p1_1, op_2, …")
    block = configuration_block(nsc_space(n_layers).normal_form(sample))
    size = {"channels": images.input_shape[0], "n_classes": images.n_classes}
    return Stack(block, given.stack, given.N, given.widths, given.conv, **size)


def evaluate_candidate(model: Any, arguments: list[str]) -> None:
    """Train a candidate of an NNI NAS experiment: the function of a `FunctionalEvaluator`.

    Parameters
    ----------
    model
        The frozen network, of an `NSCBlockSpace`.
    arguments
        The command line of this script, without ``--arch``.
    """
    given = options(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    train_nasnet.draw_weights(model)
    train(model, train_nasnet.open_images(given), given, sample={})


def train(network: Stack, images: Images, given: argparse.Namespace, sample: dict[str, Any]) -> dict[str, Any]:
    """Train a network, measure it on the device that trained it, report to NNI, return the final metrics."""
    batch = 1 if given.device == "cpu" else GPU_BATCH
    meter = LatencyMeter(given.device, images.input_shape, batch=batch, threads=given.threads)

    def latency() -> dict[str, float]:
        found = meter.measure(network)
        return {"latency_ms": found.median_ms, "latency_iqr_ms": found.iqr_ms, "latency_batch": batch}

    return train_nasnet.train(network, images, given, sample, latency)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train the network that the command line or NNI asks for; return the final metrics."""
    given = options(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    sample = train_nasnet.read_architecture(given.arch)
    images = train_nasnet.open_images(given)
    frame = {name: getattr(given, name) for name in ("stack", "N", "widths", "conv")}
    network = network_of(sample, given, images)
    return train(network, images, given, {**sample, **{name: str(value) for name, value in frame.items()}})


if __name__ == "__main__":
    with bad_input_ends():
        main()

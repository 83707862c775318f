"""The search of `config.yml` as an NNI NAS experiment: model space, evaluator, strategy.

    python experiments/lanas_cifar10/search.py --data cifar10:~/data/cifar10 --gpus 1 -- --amp
    python experiments/lanas_cifar10/search.py --data cifar10:~/data/cifar10 --gpus 1 --resume ID -- --amp

What follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from nni_strategies.compat import load_torchvision

load_torchvision()  # NNI's hub imports it

import nni.nas.hub.pytorch as hub  # noqa: E402
from nni.nas.evaluator import FunctionalEvaluator  # noqa: E402

from nni_strategies import LaNAS  # noqa: E402
from nni_strategies.bridge.experiment import NasExperiment  # noqa: E402
from trial_code import search_program, train_nasnet  # noqa: E402
from trial_code.command_line import bad_input_ends  # noqa: E402


def read_options(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of the search, and the arguments of the training script."""
    parser = search_program.parser_of(__doc__, trials=800, concurrency=4, gpus=0)
    parser.add_argument("--data", required=True, help="as of the training script")
    given, rest = search_program.parsed(parser, words)
    return given, ["--data", given.data, "--preset", "proxy", *rest]


def model_space(arguments: list[str]) -> Any:
    """Return the hub's NASNet space for the data, which is opened to see it, and now rather than in every trial."""
    size = search_program.seen_from_here(train_nasnet.options(arguments))
    return hub.NASNet(**train_nasnet.space_arguments(size, train_nasnet.open_images(size)))


def experiment_of(given: argparse.Namespace, arguments: list[str]) -> NasExperiment:
    """Return the experiment that the options describe, not started yet."""
    evaluator = FunctionalEvaluator(train_nasnet.evaluate_candidate, arguments=arguments)
    space, strategy = model_space(arguments), LaNAS(seed=given.seed)
    return search_program.experiment("LaNAS, NASNet space", given, space, evaluator, strategy)


def main() -> int:
    """Run the search, then print the best architectures; return the exit code."""
    given, arguments = read_options(sys.argv[1:])
    return search_program.run(experiment_of(given, arguments), given)


if __name__ == "__main__":
    with bad_input_ends():
        sys.exit(main())

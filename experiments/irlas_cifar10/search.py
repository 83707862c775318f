"""Search blocks for CIFAR-10 by Q-learning that explores near what expert networks look like.

    python experiments/irlas_cifar10/search.py --data cifar10:~/data/cifar10 -- --amp
    python experiments/irlas_cifar10/search.py --small          # a few minutes of two CPU cores, to see it work

What follows ``--`` goes to the training script (`python -m trial_code.train_nsc --help`), the shape of the networks
too: ``-- --N 2 2 2 --conv sep``.
"""

from __future__ import annotations

import argparse
import sys

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.evaluator import FunctionalEvaluator

from nni_strategies import IRLAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS
from nni_strategies.irlas.searcher import IRLASConfig
from search_spaces.nsc_block_nas import NSCBlockSpace
from trial_code import search_program, train_nasnet, train_nsc
from trial_code.command_line import bad_input_ends

SMALL_FRAME = ["--N", "1", "1", "1", "--widths", "4", "8", "16"]
SMALL = [*SMALL_FRAME, "--epochs", "1", "--batch-size", "32", "--max-steps", "10", "--holdout", "500"]
SMALL_SEARCH = {"T": 5, "trials": 8, "concurrency": 2, "gpus": 0}


def read_options(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of the search, and the arguments of the training script."""
    p = search_program.parser_of(__doc__, trials=300, concurrency=1, gpus=1)
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--T", type=int, default=10, help="most operations of a block; default %(default)s")
    p.add_argument("--experts", nargs="+", default=DEFAULT_EXPERTS, help="names or JSON files; default %(default)s")
    modes = IRLASConfig.modes
    p.add_argument("--mode", choices=modes, default="prior", help="what the experts shape; default %(default)s")
    p.add_argument("--small", action="store_true", help="tiny networks, ten steps, eight trials, no GPU")
    given, rest = search_program.parsed(p, words, {"T": 1}, small=SMALL_SEARCH)
    search_program.check_gpus(given)
    load_experts(given.experts)
    return given, ["--data", given.data or search_program.jpeg_copy(), *(SMALL if given.small else []), *rest]


def experiment_of(given: argparse.Namespace, arguments: list[str]) -> NasExperiment:
    """Return the experiment that the options describe, not started yet."""
    trial = search_program.seen_from_here(train_nsc.options(arguments))
    images = train_nasnet.open_images(trial)  # now rather than in every trial
    space = NSCBlockSpace(
        T=given.T,
        N=trial.N,
        widths=trial.widths,
        conv=trial.conv,
        stack=trial.stack,
        channels=images.input_shape[0],
        num_classes=images.n_classes,
    )
    evaluator = FunctionalEvaluator(train_nsc.evaluate_candidate, arguments=arguments)
    strategy = IRLAS(seed=given.seed, budget=given.trials, experts=tuple(given.experts), mode=given.mode)
    return search_program.experiment("IRLAS, NSC blocks", given, space, evaluator, strategy)


def main() -> int:
    """Run the search, print the best candidates and keep the best; return the exit code."""
    given, arguments = read_options(sys.argv[1:])
    return search_program.run(experiment_of(given, arguments), given)


if __name__ == "__main__":
    with bad_input_ends():
        sys.exit(main())

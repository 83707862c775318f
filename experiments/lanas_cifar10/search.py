"""The search of `config.yml` as an NNI NAS experiment: model space, evaluator, strategy.

    python experiments/lanas_cifar10/search.py --data cifar10:~/data/cifar10 --trials 800 --concurrency 4 --gpus 1

What follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import sys

from nni_strategies.compat import load_torchvision

load_torchvision()  # NNI's hub imports it

import nni.nas.hub.pytorch as hub  # noqa: E402
from nni.nas.evaluator import FunctionalEvaluator  # noqa: E402
from nni_strategies.bridge.experiment import NasExperiment  # noqa: E402

from nni_strategies import LaNAS  # noqa: E402
from trial_code import train_nasnet  # noqa: E402


def main() -> None:
    """Run the search, then print the best architectures."""
    mine, rest = sys.argv[1:], []
    if "--" in mine:
        mine, rest = mine[: mine.index("--")], mine[mine.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trials", type=int, default=800)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--gpus", type=int, default=0, help="GPUs a trial")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(mine)
    arguments = ["--data", given.data, "--preset", "proxy", *rest]
    size = train_nasnet.options(arguments)

    space = hub.NASNet(width=(size.width,), num_cells=(size.cells,), dataset="cifar")
    evaluator = FunctionalEvaluator(train_nasnet.evaluate_candidate, arguments=arguments)
    experiment = NasExperiment(space, evaluator, LaNAS(seed=given.seed))
    experiment.config.max_trial_number = given.trials
    experiment.config.trial_concurrency = given.concurrency
    experiment.config.trial_gpu_number = given.gpus
    experiment.run()
    for sample in experiment.export_top_models(top_k=3, formatter="dict"):
        print(sample)


if __name__ == "__main__":
    main()

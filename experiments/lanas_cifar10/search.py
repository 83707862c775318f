"""The search of `config.yml` as an NNI NAS experiment: model space, evaluator, strategy.

    python experiments/lanas_cifar10/search.py --data cifar10:~/data/cifar10 --gpus 1 -- --amp
    python experiments/lanas_cifar10/search.py --data cifar10:~/data/cifar10 --gpus 1 --resume ID -- --amp

What follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from nni_strategies.compat import load_torchvision

load_torchvision()  # NNI's hub imports it

import nni.nas.hub.pytorch as hub  # noqa: E402
from nni.nas.evaluator import FunctionalEvaluator  # noqa: E402

from nni_strategies import LaNAS  # noqa: E402
from nni_strategies.bridge.experiment import NasExperiment  # noqa: E402
from nni_strategies.errors import InvalidArgument, NNIStrategiesError  # noqa: E402
from trial_code import train_nasnet  # noqa: E402


def read_options(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of the search, and the arguments of the training script."""
    mine, rest = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as of the training script")
    parser.add_argument("--trials", type=int, default=800, help="how many candidates in all")
    parser.add_argument("--concurrency", type=int, default=4, help="trials at a time")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs a trial; 0: trials run on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, help="of the web UI; default: 8080, or the next free one")
    parser.add_argument("--resume", metavar="ID", help="go on with this experiment; give the other options again")
    given = parser.parse_args(mine)
    for name, least in (("trials", 1), ("concurrency", 1), ("gpus", 0)):
        if getattr(given, name) < least:
            raise InvalidArgument(f"--{name}", getattr(given, name), f"an integer of at least {least}")
    return given, ["--data", given.data, "--preset", "proxy", *rest]


def model_space(arguments: list[str]) -> Any:
    """Return the hub's NASNet space for the data, which is opened to see it, and now rather than in every trial."""
    size = train_nasnet.options(arguments)
    for name in ("arch", "checkpoint"):
        if getattr(size, name) is not None:
            raise InvalidArgument(f"--{name}", str(getattr(size, name)), "absent: each candidate has its own")
    size.device = "cpu"
    return hub.NASNet(**train_nasnet.space_arguments(size, train_nasnet.open_images(size)))


def experiment_of(given: argparse.Namespace, arguments: list[str]) -> NasExperiment:
    """Return the experiment that the options describe, not started yet."""
    evaluator = FunctionalEvaluator(train_nasnet.evaluate_candidate, arguments=arguments)
    experiment = NasExperiment(model_space(arguments), evaluator, LaNAS(seed=given.seed), id=given.resume)
    config = experiment.config
    config.experiment_name = "LaNAS, NASNet space"
    config.max_trial_number = given.trials
    config.trial_concurrency = given.concurrency
    config.trial_gpu_number = given.gpus
    config.training_service.use_active_gpu = True  # NNI wants to be told; as in config.yml
    if given.resume is not None and not experiment.has_checkpoint():
        where = experiment.folder.parent
        names = [folder.name for folder in where.glob("*/") if (folder / "checkpoint" / "config.json").exists()]
        raise InvalidArgument("--resume", given.resume, f"the id of a NAS experiment that began, in {where}", names)
    return experiment


def main() -> int:
    """Run the search, then print the best architectures; return the exit code."""
    given, arguments = read_options(sys.argv[1:])
    experiment = experiment_of(given, arguments)
    print(f"Experiment {experiment.id}; after a kill go on with --resume {experiment.id}", flush=True)
    ended = experiment.resume(given.port) if given.resume else experiment.run(given.port)
    if not ended:
        print(f"The search did not come to its end; go on with --resume {experiment.id}", file=sys.stderr)
        return 1
    for model in experiment.export_top_models(top_k=min(3, given.trials)):
        print(f"{model.metric:.4f} {model.sample}")
    experiment.stop()
    print(f"Report, best.json and best.py: nni_strategies report {experiment.id}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NNIStrategiesError as error:
        print(re.sub(r"\s+", " ", str(error)), file=sys.stderr)
        sys.exit(2)

"""Search cells for CIFAR-10, each candidate judged after two epochs by its accuracy and by a teacher.

    python experiments/rsa_cifar10_cell/search.py --data cifar10:~/data/cifar10 -- --amp
    python experiments/rsa_cifar10_cell/search.py --small          # a few minutes of two CPU cores, to see it work

What follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import torch
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution.event import FinalMetricEvent
from nni.nas.strategy import TPE

from nni_strategies import LaNAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.data_folder import data_folder
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator
from nni_strategies.rsa.judge import MODES, SIGNALS
from nni_strategies.rsa.layers import discover_layers
from search_spaces.layered_conv_nas import LayeredConvSpace
from trial_code import train_guided_cifar10, train_nasnet
from trial_code.cifar10_teacher import NETWORKS, find_weights, held_out, teacher_file
from trial_code.images import Images

PROXY = ["--preset", "proxy", "--epochs", "2", "--cells", "6"]
SMALL = ["--cells", "3", "--width", "4", "--batch-size", "32", "--max-steps", "5", "--holdout", "500"]
SMALL_SEARCH = {"teacher": "resnet20", "stimuli": 100, "trials": 5, "concurrency": 2, "gpus": 0, "mode": "paper"}


class HubTPE(TPE):
    """NNI's TPE on a space of NNI's hub, which it refuses: each input there is a list of one of several."""

    def _run(self) -> None:
        space = {}
        for label, mutable in self.model_space.simplify().items():
            one_of = getattr(mutable, "n_chosen", None) == 1
            values = [[value] for value in mutable.values]
            space[label] = {"_type": "choice", "_value": values} if one_of else mutable.as_legacy_dict()
        with self._thread_lock:
            self.tuner.update_search_space(space)
        while self.engine.budget_available():
            if self.engine.idle_worker_available():
                with self._thread_lock:
                    try:
                        model = self.model_space.freeze(self.tuner.generate_parameters(self._model_count))
                    except nni.NoMoreTrialError:
                        return
                    self._model_to_id[model] = self._model_count
                    self._model_count += 1
                self.engine.submit_models(model)
            time.sleep(0.1)

    def on_metric(self, event: FinalMetricEvent) -> None:
        if event.model in self._model_to_id:  # NNI's raises where the trial's end overtook its result
            super().on_metric(event)


STRATEGIES: dict[str, Any] = {
    "tpe": lambda seed: HubTPE(optimize_mode="maximize", seed=seed),
    "lanas": lambda seed: LaNAS(seed=seed),
}


def read_options(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of the search, and the arguments of the training script."""
    mine, rest = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--space", choices=train_guided_cifar10.SPACES, default="pnas", help="what is searched")
    p.add_argument("--teacher", default="resnet56", help="resnet56, resnet20, or a teacher's JSON file")
    p.add_argument("--weights", type=Path, help="the teacher's weights; default: those in the data folder")
    p.add_argument("--stimuli", type=int, default=250, help="how many held-out images teacher and candidates are shown")
    p.add_argument("--mode", choices=MODES, default="scaled", help="how signals become one value")
    p.add_argument("--combine", choices=sorted(SIGNALS), nargs="+", help="the signals; default: P TSE TG")
    p.add_argument("--alpha", type=float, default=1.0, help="weight of TG with --mode paper")
    p.add_argument("--strategy", choices=sorted(STRATEGIES), default="tpe")
    p.add_argument("--trials", type=int, default=200, help="how many candidates in all")
    p.add_argument("--concurrency", type=int, default=1, help="trials at a time; as many as there are GPUs")
    p.add_argument("--gpus", type=int, default=1, help="GPUs a trial; 0: trials run on the CPU")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--port", type=int, help="of the web UI; default: 8080, or the next free one")
    p.add_argument("--resume", metavar="ID", help="go on with this experiment; give the other options again")
    p.add_argument("--small", action="store_true", help="tiny networks, few images, five trials, no GPU")
    if "--small" in mine:
        p.set_defaults(**SMALL_SEARCH)
    given = p.parse_args(mine)
    for name, least in (("trials", 1), ("concurrency", 1), ("gpus", 0), ("stimuli", 3)):
        if getattr(given, name) < least:
            raise InvalidArgument(f"--{name}", getattr(given, name), f"an integer of at least {least}")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if given.gpus > there:
        raise InvalidArgument("--gpus", given.gpus, f"at most {there}, which torch finds here; --small needs none")
    if given.resume is not None and given.strategy == "tpe":
        raise InvalidArgument("--resume", given.resume, "an experiment of --strategy lanas; NNI's TPE keeps nothing")
    data = given.data or f"npz:{data_folder() / 'cifar10' / 'cifar10_full_jpeg.npz'}"
    return given, ["--data", data, *PROXY, *(SMALL if given.small else []), *rest]


def on_cpu(arguments: list[str]) -> argparse.Namespace:
    """Return the options of a trial, for looking at its data here."""
    size = train_nasnet.options(arguments)
    for name in ("arch", "checkpoint"):
        if getattr(size, name) is not None:
            raise InvalidArgument(f"--{name}", str(getattr(size, name)), "absent: each candidate has its own")
    if size.data.startswith("imagenet"):
        raise InvalidArgument("--data", size.data, "npz, cifar10 or cifar100: a teacher of small images is shown them")
    size.device = "cpu"
    return size


def teacher_of(given: argparse.Namespace, images: Images) -> Path:
    """Return the teacher's JSON file; one of the ResNets is built when it is not there yet."""
    if given.teacher.endswith(".json"):
        return Path(given.teacher).expanduser().absolute()
    if given.teacher not in NETWORKS:
        raise InvalidArgument("--teacher", given.teacher, f"one of {list(NETWORKS)}, or a .json file", NETWORKS)
    weights = find_weights(given.teacher, given.weights)
    return teacher_file(given.teacher, weights, *held_out(images, given.stimuli))


def model_space(given: argparse.Namespace, size: argparse.Namespace, images: Images) -> Any:
    """Return what is searched."""
    if given.space == "pnas":
        return train_guided_cifar10.pnas_space(size, images)
    few = {"depths": (2, 3), "filters": (16,)} if given.small else {}
    return LayeredConvSpace(**few, n_classes=images.n_classes)


def experiment_of(given: argparse.Namespace, arguments: list[str]) -> NasExperiment:
    """Return the experiment that the options describe, not started yet."""
    size = on_cpu(arguments)
    images = train_nasnet.open_images(size)
    space = model_space(given, size, images)
    evaluator = TeacherGuidedEvaluator(
        evaluator=FunctionalEvaluator(train_nasnet.evaluate_candidate, arguments=arguments),
        teacher=teacher_of(given, images),
        mode=given.mode,
        combine=given.combine,
        alpha=given.alpha,
        proxy_epochs=None,  # the training script ends by itself, its learning rate annealed
        every=1,
    )
    try:
        discover_layers(space.default(), evaluator.guide.scorer.stimuli)
    except RuntimeError as error:
        shape = list(evaluator.guide.scorer.stimuli.shape[1:])
        raise InvalidArgument("--teacher", shape, f"stimuli of a shape that candidates take ({error})") from None
    experiment = NasExperiment(space, evaluator, STRATEGIES[given.strategy](given.seed), id=given.resume)
    config = experiment.config
    config.experiment_name = f"Teacher-guided search, {given.space} space, CIFAR-10"
    config.max_trial_number = given.trials
    config.trial_concurrency = given.concurrency
    config.trial_gpu_number = given.gpus
    config.training_service.use_active_gpu = True  # NNI wants to be told
    if given.resume is not None and not experiment.has_checkpoint():
        where = experiment.folder.parent
        names = [folder.name for folder in where.glob("*/") if (folder / "checkpoint" / "config.json").exists()]
        raise InvalidArgument("--resume", given.resume, f"the id of a NAS experiment that began, in {where}", names)
    return experiment


def main() -> int:
    """Run the search, print the best candidates and keep the best; return the exit code."""
    given, arguments = read_options(sys.argv[1:])
    experiment = experiment_of(given, arguments)
    print(f"Teacher: {experiment.evaluator.teacher}\nExperiment {experiment.id}", flush=True)
    ended = experiment.resume(given.port) if given.resume else experiment.run(given.port)
    if not ended:
        print(f"The search did not come to its end; see nni_strategies report {experiment.id}", file=sys.stderr)
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

"""Search cells for CIFAR-10, each candidate judged after two epochs by its accuracy and by a teacher.

    python experiments/rsa_cifar10_cell/search.py --data cifar10:~/data/cifar10 -- --amp
    python experiments/rsa_cifar10_cell/search.py --small          # a few minutes of two CPU cores, to see it work

What follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution.event import FinalMetricEvent
from nni.nas.strategy import TPE

from nni_strategies import LaNAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator
from nni_strategies.rsa.judge import MODES, SIGNALS
from nni_strategies.rsa.layers import discover_layers
from search_spaces.layered_conv_nas import LayeredConvSpace
from trial_code import search_program, train_guided_cifar10, train_nasnet
from trial_code.cifar10_teacher import NETWORKS, find_weights, held_out, teacher_file
from trial_code.command_line import bad_input_ends
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
    p = search_program.parser_of(__doc__, trials=200, concurrency=1, gpus=1)
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--space", choices=train_guided_cifar10.SPACES, default="pnas", help="what is searched")
    p.add_argument("--teacher", default="resnet56", help="resnet56, resnet20, or a teacher's JSON file")
    p.add_argument("--weights", type=Path, help="the teacher's weights; default: those in the data folder")
    p.add_argument("--stimuli", type=int, default=250, help="how many held-out images teacher and candidates are shown")
    p.add_argument("--mode", choices=MODES, default="scaled", help="how signals become one value")
    p.add_argument("--combine", choices=sorted(SIGNALS), nargs="+", help="the signals; default: P TSE TG")
    p.add_argument("--alpha", type=float, default=1.0, help="weight of TG with --mode paper")
    p.add_argument("--strategy", choices=sorted(STRATEGIES), default="tpe")
    p.add_argument("--small", action="store_true", help="tiny networks, few images, five trials, no GPU")
    given, rest = search_program.parsed(p, words, {"stimuli": 3}, small=SMALL_SEARCH)
    search_program.check_gpus(given)
    if given.resume is not None and given.strategy == "tpe":
        raise InvalidArgument("--resume", given.resume, "an experiment of --strategy lanas; NNI's TPE keeps nothing")
    data = given.data or search_program.jpeg_copy()
    return given, ["--data", data, *PROXY, *(SMALL if given.small else []), *rest]


def on_cpu(arguments: list[str]) -> argparse.Namespace:
    """Return the options of a trial, for looking at its data here."""
    size = search_program.seen_from_here(train_nasnet.options(arguments))
    if size.data.startswith("imagenet"):
        raise InvalidArgument("--data", size.data, "npz, cifar10 or cifar100: a teacher of small images is shown them")
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
    name = f"Teacher-guided search, {given.space} space, CIFAR-10"
    return search_program.experiment(name, given, space, evaluator, STRATEGIES[given.strategy](given.seed))


def main() -> int:
    """Run the search, print the best candidates and keep the best; return the exit code."""
    given, arguments = read_options(sys.argv[1:])
    experiment = experiment_of(given, arguments)
    print(f"Teacher: {experiment.evaluator.teacher}", flush=True)
    return search_program.run(experiment, given)


if __name__ == "__main__":
    with bad_input_ends():
        sys.exit(main())

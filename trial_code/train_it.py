"""One trial of `experiments/rsa_it`: two epochs on CIFAR-10 images, judged by accuracy and by likeness to IT.

Runs under NNI (``python3 train_it.py``) and by itself, with a point of the space as its argument or without::

    python3 train_it.py '{"depth": {"_name": "2", "layer_1.kernel": 3, ...}}'

Reports after each epoch and at the end ``P`` (validation accuracy), ``TG:monkey_IT`` and ``TG:human_IT`` (likeness to
each on the 92 photographs), ``TG``, their mean, and ``default``, P + TG. Beside them stands the noise ceiling of human
IT: how alike a perfect model of it could be, as four subjects tell.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nni
import torch

from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.trial import Guide
from search_spaces.layered_conv import DEPTH, LayeredConvNet, configuration_of, layer_labels
from trial_code.command_line import bad_input_ends
from trial_code.digits_training import accuracy, train
from trial_code.parameters import given_parameters, next_parameters
from trial_code.small_cifar import SMALL, small_cifar
from trial_code.teacher_it import it_file, it_teacher

EPOCHS = 2
IMAGES_A_CLASS = 200
BATCH_SIZE = 32
SEED = 0
PLAIN = {"kernel": 5, "filters": 16, "pool": "max", "skip": 1}


def main() -> None:
    """Train the network of the next parameters and report."""
    torch.set_num_threads(1)  # trials run side by side, one core each
    it_file()  # what is missing is said before anything else is done
    parameters = given_parameters(sys.argv[1]) if len(sys.argv) > 1 else next_parameters()
    if not parameters:  # no experiment, no argument: show something sensible
        parameters = {DEPTH: 3} | {label: PLAIN[label.partition(".")[2]] for label in layer_labels(3)}
    torch.manual_seed(SEED)
    network = LayeredConvNet(configuration_of(parameters))
    pictures, held_out, _ = small_cifar()
    train_part, valid_part = pictures.of_each_class(IMAGES_A_CLASS).small(), held_out.small()

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("NNI_OUTPUT_DIR", scratch))
        guide = Guide.from_file(it_teacher(folder, SMALL), mode="paper", proxy_epochs=None, every=1)
    beside = ceilings(guide.scorer)

    with guide.attach(network):

        def report(epoch: int, loss: float) -> None:
            reached = accuracy(network, valid_part)
            nni.report_intermediate_result({"default": reached, "loss": round(loss, 4), **beside})
            print(f"epoch {epoch}/{EPOCHS}: accuracy {reached:.4f}, loss {loss:.4f}", flush=True)

        train(network, train_part, EPOCHS, SEED, report, BATCH_SIZE)
        nni.report_final_result({"default": accuracy(network, valid_part), **beside})
    for layer, alike in guide.scorer.score(network).per_layer.items():
        bounds = [f"{beside[key]:.3f}" for key in beside if key.startswith(f"ceiling:{layer}:")]
        print(f"TG:{layer} {alike:.3f}; noise ceiling {' to '.join(bounds) or 'not known'}")


def ceilings(scorer: TeacherScorer) -> dict[str, float]:
    """Return the noise ceilings of a teacher's layers as metrics."""
    known = scorer.teacher.spec.ceilings or {}
    return {
        f"ceiling:{layer}:{end}": round(bound, 4)
        for layer, bounds in known.items()
        for end, bound in zip(("lower", "upper"), bounds, strict=True)
    }


if __name__ == "__main__":
    with bad_input_ends():
        main()

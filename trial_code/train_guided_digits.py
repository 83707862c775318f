"""One trial of `experiments/rsa_digits`: two epochs on noisy digits, judged by accuracy and by a teacher.

Runs under NNI (``python3 train_guided_digits.py``) and by itself::

    python3 train_guided_digits.py '{"cell.edge_0_1": "nor_conv_3x3", ...}'

Reports after each epoch ``P`` (validation accuracy), ``TG`` (likeness to the teacher, a value a teacher layer too),
``default``, which combines them, and what is known without a teacher. With ``--epochs 8`` a network is trained
fully: how the best of a search are compared.
"""

from __future__ import annotations

import argparse
import json

import nni
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.trial import Guide
from search_spaces.digits_cell import INPUT_SHAPE, LABELS, DigitsNet
from trial_code.command_line import bad_input_ends
from trial_code.digits_teacher import teacher_file
from trial_code.digits_training import accuracy, cross_entropy, train
from trial_code.measure import measure
from trial_code.noisy_digits import noisy_digits
from trial_code.parameters import given_parameters, next_parameters

PROXY_EPOCHS = 2
SEED = 0


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Raises
    ------
    InvalidArgument
        Parameters that are no JSON object, or no epochs.
    """
    parser = argparse.ArgumentParser(description="One trial on noisy digits, judged by a teacher too.")
    parser.add_argument("parameters", nargs="?", help="a point of the space as JSON; NNI's trial when left out")
    parser.add_argument("--epochs", type=int, default=PROXY_EPOCHS, help="default %(default)s")
    given = parser.parse_args(arguments)
    if given.epochs < 1:
        raise InvalidArgument("--epochs", given.epochs, "a positive integer")
    given.parameters = None if given.parameters is None else given_parameters(given.parameters)
    return given


def main() -> None:
    """Train the network of the next parameters and report."""
    torch.set_num_threads(1)  # trials run side by side, one core each
    given = options()
    epochs, parameters = given.epochs, next_parameters() if given.parameters is None else given.parameters
    if not parameters:  # no experiment, no argument: show something sensible
        parameters = dict.fromkeys(LABELS, "nor_conv_3x3")
    torch.manual_seed(SEED)
    network = DigitsNet(parameters)
    train_part, valid_part, test_part = noisy_digits()

    guide = Guide.from_file(teacher_file(), proxy_epochs=None, every=1)
    with guide.attach(network):

        def report(epoch: int, loss: float) -> None:
            reached, entropy = accuracy(network, valid_part), cross_entropy(network, valid_part)
            losses = {"train_loss": round(loss, 4), "val_loss": round(entropy, 4)}
            nni.report_intermediate_result({"default": reached, **losses})
            print(f"epoch {epoch}/{epochs}: accuracy {reached:.4f}, loss {loss:.4f}", flush=True)

        train(network, train_part, epochs, SEED, report)
        costs = measure(network, INPUT_SHAPE, repeats=51)
        reached, entropy = accuracy(network, valid_part), cross_entropy(network, valid_part)
        result = {"default": reached, "val_loss": entropy, "test": accuracy(network, test_part), **costs}
        nni.report_final_result({name: round(value, 4) for name, value in result.items()})
        print(f"result {json.dumps(result)}")


if __name__ == "__main__":
    with bad_input_ends():
        main()

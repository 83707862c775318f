"""One trial of the quick start: train a cell on 8x8 digits for real, on one CPU thread, in a second or two.

Runs under NNI (``python3 train_digits.py`` is the trial command) and by itself::

    python3 train_digits.py '{"cell.edge_0_1": "nor_conv_3x3", ...}'

Reports the validation accuracy after every epoch, at the end also latency_ms (median, one image, measured here),
params and madds. The same configuration gives the same accuracy every time. A cell whose output nothing reaches
is legal: it trains to chance.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import nni
import torch
from torch import Tensor
from torch.nn import functional as F

from search_spaces.digits_cell import INPUT_SHAPE, LABELS, DigitsNet
from trial_code.command_line import bad_input_ends
from trial_code.digits import split_digits
from trial_code.measure import measure
from trial_code.parameters import given_parameters, next_parameters

# what every trial has in common; the architecture alone decides between them
EPOCHS = 8
BATCH_SIZE = 50
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
SEED = 0


@torch.no_grad()
def descend(weights: Sequence[Tensor], gradients: Sequence[Tensor], velocities: Sequence[Tensor], rate: float) -> None:
    """Take one step of SGD with Nesterov momentum and weight decay, in place.

    By hand, since the first `torch.optim` object of a process imports the compiler: 1.3 s a trial.
    """
    for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
        gradient = gradient + WEIGHT_DECAY * weight
        velocity.mul_(MOMENTUM).add_(gradient)
        weight.sub_(rate * (gradient + MOMENTUM * velocity))


def asked_for() -> dict[str, Any]:
    """Return the cell of the command line, else of NNI's trial, else one of 3x3 convolutions."""
    parameters = given_parameters(sys.argv[1]) if len(sys.argv) > 1 else next_parameters()
    return parameters or dict.fromkeys(LABELS, "nor_conv_3x3")


def trained(parameters: Mapping[str, Any]) -> tuple[DigitsNet, float]:
    """Return the network of a cell, trained, and its validation accuracy; reports each epoch to NNI."""
    torch.set_num_threads(1)  # trials run side by side, one core each
    torch.manual_seed(SEED)
    network = DigitsNet(parameters)

    images, labels, valid_images, valid_labels = (torch.from_numpy(array) for array in split_digits(SEED))
    shuffle = torch.Generator().manual_seed(SEED)
    weights = list(network.parameters())
    velocities = [torch.zeros_like(weight) for weight in weights]
    step, n_steps = 0, EPOCHS * math.ceil(len(labels) / BATCH_SIZE)

    accuracy = 0.0
    started, started_cpu = time.perf_counter(), time.process_time()
    for epoch in range(EPOCHS):
        network.train()
        order = torch.randperm(len(labels), generator=shuffle)
        for first in range(0, len(labels), BATCH_SIZE):
            batch = order[first : first + BATCH_SIZE]
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
            rate = LEARNING_RATE * (1 + math.cos(math.pi * step / n_steps)) / 2
            descend(weights, gradients, velocities, rate)
            step += 1

        network.eval()
        with torch.inference_mode():
            accuracy = (network(valid_images).argmax(dim=1) == valid_labels).float().mean().item()
        nni.report_intermediate_result({"default": accuracy, "loss": loss.item()})
        print(f"epoch {epoch + 1}/{EPOCHS}: accuracy {accuracy:.4f}, last loss {loss.item():.4f}", flush=True)
    print(f"training {time.perf_counter() - started:.2f} s, {time.process_time() - started_cpu:.2f} s of CPU")
    return network, accuracy


def report(metrics: Mapping[str, float]) -> None:
    """Report the final result to NNI, and print it."""
    result = {name: round(value, 4) for name, value in metrics.items()}
    nni.report_final_result(result)
    print(f"result {json.dumps(result)}")


def main() -> None:
    """Train the network of the next parameters and report."""
    network, accuracy = trained(asked_for())
    report({"default": accuracy, "accuracy": accuracy, **measure(network, INPUT_SHAPE, repeats=51)})


if __name__ == "__main__":
    with bad_input_ends():
        main()

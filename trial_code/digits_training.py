"""How networks learn small images: SGD, the learning rate annealed to 0 at the last epoch, one CPU thread."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from trial_code.noisy_digits import Part
from trial_code.train_digits import descend

BATCH_SIZE = 16
LEARNING_RATE = 0.1


def train(
    network: nn.Module,
    part: Part,
    epochs: int,
    seed: int = 0,
    after_epoch: Callable[[int, float], None] | None = None,
    batch_size: int = BATCH_SIZE,
) -> None:
    """Train a network.

    Parameters
    ----------
    network
        Changed in place.
    part
        What it learns.
    epochs
        How long; the learning rate falls to 0 within them.
    seed
        Of the order of the images.
    after_epoch
        Called with the epoch, from 1, and its mean loss.
    batch_size
        Images a step.
    """
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    shuffle = torch.Generator().manual_seed(seed)
    weights = list(network.parameters())
    velocities = [torch.zeros_like(weight) for weight in weights]
    step, n_steps = 0, epochs * math.ceil(len(labels) / batch_size)
    for epoch in range(1, epochs + 1):
        network.train()
        order, total = torch.randperm(len(labels), generator=shuffle), 0.0
        for first in range(0, len(labels), batch_size):
            batch = order[first : first + batch_size]
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
            descend(weights, gradients, velocities, LEARNING_RATE * (1 + math.cos(math.pi * step / n_steps)) / 2)
            total, step = total + loss.item() * len(batch), step + 1
        if after_epoch is not None:
            after_epoch(epoch, total / len(labels))


@torch.no_grad()
def accuracy(network: nn.Module, part: Part) -> float:
    """Return the share of images that a network classifies rightly; leaves it in evaluation mode."""
    network.eval()
    chosen = network(torch.from_numpy(part.images)).argmax(dim=1)
    return float((chosen == torch.from_numpy(part.labels)).float().mean())


@torch.no_grad()
def cross_entropy(network: nn.Module, part: Part) -> float:
    """Return a network's mean cross-entropy on images; leaves it in evaluation mode."""
    network.eval()
    return float(F.cross_entropy(network(torch.from_numpy(part.images)), torch.from_numpy(part.labels)))

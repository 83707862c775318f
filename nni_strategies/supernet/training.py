"""Training of a supernet by uniform paths: each step draws an architecture and changes the weights that it uses.

SGD with momentum; the learning rate is annealed by a cosine,

    rate(s) = last + (first - last) (1 + cos(pi s / S)) / 2,

s the step of S. Weights off the path get no gradient, hence neither decay nor momentum. Everything drawn in epoch e
comes of (seed, e), so a training that goes on from the checkpoint of an epoch is the one that was never stopped: on a
CPU to the bit, on a GPU as far as its kernels are deterministic.

Guo et al.: Single Path One-Shot Neural Architecture Search with Uniform Sampling, 1904.00420.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.precision import Precision, autocast, check_precision
from nni_strategies.supernet.scorer import Batch
from nni_strategies.supernet.seeding import ALLOWED, check_seed, is_seed, seeded

Paths = Callable[[SearchSpace, np.random.Generator, int], Sequence[Configuration]]


class TrainingDiverged(NNIStrategiesError):
    """A loss or a gradient that is no finite number; the message names the epoch."""


class TrainingBatches(Protocol):
    """What a supernet learns: images and labels of an epoch, in the same order whenever it is asked."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches of an epoch."""

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, `steps_per_epoch` of them.

        Parameters
        ----------
        epoch
            From 0.

        Yields
        ------
        Batch
            Images ``[b, ...]`` and labels ``[b]``; any device.
        """


class ImageBatches:
    """Images in memory, in a new order each epoch; what is left of the last whole batch waits for another epoch.

    Parameters
    ----------
    images, labels
        ``[n, ...]`` and ``[n]``.
    batch_size
        Images a step.
    seed
        Of the order.

    Raises
    ------
    InvalidArgument
        Not as many labels as images, a batch of one or of more than there are, or no seed.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, seed: int = 0) -> None:
        if len(images) != len(labels):
            raise InvalidArgument("labels", list(labels.shape), f"[{len(images)}], a label an image")
        check_seed(seed)
        if not _is_integer(batch_size, 2) or batch_size > len(labels):
            raise InvalidArgument("batch_size", batch_size, f"2 to {len(labels)}, the number of images")
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        return len(self.labels) // self.batch_size

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        order = torch.from_numpy(np.random.default_rng([self.seed, epoch]).permutation(len(self.labels)))
        for step in range(self.steps_per_epoch):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self.images[rows], self.labels[rows]


@dataclass(frozen=True)
class Recipe:
    """How a supernet is trained.

    Parameters
    ----------
    epochs
        Over which the learning rate falls.
    learning_rate, last_rate
        Of the first step, and what it falls to.
    momentum, weight_decay
        Of SGD.
    clip
        Largest norm of the gradient.
    label_smoothing
        Of the cross-entropy.
    precision
        ``float32`` or ``bfloat16`` (autocast).
    seed
        Of paths and of what the network draws, such as dropout.

    Raises
    ------
    InvalidArgument
        A value out of its range.
    """

    epochs: int = 50
    learning_rate: float = 0.05
    last_rate: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0
    label_smoothing: float = 0.0
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "last_rate", "momentum", "weight_decay", "clip", "label_smoothing"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InvalidArgument(name, value, "a number")
        ranges: dict[str, tuple[bool, str]] = {
            "epochs": (_is_integer(self.epochs, 1), "a positive integer"),
            "learning_rate": (0 < self.learning_rate < math.inf, "a finite number above 0"),
            "last_rate": (0 <= self.last_rate <= self.learning_rate, "from 0 to learning_rate"),
            "momentum": (0 <= self.momentum < 1, "at least 0, below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "a finite number, at least 0"),
            "clip": (self.clip > 0, "above 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "at least 0, below 1"),
            "seed": (is_seed(self.seed), ALLOWED),
        }
        for name, (fits, allowed) in ranges.items():
            if not fits:
                raise InvalidArgument(name, getattr(self, name), allowed)
        check_precision(self.precision)

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of a step; see the module.

        Parameters
        ----------
        step, n_steps
            From 0, and how many there are.

        Returns
        -------
        float
            `learning_rate` at step 0, `last_rate` were there a step `n_steps`.
        """
        falling = (1 + math.cos(math.pi * step / n_steps)) / 2
        return self.last_rate + (self.learning_rate - self.last_rate) * falling


def uniform_paths(space: SearchSpace, rng: np.random.Generator, n: int) -> Sequence[Configuration]:
    """Draw `n` architectures from the space's own distribution.

    Parameters
    ----------
    space
        Where they are drawn.
    rng
        What they are drawn with.
    n
        How many.

    Returns
    -------
    Sequence[Configuration]
        `n` of them, label -> value, some perhaps equal; fewer only where constraints reject nearly all draws.

    Raises
    ------
    InvalidSearchSpace
        No draw of thousands satisfied the constraints.
    """
    return space.decode(space.sample_codes(rng, n))


def train(
    supernet: Supernet,
    batches: TrainingBatches,
    recipe: Recipe | None = None,
    *,
    paths: Paths = uniform_paths,
    checkpoint: Path | str | None = None,
    about: dict[str, Any] | None = None,
    after_epoch: Callable[[int, float], None] | None = None,
) -> None:
    """Train a supernet, or go on with its training; afterwards it is in evaluation mode.

    Parameters
    ----------
    supernet
        Changed in place.
    batches
        What it learns; any device.
    recipe
        The default recipe when None.
    paths
        Draws the architectures of an epoch's steps.
    checkpoint
        File that each epoch is saved to, and that the training goes on from where there is one; of the finished
        training it holds the weights only.
    about
        What is kept in the file besides, JSON types; a file that says something else is refused.
    after_epoch
        Called with the number of epochs that are done and the mean loss of the last.

    Raises
    ------
    InvalidArgument
        The checkpoint is of another space, network, recipe or `about`, or there is no place where it can be written; an
        epoch has not as many architectures or batches as steps.
    TrainingDiverged
        A loss or a gradient is not finite; what was saved before is left.
    """
    recipe = recipe or Recipe()
    description = {"recipe": asdict(recipe), "about": about or {}}
    optimizer = torch.optim.SGD(
        supernet.network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    done = 0
    checkpoint = None if checkpoint is None else Path(checkpoint)
    if checkpoint is not None:
        files.refuse_unwritable(checkpoint)
        if checkpoint.exists():
            done = files.resume(checkpoint, supernet, optimizer, description)
    for epoch in range(done, recipe.epochs):
        loss = _train_epoch(supernet, optimizer, batches, recipe, paths, epoch)
        if checkpoint is not None:
            ended = epoch + 1 == recipe.epochs
            files.save(checkpoint, supernet, description, epoch + 1, None if ended else optimizer)
        if after_epoch is not None:
            after_epoch(epoch + 1, loss)
    optimizer.zero_grad(set_to_none=True)  # their memory
    supernet.network.eval()


def _train_epoch(
    supernet: Supernet,
    optimizer: torch.optim.Optimizer,
    batches: TrainingBatches,
    recipe: Recipe,
    paths: Paths,
    epoch: int,
) -> float:
    """Train for an epoch and return its mean loss."""
    device, n = supernet.device, batches.steps_per_epoch
    weights = list(supernet.network.parameters())
    drawn = paths(supernet.space, np.random.default_rng([recipe.seed, epoch]), n)
    if len(drawn) != n:
        raise InvalidArgument("paths", f"{len(drawn)} architectures", f"one for each of the {n} steps of an epoch")
    total = torch.zeros((), dtype=torch.float64, device=device)  # a number would wait for every step
    finite = torch.ones((), dtype=torch.bool, device=device)
    supernet.network.train()
    with seeded(int(np.random.default_rng([recipe.seed, epoch, 1]).integers(2**62)), device):
        for step, (images, labels) in enumerate(_counted(batches, epoch)):
            network = supernet.set(drawn[step])
            with autocast(device, recipe.precision):
                logits = network(images.to(device))
                loss = F.cross_entropy(logits, labels.to(device), label_smoothing=recipe.label_smoothing)
            optimizer.param_groups[0]["lr"] = recipe.rate(epoch * n + step, recipe.epochs * n)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            finite &= nn.utils.clip_grad_norm_(weights, recipe.clip).isfinite()  # clipped, infinity would be NaN
            optimizer.step()
            total += loss.detach()
    mean = float(total) / n
    if not (math.isfinite(mean) and finite):
        what = f"the mean loss of epoch {epoch + 1} is {mean}{'' if finite else ', a gradient no finite number'}"
        raise TrainingDiverged(f"{what}; a lower learning_rate than {recipe} may help")
    return mean


def _counted(batches: TrainingBatches, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of an epoch, as many as were promised.

    Raises
    ------
    InvalidArgument
        There are more or fewer.
    """
    n, so_far = batches.steps_per_epoch, 0
    for batch in batches.train_batches(epoch):
        so_far += 1
        if so_far > n:
            break
        yield batch
    if so_far != n:
        told = f"{so_far} in epoch {epoch + 1}" if so_far < n else f"more than {n} in epoch {epoch + 1}"
        raise InvalidArgument("batches", told, f"steps_per_epoch of them, {n}")


def _is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

"""The batches of a one-shot transformation: those that weights learn from, then those that the policy learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nni_strategies.errors import InvalidArgument

TRAIN, VALID = "train", "val"

Batch = tuple[Tensor, Tensor]


def validation_loader(evaluator: Any) -> Callable[[], Iterable[Any]]:
    """Return what gives the validation batches of NNI's Lightning evaluator; a data module is set up.

    Raises
    ------
    InvalidArgument
        It has none.
    """
    data = evaluator.datamodule
    if data is not None:
        data.prepare_data()
        data.setup("fit")
        return data.val_dataloader  # type: ignore[no-any-return]
    if evaluator.train_dataloaders is None or evaluator.val_dataloaders is None:
        raise InvalidArgument("evaluator", type(evaluator).__name__, "one with training and validation batches")
    return lambda: evaluator.val_dataloaders


def first_batch(loader: Iterable[Any]) -> Batch:
    """Return the first batch, for a look at it.

    Raises
    ------
    InvalidArgument
        There is none, or it is not images and the numbers of their classes.
    """
    for batch in loader:
        return _checked(batch)
    raise InvalidArgument("val_dataloaders", "no batches", "batches that the policy learns from")


def all_batches(loader: Iterable[Any], dtype: torch.dtype) -> list[Batch]:
    """Return the batches of more than one image, those that batch norm can normalise; images as the weights are."""
    pairs = ((images, labels) for images, labels in loader if len(labels) > 1)
    return [(images.to(dtype) if images.is_floating_point() else images, labels) for images, labels in pairs]


def _checked(batch: Any) -> Batch:
    if isinstance(batch, (list, tuple)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        images, labels = batch
        if labels.ndim == 1 and labels.dtype == torch.int64 and len(images) == len(labels) > 1:
            return images, labels
        batch = [list(images.shape), list(labels.shape)]
    allowed = "batches of images [b, ...] and classes [b], whole numbers, b at least 2: rewards are accuracies"
    raise InvalidArgument("val_dataloaders", batch if isinstance(batch, list) else type(batch).__name__, allowed)

"""Model spaces by name, in the size of a data set: what the supernet programs train and score."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import torch
from nni.nas.hub.pytorch import DARTS, NasBench201
from nni.nas.hub.pytorch.nasnet import NDS

from nni_strategies.errors import InvalidArgument
from search_spaces.digits_cell_nas import DigitsCellSpace
from search_spaces.lanas_cells_nas import LaNASCellSpace
from trial_code.images import Batch, Images, Loading, load_images
from trial_code.noisy_digits import noisy_digits

DIGITS = "noisy_digits"


class DigitsImages:
    """The hard digits of :mod:`.noisy_digits`: 700 to learn, 300 to judge by.

    Parameters
    ----------
    loading
        Of it the batch size, the seed of the order, and the device.
    """

    n_classes = 10
    input_shape = (1, 8, 8)

    def __init__(self, loading: Loading) -> None:
        parts = [(torch.from_numpy(part.images), torch.from_numpy(part.labels)) for part in noisy_digits()[:2]]
        (self._images, self._labels), self._valid = [(a.to(loading.device), b.to(loading.device)) for a, b in parts]
        self._loading = loading
        if loading.batch_size > len(self._labels):
            raise InvalidArgument("--batch-size", loading.batch_size, f"at most {len(self._labels)}")

    @property
    def steps_per_epoch(self) -> int:
        return len(self._labels) // self._loading.batch_size

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        order = torch.from_numpy(np.random.default_rng([self._loading.seed, epoch]).permutation(len(self._labels)))
        for step in range(self.steps_per_epoch):
            rows = order[step * self._loading.batch_size : (step + 1) * self._loading.batch_size]
            yield self._images[rows], self._labels[rows]

    def valid_batches(self) -> Iterator[Batch]:
        yield self._valid


def open_images(data: str, loading: Loading) -> Images:
    """Open a data set: ``noisy_digits``, or as :func:`trial_code.images.load_images` does.

    Raises
    ------
    InvalidArgument, DataMissing
        See there.
    """
    return DigitsImages(loading) if data == DIGITS else load_images(data, loading)


def fingerprint(images: Images) -> str:
    """Return what tells data sets apart, wherever their files are: a hash of the first held-out labels."""
    _, labels = next(images.valid_batches())
    return hashlib.sha256(labels.cpu().numpy().tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Family:
    """A model space and how its arguments follow from width, cells and images."""

    make: Any
    arguments: Callable[[int, int, Images], dict[str, Any]]


def _digits(width: int, cells: int, images: Images) -> dict[str, Any]:
    _refuse_images(images, channels=1)
    return {"channels": width}


def _lanas(width: int, cells: int, images: Images) -> dict[str, Any]:
    return {"width": width, "cells": cells, "channels": images.input_shape[0], "n_classes": images.n_classes}


def _nasbench201(width: int, cells: int, images: Images) -> dict[str, Any]:
    _refuse_images(images, channels=3)
    return {"stem_out_channels": width, "num_modules_per_stack": cells, "num_labels": images.n_classes}


def _darts(operations: list[str]) -> Callable[[int, int, Images], dict[str, Any]]:
    def arguments(width: int, cells: int, images: Images) -> dict[str, Any]:
        _refuse_images(images, channels=3, n_classes=10)
        if cells < 3:
            raise InvalidArgument("--cells", cells, "3 at least, one for each of the three stages")
        sizes = {"num_nodes_per_cell": 4, "width": width, "num_cells": cells, "dataset": "cifar"}
        return {"op_candidates": operations, **sizes}

    return arguments


#: ``darts_none`` is DARTS's space widened by ``none``, as NAT needs it.
FAMILIES = {
    "digits_cell": Family(DigitsCellSpace, _digits),
    "lanas": Family(LaNASCellSpace, _lanas),
    "nasbench201": Family(NasBench201, _nasbench201),
    "darts": Family(NDS, _darts(list(DARTS.DARTS_OPS))),
    "darts_none": Family(NDS, _darts(["none", *DARTS.DARTS_OPS])),
}


def space_of(name: str, width: int, cells: int, images: Images) -> tuple[Any, dict[str, Any]]:
    """Return the class of a model space and its arguments.

    Parameters
    ----------
    name
        One of `FAMILIES`.
    width, cells
        Channels of the first cells; how many cells, for NAS-Bench-201 a stage.
    images
        What it is for.

    Raises
    ------
    InvalidArgument
        An unknown name, images that the space does not take, or too few cells for it.
    """
    if name not in FAMILIES:
        raise InvalidArgument("--space", name, f"one of {list(FAMILIES)}", FAMILIES)
    family = FAMILIES[name]
    return family.make, family.arguments(width, cells, images)


def _refuse_images(images: Images, channels: int, n_classes: int | None = None) -> None:
    if images.input_shape[0] != channels or n_classes not in (None, images.n_classes):
        classes = f" and {n_classes} classes" if n_classes else ""
        raise InvalidArgument("--data", list(images.input_shape), f"images of {channels} channels{classes}")

"""Stimuli from a data set as torchvision has them: ``NAME:split`` or ``NAME:split:n``, such as ``CIFAR10:test:250``.

A name with dots is imported (``mine.data.Faces:test``), others are those of ``torchvision.datasets``. Nothing is
downloaded. Classes come in turn, so that as many images of each are shown.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument

N_STIMULI = 250

_FORM = re.compile(r"([A-Za-z_][\w.]*):([\w-]+)(?::(\d+))?")
_PARTS = {"train": True, "test": False}


def names_dataset(source: str) -> bool:
    """Whether a source of stimuli has the form of a data set's name."""
    return _FORM.fullmatch(source) is not None


def dataset_images(source: str, folder: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the names and pixels of a data set's images, ``[height, width]`` or ``[height, width, 3]``.

    Parameters
    ----------
    source
        ``NAME:split[:n]``; 250 images when n is left out.
    folder
        The `root` of torchvision's data sets.

    Raises
    ------
    InvalidArgument
        There is no such data set or split, it is not in the folder, is empty or has fewer than n images.
    """
    found = _FORM.fullmatch(source)
    assert found is not None, source
    name, split, count = found.groups()
    dataset = _opened(source, _factory(name), split, folder)
    n = int(count) if count else min(N_STIMULI, len(dataset))
    if n < 1:
        raise InvalidArgument("stimuli", source, f"at least one image, of {len(dataset)}")
    if n > len(dataset):
        raise InvalidArgument("stimuli", source, f"at most {len(dataset)} images, as many as there are")
    for row in _in_turn(dataset, n):
        image = dataset[row][0]
        if getattr(image, "mode", "RGB") not in ("L", "RGB"):
            image = image.convert("RGB")
        yield f"{name}:{split} {row}", np.asarray(image)


def _factory(name: str) -> Callable[..., Any]:
    load_torchvision()
    module, _, last = f"torchvision.datasets.{name}".rpartition(".") if "." not in name else name.rpartition(".")
    try:
        namespace = importlib.import_module(module)
    except ImportError as error:
        raise InvalidArgument("stimuli", name, f"a data set that can be imported ({error})") from None
    if not callable(getattr(namespace, last, None)):
        raise InvalidArgument("stimuli", last, f"a data set of {module}", getattr(namespace, "__all__", dir(namespace)))
    factory: Callable[..., Any] = getattr(namespace, last)
    return factory


def _opened(source: str, factory: Callable[..., Any], split: str, folder: Path) -> Any:
    takes = inspect.signature(factory).parameters
    arguments: dict[str, Any] = {"root": str(folder)} if "root" in takes else {}
    if "download" in takes:
        arguments["download"] = False
    if "split" in takes:
        arguments["split"] = split
    elif "train" in takes and split in _PARTS:
        arguments["train"] = _PARTS[split]
    else:
        splits = list(_PARTS) if "train" in takes else []
        raise InvalidArgument("stimuli", split, f"a split that {source} has, one of {splits}", splits)
    try:
        return factory(**arguments)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InvalidArgument("stimuli", source, f"a data set already in {folder} ({reason})") from None


def _in_turn(dataset: Any, n: int) -> list[int]:
    labels = getattr(dataset, "targets", getattr(dataset, "labels", None))
    if labels is None or np.shape(labels) != (len(dataset),):  # no classes: from all over the data set
        return [round(row) for row in np.linspace(0, len(dataset) - 1, n)]
    labels = np.asarray(labels)
    rank = np.zeros(len(labels), dtype=np.int64)  # among those of its class
    for label in np.unique(labels):
        rank[labels == label] = np.arange((labels == label).sum())
    return [int(row) for row in np.lexsort((labels, rank))[:n]]

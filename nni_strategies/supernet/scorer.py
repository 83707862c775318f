"""Scores of a supernet: the validation accuracy of any architecture with the shared weights, without training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nni_strategies.errors import InvalidArgument, NNIStrategiesError, shorten
from nni_strategies.module_modes import evaluating
from nni_strategies.supernet.batch_norm import batch_norms, of_the_batch, recalibrate, restored
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.precision import Precision, autocast, check_precision

Batch = tuple[Tensor, Tensor]

BATCH_NORM = ("batch", "recalibrated")


class ScoreNotFinite(NNIStrategiesError):
    """An architecture whose logits are not finite numbers; the message names it."""


class Scorer:
    """Validation accuracy of architectures with the weights of a supernet, which are left as they are.

    Parameters
    ----------
    supernet
        Trained, on its device.
    batches
        What is judged by: (images ``[b, ...]``, labels ``[b]``); they are kept on the supernet's device.
    batch_norm
        ``batch``: each batch is normalised with its own statistics, so a score depends on the batches being what they
        are. ``recalibrated``: with the mean statistics of the path over `calibration`; as many more passes.
    calibration
        Images for ``recalibrated``, batches ``[b, ...]`` as in training; not those of `batches`.
    precision
        ``float32`` or ``bfloat16`` (autocast).

    Raises
    ------
    InvalidArgument
        No batches, one of a single image or of something else, images that the network does not take, labels beyond its
        classes, or no images to calibrate with.
    """

    def __init__(
        self,
        supernet: Supernet,
        batches: Iterable[Batch],
        batch_norm: Literal["batch", "recalibrated"] = "batch",
        calibration: Iterable[Tensor] = (),
        precision: Precision = "float32",
    ) -> None:
        if batch_norm not in BATCH_NORM:
            raise InvalidArgument("batch_norm", batch_norm, f"one of {list(BATCH_NORM)}", BATCH_NORM)
        check_precision(precision)
        device = supernet.device
        self.supernet = supernet
        self.batch_norm = batch_norm
        self.precision: Precision = precision
        self.batches = [(images.to(device), labels.to(device)) for images, labels in map(_batch, batches)]
        calibrating = calibration if batch_norm == "recalibrated" else ()
        self.calibration = [_tensor("calibration", images).to(device) for images in calibrating]
        self.n_images = sum(len(labels) for _, labels in self.batches)
        self._modules = list(supernet.network.modules())  # to walk through thousands of them takes a tenth of a second
        self._norms = batch_norms(supernet.network)
        self._refuse_bad_batches()

    def __call__(self, configuration: Mapping[str, Any]) -> float:
        """Return the accuracy of one architecture, 0 to 1; see :meth:`scores`."""
        return float(self.scores([configuration])[0])

    def scores(self, configurations: Iterable[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
        """Return the accuracies of architectures.

        Afterwards the supernet is as before but for the path that is set.

        Parameters
        ----------
        configurations
            `n` of the supernet's space, label -> value; equal ones are judged again.

        Returns
        -------
        numpy.ndarray
            ``[n]``, shares of all images, 0 to 1.

        Raises
        ------
        InvalidConfiguration
            One is not of the space.
        ScoreNotFinite
            The logits of one are not finite.
        """
        found = []
        with self._judging():
            for configuration in configurations:
                found.append(self._accuracy(configuration))
        return np.array(found, dtype=np.float64)

    def _accuracy(self, configuration: Mapping[str, Any]) -> float:
        network = self.supernet.set(configuration)
        if self.calibration:
            recalibrate(network, self._norms, self.calibration)
        right = torch.zeros((), dtype=torch.int64, device=self.supernet.device)  # a number would wait for every batch
        finite = torch.ones((), dtype=torch.bool, device=self.supernet.device)
        for images, labels in self.batches:
            logits = network(images)
            right += (logits.argmax(dim=1) == labels).sum()
            finite &= torch.isfinite(logits).all()
        if not finite:
            raise ScoreNotFinite(f"the supernet's logits are not finite numbers for {shorten(dict(configuration))}")
        return int(right) / self.n_images

    @contextmanager
    def _judging(self) -> Iterator[None]:
        statistics = of_the_batch if self.batch_norm == "batch" else restored
        number = autocast(self.supernet.device, self.precision)
        with torch.no_grad(), number, evaluating(self._modules), statistics(self._norms):
            yield

    def _refuse_bad_batches(self) -> None:
        if not self.batches:
            raise InvalidArgument("batches", [], "at least one batch of images and labels")
        if self.batch_norm == "recalibrated" and not self.calibration:
            raise InvalidArgument("calibration", [], "batches of images, for batch_norm='recalibrated'")
        normalised = self.calibration or [images for images, _ in self.batches]
        if self._norms and min(map(len, normalised)) < 2:
            field = "calibration" if self.calibration else "batches"
            raise InvalidArgument(field, 1, "two images a batch at least, for the statistics of batch norm")
        first = self.supernet.configuration or self.supernet.space.sample(np.random.default_rng(0))
        kinds: dict[Any, Tensor] = {}
        for images in [*(images for images, _ in self.batches), *self.calibration]:
            kinds.setdefault((images.shape[1:], images.dtype), images)
        for images in kinds.values():
            with self._judging():
                try:
                    logits = self.supernet.set(first)(images)
                except (RuntimeError, ValueError, IndexError) as error:
                    what = f"images that the network takes ({error})"
                    raise InvalidArgument("images", list(images.shape), what) from None
            if not isinstance(logits, Tensor) or logits.ndim != 2:
                raise InvalidArgument("model_space", _shape(logits), "a network that returns logits [b, n_classes]")
            _refuse_labels(self.batches, logits.shape[1])


def _batch(batch: Any) -> Batch:
    if not isinstance(batch, (list, tuple)) or len(batch) != 2:
        raise InvalidArgument("batches", type(batch).__name__, "pairs of images and labels")
    images, labels = (_tensor("batches", part) for part in batch)
    return images, labels


def _tensor(field: str, part: Any) -> Tensor:
    if not isinstance(part, Tensor):
        raise InvalidArgument(field, type(part).__name__, "tensors")
    return part


def _shape(output: Any) -> Any:
    return list(output.shape) if isinstance(output, Tensor) else type(output).__name__


def _refuse_labels(batches: Sequence[Batch], n_classes: int) -> None:
    for images, labels in batches:
        if not len(images):
            raise InvalidArgument("batches", 0, "an image a batch at least")
        if len(images) != len(labels) or labels.ndim != 1:
            raise InvalidArgument("labels", list(labels.shape), f"[{len(images)}], a label an image")
        if int(labels.min()) < 0 or int(labels.max()) >= n_classes:
            found = [int(labels.min()), int(labels.max())]
            raise InvalidArgument("labels", found, f"from 0 to {n_classes - 1}, the network's classes")

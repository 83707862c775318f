"""What one-shot searches of a model space share: how images reach Lightning, and how weights learn from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import torch
from nni.nas.evaluator.pytorch import ClassificationModule
from torch.utils.data import IterableDataset, TensorDataset

from trial_code.images import Images, Shortened


class Batches(IterableDataset[Any]):
    """The batches that weights learn from, in another order each epoch.

    Parameters
    ----------
    images
        A data set.
    max_steps
        Batches an epoch at most; all when None.
    """

    def __init__(self, images: Images, max_steps: int | None = None) -> None:
        self.images, self.epoch = Shortened(images, max_steps), 0

    def __len__(self) -> int:
        return self.images.steps_per_epoch

    def __iter__(self) -> Iterator[Any]:
        self.epoch += 1
        return iter(self.images.train_batches(self.epoch - 1))


def held_out(images: Images) -> TensorDataset:
    """Return the images that are held out, whole in memory."""
    return TensorDataset(*(torch.cat(parts) for parts in zip(*images.valid_batches(), strict=True)))


@nni.trace
class Training(ClassificationModule):  # type: ignore[misc]  # NNI has no types
    """SGD, its learning rate annealed by a cosine.

    Parameters
    ----------
    rate, last_rate
        The learning rate at first, and what it falls to.
    momentum, decay
        Of SGD.
    epochs
        Within which the rate falls.
    n_classes
        Of the images.
    """

    def __init__(
        self, rate: float, momentum: float, decay: float, epochs: int, n_classes: int, last_rate: float = 0.0
    ) -> None:
        super().__init__(learning_rate=rate, weight_decay=decay, num_classes=n_classes)
        self.momentum, self.epochs, self.last_rate = momentum, epochs, min(rate, last_rate)

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule, by epochs."""
        rate, decay = self.hparams.learning_rate, self.hparams.weight_decay
        optimizer = torch.optim.SGD(self.parameters(), rate, momentum=self.momentum, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs, eta_min=self.last_rate)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

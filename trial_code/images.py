"""Images for training: CIFAR-10/100 whole in memory, ImageNet-style folders streamed.

A data set is named by one string:

- ``npz:FILE``          CIFAR-10 as JPEG bytes in one file (keys jpeg, offsets, labels, split) or decoded
                        (x_train, y_train, x_test, y_test)
- ``cifar10:FOLDER``    torchvision's CIFAR10, already downloaded there
- ``cifar100:FOLDER``   torchvision's CIFAR100, likewise
- ``imagenet:FOLDER``   FOLDER/train/<class>/*.JPEG and FOLDER/val/<class>/*.JPEG
"""

from __future__ import annotations

import io
import itertools
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import DataMissing, InvalidArgument

Batch = tuple[torch.Tensor, torch.Tensor]
Array = npt.NDArray[Any]
Arrays = tuple[Array, Array, Array, Array]  # images [n, h, w, 3] uint8 with labels [n], for training, for testing

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = ("npz", "cifar10", "cifar100", "imagenet")


class Images(Protocol):
    """What the training script asks of a data set."""

    n_classes: int
    input_shape: tuple[int, int, int]

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield augmented (images ``[b, 3, h, w]`` float, labels ``[b]``) on the device, in the epoch's order."""

    def valid_batches(self) -> Iterator[Batch]:
        """Yield what is held out, not augmented."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches in an epoch."""


class Shortened:
    """The first batches of each epoch.

    Parameters
    ----------
    images
        A data set.
    max_steps
        How many; all when None.
    """

    def __init__(self, images: Images, max_steps: int | None) -> None:
        self._images = images
        self.steps_per_epoch = min(images.steps_per_epoch, max_steps or images.steps_per_epoch)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield them."""
        return itertools.islice(self._images.train_batches(epoch), self.steps_per_epoch)


@dataclass(frozen=True)
class Loading:
    """How images are split and fed.

    Parameters
    ----------
    batch_size
        Images a step.
    holdout
        Training images held out for validation; 0 validates on the test set (for retraining only).
    cutout
        Side of the square that is blanked in training, in pixels; 0 for none (DeVries & Taylor 2017).
    seed
        Seeds the split, the order of every epoch and the augmentation.
    device
        Where batches live.
    workers
        Loader processes, for folders.
    """

    batch_size: int = 96
    holdout: int = 5000
    cutout: int = 16
    seed: int = 0
    device: str = "cpu"
    workers: int = 2


def load_images(name: str, loading: Loading) -> Images:
    """Open a data set by its name.

    Raises
    ------
    InvalidArgument
        An unknown kind, a file that holds something else than images and their labels, more images held out than
        there are, or a cutout larger than the image.
    DataMissing
        The file or folder is not there, or a folder has no images where they should be.
    """
    kind, _, where = name.partition(":")
    if kind not in KINDS or not where:
        raise InvalidArgument("data", name, f"KIND:PATH with KIND one of {list(KINDS)}", KINDS)
    path = Path(where).expanduser()
    if not path.exists():
        raise DataMissing(f"{path} does not exist; data = {name!r} should name a file or folder on this machine")
    if kind == "imagenet":
        return FolderImages(path, loading)
    arrays = _read_npz(path) if kind == "npz" else _read_torchvision(kind, path)
    return MemoryImages(*arrays, loading)


class MemoryImages:
    """Small images, kept on the device as uint8 and augmented there."""

    def __init__(
        self, x_train: Array, y_train: Array, x_test: Array, y_test: Array, loading: Loading
    ) -> None:
        _refuse_cutout(loading, int(x_train.shape[1]), int(x_train.shape[2]))
        n = len(x_train)
        if not 0 <= loading.holdout < n - 1:
            allowed = f"0 to {n - 2}, there are {n} training images, and batch norm needs two"
            raise InvalidArgument("holdout", loading.holdout, allowed)
        order = np.random.default_rng(loading.seed).permutation(n)
        train, held = order[loading.holdout :], order[: loading.holdout]
        x_valid, y_valid = (x_train[held], y_train[held]) if loading.holdout else (x_test, y_test)
        self._train = _on_device(x_train[train], y_train[train], loading.device)
        self._valid = _on_device(x_valid, y_valid, loading.device)
        self._loading = loading
        self.n_classes = int(max(y_train.max(), y_test.max())) + 1
        self.input_shape = (3, int(x_train.shape[1]), int(x_train.shape[2]))

    @property
    def steps_per_epoch(self) -> int:
        # A last batch of one image would break batch norm; it is dropped like every short batch.
        return max(1, len(self._train[1]) // self._loading.batch_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self._loading.seed * 100_003 + epoch)
        images, labels = self._train
        order = torch.randperm(len(labels), generator=generator).to(labels.device)
        for step in range(self.steps_per_epoch):
            rows = order[step * self._loading.batch_size : (step + 1) * self._loading.batch_size]
            yield augment(_normalised(images[rows]), self._loading.cutout, generator), labels[rows]

    def valid_batches(self) -> Iterator[Batch]:
        images, labels = self._valid
        for start in range(0, len(labels), 256):
            yield _normalised(images[start : start + 256]), labels[start : start + 256]


def augment(images: torch.Tensor, cutout: int, generator: torch.Generator) -> torch.Tensor:
    """Pad by 4 and crop, flip, blank a square; each image of ``[b, 3, h, w]`` by its own draw."""
    b, _, h, w = images.shape
    dy, dx = torch.randint(0, 9, (2, b), generator=generator).to(images.device)
    flip = (torch.rand(b, generator=generator) < 0.5).to(images.device)
    cy = torch.randint(0, h, (b,), generator=generator).to(images.device)
    cx = torch.randint(0, w, (b,), generator=generator).to(images.device)
    rows = torch.arange(h, device=images.device)
    columns = torch.arange(w, device=images.device)
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4))
    take_x = torch.where(flip[:, None], columns.flip(0)[None, :], columns[None, :]) + dx[:, None]
    take_y = rows[None, :] + dy[:, None]
    batch = torch.arange(b, device=images.device)[:, None, None]
    out = padded.permute(0, 2, 3, 1)[batch, take_y[:, :, None], take_x[:, None, :]].permute(0, 3, 1, 2)
    if cutout:
        half = cutout // 2
        inside_y = (rows[None, :] - cy[:, None] >= -half) & (rows[None, :] - cy[:, None] < cutout - half)
        inside_x = (columns[None, :] - cx[:, None] >= -half) & (columns[None, :] - cx[:, None] < cutout - half)
        out = out * ~(inside_y[:, None, :, None] & inside_x[:, None, None, :])
    return out.contiguous()


class FolderImages:
    """ImageNet-style folders, decoded by torchvision in worker processes."""

    def __init__(self, root: Path, loading: Loading, size: int = 224) -> None:
        load_torchvision()
        from torchvision import transforms as T
        from torchvision.datasets import ImageFolder

        for part in ("train", "val"):
            if not (root / part).is_dir():
                raise DataMissing(f"{root / part} is not a folder of class folders")
        _refuse_cutout(loading, size, size)
        last = [T.ToTensor(), T.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
        erase = [T.RandomErasing(p=1.0, scale=((loading.cutout / size) ** 2,) * 2, ratio=(1, 1))]
        grow = [T.RandomResizedCrop(size), T.RandomHorizontalFlip(), T.ColorJitter(0.4, 0.4, 0.4)]
        crop = [T.Resize(size * 256 // 224), T.CenterCrop(size)]
        try:
            self._train = ImageFolder(str(root / "train"), T.Compose(grow + last + (erase if loading.cutout else [])))
            # Held out training images would need a second transform; folders bring a validation set of their own.
            self._valid = ImageFolder(str(root / "val"), T.Compose(crop + last))
        except FileNotFoundError as error:  # torchvision's for no class folder, and for one without images
            hint = "train and val need a folder a class, with images in each; ILSVRC's flat val is to be sorted first"
            raise DataMissing(f"{error} ({hint})") from None
        if self._train.classes != self._valid.classes:
            raise InvalidArgument("data", str(root), "the same class folders in train and val")
        self._loading = loading
        self.n_classes = len(self._train.classes)
        self.input_shape = (3, size, size)

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self._train) // self._loading.batch_size)

    def _batches(self, dataset: Any, train: bool, epoch: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self._loading.seed * 100_003 + epoch)
        loader = torch.utils.data.DataLoader(
            dataset,
            batch_size=self._loading.batch_size if train else 256,
            shuffle=train,
            drop_last=train and len(dataset) >= self._loading.batch_size,
            num_workers=self._loading.workers,
            generator=generator,
            pin_memory=self._loading.device.startswith("cuda"),
        )
        for images, labels in loader:
            yield (
                images.to(self._loading.device, non_blocking=True),
                labels.to(self._loading.device, non_blocking=True),
            )

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        return self._batches(self._train, train=True, epoch=epoch)

    def valid_batches(self) -> Iterator[Batch]:
        return self._batches(self._valid, train=False)


def _refuse_cutout(loading: Loading, height: int, width: int) -> None:
    if loading.cutout > min(height, width):
        allowed = f"at most {min(height, width)}, the images have {height} by {width} pixels"
        raise InvalidArgument("cutout", loading.cutout, allowed)


def _on_device(x: Array, y: Array, device: str) -> Batch:
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(device)
    return images, torch.from_numpy(y.astype(np.int64)).to(device)


def _normalised(images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(CIFAR_MEAN, device=images.device)[:, None, None]
    std = torch.tensor(CIFAR_STD, device=images.device)[:, None, None]
    return (images.float() / 255 - mean) / std


def _read_torchvision(kind: str, folder: Path) -> Arrays:
    datasets: Any = load_torchvision().datasets
    dataset = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[kind]
    try:
        train, test = (dataset(str(folder), train=part, download=False) for part in (True, False))
    except RuntimeError as error:
        raise DataMissing(f"{folder} holds no {kind} as torchvision stores it ({error})") from None
    return train.data, np.array(train.targets), test.data, np.array(test.targets)


def _read_npz(path: Path) -> Arrays:
    try:
        file = np.load(path, allow_pickle=False)
        keys = list(getattr(file, "files", ()))  # an .npy has none
        whole, coded = ("x_train", "y_train", "x_test", "y_test"), ("jpeg", "offsets", "labels", "split")
        needed = whole if "x_train" in keys else coded
        if any(key not in keys for key in needed):
            raise InvalidArgument("data", str(path), f"an .npz with the keys {list(whole)} or {list(coded)}")
        with file:
            arrays = [file[key] for key in needed]
    except InvalidArgument:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidArgument("data", str(path), f"a whole .npz of plain arrays ({error})") from None
    if needed is coded:
        jpeg, offsets, labels, split = arrays
        if not len(offsets) - 1 == len(labels) == len(split):
            what = f"not {len(offsets)} offsets, {len(labels)} labels, {len(split)} split"
            raise InvalidArgument("data", str(path), f"a label and a split an image, and one offset more, {what}")
        images, train = _decoded(path, jpeg, offsets), split == 0
        arrays = [images[train], labels[train], images[~train], labels[~train]]
    x_train, y_train = _checked(path, "train", arrays[0], arrays[1])
    x_test, y_test = _checked(path, "test", arrays[2], arrays[3])
    if x_train.shape[1:] != x_test.shape[1:]:
        both = f"{list(x_train.shape[1:])} and {list(x_test.shape[1:])}"
        raise InvalidArgument("data", str(path), f"images of one size for training and test, not {both}")
    return x_train, y_train, x_test, y_test


def _checked(path: Path, part: str, x: Array, y: Array) -> tuple[Array, Array]:
    """Return images and labels that can be trained on, the labels flat; refuse what would fail or mislead later."""
    if x.ndim != 4 or x.shape[3] != 3 or x.dtype != np.uint8:
        what = f"uint8 images [n, height, width, 3]; those for {part} are {x.dtype} {list(x.shape)}"
        raise InvalidArgument("data", str(path), what)
    labels = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y  # Keras stores them as a column
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(x) or not len(x):
        what = f"an integer label an image; for {part} there are {len(x)} images, labels are {y.dtype} {list(y.shape)}"
        raise InvalidArgument("data", str(path), what)
    if labels.min() < 0:
        raise InvalidArgument("data", str(path), f"labels from 0; one for {part} is {labels.min()}")
    return x, labels


def _decoded(path: Path, jpeg: Array, offsets: Array) -> Array:
    """Decode once and keep the pixels, since every trial wants them."""
    default = Path.home() / ".cache" / "nni_strategies"
    cache = Path(os.environ.get("NNI_STRATEGIES_CACHE") or default)
    stat = path.stat()
    kept = cache / f"{path.stem}-{stat.st_size}-{int(stat.st_mtime)}.npy"
    if kept.exists():
        images: Array = np.load(kept, allow_pickle=False, mmap_mode="r")
        return images
    from PIL import Image

    data = jpeg.tobytes()
    try:
        decoded = [
            np.asarray(Image.open(io.BytesIO(data[a:b])).convert("RGB"))
            for a, b in itertools.pairwise(offsets)
        ]
        images = np.stack(decoded)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidArgument("data", str(path), f"JPEGs of one size between its offsets ({error})") from None
    cache.mkdir(parents=True, exist_ok=True)
    part = cache / f".{kept.name}.{os.getpid()}.npy"
    np.save(part, images)
    os.replace(part, kept)
    return images

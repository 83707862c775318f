"""Stimuli: the images that teacher and candidates are shown, always the same, in the same order, never augmented.

Kept as one file of unsigned bytes, known by its hash; how pixels become what a network takes is said beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nni_strategies.data_folder import data_folder
from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.rsa.damaged import DAMAGED
from nni_strategies.rsa.datasets import dataset_images, names_dataset

FEWEST = 3
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True)
class Transform:
    """What happens to pixels before a network sees them.

    Parameters
    ----------
    size
        Height and width they are resized to (bilinear, antialiased); None leaves them.
    gray
        Whether colour is averaged away, to one channel.
    mean, std
        Of each channel, in units of the whole range: pixels are divided by 255, less the mean, over the deviation.

    Raises
    ------
    InvalidArgument
        A size that is not a positive integer, a deviation that is not positive.
    """

    size: int | None = None
    gray: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.size is not None and (isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1):
            raise InvalidArgument("stimuli.size", self.size, "a positive integer, or null")
        for name in ("mean", "std"):
            value = getattr(self, name)
            numbers = value if isinstance(value, (list, tuple)) else (value,)
            if not numbers or not all(isinstance(x, (int, float)) and np.isfinite(x) for x in numbers):
                raise InvalidArgument(f"stimuli.{name}", value, "a number a channel")
            object.__setattr__(self, name, tuple(float(x) for x in numbers))
        if min(self.std) <= 0.0:
            raise InvalidArgument("stimuli.std", list(self.std), "positive numbers")

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return ``[n, channels, height, width]`` of bytes ``[n, height, width, channels]``."""
        images = torch.as_tensor(pixels).permute(0, 3, 1, 2).float() / 255.0
        if self.gray:
            images = images.mean(dim=1, keepdim=True)
        if self.size is not None and tuple(images.shape[2:]) != (self.size, self.size):
            images = torch.nn.functional.interpolate(
                images, size=(self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        channels = images.shape[1]
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, channels):
                raise InvalidArgument(f"stimuli.{name}", list(getattr(self, name)), f"1 or {channels} numbers")
        mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std


@dataclass(frozen=True)
class Stimuli:
    """A file of stimuli and their transform.

    Parameters
    ----------
    path
        ``.npz`` with ``images``, bytes ``[n, height, width, channels]``.
    sha256
        Of its images.
    transform
        Pixels to network input.
    """

    path: str
    sha256: str
    transform: Transform = field(default_factory=Transform)

    def to_json(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"path": self.path, "sha256": self.sha256, **asdict(self.transform)}

    @classmethod
    def from_json(cls, given: Any) -> Stimuli:
        """Read what :meth:`to_json` returned.

        Raises
        ------
        InvalidArgument
            A field is missing, unknown or wrong.
        """
        names = ("path", "sha256", *(f.name for f in fields(Transform)))
        if not isinstance(given, dict):
            raise InvalidArgument("stimuli", given, "an object with path and sha256")
        refuse_unknown("stimuli", given, names)
        for name in ("path", "sha256"):
            if not isinstance(given.get(name), str):
                raise InvalidArgument(f"stimuli.{name}", given.get(name), "a string")
        transform: dict[str, Any] = {k: v for k, v in given.items() if k not in ("path", "sha256")}
        return cls(given["path"], given["sha256"], Transform(**transform))

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Read the images and check that they are those the teacher saw.

        Raises
        ------
        InvalidArgument
            The file is missing, unreadable or has other images.
        """
        if not Path(self.path).exists():  # never a data set's name: what a file says is not imported
            raise InvalidArgument("stimuli.path", self.path, "a readable file or folder")
        images = _read_files(Path(self.path))
        if images_hash(images) != self.sha256:
            raise InvalidArgument("stimuli.path", self.path, f"the images the teacher saw (sha256 {self.sha256[:12]}…)")
        return images

    def labels(self) -> npt.NDArray[np.int64] | None:
        """Return the classes ``[n]`` of the images, where they were kept with them.

        Raises
        ------
        InvalidArgument
            They cannot be read, or are no integers from 0.
        """
        if not self.path.endswith(".npz"):
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                labels = np.asarray(file["labels"]) if "labels" in file else None
        except DAMAGED as error:
            raise InvalidArgument("stimuli.path", self.path, f"a readable file ({error})") from None
        if labels is None:
            return None
        _refuse_labels(labels, len(labels) if labels.ndim else 0)
        return labels.astype(np.int64)

    def load(self) -> torch.Tensor:
        """Return what a network takes, ``[n, channels, height, width]``."""
        return self.transform(self.pixels())


def read_images(source: Path | str, datasets: Path | None = None) -> npt.NDArray[np.uint8]:
    """Read images from a ``.npz`` (key ``images``), a ``.npy``, a folder of image files (by name), or a data set.

    Parameters
    ----------
    source
        A file, a folder, or ``NAME:split[:n]``, see :mod:`.datasets`.
    datasets
        Where data sets are; the data folder when None.

    Returns
    -------
    numpy.ndarray
        Bytes ``[n, height, width, channels]``.

    Raises
    ------
    InvalidArgument
        There is nothing, it cannot be read, has another shape or type, or fewer than 3 images.
    """
    path = Path(source)
    if not path.exists() and names_dataset(str(source)):
        return as_images(_stacked(dataset_images(str(source), datasets if datasets is not None else data_folder())))
    return _read_files(path)


def _read_files(path: Path) -> npt.NDArray[np.uint8]:
    try:
        if path.is_dir():
            images = _stacked(_folder_images(path))
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                if "images" not in file:
                    raise InvalidArgument("stimuli", str(path), f"a file with images, not {list(file)}")
                images = file["images"]
        else:
            images = np.load(path, allow_pickle=False)
    except InvalidArgument:
        raise
    except OSError as error:
        raise InvalidArgument("stimuli", str(path), f"a readable file or folder ({error.strerror or error})") from None
    except DAMAGED as error:
        raise InvalidArgument("stimuli", str(path), f".npz, .npy or a folder of images ({error})") from None
    return as_images(np.asarray(images))


def as_images(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return bytes ``[n, height, width, channels]``; gray images may come without channels.

    Raises
    ------
    InvalidArgument
        Another type or shape, fewer than 3 images.
    """
    if images.dtype != np.uint8:
        raise InvalidArgument("stimuli", str(images.dtype), "unsigned bytes, 0 to 255")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise InvalidArgument("stimuli", list(images.shape), "shape [n, height, width] or [n, height, width, 1 or 3]")
    if len(images) < FEWEST:
        raise InvalidArgument("stimuli", len(images), f"at least {FEWEST} images")
    return images


def images_hash(images: npt.NDArray[np.uint8]) -> str:
    """Return the hash of images in their order, whatever file they are in."""
    return hashlib.sha256(str(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()


def write_images(images: npt.NDArray[np.uint8], path: Path, labels: npt.NDArray[Any] | None = None) -> str:
    """Write a file that :func:`read_images` reads, with the images' classes where they are known; return its hash.

    Raises
    ------
    InvalidArgument
        Classes that are no integers from 0, one an image.
    """
    if labels is not None:
        _refuse_labels(labels, len(images))
    known: dict[str, Any] = {} if labels is None else {"labels": labels.astype(np.int64)}
    np.savez_compressed(path, images=images, **known)
    return images_hash(images)


def _refuse_labels(labels: npt.NDArray[Any], n: int) -> None:
    if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        raise InvalidArgument("labels", [str(labels.dtype), *labels.shape], f"{n} integers from 0, one an image")


def _folder_images(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    from PIL import Image, UnidentifiedImageError

    files: Sequence[Path] = sorted(f for f in path.rglob("*") if f.suffix.lower() in _IMAGES)
    if not files:
        raise InvalidArgument("stimuli", str(path), f"a folder with image files, {list(_IMAGES)}")
    for file in files:
        try:
            with Image.open(file) as image:
                yield str(file), np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, Image.DecompressionBombError):
            raise InvalidArgument("stimuli", str(file), "an image file") from None


def _stacked(named: Iterator[tuple[str, npt.NDArray[Any]]]) -> npt.NDArray[Any]:
    images: list[npt.NDArray[Any]] = []
    for name, image in named:
        if images and image.shape != images[0].shape:
            sizes = f"{list(images[0].shape[:2])}, not {list(image.shape[:2])}"
            raise InvalidArgument("stimuli", name, f"images of one size, {sizes}")
        images.append(image)
    return np.stack(images)

"""CIFAR-10 images at 16x16, few enough that networks learn them in seconds.

There are 4,000 to train on, 1,000 to choose by, 2,000 to test on, as many of each class.

Those to train on come from CIFAR-10's training images, the others from its test images, so that a network trained on
all of CIFAR-10 has seen none of the stimuli. The local copy is of JPEGs: accuracies compare with each other only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.data_folder import data_folder
from nni_strategies.errors import DataMissing
from nni_strategies.rsa.stimuli import Transform
from trial_code.images import CIFAR_MEAN, CIFAR_STD
from trial_code.noisy_digits import Part

N_TRAIN, N_VALID, N_TEST = 4000, 1000, 2000
SMALL = Transform(size=16, mean=CIFAR_MEAN, std=CIFAR_STD)


@dataclass(frozen=True)
class Pictures:
    """Some of the images as they are stored.

    Parameters
    ----------
    pixels
        ``[n, 32, 32, 3]``, bytes.
    labels
        ``[n]``, 0 to 9.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def small(self) -> Part:
        """Return them as networks take them, ``[n, 3, 16, 16]``."""
        return Part(SMALL(self.pixels).numpy(), self.labels)

    def of_each_class(self, n: int, skip: int = 0) -> Pictures:
        """Return the first `n` of each class after `skip` of them, classes in turn."""
        rows = np.stack([np.flatnonzero(self.labels == c)[skip : skip + n] for c in range(10)], axis=1).ravel()
        return Pictures(self.pixels[rows], self.labels[rows])


@cache
def small_cifar() -> tuple[Pictures, Pictures, Pictures]:
    """Return the images to train on, to validate on and to test on; always the same.

    Raises
    ------
    DataMissing
        The file of CIFAR-10 images is not in the data folder.
    """
    path = data_folder() / "cifar10" / "cifar10_full_jpeg.npz"
    if not path.is_file():
        raise DataMissing(f"{path} does not exist; NNI_STRATEGIES_DATA names the folder of data sets")
    with np.load(path, allow_pickle=False) as file:
        jpeg, offsets, labels, split = (file[name] for name in ("jpeg", "offsets", "labels", "split"))
    rng = np.random.default_rng(0)
    rows = [balanced(labels, split == 0, N_TRAIN, rng), balanced(labels, split == 1, N_VALID + N_TEST, rng)]
    train, valid, test = rows[0], rows[1][:N_VALID], rows[1][N_VALID:]
    first, second, third = (
        Pictures(decoded(jpeg, offsets, part), labels[part].astype(np.int64)) for part in (train, valid, test)
    )
    return first, second, third


def balanced(
    labels: npt.NDArray[Any], among: npt.NDArray[np.bool_], n: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draw `n` rows, classes in turn."""
    of_class = [rng.permutation(np.flatnonzero(among & (labels == c)))[: n // 10] for c in range(10)]
    return np.stack(of_class, axis=1).ravel()


def decoded(
    jpeg: npt.NDArray[np.uint8], offsets: npt.NDArray[Any], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint8]:
    """Return the pixels ``[n, 32, 32, 3]`` of some of the images."""
    from PIL import Image

    data = jpeg.tobytes()
    found = [np.asarray(Image.open(io.BytesIO(data[offsets[i] : offsets[i + 1]])).convert("RGB")) for i in rows]
    return np.stack(found)

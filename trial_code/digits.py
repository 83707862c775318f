"""The 8x8 digits of scikit-learn, read from its package folder without importing it (that would cost a second)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import DataMissing

N_TRAIN = 1000
PIXEL_MAXIMUM = 16.0

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def digits_file() -> Path:
    """Find the data file that is part of every scikit-learn.

    Raises
    ------
    DataMissing
        scikit-learn is not installed, or keeps its digits elsewhere.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataMissing("the digits come with scikit-learn: pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataMissing(f"scikit-learn's digits are not at {path}: reinstall scikit-learn")
    return path


def load_digits() -> tuple[Images, Labels]:
    """Return all 1,797 images ``[n, 1, 8, 8]`` with pixels in 0..1, and their labels ``[n]``, in the file's order."""
    table = np.loadtxt(digits_file(), delimiter=",", dtype=np.float32)
    images = (table[:, :-1] / PIXEL_MAXIMUM).reshape(-1, 1, 8, 8)
    return images, table[:, -1].astype(np.int64)


def split_digits(seed: int = 0) -> tuple[Images, Labels, Images, Labels]:
    """Return 1,000 images to train on and the other 797 to validate on, drawn with `seed`."""
    images, labels = load_digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    train, valid = order[:N_TRAIN], order[N_TRAIN:]
    return images[train], labels[train], images[valid], labels[valid]

"""The 8x8 digits made hard, so that half-trained networks differ: each image moved by up to a pixel, and noise.

700 images to train on, 300 to choose by, 797 to test on; the same for everyone who asks with the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trial_code.digits import Images, Labels, load_digits

N_TRAIN, N_VALID = 700, 300
NOISE = 0.35  # standard deviation, pixels being in 0..1
STIMULI_A_CLASS = 20


@dataclass(frozen=True)
class Part:
    """Some of the images.

    Parameters
    ----------
    images
        ``[n, 1, 8, 8]``, about 0 to 1.
    labels
        ``[n]``.
    """

    images: Images
    labels: Labels


def noisy_digits(seed: int = 0) -> tuple[Part, Part, Part]:
    """Return the images to train on, to validate on and to test on."""
    images, labels = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    spoilt = spoil(images[order], rng)
    cuts = [N_TRAIN, N_TRAIN + N_VALID]
    parts = zip(np.split(spoilt, cuts), np.split(labels[order], cuts), strict=True)
    train, valid, test = (Part(part_images, part_labels) for part_images, part_labels in parts)
    return train, valid, test


def spoil(images: Images, rng: np.random.Generator) -> Images:
    """Move each image ``[n, 1, 8, 8]`` by -1, 0 or 1 pixels in both directions, and add noise."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    down, right = rng.integers(3, size=(2, len(images)))
    rows, columns = (start[:, None] + np.arange(images.shape[2]) for start in (down, right))
    moved = padded[np.arange(len(images))[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]
    spoilt: Images = (moved + NOISE * rng.standard_normal(moved.shape)).astype(np.float32)
    return spoilt


def stimuli(valid: Part) -> npt.NDArray[np.uint8]:
    """Return validation images as bytes ``[200, 8, 8, 1]``, as many of each class: what candidates are judged by."""
    pixels = np.clip(valid.images[stimuli_rows(valid)], 0.0, 1.0)
    made: npt.NDArray[np.uint8] = np.round(255.0 * pixels).astype(np.uint8).transpose(0, 2, 3, 1)
    return made


def stimuli_rows(valid: Part) -> npt.NDArray[np.intp]:
    """Return which validation images are the stimuli ``[200]``."""
    chosen = [np.flatnonzero(valid.labels == digit)[:STIMULI_A_CLASS] for digit in range(10)]
    return np.sort(np.concatenate(chosen))

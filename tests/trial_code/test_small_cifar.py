"""The few CIFAR-10 images of the benchmark: balanced, disjoint, always the same."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import DataMissing
from trial_code import small_cifar as module
from trial_code.small_cifar import Pictures, small_cifar

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def parts(data):
    if not (data / "cifar10" / "cifar10_full_jpeg.npz").is_file():
        pytest.skip("needs the CIFAR-10 images of the data folder")
    module.small_cifar.cache_clear()
    return small_cifar()


def test_sizes_classes_and_scale(parts):
    assert [part.pixels.shape for part in parts] == [(n, 32, 32, 3) for n in (4000, 1000, 2000)]
    for part in parts:
        assert np.bincount(part.labels).tolist() == 10 * [len(part.labels) // 10]
        assert part.labels[:20].tolist() == 2 * list(range(10))  # any first images are as many of each class
    small = parts[0].small()
    assert small.images.shape == (4000, 3, 16, 16) and small.images.dtype == np.float32
    assert np.abs(small.images.mean(axis=(0, 2, 3))).max() < 0.05  # normalised by the mean of all of CIFAR-10


def test_no_image_is_in_two_parts_and_all_are_the_same_again(parts):
    seen = [image.tobytes() for part in parts for image in part.pixels]
    assert len(set(seen)) >= 6995  # CIFAR-10 has a few doubles of its own
    module.small_cifar.cache_clear()
    again = small_cifar()
    assert all(np.array_equal(a.pixels, b.pixels) and np.array_equal(a.labels, b.labels)
               for a, b in zip(parts, again, strict=True))  # fmt: skip


def test_some_of_each_class():
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    pictures = Pictures(pixels, np.arange(40) % 10)
    first, rest = pictures.of_each_class(1), pictures.of_each_class(2, skip=1)
    assert first.pixels[:, 0, 0, 0].tolist() == list(range(10))
    assert rest.pixels[:, 0, 0, 0].tolist() == list(range(10, 30))
    assert rest.labels.tolist() == 2 * list(range(10))


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    module.small_cifar.cache_clear()
    with pytest.raises(DataMissing, match=r"cifar10_full_jpeg\.npz does not exist"):
        small_cifar()

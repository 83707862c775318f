"""Stimuli from torchvision's own classes, reading files that are already there."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from PIL import Image

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.datasets import names_dataset
from nni_strategies.rsa.stimuli import read_images

pytestmark = pytest.mark.timeout(60)  # torchvision takes seconds to import

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 28, 28), dtype=np.uint8)
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2], dtype=np.uint8)


@pytest.fixture
def mnist(tmp_path):
    """Nine images in the files that ``torchvision.datasets.MNIST`` reads."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind, values in (("images-idx3", IMAGES if part == "t10k" else IMAGES[::-1]), ("labels-idx1", LABELS)):
            header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + values.tobytes())
    return tmp_path


def test_classes_come_in_turn(mnist):
    assert read_images("MNIST:test:7", mnist)[..., 0].tolist() == IMAGES[[0, 4, 6, 1, 5, 7, 2]].tolist()
    assert len(read_images("MNIST:test", mnist)) == 9  # as many as there are, at most 250
    assert np.array_equal(read_images("MNIST:train:3", mnist)[0, ..., 0], IMAGES[-1])


def test_the_data_folder_is_looked_in(mnist, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(mnist))
    assert len(read_images("MNIST:test:4")) == 4


def test_a_file_of_such_a_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a", IMAGES)
    (tmp_path / "a.npy").rename(tmp_path / "MNIST:test")
    assert len(read_images("MNIST:test")) == 9
    assert [names_dataset(name) for name in ("A:test", "a.b.C:val:50", "images/", "a.npz", "C:test:x")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.fixture
def own(monkeypatch):
    """A module with data sets of one's own."""
    module = types.ModuleType("own_data")

    class Faces:
        def __init__(self, split, sizes=(4,)):
            if split != "val":
                raise ValueError(f"no split {split}")
            self.images = [Image.new("RGBA", (4, 4), (i, 0, 0, 255)) for i in range(10)]

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            return self.images[i], "a label"

    class Mixed(Faces):
        def __init__(self, split):
            self.images = [Image.new("RGB", (4 + i, 4)) for i in range(4)]

    class Empty(Faces):
        def __init__(self, split):
            self.images = []

    module.Faces, module.Mixed, module.Empty, module.nothing = Faces, Mixed, Empty, 3
    monkeypatch.setitem(sys.modules, "own_data", module)


def test_a_data_set_of_ones_own_without_classes(own):
    images = read_images("own_data.Faces:val:4")
    assert images.shape == (4, 4, 4, 3)
    assert images[:, 0, 0, 0].tolist() == [0, 3, 6, 9]  # from all over it


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("MNISTT:test", "did you mean 'MNIST'"),
        ("MNIST:tset", "did you mean 'test'"),
        ("MNIST:test:10", "at most 9 images"),
        ("MNIST:test:2", "at least 3 images"),
        ("CIFAR10:test", "a data set already in .*not found"),
        ("SVHN:test", "a data set already in"),
        ("own_data.Faces:test", "no split test"),
        ("own_data.Face:val", "did you mean 'Faces'"),
        ("own_data.nothing:val", "a data set of own_data"),
        ("nowhere_at_all.Faces:val", "can be imported"),
        ("own_data.Mixed:val", "images of one size"),
        ("own_data.Empty:val", "at least one image"),
        ("MNIST:test:0", "at least one image"),
    ],
)
def test_what_is_no_data_set(mnist, own, source, message):
    with pytest.raises(InvalidArgument, match=message):
        read_images(source, mnist)

"""Images: what is loaded is what was stored, and augmentation does what it says, pixel by pixel."""

from __future__ import annotations

import io
import itertools
import pickle  # torchvision's own file format, written here to be read by torchvision

import numpy as np
import pytest
import torch

from nni_strategies.errors import DataMissing, InvalidArgument
from trial_code.images import Loading, augment, load_images


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    return x, (np.arange(40) % 4).astype(np.int64)


@pytest.fixture
def decoded_file(tmp_path, pixels):
    x, y = pixels
    path = tmp_path / "small.npz"
    np.savez(path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    return path


def test_held_out_images_are_no_training_images(decoded_file):
    images = load_images(f"npz:{decoded_file}", Loading(batch_size=5, holdout=10, cutout=0))
    assert (images.n_classes, images.input_shape, images.steps_per_epoch) == (4, (3, 32, 32), 4)
    valid = torch.cat([x for x, _ in images.valid_batches()])
    assert len(valid) == 10
    train = images._train[0].float()
    held = images._valid[0].float()
    assert torch.cdist(train.flatten(1), held.flatten(1)).min() > 0


def test_without_holdout_the_test_set_validates(decoded_file, pixels):
    images = load_images(f"npz:{decoded_file}", Loading(holdout=0))
    assert torch.cat([y for _, y in images.valid_batches()]).tolist() == pixels[1][30:].tolist()


def test_an_epoch_repeats_exactly_and_differs_from_the_next(decoded_file):
    def epoch(number):
        images = load_images(f"npz:{decoded_file}", Loading(batch_size=5, holdout=0, seed=3))
        return torch.cat([x for x, _ in images.train_batches(number)])

    assert torch.equal(epoch(1), epoch(1))
    assert not torch.equal(epoch(1), epoch(2))


def test_jpeg_file_is_decoded_once(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("NNI_STRATEGIES_CACHE", str(tmp_path / "cache"))
    files = []
    for grey in (10, 90, 200):  # flat images survive JPEG almost unchanged
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (grey, grey, grey)).save(buffer, "JPEG", quality=95)
        files.append(buffer.getvalue())
    offsets = np.array([0, *itertools.accumulate(map(len, files))])
    jpeg = np.frombuffer(b"".join(files), dtype=np.uint8)
    path = tmp_path / "c.npz"
    np.savez(path, jpeg=jpeg, offsets=offsets, labels=np.array([0, 1, 2]), split=np.array([0, 0, 1]))
    for _ in range(2):
        images = load_images(f"npz:{path}", Loading(batch_size=1, holdout=0))
        assert [int(x[0, 0, 16, 16]) for x in images._train[0][:, None]] == pytest.approx([10, 90], abs=2)
        assert int(images._valid[0][0, 0, 16, 16]) == pytest.approx(200, abs=2)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_augmentation_is_a_shifted_perhaps_mirrored_window():
    image = torch.arange(1.0, 32 * 32 + 1).view(1, 1, 32, 32).repeat(64, 3, 1, 1)
    out = augment(image, 0, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image[0, 0], (4, 4, 4, 4))
    windows = [padded[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    allowed = {tuple(w.flatten().tolist()) for w in windows} | {tuple(w.flip(1).flatten().tolist()) for w in windows}
    assert all(tuple(o[0].flatten().tolist()) in allowed for o in out)
    assert len({tuple(o[0].flatten().tolist()) for o in out}) > 20


def test_cutout_blanks_one_square_of_every_channel():
    out = augment(torch.ones(200, 3, 64, 64), 16, torch.Generator().manual_seed(0))
    inner = out[:, :, 4:-4, 4:-4]  # beyond the padding that cropping brings in
    zeros = (inner[:, 0] == 0).sum((1, 2))
    assert zeros.max() == 16 * 16
    assert zeros.float().mean() > 100
    assert torch.equal(out[:, 0], out[:, 2])


@pytest.mark.slow
def test_torchvision_cifar100_folder(tmp_path, pixels, monkeypatch):
    from nni_strategies.compat import load_torchvision

    datasets = load_torchvision().datasets
    x, _ = pixels
    labels = [*range(90, 100), *range(30)]
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for part, rows in (("train", slice(0, 30)), ("test", slice(30, 40))):
        flat = x[rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
        with open(folder / part, "wb") as file:
            pickle.dump({"data": flat, "fine_labels": labels[rows]}, file)
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [str(i) for i in range(100)]}))
    monkeypatch.setattr(datasets.CIFAR100, "_check_integrity", lambda self: True)  # not the published bytes
    monkeypatch.setattr(datasets.CIFAR100, "_load_meta", lambda self: None)
    images = load_images(f"cifar100:{tmp_path}", Loading(batch_size=4, holdout=0))
    assert images.n_classes == 100
    train = images._train[0].permute(0, 2, 3, 1).numpy()
    loaded = {row.tobytes(): int(label) for row, label in zip(train, images._train[1], strict=True)}
    assert loaded == {row.tobytes(): label for row, label in zip(x[:30], labels[:30], strict=True)}


@pytest.mark.slow
def test_imagenet_folder(tmp_path):
    from PIL import Image

    for part, name, grey in itertools.product(("train", "val"), ("ant", "bee"), (0, 255)):
        folder = tmp_path / part / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 260), (grey,) * 3).save(folder / f"{grey}.JPEG")
    images = load_images(f"imagenet:{tmp_path}", Loading(batch_size=2, cutout=0, workers=0))
    assert (images.n_classes, images.input_shape, images.steps_per_epoch) == (2, (3, 224, 224), 2)
    x, y = next(images.valid_batches())
    assert y.tolist() == [0, 0, 1, 1]
    black, white = x[0, 0].mean(), x[1, 0].mean()
    assert white - black == pytest.approx(1 / 0.229, rel=0.01)
    assert next(images.train_batches(0))[0].shape == (2, 3, 224, 224)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("cifar11:/x", InvalidArgument, "cifar10"),
        ("npz", InvalidArgument, "KIND:PATH"),
        ("npz:/nowhere/c.npz", DataMissing, "/nowhere/c.npz"),
        ("imagenet:{tmp}", DataMissing, "train"),
        ("cifar10:{tmp}", DataMissing, "cifar10"),
    ],
)
def test_bad_names_are_refused(tmp_path, name, error, words):
    with pytest.raises(error, match=words):
        load_images(name.format(tmp=tmp_path), Loading())


def test_labels_in_a_column_are_labels(tmp_path, decoded_file, pixels):
    x, y = pixels
    np.savez(tmp_path / "column.npz", x_train=x[:30], y_train=y[:30, None], x_test=x[30:], y_test=y[30:, None])
    flat, column = (load_images(f"npz:{path}", Loading(holdout=0)) for path in (decoded_file, tmp_path / "column.npz"))
    assert torch.equal(flat._train[1], column._train[1]) and column.n_classes == 4


def changed(arrays, **changes):
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: changed(a, y_train=None, x_test=None, y_test=None), "y_test"),
        (lambda a: changed(a, x_train=a["x_train"].transpose(0, 3, 1, 2)), r"train are uint8 \[30, 3, 32, 32\]"),
        (lambda a: changed(a, x_test=a["x_test"] / 255), "test are float64"),
        (lambda a: changed(a, y_train=a["y_train"][:-1]), r"30 images, labels are int64 \[29\]"),
        (lambda a: changed(a, y_test=np.eye(4)[a["y_test"]]), r"float64 \[10, 4\]"),
        (lambda a: changed(a, y_train=a["y_train"] - 1), "labels from 0; one for train is -1"),
        (lambda a: changed(a, x_test=a["x_test"][:0], y_test=a["y_test"][:0]), "0 images"),
        (lambda a: changed(a, x_test=a["x_test"][:, 1:]), r"one size .* not \[32, 32, 3\] and \[31, 32, 3\]"),
        (lambda a: changed(a, y_train=a["y_train"].astype(object)), "plain arrays"),
    ],
    ids=["keys", "channels-first", "floats", "lengths", "one-hot", "negative", "empty", "sizes", "objects"],
)
def test_arrays_that_are_no_labelled_images_are_refused(tmp_path, decoded_file, change, words):
    with np.load(decoded_file) as file:
        arrays = dict(file)
    np.savez(tmp_path / "bad.npz", **change(arrays))
    with pytest.raises(InvalidArgument, match=words):
        load_images(f"npz:{tmp_path / 'bad.npz'}", Loading(holdout=0))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"], ids=["empty", "text", "truncated"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=str(path)):
        load_images(f"npz:{path}", Loading())


def test_jpegs_that_do_not_fit_their_labels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_CACHE", str(tmp_path / "cache"))
    arrays = {"jpeg": np.zeros(20, np.uint8), "offsets": np.array([0, 10, 20]), "split": np.array([0, 1])}
    np.savez(tmp_path / "a.npz", **arrays, labels=np.arange(3))
    with pytest.raises(InvalidArgument, match="3 offsets, 3 labels, 2 split"):
        load_images(f"npz:{tmp_path / 'a.npz'}", Loading())
    np.savez(tmp_path / "b.npz", **arrays, labels=np.arange(2))
    with pytest.raises(InvalidArgument, match="JPEGs"):
        load_images(f"npz:{tmp_path / 'b.npz'}", Loading())


def test_a_cutout_larger_than_the_image_is_refused(tmp_path, decoded_file):
    with pytest.raises(InvalidArgument, match="cutout = 33: at most 32"):
        load_images(f"npz:{decoded_file}", Loading(holdout=0, cutout=33))
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
    with pytest.raises(InvalidArgument, match="cutout = 225: at most 224"):
        load_images(f"imagenet:{tmp_path}", Loading(cutout=225))


def test_imagenet_folders_without_classes_or_images_are_refused(tmp_path):
    for name in ("train/ant", "train/bee", "val"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "train/ant/0.JPEG").touch()
    with pytest.raises(DataMissing, match=r"bee.*a folder a class"):
        load_images(f"imagenet:{tmp_path}", Loading())
    (tmp_path / "train/bee/0.JPEG").touch()
    (tmp_path / "val/0.JPEG").touch()  # as ILSVRC ships it
    with pytest.raises(DataMissing, match=r"val.*flat"):
        load_images(f"imagenet:{tmp_path}", Loading())


def test_bad_holdout_and_bad_file_are_refused(tmp_path, decoded_file):
    with pytest.raises(InvalidArgument, match="holdout = 30"):
        load_images(f"npz:{decoded_file}", Loading(holdout=30))
    with pytest.raises(InvalidArgument, match="holdout = 29: 0 to 28"):  # one image is left
        load_images(f"npz:{decoded_file}", Loading(holdout=29))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InvalidArgument, match="jpeg"):
        load_images(f"npz:{tmp_path / 'other.npz'}", Loading())

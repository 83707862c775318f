"""The CIFAR-10 teacher: which images it is shown, what it is known by, and that it is built once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.rsa.network import load_weights
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.stimuli import read_images
from nni_strategies.rsa.teacher import load_teacher
from trial_code.cifar10_teacher import balanced, find_weights, held_out, is_whole, teacher_file
from trial_code.images import Loading, load_images
from trial_code.resnet_cifar import INPUT_MEAN, INPUT_STD, resnet20

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(12) % 5

pytestmark = pytest.mark.timeout(60)


def saved_weights(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    torch.save({"state_dict": {f"module.{k}": v for k, v in resnet20().state_dict().items()}}, path)
    return path


def saved_images(path: Path, n: int = 120) -> Path:
    x = np.random.default_rng(0).integers(0, 256, (n + 20, 32, 32, 3), dtype=np.uint8)
    y = np.arange(n + 20) % 10
    np.savez(path, x_train=x[:n], y_train=y[:n], x_test=x[n:], y_test=y[n:])
    return path


def test_the_stimuli_are_held_out_images_bit_for_bit(tmp_path):
    path = saved_images(tmp_path / "small.npz")
    pixels, labels = held_out(load_images(f"npz:{path}", Loading(holdout=40)), 20)
    with np.load(path) as file:
        train, test = ({image.tobytes() for image in file[name]} for name in ("x_train", "x_test"))
        right = {image.tobytes(): label for image, label in zip(file["x_train"], file["y_train"], strict=True)}
    trained_on = load_images(f"npz:{path}", Loading(holdout=40))._train[0].permute(0, 2, 3, 1).numpy()
    seen = {image.tobytes() for image in pixels}
    assert pixels.dtype == np.uint8 and pixels.shape == (20, 32, 32, 3) and len(seen) == 20
    assert seen <= train and not seen & test
    assert not seen & {np.ascontiguousarray(image).tobytes() for image in trained_on}
    assert [right[image.tobytes()] for image in pixels] == labels.tolist()
    assert np.bincount(labels).max() <= np.bincount(labels).min() + 1
    again = held_out(load_images(f"npz:{path}", Loading(holdout=40)), 20)
    assert np.array_equal(pixels, again[0]) and np.array_equal(labels, again[1])


def test_they_are_as_many_of_each_class():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [50, 30, 20, 5]))
    assert np.bincount(labels[balanced(labels, 20, 0)]).tolist() == [5, 5, 5, 5]
    assert np.bincount(labels[balanced(labels, 35, 0)]).tolist() == [10, 10, 10, 5]
    assert sorted(balanced(labels, 105, 0)) == list(range(105))
    assert len({tuple(balanced(labels, 20, seed)) for seed in range(5)}) == 5
    taken = np.concatenate([balanced(labels, 8, seed) for seed in range(300)])
    assert len(set(taken)) == 105  # no image is never shown


def test_more_than_there_are_is_refused(tmp_path):
    images = load_images(f"npz:{saved_images(tmp_path / 'small.npz')}", Loading(holdout=40))
    with pytest.raises(InvalidArgument, match="--stimuli = 41: at most 40"):
        held_out(images, 41)


def test_it_is_built_once_for_the_same_things(tmp_path):
    weights = saved_weights(tmp_path / "weights.th")
    path = teacher_file("resnet20", weights, PIXELS, LABELS, tmp_path / "kept")
    written = path.stat().st_mtime_ns
    assert teacher_file("resnet20", weights, PIXELS, LABELS, tmp_path / "kept") == path
    assert path.stat().st_mtime_ns == written
    others = {
        teacher_file("resnet20", saved_weights(tmp_path / "other.th", seed=1), PIXELS, LABELS, tmp_path / "kept"),
        teacher_file("resnet20", weights, PIXELS[::-1], LABELS, tmp_path / "kept"),
        teacher_file("resnet20", weights, PIXELS, LABELS[::-1], tmp_path / "kept"),
    }
    assert len(others | {path}) == 4
    assert len(json.dumps(json.loads(path.read_text()))) < 3000


def test_one_that_was_damaged_is_built_anew(tmp_path):
    weights = saved_weights(tmp_path / "weights.th")
    path = teacher_file("resnet20", weights, PIXELS, LABELS, tmp_path / "kept")
    before = load_teacher(path)
    for name in ("teacher.npz", "stimuli.npz", "teacher.json"):
        damaged = path.with_name(name)
        damaged.write_bytes(damaged.read_bytes()[:100])
        assert teacher_file("resnet20", weights, PIXELS, LABELS, tmp_path / "kept") == path
        assert np.array_equal(load_teacher(path).rdms, before.rdms)


def test_a_byte_that_flipped_is_found(tmp_path):
    path = teacher_file("resnet20", saved_weights(tmp_path / "weights.th"), PIXELS, LABELS, tmp_path / "kept")
    assert is_whole(path)
    stimuli = path.with_name("stimuli.npz")
    whole = stimuli.read_bytes()
    labels = whole.index(b"labels.npy")
    method = whole.rindex(b"PK\x01\x02") + 10  # of compression: NotImplementedError
    for place in (labels, method, *range(labels + 40, labels + 100, 5)):  # a name, and what is compressed
        stimuli.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        assert not is_whole(path), place
    assert is_whole(teacher_file("resnet20", tmp_path / "weights.th", PIXELS, LABELS, tmp_path / "kept"))


def test_a_network_judged_by_itself_is_wholly_alike(tmp_path):
    weights = saved_weights(tmp_path / "weights.th")
    teacher = load_teacher(teacher_file("resnet20", weights, PIXELS, LABELS, tmp_path / "kept"))
    assert teacher.spec.layers == ("layer3.0", "layer3.1", "layer3.2", "pool")
    network = resnet20()
    load_weights(network, weights)
    # the teacher sees pixels normalised as its weights want them, candidates as the training does
    stimuli = (torch.tensor(PIXELS).permute(0, 3, 1, 2) / 255 - torch.tensor(INPUT_MEAN)[:, None, None]) / torch.tensor(
        INPUT_STD
    )[:, None, None]
    assert TeacherScorer(teacher, stimuli=stimuli).score(network.eval()).tg == pytest.approx(1.0, abs=1e-5)
    assert TeacherScorer(teacher).score(network.eval()).tg < 1.0 - 1e-5
    assert np.array_equal(read_images(teacher.spec.stimuli.path), PIXELS)
    assert np.array_equal(teacher.spec.stimuli.labels(), LABELS)


def test_weights_are_found_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    with pytest.raises(DataMissing, match=r"no resnet56-\*\.th; name a file with --weights"):
        find_weights("resnet56")
    (tmp_path / "resnet_cifar10").mkdir()
    there = tmp_path / "resnet_cifar10" / "resnet56-0123.th"
    there.touch()
    (tmp_path / "resnet_cifar10" / "resnet20-0123.th").touch()
    assert find_weights("resnet56") == there
    with pytest.raises(DataMissing, match=r"nowhere\.th is no file"):
        find_weights("resnet56", tmp_path / "nowhere.th")


class Harm:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_what_cannot_be_a_teacher_is_refused(tmp_path):
    weights = saved_weights(tmp_path / "weights.th")
    with pytest.raises(InvalidArgument, match="did you mean 'resnet56'"):
        teacher_file("resnet65", weights, PIXELS, LABELS, tmp_path)
    with pytest.raises(InvalidArgument, match="the weights of this network"):
        teacher_file("resnet56", weights, PIXELS, LABELS, tmp_path)
    (tmp_path / "text.th").write_text("no weights")
    with pytest.raises(InvalidArgument, match="weights_only=True"):
        teacher_file("resnet20", tmp_path / "text.th", PIXELS, LABELS, tmp_path)
    buffer = io.BytesIO()
    torch.save({"state_dict": Harm(tmp_path / "harmed")}, buffer)
    (tmp_path / "harm.th").write_bytes(buffer.getvalue())
    with pytest.raises(InvalidArgument, match="weights_only=True"):
        teacher_file("resnet20", tmp_path / "harm.th", PIXELS, LABELS, tmp_path)
    assert not (tmp_path / "harmed").exists()
    assert not list(tmp_path.glob("*/teacher.json"))

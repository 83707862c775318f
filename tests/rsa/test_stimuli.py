"""Images from wherever, always the same bytes; what is no set of stimuli is refused."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
import torch
from PIL import Image

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.stimuli import Stimuli, Transform, as_images, images_hash, read_images, write_images

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def stored(tmp_path, **transform):
    path = tmp_path / "stimuli.npz"
    return Stimuli(str(path), write_images(IMAGES, path), Transform(**transform))


def test_files_and_folders_give_the_same(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    np.savez(tmp_path / "a.npz", images=IMAGES, category=np.arange(6))
    (tmp_path / "folder" / "class").mkdir(parents=True)
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / "folder" / "class" / f"{i}.png")
    for name in ("a.npy", "a.npz", "folder"):
        assert np.array_equal(read_images(tmp_path / name), IMAGES)
        assert images_hash(read_images(tmp_path / name)) == images_hash(IMAGES)
    assert images_hash(IMAGES[::-1]) != images_hash(IMAGES)


def test_pixels_become_what_a_network_takes(tmp_path):
    plain = stored(tmp_path).load()
    assert plain.shape == (6, 3, 8, 8)
    assert torch.equal(plain[2, 1], torch.as_tensor(IMAGES[2, :, :, 1]) / 255.0)
    scaled = stored(tmp_path, mean=[0.5, 0.4, 0.3], std=[0.1, 0.2, 0.4]).load()
    assert torch.allclose(scaled[:, 2], (plain[:, 2] - 0.3) / 0.4)
    gray = stored(tmp_path, gray=True, size=4).load()
    assert gray.shape == (6, 1, 4, 4)
    assert gray.mean().item() == pytest.approx(plain.mean().item(), abs=0.02)
    assert as_images(IMAGES[..., 0]).shape == (6, 8, 8, 1)


def test_it_survives_json(tmp_path):
    stimuli = stored(tmp_path, size=32, mean=[0.5], std=[0.25])
    again = Stimuli.from_json(json.loads(json.dumps(stimuli.to_json())))
    assert again == stimuli
    assert torch.equal(again.load(), stimuli.load())


def test_other_images_than_the_teacher_saw_are_refused(tmp_path):
    stimuli = stored(tmp_path)
    write_images(IMAGES[::-1], tmp_path / "stimuli.npz")
    with pytest.raises(InvalidArgument, match="the images the teacher saw"):
        stimuli.load()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / 255.0, "unsigned bytes"),
        (IMAGES[:2], "at least 3 images"),
        (IMAGES[..., :2], r"\[n, height, width, 1 or 3\]"),
        (IMAGES[0, 0], r"\[n, height, width\]"),
    ],
)
def test_what_is_no_set_of_images(tmp_path, images, message):
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(InvalidArgument, match=message):
        read_images(tmp_path / "a.npz")


def test_what_cannot_be_read(tmp_path):
    np.savez(tmp_path / "other.npz", image=IMAGES)
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.png").write_text("no image")
    (tmp_path / "sizes").mkdir()
    for i, size in enumerate((4, 5)):
        Image.new("RGB", (size, size)).save(tmp_path / "sizes" / f"{i}.png")
    for name, message in (
        ("other.npz", "a file with images, not"),
        ("torn.npz", "a folder of images"),
        ("missing.npz", "readable"),
        ("empty", "a folder with image files"),
        ("words", "an image file"),
        ("sizes", "images of one size"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            read_images(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("stimuli.npz", "an object with path"),
        ({"path": "a"}, "stimuli.sha256"),
        ({"path": "a", "sha256": "b", "sise": 3}, "did you mean 'size'"),
        ({"path": "a", "sha256": "b", "size": 0}, "stimuli.size"),
        ({"path": "a", "sha256": "b", "std": [0.0]}, "stimuli.std"),
        ({"path": "a", "sha256": "b", "mean": ["x"]}, "stimuli.mean"),
    ],
)
def test_bad_descriptions_are_refused(given, message):
    with pytest.raises(InvalidArgument, match=message):
        Stimuli.from_json(given)


def test_as_many_means_as_channels(tmp_path):
    with pytest.raises(InvalidArgument, match="1 or 3 numbers"):
        stored(tmp_path, mean=[0.5, 0.5]).load()


def test_a_description_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "own_module_of_stimuli.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidArgument, match=r"stimuli\.path = .own_module_of_stimuli\.Faces:test"):
        Stimuli.from_json({"path": "own_module_of_stimuli.Faces:test", "sha256": "0"}).pixels()
    assert not (tmp_path / "ran").exists()


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "stimuli.npz"
    images = np.random.default_rng(0).integers(0, 9, (20, 8, 8, 1), dtype=np.uint8)
    stimuli = Stimuli(str(path), write_images(images, path, np.arange(20)))
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        for read in (stimuli.pixels, stimuli.labels):  # anything else than InvalidArgument fails
            try:
                read()
            except InvalidArgument:
                refused += 1
    assert refused > len(whole) // 6
    for end in range(0, len(whole), 50):
        path.write_bytes(whole[:end])
        with pytest.raises(InvalidArgument):
            stimuli.pixels()


def test_damaged_pictures_are_refused(tmp_path):
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    whole = (tmp_path / "1.png").read_bytes()
    for place in range(len(whole)):
        (tmp_path / "1.png").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(InvalidArgument):
            read_images(tmp_path)


def test_classes_that_are_none(tmp_path):
    stimuli = stored(tmp_path)
    np.savez(tmp_path / "stimuli.npz", images=IMAGES, labels=np.array([-1] * 6))
    with pytest.raises(InvalidArgument, match=r"labels = .*integers from 0"):
        stimuli.labels()

"""What stimuli show, from a file or from beside the images."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.groups import read_group

IDS = ("face", "house", "face", "car", "house", "car")


def test_every_form_gives_the_same(tmp_path):
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n\n")
    np.save(tmp_path / "ids.npy", np.array(IDS))
    np.savez(tmp_path / "images.npz", images=np.zeros((6, 2, 2), np.uint8), category=np.array(IDS))
    assert read_group(tmp_path / "ids.txt", "elsewhere") == IDS
    assert read_group(str(tmp_path / "ids.npy"), None) == IDS
    assert read_group("category", tmp_path / "images.npz") == IDS
    np.save(tmp_path / "numbers.npy", np.array([3, 1, 2]))
    assert read_group(tmp_path / "numbers.npy", None) == (3, 1, 2)


def test_what_is_no_group(tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((6, 2, 2), np.uint8), category=np.array(IDS))
    np.save(tmp_path / "floats.npy", np.array([0.5, np.nan]))
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object))
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x80")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    for where, stimuli, message in (
        ("categories", tmp_path / "images.npz", "did you mean 'category'"),
        ("images", tmp_path / "images.npz", r"a whole number or a word for each stimulus, not uint8 \[6, 2, 2\]"),
        ("category", tmp_path / "folder", "a file, or a key"),
        ("category", np.zeros((6, 2, 2)), "a file, or a key"),
        ("category", tmp_path / "torn.npz", "a readable file"),
        (tmp_path / "floats.npy", None, "not float64"),
        (tmp_path / "pickled.npy", None, "a readable file"),
        (tmp_path / "bytes.txt", None, "a readable file"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            read_group(where, stimuli)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, category=np.array(IDS))
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:  # anything else than InvalidArgument fails
            read_group("category", path)
        except InvalidArgument:
            refused += 1
    assert refused > len(whole) // 8

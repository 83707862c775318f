"""Recordings: what is averaged, and what is no recording."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.recordings import mean_response, read_recordings, repetitions


def test_missing_numbers_are_the_units_mean():
    repeated = np.array([[[1.0, 2.0], [np.nan, 4.0], [3.0, np.nan]], [[3.0, 2.0], [np.nan, 6.0], [5.0, np.nan]]])
    assert mean_response(repeated).tolist() == [[2.0, 2.0], [3.0, 5.0], [4.0, 3.5]]
    repeated[:, :, 1] = np.nan
    with pytest.raises(InvalidArgument, match="unit 1"):
        mean_response(repeated, "IT")


def test_both_kinds_of_file_give_the_same(tmp_path):
    arrays = {"IT": np.arange(24.0).reshape(2, 4, 3), "V4": np.ones((4, 2))}
    np.savez(tmp_path / "a.npz", **arrays)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file.create_group("more")
    for name in ("a.npz", "a.h5"):
        found = read_recordings(tmp_path / name)
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[key], arrays[key]) for key in arrays)


def test_files_that_are_not_read(tmp_path):
    np.savez(tmp_path / "pickled.npz", IT=np.array([{"a": 1}], dtype=object))
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "torn.h5").write_bytes(b"no HDF5")
    (tmp_path / "words.txt").write_text("1 2 3")
    for name in ("pickled.npz", "torn.npz", "torn.h5", "words.txt", "missing.npz"):
        with pytest.raises(InvalidArgument, match="a readable file of arrays"):
            read_recordings(tmp_path / name)
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(InvalidArgument, match="at least one array"):
        read_recordings(tmp_path / "empty.npz")


@pytest.mark.parametrize("values", [np.zeros((3, 5)), np.zeros(4), np.zeros((4, 0)), np.full((4, 2), "a")])
def test_what_is_no_recording_of_four_stimuli(values):
    assert repetitions("IT", np.zeros((4, 2)), 4).shape == (1, 4, 2)
    with pytest.raises(InvalidArgument, match=r"activations IT = .*\[4, n_units\]"):
        repetitions("IT", values, 4)


@pytest.mark.parametrize("name", ["a.npz", "a.h5"])
def test_damaged_files_are_refused(tmp_path, name):
    values = np.arange(60.0).reshape(4, 15)
    if name == "a.npz":
        np.savez_compressed(tmp_path / name, IT=values)
    else:
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("IT", data=values, compression="gzip")
    whole = (tmp_path / name).read_bytes()
    refused = 0
    for place in range(0, len(whole), 3 if name == "a.npz" else 41):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:  # anything else than InvalidArgument fails
            for found, array in read_recordings(tmp_path / name).items():
                repetitions(found, array, 4)
        except InvalidArgument:
            refused += 1
    assert refused

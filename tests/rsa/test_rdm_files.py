"""RDMs in every form they are exchanged in, and what is no RDM."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.distance import squareform

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.rdm_files import read_rdms, read_subjects

pytestmark = pytest.mark.timeout(60)  # rsatoolbox takes seconds to import

VECTOR = np.random.default_rng(0).random(45)
OTHER = np.random.default_rng(1).random(45)
SQUARE = squareform(VECTOR)


def only(found):
    assert len(found) == 1
    return next(iter(found.values()))


@pytest.mark.parametrize("value", [SQUARE, VECTOR, SQUARE[None], VECTOR[None], SQUARE.astype(np.float32)])
@pytest.mark.parametrize("kind", ["npy", "npz", "mat"])
def test_squares_and_triangles(tmp_path, kind, value):
    path = tmp_path / f"IT.{kind}"
    if kind == "npy":
        np.save(path, value)
    elif kind == "npz":
        np.savez(path, IT=value, images=np.zeros((10, 4, 4, 3), np.uint8), names=np.array(["a", "b"]))
    else:
        savemat(path, {"IT": value, "text": "words"})
    assert only(read_rdms(path)) == pytest.approx(VECTOR, abs=1e-7)
    assert list(read_rdms(path)) == ["IT"]


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_tables(tmp_path, kind, delimiter):
    np.savetxt(tmp_path / f"r.{kind}", SQUARE, delimiter=delimiter)
    assert only(read_rdms(tmp_path / f"r.{kind}")) == pytest.approx(VECTOR)


@pytest.mark.parametrize("described", [True, False])
def test_rsatoolboxs_files_without_rsatoolbox(tmp_path, described):
    from rsatoolbox.rdm import RDMs

    descriptors = {"ROI": ["V4", "IT"]} if described else {}
    RDMs(np.stack([VECTOR, OTHER]), rdm_descriptors=descriptors).save(str(tmp_path / "r.hdf5"), file_type="hdf5")
    found = read_rdms(tmp_path / "r.hdf5")
    assert list(found) == (["V4", "IT"] if described else ["0", "1"])
    assert np.array_equal(list(found.values()), [VECTOR, OTHER])
    assert np.array_equal(only(read_rdms(tmp_path / "r.hdf5", [list(found)[1]])), OTHER)


def test_several_subjects_are_kept_or_pooled(tmp_path):
    np.savez(tmp_path / "r.npz", IT=np.stack([SQUARE, squareform(OTHER)]), V1=SQUARE)
    assert list(read_rdms(tmp_path / "r.npz")) == ["IT 0", "IT 1", "V1"]
    pooled = read_rdms(tmp_path / "r.npz", pool="mean")
    assert pooled["IT"] == pytest.approx((VECTOR + OTHER) / 2)


def test_the_brains(data):
    found = read_rdms(data / "brain_92images" / "kriegeskorte2008_92.npz", ["rdm_monkey_IT", "rdm_human_IT"])
    assert {len(vector) for vector in found.values()} == {4186}
    everything = read_rdms(data / "brain_92images" / "kriegeskorte2008_92.npz")
    assert len([name for name in everything if name.startswith("rdm_human_IT_subjects")]) == 8
    with pytest.raises(InvalidArgument, match="did you mean 'rdm_human_IT'"):
        read_rdms(data / "brain_92images" / "kriegeskorte2008_92.npz", ["rdm_human_it"])


def changed(i, j, value):
    square = SQUARE.copy()
    square[i, j] = value
    return square


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (changed(0, 1, 5.0), "symmetric"),
        (SQUARE + np.eye(10), "diagonal is 0"),
        (changed(3, 4, np.nan), "finite"),
        (VECTOR[:44], "pairs of n stimuli"),
        (VECTOR[:1], "at least 3 stimuli"),
        (np.zeros((2, 3, 4, 5)), "shape"),
        (SQUARE.astype("U8"), "numbers"),
    ],
)
def test_what_is_no_rdm(tmp_path, value, message):
    np.save(tmp_path / "IT.npy", value)
    with pytest.raises(InvalidArgument, match=message):
        read_rdms(tmp_path / "IT.npy", ["IT"])


def test_files_that_are_not_read(tmp_path):
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "words.csv").write_text("a,b\n")
    (tmp_path / "torn.mat").write_bytes(b"MATLAB")
    (tmp_path / "torn.h5").write_bytes(b"no HDF5")
    for name in ("pickle.npy", "torn.npz", "words.csv", "torn.mat", "torn.h5", "missing.npy"):
        with pytest.raises(InvalidArgument, match="a readable file of RDMs"):
            read_rdms(tmp_path / name)
    np.savez(tmp_path / "r.npz", a=SQUARE, b=SQUARE[:5, :5])
    with pytest.raises(InvalidArgument, match="as many stimuli each"):
        read_rdms(tmp_path / "r.npz")
    np.savez(tmp_path / "r.npz", images=np.zeros((5, 4), np.uint8))
    with pytest.raises(InvalidArgument, match="at least one RDM"):
        read_rdms(tmp_path / "r.npz")
    with pytest.raises(InvalidArgument, match="did you mean 'mean'"):
        read_rdms(tmp_path / "r.npz", pool="means")


def test_pickles_are_refused_whatever_their_name(tmp_path):
    for name in ("rdms.pkl", "rdms.hdf5", "rdms.npy", "rdms"):
        (tmp_path / name).write_bytes(pickle.dumps({"dissimilarities": SQUARE}))
        with pytest.raises(InvalidArgument, match=r"no pickle.*save\(\.\.\., file_type='hdf5'\)"):
            read_rdms(tmp_path / name)
    with pytest.raises(InvalidArgument, match=r"a file of type .*'.tsv'"):
        read_rdms(tmp_path / "rdms.txt")


def test_rsatoolboxs_pickle_is_refused(tmp_path):
    from rsatoolbox.rdm import RDMs

    RDMs(VECTOR[None]).save(str(tmp_path / "r.pkl"), file_type="pkl")
    (tmp_path / "r.pkl").rename(tmp_path / "r.h5")
    with pytest.raises(InvalidArgument, match="no pickle"):
        read_rdms(tmp_path / "r.h5")


def test_entries_get_other_names(tmp_path):
    np.savez(tmp_path / "r.npz", rdm_IT=SQUARE, rdm_V1=squareform(OTHER))
    found = read_rdms(tmp_path / "r.npz", {"V1": "rdm_V1", "IT": "rdm_IT"})
    assert list(found) == ["V1", "IT"]
    assert np.array_equal(found["V1"], OTHER)


SESSIONS = np.random.default_rng(2).random((3, 2, 45))  # of three subjects


@pytest.mark.parametrize(("kind", "sessions"), [("axes", 1), ("axes", 2), ("rows", 2), ("entries", 2), ("hdf5", 2)])
def test_sessions_are_averaged_before_subjects_are_compared(tmp_path, kind, sessions):
    each = np.stack([squareform(vector) for vector in SESSIONS.reshape(6, 45)])
    path = tmp_path / ("r.h5" if kind == "hdf5" else "r.npz")
    if kind == "axes":
        np.savez(path, IT=each.reshape(3, 2, 10, 10), other=np.zeros(7))
    elif kind == "rows":
        np.savez(path, IT=SESSIONS.reshape(6, 45))
    elif kind == "entries":
        np.savez(path, **{f"s{i}": rdm for i, rdm in enumerate(each)})
    else:
        with h5py.File(path, "w") as file:
            file["dissimilarities"] = SESSIONS.reshape(6, 45)
    assert read_subjects(path, sessions=sessions) == pytest.approx(SESSIONS.mean(axis=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entry": "IT", "sessions": 3}, "sessions = 3: 2, as IT has"),
        ({"entry": "rows", "sessions": 4}, "a divisor of the number of RDMs, 6"),
        ({"entry": "rows", "sessions": 0}, "a divisor"),
        ({"entry": "row"}, "did you mean 'rows'"),
        ({}, "the one with an RDM a subject"),
    ],
)
def test_subjects_that_cannot_be_told_apart(tmp_path, options, message):
    rows = SESSIONS.reshape(6, 45)
    each = np.stack([squareform(vector) for vector in rows])
    np.savez(tmp_path / "r.npz", IT=each.reshape(3, 2, 10, 10), rows=rows)
    with pytest.raises(InvalidArgument, match=message):
        read_subjects(tmp_path / "r.npz", **options)

"""``nni_strategies teacher``: what it builds and says, and how it ends."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.distance import squareform
from torch import nn
from typer.testing import CliRunner

from nni_strategies.cli import build
from nni_strategies.rsa.rdm import rdm_from_features
from nni_strategies.rsa.teacher import load_teacher

N = 12
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (N, 8, 8), dtype=np.uint8)
IDS = ["face", "house", "car", "tree"] * 3
VECTORS = RNG.random((2, 66))
SQUARES = np.stack([squareform(vector) for vector in VECTORS])
NET = ("--network", "tests.rsa.networks:Net")


def run(*arguments):
    """Run a command that succeeds; its output."""
    result = CliRunner().invoke(build(), ["teacher", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(autouse=True)
def _same_networks():
    torch.manual_seed(0)


@pytest.fixture
def images(tmp_path):
    np.savez(tmp_path / "images.npz", images=IMAGES, category=np.array(IDS))
    return tmp_path / "images.npz"


@pytest.fixture
def build_from(tmp_path, images):
    """Builds a teacher and loads it."""

    def built(*options, folder="t"):
        run("build", tmp_path / folder, "--stimuli", images, *options)
        return load_teacher(tmp_path / folder / "teacher.json")

    return built


# -- what it builds -------------------------------------------------------------------------------


def test_a_network_is_built_inspected_and_compared(tmp_path, images):
    options = ("--stimuli", images, *NET)
    built = run("build", tmp_path / "t", *options, "--mean", 0.5, "--std", 0.25, "--method", "spearman")
    assert "12 stimuli, compared by spearman" in built
    spec = json.loads((tmp_path / "t" / "teacher.json").read_text())
    assert spec["layers"] == ["blocks.1", "blocks.2", "head:input"]
    assert (spec["stimuli"]["mean"], spec["stimuli"]["std"]) == ([0.5], [0.25])
    assert run("inspect", tmp_path / "t" / "teacher.json") == built
    run("build", tmp_path / "u", *options, "--layers", "blocks.0")
    compared = run("compare", tmp_path / "t" / "teacher.json", tmp_path / "u" / "teacher.json").splitlines()
    assert compared[0] == "similarity (pearson)"
    assert [line.split()[0] for line in compared[1:]] == ["blocks.0", "blocks.1", "blocks.2", "head:input"]
    one, other = (load_teacher(tmp_path / name / "teacher.json").rdms for name in ("t", "u"))
    expected = [np.corrcoef(rdm, other[0])[0, 1] for rdm in one]
    assert [float(line.split()[1]) for line in compared[2:]] == pytest.approx(expected, abs=1e-3)


def test_a_teacher_with_a_transform_of_its_own_and_classes(build_from, images):
    """A large teacher may judge candidates that take small images: the stimuli are kept once, as they came."""
    scaled = build_from(*NET, "--size", 4, "--own-size", 8, "--own-mean", 0.5, "--labels", "category")
    torch.manual_seed(0)
    plain = build_from(*NET, "--mean", 0.5, folder="u")  # 8x8 are what the images are
    assert np.array_equal(scaled.rdms, plain.rdms)
    assert scaled.spec.stimuli.load().shape == (N, 1, 4, 4)
    assert scaled.spec.stimuli.labels().tolist() == [1, 2, 0, 3] * 3  # car, face, house, tree
    assert plain.spec.stimuli.labels() is None


def test_many_layers_are_shown_whole(build_from, tmp_path):
    teacher = build_from(*NET, "--layers", "all")
    lines = run("inspect", tmp_path / "t" / "teacher.json").splitlines()[2:]
    assert lines[0].split() == [str(i) for i in range(1, len(teacher.spec.layers) + 1)]
    for i, (line, name) in enumerate(zip(lines[1:], teacher.spec.layers, strict=True), start=1):
        number, shown, *values = line.split()
        assert (number, shown, values[i - 1]) == (str(i), name, "1.000")


@pytest.mark.parametrize("kind", ["csv", "mat", "h5", "npz"])
def test_rdms_of_every_kind(build_from, tmp_path, kind):
    file = tmp_path / f"IT.{kind}"
    if kind == "csv":
        np.savetxt(file, SQUARES[0], delimiter=",")
    elif kind == "mat":
        savemat(file, {"IT": SQUARES[0], "V4": SQUARES[1], "text": "words"})
    elif kind == "npz":
        np.savez(file, IT=SQUARES[0], V4=SQUARES[1])
    else:
        with h5py.File(file, "w") as made:
            made["dissimilarities"] = VECTORS
            made["rdm_descriptors/ROI"] = np.array([b"IT", b"V4"])
    teacher = build_from("--rdm", file, "--select", "IT")
    assert teacher.spec.layers == ("IT",)
    assert teacher.rdms[0] == pytest.approx(VECTORS[0], abs=1e-6)


def test_entries_are_named_pooled_and_have_ceilings(build_from, tmp_path):
    each = VECTORS[0] + 0.3 * RNG.random((3, 66))
    np.savez(tmp_path / "r.npz", rdm_IT=SQUARES, rdm_V4=SQUARES[1], each=each)
    options = ("--rdm", tmp_path / "r.npz", "--pool", "mean", "--select", "IT=rdm_IT", "--select", "rdm_V4")
    teacher = build_from(*options, "--subjects", "IT=each")
    assert teacher.spec.layers == ("IT", "rdm_V4")
    assert teacher.rdms == pytest.approx(np.stack([VECTORS.mean(axis=0), VECTORS[1]]), abs=1e-6)
    assert teacher.spec.ceilings.keys() == {"IT"}
    assert "noise ceiling of IT: 0." in run("inspect", tmp_path / "t" / "teacher.json")
    alone = build_from("--rdm", tmp_path / "r.npz", "--select", "rdm_V4", "--subjects", "each", "--sessions", 1)
    assert alone.spec.ceilings.keys() == {"rdm_V4"}


def test_recordings_of_conditions(build_from, tmp_path):
    responses = RNG.normal(size=(N, 9))
    with h5py.File(tmp_path / "areas.h5", "w") as file:
        file["IT"] = responses
    (tmp_path / "ids.txt").write_text("\n".join(IDS))
    expected = rdm_from_features(np.stack([responses[i::4].mean(axis=0) for i in range(4)]))
    for group in ("category", tmp_path / "ids.txt"):
        teacher = build_from("--activations", tmp_path / "areas.h5", "--group", group, folder=f"t{group == 'category'}")
        assert teacher.rdms[0] == pytest.approx(expected, abs=1e-6)
    assert "12 stimuli in 4 groups" in run("inspect", tmp_path / "tTrue" / "teacher.json")


@pytest.mark.parametrize(("method", "bounds"), [("spearman", (0.3723, 0.6657)), ("pearson", (0.3944, 0.6804))])
def test_the_published_noise_ceilings(data, method, bounds):
    file = data / "brain_92images" / "kriegeskorte2008_92.npz"
    output = run("ceiling", file, "--entry", "rdm_human_IT_subjects", "--method", method)
    words = output.replace(",", "").split()
    assert output.startswith(f"4 subjects, {method}: lower 0.")
    assert (float(words[4]), float(words[6])) == pytest.approx(bounds, abs=1e-3)


def test_sessions_without_an_axis(tmp_path):
    sessions = RNG.random(66) + RNG.random((4, 2, 66))
    np.save(tmp_path / "rows.npy", sessions.reshape(8, 66))
    np.save(tmp_path / "means.npy", sessions.mean(axis=1))
    rows = run("ceiling", tmp_path / "rows.npy", "--sessions", 2)
    assert rows == run("ceiling", tmp_path / "means.npy")
    assert rows.startswith("4 subjects, spearman: ")


# -- what it refuses ------------------------------------------------------------------------------


@pytest.fixture
def refused(command_line, tmp_path, monkeypatch):
    """Runs a command that ends with exit code 2; its message."""
    monkeypatch.chdir(tmp_path)

    def message(*arguments):
        ended = command_line("teacher", *map(str, arguments))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("error: ") and "Traceback" not in ended.stderr
        return " ".join(ended.stderr.split())

    return message


def changed(i, j, value):
    square = SQUARES[0].copy()
    square[i, j] = value
    return square


@pytest.mark.timeout(60)  # NNI is imported
@pytest.mark.parametrize(
    ("rdm", "message"),
    [
        (np.zeros((2, 3, 4, 5)), "rdm IT = [2, 3, 4, 5]: shape [n, n]"),
        (VECTORS[0, :65], "RDM = 65: n (n - 1) / 2 pairs"),
        (changed(3, 4, np.nan), "rdm IT = 1: finite, not NaN"),
        (changed(0, 1, 5.0), "a symmetric matrix"),
        (SQUARES[0] + np.eye(N), "whose diagonal is 0"),
        (VECTORS[0, :1], "rdm IT = 2: at least 3 stimuli"),
        (SQUARES[0, :11, :11], "stimuli = 12: as many as the RDM has, which has 55 pairs"),
        (SQUARES[0].astype("U8"), "numbers"),
    ],
)
def test_what_is_no_rdm_of_the_stimuli(refused, images, rdm, message):
    np.savez("r.npz", IT=rdm)
    if rdm.dtype.kind == "U":  # such an entry of a .npz is not even seen
        np.save("IT.npy", rdm)
        assert message in refused("build", "t", "--stimuli", images, "--rdm", "IT.npy", "--select", "IT")
    else:
        assert message in refused("build", "t", "--stimuli", images, "--rdm", "r.npz", "--select", "IT")


@pytest.mark.timeout(60)
def test_a_teacher_that_is_gone_or_was_changed(refused, images):
    assert '"t/teacher.json": a readable JSON file' in refused("inspect", "t/teacher.json")
    run("build", "t", "--stimuli", images, *NET)
    run("build", "u", "--stimuli", images, *NET)
    np.savez("t/stimuli.npz", images=IMAGES[::-1])
    assert "the images the teacher saw" in refused("inspect", "t/teacher.json")
    np.savez("t/teacher.npz", rdm=VECTORS)
    assert "the file it was built with" in refused("inspect", "t/teacher.json")
    assert "the file it was built with" in refused("compare", "u/teacher.json", "t/teacher.json")
    (images.parent / "t" / "teacher.npz").unlink()
    assert "teacher.path" in refused("compare", "t/teacher.json", "u/teacher.json")


@pytest.mark.timeout(60)
def test_pickles(refused, images):
    torch.save(nn.Linear(2, 2), "module.pt")
    np.save("pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez("pickled.npz", images=np.array([{"a": 1}], dtype=object))
    with open("rdms.pkl", "wb") as file:
        pickle.dump({"dissimilarities": VECTORS}, file)
    of_images = ("build", "t", "--stimuli", images)
    assert "no pickle" in refused(*of_images, "--rdm", "rdms.pkl")
    assert "file_type='hdf5'" in refused("ceiling", "rdms.pkl")
    assert "a readable file of RDMs" in refused(*of_images, "--rdm", "pickled.npy")
    assert "a readable file of arrays" in refused(*of_images, "--activations", "pickled.npz")
    assert "weights_only=True" in refused(*of_images, *NET, "--weights", "module.pt")
    assert "stimuli = " in refused("build", "t", "--stimuli", "pickled.npz", *NET)
    assert "group = " in refused(*of_images, *NET, "--group", "pickled.npy")


@pytest.mark.timeout(60)
def test_stimuli_that_are_none(refused):
    np.save("two.npy", IMAGES[:2])
    np.save("floats.npy", IMAGES / 255.0)
    folder = Path("folder")
    folder.mkdir()
    (folder / "a.png").write_text("no image")
    for stimuli, message in (
        ("missing.npz", "a readable file or folder"),
        ("two.npy", "stimuli = 2: at least 3 images"),
        ("floats.npy", "unsigned bytes"),
        ("folder", "an image file"),
        ("MNISTT:test", "did you mean 'MNIST'?"),
    ):
        assert message in refused("build", "t", "--stimuli", stimuli, *NET)


@pytest.mark.timeout(60)
def test_names_that_are_none(refused, images):
    np.savez("r.npz", rdm_IT=SQUARES[0], rdm_V4=SQUARES[1], each=VECTORS)
    network = ("build", "t", "--stimuli", images, *NET)
    rdms = ("build", "t", "--stimuli", images, "--rdm", "r.npz", "--select", "rdm_IT", "--select", "rdm_V4")
    for arguments, message in (
        ((*network, "--layers", "blocks.00", "--layers", "head"), 'layers = "blocks.00": the name of a layer'),
        ((*network, "--layers", "blocks.00", "--layers", "head"), "did you mean 'blocks.0'?"),
        ((*network, "--layers", "block"), "did you mean"),
        ((*network, "--method", "pearsons"), "did you mean 'pearson'?"),
        ((*network, "--group", "categories"), "did you mean 'category'?"),
        ((*network, "--labels", "categories"), "did you mean 'category'?"),
        ((*network[:-1], "tests.rsa.networks:Nett"), "did you mean 'Net'?"),
        ((*network, "--pool", "mean"), "of a teacher from network"),
        ((*network, "--size", "0"), "stimuli.size = 0: a positive integer"),
        ((*rdms, "--select", "rdm_it"), "did you mean 'rdm_IT'?"),
        ((*rdms, "--select", "=rdm_IT"), "LAYER=ENTRY"),
        ((*rdms, "--pool", "maen"), "did you mean 'mean'?"),
        ((*rdms, "--subjects", "each"), "LAYER=ENTRY"),
        ((*rdms, "--subjects", "rdm_I=each"), "did you mean 'rdm_IT'?"),
        ((*rdms, "--subjects", "rdm_IT=each", "--sessions", "0"), "sessions = 0"),
        ((*rdms, "--weights", "w.pt"), "of a teacher from rdm"),
        ((*rdms, "--method", "cka"), "pearson"),
        ((*rdms, *NET), 'teacher = ["network", "rdm"]'),
        (network[:4], "teacher = []: one of network, rdm and activations"),
        (("ceiling", "r.npz", "--entry", "rdm_IT"), "at least two subjects"),
        (("ceiling", "r.npz", "--entry", "each", "--sessions", "3"), "a divisor of the number of RDMs, 2"),
    ):
        assert message in refused(*arguments)


@pytest.mark.timeout(60)
def test_teachers_of_other_stimuli_are_not_compared(refused, images):
    np.save("others.npy", IMAGES[::-1])
    run("build", "t", "--stimuli", images, *NET)
    run("build", "u", "--stimuli", "others.npy", *NET)
    assert "a teacher of the stimuli of t/teacher.json" in refused("compare", "t/teacher.json", "u/teacher.json")

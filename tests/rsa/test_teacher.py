"""Teachers as files: what is written is what is loaded, and whatever was changed is found out."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.rdm import n_stimuli
from nni_strategies.rsa.similarity import signature
from nni_strategies.rsa.stimuli import Stimuli, Transform, write_images
from nni_strategies.rsa.teacher import LARGEST, load_teacher, read_spec, write_teacher

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
RDMS = np.random.default_rng(1).random((2, 45)).astype(np.float32)


@pytest.fixture
def stimuli(tmp_path):
    return Stimuli(str(tmp_path / "stimuli.npz"), write_images(IMAGES, tmp_path / "stimuli.npz"), Transform(size=8))


def written(tmp_path, stimuli, **options):
    return write_teacher(tmp_path, RDMS, ["V4", "IT"], stimuli, **{"method": "pearson", **options})


def edited(path, **changes):
    spec = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in spec.items() if value != "gone"}))
    return path


def test_what_is_written_is_loaded(tmp_path, stimuli):
    path = written(tmp_path, stimuli, ceilings={"IT": (0.3, 0.6)}, source="two areas")
    teacher = load_teacher(path)
    assert teacher.n == n_stimuli(45) == 10
    assert np.array_equal(teacher.rdms, RDMS)
    assert np.allclose(teacher.signatures, [signature(rdm, "pearson") for rdm in RDMS])
    assert teacher.spec.layers == ("V4", "IT")
    assert teacher.spec.ceilings == {"IT": (0.3, 0.6)}
    assert load_teacher(json.loads(path.read_text())).spec == load_teacher(teacher.spec).spec == teacher.spec
    assert len(path.read_text()) < LARGEST


def test_what_was_changed_is_found_out(tmp_path, stimuli):
    path = written(tmp_path, stimuli)
    np.savez(tmp_path / "teacher.npz", rdm=RDMS + 1)
    with pytest.raises(InvalidArgument, match="the file it was built with"):
        load_teacher(path)
    (tmp_path / "teacher.npz").unlink()
    with pytest.raises(InvalidArgument, match="a readable file"):
        load_teacher(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "pearsons"}, "did you mean 'pearson'"),
        ({"method": "cka"}, "of this teacher only RDMs are known"),
        ({"layers": ["V4"]}, "as many names as the file has RDMs"),
        ({"layers": "V4"}, "teacher.layers"),
        ({"layer": ["V4"]}, "did you mean 'layers'"),
        ({"stimuli": "gone"}, "an object with path"),
        ({"sha256": "gone"}, "teacher.sha256"),
        ({"format": 2}, "this version reads"),
        ({"group": [0, 1] * 5}, "teacher.group = .*build the teacher again"),
        ({"ceilings": {"IT": [0.3]}}, "two numbers a layer"),
        ({"ceilings": [0.3, 0.6]}, "two numbers a layer"),
    ],
)
def test_bad_files_are_refused(tmp_path, stimuli, changes, message):
    with pytest.raises(InvalidArgument, match=message):
        load_teacher(edited(written(tmp_path, stimuli), **changes))


def test_a_pickle_in_the_file_of_vectors_is_not_opened(tmp_path, stimuli):
    path = written(tmp_path, stimuli)
    np.savez(tmp_path / "teacher.npz", rdm=np.array([{"a": 1}], dtype=object))
    sha256 = hashlib.sha256((tmp_path / "teacher.npz").read_bytes()).hexdigest()
    with pytest.raises(InvalidArgument, match="a readable file"):
        load_teacher(edited(path, sha256=sha256))


def test_files_that_are_no_teachers(tmp_path):
    (tmp_path / "words.json").write_text("words")
    (tmp_path / "list.json").write_text("[]")
    for name, message in (("missing.json", "readable JSON"), ("words.json", "a JSON file"), ("list.json", "an object")):
        with pytest.raises(InvalidArgument, match=message):
            read_spec(tmp_path / name)


def test_a_teacher_too_large_for_nni_is_refused_when_it_is_built(tmp_path, stimuli):
    with pytest.raises(InvalidArgument, match=r"4\d\d\d bytes.*at most 3000 bytes of JSON: fewer layers"):
        write_teacher(tmp_path, RDMS, ["x" * 2000, "y" * 2000], stimuli, method="pearson")
    with pytest.raises(InvalidArgument, match="finite"):
        write_teacher(tmp_path, RDMS * np.nan, ["V4", "IT"], stimuli, method="pearson")


def test_thousands_of_groups_fit(tmp_path, stimuli):
    group = [i % 10 for i in range(5000)]
    path = written(tmp_path, stimuli, group=group)
    assert len(path.read_text()) < 1000
    teacher = load_teacher(path)
    assert teacher.spec.group == tuple(group)
    assert load_teacher(teacher.spec.to_json()).spec == load_teacher(teacher.spec).spec == teacher.spec
    with pytest.raises(InvalidArgument, match="as many groups as the RDM has conditions, 10"):
        written(tmp_path, stimuli, group=[0, 1, 2])


@pytest.mark.parametrize(
    "refused", [{"layers": ["x" * 2000, "y" * 2000]}, {"rdms": RDMS * np.nan}, {"method": "cka"}, {"group": [0, 1]}]
)
def test_what_is_refused_replaces_nothing(tmp_path, stimuli, refused):
    path = written(tmp_path, stimuli)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    given = {"rdms": RDMS + 1, "layers": ["V4", "IT"], "method": "pearson", **refused}
    with pytest.raises(InvalidArgument):
        write_teacher(tmp_path, given.pop("rdms"), given.pop("layers"), stimuli, **given)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    load_teacher(path)


def test_damaged_vectors_are_refused(tmp_path, stimuli):
    path = written(tmp_path, stimuli)
    vectors = tmp_path / "teacher.npz"
    np.savez_compressed(vectors, rdm=RDMS)
    whole = vectors.read_bytes()
    refused = 0
    for place in range(0, len(whole), 5):
        vectors.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:  # anything else than InvalidArgument fails
            load_teacher(edited(path, sha256=hashlib.sha256(vectors.read_bytes()).hexdigest()))
        except InvalidArgument:
            refused += 1
    assert refused > len(whole) // 10

"""What a trial leaves for the report: whole files with the right pairs of stimuli, and no harm when they cannot be."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from nni_strategies.rsa.details import DETAILS, MOST_STIMULI, RDMS, kept_stimuli, of_stimuli, write_details
from nni_strategies.rsa.rdm import square, upper
from nni_strategies.rsa.score import ScoreResult, TeacherScorer
from tests.rsa.test_score import network, teacher_of


def result_of(rdms: np.ndarray, match: dict[str, str], matrix: np.ndarray | None = None) -> ScoreResult:
    names = tuple(f"layer {i}" for i in range(len(rdms)))
    matrix = np.zeros((2, len(rdms))) if matrix is None else matrix
    return ScoreResult(0.5, dict.fromkeys(match, 0.5), match, matrix, names, rdms, 0.1, frozenset({"layer 1"}))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return teacher_of(network(0), tmp_path_factory.mktemp("teacher"))


def test_a_real_score_is_left_number_for_number(teacher, tmp_path):
    result = TeacherScorer(teacher).score(network(1))
    write_details("AbCdE", teacher, result, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DETAILS, RDMS]
    details = json.loads((tmp_path / DETAILS).read_text())
    assert details["trial"] == "AbCdE"
    assert details["match"] == result.match
    assert np.array(details["matrix"]) == pytest.approx(result.matrix)
    assert (details["teacher_layers"], details["method"]) == (list(teacher.spec.layers), "cka")
    assert hashlib.sha256(Path(details["teacher"]["path"]).read_bytes()).hexdigest() == details["teacher"]["sha256"]
    with np.load(tmp_path / RDMS, allow_pickle=False) as file:
        assert set(file["layers"].tolist()) == set(result.match.values())
        assert file["stimuli"].tolist() == list(range(60))
        of = dict(zip(result.candidate_layers, result.rdms, strict=True))
        for name, rdm in zip(file["layers"].tolist(), file["rdm"], strict=True):
            assert rdm.astype(float) == pytest.approx(of[name], abs=1e-3)


def test_a_layer_that_says_nothing_is_null_and_unmatched_layers_stay_out(teacher, tmp_path):
    matrix = np.array([[0.25, -np.inf, 0.75], [0.5, -np.inf, 0.0]])
    rdms = np.stack([upper(np.full((4, 4), float(i))) for i in range(3)])
    write_details("t", teacher, result_of(rdms, {"a": "layer 2", "b": "layer 0"}, matrix), tmp_path)
    details = json.loads((tmp_path / DETAILS).read_text())
    assert details["matrix"] == [[0.25, None, 0.75], [0.5, None, 0.0]]
    assert details["approximate"] == ["layer 1"]
    with np.load(tmp_path / RDMS, allow_pickle=False) as file:
        assert file["layers"].tolist() == ["layer 0", "layer 2"]
        assert file["rdm"].tolist() == [[0.0] * 6, [2.0] * 6]


def test_no_match_at_all(teacher, tmp_path):
    write_details("t", teacher, result_of(np.ones((2, 6)), {}, np.full((2, 2), -np.inf)), tmp_path)
    with np.load(tmp_path / RDMS, allow_pickle=False) as file:
        assert file["rdm"].shape == (0, 6)


@pytest.mark.parametrize(("n", "kept"), [(3, 3), (250, 250), (251, 250), (1000, 250)])
def test_at_most_250_stimuli_evenly_spaced(n, kept):
    numbers = kept_stimuli(n)
    assert (len(numbers), numbers[0], numbers[-1]) == (kept, 0, n - 1)
    gaps = np.diff(numbers)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_the_pairs_are_those_of_the_stimuli():
    whole = np.random.default_rng(0).random((2, 12 * 11 // 2))
    kept = np.array([0, 3, 4, 10, 11], dtype=np.int32)
    for few, many in zip(of_stimuli(whole, kept), whole, strict=True):
        assert np.array_equal(square(few), square(many)[np.ix_(kept, kept)])


def test_files_stay_small_with_many_stimuli(teacher, tmp_path):
    rdms = np.random.default_rng(0).random((3, 1000 * 999 // 2))
    write_details("t", teacher, result_of(rdms, {"a": "layer 0", "b": "layer 1"}), tmp_path)
    with np.load(tmp_path / RDMS) as file:
        assert file["rdm"].shape == (2, MOST_STIMULI * (MOST_STIMULI - 1) // 2)
    assert (tmp_path / RDMS).stat().st_size < 2 * 64_000


@pytest.mark.parametrize("spoilt", ["gone", "in the way"])
def test_what_cannot_be_written_costs_the_trial_nothing(teacher, tmp_path, caplog, spoilt):
    folder = tmp_path / "trial"
    if spoilt == "in the way":
        (folder / DETAILS).mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        write_details("t", teacher, result_of(np.ones((2, 6)), {"a": "layer 0"}), folder)
    assert "rsa.json is not written" in caplog.text
    assert not list(tmp_path.rglob(".*")), "half a file is left"


def test_nothing_is_written_without_a_folder(teacher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNI_OUTPUT_DIR", raising=False)
    write_details("t", teacher, result_of(np.ones((2, 6)), {"a": "layer 0"}))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("NNI_OUTPUT_DIR", str(tmp_path))
    write_details("t", teacher, result_of(np.ones((2, 6)), {"a": "layer 0"}))
    assert (tmp_path / DETAILS).is_file()

"""Files of trials found and read: those that the RSA wing writes, spoilt ones, and none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from nni_strategies.pairs import square
from nni_strategies.report.records import ExperimentRecord, TrialRecord, read_experiment
from nni_strategies.report.teacher_files import find_details
from nni_strategies.report.write import write_report
from nni_strategies.rsa.details import write_details
from nni_strategies.rsa.score import TeacherScorer
from tests.report.test_page import Page
from tests.rsa.test_score import network, teacher_of

N, KEPT = 9, np.array([0, 2, 3, 8])
TEACHER = np.random.default_rng(0).random((2, N * (N - 1) // 2))


def leave(folder: Path, vectors: Path, **changes) -> None:
    """Write what a trial leaves, by its form; `changes` spoil it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(vectors, rdm=TEACHER.astype(np.float32), gram=np.zeros(3))
    details = {
        "trial": folder.name,
        "teacher": {"path": str(vectors), "sha256": hashlib.sha256(vectors.read_bytes()).hexdigest()},
        "method": "cka",
        "teacher_layers": ["early", "late"],
        "candidate_layers": ["a", "b", "c"],
        "match": {"early": "b", "late": "b"},
        "matrix": [[0.1, 0.5, None], [0.2, 0.6, 0.3]],
        "approximate": ["b"],
    }
    arrays = {"rdm": np.arange(6.0)[None].astype(np.float16), "layers": np.array(["b"]), "stimuli": KEPT}
    details.update({k: v for k, v in changes.items() if k in details})
    arrays.update({k: v for k, v in changes.items() if k in arrays})
    (folder / "rsa.json").write_text(json.dumps(details))
    np.savez(folder / "rsa_rdms.npz", **arrays)


def record(directory: Path | None, n: int = 3) -> ExperimentRecord:
    trials = tuple(
        TrialRecord(i, {}, metric=float(i), status="finished", nni_ids=(f"J{i}",), ended=float(i)) for i in range(n)
    )
    return ExperimentRecord("a", "a", True, "x", {}, None, trials, directory=directory)


def trial_folder(directory: Path, number: int) -> Path:
    return directory / "environments" / "local-env" / "trials" / f"J{number}"


def test_the_best_trial_with_files_and_the_pairs_of_its_stimuli(tmp_path: Path) -> None:
    for number in (0, 1):
        leave(trial_folder(tmp_path, number), tmp_path / "teacher.npz")
    found = find_details(record(tmp_path))
    assert found is not None
    assert (found.trial.id, found.rank, found.problem, found.method) == (1, 2, "", "cka")
    assert found.matrix == ((0.1, 0.5, None), (0.2, 0.6, 0.3))
    assert (found.match, found.approximate, found.n_stimuli) == ({"early": "b", "late": "b"}, {"b"}, N)
    for name, whole in zip(("early", "late"), TEACHER, strict=True):
        assert square(found.teacher_rdms[name], 4) == pytest.approx(square(whole, N)[np.ix_(KEPT, KEPT)], abs=1e-6)
    assert found.candidate_rdms["b"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_the_run_that_ended_last_counts(tmp_path: Path) -> None:
    leave(tmp_path / "trials" / "J2", tmp_path / "teacher.npz", method="pearson")
    leave(tmp_path / "trials" / "J9", tmp_path / "teacher.npz", method="spearman")
    trial = TrialRecord(0, {}, metric=1.0, status="finished", nni_ids=("J2", "J9"))
    found = find_details(ExperimentRecord("a", "a", True, "x", {}, None, (trial,), directory=tmp_path))
    assert found is not None
    assert found.method == "spearman"


@pytest.mark.parametrize(
    "changes",
    [
        {"matrix": [[0.1, 0.5]]},
        {"matrix": [[0.1, 0.5, "x"], [0.2, 0.6, 0.3]]},
        {"matrix": 3},
        {"match": {"early": "nobody"}},
        {"match": ["b"]},
        {"teacher_layers": "early"},
        {"candidate_layers": []},
    ],
)
def test_a_file_that_makes_no_sense_is_passed_over(tmp_path: Path, changes) -> None:
    leave(trial_folder(tmp_path, 2), tmp_path / "teacher.npz", **changes)
    assert find_details(record(tmp_path)) is None
    leave(trial_folder(tmp_path, 0), tmp_path / "teacher.npz")
    found = find_details(record(tmp_path))
    assert found is not None
    assert found.trial.id == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rdm": np.zeros((1, 7))}, "not of its stimuli"),
        ({"rdm": np.zeros(6)}, "does not hold what it should"),
        ({"layers": np.array(["b", "c"])}, "does not hold what it should"),
        ({"layers": np.array([b"b"], dtype=object)}, "cannot be read"),  # a pickle
        ({"layers": np.array("b")}, "does not hold what it should"),
        ({"layers": np.array([1.0])}, "does not hold what it should"),
        ({"rdm": np.array([list("abcdef")])}, "does not hold what it should"),
        ({"rdm": np.array([["0", "1", "2", "3", "4", "5"]])}, "does not hold what it should"),
        ({"stimuli": np.array([3, 2, 1, 0])}, "not of its stimuli"),
        ({"stimuli": np.array([0, 1, 2, 9])}, "of other stimuli"),
        ({"rdm": np.full((1, 6), np.nan)}, "not finite"),
        ({"teacher": None}, "does not say where its teacher is"),
        ({"teacher": {"path": "/nowhere/teacher.npz", "sha256": "0"}}, "is not on this machine"),
        ({"teacher_layers": ["early"], "match": {}, "matrix": [[0.1, 0.2, 0.3]]}, "does not hold the teacher’s RDMs"),
    ],
)
def test_matches_are_shown_also_where_rdms_cannot_be(tmp_path: Path, changes, problem: str) -> None:
    leave(trial_folder(tmp_path, 2), tmp_path / "teacher.npz", **changes)
    found = find_details(record(tmp_path))
    assert found is not None
    assert problem in found.problem
    assert (found.teacher_rdms, found.candidate_rdms) == ({}, {})


def test_a_teacher_that_was_built_anew_and_a_trial_without_rdms(tmp_path: Path) -> None:
    folder = trial_folder(tmp_path, 2)
    leave(folder, tmp_path / "teacher.npz")
    np.savez(tmp_path / "teacher.npz", rdm=TEACHER)
    assert "has changed since" in find_details(record(tmp_path)).problem
    (folder / "rsa_rdms.npz").write_bytes(b"PK\x03\x04torn")
    assert "cannot be read" in find_details(record(tmp_path)).problem
    (folder / "rsa_rdms.npz").unlink()
    assert "left no RDMs" in find_details(record(tmp_path)).problem


def test_a_byte_that_flipped_is_told_and_nothing_more(tmp_path: Path) -> None:
    leave(trial_folder(tmp_path, 2), tmp_path / "teacher.npz")
    path = trial_folder(tmp_path, 2) / "rsa_rdms.npz"
    np.savez_compressed(path, rdm=np.arange(6.0)[None], layers=np.array(["b"]), stimuli=KEPT)
    whole = path.read_bytes()
    assert find_details(record(tmp_path)).problem == ""
    problems = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        problems.append(find_details(record(tmp_path)).problem)
    assert sum("Error -3" in problem for problem in problems) > 3  # zlib's
    assert any("compression" in problem for problem in problems)  # NotImplementedError


def test_details_of_a_depth_that_nobody_reads_are_passed_over(tmp_path: Path) -> None:
    leave(trial_folder(tmp_path, 2), tmp_path / "teacher.npz")
    (trial_folder(tmp_path, 2) / "rsa.json").write_text("[" * 100_000)
    assert find_details(record(tmp_path)) is None


def test_nothing_there(tmp_path: Path) -> None:
    assert find_details(record(None)) is None
    assert find_details(record(tmp_path / "gone")) is None
    assert find_details(record(tmp_path)) is None


def test_what_the_wing_writes_is_read_as_it_was(tmp_path: Path) -> None:
    teacher = teacher_of(network(0), tmp_path)
    result = TeacherScorer(teacher).score(network(1))
    folder = trial_folder(tmp_path, 2)
    folder.mkdir(parents=True)
    write_details("J2", teacher, result, folder)
    found = find_details(record(tmp_path))
    assert found is not None
    assert found.problem == ""
    assert np.array(found.matrix) == pytest.approx(result.matrix)
    assert (found.match, found.candidate_layers) == (result.match, result.candidate_layers)
    for name, rdm in zip(teacher.spec.layers, teacher.rdms, strict=True):
        assert found.teacher_rdms[name] == pytest.approx(rdm, abs=1e-6)
    of = dict(zip(result.candidate_layers, result.rdms, strict=True))
    for name, rdm in found.candidate_rdms.items():
        assert rdm == pytest.approx(of[name], abs=1e-3)


def guided_folder(nni_folder, scalar: bool = False):
    """Six trials of two steps in NNI's database, one of them failed; the best left its files."""
    nni = nni_folder(profile={"experimentName": "guided", "tuner": {"name": "TPE", "classArgs": {}}})
    for i in range(6):
        job = f"J{i}"
        nni.event(10 * i, job, "RUNNING", i, {"x": i})
        for at, p in enumerate((0.1 * i, 0.1 * i + 0.05)):
            value = {"default": p, "P": p, "TG": 0.5 - 0.01 * i, "tg_ok": 1, "alpha": 1.0, "TG:late": 0.1}
            nni.metric(10 * i + at, job, i, p if scalar else value, "PERIODICAL")
        if i != 3:
            final = {**value, "test": 0.1 * i}
            nni.metric(10 * i + 3, job, i, p if scalar else final)
        nni.event(10 * i + 4, job, "FAILED" if i == 3 else "SUCCEEDED")
    return nni


def test_from_nni_s_database_to_the_page(nni_folder) -> None:
    nni = guided_folder(nni_folder)
    leave(trial_folder(nni.directory, 5), nni.directory / "teacher.npz")
    experiment = read_experiment(nni.directory.name, nni.directory)
    assert [step["P"] for step in experiment.trials[4].steps] == pytest.approx([0.4, 0.45])
    text = write_report(nni.directory.name, directory=nni.directory).page.read_text()
    page = Page(text)
    assert [name for name in page.sections if name in ("teacher", "ranks", "layers", "rdms")] == [
        *("teacher", "ranks", "layers", "rdms")
    ]
    words = " ".join(page.words.split())
    assert "P and test 1.00 – 5" in words
    assert "TG and test -1.00 – 5" in words
    assert "over the 5 trials that have all 2 steps" in words
    assert "trial 5 (the best)" in words
    assert text.count("<img") == 8


def test_trials_of_other_machines_leave_nothing_here(nni_folder) -> None:
    nni = guided_folder(nni_folder)
    page = Page(write_report(nni.directory.name, directory=nni.directory).page.read_text())
    assert "no trial left its files here" in page.words
    assert "rdms" not in page.sections


def test_scalar_metrics_leave_the_files(nni_folder) -> None:
    nni = guided_folder(nni_folder, scalar=True)
    leave(trial_folder(nni.directory, 5), nni.directory / "teacher.npz")
    page = Page(write_report(nni.directory.name, directory=nni.directory).page.read_text())
    assert [name for name in page.sections if name in ("teacher", "ranks", "layers", "rdms")] == ["layers", "rdms"]


def test_reports_without_a_teacher_have_none_of_it(make_record) -> None:
    from nni_strategies.report.page import render_page

    page = Page(render_page(make_record([0.3, 0.1, 0.4])))
    assert not {"teacher", "ranks", "layers", "rdms"} & set(page.sections)
    assert "teacher" not in page.words.lower()

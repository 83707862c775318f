"""NNI's database: what a trial reports decides which parameters it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from nni_strategies.errors import DataMissing
from nni_strategies.report.history import read_history, sample_of


def test_pairs_are_those_the_trials_reported(nni_folder) -> None:
    nni = nni_folder()
    # NNI noted A: 0, B: 1, but each ran, and reported, the other's
    nni.event(1, "A", "RUNNING", 0, {"x": 0})
    nni.event(1, "B", "RUNNING", 1, {"x": 1})
    nni.metric(5, "A", 1, {"default": 0.1}, "PERIODICAL")
    nni.metric(6, "A", 1, {"default": 0.2})
    nni.metric(7, "B", 0, 0.5)
    nni.event(8, "A", "SUCCEEDED")
    nni.event(9, "B", "SUCCEEDED")
    a, b = read_history(nni.directory / "db" / "nni.sqlite").jobs
    assert (a.id, a.parameter_id, a.parameters, a.final) == ("A", 1, {"x": 1}, {"default": 0.2})
    assert a.intermediates == ({"default": 0.1},)
    assert (b.parameters, b.final, b.started, b.ended) == ({"x": 0}, 0.5, 1.0, 9.0)


def test_a_trial_that_reported_nothing_has_its_own_row(nni_folder) -> None:
    nni = nni_folder(ended=None)
    nni.event(1, "A", "RUNNING", 0, {"x": 0})
    nni.event(3, "A", "FAILED")
    nni.event(4, "B", "WAITING")
    history = read_history(nni.directory / "db" / "nni.sqlite")
    a, b = history.jobs
    assert (a.parameters, a.status, a.final) == ({"x": 0}, "FAILED", None)
    assert (b.parameters, b.status, b.started) == (None, "WAITING", None)
    assert (history.started, history.ended) == (0.0, None)


def test_a_displaced_trial_has_the_id_that_is_left(nni_folder) -> None:
    nni = nni_folder()
    for number, job in enumerate("ABC"):
        nni.event(number, job, "RUNNING", number, {"x": number})
    nni.metric(5, "A", 1, 0.1)
    nni.metric(5, "C", 2, 0.1)
    nni.event(6, "B", "FAILED")
    b = read_history(nni.directory / "db" / "nni.sqlite").jobs[1]
    assert (b.id, b.parameter_id, b.parameters) == ("B", 0, {"x": 0})


def test_of_several_displaced_trials_nothing_is_claimed(nni_folder) -> None:
    nni = nni_folder()
    for number, job in enumerate("ABCD"):
        nni.event(number, job, "RUNNING", number, {"x": number})
    nni.metric(5, "A", 1, 0.1)
    nni.metric(5, "B", 2, 0.1)
    c, d = read_history(nni.directory / "db" / "nni.sqlite").jobs[2:]
    assert (c.parameter_id, c.parameters) == (0, {"x": 0})  # D keeps its own, which nobody else reported
    assert d.parameter_id == 3
    nni.metric(5, "B", 3, 0.1)
    nni.connection.execute("delete from MetricData where trialJobId = 'B' and parameterId = '2'")
    nni.metric(6, "A", 2, 0.1)
    nni.connection.execute("delete from MetricData where trialJobId = 'A' and parameterId = '1'")
    nni.connection.commit()
    c, d = read_history(nni.directory / "db" / "nni.sqlite").jobs[2:]
    assert (c.parameter_id, d.parameter_id) == (None, None)


def test_an_id_that_was_given_again_after_a_resume(nni_folder) -> None:
    nni = nni_folder()
    nni.event(1, "A", "RUNNING", 1, {"x": "first"})
    nni.metric(5, "A", 1, 0.1)
    nni.event(5, "A", "SUCCEEDED")
    nni.event(100, "B", "RUNNING", 1, {"x": "second"})
    nni.metric(105, "B", 1, 0.2)
    jobs = read_history(nni.directory / "db" / "nni.sqlite").jobs
    assert [job.parameters["x"] for job in jobs] == ["first", "second"]


def test_the_sample_of_a_nas_model() -> None:
    model = {"model_symbol": {"__nni_type__": "path:a.B"}, "sample": {"op": "conv"}, "op": "conv"}
    assert sample_of(model) == {"op": "conv"}
    assert sample_of({"op": "conv", "sample": 3}) == {"op": "conv", "sample": 3}
    assert sample_of({"__nni_type__": "bytes:gASV"}) is None
    assert sample_of("bytes") is None


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="cannot be read"):
        read_history(tmp_path / "nni.sqlite")
    (tmp_path / "nni.sqlite").write_text("not a database at all, but long enough to be taken for one" * 20)
    with pytest.raises(DataMissing, match="cannot be read"):
        read_history(tmp_path / "nni.sqlite")

"""Several searches side by side: fronts and shares that are known, and what cannot be compared."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from typer.testing import CliRunner

from nni_strategies.cli import build
from nni_strategies.errors import DataMissing, InvalidArgument, JournalError
from nni_strategies.report.compare import comparison, read_others
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from tests.report.irlas_searches import CELL, convolutions, searched
from tests.report.test_page import Page


def record(
    name: str, points: list[tuple[float, float]], *, maximize: bool = True, cost: str = "latency_ms", **config: Any
) -> ExperimentRecord:
    trials = tuple(
        TrialRecord(i, {"x": i}, metric, {"default": metric, cost: latency}, status="finished", ended=float(i))
        for i, (latency, metric) in enumerate(points)
    )
    return ExperimentRecord(f"id-{name}", name, maximize, "IRLAS", config, 0, trials)


A = [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (5.0, 0.9)]
B = [(1.0, 0.4), (2.0, 0.7), (4.0, 0.8)]


def test_fronts_and_shares() -> None:
    section = comparison(record("one", A, mode="prior"), [record("two", B, mode="none")])
    page = Page(section)
    (figure,) = page.figures
    go.Figure(figure)
    *points, first, second = figure["data"]
    assert [len(trace["x"]) for trace in points] == [4, 3]
    assert (first["name"], second["name"]) == ("one (IRLAS, prior)", "two (IRLAS, none)")
    assert list(zip(first["x"], first["y"], strict=True)) == [(1.0, 0.5), (2.0, 0.7), (5.0, 0.9)]
    assert list(zip(second["x"], second["y"], strict=True)) == [(1.0, 0.4), (2.0, 0.7), (4.0, 0.8)]
    # jointly (1, 0.5), (2, 0.7) of both, (4, 0.8) and (5, 0.9)
    words = " ".join(page.words.split())
    assert "one (IRLAS, prior) 4 0.9 3 of 4" in words
    assert "two (IRLAS, none) 3 0.8 2 of 4" in words


def test_lower_is_better() -> None:
    lower = [[(cost, 1 - metric) for cost, metric in points] for points in (A, B)]
    section = comparison(record("one", lower[0], maximize=False), [record("two", lower[1], maximize=False)])
    assert "3 of 4" in section
    assert "2 of 4" in section


def test_same_names_are_told_apart_and_nothing_in_common_is_said() -> None:
    one, other = record("cells", A), record("cells", B, cost="params")
    section = comparison(one, [other])
    assert "no cost in common" in section
    assert Page(section).figures == []
    assert "cells id-cells (IRLAS)" in section


def test_one_without_a_result_is_left_out() -> None:
    section = comparison(record("one", A), [record("empty", []), record("two", B)])
    assert "empty" not in section
    assert "two (IRLAS)" in section


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "runs" / "shaped.jsonl"
    searched(6, searcher=RandomSearch(CELL), journal=path)
    return path


def test_journals_folders_and_ids(nni_folder, journal: Path) -> None:
    nni = nni_folder("abcd1234")
    shutil.copy(journal, nni.directory / "journal.jsonl")
    alone = journal.parent / "alone" / "checkpoint"
    alone.mkdir(parents=True)
    shutil.copy(journal, alone / "mirror_stimuli.jsonl")
    names = [str(journal), str(nni.directory), "abcd1234", str(alone.parent)]
    others = read_others(names, record("one", A), nni.directory.parent)
    assert [other.name for other in others] == ["shaped", "an experiment", "an experiment", "mirror_stimuli"]
    assert [len(other.finished) for other in others] == [6, 6, 6, 6]
    assert others[0].algorithm == "random"


def test_what_cannot_be_compared(tmp_path: Path, journal: Path, nni_folder) -> None:
    directory = nni_folder("abcd1234").directory.parent
    own = record("one", A)
    with pytest.raises(InvalidArgument, match="did you mean 'abcd1234'"):
        read_others(["abcd1235"], own, directory)
    with pytest.raises(InvalidArgument, match=r"compare = .*minimizes"):
        read_others([str(journal)], record("one", A, maximize=False), directory)
    with pytest.raises(InvalidArgument, match="at most 5"):
        read_others([str(journal)] * 6, own, directory)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataMissing, match="neither"):
        read_others([str(tmp_path / "empty")], own, directory)
    (tmp_path / "text.jsonl").write_text("no journal\n")
    with pytest.raises(JournalError):
        read_others([str(tmp_path / "text.jsonl")], own, directory)


def test_the_command(nni_folder, journal: Path) -> None:
    nni = nni_folder()
    study = Study(RandomSearch(CELL), seed=7, journal=Journal(nni.directory / "checkpoint" / "journal.jsonl"))
    for _ in range(5):
        trial = study.ask()
        study.tell(trial.id, convolutions(trial.configuration))
    study.journal.close()
    arguments = ["report", nni.directory.name, "-e", str(nni.directory), "--compare", str(journal)]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0, result.output
    page = (nni.directory / "report" / "report.html").read_text()
    assert "shaped (random)" in page
    assert 'id="compare"' in page

"""Events that make no sense: one error that names file and line, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import JournalError
from nni_strategies.report.journal_events import read_events
from nni_strategies.report.records import read_experiment

HEADER = {"event": "header", "format": 1, "algorithm": "random", "maximize": True, "seed": 0, "config": {}}
PROPOSED = {"event": "proposed", "trial": 0, "configuration": {"x": 1}, "time": 1.0}


def journal(path: Path, *events: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    return path


NONSENSE = [
    {"event": "finished", "trial": 0, "metrics": {}},
    {"event": "finished", "trial": 0, "value": None},
    {"event": "finished", "trial": 0, "value": "abc"},
    {"event": "finished", "trial": 0, "value": True},
    {"event": "finished", "trial": 0, "value": float("nan")},
    {"event": "finished", "trial": 0, "value": 10**400},
    {"event": "finished", "trial": [0], "value": 1.0},
    {"event": "finished", "trial": 0, "value": 1.0, "metrics": 5},
    {"event": "finished", "trial": 0, "value": 1.0, "time": "noon"},
    {"event": "proposed", "configuration": {"x": 2}},
    {"event": "proposed", "trial": 1},
    {"event": "proposed", "trial": 1, "configuration": [1]},
    {"event": "proposed", "trial": 1, "configuration": {"x": 2}, "phase": []},
    {"event": "issued", "trial": 0, "parameter_id": "abc"},
    {"event": "issued", "trial": {}, "parameter_id": 0},
    {"event": "failed", "trial": 0, "reason": 5},
    {"event": "failed", "reason": "out of memory"},
]


@pytest.mark.parametrize("event", NONSENSE, ids=json.dumps)
def test_nonsense_is_named_with_file_and_line(nni_folder, event: dict[str, Any]) -> None:
    nni = nni_folder()
    path = journal(nni.directory / "checkpoint" / "journal.jsonl", HEADER, PROPOSED, event)
    with pytest.raises(JournalError) as refused:
        read_experiment(nni.directory.name, nni.directory)
    assert (refused.value.path, refused.value.line) == (path, 3)
    assert "\n" not in str(refused.value)


def test_a_header_whose_config_is_none(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="line 1"):
        read_events(journal(tmp_path / "journal.jsonl", {**HEADER, "config": [1]}))


def test_what_a_search_writes_passes(tmp_path: Path) -> None:
    issued = {"event": "issued", "trial": 0, "run": 0, "parameter_id": 3, "time": 1.5}
    failed = {"event": "failed", "trial": 0, "reason": None, "metrics": {}, "time": 2}
    other = {"event": "of another kind", "trial": "?"}
    events = [HEADER, PROPOSED, issued, {**issued, "parameter_id": None}, failed, other]
    assert read_events(journal(tmp_path / "journal.jsonl", *events)) == events


@pytest.mark.timeout(60)  # NNI is imported
def test_the_command_ends_with_2_and_one_line(nni_folder, command_line) -> None:
    nni = nni_folder()
    journal(nni.directory / "checkpoint" / "journal.jsonl", HEADER, PROPOSED, NONSENSE[0])
    done = command_line("report", nni.directory.name, "-e", str(nni.directory))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: journal ") and "journal.jsonl, line 3: is 'finished' without a finite value" in line

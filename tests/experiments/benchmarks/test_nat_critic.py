"""What both benchmarks of the critic share: what they published, and bad options."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from experiments.benchmarks import common, nat_darts_supernet, nat_trained

PROGRAMS = pytest.mark.parametrize(
    "program", [nat_darts_supernet, nat_trained], ids=lambda module: module.__name__.rpartition(".")[2]
)


@PROGRAMS
@pytest.mark.parametrize("confirm", [False, True])
def test_what_is_published_is_complete_and_follows_from_the_stored_rows(
    program: ModuleType, confirm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = program.CONFIRMED if confirm else program.RESULTS
    cases = program.confirmations() if confirm else program.cases()
    stored = sorted((row["rule"], row["arm"], row["queries"], row["seed"]) for row in common.read_rows(path))
    assert stored == sorted((case.rule, case.arm, str(case.queries), str(case.seed)) for case in cases)
    (told,) = [line for line in path.with_suffix(".md").read_text().splitlines() if " cores; Python " in line]
    monkeypatch.setattr(common, "machine", lambda: told)
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    program.main(["table", "--results", str(copy), *(["--confirm"] if confirm else [])])
    for suffix in (".md", ".svg"):
        assert copy.with_suffix(suffix).read_text() == path.with_suffix(suffix).read_text()


@PROGRAMS
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["table", "--results", "nowhere.csv"], "nowhere.csv holds no results"),
        (["run", "--part", "2", "2"], "the first is a number from 0, below the second"),
        (["walk"], "invalid choice"),
    ],
)
def test_bad_options(program: ModuleType, argv: list[str], told: str, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        program.main(argv)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err

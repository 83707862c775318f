from __future__ import annotations

import json
from pathlib import Path

import pytest

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.report.locate import locate


def test_by_the_folder_that_holds_it_or_its_own(nni_folder) -> None:
    own = nni_folder("abcd1234").directory
    nni_folder("other123")
    assert locate("abcd1234", own.parent).directory == own
    assert locate("abcd1234", own).database == own / "db" / "nni.sqlite"
    assert locate("abcd1234", own).journal is None


def test_by_what_nni_noted(nni_folder, tmp_path: Path) -> None:
    folder = nni_folder("abcd1234").directory
    home = tmp_path / "home"
    (home / "nni-experiments").mkdir(parents=True)
    noted = {"abcd1234": {"logDir": str(folder.parent)}, "gone5678": {"logDir": str(tmp_path / "nowhere")}, "new": {}}
    (home / "nni-experiments" / ".experiment").write_text(json.dumps(noted))
    assert locate("abcd1234", home=home).directory == folder
    with pytest.raises(DataMissing, match="gone5678"):
        locate("gone5678", home=home)


def test_unknown_id_names_the_nearest(nni_folder) -> None:
    folder = nni_folder("abcd1234").directory.parent
    with pytest.raises(InvalidArgument, match=r"did you mean 'abcd1234'"):
        locate("abcd1243", folder)
    for strange in ("../abcd1234", "", "abcd1234/db", "*"):
        with pytest.raises(InvalidArgument):
            locate(strange, folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="0 there"):
        locate("abcd1234", home=tmp_path)
    (tmp_path / "nni-experiments").mkdir()
    (tmp_path / "nni-experiments" / ".experiment").write_text("{torn")
    with pytest.raises(InvalidArgument, match="0 there"):
        locate("abcd1234", home=tmp_path)


def test_journal_is_found_but_not_in_a_trials_folder(nni_folder) -> None:
    folder = nni_folder().directory
    for place in ("environments", "trials"):
        (folder / place).mkdir()
        (folder / place / "journal.jsonl").write_text("")
    assert locate(folder.name, folder).journal is None
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "journal.jsonl").write_text("")
    assert locate(folder.name, folder).journal == folder / "checkpoint" / "journal.jsonl"


def test_a_folder_that_no_file_system_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"directory = .*a folder that can be read"):
        locate("abcd1234", tmp_path / ("a" * 300))

"""NNI's list of experiments: none, good, torn, and something else altogether."""

from __future__ import annotations

from pathlib import Path

import pytest

from nni_strategies.nni_manifest import experiments_folder, read_manifest


def test_that_of_the_user_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_manifest() == {}
    assert experiments_folder() == experiments_folder(tmp_path) == tmp_path / "nni-experiments"
    (tmp_path / "nni-experiments").mkdir()
    (tmp_path / "nni-experiments" / ".experiment").write_text('{"abc": {"pid": 12}}')
    assert read_manifest() == {"abc": {"pid": 12}}


@pytest.mark.parametrize("text", ["", '{"abc": {"pid"', "[]", '{"abc": 12}'])
def test_another_file_is_refused(tmp_path: Path, text: str):
    path = tmp_path / ".experiment"
    path.write_text(text)
    with pytest.raises(ValueError):
        read_manifest(path)

"""Where the digits' teacher is kept: nobody else may have written it."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace

import pytest

from nni_strategies.errors import InvalidArgument
from trial_code import digits_teacher
from trial_code.digits_teacher import own_folder, teacher_file


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The folder that trials find without an experiment on this machine."""
    monkeypatch.delenv("NNI_PLATFORM", raising=False)
    monkeypatch.setenv("NNI_EXP_ID", "abc")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"digits_teacher_{os.getuid()}_abc"


def test_the_shared_folder_is_the_users_alone(shared):
    for mode in (None, 0o755):  # made, and one that was there
        if mode is not None:
            shared.chmod(mode)
        assert digits_teacher._shared_folder() == shared
        assert shared.stat().st_mode & 0o777 == 0o700


def test_what_others_could_have_put_there_is_not_read(shared, tmp_path):
    shared.mkdir()
    (shared / "teacher.json").write_text("{}")
    shared.chmod(0o777)
    with pytest.raises(InvalidArgument, match="only its owner"):
        teacher_file()
    shared.chmod(0o700)
    assert teacher_file() == shared / "teacher.json"
    shared.rename(tmp_path / "elsewhere")
    shared.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidArgument, match="only its owner"):
        teacher_file()
    shared.unlink()
    shared.write_text("a file")
    with pytest.raises(InvalidArgument, match="only its owner"):
        teacher_file()


def test_another_users_folder_is_refused(shared, monkeypatch):
    own_folder(shared)
    monkeypatch.setattr(digits_teacher, "os", SimpleNamespace(getuid=lambda: os.getuid() + 1))
    with pytest.raises(InvalidArgument, match="only its owner"):
        own_folder(shared)

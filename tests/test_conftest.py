"""A missing data folder skips with a reason on a developer's machine, and fails in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)  # runs pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import os, pathlib, pytest
def test_table(data): pass
def test_tool(): pytest.skip("needs sshd")
def test_gpu(): pytest.skip("needs a GPU")
def test_home(): assert "pytest-" in os.environ["HOME"]
"""


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("in_ci", "closing"), [("", "1 passed, 3 skipped"), ("true", "1 failed, 1 passed, 1 skipped, 1 error")]
)
def test_skips(tmp_path: Path, in_ci: str, closing: str):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_something.py").write_text(TESTS)
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other people's plugins take a second to import
    environment = {**os.environ, **alone, "CI": in_ci, "NNI_STRATEGIES_DATA": str(tmp_path / "nowhere")}
    plugins = ["-p", "no:cacheprovider", "-p", "no:warnings"]  # other people's warnings would be counted
    command = [sys.executable, "-m", "pytest", "-q", "-rsf", *plugins, str(tmp_path)]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert closing in ran.stdout, ran.stdout
    assert "nowhere" in ran.stdout  # where it was looked for

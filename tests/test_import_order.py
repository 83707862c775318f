"""Whatever of ours is imported first, NNI's own one-shot strategies stay usable (their modules import each other)."""

from __future__ import annotations

import subprocess
import sys

import pytest

ONE_SHOT = ("nni_strategies.irlas.one_shot.program", "nni_strategies.nat.one_shot", "nni_strategies.supernet.network",
            "nni_strategies.supernet.loose_ends")  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("module", ONE_SHOT)
def test_nnis_strategies_are_those_of_nni(module: str):
    code = f"import {module}; from nni.nas.strategy import DARTS; print(DARTS.__module__)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["nni.nas.oneshot.pytorch.strategy"]

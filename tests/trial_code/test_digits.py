"""The digits against scikit-learn's own reader."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from nni_strategies.errors import DataMissing
from trial_code.digits import load_digits, split_digits


def test_they_are_those_of_scikit_learn():
    images, labels = load_digits()
    theirs = datasets.load_digits()
    assert np.array_equal(images[:, 0] * 16, theirs.images)
    assert np.array_equal(labels, theirs.target)


def test_the_split_is_a_partition_that_a_seed_decides():
    images, labels = load_digits()
    parts = split_digits(3)
    assert [len(part) for part in parts] == [1000, 1000, 797, 797]
    assert np.array_equal(np.sort(np.concatenate([parts[1], parts[3]])), np.sort(labels))
    assert np.isclose(parts[0].sum() + parts[2].sum(), images.sum())
    assert all(np.array_equal(a, b) for a, b in zip(parts, split_digits(3), strict=True))
    assert not np.array_equal(parts[1], split_digits(4)[1])


def test_reading_them_does_not_import_scikit_learn():
    program = "import sys, trial_code.digits as d; d.load_digits(); print('sklearn' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


@pytest.mark.parametrize("origin", [None, "elsewhere/__init__.py"])
def test_a_missing_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: str | None):
    spec = None if origin is None else importlib.util.spec_from_file_location("sklearn", tmp_path / origin)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(DataMissing, match="scikit-learn"):
        load_digits()

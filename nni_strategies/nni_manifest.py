"""NNI's list of a user's experiments, ``~/nni-experiments/.experiment``: where they are and who manages them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def experiments_folder(home: Path | str | None = None) -> Path:
    """Return where NNI keeps a user's experiments unless told otherwise; `home` is this user's when None."""
    return Path(home or Path.home()) / "nni-experiments"


def read_manifest(path: Path | None = None) -> dict[str, Mapping[str, Any]]:
    """Return what NNI noted of each experiment (``pid``, ``port``, ``logDir``, …) by its id; none without a file.

    Parameters
    ----------
    path
        The list; this user's when None.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is no such list: NNI writes it in place, so it may be half written.
    """
    file = experiments_folder() / ".experiment" if path is None else path
    if not file.exists():
        return {}
    entries = json.loads(file.read_text())
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ValueError(f"{file} is no list of experiments")
    return entries

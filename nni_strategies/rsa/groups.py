"""What each stimulus shows, where the responses to several images of one thing are averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from nni_strategies.errors import InvalidArgument


def read_group(where: Path | str, stimuli: Any) -> tuple[int | str, ...]:
    """Read an id for each stimulus.

    Parameters
    ----------
    where
        A file, ``.npy`` or of text with an id a line, or a key of the stimuli's ``.npz``.
    stimuli
        Where the images come from.

    Raises
    ------
    InvalidArgument
        Neither is there (the nearest key is named), or what is there is no list of whole numbers or words.
    """
    path = Path(where)
    try:
        if path.is_file():
            ids = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.array(_lines(path))
        else:
            ids = _entry(str(where), stimuli)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument("group", str(where), f"a readable file with an id for each stimulus ({error})") from None
    if ids.ndim != 1 or ids.dtype.kind not in "iuUb":
        allowed = f"a whole number or a word for each stimulus, not {ids.dtype} {list(ids.shape)}"
        raise InvalidArgument("group", str(where), allowed)
    return tuple(ids.tolist())


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _entry(key: str, stimuli: Any) -> Any:
    keys: list[str] = []
    if isinstance(stimuli, (str, Path)) and Path(stimuli).suffix == ".npz" and Path(stimuli).is_file():
        with np.load(stimuli, allow_pickle=False) as file:
            keys = list(file)
            if key in keys:
                return file[key]
    raise InvalidArgument("group", key, f"a file, or a key of the stimuli's .npz, {keys}", keys)

"""What each stimulus shows: for averaging the responses to several images of one thing, and as classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.damaged import DAMAGED


def read_group(where: Path | str, stimuli: Any, field: str = "group") -> tuple[int | str, ...]:
    """Read an id for each stimulus.

    Parameters
    ----------
    where
        A file, ``.npy`` or of text with an id a line, or a key of the stimuli's ``.npz``.
    stimuli
        Where the images come from.
    field
        What it is called in messages.

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
            ids = _entry(str(where), stimuli, field)
    except DAMAGED as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(field, str(where), f"a readable file with an id for each stimulus ({error})") from None
    ids = np.asarray(ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iuUb":
        allowed = f"a whole number or a word for each stimulus, not {ids.dtype} {list(ids.shape)}"
        raise InvalidArgument(field, str(where), allowed)
    return tuple(ids.tolist())


def read_labels(where: Path | str, stimuli: Any) -> npt.NDArray[np.int64]:
    """Read the class of each stimulus likewise; return them as numbers from 0.

    Raises
    ------
    InvalidArgument
        See :func:`read_group`.
    """
    return np.unique(np.array(read_group(where, stimuli, "labels")), return_inverse=True)[1].astype(np.int64)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _entry(key: str, stimuli: Any, field: str) -> Any:
    keys: list[str] = []
    if isinstance(stimuli, (str, Path)) and Path(stimuli).suffix == ".npz" and Path(stimuli).is_file():
        with np.load(stimuli, allow_pickle=False) as file:
            keys = list(file)
            if key in keys:
                return file[key]
    raise InvalidArgument(field, key, f"a file, or a key of the stimuli's .npz, {keys}", keys)

"""Recorded activations: of neurons, voxels, or a network of any kind; repeated, and with gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.damaged import DAMAGED

Array = npt.NDArray[np.float64]

_HDF5 = (".h5", ".hdf5", ".hdf")


def read_recordings(path: Path | str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a ``.npz``, or the data sets at the root of an HDF5 file, by name.

    Raises
    ------
    InvalidArgument
        It cannot be read so, or there are none; pickles are never opened.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in _HDF5:
            import h5py

            with h5py.File(path, "r") as file:
                found = {name: np.asarray(file[name]) for name in file if isinstance(file[name], h5py.Dataset)}
        elif path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in file}
        else:
            raise ValueError("of another type")
    except DAMAGED as error:
        allowed = f"a readable file of arrays, {['.npz', *_HDF5]} ({error})"
        raise InvalidArgument("activations", str(path), allowed) from None
    if not found:
        raise InvalidArgument("activations", str(path), "a file with at least one array")
    return found


def repetitions(name: str, values: Any, n: int) -> Array:
    """Return recordings of n stimuli as ``[n_repetitions, n, n_units]``; one repetition may come without its axis.

    Raises
    ------
    InvalidArgument
        No numbers, or another shape.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or values.shape[-2] != n or not values.size:
        allowed = f"numbers of shape [{n}, n_units] or [n_repetitions, {n}, n_units]"
        raise InvalidArgument(f"activations {name}", [str(values.dtype), *values.shape], allowed)
    return np.asarray(values.reshape(-1, n, values.shape[-1]), dtype=np.float64)


def mean_response(repeated: Array, name: str = "activations") -> Array:
    """Average repetitions ``[n_repetitions, n_stimuli, n_units]``, NaN aside; what is missing is the unit's mean.

    Raises
    ------
    InvalidArgument
        A unit that was never recorded.
    """
    known = np.isfinite(repeated)
    counts = known.sum(axis=0)
    if (counts.sum(axis=0) == 0).any():
        unit = int(np.flatnonzero(counts.sum(axis=0) == 0)[0])
        raise InvalidArgument(f"activations {name}", f"unit {unit}", "units with at least one finite number")
    totals = np.where(known, repeated, 0.0).sum(axis=0)
    means = totals / np.maximum(counts, 1)
    of_units = totals.sum(axis=0) / counts.sum(axis=0)
    return np.asarray(np.where(counts > 0, means, of_units))

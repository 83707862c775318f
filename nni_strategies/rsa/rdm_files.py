"""RDMs measured elsewhere, of any of the forms they are exchanged in.

``.npz`` and ``.npy`` (square ``[n, n]``, several ``[k, n, n]``, or upper triangles ``[m]``, ``[k, m]``), ``.csv`` and
``.tsv`` (square), ``.mat`` up to version 7 (through scipy), and the HDF5 files of rsatoolbox, which is not needed to
read them. Pickles are never opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.pairs import n_items
from nni_strategies.rsa.rdm import n_stimuli, upper
from nni_strategies.rsa.stimuli import FEWEST

Array = npt.NDArray[np.float64]

_HDF5 = (".h5", ".hdf5", ".hdf")
_KNOWN = (".npz", ".npy", ".csv", ".tsv", ".mat", *_HDF5)
_PICKLES = (".pkl", ".pickle", ".p")
_TOLERANCE = 1e-6


def read_rdms(
    path: Path | str, select: Sequence[str] | Mapping[str, str] | None = None, pool: str = "none"
) -> dict[str, Array]:
    """Read RDMs.

    Parameters
    ----------
    path
        The file.
    select
        Names of its entries (keys of a ``.npz`` or ``.mat``, descriptors or numbers of RDMs in the others), or entries
        by the names they are to have; all that are RDMs when None.
    pool
        ``mean`` averages the RDMs of an entry that holds several (subjects, sessions), ``none`` keeps each.

    Returns
    -------
    dict[str, numpy.ndarray]
        Upper triangles ``[n (n - 1) / 2]``, all of as many stimuli, by name.

    Raises
    ------
    InvalidArgument
        The file cannot be read or is a pickle; a name is not in it (the nearest is named); an RDM is not symmetric, has
        a diagonal other than 0, is not finite, or is of fewer than 3 stimuli; RDMs of different sizes.
    """
    if pool not in ("none", "mean"):
        raise InvalidArgument("pool", pool, "none or mean", ("none", "mean"))
    found: dict[str, Array] = {}
    for name, value in _selected(Path(path), select).items():
        vectors = _vectors(name, value)
        if pool == "mean":
            vectors = vectors.mean(axis=0, keepdims=True)
        found.update({name if len(vectors) == 1 else f"{name} {i}": v for i, v in enumerate(vectors)})
    _refuse_sizes(found)
    return found


def read_subjects(path: Path | str, entry: str | None = None, sessions: int = 1) -> Array:
    """Read an RDM a subject, the mean of the subject's sessions.

    Parameters
    ----------
    entry
        One that holds ``[n_subjects, n, n]`` or ``[n_subjects, n_sessions, n, n]`` or triangles ``[k, m]``; when None,
        the file's only one, or each entry is a subject.
    sessions
        Of each subject, where RDMs follow each other without an axis for it.

    Returns
    -------
    numpy.ndarray
        Upper triangles ``[n_subjects, n_pairs]``.

    Raises
    ------
    InvalidArgument
        What :func:`read_rdms` refuses, or RDMs that cannot be shared out among subjects.
    """
    chosen = _selected(Path(path), None if entry is None else [entry])
    shapes = [np.shape(value) for value in chosen.values()]
    if len(chosen) > 1 and any(len(shape) > 2 for shape in shapes):
        raise InvalidArgument("entry", entry, f"the one with an RDM a subject, of {list(chosen)}")
    parts = {name: _vectors(name, value) for name, value in chosen.items()}
    _refuse_sizes({name: vectors[0] for name, vectors in parts.items()})
    vectors = np.concatenate(list(parts.values()))
    of_axis = shapes[0][1] if len(shapes[0]) == 4 else None
    if isinstance(sessions, bool) or not isinstance(sessions, int) or sessions < 1 or len(vectors) % sessions:
        raise InvalidArgument("sessions", sessions, f"a divisor of the number of RDMs, {len(vectors)}")
    if of_axis is not None and sessions not in (1, of_axis):
        raise InvalidArgument("sessions", sessions, f"{of_axis}, as {next(iter(chosen))} has")
    return np.asarray(vectors.reshape(-1, of_axis or sessions, vectors.shape[1]).mean(axis=1))


def _selected(path: Path, select: Sequence[str] | Mapping[str, str] | None) -> dict[str, Any]:
    if path.suffix.lower() in _PICKLES or _is_pickle(path):
        allowed = "no pickle, which can run code when it is read; rsatoolbox writes HDF5: save(..., file_type='hdf5')"
        raise InvalidArgument("rdm", str(path), allowed)
    if path.suffix.lower() not in _KNOWN:
        raise InvalidArgument("rdm", str(path), f"a file of type {list(_KNOWN)}")
    try:
        entries = _entries(path)
    except (OSError, ValueError, EOFError, NotImplementedError, KeyError, BadZipFile) as error:
        raise InvalidArgument("rdm", str(path), f"a readable file of RDMs ({error})") from None
    if select is None:
        chosen = {name: value for name, value in entries.items() if _may_be_rdms(value)}
    else:
        wanted = select if isinstance(select, Mapping) else {name: name for name in select}
        refuse_unknown("entry", wanted.values(), entries, "one of")
        chosen = {name: entries[entry] for name, entry in wanted.items()}
    if not chosen:
        raise InvalidArgument("rdm", str(path), "a file with at least one RDM")
    return chosen


def _is_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"\x80"  # how a pickle of protocol 2 or later begins, and none of the known types
    except OSError:
        return False


def _refuse_sizes(found: Mapping[str, Array]) -> None:
    sizes = {name: n_stimuli(len(vector)) for name, vector in found.items()}
    if len(set(sizes.values())) > 1:
        raise InvalidArgument("rdm", sizes, "RDMs of as many stimuli each; choose some by name")


def _entries(path: Path) -> dict[str, Any]:
    kind = path.suffix.lower()
    if kind == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file if file[name].dtype.kind in "fiu"}
    if kind == ".npy":
        return {path.stem: np.load(path, allow_pickle=False)}
    if kind in (".csv", ".tsv"):
        return {path.stem: np.loadtxt(path, delimiter="," if kind == ".csv" else "\t", ndmin=2)}
    if kind == ".mat":
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        try:
            return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
        except MatReadError as error:
            raise ValueError(error) from None
    return _rsatoolbox(path)


def _rsatoolbox(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        if "dissimilarities" not in file:
            raise ValueError(f"no dataset named dissimilarities among {list(file)}")
        vectors = np.atleast_2d(file["dissimilarities"][()])
        described = file.get("rdm_descriptors", {})
        names = [str(i) for i in range(len(vectors))]
        for key in described:
            values = np.asarray(described[key]).reshape(-1)
            texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()]
            if key != "index" and len(texts) == len(set(texts)) == len(vectors):
                names = texts
                break
        return dict(zip(names, vectors, strict=True))


def _may_be_rdms(value: Any) -> bool:
    value = np.asarray(value)
    if value.dtype.kind not in "fiu" or not value.size:
        return False
    if value.ndim >= 2 and value.shape[-1] == value.shape[-2]:
        return bool(np.allclose(np.diagonal(value, axis1=-2, axis2=-1), 0.0))
    m = value.shape[-1] if value.ndim else 0
    return value.ndim <= 2 and (n_items(m) or 0) >= FEWEST


def _vectors(name: str, value: Any) -> Array:
    """Return the RDMs of an entry as upper triangles ``[k, n_pairs]``, the last of several leading axes fastest."""
    value = np.asarray(value)
    if value.dtype.kind not in "fiu":
        raise InvalidArgument(f"rdm {name}", str(value.dtype), "numbers")
    value = value.astype(np.float64)
    if value.ndim >= 2 and 1 in value.shape[:2] and value.shape[-1] != value.shape[-2]:
        value = value.reshape(1, -1)  # MATLAB has no vectors
    if not np.isfinite(value).all():
        raise InvalidArgument(f"rdm {name}", int((~np.isfinite(value)).sum()), "finite, not NaN or infinite entries")
    if value.ndim >= 2 and value.shape[-1] == value.shape[-2] and value.shape[-1] != 1:
        squares = value.reshape(-1, *value.shape[-2:])
        scale = max(float(np.abs(squares).max()), 1.0)
        if np.abs(squares - squares.transpose(0, 2, 1)).max() > _TOLERANCE * scale:
            raise InvalidArgument(f"rdm {name}", list(value.shape), "a symmetric matrix")
        if np.abs(np.diagonal(squares, axis1=1, axis2=2)).max() > _TOLERANCE * scale:
            raise InvalidArgument(f"rdm {name}", list(value.shape), "a matrix of dissimilarities, whose diagonal is 0")
        value = upper(squares)
    elif value.ndim > 2:
        raise InvalidArgument(f"rdm {name}", list(value.shape), "shape [n, n], [k, n, n], [m] or [k, m]")
    vectors = np.atleast_2d(value)
    if n_stimuli(vectors.shape[1]) < FEWEST:
        raise InvalidArgument(f"rdm {name}", n_stimuli(vectors.shape[1]), f"at least {FEWEST} stimuli")
    return vectors

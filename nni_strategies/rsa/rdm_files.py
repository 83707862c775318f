"""RDMs measured elsewhere, of any of the forms they are exchanged in.

``.npz`` and ``.npy`` (square ``[n, n]``, several ``[k, n, n]``, or upper triangles ``[m]``, ``[k, m]``), ``.csv`` and
``.tsv`` (square), ``.mat`` up to version 7 (through scipy), and the HDF5 files of rsatoolbox, which is not needed to
read them. Pickles are never opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.rdm import n_stimuli, upper
from nni_strategies.rsa.stimuli import FEWEST

Array = npt.NDArray[np.float64]

_HDF5 = (".h5", ".hdf5", ".hdf")
_KNOWN = (".npz", ".npy", ".csv", ".tsv", ".mat", *_HDF5)
_TOLERANCE = 1e-6


def read_rdms(path: Path | str, select: Sequence[str] | None = None, pool: str = "none") -> dict[str, Array]:
    """Read RDMs.

    Parameters
    ----------
    path
        The file.
    select
        Names of its entries (keys of a ``.npz`` or ``.mat``, descriptors or numbers of RDMs in the others); all that
        are RDMs when None.
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
    path = Path(path)
    if pool not in ("none", "mean"):
        raise InvalidArgument("pool", pool, "none or mean", ("none", "mean"))
    if path.suffix.lower() not in _KNOWN:
        raise InvalidArgument("rdm", str(path), f"a file of type {list(_KNOWN)}; pickles are not read", _KNOWN)
    try:
        entries = _entries(path)
    except (OSError, ValueError, EOFError, NotImplementedError, KeyError, BadZipFile) as error:
        raise InvalidArgument("rdm", str(path), f"a readable file of RDMs ({error})") from None
    if select is None:
        entries = {name: value for name, value in entries.items() if _may_be_rdms(value)}
    else:
        for name in select:
            if name not in entries:
                raise InvalidArgument("rdm_select", name, f"one of {list(entries)}", entries)
        entries = {name: entries[name] for name in select}
    found: dict[str, Array] = {}
    for name, value in entries.items():
        vectors = _vectors(name, value)
        if pool == "mean":
            vectors = vectors.mean(axis=0, keepdims=True)
        found.update({name if len(vectors) == 1 else f"{name} {i}": v for i, v in enumerate(vectors)})
    if not found:
        raise InvalidArgument("rdm", str(path), "a file with at least one RDM")
    sizes = {name: n_stimuli(len(vector)) for name, vector in found.items()}
    if len(set(sizes.values())) > 1:
        raise InvalidArgument("rdm", sizes, "RDMs of as many stimuli each; choose some by name")
    return found


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
    n = (1 + int(np.sqrt(1 + 8 * m))) // 2
    return value.ndim <= 2 and n >= FEWEST and n * (n - 1) // 2 == m


def _vectors(name: str, value: Any) -> Array:
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

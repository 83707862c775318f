"""Gram matrices of activations, streamed over features: all that correlation, cosine and CKA need.

For activations X ``[n_stimuli, n_features]`` and any offset s of the rows, Y = X - s 1' has

    X X'              = Y Y' + s r' + r s' + d s s'        with r = Y 1 and d = n_features
    centred rows      : Y Y' - r r' / d
    centred columns   : H Y Y' H + (H s)(H r)' + (H r)(H s)' + d (H s)(H s)'   with H = I - 1 1' / n

so one pass over chunks of features gives the Gram matrix of rows as they are, of centred rows and of centred columns.
s is the row means of the first chunk: activations far from 0 lose no digits. Products are in single precision, what
is summed over chunks, row sums and norms in double: 1e-7 from the exact RDM, where sums in single precision are 1e-5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import dsyrk, ssyrk

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.gram_sums import CHUNK, Array, Gram

_ROWS = 8  # in double precision at a time: half a megabyte, which stays in the cache


class GramAccumulator:
    """Adds up chunks of features.

    Parameters
    ----------
    n_stimuli
        Rows of every chunk.
    dtype
        Of the matrix products: ``float32``, or ``float64`` for an exact oracle.
    chunk
        Features of one product.
    """

    def __init__(self, n_stimuli: int, dtype: str = "float32", chunk: int = CHUNK) -> None:
        if dtype not in ("float32", "float64"):
            raise InvalidArgument("dtype", dtype, "float32 or float64", ("float32", "float64"))
        self._chunk = chunk
        self._dtype = np.dtype(dtype)
        self._syrk = ssyrk if dtype == "float32" else dsyrk
        self._products = np.zeros((n_stimuli, n_stimuli))
        self._norms = np.zeros(n_stimuli)
        self._sums = np.zeros(n_stimuli)
        self._offset: Array | None = None
        self._n_features = 0

    @property
    def n_features(self) -> int:
        """Features so far."""
        return self._n_features

    def add(self, features: Any) -> None:
        """Add features ``[n_stimuli, n]``: floats of any precision, a numpy array or a torch tensor.

        Raises
        ------
        InvalidArgument
            Another shape.
        """
        if _is_tensor(features):
            features = features.detach()
            features = (features if features.dtype.itemsize >= 4 else features.float()).cpu().numpy()
        if features.ndim != 2 or len(features) != len(self._norms):
            raise InvalidArgument("features", list(features.shape), f"shape [{len(self._norms)}, n_features]")
        for first in range(0, features.shape[1], self._chunk):
            self._add_chunk(features[:, first : first + self._chunk])

    def _add_chunk(self, chunk: npt.NDArray[Any]) -> None:
        if self._offset is None:
            self._offset = chunk.mean(axis=1, dtype=np.float64)
        rows = np.empty(chunk.shape, self._dtype)
        for first in range(0, len(chunk), _ROWS):
            block = slice(first, first + _ROWS)
            exact = chunk[block].astype(np.float64)
            exact -= self._offset[block, None]
            self._sums[block] += exact.sum(axis=1)
            self._norms[block] += np.einsum("ij,ij->i", exact, exact)
            rows[block] = exact
        # Half the work of a general product; the transpose is what BLAS reads without a copy.
        self._products += self._syrk(1.0, rows.T, trans=1)
        self._n_features += chunk.shape[1]

    def gram(self) -> Gram:
        """Return the sums so far.

        Raises
        ------
        InvalidArgument
            There are no features.
        """
        if self._offset is None:
            raise InvalidArgument("features", 0, "at least one feature")
        products = np.triu(self._products, 1)
        products += products.T
        products[np.diag_indices(len(products))] = self._norms
        return Gram(products, self._sums.copy(), self._offset, self._n_features)


def gram(features: Any, dtype: str = "float32", chunk: int = CHUNK) -> Gram:
    """Return the Gram matrix of activations.

    Parameters
    ----------
    features
        ``[n_stimuli, ...]``, a numpy array or a torch tensor; on a CUDA GPU it is worked on there (others may have no
        double precision).
    dtype
        Of the matrix products, ``float32`` or ``float64``.
    chunk
        Features of one product.
    """
    if not _is_tensor(features):
        features = np.asarray(features)
    elif features.device.type == "cuda":
        from nni_strategies.rsa.torch_gram import torch_gram

        return torch_gram(features, dtype, chunk)
    made = GramAccumulator(len(features), dtype, chunk)
    made.add(features.reshape(len(features), -1))
    return made.gram()


def _is_tensor(features: Any) -> bool:
    """Whether these are torch's, whose import takes seconds."""
    return type(features).__module__.split(".")[0] == "torch"

"""How alike two representations are: each gets a signature, and their similarity is the signatures' dot product.

pearson   centred RDM, unit norm
spearman  centred ranks of the RDM (ties averaged), unit norm
rho-a     the same ranks, scaled as if there were no ties: the expected correlation of ranks whose ties are broken at
          random (Schuett et al. 2023, eLife), lower than Spearman's where the other RDM has ties
cosine    RDM, unit norm
cka       Gram matrix of centred columns, unit Frobenius norm: linear CKA (Kornblith et al. 2019, 1905.00414)

so L_T x L_C similarities are one matrix product, and each layer is ranked once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.ranks import average_ranks
from nni_strategies.rsa.gram_sums import Gram
from nni_strategies.rsa.rdm import correlation_rdm

Array = npt.NDArray[np.float64]

METHODS = ("cka", "pearson", "spearman", "rho-a", "cosine")
RANKED = ("spearman", "rho-a")


def signature(rdm: npt.NDArray[Any], method: str, out: Array | None = None) -> Array:
    """Return the signature of an RDM ``[n_pairs]``, of the same shape; zeros where it says nothing.

    Parameters
    ----------
    rdm
        Dissimilarities.
    method
        All but ``cka``, which needs more than an RDM.
    out
        Where the signature is written, ``[n_pairs]``; a new array when None.

    Raises
    ------
    InvalidArgument
        Another method.
    """
    if method not in METHODS or method == "cka":
        raise InvalidArgument("method", method, f"one of {list(METHODS[1:])} for RDMs", METHODS[1:])
    rdm = np.asarray(rdm, dtype=np.float64)
    vector = np.empty(rdm.shape) if out is None else out
    if method in RANKED:
        average_ranks(rdm, vector)
    else:
        vector[:] = rdm
    largest = max(float(vector.max(initial=0.0)), -float(vector.min(initial=0.0)), 1e-300)
    if method != "cosine":
        vector -= vector.mean()
    m = len(vector)
    norm = float(np.linalg.norm(vector))
    if norm <= 1e-12 * largest:
        vector[:] = 0.0
    else:
        vector /= np.sqrt((m**3 - m) / 12.0) if method == "rho-a" else norm
    return vector


def gram_signature(sums: Gram, method: str) -> Array:
    """Return the signature of activations: of their correlation RDM, or for ``cka`` ``[n (n + 1) / 2]``."""
    if method != "cka":
        return signature(correlation_rdm(sums), method)
    matrix = sums.of_centred_columns()
    i, j = np.triu_indices(len(matrix))
    vector = matrix[i, j] * np.where(i == j, 1.0, np.sqrt(2.0))  # each pair is in the matrix twice
    norm = float(np.linalg.norm(vector))
    return np.asarray(vector / norm) if norm > 0.0 else vector


def compare(teacher: npt.NDArray[np.float64], candidate: npt.NDArray[np.float64], method: str) -> Array:
    """Return the similarities of RDMs.

    Parameters
    ----------
    teacher, candidate
        ``[n_teacher, n_pairs]`` and ``[n_candidate, n_pairs]``.
    method
        ``pearson``, ``spearman``, ``rho-a`` or ``cosine``.

    Returns
    -------
    numpy.ndarray
        ``[n_teacher, n_candidate]``.
    """
    teacher, candidate = np.atleast_2d(teacher), np.atleast_2d(candidate)
    if teacher.shape[1] != candidate.shape[1]:
        raise InvalidArgument("candidate", candidate.shape[1], f"as many pairs as the teacher, {teacher.shape[1]}")
    first, second = np.empty(teacher.shape), np.empty(candidate.shape)
    for rdms, signatures in ((teacher, first), (candidate, second)):
        for rdm, row in zip(rdms, signatures, strict=True):
            signature(rdm, method, row)
    return np.asarray(first @ second.T)

"""What a trial leaves for the report in ``$NNI_OUTPUT_DIR``: which layer matched which, and the RDMs of those that did.

``rsa.json``
    ``trial``, ``teacher`` (path and sha256 of its vectors), ``method``, ``teacher_layers``, ``candidate_layers``,
    ``match``, ``matrix`` (null where a layer says nothing) and ``approximate``.
``rsa_rdms.npz``
    ``rdm`` ``[n_matched, n_pairs]`` in half precision, ``layers`` (their names) and ``stimuli`` (which of the teacher's
    it is of, in their order): at most 250 stimuli, 60 kB a layer. The teacher's own RDMs stay in its file.

A reader sees whole files or none, and nothing that goes wrong here reaches the trial.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.pairs import pairs_among
from nni_strategies.rsa.rdm import n_stimuli
from nni_strategies.rsa.score import ScoreResult
from nni_strategies.rsa.teacher import Teacher

_logger = logging.getLogger(__name__)

DETAILS = "rsa.json"
RDMS = "rsa_rdms.npz"
MOST_STIMULI = 250


def write_details(trial: str, teacher: Teacher, result: ScoreResult, folder: Path | None = None) -> None:
    """Write both files; a failure is logged and nothing else.

    Parameters
    ----------
    trial
        Its name.
    teacher, result
        What scored it, and its score.
    folder
        ``$NNI_OUTPUT_DIR`` when None; without that nothing is written.
    """
    given = os.environ.get("NNI_OUTPUT_DIR")
    if folder is None and not given:
        return
    try:
        place = folder if folder is not None else Path(given or "")
        _replace(place / RDMS, _rdms(result))  # first: whoever finds the JSON file finds these too
        _replace(place / DETAILS, json.dumps(_matches(trial, teacher, result), allow_nan=False).encode())
    except Exception as error:  # a full disk, a folder that is gone, too little memory: the trial's result matters more
        _logger.warning("%s is not written: %s", DETAILS, error)


def _matches(trial: str, teacher: Teacher, result: ScoreResult) -> dict[str, Any]:
    return {
        "trial": trial,
        "teacher": {"path": teacher.spec.path, "sha256": teacher.spec.sha256},
        "method": teacher.spec.method,
        "teacher_layers": list(teacher.spec.layers),
        "candidate_layers": list(result.candidate_layers),
        "match": result.match,
        "matrix": [[x if math.isfinite(x) else None for x in row] for row in result.matrix.tolist()],
        "approximate": sorted(result.approximate),
    }


def _rdms(result: ScoreResult) -> bytes:
    """Return the bytes of ``rsa_rdms.npz``."""
    matched = [i for i, name in enumerate(result.candidate_layers) if name in result.match.values()]
    kept = kept_stimuli(n_stimuli(result.rdms.shape[1]))
    file = io.BytesIO()
    np.savez_compressed(
        file,
        rdm=of_stimuli(result.rdms[matched], kept).astype(np.float16),
        layers=np.array([result.candidate_layers[i] for i in matched], dtype=np.str_),
        stimuli=kept,
    )
    return file.getvalue()


def kept_stimuli(n: int) -> npt.NDArray[np.int32]:
    """Return the numbers of at most 250 of `n` stimuli, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_STIMULI)).round().astype(np.int32))


def of_stimuli(rdms: npt.NDArray[np.float64], kept: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return the pairs of some of the stimuli ``[n_layers, k (k - 1) / 2]`` of RDMs ``[n_layers, n_pairs]``."""
    return rdms[:, pairs_among(kept, n_stimuli(rdms.shape[1]))]


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

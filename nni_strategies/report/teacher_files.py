"""What a guided trial left beside its log: which layers matched, and their RDMs (``rsa.json``, ``rsa_rdms.npz``).

Read by their form, and looked at before anything relies on them. Trials on other machines keep their files there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.pairs import n_items, pairs_among
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.search.metrics import is_plain_number

Array = npt.NDArray[np.float64]

_DETAILS, _RDMS = "rsa.json", "rsa_rdms.npz"


@dataclass(frozen=True)
class TeacherDetails:
    """A trial's layers beside the teacher's.

    Parameters
    ----------
    trial
        Which.
    rank
        Its place among all trials, from 1.
    method
        How layers are compared; empty where it was not noted.
    teacher_layers, candidate_layers
        Names, in the order of the network.
    match
        Teacher layer -> the candidate layer most like it.
    matrix
        Similarities ``[n_teacher][n_candidate]``; None where a layer says nothing.
    approximate
        Candidate layers of which a sample of units was looked at.
    teacher_rdms, candidate_rdms
        By layer, upper triangles ``[n_pairs]`` of the same stimuli; empty where there are none.
    n_stimuli
        How many the teacher's RDMs are of; the RDMs here may be of some of them.
    problem
        Why there are no RDMs; empty where there are.
    """

    trial: TrialRecord
    rank: int
    method: str
    teacher_layers: tuple[str, ...]
    candidate_layers: tuple[str, ...]
    match: Mapping[str, str]
    matrix: tuple[tuple[float | None, ...], ...]
    approximate: frozenset[str] = frozenset()
    teacher_rdms: Mapping[str, Array] = field(default_factory=dict)
    candidate_rdms: Mapping[str, Array] = field(default_factory=dict)
    n_stimuli: int = 0
    problem: str = ""


def find_details(experiment: ExperimentRecord) -> TeacherDetails | None:
    """Return the details of the best trial that left some; None where no trial did."""
    if experiment.directory is None:
        return None
    try:
        folders = [path.parent for path in experiment.directory.glob(f"environments/*/trials/*/{_DETAILS}")]
        folders += [path.parent for path in experiment.directory.glob(f"trials/*/{_DETAILS}")]
    except OSError:
        return None
    by_id = {folder.name: folder for folder in folders}
    for rank, trial in enumerate(experiment.ranked if by_id else [], start=1):
        for nni_id in reversed(trial.nni_ids):  # the last one that ran it
            found = _read(by_id[nni_id], trial, rank) if nni_id in by_id else None
            if found is not None:
                return found
    return None


def _read(folder: Path, trial: TrialRecord, rank: int) -> TeacherDetails | None:
    """Return what is in a trial's folder; None where the JSON file makes no sense."""
    try:
        given = json.loads((folder / _DETAILS).read_text(encoding="utf-8"))
        teacher, candidate = (_names(given[f"{side}_layers"]) for side in ("teacher", "candidate"))
        matrix = tuple(tuple(_similarity(entry) for entry in row) for row in given["matrix"])
        match = {str(name): str(found) for name, found in given["match"].items()}
        approximate = frozenset(_names(given.get("approximate", [])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not teacher or not candidate or [len(row) for row in matrix] != [len(candidate)] * len(teacher):
        return None
    if not set(match) <= set(teacher) or not set(match.values()) <= set(candidate):
        return None
    method = given.get("method")
    rdms: Mapping[str, Any] = {}
    try:
        rdms = _rdms(folder / _RDMS, given.get("teacher"), teacher)
    except _Unreadable as error:
        rdms = {"problem": str(error)}
    said = method if isinstance(method, str) else ""
    return TeacherDetails(trial, rank, said, teacher, candidate, match, matrix, approximate, **rdms)


class _Unreadable(Exception):
    """Why there are no RDMs."""


def _rdms(path: Path, teacher: Any, teacher_layers: tuple[str, ...]) -> dict[str, Any]:
    """Return the candidate's RDMs, and the teacher's of the same stimuli."""
    if not path.is_file():
        raise _Unreadable("the trial left no RDMs")
    arrays = _arrays(path)
    rdm, layers, kept = (arrays.get(name) for name in ("rdm", "layers", "stimuli"))
    if rdm is None or layers is None or kept is None or not _are_layers(rdm, layers) or kept.ndim != 1:
        raise _Unreadable(f"{path.name} does not hold what it should")
    increasing = kept.dtype.kind in "iu" and len(kept) >= 3 and bool((np.diff(kept.astype(np.int64)) > 0).all())
    if not increasing or rdm.shape[1] != len(kept) * (len(kept) - 1) // 2:
        raise _Unreadable(f"the RDMs in {path.name} are not of its stimuli")
    whole = _teacher_rdms(teacher, len(teacher_layers))
    n = n_items(whole.shape[1])
    if n is None or kept[0] < 0 or kept[-1] >= n:
        raise _Unreadable("the teacher’s RDMs are of other stimuli")
    chosen = whole[:, pairs_among(kept, n)].astype(np.float64)
    of_teacher = dict(zip(teacher_layers, chosen, strict=True))
    of_candidate = {str(name): row for name, row in zip(layers.tolist(), rdm.astype(np.float64), strict=True)}
    if not all(np.isfinite(row).all() for row in (*of_teacher.values(), *of_candidate.values())):
        raise _Unreadable("RDMs that are not finite")
    return {"teacher_rdms": of_teacher, "candidate_rdms": of_candidate, "n_stimuli": n}


def _are_layers(rdm: npt.NDArray[Any], layers: npt.NDArray[Any]) -> bool:
    return rdm.ndim == 2 and rdm.dtype.kind in "fiu" and layers.shape == rdm.shape[:1] and layers.dtype.kind == "U"


def _teacher_rdms(teacher: Any, n_layers: int) -> npt.NDArray[Any]:
    """Return the teacher's RDMs ``[n_layers, n_pairs]`` of the file that the trial was judged by."""
    if not isinstance(teacher, Mapping) or not isinstance(teacher.get("path"), str):
        raise _Unreadable("the trial does not say where its teacher is")
    path = Path(teacher["path"])
    try:
        changed = hashlib.sha256(path.read_bytes()).hexdigest() != teacher.get("sha256")
    except (OSError, ValueError):
        raise _Unreadable(f"the teacher’s file {path} is not on this machine") from None
    if changed:
        raise _Unreadable(f"the teacher’s file {path} has changed since")
    rdm = _arrays(path).get("rdm")
    if rdm is None or rdm.ndim != 2 or len(rdm) != n_layers or rdm.dtype.kind not in "fiu":
        raise _Unreadable(f"{path.name} does not hold the teacher’s RDMs")
    return rdm


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("rdm", "layers", "stimuli") if name in file}
    except Exception as error:  # a damaged zip fails in many ways: zlib.error, NotImplementedError, struct.error, …
        raise _Unreadable(f"{path.name} cannot be read: {error}") from None


def _names(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ValueError("no list of names")
    return tuple(given)


def _similarity(entry: Any) -> float | None:
    if entry is not None and not is_plain_number(entry):
        raise ValueError("no number")
    return None if entry is None else float(entry)

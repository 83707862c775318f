"""A teacher as trials know it: a small JSON file, and a file of vectors beside it, each checked by its hash.

``teacher.json`` names the stimuli, the layers and how to compare; NNI refuses evaluators of more than 4 kB, so nothing
large is in it. ``teacher.npz`` has an RDM a layer; where the teacher is a network or recorded activations, the Gram
matrix that linear CKA needs; and where its RDM is of conditions, what each stimulus shows. A trial loads vectors only:
the teacher itself takes no memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.rsa.damaged import DAMAGED
from nni_strategies.rsa.rdm import n_stimuli
from nni_strategies.rsa.similarity import METHODS, signature
from nni_strategies.rsa.stimuli import FEWEST, Stimuli

Array = npt.NDArray[np.float64]

FORMAT = 1
LARGEST = 3000  # bytes of JSON: with an evaluator around it still below NNI's limit


@dataclass(frozen=True)
class TeacherSpec:
    """All that a trial receives.

    Parameters
    ----------
    path
        The file of vectors, absolute.
    sha256
        Of that file.
    layers
        Names of the teacher's layers, in the order of the vectors.
    method
        How RDMs or Gram matrices are compared: ``cka``, ``pearson``, ``spearman``, ``rho-a`` or ``cosine``.
    stimuli
        What candidates are shown.
    group
        What each stimulus shows, where the teacher's RDM is of conditions and not of images; else None. Of a loaded
        teacher only: it is in the file of vectors, thousands of numbers being too many for the JSON file.
    ceilings
        By layer, the lower and upper noise ceiling, where they could be computed.
    source
        What it was built from, in words.
    """

    path: str
    sha256: str
    layers: tuple[str, ...]
    method: str
    stimuli: Stimuli
    group: tuple[int, ...] | None = None
    ceilings: Mapping[str, tuple[float, float]] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InvalidArgument("teacher.method", self.method, f"one of {list(METHODS)}", METHODS)
        if not self.layers or not all(isinstance(name, str) for name in self.layers):
            raise InvalidArgument("teacher.layers", list(self.layers), "at least one name")

    def to_json(self) -> dict[str, Any]:
        """Return JSON types."""
        written = {"format": FORMAT, **asdict(self), "stimuli": self.stimuli.to_json()}
        del written["group"]
        return written

    @classmethod
    def from_json(cls, given: Any) -> TeacherSpec:
        """Read what :meth:`to_json` returned.

        Raises
        ------
        InvalidArgument
            A field is missing, unknown or wrong.
        """
        names = tuple(cls.__dataclass_fields__)
        if not isinstance(given, Mapping):
            raise InvalidArgument("teacher", given, "an object with path, sha256, layers, method and stimuli")
        if given.get("format", FORMAT) != FORMAT:
            raise InvalidArgument("teacher.format", given["format"], f"{FORMAT}, which this version reads")
        refuse_unknown("teacher", given, (*names, "format"))
        for name in ("path", "sha256", "method"):
            if not isinstance(given.get(name), str):
                raise InvalidArgument(f"teacher.{name}", given.get(name), "a string")
        ceilings = given.get("ceilings") or {}
        if not isinstance(given.get("layers"), (list, tuple)):
            raise InvalidArgument("teacher.layers", given.get("layers"), "a list")
        if given.get("group") is not None:
            raise InvalidArgument("teacher.group", given["group"], "beside the vectors now; build the teacher again")
        try:
            bounds = {str(name): (float(lower), float(upper)) for name, (lower, upper) in ceilings.items()}
        except (AttributeError, TypeError, ValueError):
            raise InvalidArgument("teacher.ceilings", ceilings, "two numbers a layer, or null") from None
        return cls(
            given["path"],
            given["sha256"],
            tuple(given["layers"]),
            given["method"],
            Stimuli.from_json(given.get("stimuli")),
            ceilings=bounds or None,
            source=str(given.get("source", "")),
        )

    def write(self, path: Path) -> None:
        """Write the JSON file.

        Raises
        ------
        InvalidArgument
            It is too large for NNI: hundreds of layers.
        """
        size = len(json.dumps(self.to_json()))
        if size > LARGEST:
            allowed = f"at most {LARGEST} bytes of JSON: fewer layers, or shorter names"
            raise InvalidArgument("teacher", f"{size} bytes", allowed)
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")


@dataclass(frozen=True)
class Teacher:
    """A loaded teacher.

    Parameters
    ----------
    spec
        Where it came from.
    signatures
        ``[n_layers, n_numbers]``, see :mod:`.similarity`.
    rdms
        ``[n_layers, n_pairs]``.
    n
        Stimuli, or groups of them.
    """

    spec: TeacherSpec
    signatures: Array
    rdms: Array
    n: int


def read_spec(source: Path | str | Mapping[str, Any] | TeacherSpec) -> TeacherSpec:
    """Return the specification in a JSON file, or in what such a file holds.

    Raises
    ------
    InvalidArgument
        The file is missing or is no teacher.
    """
    if isinstance(source, TeacherSpec):
        return source
    if isinstance(source, Mapping):
        return TeacherSpec.from_json(source)
    try:
        given = json.loads(Path(source).read_text())
    except OSError as error:
        raise InvalidArgument("teacher", str(source), f"a readable JSON file ({error.strerror})") from None
    except ValueError as error:
        raise InvalidArgument("teacher", str(source), f"a JSON file ({error})") from None
    return TeacherSpec.from_json(given)


def load_teacher(source: Path | str | Mapping[str, Any] | TeacherSpec) -> Teacher:
    """Load a teacher's vectors and check them.

    Raises
    ------
    InvalidArgument
        A file is missing or was changed, the method needs what it does not have, or numbers do not fit together.
    """
    spec = read_spec(source)
    try:
        data = Path(spec.path).read_bytes()
        if hashlib.sha256(data).hexdigest() != spec.sha256:
            raise InvalidArgument("teacher.path", spec.path, f"the file it was built with (sha256 {spec.sha256[:12]}…)")
        with np.load(spec.path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file}
        if "group" in arrays:
            spec = replace(spec, group=tuple(int(i) for i in arrays["group"].reshape(-1)))
    except InvalidArgument:
        raise
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument("teacher.path", spec.path, f"a readable file ({reason})") from None
    rdms = arrays.get("rdm")
    if rdms is None or rdms.ndim != 2 or len(rdms) != len(spec.layers):
        raise InvalidArgument("teacher.layers", list(spec.layers), "as many names as the file has RDMs")
    n = n_stimuli(rdms.shape[1])
    if n < FEWEST:
        raise InvalidArgument("teacher", n, f"at least {FEWEST} stimuli")
    if spec.group is not None and len(set(spec.group)) != n:
        raise InvalidArgument("teacher.group", len(set(spec.group)), f"as many groups as the RDM has conditions, {n}")
    if spec.method == "cka" and "gram" not in arrays:
        allowed = f"one of {list(METHODS[1:])}: of this teacher only RDMs are known"
        raise InvalidArgument("teacher.method", "cka", allowed)
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise InvalidArgument("teacher.path", spec.path, "finite numbers")
    made = arrays["gram"] if spec.method == "cka" else np.stack([signature(rdm, spec.method) for rdm in rdms])
    return Teacher(spec, made, rdms, n)


def write_teacher(
    folder: Path,
    rdms: Array,
    layers: Sequence[str],
    stimuli: Stimuli,
    *,
    method: str,
    grams: Array | None = None,
    group: Sequence[Any] | None = None,
    ceilings: Mapping[str, tuple[float, float]] | None = None,
    source: str = "",
    name: str = "teacher",
) -> Path:
    """Write both files and return the JSON file's path; what :func:`load_teacher` would refuse replaces nothing.

    Parameters
    ----------
    folder
        Created when missing.
    rdms
        ``[n_layers, n_pairs]``.
    grams
        Signatures for linear CKA, ``[n_layers, n (n + 1) / 2]``; None where only RDMs are known.
    """
    arrays = {"rdm": rdms.astype(np.float32)} | ({} if grams is None else {"gram": grams.astype(np.float32)})
    if group is not None:
        numbers = np.unique(np.asarray(group), return_inverse=True)[1]
        arrays["group"] = numbers.reshape(-1).astype(np.int32)
    with staged(folder) as new:
        vectors = new / f"{name}.npz"
        np.savez(vectors, **arrays)  # type: ignore[arg-type]
        sha256 = hashlib.sha256(vectors.read_bytes()).hexdigest()
        spec = TeacherSpec(str(vectors), sha256, tuple(layers), method, stimuli, ceilings=ceilings, source=source)
        load_teacher(spec)
        return move_teacher(spec, folder, name)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a new folder within `folder`, from which files move at once; afterwards it is gone, whatever happened.

    Raises
    ------
    InvalidArgument
        The folder cannot be written to.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new = tempfile.TemporaryDirectory(prefix=".", dir=folder.absolute(), ignore_cleanup_errors=True)
        except OSError as error:
            allowed = f"a folder that can be written to ({error.strerror})"
            raise InvalidArgument("folder", str(folder), allowed) from None
        with new as place:
            yield Path(place)
    finally:
        for path in missing:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def move_teacher(spec: TeacherSpec, folder: Path, name: str = "teacher") -> Path:
    """Put a teacher's new files where they belong, all or, where they are refused, none; return the JSON file's path.

    Parameters
    ----------
    spec
        Whose vectors are in a folder of :func:`staged`, and maybe its stimuli.
    folder
        Where they go.

    Raises
    ------
    InvalidArgument
        The JSON file would be too large for NNI.
    """
    new, folder = Path(spec.path).parent, folder.absolute()
    moved = []
    if Path(spec.stimuli.path).parent == new:
        moved.append(Path(spec.stimuli.path).name)
        spec = replace(spec, stimuli=replace(spec.stimuli, path=str(folder / moved[0])))
    written = f"{name}.json"
    moved += [Path(spec.path).name, written]
    replace(spec, path=str(folder / Path(spec.path).name)).write(new / written)
    for file in moved:
        os.replace(new / file, folder / file)
    return folder / written

"""A teacher as trials know it: a small JSON file, and a file of vectors beside it, each checked by its hash.

``teacher.json`` names the stimuli, the layers and how to compare; NNI refuses evaluators of more than 4 kB, so nothing
large is in it. ``teacher.npz`` has an RDM a layer and, where the teacher is a network or recorded activations, the
Gram matrix that linear CKA needs. A trial loads vectors only: the teacher itself takes no memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, refuse_unknown
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
        What each stimulus shows, where the teacher's RDM is of conditions and not of images; else None.
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
        return {"format": FORMAT, **asdict(self), "stimuli": self.stimuli.to_json()}

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
        group, ceilings = given.get("group"), given.get("ceilings") or {}
        if not isinstance(given.get("layers"), (list, tuple)):
            raise InvalidArgument("teacher.layers", given.get("layers"), "a list")
        if group is not None and not (isinstance(group, (list, tuple)) and all(isinstance(i, int) for i in group)):
            raise InvalidArgument("teacher.group", group, "a list of whole numbers, or null")
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
            None if group is None else tuple(group),
            bounds or None,
            str(given.get("source", "")),
        )

    def write(self, path: Path) -> None:
        """Write the JSON file.

        Raises
        ------
        InvalidArgument
            It is too large for NNI: thousands of group numbers, hundreds of layers.
        """
        text = json.dumps(self.to_json(), indent=1)
        if len(json.dumps(self.to_json())) > LARGEST:
            raise InvalidArgument("teacher", len(text), f"at most {LARGEST} bytes: fewer layers, or shorter names")
        path.write_text(text + "\n")


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
    except InvalidArgument:
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
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
    """Write both files and return the JSON file's path; refuse what :func:`load_teacher` would.

    Parameters
    ----------
    folder
        Created when missing.
    rdms
        ``[n_layers, n_pairs]``.
    grams
        Signatures for linear CKA, ``[n_layers, n (n + 1) / 2]``; None where only RDMs are known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vectors = folder.absolute() / f"{name}.npz"
    arrays = {"rdm": rdms.astype(np.float32)} | ({} if grams is None else {"gram": grams.astype(np.float32)})
    np.savez(vectors, **arrays)  # type: ignore[arg-type]
    numbers = None if group is None else tuple(int(i) for i in np.unique(np.asarray(group), return_inverse=True)[1])
    sha256 = hashlib.sha256(vectors.read_bytes()).hexdigest()
    spec = TeacherSpec(str(vectors), sha256, tuple(layers), method, stimuli, numbers, ceilings, source)
    load_teacher(spec)
    spec.write(folder / f"{name}.json")
    return folder / f"{name}.json"

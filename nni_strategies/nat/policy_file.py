"""A learned policy in a file: its weights as safetensors, with the space they belong to.

The header has one JSON text ``policy``: the hash of the space, the policy's name, the size of its layers and the
operations in order. Nothing in such a file can run code. It is written whole: a kill leaves the old one or the new one.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from safetensors.torch import save_file
from torch import Tensor, nn

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.policy.make import POLICIES, make_policy

_HEADER = "policy"
_VERSION = 1
_LARGEST = 1 << 13  # of hidden layers: a file that asks for more is broken
_FIELDS = {"version", "space", "operations", "name", "hidden"}


@dataclass(frozen=True)
class Learned:
    """A policy and what it was made with.

    Parameters
    ----------
    policy
        What :func:`~.policy.make.make_policy` made.
    view, name, hidden
        See there.
    """

    policy: nn.Module
    view: EdgeView
    name: str
    hidden: int

    @property
    def checksum(self) -> int:
        """CRC-32 of the weights, the same for the same weights."""
        return zlib.crc32(as_bytes(self.weights))

    @property
    def weights(self) -> dict[str, Tensor]:
        """The policy's weights by name, on the CPU."""
        return {key: tensor.detach().cpu().contiguous() for key, tensor in self.policy.state_dict().items()}


def save(path: Path, learned: Learned) -> None:
    """Write a policy; folders are made.

    Parameters
    ----------
    path
        Of the file; what is there is replaced as a whole.
    learned
        The policy.

    Raises
    ------
    OSError
        It cannot be written.
    """
    header = {
        "version": _VERSION,
        "space": learned.view.space.hash,
        "operations": list(learned.view.operations),
        "name": learned.name,
        "hidden": learned.hidden,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(learned.weights, part, {_HEADER: json.dumps(header)})
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, view: EdgeView, field: str = "policy") -> Learned:
    """Return the policy of a file.

    Parameters
    ----------
    path
        Of the file.
    view
        The edges of the space that the policy is for.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        It is no file of a policy, a broken one, or one of another space.
    DataMissing
        There is none.
    """
    header = read_header(path, field)
    if header["space"] != view.space.hash or header["operations"] != list(view.operations):
        theirs = [name for name in header["operations"] if name not in view.operations]
        told = f", which has no {theirs[0]}" if theirs else ""
        raise InvalidArgument(field, str(path), f"a policy of this space{told}; the hash of its space is another")
    policy = make_policy(header["name"], view, hidden=header["hidden"])
    with safe_open(path, "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise InvalidArgument(field, str(path), "finite weights; the learning of these diverged")
    try:
        policy.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidArgument(field, str(path), f"the weights of a {header['name']} policy ({error})") from None
    return Learned(policy, view, header["name"], header["hidden"])


def read_header(path: Path, field: str = "policy") -> dict[str, Any]:
    """Return what a file says of its policy: ``space``, ``operations``, ``name``, ``hidden``.

    Raises
    ------
    InvalidArgument, DataMissing
        See :func:`load`.
    """
    if not os.path.isfile(path):  # unlike pathlib's, False below a folder that may not be entered
        raise DataMissing(f"there is no policy at {path}")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "null"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InvalidArgument(field, str(path), f"a whole file of a policy ({error})") from None
    if not isinstance(header, dict) or header.get("version") != _VERSION or not _is_whole(header):
        raise InvalidArgument(field, str(path), "a file of a policy that this version of nni_strategies wrote")
    return header


def _is_whole(header: dict[str, Any]) -> bool:
    if set(header) != _FIELDS or header["name"] not in POLICIES:
        return False
    hidden, operations = header["hidden"], header["operations"]
    is_size = isinstance(hidden, int) and not isinstance(hidden, bool) and 1 <= hidden <= _LARGEST
    return is_size and isinstance(operations, list) and all(isinstance(name, str) for name in operations)

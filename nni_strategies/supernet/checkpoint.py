"""A supernet in a file: its weights as safetensors, with the space they belong to and the state of the training.

Tensors are ``weights/NAME`` and, while the training goes on, ``momentum/NAME``. The header has one JSON text
``supernet``: the space's hash and description, the epochs done, the recipe, and whatever else the caller says of it.
Nothing in such a file can run code. It is written whole: a kill leaves the old one or the new one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nni_strategies.errors import DataMissing, InvalidArgument, shorten
from nni_strategies.supernet.network import Supernet

_HEADER = "supernet"
_VERSION = 1
_PARTS = {"space": str, "search_space": dict, "epochs": int, "description": dict}
_WEIGHTS, _MOMENTUM = "weights/", "momentum/"


def save(
    path: Path | str,
    supernet: Supernet,
    description: Mapping[str, Any] | None = None,
    epochs: int = 0,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a supernet.

    Parameters
    ----------
    path
        The file; folders are made.
    supernet
        Any device.
    description
        JSON types.
    epochs
        How long it was trained.
    optimizer
        Of a training that is to go on: SGD, whose momenta are kept.

    Raises
    ------
    TypeError
        The description holds something else than JSON types.
    OSError, safetensors.SafetensorError
        The file cannot be written; see :func:`refuse_unwritable`.
    """
    path, state = Path(path), supernet.network.state_dict()
    tensors = {_WEIGHTS + name: tensor for name, tensor in state.items()}
    if optimizer is not None:
        for name, weight in supernet.network.named_parameters():
            momentum = optimizer.state.get(weight, {}).get("momentum_buffer")
            if momentum is not None:
                tensors[_MOMENTUM + name] = momentum
    header = {
        "version": _VERSION,
        "space": supernet.space.hash,
        "search_space": supernet.space.describe(),
        "epochs": epochs,
        "description": dict(description or {}),
    }
    # clones: tensors of one storage are not safetensors' business
    whole = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(whole, part, {_HEADER: json.dumps(header)})
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def refuse_unwritable(path: Path, field: str = "checkpoint") -> None:
    """Refuse a place where no file can be written, before there is something to lose; folders are made.

    Parameters
    ----------
    path
        Of the file that is to be.
    field
        What the user knows it by.

    Raises
    ------
    InvalidArgument
        It is a folder, or its folder cannot be made or written to.
    """
    if os.path.isdir(path):  # unlike pathlib's, False below a folder that may not be entered
        raise InvalidArgument(field, str(path), "a file; this is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InvalidArgument(field, str(path), f"a file that can be written ({error})") from None


def load(path: Path | str, supernet: Supernet) -> dict[str, Any]:
    """Give a supernet the weights of a file, all or none; return what the file says.

    Parameters
    ----------
    path
        The file.
    supernet
        Of the same space; any device.

    Returns
    -------
    dict[str, Any]
        See :func:`read_header`.

    Raises
    ------
    InvalidArgument
        The file is none of a supernet, of another space, or of networks of another size.
    DataMissing
        There is none.
    """
    path = Path(path)
    header = read_header(path)
    _refuse_other_space(path, header, supernet)
    tensors = _tensors(path, _WEIGHTS)
    own = supernet.network.state_dict()
    for name in [*own, *tensors]:
        if name not in own or name not in tensors:
            where = "network" if name in own else "file"
            allowed = f"a supernet of this network: {name!r} is in the {where} only"
            raise InvalidArgument("supernet", str(path), allowed)
        if own[name].shape != tensors[name].shape:
            shapes = f"{list(tensors[name].shape)} in the file, {list(own[name].shape)} in the network"
            raise InvalidArgument("supernet", str(path), f"a supernet of this width and depth: {name!r} is {shapes}")
    supernet.network.load_state_dict(tensors)
    return header


def resume(path: Path, supernet: Supernet, optimizer: torch.optim.Optimizer, description: Mapping[str, Any]) -> int:
    """Take up a training; return how many epochs are done.

    Parameters
    ----------
    path
        The file, written with its optimizer.
    supernet
        Of the same space; any device.
    optimizer
        Gets the momenta.
    description
        What the training is by now: part -> options, each a dictionary of JSON types. Parts that only the file has are
        not compared.

    Returns
    -------
    int
        Epochs done, from 0.

    Raises
    ------
    InvalidArgument
        What :func:`load` refuses, or the training was described otherwise: it names the option.
    DataMissing
        There is no file.
    """
    header = read_header(path)
    _refuse_other_description(path, header["description"], json.loads(json.dumps(description)))
    load(path, supernet)
    momenta = _tensors(path, _MOMENTUM)
    for name, weight in supernet.network.named_parameters():
        if name in momenta:
            optimizer.state[weight] = {"momentum_buffer": momenta[name].to(weight.device)}
    return int(header["epochs"])


def read_header(path: Path | str) -> dict[str, Any]:
    """Return what a file says of its supernet: ``space``, ``search_space``, ``epochs``, ``description``.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidArgument
        It is no file of a supernet, or a broken one.
    DataMissing
        There is none.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise DataMissing(f"there is no supernet at {path}")
    try:
        with safe_open(path, "pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {}).get(_HEADER, "null"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InvalidArgument("supernet", str(path), f"a whole file of a supernet ({error})") from None
    whole = isinstance(header, dict) and all(isinstance(header.get(name), kind) for name, kind in _PARTS.items())
    if not whole or header.get("version") != _VERSION or not _is_space(header["search_space"]):
        raise InvalidArgument("supernet", str(path), "a file that this version of nni_strategies wrote")
    return header


def _is_space(described: Mapping[str, Any]) -> bool:
    entries = described.get("parameters")
    return isinstance(entries, list) and all(isinstance(entry, dict) and "label" in entry for entry in entries)


def _tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {name[len(prefix) :]: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118


def _refuse_other_space(path: Path, header: Mapping[str, Any], supernet: Supernet) -> None:
    if header["space"] == supernet.space.hash:
        return
    theirs = {entry["label"]: entry for entry in header["search_space"]["parameters"]}
    ours = {entry["label"]: entry for entry in supernet.space.describe()["parameters"]}
    for label in theirs:
        if label not in ours:
            allowed = f"a supernet of this space, which has no label {label!r}"
            raise InvalidArgument("supernet", str(path), allowed)
    for label, entry in ours.items():
        if label not in theirs:
            raise InvalidArgument("supernet", str(path), f"a supernet of this space: that of the file has no {label!r}")
        if entry != theirs[label]:
            differ = f"{label!r} is {shorten(theirs[label])} there, {shorten(entry)} here"
            raise InvalidArgument("supernet", str(path), f"a supernet of this space: {differ}")
    raise InvalidArgument("supernet", str(path), "a supernet of this space: constraints or the order of labels differ")


def _refuse_other_description(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for part, options in ours.items():
        before = theirs.get(part, {})
        for name in {**before, **options}:
            if before.get(name) != options.get(name):
                told = f"{part} as in {path}, {shorten(before.get(name))}, or another checkpoint"
                raise InvalidArgument(name, options.get(name), told)

"""Architectures to transform, as users have them: written down, in a file, or as NNI exports them.

A file is JSON: one architecture, a list of them, or what ``nnictl experiment export`` writes, whose entries hold the
architecture under ``parameter``. A trial of ``nni.nas`` holds it under ``sample``, a report's ``best.json`` under
``configuration``. Or it is Python that assigns DARTS's genotypes to names: all of them, or ``FILE:NAME`` for one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotype_source import is_source
from nni_strategies.nat.genotypes import Architecture, read_genotype, read_genotypes
from nni_strategies.nni_database import without_shown

_WRAPPERS = ("parameter", "parameters", "sample", "configuration")


def read_inputs(given: Any) -> list[Architecture]:
    """Return architectures as they were given, each as label -> value or a genotype.

    Parameters
    ----------
    given
        One, a list of them, or the path of a file of JSON or of genotypes.

    Raises
    ------
    InvalidArgument
        There is none, or the file cannot be read.
    """
    if isinstance(given, (str, Path)):
        text, name = _text(str(given), "inputs")
        if is_source(text):
            return [read_genotype(text, name, "inputs")] if name else list(read_genotypes(text, "inputs"))
        given = _json(text, name, "inputs")
    listed = [given] if isinstance(given, Mapping) else given
    if not isinstance(listed, (list, tuple)) or not listed:
        raise InvalidArgument("inputs", given, "an architecture as a dictionary label -> value, or a list of them")
    return [unwrapped(one, f"inputs[{i}]") for i, one in enumerate(listed)]


def read_architecture(path: str, field: str) -> Architecture:
    """Return the architecture that a file holds.

    Parameters
    ----------
    path
        Of the file, or ``FILE:NAME`` for one of several genotypes.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        The file cannot be read, or holds none or several.
    """
    text, name = _text(path, field)
    if is_source(text):
        return read_genotype(text, name, field)
    return the_only_one(_json(text, name, field), field)


def _text(path: str, field: str) -> tuple[str, str | None]:
    """Return what is in the file, and the name behind it."""
    file, name = divided(path)
    try:
        return file.read_text(encoding="utf-8-sig"), name
    except OSError as error:
        raise InvalidArgument(field, path, f"a file that can be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidArgument(field, path, f"a file of text: {error}") from error


def _json(text: str, name: str | None, field: str) -> Any:
    if name is not None:
        raise InvalidArgument(field, name, "no name: there are no genotypes in this file, which alone have names")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(field, text, f"JSON, or Python that assigns genotypes: {error}") from error


def divided(path: str) -> tuple[Path, str | None]:
    """Return the file and the name of ``FILE:NAME``; the name is None where the whole names a file, or has none."""
    file, _, name = path.rpartition(":")
    # unlike pathlib's, it is False of what cannot be looked at
    return (Path(file), name) if file and name.isidentifier() and not os.path.exists(path) else (Path(path), None)


def the_only_one(given: Any, field: str) -> Mapping[str, Any]:
    """Return the architecture that something read from a file holds, also as a list of one, as NNI exports it.

    Raises
    ------
    InvalidArgument
        It holds none, or several.
    """
    if isinstance(given, list):
        if len(given) != 1:
            raise InvalidArgument(field, f"{len(given)} architectures", "one: it is the one that is transformed")
        (given,) = given
    return unwrapped(given, field)


def unwrapped(one: Any, field: str) -> Mapping[str, Any]:
    """Return the architecture that something read from a file holds.

    Raises
    ------
    InvalidArgument
        It holds none.
    """
    while isinstance(one, Mapping):
        inner = next((one[key] for key in _WRAPPERS if isinstance(one.get(key), Mapping)), None)
        if inner is None:
            return without_shown(one)  # type: ignore[no-any-return]
        one = inner
    raise InvalidArgument(field, one, "an architecture as a dictionary label -> value")

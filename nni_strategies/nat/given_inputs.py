"""Architectures to transform, as users have them: written down, in a file, or as NNI exports them.

A file is JSON: one architecture, a list of them, or what ``nnictl experiment export`` writes, whose entries hold the
architecture under ``parameter``. A trial of ``nni.nas`` holds it under ``sample``, a report's ``best.json`` under
``configuration``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.moves_of_space import SpaceMoves
from nni_strategies.nni_database import without_shown
from nni_strategies.topology.cells import EDGE_LABEL, NODE_LABEL

_WRAPPERS = ("parameter", "parameters", "sample", "configuration")


def read_inputs(given: Any) -> list[Mapping[str, Any]]:
    """Return architectures as they were given, each as label -> value.

    Parameters
    ----------
    given
        One, a list of them, or the path of a JSON file.

    Raises
    ------
    InvalidArgument
        There is none, or the file cannot be read.
    """
    if isinstance(given, (str, Path)):
        given = _read_file(Path(given))
    listed = [given] if isinstance(given, Mapping) else given
    if not isinstance(listed, (list, tuple)) or not listed:
        raise InvalidArgument("inputs", given, "an architecture as a dictionary label -> value, or a list of them")
    return [unwrapped(one, f"inputs[{i}]") for i, one in enumerate(listed)]


def checked_inputs(given: Any, moves: SpaceMoves) -> Architectures:
    """Return architectures of a space.

    Parameters
    ----------
    given
        See :func:`read_inputs`.
    moves
        Of the space.

    Raises
    ------
    InvalidArgument
        A label or a value that the space does not have, a cell with another number of nodes, or a dead cell. It says
        which input it is, and the nearest name.
    """
    view = moves.transitions.view
    configurations = []
    for i, one in enumerate(read_inputs(given)):
        flat = moves.space.flatten(one) if moves.samples is None else one
        try:
            _check_nodes(flat, view)
            configuration = moves.space.normal_form(moves.configuration(moves.read(flat)))
            moves.transitions.refuse_dead(view.encode([configuration]))
        except InvalidArgument as error:
            nearest = [error.nearest] if error.nearest else []
            raise InvalidArgument(f"inputs[{i}], {error.field}", error.value, error.allowed, nearest) from error
        configurations.append(configuration)
    return view.encode(configurations)


def _read_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise InvalidArgument("inputs", str(path), f"a file that can be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidArgument("inputs", str(path), f"a file of JSON: {error}") from error


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


def _check_nodes(flat: Mapping[str, Any], view: EdgeView) -> None:
    """Refuse a cell that has another number of nodes."""
    wanted = _nodes(edge.label for edge in view.edges)
    for cell, nodes in _nodes(label for label in flat if "input_" not in label).items():
        if cell in wanted and max(nodes) != max(wanted[cell]):
            allowed = f"{min(wanted[cell])} to {max(wanted[cell])}: the cells of the space have {len(wanted[cell])}"
            raise InvalidArgument(f"nodes of {cell or 'the cell'}", f"{min(nodes)} to {max(nodes)}", allowed)


def _nodes(labels: Iterable[str]) -> dict[str, set[int]]:
    """Return which nodes the edges of each cell enter, as far as labels tell."""
    found: dict[str, set[int]] = defaultdict(set)
    for label in labels:
        if match := NODE_LABEL.fullmatch(label):
            found[match["cell"] or ""].add(int(match["i"]))
        elif match := EDGE_LABEL.fullmatch(label):
            found[match["cell"] or ""].add(int(match["j"]))
    return found

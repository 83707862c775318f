"""Architectures to transform, checked: labels and values of the space, as many nodes as its cells, none dead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.genotypes import DartsGenotype, sample_of
from nni_strategies.nat.input_files import read_inputs
from nni_strategies.nat.moves_of_space import SpaceMoves
from nni_strategies.topology.cells import EDGE_LABEL, NODE_LABEL


def checked_inputs(given: Any, moves: SpaceMoves) -> Architectures:
    """Return architectures of a space.

    Parameters
    ----------
    given
        See :func:`.input_files.read_inputs`.
    moves
        Of the space.

    Raises
    ------
    InvalidArgument
        A label or a value that the space does not have, a cell with another number of nodes, a dead cell, or a genotype
        whose output is of other nodes. It says which input it is, and the nearest name.
    """
    view = moves.transitions.view
    configurations = []
    for i, one in enumerate(read_inputs(given)):
        flat = moves.space.flatten(sample_of(one)) if moves.samples is None else one
        try:
            _check_nodes(sample_of(flat), view)
            configuration = moves.space.normal_form(moves.configuration(moves.read(flat)))
            moves.transitions.refuse_dead(view.encode([configuration]))
        except InvalidArgument as error:
            nearest = [error.nearest] if error.nearest else []
            which, allowed = f"inputs[{i}]", error.allowed
            if isinstance(one, DartsGenotype) and one.name:
                which, allowed = f"inputs[{i}] ({one.name})", f"{allowed}; FILE:NAME reads one genotype alone"
            raise InvalidArgument(f"{which}, {error.field}", error.value, allowed, nearest) from error
        configurations.append(configuration)
    return view.encode(configurations)


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

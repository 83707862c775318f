"""Whether a space's cells put their nodes together as a genotype has it."""

from __future__ import annotations

from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.nn.pytorch import Cell

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import DartsGenotype


def check_merge(space: Any, genotype: DartsGenotype) -> None:
    """Refuse a genotype whose output is made up of other nodes than that of the space's cells.

    Parameters
    ----------
    space
        A model space.
    genotype
        Of cells like its own.

    Raises
    ------
    InvalidArgument
        They are other nodes.
    """
    for cell in space.modules():
        if isinstance(cell, Cell) and cell.merge_op not in genotype.merges:
            allowed = f"a genotype of a space whose cells have merge_op {cell.merge_op!r}"
            raise InvalidArgument("architecture, concat", dict(genotype.concat), allowed)

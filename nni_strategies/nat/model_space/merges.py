"""Whether a space's cells put their nodes together as a genotype has it."""

from __future__ import annotations

from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.nn.pytorch import Cell
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import DartsGenotype


def check_merge(space: Any, genotype: DartsGenotype, field: str) -> None:
    """Refuse a genotype whose output is made up of other nodes than that of the space's cells.

    Parameters
    ----------
    space
        A model space; of a search space nothing is known.
    genotype
        Read from a file.
    field
        What the error calls it.

    Raises
    ------
    InvalidArgument
        They are other nodes.
    """
    if not isinstance(space, nn.Module):
        return
    for cell in space.modules():
        if isinstance(cell, Cell) and cell.merge_op not in genotype.merges:
            allowed = f"a genotype of a space whose cells have merge_op {cell.merge_op!r}"
            raise InvalidArgument(f"{field}, concat", dict(genotype.concat), allowed)

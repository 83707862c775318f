"""What extraction gives: the blocks of an architecture, and its whole graph where that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nni_strategies.topology.graph import TopologyGraph


@dataclass(frozen=True)
class Block:
    """A building block of an architecture.

    Parameters
    ----------
    name
        The cell's name in the configuration, or the path of the first module that is such a block.
    graph
        Its canonical graph in standard operations.
    count
        How often the architecture has it.
    """

    name: str
    graph: TopologyGraph
    count: int


@dataclass(frozen=True)
class Topology:
    """What an architecture looks like.

    Parameters
    ----------
    graph
        The whole network, canonical and in standard operations; None where only the blocks are known, as from a
        configuration.
    blocks
        Its distinct blocks.
    """

    graph: TopologyGraph | None
    blocks: tuple[Block, ...]


def grouped(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return the distinct ones among `blocks`, each with the count of all that equal it, named after the first."""
    distinct: list[Block] = []
    for block in blocks:
        # equality first compares labels, which is cheaper than the hash of a graph
        place = next((i for i, known in enumerate(distinct) if known.graph == block.graph), None)
        if place is None:
            distinct.append(block)
        else:
            distinct[place] = replace(distinct[place], count=distinct[place].count + block.count)
    return tuple(distinct)

"""A topology graph as JSON types, for journals and files of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni_strategies.topology.graph import TopologyGraph


def graph_to_json(graph: TopologyGraph) -> dict[str, Any]:
    """Return a graph as JSON types, see :func:`graph_from_json`."""
    return {"labels": list(graph.labels), "predecessors": [list(read) for read in graph.predecessors]}


def graph_from_json(document: Mapping[str, Any]) -> TopologyGraph:
    """Read what :func:`graph_to_json` wrote; raises whatever a damaged document gives rise to."""
    predecessors = tuple(tuple(int(p) for p in read) for read in document["predecessors"])
    return TopologyGraph(tuple(str(label) for label in document["labels"]), predecessors)

"""The constraint of NAS-Bench-101 cells: at most nine edges, and a path from the input to the output.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", 2019, section 2. NNI's own check
(``NasBench101CellConstraint``) writes into the sample it looks at and builds matrices one sample at a time;
this one is vectorised, and the tests hold it against NNI's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace


@dataclass(frozen=True)
class CellConstraint:
    """What makes a cell of up to ``len(inputs) + 1`` nodes a NAS-Bench-101 cell.

    Parameters
    ----------
    num_nodes
        Label of the number of nodes, input and output included.
    inputs
        Label of the inputs of node 1, 2, …: a subset of the nodes before it.
    max_num_edges
        Most edges among the nodes in use.
    """

    num_nodes: str
    inputs: tuple[str, ...]
    max_num_edges: int

    def violation(self, configuration: Configuration) -> str | None:
        """Say what is wrong with `configuration`, or None when it is a cell."""
        n_nodes = configuration[self.num_nodes]
        inputs = [configuration[label] for label in self.inputs[: n_nodes - 1]]
        n_edges = sum(map(len, inputs))
        if n_edges > self.max_num_edges:
            return f"at most {self.max_num_edges} edges, not {n_edges}"
        reached = {0}
        for node, sources in enumerate(inputs, start=1):
            if reached.intersection(sources):
                reached.add(node)
        return None if n_nodes - 1 in reached else "a path from the input to the output"

    def valid_codes(self, space: SearchSpace, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row of codes ``[n, n_codes]`` is a cell, ``[n]``."""
        # The code of a categorical is an index; its values say how many nodes that is.
        counts = np.array(list(space[self.num_nodes].values()))
        n_nodes = counts[codes[:, space.columns[self.num_nodes].start].astype(int)]
        reached = np.zeros((len(codes), len(self.inputs) + 1), dtype=bool)
        reached[:, 0] = True
        n_edges = np.zeros(len(codes), dtype=int)
        for node, label in enumerate(self.inputs, start=1):
            edges = (codes[:, space.columns[label]] > 0.5) & (node < n_nodes)[:, None]
            n_edges += edges.sum(axis=1)
            reached[:, node] = (edges & reached[:, :node]).any(axis=1)
        connected: npt.NDArray[np.bool_] = reached[np.arange(len(codes)), n_nodes - 1]
        return connected & (n_edges <= self.max_num_edges)

    def describe(self) -> Any:
        """Return what defines the constraint, as JSON types."""
        return {
            "constraint": "nasbench101 cell",
            "num_nodes": self.num_nodes,
            "inputs": list(self.inputs),
            "max_num_edges": self.max_num_edges,
        }

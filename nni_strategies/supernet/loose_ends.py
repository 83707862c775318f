"""A path-sampling cell that outputs its loose ends only: the nodes that no other node reads.

NNI's supernet cell outputs all nodes whatever the cell says, so an architecture is scored with connections that it
does not have. Here the channels of nodes that are read are zero. Where a convolution or a linear layer reads them, with
or without a ReLU before it, this is the network of the loose ends with slices of the shared weights.

Pham et al.: Efficient Neural Architecture Search via Parameter Sharing, 1802.03268, which names the rule.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nni_strategies.compat import load_torchvision

load_torchvision()  # nni.nas imports it

import nni.nas.strategy  # noqa: E402, F401  # before nni.nas.oneshot: by itself that leaves NNI's own DARTS() unusable
from nni.nas.nn.pytorch import Cell  # noqa: E402
from nni.nas.nn.pytorch.cell import preprocess_cell_inputs  # noqa: E402
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingCell  # noqa: E402


class LooseEndCell(PathSamplingCell):  # type: ignore[misc]  # NNI has no types
    """NNI's cell, but for the nodes that are read by others: their part of the output is zero."""

    def forward(self, *inputs: Any) -> Any:
        """Return the postprocessed concatenation of all nodes, those that are read being zero."""
        processed = preprocess_cell_inputs(self.num_predecessors, *inputs)
        states: list[Tensor] = list(self.preprocessor(processed))
        read: set[int] = set()
        for node, candidates in enumerate(self.ops, start=self.num_predecessors):
            chosen = [self._sampled[f"{self.label}/input_{node}_{k}"][0] for k in range(self.num_ops_per_node)]
            operations = [self._sampled[f"{self.label}/op_{node}_{k}"] for k in range(self.num_ops_per_node)]
            terms = [candidates[i][name](states[i]) for i, name in zip(chosen, operations, strict=True)]
            states.append(torch.stack(terms).sum(0))
            read.update(chosen)
        nodes = [states[i] if i not in read else torch.zeros_like(states[i]) for i in self.output_node_indices]
        return self.postprocessor(torch.cat(nodes, self.concat_dim), processed)

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """Replace cells whose output is their loose ends; NNI's own hooks do the others."""
        if type(module) is Cell and module.merge_op == "loose_end":
            return super().mutate(module, name, memo, mutate_kwargs)
        return None

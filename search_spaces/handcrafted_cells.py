"""Published cells, and what NAT made of them, as samples of NNI's cell spaces widened by ``none``.

A cell is written as its nodes 2, 3, …, each the sum of two operations on earlier nodes: ``sep3(0)+skip(1)``. Nodes 0
and 1 are the outputs of the last cell but one and of the last cell; plain layers, which read one node, are padded with
``null(0)``. NNI's labels are ``normal/op_2_0``, ``normal/input_2_0`` and so on.

The genotypes are the published ones: DARTS [1]_, ENAS [2]_, NAONet [3]_, the blocks of VGG, ResNet and MobileNetV2 as
NAT writes them, and five random cells; ``NAT_…`` is what NAT [4]_ published for each. Not here, since their lists were
not at hand: the transformations of NAONet and MobileNetV2, and all results of NAT++.

.. [1] Liu, Simonyan, Yang: DARTS: Differentiable Architecture Search, ICLR 2019.
.. [2] Pham et al.: Efficient Neural Architecture Search via Parameter Sharing, ICML 2018.
.. [3] Luo, Tian, Qin, Chen, Liu: Neural Architecture Optimization, NeurIPS 2018.
.. [4] Guo et al.: NAT: Neural Architecture Transformer for Accurate and Compact Architectures, NeurIPS 2019.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

NAMES = {
    "null": "none",
    "skip": "skip_connect",
    "max3": "max_pool_3x3",
    "avg3": "avg_pool_3x3",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
    "max5": "max_pool_5x5",
    "avg5": "avg_pool_5x5",
    "conv1": "conv_1x1",
    "conv3": "conv_3x3",
    "conv13": "conv_3x1_1x3",
    "conv17": "conv_7x1_1x7",
}
_EDGE = re.compile(r"(?P<operation>\w+)\((?P<source>\d)\)")

Merge = Literal["all", "loose_end"]


@dataclass(frozen=True)
class Genotype:
    """A normal and a reduction cell.

    Parameters
    ----------
    normal, reduce
        Their nodes in the notation above, separated by spaces.
    merge
        Whether all nodes make up the output or those that no edge leaves; NNI's ``merge_op``.
    """

    normal: str
    reduce: str
    merge: Merge = "all"

    @cached_property
    def sample(self) -> dict[str, Any]:
        """The sample of NNI's space."""
        sample: dict[str, Any] = {}
        for cell, nodes in (("normal", self.normal), ("reduce", self.reduce)):
            for number, node in enumerate(nodes.split(), start=2):
                for slot, edge in enumerate(_EDGE.finditer(node)):
                    sample[f"{cell}/op_{number}_{slot}"] = NAMES[edge["operation"]]
                    sample[f"{cell}/input_{number}_{slot}"] = [int(edge["source"])]
        return sample

    @property
    def n_nodes(self) -> int:
        """Nodes of a cell, inputs not counted; NNI's ``num_nodes_per_cell``."""
        return len(self.normal.split())

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations of both cells by NNI's names, each once, sorted."""
        return tuple(sorted({value for label, value in self.sample.items() if "/op_" in label}))


def _both(nodes: str, reduce: str | None = None) -> Genotype:
    return Genotype(nodes, nodes if reduce is None else reduce, "loose_end")


CELLS: dict[str, Genotype] = {
    "DARTS": Genotype(
        "sep3(0)+sep3(1) sep3(0)+sep3(1) sep3(1)+skip(0) skip(0)+dil3(2)",
        "max3(0)+max3(1) skip(2)+max3(1) max3(0)+skip(2) skip(2)+max3(1)",
    ),
    "NAT_DARTS": Genotype(
        "sep3(0)+sep3(1) skip(0)+sep3(1) skip(1)+skip(0) skip(0)+dil3(2)",
        "max3(0)+skip(1) skip(2)+skip(1) max3(0)+null(2) skip(2)+max3(1)",
    ),
    "ENAS": Genotype(
        "sep3(1)+skip(1) skip(0)+sep5(1) avg3(0)+sep3(1) sep3(0)+avg3(1) avg3(0)+sep5(1)",
        "sep5(0)+avg3(1) sep3(1)+avg3(1) avg3(1)+sep3(1) avg3(1)+sep5(4) sep5(0)+sep3(5)",
        "loose_end",
    ),
    "NAT_ENAS": Genotype(
        "sep3(1)+skip(1) skip(0)+sep5(1) null(0)+sep3(1) sep3(0)+avg3(1) avg3(0)+sep5(1)",
        "sep5(0)+avg3(1) sep3(1)+avg3(1) avg3(1)+sep3(1) null(1)+sep5(4) sep5(0)+sep3(5)",
        "loose_end",
    ),
    # its two pools of 2x2 are written as 3x3: NNI's of 2x2 make images smaller where they should not
    "NAONet": Genotype(
        "conv3(0)+avg5(1) conv13(2)+conv3(1) conv1(0)+conv3(1) conv13(0)+conv3(4) skip(1)+conv3(0)",
        "conv3(0)+avg3(1) conv1(0)+avg3(0) conv17(0)+max3(1) avg3(0)+conv1(2) max3(1)+conv3(0)",
        "loose_end",
    ),
    "ResBlock": _both("null(0)+skip(1) null(0)+conv3(2) null(0)+conv3(3) skip(2)+skip(4)"),
    "NAT_ResBlock": _both("null(0)+skip(1) skip(0)+conv3(2) skip(0)+conv3(3) skip(2)+skip(4)"),
    "VGG": _both(
        "null(0)+skip(1) null(0)+conv3(2) null(0)+conv3(3) null(0)+skip(4)",
        "null(0)+skip(1) null(0)+conv3(2) null(0)+conv3(3) null(0)+max3(4)",
    ),
    "NAT_VGG": _both("skip(0)+skip(1) null(0)+conv3(2) null(0)+conv3(3) skip(0)+skip(4)"),
    # its depthwise convolution is written as a separable one
    "MobileNetV2": _both(
        "null(0)+conv1(1) null(0)+sep3(2) null(0)+conv1(3) skip(1)+skip(4)",
        "null(0)+conv1(1) null(0)+sep3(2) null(0)+conv1(3) null(0)+skip(4)",
    ),
    "R1": Genotype(
        "dil5(1)+dil5(1) dil5(1)+dil5(2) sep3(0)+sep3(3) skip(1)+max3(0)",
        "sep5(0)+max3(0) skip(0)+sep3(0) conv3(0)+max3(2) avg3(2)+conv3(3)",
    ),
    "NAT_R1": Genotype(
        "skip(1)+dil5(1) null(1)+dil5(2) sep3(0)+sep3(3) skip(1)+max3(0)",
        "sep5(0)+max3(0) skip(0)+sep3(0) skip(0)+skip(2) skip(2)+conv3(3)",
    ),
    "R2": Genotype(
        "max3(1)+dil3(0) sep5(2)+avg3(2) dil5(0)+skip(3) sep3(1)+max3(3)",
        "conv3(1)+avg3(1) max3(0)+dil5(0) max3(0)+skip(0) dil5(4)+skip(4)",
    ),
    "NAT_R2": Genotype(
        "max3(1)+dil3(0) null(2)+null(2) dil5(0)+null(3) sep3(1)+max3(3)",
        "skip(1)+avg3(1) skip(0)+dil5(0) null(0)+skip(0) dil5(4)+skip(4)",
    ),
    "R3": Genotype(
        "conv3(0)+skip(0) conv3(0)+max3(0) sep5(1)+sep3(3) avg3(4)+avg3(4)",
        "skip(0)+max3(0) sep5(2)+avg3(0) skip(3)+max3(2) max3(1)+sep5(4)",
    ),
    "NAT_R3": Genotype(
        "conv3(0)+skip(0) null(0)+max3(0) null(1)+null(3) avg3(4)+null(4)",
        "skip(0)+max3(0) sep5(2)+avg3(0) null(3)+skip(2) max3(1)+sep5(4)",
    ),
    "R4": Genotype(
        "conv3(1)+sep3(1) conv3(2)+conv3(2) sep3(3)+conv3(0) max3(0)+max3(4)",
        "sep3(0)+sep5(1) skip(2)+sep3(2) sep5(2)+conv3(1) dil5(2)+max3(4)",
    ),
    "NAT_R4": Genotype(
        "conv3(1)+sep3(1) skip(2)+null(2) sep3(3)+conv3(0) max3(0)+null(4)",
        "sep3(0)+sep5(1) skip(2)+sep3(2) skip(2)+conv3(1) null(2)+skip(4)",
    ),
    "R5": Genotype(
        "skip(0)+max3(0) max3(2)+dil5(0) max3(2)+conv3(2) conv3(0)+sep5(2)",
        "dil5(0)+avg3(1) sep5(0)+avg3(2) conv3(0)+dil5(0) sep3(0)+skip(4)",
    ),
    "NAT_R5": Genotype(
        "skip(0)+max3(0) null(2)+dil5(0) null(2)+conv3(2) conv3(0)+sep5(2)",
        "dil5(0)+avg3(1) sep5(0)+avg3(2) conv3(0)+null(0) skip(0)+skip(4)",
    ),
}

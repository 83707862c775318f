"""Expert networks' blocks in the network structure code.

The code has neither grouped nor separable convolutions: the expert's are plain ones of the same kernel.
"""

from __future__ import annotations

from nni_strategies.topology.nsc import IRLAS_MOBILE, Block, parse_block

NSC_EXPERTS: dict[str, Block] = {
    # 1x1, grouped 3x3, 1x1, added to the input (Xie et al., CVPR 2017)
    "resnext": parse_block([(1, "conv", 1, 0), (2, "conv", 3, 1), (3, "conv", 1, 2), (4, "add", 0, 3, 0), (5, 7)]),
    "irlas_mobile": IRLAS_MOBILE,
    # two layers of a dense block: 1x1 and 3x3, concatenated with all before (Huang et al., CVPR 2017)
    "densenet": parse_block(
        [
            (1, "conv", 1, 0),
            (2, "conv", 3, 1),
            (3, "concat", 0, 2, 0),
            (4, "conv", 1, 3),
            (5, "conv", 3, 4),
            (6, "concat", 0, 5, 3),
            (7, "terminal"),
        ]
    ),
}

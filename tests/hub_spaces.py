"""The spaces of NNI's hub, with the arguments that make them small."""

from typing import Any

CELLS: dict[str, Any] = {"width": 4, "num_cells": 3, "dataset": "cifar"}
HUB: dict[str, dict[str, Any]] = {
    "NasBench101": {"stem_out_channels": 8, "num_stacks": 1, "num_modules_per_stack": 1},
    "NasBench201": {"stem_out_channels": 4, "num_modules_per_stack": 1},
    "DARTS": CELLS,
    "NASNet": CELLS,
    "PNAS": CELLS,
    "ENAS": CELLS,
    "AmoebaNet": CELLS,
    "MobileNetV3Space": {},
    "ProxylessNAS": {},
    "ShuffleNetSpace": {},
    "AutoFormer": {},
}

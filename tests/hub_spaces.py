"""The spaces of NNI's hub, with the arguments that make them small."""

import functools
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni.nas.hub import pytorch as hub  # here, since no test's time is to go into it

from nni_strategies.space.from_nni import ModelSpaceView

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


@functools.cache
def build(name: str) -> tuple[Any, ModelSpaceView]:
    """A space and its view, built once a process: to build them all takes four seconds."""
    model_space = getattr(hub, name)(**HUB[name])
    return model_space, ModelSpaceView(model_space)

"""A teacher network, by the name of what makes it and a file of weights in which nothing is executed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from nni_strategies.errors import InvalidArgument


def load_network(factory: str) -> nn.Module:
    """Return what ``module:factory`` makes, without arguments.

    Raises
    ------
    InvalidArgument
        There is no such module or factory, or it makes something else.
    """
    module, _, name = factory.partition(":")
    if not module or not name:
        raise InvalidArgument("model", factory, "module:factory, such as torchvision.models:resnet18")
    try:
        if module.partition(".")[0] == "torchvision":
            from nni_strategies.compat import load_torchvision

            load_torchvision()
        namespace = importlib.import_module(module)
    except ImportError as error:
        raise InvalidArgument("model", factory, f"a module that can be imported ({error})") from None
    if not hasattr(namespace, name):
        raise InvalidArgument("model", name, f"a name in {module}", dir(namespace))
    made = getattr(namespace, name)()
    if not isinstance(made, nn.Module):
        raise InvalidArgument("model", factory, f"a factory of torch modules, not of {type(made).__name__}")
    return made


def load_weights(model: nn.Module, path: Path | str) -> None:
    """Load a state dictionary, that of a ``DataParallel`` wrapper too, without executing anything in the file.

    Raises
    ------
    InvalidArgument
        The file cannot be read so, or is of another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # OSError, and whatever torch makes of a file that is none
        allowed = f"a file that torch loads with weights_only=True ({error})"
        raise InvalidArgument("weights", str(path), allowed) from None
    if isinstance(state, Mapping) and "state_dict" in state:
        state = state["state_dict"]
    if not isinstance(state, Mapping):
        raise InvalidArgument("weights", str(path), "a state dictionary")
    state = {str(key).removeprefix("module."): value for key, value in state.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise InvalidArgument("weights", str(path), f"the weights of this network ({error})") from None

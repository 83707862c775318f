"""Checkpoints of one training: written whole, and taken up again by the same training only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from nni_strategies.errors import InvalidArgument


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save(state, part)
    os.replace(part, path)


def resume(
    path: Path | None, parts: dict[str, Any], sample: dict[str, Any], recipe: dict[str, Any], device: str
) -> tuple[int, float, float]:
    """Load a checkpoint of the same training when there is one.

    Parameters
    ----------
    path
        The checkpoint; None or a path where nothing is yet for a start from the beginning.
    parts
        What is loaded, by the names it was saved under.
    sample
        The architecture.
    recipe
        What shapes the model and its schedule, plain values by the options' names.
    device
        Where this training runs; the checkpoint may come from another kind of device.

    Returns
    -------
    tuple[int, float, float]
        Epochs done, best accuracy so far, seconds of training so far.

    Raises
    ------
    InvalidArgument
        The file is no checkpoint, or one of another architecture or other options.
    """
    if path is None or not path.exists():
        return 0, 0.0, 0.0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises its own, pickle's, zipfile's and the system's, by where a file breaks off
        what = f"a whole checkpoint of this script ({type(error).__name__}); name another file, or remove this one"
        raise InvalidArgument("--checkpoint", str(path), what) from None
    needed = {"sample", "recipe", "epoch", "best", "spent", "rng", "cuda_rng"}
    if not isinstance(state, dict) or not needed <= {*state} or not isinstance(state["recipe"], dict):
        raise InvalidArgument("--checkpoint", str(path), "a checkpoint of this script; name another file")
    if state["sample"] != sample:
        raise InvalidArgument("--checkpoint", str(path), "a checkpoint of this architecture; it holds another one")
    for option, value in recipe.items():
        before = state["recipe"].get(option)
        if before != value:
            what = f"the same as before, or another --checkpoint; {path} was made with {json.dumps(before)}"
            raise InvalidArgument(option, value, what)
    try:
        for name, part in parts.items():
            # A scaler that was off has nothing to say to one that is on: --amp and the device may change.
            if name != "scaler" or state[name]:
                part.load_state_dict(state[name])
        torch.set_rng_state(state["rng"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"a checkpoint of this network ({type(error).__name__}: {error}); name another file"
        raise InvalidArgument("--checkpoint", str(path), what) from None
    if state["cuda_rng"] is not None and device.startswith("cuda"):
        torch.cuda.set_rng_state(state["cuda_rng"], device)
    print(json.dumps({"resumed": str(path), "epoch": state["epoch"]}), flush=True)
    return int(state["epoch"]), float(state["best"]), float(state["spent"])

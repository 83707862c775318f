"""The top level of a config: unknown, missing and mistyped fields."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nni_strategies.bridge.config_file import plain_name
from nni_strategies.bridge.validation.checked_config import CheckedConfig, camel_name


def check_fields(config: CheckedConfig) -> None:
    """Find unknown, missing and mistyped fields of the top level."""
    from nni.experiment.config import ExperimentConfig

    known = [camel_name(name) for name in ExperimentConfig.__dataclass_fields__]
    if str(config.get("experimentType", "hpo")) != "hpo":
        allowed = "hpo; a NAS experiment is a Python program: nni_strategies.bridge.experiment.NasExperiment"
        config.problem("experimentType", config.get("experimentType"), allowed)
        return
    for name in config.raw:
        if plain_name(name) not in {plain_name(one) for one in known}:
            config.problem("config", name, "a field of NNI's experiment config", known)
    for name in ("trialCommand", "trialConcurrency", "trainingService"):
        if config.get(name) is None:
            config.problem(name, None, "given: it has no default")
    for name in ("trialConcurrency", "maxTrialNumber"):
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            config.problem(name, value, "a positive integer")
    gpus = config.get("trialGpuNumber", 0)
    if isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0:
        config.problem("trialGpuNumber", gpus, "a non-negative integer")
    folder = config.get("experimentWorkingDirectory")
    path = None if folder is None else config.path("experimentWorkingDirectory", folder)
    if path is not None and not _can_be_made(path):
        config.problem("experimentWorkingDirectory", folder, "a folder that can be made and written to")
    for name in ("maxTrialDuration", "maxExperimentDuration"):
        value = config.get(name)
        if value is not None and not re.fullmatch(r"[1-9]\d*\s?[smhd]?", str(value)):
            config.problem(name, value, "a time such as 90s, 10m, 2h or 1d")
    if config.get("maxTrialNumber") is None and config.get("maxExperimentDuration") is None:
        config.advise(
            "neither maxTrialNumber nor maxExperimentDuration is set: an experiment on an infinite space never ends"
        )


def _can_be_made(folder: Path) -> bool:
    """Whether a folder is there or can be made, and can be written to; nothing is made."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK | os.X_OK)

"""The machines of a config: what cannot work on them, and what is likely to go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from nni_strategies.bridge.config_file import plain_fields, plain_name
from nni_strategies.bridge.validation.checked_config import CheckedConfig, camel_name
from nni_strategies.errors import InvalidArgument


def check_training_service(config: CheckedConfig) -> None:
    """Find what is wrong with the machines, and what is likely to go wrong with them."""
    service = config.get("trainingService")
    if not isinstance(service, Mapping):
        return
    options = plain_fields(service)
    platform, reuse = config.platform, options.get("reusemode")
    concurrency = config.get("trialConcurrency", 1)
    config.found.attempt(lambda: _check_platform(platform))
    _check_fields_of_service(config, platform, service)
    if platform == "local" and reuse:
        config.problem("trainingService.reuseMode", reuse, "false for platform: local, where NNI 3.0 fails with it")
    gpus = config.get("trialGpuNumber")
    if platform == "local" and gpus and shutil.which("nvidia-smi") is None:
        config.advise(
            f"trialGpuNumber = {gpus}, but no GPU driver is found on this machine (nvidia-smi): NNI then ends the "
            "experiment within seconds of its start; 0 runs trials on the CPU"
        )
    mixes = platform == "local" or (platform == "remote" and not reuse)
    if mixes and isinstance(concurrency, int) and concurrency > 1:
        config.advise(
            f"trialConcurrency = {concurrency}: NNI 3.0 records concurrent trials with each other's parameters; "
            "start with `nni_strategies launch`, which mends it, not with `nnictl create`"
        )
    if platform != "remote":
        return
    if config.get("maxTrialDuration") is None:
        config.advise("maxTrialDuration is not set: a dead machine keeps it running for ever")
    if not reuse:
        config.advise(
            "trainingService.reuseMode is not true: NNI then upgrades itself with pip on each machine, each time"
        )
    for number, machine in enumerate(options.get("machinelist") or ()):
        if isinstance(machine, Mapping):
            _check_machine(config, f"machineList[{number}]", plain_fields(machine))


def _check_fields_of_service(config: CheckedConfig, platform: str, service: Mapping[str, Any]) -> None:
    from nni.experiment.config.utils.internal import _get_ts_config_class

    config_class = _get_ts_config_class(platform)
    known = [camel_name(name) for name in getattr(config_class, "__dataclass_fields__", {})]
    for name in service:
        if known and plain_name(name) not in {plain_name(one) for one in known}:
            config.problem("trainingService", name, f"one of {', '.join(known)}", known)


def _check_machine(config: CheckedConfig, name: str, machine: Mapping[str, Any]) -> None:
    key = machine.get("sshkeyfile")
    if key is not None and not config.path(key).is_file():
        config.problem(f"{name}.sshKeyFile", key, f"a file; there is none at {config.path(key)}")
    if machine.get("password") is not None:
        config.advise(f"{name}.password can be read in the web UI: use sshKeyFile")


def _check_platform(platform: str) -> None:
    from nni.experiment.config import training_services
    from nni.experiment.config.utils.internal import _get_ts_config_class  # knows registered ones too

    if _get_ts_config_class(platform) is None:
        found = {getattr(one, "platform", None) for one in vars(training_services).values() if isinstance(one, type)}
        names = sorted(str(name) for name in found - {None})
        raise InvalidArgument("trainingService.platform", platform, f"one of {', '.join(names)}", names)

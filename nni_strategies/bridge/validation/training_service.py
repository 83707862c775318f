"""The machines of a config: what cannot work on them, and what is likely to go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from nni_strategies.bridge.config_file import plain_fields, plain_name
from nni_strategies.bridge.register import nni_lists
from nni_strategies.bridge.validation.checked_config import CheckedConfig, camel_name
from nni_strategies.errors import InvalidArgument


def check_training_service(config: CheckedConfig) -> None:
    """Find what is wrong with the machines, and what is likely to go wrong with them."""
    service = config.get("trainingService")
    if not isinstance(service, Mapping):
        _check_shape(config, service)
        return
    options = plain_fields(service)
    platform, reuse = config.platform, options.get("reusemode")
    concurrency = config.get("trialConcurrency", 1)
    config_class = config.found.attempt(lambda: _class_of(platform))
    _check_fields_of_service(config, config_class, service)
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
    machines = options.get("machinelist") or []
    if not isinstance(machines, list):
        config.problem("trainingService.machineList", machines, "a list of machines, each with host and user")
        return
    for number, machine in enumerate(machines):
        if isinstance(machine, Mapping):
            _check_machine(config, f"machineList[{number}]", plain_fields(machine))
        else:
            config.problem(f"machineList[{number}]", machine, "a section with host and user")


def _check_shape(config: CheckedConfig, service: Any) -> None:
    """Find training services that are no sections; a list of sections is a hybrid experiment."""
    several = isinstance(service, list)
    for number, one in enumerate(service if several else [service]):
        if one is not None and not isinstance(one, Mapping):
            field = f"trainingService[{number}]" if several else "trainingService"
            section = f"{{platform: {one if isinstance(one, str) and one else 'local'}}}"
            example = f"[{section}]" if several else section
            config.problem(field, one, f"a section with platform, such as `trainingService: {example}`")


def _check_fields_of_service(config: CheckedConfig, config_class: Any, service: Mapping[str, Any]) -> None:
    known = [camel_name(name) for name in getattr(config_class, "__dataclass_fields__", {})]
    for name in service:
        if known and plain_name(name) not in {plain_name(one) for one in known}:
            config.problem("trainingService", name, f"one of {', '.join(known)}", known)


def _check_machine(config: CheckedConfig, name: str, machine: Mapping[str, Any]) -> None:
    key = machine.get("sshkeyfile")
    path = None if key is None else config.path(f"{name}.sshKeyFile", key)
    if path is not None and not path.is_file():
        config.problem(f"{name}.sshKeyFile", key, f"a file; there is none at {path}")
    if machine.get("password") is not None:
        config.advise(f"{name}.password can be read in the web UI: use sshKeyFile")


def _class_of(platform: str) -> Any:
    """Return NNI's config class of a platform; raises InvalidArgument for an unknown one."""
    from nni.experiment.config import training_services
    from nni.experiment.config.utils.internal import _get_ts_config_class  # knows registered ones too

    with nni_lists():
        config_class = _get_ts_config_class(platform)
    if config_class is None:
        found = {getattr(one, "platform", None) for one in vars(training_services).values() if isinstance(one, type)}
        names = sorted(str(name) for name in found - {None})
        raise InvalidArgument("trainingService.platform", platform, f"one of {', '.join(names)}", names)
    return config_class

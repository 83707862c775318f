"""Every check of the doctor, in the order in which their findings are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nni_strategies.bridge.doctor import machine, managers, packages
from nni_strategies.bridge.doctor.finding import Finding
from nni_strategies.nni_manifest import experiments_folder

Check = Callable[[], Finding | Iterable[Finding]]


def examine() -> Iterator[Finding]:
    """Run every check; the findings come one by one, the quick ones first."""
    experiments = experiments_folder()
    yield from run_checks(
        {
            "Python": packages.check_python,
            "packages": packages.check_packages,
            "NNI's Node.js": machine.check_node,
            "experiments": lambda: machine.check_writable("experiments", experiments, "set HOME to a folder of yours"),
            "NNI's settings": _check_settings,
            "disk": lambda: machine.check_disk(experiments),
            "localhost": machine.check_localhost,
            "data": machine.check_data,
            "managers": managers.check_managers,
            "algorithms": managers.check_registered,
            "torchvision": packages.check_torchvision,
            "GPU": machine.check_gpu,
        }
    )


def run_checks(checks: dict[str, Check]) -> Iterator[Finding]:
    """Run `checks`; one that fails itself is a problem, and the others go on."""
    for name, check in checks.items():
        try:
            found = check()
            yield from [found] if isinstance(found, Finding) else found
        except Exception as error:  # on a broken installation everything can fail
            problem = f"{type(error).__name__}: {error}"
            yield Finding(name, "problem", problem, "mend what is reported above first; else report it to us")


def _check_settings() -> Finding:
    from nni_strategies.bridge.register import config_folder

    mend = "set NNI_CONFIG_DIR to a folder that you may write"
    try:
        folder = Path(config_folder())
    except OSError as error:
        given = os.environ.get("NNI_CONFIG_DIR", "the folder of NNI's settings")
        return Finding("NNI's settings", "problem", f"{given} cannot be made: {error.strerror or error}", mend)
    return machine.check_writable("NNI's settings", folder, mend)

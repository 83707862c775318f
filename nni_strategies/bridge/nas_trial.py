"""The entry point of a NAS trial: NNI's own, without what a trial may not need.

NNI insists on ending the trial's command with ``-m nni.nas.execution.training_service trial``, so the command is
``python -m nni_strategies.bridge.nas_trial -m nni.nas.execution.training_service trial``.

``nni.nas.evaluator`` imports pytorch-lightning and by it torchvision, half of a trial's start. Here that happens
when something of it is first used; a trial with a ``FunctionalEvaluator`` never does.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

_SHORTCUTS = ("nni.nas.evaluator", "nni.nas.nn", "nni.nas.oneshot", "nni.nas.hub")


def import_lazily(name: str) -> ModuleType:
    """Import a module of ``nni.nas`` without its framework; that is imported at the first use of one of its names."""
    framework: Any = importlib.import_module("nni.common.framework")
    wanted = framework.get_default_framework()
    framework.set_default_framework("none")
    try:
        module = importlib.import_module(name)
    finally:
        framework.set_default_framework(wanted)
    for shortcut in _SHORTCUTS:
        if shortcut in sys.modules and wanted != "none":
            sys.modules[shortcut].__dict__["__getattr__"] = _first_use(shortcut, wanted)
    return module


def _first_use(shortcut: str, framework: str) -> Callable[[str], Any]:
    def getattr_of_framework(name: str) -> Any:
        if name.startswith("__") or name == framework:  # what the import system looks for
            raise AttributeError(f"module {shortcut!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{shortcut}.{framework}"), name)

    return getattr_of_framework


def main() -> None:
    """Run the trial that NNI asks for."""
    import_lazily(sys.argv[2]).trial_entry()


if __name__ == "__main__":
    main()

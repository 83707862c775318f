"""The entry point of a NAS trial: NNI's own, after what this installation needs was loaded.

NNI insists on ending the trial's command with ``-m nni.nas.execution.training_service trial``, so the command is
``python -m nni_strategies.bridge.nas_trial -m nni.nas.execution.training_service trial``.
"""

from __future__ import annotations

import importlib
import runpy
import sys


def main() -> None:
    """Run the module that ``-m`` names, as Python itself would."""
    importlib.import_module("nni_strategies.bridge.torchvision_first")
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

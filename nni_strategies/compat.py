"""What today's library versions need: torchvision beside a CPU-only torch, and NNI's resume of a NAS experiment.

Both are functions that a caller runs before it needs the library in question; both do nothing where nothing
is wrong, and may be called any number of times. Importing this module imports neither torch nor NNI.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

# A torch.library.Library takes its definitions away when it is collected: this list keeps it alive.
_libraries: list[Any] = []
_loading = threading.RLock()  # an import hook may lead back here


def load_torchvision() -> ModuleType:
    """Import torchvision, also where its compiled operators cannot be loaded.

    The torchvision of the public package index has operators compiled for CUDA. Beside a CPU-only torch they do
    not load, and ``import torchvision`` itself then fails with *operator torchvision::nms does not exist*: it
    registers what those operators do on "meta" tensors although nothing declared them. Here they are declared,
    without an implementation, and the import is tried again. Datasets, transforms, models and feature extraction
    work after that; only the operators themselves (``torchvision.ops.nms`` …) stay unavailable and say so.

    Where the plain import works, this is the plain import. Call it before importing anything that imports
    torchvision (such as ``nni.nas.hub.pytorch``); the plain ``import torchvision`` works from then on.

    Returns
    -------
    The ``torchvision`` module.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    RuntimeError
        If the import fails for another reason than undeclared operators.
    """
    with _loading:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
        _forget("torchvision")
        _declare_operators()
        return importlib.import_module("torchvision")


def _forget(package: str) -> None:
    """Remove the half-imported `package` from ``sys.modules``, so that its next import starts afresh."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]


def _declare_operators() -> None:
    """Declare the schemas that torchvision's import refers to and that no operator library brought."""
    torch: Any = importlib.import_module("torch")
    library = torch.library.Library("torchvision", "FRAGMENT")
    _libraries.append(library)
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def tolerate_resume() -> None:
    """Let ``NasExperiment.resume()`` get past the commands that NNI's manager sends a resumed experiment.

    On a resume the manager sends the finished trials (``ImportData``) and the unfinished ones
    (``AddCustomizedTrialJob``). The NAS half of NNI 3.0 knows neither command: its listening thread dies with
    *Unknown command type* and the experiment waits for ever. From then on these two are passed over. Nothing is
    lost by that: a strategy of ours knows the finished trials from its journal.

    An HPO tuner runs in another process, which receives its commands in another way; it is not touched.
    """
    from nni.runtime.tuner_command_channel import TunerCommandChannel
    from nni.runtime.tuner_command_channel.command_type import CommandType

    if getattr(TunerCommandChannel, "_tolerates_resume", False):
        return
    receive = TunerCommandChannel._receive
    unknown = {CommandType.ImportData, CommandType.AddCustomizedTrialJob}

    def receive_known(self: Any) -> tuple[Any, Any]:
        while True:
            command, data = receive(self)
            if command not in unknown:
                return command, data

    TunerCommandChannel._receive = receive_known
    TunerCommandChannel._tolerates_resume = True

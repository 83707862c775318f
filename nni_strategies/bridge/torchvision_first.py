"""To be imported before ``nni.nas``, which imports torchvision by way of pytorch-lightning.

Where torchvision's own import fails (see :func:`nni_strategies.compat.load_torchvision`), so does NNI's. From here
on ``import torchvision`` means that function. Nothing is imported before somebody asks for it: a trial may not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from nni_strategies.compat import load_torchvision


class TorchvisionLoader(MetaPathFinder, Loader):
    """Makes ``import torchvision`` mean :func:`nni_strategies.compat.load_torchvision`, the first time."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Take over torchvision itself, not its submodules."""
        return ModuleSpec(name, self, is_package=True) if name == "torchvision" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the loaded torchvision."""
        if self in sys.meta_path:  # what follows is to find the real one
            sys.meta_path.remove(self)
        module = load_torchvision()
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own specification back; it was executed when it was loaded."""
        module.__spec__ = self._spec


if "torchvision" not in sys.modules:
    sys.meta_path.insert(0, TorchvisionLoader())

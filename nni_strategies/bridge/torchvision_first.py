"""To be imported before ``nni.nas``, which imports torchvision by way of pytorch-lightning.

Where torchvision's own import fails (see :func:`nni_strategies.compat.load_torchvision`), so does NNI's.
"""

from __future__ import annotations

from contextlib import suppress

from nni_strategies.compat import load_torchvision

with suppress(ImportError):  # nni.nas works without torchvision
    load_torchvision()

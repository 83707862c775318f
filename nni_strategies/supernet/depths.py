"""A path-sampling repeat whose depth may be 0: it returns its input then, as the frozen one does; NNI's own fails."""

from __future__ import annotations

from typing import Any

from nni_strategies.compat import load_torchvision

load_torchvision()  # nni.nas imports it

import nni.nas.strategy  # noqa: E402, F401  # before nni.nas.oneshot: by itself that leaves NNI's own DARTS() unusable
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingRepeat  # noqa: E402


class FromZeroRepeat(PathSamplingRepeat):  # type: ignore[misc]  # NNI has no types
    """NNI's repeat, but for the depth 0."""

    def forward(self, x: Any) -> Any:
        """Return what the first blocks make of `x`, as many as the depth."""
        return x if self._sampled == 0 else super().forward(x)

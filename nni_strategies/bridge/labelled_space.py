"""A model format whose trials show their labels in NNI's web UI.

NNI sends a trial a model as ``{"model_symbol": …, "sample": {label: value}, …}``; the web UI draws what is on top.
"""

from __future__ import annotations

from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.space import SimplifiedModelSpace


class LabelledModelSpace(SimplifiedModelSpace):  # type: ignore[misc]  # NNI has no types
    """NNI's simplified model space, with a copy of the sample on top of what a trial is sent."""

    def _dump(self) -> dict[str, Any]:
        dumped: dict[str, Any] = super()._dump()
        shown = {k: v for k, v in (self.sample or {}).items() if not isinstance(v, dict)}  # the UI shows no nesting
        return {**shown, **dumped}
